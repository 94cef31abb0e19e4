/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Sine; derivative cosine. */
#include "nn/ops/sin.h"

UM_TILE_UNARY(sin_near, um_sinf(a), sin(a))

/* Arguments too large for um_sinf, and NaN, have large bits. */
UM_KERNEL(uint32_t, sin_most, (int64_t n, const float *x), (n, x))
{
	uint32_t m = 0;
	for (int64_t i = 0; i < n; i++) {
		uint32_t u = um_float_bits(x[i]) & 0x7fffffff;
		m = u > m ? u : m;
	}
	return m;
}

bool um_sin_is_near(int64_t n, const float *x)
{
	return sin_most(n, x) <= um_float_bits(UM_SIN_MOST);
}

static void sin_f32(int64_t n, float *o, const float *x, const float *unused, double imm)
{
	if (um_sin_is_near(n, x)) {
		sin_near_f32(n, o, x, unused, imm);
		return;
	}
	for (int64_t i = 0; i < n; i++)
		o[i] = sinf(x[i]);
}

static void grad(um_node *n, um_node *dy, const bool want[], um_node *dx[])
{
	(void)want;
	dx[0] = um_nn_mul(dy, um_nn_cos(n->in[0]));
}

static const um_op op = { .name = "sin", .grad = grad, .tile = { sin_f32, sin_near_f64 }, .cost = 1 };

um_node *um_nn_sin(um_node *a)
{
	return um_node_1(&op, a, NULL, 0);
}
