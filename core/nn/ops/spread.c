/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A shared value for every image: what makes the adjoint of a batched node batched, so that sums
 * over the batch count it once an image. */
#include "nn/tile.h"

UM_TILE_UNARY(spread, a, a)

static bool shape(um_node *n)
{
	um_node_set(n, n->in[0]->rank, n->in[0]->dim);
	n->batched = true;
	return true;
}

static void grad(um_node *n, um_node *dy, const bool want[], um_node *dx[])
{
	(void)n, (void)want;
	dx[0] = um_nn_batch_sum(dy);
}

static const um_op op = { .name = "spread", .shape = shape, .grad = grad, UM_TILE(spread), .copy = true };

um_node *um_nn_spread(um_node *a)
{
	return a == NULL || um_node_batched(a) ? a : um_node_1(&op, a, NULL, 0);
}
