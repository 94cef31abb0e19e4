/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Adam (Kingma & Ba 2015, arXiv:1412.6980, algorithm 1) and AdamW (Loshchilov & Hutter 2019,
 * arXiv:1711.05101, algorithm 2), with clipping of the global norm, linear warm-up and decay of the
 * rate. Memory is what a step waits for, so there are two passes: one reads g for its norm, one
 * does all the rest. Both go by blocks of a fixed size, whose partial sums are added in order, so
 * that results do not depend on the number of threads. */
#include <math.h>
#include <stdlib.h>
#include <umbra/optim.h>
#include "base/mem.h"
#include "base/parallel.h"
#include "nn/tile.h"

enum { BLOCK = 1 << 14, LANES = 16 };

/* What a step does to each number, g being clip times the gradient and r the rate:
 *   m = beta1 m + (1 - beta1) g,  v = beta2 v + (1 - beta2) g^2,
 *   x = (1 - r decay) x - r (m / c1) / (sqrt(v / c2) + eps),  ck = 1 - betak^step,
 * where the last fraction is written as rate m / (sqrt(v) + eps). */
typedef struct {
	double clip, beta1, beta2, keep, rate, eps;
} update;

/* Moments of a weight whose gradient has become zero decay for ever; they are cut where they are
 * far too small to move x, before they become subnormal and slow. */
#define KERNELS(real, s, root, magnitude, tiny) \
	UM_KERNEL(void, adam_update_##s, (int64_t n, const update *u, real *restrict x, const real *restrict g, \
		real *restrict m, real *restrict v), (n, u, x, g, m, v)) \
	{ \
		const real clip = (real)u->clip, b1 = (real)u->beta1, b2 = (real)u->beta2, keep = (real)u->keep; \
		const real a1 = (real)(1 - u->beta1), a2 = (real)(1 - u->beta2), rate = (real)u->rate; \
		const real eps = (real)u->eps; \
		UM_EACH \
		for (int64_t i = 0; i < n; i++) { \
			const real h = clip * g[i]; \
			const real p = b1 * m[i] + a1 * h, q = b2 * v[i] + a2 * h * h; \
			m[i] = magnitude(p) < tiny ? 0 : p; \
			v[i] = q < tiny ? 0 : q; \
			x[i] = keep * x[i] - rate * m[i] / (root(v[i]) + eps); \
		} \
	} \
	/* sum g^2, the same whatever the width of vectors */ \
	UM_KERNEL(double, adam_squares_##s, (int64_t n, const real *g), (n, g)) \
	{ \
		double sum[LANES] = { 0 }, all = 0; \
		int64_t i = 0; \
		for (; i + LANES <= n; i += LANES) \
			for (int k = 0; k < LANES; k++) \
				sum[k] += (double)g[i + k] * (double)g[i + k]; \
		for (int k = 0; i + k < n; k++) \
			sum[k] += (double)g[i + k] * (double)g[i + k]; \
		for (int k = 0; k < LANES; k++) \
			all += sum[k]; \
		return all; \
	}
KERNELS(float, f, sqrtf, fabsf, 1e-36f)
KERNELS(double, d, sqrt, fabs, 1e-290)

static um_status make(um_adam *a, int64_t n, double rate, um_dtype type)
{
	*a = (um_adam){ .n = n, .rate = rate, .beta1 = 0.9, .beta2 = 0.999, .eps = 1e-8 };
	return um_array_new(&a->moments, type, 2, (const int64_t[]){ 2, n });
}

um_status um_adam_new(um_adam *a, int64_t n, double rate)
{
	return make(a, n, rate, UM_F64);
}

um_status um_adam_new_f(um_adam *a, int64_t n, double rate)
{
	return make(a, n, rate, UM_F32);
}

void um_adam_free(um_adam *a)
{
	um_array_free(&a->moments);
}

double um_adam_rate(const um_adam *a, int64_t step)
{
	double rate = a->rate;
	if (step < a->warmup)
		rate *= (double)step / (double)a->warmup;
	if (a->decay == UM_DECAY_NONE || a->span <= 0)
		return rate;
	double t = fmin(1, (double)step / (double)a->span);
	if (a->decay == UM_DECAY_EXPONENTIAL)
		return rate * pow(a->floor, t);
	return rate * (a->floor + (1 - a->floor) * 0.5 * (1 + cos(3.141592653589793 * t)));
}

static int64_t block_length(int64_t n, int64_t block)
{
	return n - block * BLOCK < BLOCK ? n - block * BLOCK : BLOCK;
}

static int lanes_for(int64_t blocks)
{
	const int64_t most = blocks < THREADS() ? blocks : THREADS();
	return most > 0 ? (int)most : 1;
}

static double norm(const um_adam *a, const void *g)
{
	const int64_t blocks = (a->n + BLOCK - 1) / BLOCK;
	const int lanes = lanes_for(blocks);
	(void)lanes;
	double *part = um_new(sizeof(*part) * (size_t)(blocks + 1)), sum = 0;
	PARALLEL
	for (int64_t b = 0; b < blocks; b++) {
		const int64_t i = b * BLOCK, n = block_length(a->n, b);
		part[b] = a->moments.dtype == UM_F32 ? adam_squares_f(n, (const float *)g + i)
			: adam_squares_d(n, (const double *)g + i);
	}
	for (int64_t b = 0; b < blocks; b++)
		sum += part[b];
	free(part);
	return sqrt(sum);
}

static void update_all(um_adam *a, const update *u, void *x, const void *g)
{
	const int64_t blocks = (a->n + BLOCK - 1) / BLOCK;
	const int lanes = lanes_for(blocks);
	(void)lanes;
	PARALLEL
	for (int64_t b = 0; b < blocks; b++) {
		const int64_t i = b * BLOCK, n = block_length(a->n, b);
		if (a->moments.dtype == UM_F32)
			adam_update_f(n, u, (float *)x + i, (const float *)g + i, um_row_f(&a->moments, 0) + i,
				um_row_f(&a->moments, 1) + i);
		else
			adam_update_d(n, u, (double *)x + i, (const double *)g + i, um_row_d(&a->moments, 0) + i,
				um_row_d(&a->moments, 1) + i);
	}
}

static double step(um_adam *a, void *x, const void *g)
{
	const double size = norm(a, g), clip = a->clip > 0 ? a->clip / fmax(size + 1e-6, a->clip) : 1;
	const double most = a->moments.dtype == UM_F32 ? 1e18 : 1e150; /* squares stay finite */
	if (!(clip * size <= most)) {
		a->skipped++;
		return size;
	}
	a->step++;
	const double rate = um_adam_rate(a, a->step);
	const double c1 = 1 - pow(a->beta1, (double)a->step), c2 = 1 - pow(a->beta2, (double)a->step);
	const update u = { .clip = clip, .beta1 = a->beta1, .beta2 = a->beta2,
		.keep = 1 - rate * a->weight_decay, .rate = rate * sqrt(c2) / c1, .eps = a->eps * sqrt(c2) };
	update_all(a, &u, x, g);
	return size;
}

double um_adam_step(um_adam *a, double *x, const double *g)
{
	return step(a, x, g);
}

double um_adam_step_f(um_adam *a, float *x, const float *g)
{
	return step(a, x, g);
}
