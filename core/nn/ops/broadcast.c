/* SPDX-License-Identifier: GPL-3.0-or-later */
/* An array repeated along axes that are missing on the left or have length 1. Its adjoint is
 * sum_to. */
#include "nn/tile.h"

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

/* Part of a fused loop: where it repeats rows or columns it costs nothing. */
UM_TILE_UNARY(broadcast, a, a)

static const um_op broadcast = { .name = "broadcast", .shape = shape, .grad = grad,
	UM_TILE(broadcast), .copy = true };

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
