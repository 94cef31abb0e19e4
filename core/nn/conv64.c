/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Convolutions in double, straight from T of nn/conv.h: for each tap and each row of y, the row
 * of x under it is a matrix (columns, ci) with a stride, and a product does the rest. */
#include <cblas.h>
#include <string.h>
#include "nn/conv.h"

/* The columns of y whose tap q lies within x: first .. first + count - 1. */
static int64_t inside(const um_conv_form *f, int64_t q, int64_t *first)
{
	const int64_t s = f->spec.stride, shift = q - f->spec.left;
	*first = shift >= 0 ? 0 : (-shift + s - 1) / s;
	const int64_t last = f->columns - 1 - shift < 0 ? -1 : (f->columns - 1 - shift) / s;
	return (last < f->out_columns ? last + 1 : f->out_columns) - *first;
}

static void row(const um_conv_form *f, double *x, double *w, double *y, int64_t n)
{
	const int ci = (int)f->ci, co = (int)f->co, step = (int)f->spec.stride * ci, m = (int)n;
	switch (f->side) {
	case UM_CONV_Y:
		cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, m, co, ci, 1, x, step, w, co, 1, y, co);
		break;
	case UM_CONV_X:
		cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasTrans, m, ci, co, 1, y, co, w, co, 1, x, step);
		break;
	case UM_CONV_W:
		cblas_dgemm(CblasRowMajor, CblasTrans, CblasNoTrans, ci, co, m, 1, x, step, y, co, 1, w, co);
		break;
	}
}

/* The result of T is added to. */
static void image(const um_conv_form *f, double *x, double *w, double *y)
{
	for (int64_t p = 0; p < f->kr; p++)
		for (int64_t q = 0; q < f->kc; q++)
			for (int64_t i = 0; i < f->out_rows; i++) {
				const int64_t r = f->spec.stride * i + p - f->spec.top;
				int64_t j;
				const int64_t n = inside(f, q, &j);
				if (r < 0 || r >= f->rows || n < 1)
					continue;
				const int64_t column = f->spec.stride * j + q - f->spec.left;
				row(f, x + (r * f->columns + column) * f->ci, w + (p * f->kc + q) * f->ci * f->co,
					y + (i * f->out_columns + j) * f->co, n);
			}
}

um_status um_conv_run64(const um_call *c, um_conv_side side)
{
	const um_conv_form f = um_conv_form_of(c->node, side);
	const int64_t len = um_node_len(c->node);
	if (!c->add)
		memset(c->out, 0, sizeof(double) * (size_t)(side == UM_CONV_W ? len : c->count * len));
	for (int64_t b = 0; b < c->count; b++) {
		double *in0 = (double *)(uintptr_t)c->in[0] + b * c->stride[0];
		double *in1 = (double *)(uintptr_t)c->in[1] + b * c->stride[1];
		double *out = (double *)c->out + (side == UM_CONV_W ? 0 : b * len);
		image(&f, side == UM_CONV_X ? out : in0, side == UM_CONV_W ? out : in1,
			side == UM_CONV_Y ? out : side == UM_CONV_X ? in0 : in1);
	}
	return UM_OK;
}
