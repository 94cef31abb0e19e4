/* SPDX-License-Identifier: GPL-3.0-or-later */
/* a plus a number. */
#include "nn/tile.h"

UM_TILE_UNARY(shift, a + imm, a + imm)

static void grad(um_node *n, um_node *dy, const bool want[], um_node *dx[])
{
	(void)n, (void)want;
	dx[0] = dy;
}

static const um_op op = { .name = "shift", .grad = grad, UM_TILE(shift) };

um_node *um_nn_shift(um_node *a, double term)
{
	if (a == NULL || term == 0)
		return a;
	return um_node_1(&op, a, &term, sizeof term);
}
