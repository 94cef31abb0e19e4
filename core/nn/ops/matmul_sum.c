/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Matrix products summed over the batch: the gradient of a weight that all images share. */
#include "nn/product.h"

static const um_op op = { .name = "matmul_sum", .shape = um_product_shape, .grad = um_product_grad,
	.prepare = um_product_prepare, .run = { um_product_run32, um_product_run64 },
	.release = um_product_release, .flops = um_product_flops, .factors = um_product_factors,
	.kernel = um_product_kernel, .sums_batch = true };

um_node *um_nn_matmul_sum(um_node *a, um_node *b, bool ta, bool tb)
{
	if (a == NULL || b == NULL)
		return NULL;
	/* bilinear: a factor that is the same for all images meets the sum of the others */
	if (a->batched && !b->batched)
		return um_nn_matmul(um_nn_batch_sum(a), b, ta, tb);
	if (b->batched && !a->batched)
		return um_nn_matmul(a, um_nn_batch_sum(b), ta, tb);
	return um_product_node(&op, a, b, ta, tb);
}
