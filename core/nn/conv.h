/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the three convolutions share. They are the derivatives of one trilinear form
 *   T(x, w, y) = sum over o, c, p, q, i, j of y[i, j, o] w[p, q, c, o] x[s i + p - top, s j + q - left, c]
 * in y (conv), in x (conv_transposed) and in w (conv_weight), x being zero outside. */
#ifndef UMBRA_NN_CONV_H
#define UMBRA_NN_CONV_H

#include "nn/node.h"

typedef enum um_conv_side { UM_CONV_Y, UM_CONV_X, UM_CONV_W } um_conv_side;

/* The attribute of all three. rows, columns: what the inputs leave open: of x for conv_transposed,
 * of the kernel for conv_weight, else 0. */
typedef struct um_conv_attr {
	um_conv spec;
	int64_t rows, columns;
} um_conv_attr;

typedef struct um_conv_form {
	um_conv_side side;                /* which of the three is computed */
	int64_t rows, columns, ci;        /* x */
	int64_t out_rows, out_columns, co; /* y */
	int64_t kr, kc;                   /* w: (kr, kc, ci, co) */
	um_conv spec;
} um_conv_form;

/* The attribute, with stride 0 become 1; false, with the mistake recorded, for negative numbers. */
bool um_conv_attr_make(um_graph *g, const char *name, const um_conv *spec, int64_t rows, int64_t columns,
	um_conv_attr *attr);
/* The form of a node of one of the three operations, whose inputs are those of T in the order x, y,
 * w without its result, x and y before w. */
um_conv_form um_conv_form_of(const um_node *n, um_conv_side side);
/* The shape rule: checks the form, sets the shape. */
bool um_conv_shape(um_node *n, um_conv_side side);
bool um_conv_factors(const um_node *n, um_conv_side side, int axis[2]);
double um_conv_flops(const um_node *n, um_conv_side side);

/* Kernels in float32 (core/nn/conv32.c) ... */
um_status um_conv_prepare(const um_node *n, um_conv_side side, um_prepare *how);
um_status um_conv_pack(const um_call *c);
um_status um_conv_run32(const um_call *c);
void um_conv_release(void *state);
const char *um_conv_kernel(const void *state);
/* ... and in float64 (core/nn/conv64.c). */
um_status um_conv_run64(const um_call *c, um_conv_side side);

#endif
