/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Element-wise kernels: one definition for float and double, compiled for several instruction sets
 * and chosen at run time. */
#ifndef UMBRA_NN_TILE_H
#define UMBRA_NN_TILE_H

#include <math.h>
#include "base/isa.h"
#include "nn/node.h"
#include "nn/vmath.h"

/* f32 and f64 from expressions in a, b (the elements) and imm (the attribute). Unary kernels read
 * a alone: b may be NULL. */
#define UM_TILE_UNARY(name, expr32, expr64) \
	UM_KERNEL(void, name##_f32, (int64_t n, float *o, const float *x, const float *unused, \
		double imm_), (n, o, x, unused, imm_)) \
	{ \
		const float imm = (float)imm_; \
		(void)imm, (void)unused; \
		UM_EACH \
		for (int64_t i = 0; i < n; i++) { \
			const float a = x[i]; \
			o[i] = (expr32); \
		} \
	} \
	UM_KERNEL(void, name##_f64, (int64_t n, double *o, const double *x, const double *unused, \
		double imm), (n, o, x, unused, imm)) \
	{ \
		(void)imm, (void)unused; \
		UM_EACH \
		for (int64_t i = 0; i < n; i++) { \
			const double a = x[i]; \
			o[i] = (expr64); \
		} \
	}
#define UM_TILE_BINARY(name, expr) \
	UM_KERNEL(void, name##_f32, (int64_t n, float *o, const float *x, const float *y, double imm), \
		(n, o, x, y, imm)) \
	{ \
		(void)imm; \
		UM_EACH \
		for (int64_t i = 0; i < n; i++) { \
			const float a = x[i], b = y[i]; \
			o[i] = (expr); \
		} \
	} \
	UM_KERNEL(void, name##_f64, (int64_t n, double *o, const double *x, const double *y, double imm), \
		(n, o, x, y, imm)) \
	{ \
		(void)imm; \
		UM_EACH \
		for (int64_t i = 0; i < n; i++) { \
			const double a = x[i], b = y[i]; \
			o[i] = (expr); \
		} \
	}
#define UM_TILE(name) .tile = { name##_f32, name##_f64 }

/* Broadcasting b with a leaves the shape of a. */
static inline bool um_tile_fits(const um_node *a, const um_node *b)
{
	if (b->rank > a->rank || (b->batched && !a->batched))
		return false;
	for (int i = 0; i < b->rank; i++)
		if (b->dim[i] != 1 && b->dim[i] != a->dim[a->rank - b->rank + i])
			return false;
	return true;
}

#endif
