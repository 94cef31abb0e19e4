/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Cosine; derivative minus sine. */
#include "nn/ops/sin.h"

UM_TILE_UNARY(cos_near, um_cosf(a), cos(a))

static void cos_f32(int64_t n, float *o, const float *x, const float *unused, double imm)
{
	if (um_sin_is_near(n, x)) {
		cos_near_f32(n, o, x, unused, imm);
		return;
	}
	for (int64_t i = 0; i < n; i++)
		o[i] = cosf(x[i]);
}

static void grad(um_node *n, um_node *dy, const bool want[], um_node *dx[])
{
	(void)want;
	dx[0] = um_nn_neg(um_nn_mul(dy, um_nn_sin(n->in[0])));
}

static const um_op op = { .name = "cos", .grad = grad, .tile = { cos_f32, cos_near_f64 }, .cost = 1 };

um_node *um_nn_cos(um_node *a)
{
	return um_node_1(&op, a, NULL, 0);
}
