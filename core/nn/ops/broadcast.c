/* SPDX-License-Identifier: GPL-3.0-or-later */
/* An array repeated along axes that are missing on the left or have length 1. Its adjoint is
 * sum_to. */
#include "nn/tile.h"
#include "nn/walk.h"

typedef struct attr {
	int64_t rank, dim[UM_NN_RANK];
} attr;

static bool fits(const um_node *a, const attr *s)
{
	bool ok = a->rank <= s->rank;
	for (int i = 0; ok && i < a->rank; i++)
		ok = a->dim[i] == 1 || a->dim[i] == s->dim[s->rank - a->rank + i];
	return ok;
}

static bool shape(um_node *n)
{
	const attr *s = n->attr;
	um_node_set(n, (int)s->rank, s->dim);
	if (fits(n->in[0], s))
		return true;
	um_graph_fail(n->graph, "broadcast: %s does not become %s", um_node_shape(n->in[0]),
		um_node_shape(n));
	return false;
}

static void grad(um_node *n, um_node *dy, const bool want[], um_node *dx[])
{
	const um_node *a = n->in[0];
	if (want[0])
		dx[0] = um_nn_sum_to(dy, a->rank, a->dim, a->batched);
}

static um_status run(const um_call *call, int64_t size)
{
	const um_node *n = call->node, *a = n->in[0];
	um_walk w = { .rank = n->rank };
	int64_t step = 1;
	for (int i = n->rank - 1, k = a->rank - 1; i >= 0; i--, k--) {
		bool repeats = k < 0 || a->dim[k] == 1;
		w.dim[i] = n->dim[i];
		w.step[i] = repeats ? 0 : step;
		step *= repeats ? 1 : n->dim[i];
	}
	um_walk_simplify(&w);
	um_walk_run(&w, call, size);
	return UM_OK;
}

static um_status run_f32(const um_call *call)
{
	return run(call, 4);
}

static um_status run_f64(const um_call *call)
{
	return run(call, 8);
}

/* Where it only repeats rows or columns it is part of a fused loop and costs nothing. */
UM_TILE_UNARY(broadcast, a, a)

static const um_op broadcast = { .name = "broadcast", .shape = shape, .grad = grad,
	.run = { run_f32, run_f64 }, UM_TILE(broadcast), .copy = true };

um_node *um_nn_broadcast(um_node *a, int rank, const int64_t dim[])
{
	attr s = { .rank = rank };
	if (a == NULL)
		return NULL;
	if (rank < 0 || rank > UM_NN_RANK)
		return um_graph_fail(
			a->graph, "broadcast: %d axes; there are at most %d", rank, UM_NN_RANK);
	bool same = rank == a->rank;
	for (int i = 0; i < rank; i++) {
		if (dim[i] < 1)
			return um_graph_fail(a->graph, "broadcast: length %lld of axis %d",
				(long long)dim[i], i);
		s.dim[i] = dim[i];
		same = same && dim[i] == a->dim[i];
	}
	if (same)
		return a;
	if (a->op == &broadcast && fits(a, &s))
		return um_nn_broadcast(a->in[0], rank, dim);
	return um_node_1(&broadcast, a, &s, sizeof(s));
}
