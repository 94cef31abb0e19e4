/* SPDX-License-Identifier: GPL-3.0-or-later */
/* a s with s = 1 / (1 + e^-a) (swish; Elfwing et al. 2018, arXiv:1702.03118). Its derivative
 * s (1 + a (1 - s)) is an operation of its own, computed in one pass; the second derivative
 * s (1 - s) (2 + a (1 - 2 s)) is composed. */
#include "nn/tile.h"

static inline float slope32(float a)
{
	a = um_sigmoid_clamp(a);
	float s = um_sigmoid_above(a);
	return s + s * a * (1 - s);
}

static inline double slope64(double a)
{
	double s = 1 / (1 + exp(-a));
	return s + s * a * (1 - s);
}

UM_TILE_UNARY(silu, um_siluf(a), a / (1 + exp(-a)))
UM_TILE_UNARY(silu_slope, slope32(a), slope64(a))

static void slope_grad(um_node *n, um_node *dy, const bool want[], um_node *dx[])
{
	um_node *a = n->in[0], *s = um_nn_sigmoid(a);
	um_node *f = um_nn_mul(a, um_nn_shift(um_nn_scale(s, -2), 1));
	(void)want;
	dx[0] = um_nn_mul(dy, um_nn_mul(um_nn_sub(s, um_nn_square(s)), um_nn_shift(f, 2)));
}

static const um_op slope = { .name = "silu_slope", .grad = slope_grad, UM_TILE(silu_slope), .cost = 1 };

static void grad(um_node *n, um_node *dy, const bool want[], um_node *dx[])
{
	(void)want;
	dx[0] = um_nn_mul(dy, um_node_1(&slope, n->in[0], NULL, 0));
}

static const um_op op = { .name = "silu", .grad = grad, UM_TILE(silu), .cost = 1 };

um_node *um_nn_silu(um_node *a)
{
	return um_node_1(&op, a, NULL, 0);
}
