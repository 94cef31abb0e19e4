/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What matmul and matmul_sum share: c = op(a) op(b) for each image and leading index, and the same
 * summed over images. */
#ifndef UMBRA_NN_PRODUCT_H
#define UMBRA_NN_PRODUCT_H

#include "nn/node.h"

typedef struct um_product_attr {
	int64_t ta, tb;
} um_product_attr;

/* images x leads products of (m, k) and (k, n); steps in elements, 0 where an operand is the same. */
typedef struct um_product {
	bool ta, tb;
	bool sum;                 /* over images: c has no step between them */
	int64_t m, n, k, images, leads;
	int64_t a_image, a_lead, b_image, b_lead, c_image, c_lead;
} um_product;

um_product um_product_of(const um_node *n, int64_t count);
bool um_product_shape(um_node *n);
void um_product_grad(um_node *n, um_node *dy, const bool want[], um_node *dx[]);
bool um_product_factors(const um_node *n, int axis[2]);
double um_product_flops(const um_node *n);
/* A node of op (one of the two), with the leading axes of a taken as rows where b has none. */
um_node *um_product_node(const um_op *op, um_node *a, um_node *b, bool ta, bool tb);

um_status um_product_run64(const um_call *c);
/* Kernels in float32 (core/nn/product32.c). */
um_status um_product_prepare(const um_node *n, um_prepare *how);
um_status um_product_pack(const um_call *c);
um_status um_product_run32(const um_call *c);
void um_product_release(void *state);
const char *um_product_kernel(const void *state);

#endif
