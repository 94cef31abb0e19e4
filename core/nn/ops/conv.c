/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Convolution: y[i, j, o] = sum over p, q, c of w[p, q, c, o] x[s i + p - top, s j + q - left, c]. */
#include "nn/conv.h"

static bool shape(um_node *n)
{
	return um_conv_shape(n, UM_CONV_Y);
}

static void grad(um_node *n, um_node *dy, const bool want[], um_node *dx[])
{
	const um_conv_attr *attr = n->attr;
	um_node *x = n->in[0], *w = n->in[1];
	if (want[0])
		dx[0] = um_nn_conv_transposed(dy, w, &attr->spec, x->dim[0], x->dim[1]);
	if (want[1])
		dx[1] = um_nn_conv_weight(x, dy, &attr->spec, w->dim[0], w->dim[1]);
}

static um_status prepare(const um_node *n, um_prepare *how)
{
	return um_conv_prepare(n, UM_CONV_Y, how);
}

static um_status run64(const um_call *c)
{
	return um_conv_run64(c, UM_CONV_Y);
}

static bool factors(const um_node *n, int axis[2])
{
	return um_conv_factors(n, UM_CONV_Y, axis);
}

static double flops(const um_node *n)
{
	return um_conv_flops(n, UM_CONV_Y);
}

static const um_op op = { .name = "conv", .shape = shape, .grad = grad, .prepare = prepare,
	.pack = um_conv_pack, .run = { um_conv_run32, run64 }, .release = um_conv_release, .flops = flops, .kernel = um_conv_kernel, .factors = factors };

um_node *um_nn_conv(um_node *x, um_node *w, const um_conv *spec)
{
	um_conv_attr attr;
	if (x == NULL || w == NULL || !um_conv_attr_make(x->graph, op.name, spec, 0, 0, &attr))
		return NULL;
	return um_node_2(&op, x, w, &attr, sizeof(attr));
}
