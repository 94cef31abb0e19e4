/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The evidence lower bound. With t drawn by the density g^2 / (sigma^2 Z) and r = sigma s + z,
 *   1/2 int g^2 E |s + z / sigma|^2 dt = Z / 2 E |r|^2,
 * what is left being known: int g^2 D / sigma^2 dt = D Z, and int f dt = log(alpha_T / alpha_from). The
 * gradient of a term is Z alpha sigma J^T r.
 *
 * Control variates for images whose pixels are N(., v): with k = sigma^2 / (alpha^2 v + sigma^2),
 * |r|^2 is about (1 - k)^2 |z|^2 + .., of mean m(t) = D (1 - k): (1 - k)^2 (|z|^2 - D) has mean 0 at every t, and
 * m(t) is taken away and its mean over the law of t, by quadrature, added. Neither depends on x. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "base/mem.h"
#include "host/flow_score.h"

typedef struct bound {
	const um_probflow *f;
	const um_elbo *e;
	flow_score score;
	um_rng *rng;
	int64_t batch, n;
	double z_law;          /* Z */
	double *t, *z, *x, *v; /* of a draw of each sample: [batch], then [batch][n] */
	int64_t *row;
} bound;

/* |r|^2 of each sample at its t and z, in "square"; where wanted J^T r stays in score.jtv. */
static um_status residual(bound *b, const um_array *x, bool wanted, double *square)
{
	um_status st = UM_OK;
	const int64_t n = b->n;
	for (int64_t k = 0; k < b->batch; k++) {
		const double alpha = um_sde_alpha(&b->f->sde, b->t[k]), sigma = um_sde_sigma(&b->f->sde, b->t[k]);
		for (int64_t i = 0; i < n; i++)
			b->x[k * n + i] = alpha * flow_from_x(b->f, (double)um_row_f(x, k)[i]) + sigma * b->z[k * n + i];
		flow_score_put(&b->score, k, b->t[k], b->x + k * n);
	}
	const bool together = wanted && b->f->residual != NULL;
	for (int64_t k = 0; together && k < b->batch; k++)
		flow_score_vector(&b->score, k, b->z + k * n);
	UM_TRY(flow_score_call(&b->score, b->batch, b->row, FLOW_S | (together ? FLOW_RESIDUAL : 0)));
	for (int64_t k = 0; k < b->batch; k++) {
		square[k] = 0;
		for (int64_t i = 0; i < n; i++) {
			double r = b->score.sigma[k] * (double)flow_row(&b->score.s, k, n)[i] + b->z[k * n + i];
			b->v[k * n + i] = r;
			square[k] += r * r;
		}
		if (!together)
			flow_score_vector(&b->score, k, b->v + k * n);
	}
	if (wanted && !together)
		UM_TRY(flow_score_call(&b->score, b->batch, b->row, FLOW_JTV));
out:
	return st;
}

/* -weight alpha sigma J^T r is added to the gradients. */
static void pull(const bound *b, double weight, double *dx)
{
	const int64_t n = b->n;
	for (int64_t k = 0; k < b->batch; k++)
		for (int64_t i = 0; i < n; i++)
			dx[k * n + i] -= weight * b->score.alpha[k] * b->score.sigma[k] *
				(double)flow_row(&b->score.jtv, k, n)[i];
}

static double shrinkage(const bound *b, double t)
{
	const double alpha = um_sde_alpha(&b->f->sde, t), sigma = um_sde_sigma(&b->f->sde, t);
	return alpha * alpha * b->e->variance / (alpha * alpha * b->e->variance + sigma * sigma);
}

/* What |r|^2 has of z, of mean 0. */
static double noise_part(const bound *b, int64_t k)
{
	const double c = shrinkage(b, b->t[k]);
	double square = 0;
	for (int64_t i = 0; i < b->n; i++)
		square += b->z[k * b->n + i] * b->z[k * b->n + i];
	return c * c * (square - (double)b->n);
}

/* And of t. */
static double time_part(const bound *b, int64_t k, double mean)
{
	return (double)b->n * (shrinkage(b, b->t[k]) - mean);
}

/* Of shrinkage over the law of t. */
static double mean_shrinkage(const bound *b)
{
	enum { POINTS = 2000 };
	double sum = 0;
	for (int i = 0; i < POINTS; i++)
		sum += shrinkage(b, um_sde_draw(&b->f->sde, b->f->from, b->f->to, (i + 0.5) / POINTS));
	return sum / POINTS;
}

/* Draws z of a sample, or turns it around: what is odd in z, all of the noise in the gradient where the score is
 * linear, cancels in a pair. */
static void noise(bound *b, int64_t k, bool opposite)
{
	double *z = b->z + k * b->n;
	if (!opposite)
		um_normal_fill(&b->rng[k], z, b->n);
	for (int64_t i = 0; opposite && i < b->n; i++)
		z[i] = -z[i];
}

