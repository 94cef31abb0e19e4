/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The same value, and a wish: um_lower reads it and takes the node away. A view elsewhere. */
#include "nn/node.h"

static bool shape(um_node *n)
{
	um_node_set(n, n->in[0]->rank, n->in[0]->dim);
	return true;
}

static um_node *make(um_node *a, um_care care);

/* Errors of derivatives do not add up to one number; for them what float32 is like will do. */
static void grad(um_node *n, um_node *dy, const bool want[], um_node *dx[])
{
	(void)n, (void)want;
	dx[0] = make(dy, UM_CARE_SPLIT);
}

const um_op um_op_careful = { .name = "careful", .shape = shape, .grad = grad, .view = true };

static um_node *make(um_node *a, um_care care)
{
	const int64_t attr = care;
	if (a != NULL && a->op == &um_op_careful)
		return um_node_care(a) >= care ? a : make(a->in[0], care);
	return um_node_1(&um_op_careful, a, &attr, sizeof(attr));
}

um_node *um_nn_careful(um_node *a)
{
	return make(a, UM_CARE);
}

um_care um_node_care(const um_node *n)
{
	return n->op == &um_op_careful ? (um_care)*(const int64_t *)n->attr : UM_CARE_NONE;
}
