/* SPDX-License-Identifier: GPL-3.0-or-later */
/* a b. */
#include "nn/tile.h"

UM_TILE_BINARY(mul, a * b)

static void grad(um_node *n, um_node *dy, const bool want[], um_node *dx[])
{
	for (int k = 0; k < 2; k++)
		if (want[k])
			dx[k] = um_nn_mul(dy, n->in[1 - k]);
}

static const um_op op = { .name = "mul", .grad = grad, UM_TILE(mul) };

um_node *um_nn_mul(um_node *a, um_node *b)
{
	if (a == NULL || b == NULL)
		return NULL;
	if (um_node_is(b, 1) && um_tile_fits(a, b))
		return a;
	if (um_node_is(a, 1) && um_tile_fits(b, a))
		return b;
	/* A zero takes over only where it has the shape of the product, images included. */
	if (um_node_is(b, 0) && um_tile_fits(b, a))
		return b;
	if (um_node_is(a, 0) && um_tile_fits(a, b))
		return a;
	return um_node_2(&op, a, b, NULL, 0);
}
