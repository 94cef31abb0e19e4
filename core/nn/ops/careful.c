/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The same value, and a wish: um_lower reads it and takes the node away. A view elsewhere. */
#include <string.h>
#include "nn/node.h"

static bool shape(um_node *n)
{
	um_node_set(n, n->in[0]->rank, n->in[0]->dim);
	return true;
}

static void grad(um_node *n, um_node *dy, const bool want[], um_node *dx[])
{
	(void)n, (void)want;
	dx[0] = um_nn_careful(dy);
}

const um_op um_op_careful = { .name = "careful", .shape = shape, .grad = grad, .view = true };

um_node *um_nn_careful(um_node *a)
{
	return a != NULL && a->op == &um_op_careful ? a : um_node_1(&um_op_careful, a, NULL, 0);
}
