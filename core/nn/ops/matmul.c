/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Matrix products, one for each image and leading index. */
#include "nn/product.h"

static const um_op op = { .name = "matmul", .shape = um_product_shape, .grad = um_product_grad,
	.prepare = um_product_prepare, .pack = um_product_pack,
	.run = { um_product_run32, um_product_run64 }, .release = um_product_release,
	.flops = um_product_flops, .factors = um_product_factors,
	.kernel = um_product_kernel };

um_node *um_nn_matmul(um_node *a, um_node *b, bool ta, bool tb)
{
	return um_product_node(&op, a, b, ta, tb);
}
