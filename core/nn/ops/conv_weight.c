/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The adjoint of a convolution in its weights, summed over the batch:
 * w[p, q, c, o] = sum over images, i, j of y[i, j, o] x[s i + p - top, s j + q - left, c]. */
#include "nn/conv.h"

static bool shape(um_node *n)
{
	return um_conv_shape(n, UM_CONV_W);
}

static void grad(um_node *n, um_node *dw, const bool want[], um_node *dx[])
{
	const um_conv_attr *attr = n->attr;
	um_node *x = n->in[0], *y = n->in[1];
	if (want[0])
		dx[0] = um_nn_conv_transposed(y, dw, &attr->spec, x->dim[0], x->dim[1]);
	if (want[1])
		dx[1] = um_nn_conv(x, dw, &attr->spec);
}

static um_status prepare(const um_node *n, um_prepare *how)
{
	return um_conv_prepare(n, UM_CONV_W, how);
}

static um_status run64(const um_call *c)
{
	return um_conv_run64(c, UM_CONV_W);
}

static bool factors(const um_node *n, int axis[2])
{
	return um_conv_factors(n, UM_CONV_W, axis);
}

static double flops(const um_node *n)
{
	return um_conv_flops(n, UM_CONV_W);
}

static const um_op op = { .name = "conv_weight", .shape = shape, .grad = grad, .prepare = prepare,
	.run = { um_conv_run32, run64 }, .release = um_conv_release, .flops = flops, .kernel = um_conv_kernel, .factors = factors, .sums_batch = true };

um_node *um_nn_conv_weight(um_node *x, um_node *y, const um_conv *spec, int64_t kernel_rows,
	int64_t kernel_columns)
{
	um_conv_attr attr;
	if (x == NULL || y == NULL ||
		!um_conv_attr_make(x->graph, op.name, spec, kernel_rows, kernel_columns, &attr))
		return NULL;
	/* bilinear: a factor that is the same for all images meets the sum of the others */
	if (x->batched && !y->batched)
		x = um_nn_batch_sum(x);
	else if (y->batched && !x->batched)
		y = um_nn_batch_sum(y);
	return um_node_2(&op, x, y, &attr, sizeof(attr));
}
