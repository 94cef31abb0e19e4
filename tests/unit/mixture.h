/* SPDX-License-Identifier: GPL-3.0-or-later */
/* How far samples in two dimensions are from a mixture of two Gaussians: a mixture is fitted to them
 * (expectation-maximisation), KL(fit || truth) by Monte Carlo. With 10^4 perfect samples it is about
 * 6e-4. */
#ifndef TESTS_MIXTURE_H
#define TESTS_MIXTURE_H

#include <math.h>
#include <umbra/rng.h>

typedef struct mixture {
	double w[2], m[2][2], c[2][3]; /* covariances xx, xy, yy */
} mixture;

/* The posterior of the two-dimensional toy, in closed form. */
static inline mixture mixture_truth(void)
{
	return (mixture){ { 0.6956029880, 0.3043970120 },
		{ { -0.52754821, -0.47658402 }, { 0.41735537, 0.57024793 } },
		{ { 0.00632691, 0.00312213, 0.00734619 }, { 0.00632691, 0.00312213, 0.00734619 } } };
}

static inline double mixture_part(const mixture *g, int k, const double x[2])
{
	const double *c = g->c[k], det = c[0] * c[2] - c[1] * c[1];
	double a = x[0] - g->m[k][0], b = x[1] - g->m[k][1];
	return log(g->w[k]) - 0.5 * ((c[2] * a * a - 2 * c[1] * a * b + c[0] * b * b) / det + log(det)) -
		1.8378770664093453;
}

static inline double mixture_log(const mixture *g, const double x[2])
{
	double p = mixture_part(g, 0, x), q = mixture_part(g, 1, x), top = p > q ? p : q;
	return top + log(exp(p - top) + exp(q - top));
}

static inline void mixture_step(mixture *g, int64_t n, const float *x)
{
	double w[2] = { 0 }, m[2][2] = { { 0 } }, c[2][3] = { { 0 } };
	for (int64_t i = 0; i < n; i++) {
		const double at[2] = { x[2 * i], x[2 * i + 1] }, all = mixture_log(g, at);
		for (int k = 0; k < 2; k++) {
			double r = exp(mixture_part(g, k, at) - all);
			w[k] += r;
			m[k][0] += r * at[0], m[k][1] += r * at[1];
			c[k][0] += r * at[0] * at[0], c[k][1] += r * at[0] * at[1], c[k][2] += r * at[1] * at[1];
		}
	}
	for (int k = 0; k < 2; k++) {
		const double s = w[k] + 1e-9, a = m[k][0] / s, b = m[k][1] / s;
		g->w[k] = s / ((double)n + 2e-9);
		g->m[k][0] = a, g->m[k][1] = b;
		g->c[k][0] = c[k][0] / s - a * a + 1e-9;
		g->c[k][1] = c[k][1] / s - a * b;
		g->c[k][2] = c[k][2] / s - b * b + 1e-9;
	}
}

/* The mixture of n samples (x, y); begins near the modes of the toy. */
static inline mixture mixture_fit(int64_t n, const float *x)
{
	mixture g = { { 0.5, 0.5 }, { { -0.5, -0.5 }, { 0.5, 0.5 } }, { { 0.01, 0, 0.01 }, { 0.01, 0, 0.01 } } };
	for (int i = 0; i < 100; i++)
		mixture_step(&g, n, x);
	return g;
}

static inline double mixture_kl(const mixture *q, const mixture *p)
{
	enum { DRAWS = 100000 };
	um_rng rng = um_rng_new(1, "mixture", 0);
	double sum = 0;
	for (int i = 0; i < DRAWS; i++) {
		int k = um_uniform(&rng) < q->w[0] ? 0 : 1;
		const double *c = q->c[k], l = sqrt(c[0]), a = um_normal(&rng), b = um_normal(&rng);
		const double x[2] = { q->m[k][0] + l * a,
			q->m[k][1] + c[1] / l * a + sqrt(c[2] - c[1] * c[1] / c[0]) * b };
		sum += mixture_log(q, x) - mixture_log(p, x);
	}
	return sum / DRAWS;
}

#endif
