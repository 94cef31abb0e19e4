/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Hyperbolic tangent y; derivative 1 - y^2. */
#include "nn/tile.h"

UM_TILE_UNARY(tanh, um_tanhf(a), tanh(a))

static void grad(um_node *n, um_node *dy, const bool want[], um_node *dx[])
{
	(void)want;
	dx[0] = um_nn_mul(dy, um_nn_shift(um_nn_neg(um_nn_square(n)), 1));
}

static const um_op op = { .name = "tanh", .grad = grad, UM_TILE(tanh), .cost = 1 };

um_node *um_nn_tanh(um_node *a)
{
	return um_node_1(&op, a, NULL, 0);
}
