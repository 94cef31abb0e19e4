/* SPDX-License-Identifier: GPL-3.0-or-later */
/* 1 where a is positive, else a number: the slope of leaky ReLU. Its derivative is 0. */
#include "nn/tile.h"

UM_TILE_UNARY(step, a > 0 ? 1 : imm, a > 0 ? 1 : imm)

static void grad(um_node *n, um_node *dy, const bool want[], um_node *dx[])
{
	(void)n, (void)dy, (void)want;
	dx[0] = NULL;
}

static const um_op op = { .name = "step", .grad = grad, UM_TILE(step) };

um_node *um_nn_step(um_node *a, double below)
{
	return um_node_1(&op, a, &below, sizeof below);
}
