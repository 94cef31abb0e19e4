/* SPDX-License-Identifier: GPL-3.0-or-later */
/* a where it is positive, else a number times a; ReLU where that number is 0, which is an operation
 * of its own because 0 times -infinity is not 0. */
#include "nn/tile.h"

UM_TILE_UNARY(relu, a < 0 ? 0 : a, a < 0 ? 0 : a)
UM_TILE_UNARY(leaky_relu, a > 0 ? a : imm * a, a > 0 ? a : imm * a)

static void relu_grad(um_node *n, um_node *dy, const bool want[], um_node *dx[])
{
	(void)want;
	dx[0] = um_nn_mul(dy, um_nn_step(n->in[0], 0));
}

static const um_op relu = { .name = "relu", .grad = relu_grad, UM_TILE(relu) };

um_node *um_nn_relu(um_node *a)
{
	return um_node_1(&relu, a, NULL, 0);
}

static void grad(um_node *n, um_node *dy, const bool want[], um_node *dx[])
{
	(void)want;
	dx[0] = um_nn_mul(dy, um_nn_step(n->in[0], *(const double *)n->attr));
}

static const um_op op = { .name = "leaky_relu", .grad = grad, UM_TILE(leaky_relu) };

um_node *um_nn_leaky_relu(um_node *a, double slope)
{
	if (slope == 0)
		return um_nn_relu(a);
	return um_node_1(&op, a, &slope, sizeof slope);
}
