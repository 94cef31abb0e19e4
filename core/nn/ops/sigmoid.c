/* SPDX-License-Identifier: GPL-3.0-or-later */
/* y = 1 / (1 + e^-a); derivative y - y^2. */
#include "nn/tile.h"

UM_TILE_UNARY(sigmoid, um_sigmoidf(a), 1 / (1 + exp(-a)))

static void grad(um_node *n, um_node *dy, const bool want[], um_node *dx[])
{
	(void)want;
	dx[0] = um_nn_mul(dy, um_nn_sub(n, um_nn_square(n)));
}

static const um_op op = { .name = "sigmoid", .grad = grad, UM_TILE(sigmoid), .cost = 1 };

um_node *um_nn_sigmoid(um_node *a)
{
	return um_node_1(&op, a, NULL, 0);
}