/* The integral, subtracted from value, and its gradient. */
static um_status integral(bound *b, const um_array *x, double *value, double *dx)
{
	um_status st = UM_OK;
	const um_elbo *e = b->e;
	const double many = (double)(e->times * e->noises), mean = e->variance > 0 ? mean_shrinkage(b) : 0;
	double *square = um_new(sizeof(*square) * (size_t)b->batch);
	for (int64_t i = 0; i < e->times; i++) {
		for (int64_t k = 0; k < b->batch; k++) {
			const double u = um_uniform(&b->rng[k]);
			b->t[k] = um_sde_draw(&b->f->sde, b->f->from, b->f->to, e->stratified ?
				((double)i + u) / (double)e->times : u);
		}
		for (int64_t j = 0; j < e->noises; j++) {
			for (int64_t k = 0; k < b->batch; k++)
				noise(b, k, j % 2 == 1);
			UM_TRY(residual(b, x, dx != NULL, square));
			for (int64_t k = 0; k < b->batch; k++)
				value[k] -= b->z_law / 2 / many * (square[k] - (e->variance > 0 ?
					noise_part(b, k) + time_part(b, k, mean) : 0));
			if (dx != NULL)
				pull(b, b->z_law / many, dx);
		}
	}
out:
	free(square);
	return st;
}

static um_status offset(bound *b, const um_array *x, double *value, double *dx)
{
	um_status st = UM_OK;
	double *square = um_new(sizeof(*square) * (size_t)b->batch);
	for (int64_t k = 0; k < b->batch; k++) {
		b->t[k] = b->f->from;
		um_normal_fill(&b->rng[k], b->z + k * b->n, b->n);
	}
	UM_TRY(residual(b, x, dx != NULL, square));
	for (int64_t k = 0; k < b->batch; k++)
		value[k] -= (square[k] - (b->e->variance > 0 ? noise_part(b, k) : 0)) / 2 - (double)b->n * (0.5 + log(um_sde_alpha(&b->f->sde, b->f->from)));
	if (dx != NULL)
		pull(b, 1, dx);
out:
	free(square);
	return st;
}

/* E log N(alpha_T x + sigma_T z; 0, v), and the constants of the integral. */
static void ends(const bound *b, const um_array *x, double *value, double *dx)
{
	const um_probflow *f = b->f;
	const double alpha = um_sde_alpha(&f->sde, f->to), sigma = um_sde_sigma(&f->sde, f->to), n = (double)b->n;
	const double noise = f->sde.kind == UM_SDE_FLOW ? sigma : um_sde_noise(&f->sde), v = noise * noise;
	for (int64_t k = 0; k < b->batch; k++) {
		double square = 0;
		for (int64_t i = 0; i < b->n; i++) {
			const double p = flow_from_x(f, (double)um_row_f(x, k)[i]);
			square += p * p;
			if (dx != NULL)
				dx[k * b->n + i] -= alpha * alpha * p / v;
		}
		value[k] -= (alpha * alpha * square + n * sigma * sigma) / (2 * v) + n / 2 * log(6.283185307179586 * v);
		value[k] += n * log(sigma / um_sde_sigma(&f->sde, f->from)) - n * log(flow_unit(f));
	}
}

um_status um_elbo_bound(const um_probflow *f, const um_elbo *e, um_rng *rng, const um_array *x, double *value,
	um_array *dx)
{
	um_status st = UM_OK;
	const int64_t batch = x->dim[0], n = f->n;
	bound b = { .f = f, .e = e, .rng = rng, .batch = batch, .n = n };
	double *g = dx != NULL ? um_new(sizeof(double) * (size_t)(batch * n)) : NULL;
	b.z_law = um_sde_importance(&f->sde, f->from, f->to);
	b.t = um_new(sizeof(double) * (size_t)(batch * (3 * n + 1)));
	b.z = b.t + batch;
	b.x = b.z + batch * n;
	b.v = b.x + batch * n;
	b.row = um_new(sizeof(*b.row) * (size_t)batch);
	for (int64_t k = 0; k < batch; k++) {
		b.row[k] = k;
		value[k] = 0;
	}
	UM_TRY(flow_score_new(&b.score, f, batch, NULL));
	ends(&b, x, value, g);
	UM_TRY(integral(&b, x, value, g));
	if (e->offset)
		UM_TRY(offset(&b, x, value, g));
	for (int64_t k = 0; dx != NULL && k < batch; k++)
		for (int64_t i = 0; i < n; i++)
			um_row_f(dx, k)[i] = (float)(g[k * n + i] / flow_unit(f));
out:
	flow_score_free(&b.score);
	free(b.t);
	free(b.row);
	free(g);
	return st;
}
