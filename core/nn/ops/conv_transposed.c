/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The adjoint of a convolution in its image: each y[i, j] adds w times itself to x where conv reads. */
#include "nn/conv.h"

static bool shape(um_node *n)
{
	return um_conv_shape(n, UM_CONV_X);
}

static void grad(um_node *n, um_node *dy, const bool want[], um_node *dx[])
{
	const um_conv_attr *attr = n->attr;
	um_node *y = n->in[0], *w = n->in[1];
	if (want[0])
		dx[0] = um_nn_conv(dy, w, &attr->spec);
	if (want[1])
		dx[1] = um_nn_conv_weight(dy, y, &attr->spec, w->dim[0], w->dim[1]);
}

static um_status prepare(const um_node *n, um_prepare *how)
{
	return um_conv_prepare(n, UM_CONV_X, how);
}

static um_status run64(const um_call *c)
{
	return um_conv_run64(c, UM_CONV_X);
}

static bool factors(const um_node *n, int axis[2])
{
	return um_conv_factors(n, UM_CONV_X, axis);
}

static double flops(const um_node *n)
{
	return um_conv_flops(n, UM_CONV_X);
}

static const um_op op = { .name = "conv_transposed", .shape = shape, .grad = grad, .prepare = prepare,
	.pack = um_conv_pack, .run = { um_conv_run32, run64 }, .release = um_conv_release, .flops = flops, .kernel = um_conv_kernel, .factors = factors };

um_node *um_nn_conv_transposed(um_node *y, um_node *w, const um_conv *spec, int64_t rows, int64_t columns)
{
	um_conv_attr attr;
	if (y == NULL || w == NULL || !um_conv_attr_make(y->graph, op.name, spec, rows, columns, &attr))
		return NULL;
	return um_node_2(&op, y, w, &attr, sizeof(attr));
}
