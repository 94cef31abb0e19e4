/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The same numbers in the same order under another shape: a view, nothing is computed. */
#include <string.h>
#include "nn/node.h"

typedef struct attr {
	int64_t rank, dim[UM_NN_RANK];
} attr;

static bool shape(um_node *n)
{
	const attr *s = n->attr;
	int64_t left = um_node_len(n->in[0]);
	for (int i = 0; i < (int)s->rank; i++)
		left = left % s->dim[i] == 0 ? left / s->dim[i] : 0;
	um_node_set(n, (int)s->rank, s->dim);
	if (left == 1)
		return true;
	um_graph_fail(n->graph, "reshape: %s has not as many elements as %s", um_node_shape(n),
		um_node_shape(n->in[0]));
	return false;
}

static void grad(um_node *n, um_node *dy, const bool want[], um_node *dx[])
{
	if (want[0])
		dx[0] = um_nn_reshape(dy, n->in[0]->rank, n->in[0]->dim);
}

/* For a program that wants the result in memory of its own. */
static um_status run(const um_call *call)
{
	int64_t bytes = um_node_len(call->node) * call->size;
	for (int64_t i = 0; i < call->count; i++)
		memcpy((char *)call->out + i * bytes,
			(const char *)call->in[0] + i * call->stride[0] * call->size, (size_t)bytes);
	return UM_OK;
}

static const um_op reshape = {
	.name = "reshape", .shape = shape, .grad = grad, .run = { run, run }, .view = true
};

um_node *um_nn_reshape(um_node *a, int rank, const int64_t dim[])
{
	attr s = { .rank = rank };
	if (a == NULL)
		return NULL;
	if (rank < 0 || rank > UM_NN_RANK)
		return um_graph_fail(
			a->graph, "reshape: %d axes; there are at most %d", rank, UM_NN_RANK);
	bool same = rank == a->rank;
	for (int i = 0; i < rank; i++) {
		if (dim[i] < 1)
			return um_graph_fail(
				a->graph, "reshape: length %lld of axis %d", (long long)dim[i], i);
		s.dim[i] = dim[i];
		same = same && dim[i] == a->dim[i];
	}
	if (same)
		return a;
	if (a->op == &reshape)
		return um_nn_reshape(a->in[0], rank, dim);
	return um_node_1(&reshape, a, &s, sizeof(s));
}
