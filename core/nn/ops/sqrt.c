/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Square root y; derivative 1 / (2 y). */
#include "nn/tile.h"

UM_TILE_UNARY(sqrt, sqrtf(a), sqrt(a))

static void grad(um_node *n, um_node *dy, const bool want[], um_node *dx[])
{
	(void)want;
	dx[0] = um_nn_div(um_nn_scale(dy, 0.5), n);
}

static const um_op op = { .name = "sqrt", .grad = grad, UM_TILE(sqrt), .cost = 1 };

um_node *um_nn_sqrt(um_node *a)
{
	return um_node_1(&op, a, NULL, 0);
}
