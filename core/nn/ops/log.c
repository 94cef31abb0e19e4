/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Natural logarithm; derivative 1 / a. */
#include "nn/tile.h"

UM_TILE_UNARY(log, um_logf(a), log(a))

static void grad(um_node *n, um_node *dy, const bool want[], um_node *dx[])
{
	(void)want;
	dx[0] = um_nn_div(dy, n->in[0]);
}

static const um_op op = { .name = "log", .grad = grad, UM_TILE(log), .cost = 1 };

um_node *um_nn_log(um_node *a)
{
	return um_node_1(&op, a, NULL, 0);
}
