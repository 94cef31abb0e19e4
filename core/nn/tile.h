/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Element-wise kernels: one definition for float and double, compiled for several instruction sets
 * and chosen at run time. */
#ifndef UMBRA_NN_TILE_H
#define UMBRA_NN_TILE_H

#include <math.h>
#include "nn/node.h"
#include "nn/vmath.h"

/* UM_CLONES before a function compiles it for several instruction sets. It is static, for clang 14
 * does not link calls from other files; yet its name must be the only one in the library, for clang 14 lets
 * the symbols of clones leak out of a file.
 * Sanitizers instrument the resolvers of clones, which run before the sanitizers are ready. */
#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || __has_feature(memory_sanitizer)
#define UM_NO_CLONES
#endif
#endif
#if defined(__x86_64__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__) && \
	!defined(UM_NO_CLONES)
#define UM_CLONES __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define UM_CLONES
#endif

/* Before a loop: o[i] depends on a[i] and b[i] alone, though o may be a or b. */
#ifdef __clang__
#pragma clang diagnostic ignored "-Wpass-failed"
#define UM_EACH _Pragma("clang loop vectorize(assume_safety)")
#else
#define UM_EACH _Pragma("GCC ivdep")
#endif

/* f32 and f64 from expressions in a, b (the elements) and imm (the attribute). Unary kernels read
 * a alone: b may be NULL. */
#define UM_TILE_UNARY(name, expr32, expr64) \
	UM_CLONES static void name##_f32(int64_t n, float *o, const float *x, const float *unused, \
		double imm_) \
	{ \
		const float imm = (float)imm_; \
		(void)imm, (void)unused; \
		UM_EACH \
		for (int64_t i = 0; i < n; i++) { \
			const float a = x[i]; \
			o[i] = (expr32); \
		} \
	} \
	UM_CLONES static void name##_f64(int64_t n, double *o, const double *x, const double *unused, \
		double imm) \
	{ \
		(void)imm, (void)unused; \
		UM_EACH \
		for (int64_t i = 0; i < n; i++) { \
			const double a = x[i]; \
			o[i] = (expr64); \
		} \
	}
#define UM_TILE_BINARY(name, expr) \
	UM_CLONES static void name##_f32(int64_t n, float *o, const float *x, const float *y, double imm) \
	{ \
		(void)imm; \
		UM_EACH \
		for (int64_t i = 0; i < n; i++) { \
			const float a = x[i], b = y[i]; \
			o[i] = (expr); \
		} \
	} \
	UM_CLONES static void name##_f64(int64_t n, double *o, const double *x, const double *y, double imm) \
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
