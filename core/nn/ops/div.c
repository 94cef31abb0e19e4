/* SPDX-License-Identifier: GPL-3.0-or-later */
/* a / b. With y = a / b: dy/da = 1 / b, dy/db = -y / b. */
#include "nn/tile.h"

UM_TILE_BINARY(div, a / b)

static void grad(um_node *n, um_node *dy, const bool want[], um_node *dx[])
{
	dx[0] = um_nn_div(dy, n->in[1]);
	if (want[1])
		dx[1] = um_nn_neg(um_nn_mul(dx[0], n));
}

static const um_op op = { .name = "div", .grad = grad, UM_TILE(div) };

um_node *um_nn_div(um_node *a, um_node *b)
{
	if (a == NULL || b == NULL)
		return NULL;
	if (um_node_is(b, 1) && um_tile_fits(a, b))
		return a;
	return um_node_2(&op, a, b, NULL, 0);
}
