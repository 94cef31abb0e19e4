/* SPDX-License-Identifier: GPL-3.0-or-later */
/* a^2; derivative 2 a. */
#include "nn/tile.h"

UM_TILE_UNARY(square, a * a, a * a)

static void grad(um_node *n, um_node *dy, const bool want[], um_node *dx[])
{
	(void)want;
	dx[0] = um_nn_scale(um_nn_mul(dy, n->in[0]), 2);
}

static const um_op op = { .name = "square", .grad = grad, UM_TILE(square) };

um_node *um_nn_square(um_node *a)
{
	return um_node_1(&op, a, NULL, 0);
}
