/* SPDX-License-Identifier: GPL-3.0-or-later */
/* a - b. */
#include "nn/tile.h"

UM_TILE_BINARY(sub, a - b)

static void grad(um_node *n, um_node *dy, const bool want[], um_node *dx[])
{
	(void)n;
	dx[0] = dy;
	if (want[1])
		dx[1] = um_nn_neg(dy);
}

static const um_op op = { .name = "sub", .grad = grad, UM_TILE(sub) };

um_node *um_nn_sub(um_node *a, um_node *b)
{
	if (a == NULL || b == NULL)
		return NULL;
	if (um_node_is(b, 0) && um_tile_fits(a, b))
		return a;
	if (um_node_is(a, 0) && um_tile_fits(b, a))
		return um_nn_neg(b);
	return um_node_2(&op, a, b, NULL, 0);
}
