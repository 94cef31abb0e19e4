/* SPDX-License-Identifier: GPL-3.0-or-later */
/* e^a, its own derivative. */
#include "nn/tile.h"

UM_TILE_UNARY(exp, um_expf(a), exp(a))

static void grad(um_node *n, um_node *dy, const bool want[], um_node *dx[])
{
	(void)want;
	dx[0] = um_nn_mul(dy, n);
}

static const um_op op = { .name = "exp", .grad = grad, UM_TILE(exp), .cost = 1 };

um_node *um_nn_exp(um_node *a)
{
	return um_node_1(&op, a, NULL, 0);
}
