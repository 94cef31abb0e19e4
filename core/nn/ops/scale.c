/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A number times a; also the negative. A factor of a factor is one factor. */
#include "nn/tile.h"

UM_TILE_UNARY(scale, imm * a, imm * a)

static double factor_of(const um_node *n)
{
	return *(const double *)n->attr;
}

static void grad(um_node *n, um_node *dy, const bool want[], um_node *dx[])
{
	(void)want;
	dx[0] = um_nn_scale(dy, factor_of(n));
}

static const um_op op = { .name = "scale", .grad = grad, UM_TILE(scale) };

um_node *um_nn_scale(um_node *a, double factor)
{
	if (a != NULL && a->op == &op) {
		factor *= factor_of(a);
		a = a->in[0];
	}
	if (a == NULL || factor == 1 || um_node_is(a, 0))
		return a;
	return um_node_1(&op, a, &factor, sizeof factor);
}

um_node *um_nn_neg(um_node *a)
{
	return um_nn_scale(a, -1);
}
