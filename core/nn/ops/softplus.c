/* SPDX-License-Identifier: GPL-3.0-or-later */
/* log(1 + e^a) = max(a, 0) + log(1 + e^-|a|); derivative sigmoid(a). */
#include "nn/tile.h"

UM_TILE_UNARY(softplus, um_softplusf(a), (a > 0 ? a : 0) + log1p(exp(-fabs(a))))

static void grad(um_node *n, um_node *dy, const bool want[], um_node *dx[])
{
	(void)want;
	dx[0] = um_nn_mul(dy, um_nn_sigmoid(n->in[0]));
}

static const um_op op = { .name = "softplus", .grad = grad, UM_TILE(softplus), .cost = 1 };

um_node *um_nn_softplus(um_node *a)
{
	return um_node_1(&op, a, NULL, 0);
}
