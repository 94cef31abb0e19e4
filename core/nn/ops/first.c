/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The numbers at the first position: (.., channels) to (channels). Of what is element-wise it is made of
 * the first numbers of the operands, so that the whole need not be stored. It has no derivative. */
#include <string.h>
#include "nn/tile.h"

static bool shape(um_node *n)
{
	const um_node *a = n->in[0];
	um_node_set(n, 1, &a->dim[a->rank - 1]);
	return true;
}

static um_status run(const um_call *c)
{
	const int64_t bytes = um_node_len(c->node) * c->size;
	for (int64_t i = 0; i < c->count; i++)
		memcpy((char *)c->out + i * bytes, (const char *)c->in[0] + i * c->stride[0] * c->size, (size_t)bytes);
	return UM_OK;
}

static const um_op op = { .name = "first", .shape = shape, .run = { run, run } };

/* Not too deep, since operands that are the same are not recognised as such on the way. */
static um_node *first(um_node *a, int depth)
{
	enum { DEEPEST = 12 };
	if (a == NULL || a->rank < 2)
		return a;
	if (a->op->tile.f32 == NULL || a->op->copy || depth == DEEPEST)
		return um_node_1(&op, a, NULL, 0);
	um_node *in[UM_NN_INPUTS] = { NULL };
	bool whole = false;
	for (int k = 0; k < a->nin; k++) {
		in[k] = first(a->in[k], depth + 1);
		whole |= in[k] != NULL && um_node_len(in[k]) == a->dim[a->rank - 1];
	}
	return whole ? um_node_copy(a->graph, a, in) : um_node_1(&op, a, NULL, 0);
}

um_node *um_node_first(um_node *a)
{
	return first(a, 0);
}

um_node *um_nn_sample(um_node *a)
{
	return um_nn_detach(um_node_first(a));
}
