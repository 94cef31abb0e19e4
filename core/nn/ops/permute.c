/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The axes in another order. */
#include "nn/node.h"
#include "nn/walk.h"

typedef struct attr {
	int64_t order[UM_NN_RANK];
} attr;

static bool shape(um_node *n)
{
	const attr *s = n->attr;
	const um_node *a = n->in[0];
	int64_t dim[UM_NN_RANK] = { 0 };
	for (int i = 0; i < a->rank; i++)
		dim[i] = a->dim[s->order[i]];
	um_node_set(n, a->rank, dim);
	return true;
}

static void grad(um_node *n, um_node *dy, const bool want[], um_node *dx[])
{
	const attr *s = n->attr;
	int back[UM_NN_RANK] = { 0 };
	for (int i = 0; i < n->rank; i++)
		back[s->order[i]] = i;
	if (want[0])
		dx[0] = um_nn_permute(dy, back);
}

static um_status run(const um_call *call)
{
	const attr *s = call->node->attr;
	const um_node *n = call->node, *a = n->in[0];
	int64_t step[UM_NN_RANK], len = 1;
	um_walk w = { .rank = n->rank };
	for (int i = a->rank - 1; i >= 0; len *= a->dim[i], i--)
		step[i] = len;
	for (int i = 0; i < n->rank; i++) {
		w.dim[i] = n->dim[i];
		w.step[i] = step[s->order[i]];
	}
	um_walk_simplify(&w);
	um_walk_run(&w, call);
	return UM_OK;
}

static const um_op permute = { .name = "permute", .shape = shape, .grad = grad, .run = { run, run } };

um_node *um_nn_permute(um_node *a, const int order[])
{
	attr s = { { 0 } };
	unsigned seen = 0;
	bool same = true;
	if (a == NULL)
		return NULL;
	for (int i = 0; i < a->rank; i++) {
		if (order[i] < 0 || order[i] >= a->rank || (seen >> order[i] & 1))
			return um_graph_fail(a->graph, "permute: axis %d as number %d of %s",
				order[i], i, um_node_shape(a));
		seen |= 1u << order[i];
		s.order[i] = order[i];
		same = same && order[i] == i;
	}
	if (same)
		return a;
	if (a->op == &permute) {
		const attr *of = a->attr;
		int both[UM_NN_RANK] = { 0 };
		for (int i = 0; i < a->rank; i++)
			both[i] = (int)of->order[order[i]];
		return um_nn_permute(a->in[0], both);
	}
	return um_node_1(&permute, a, &s, sizeof(s));
}
