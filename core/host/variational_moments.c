/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A start for priors whose log p is only an estimate, which no line search can follow, or that are far from
 * Gaussian: draws of the prior give a mean m and a covariance C; the posterior of N(m, C) has, at its optimum c,
 * the precision P = J^T Sigma^-1 J + C^-1, J the derivative of the measurements there; and the fit goes on in
 * coordinates u = c + T v, T T^T = P^-1, in which that posterior is white. Data that are a thousand times sharper in
 * some directions than in others are then no trouble. Where the likelihood is not that of a linear model it may have
 * several optima: the best is taken of those above the mean and above the draws that fit the data best. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <umbra/linalg.h>
#include "host/covariance.h"
#include "host/law.h"

enum { MOST = 4096, BLOCK = 64, LARGEST = 1 << 27 };
static const double FLOOR = 1e-3; /* of variances, relative to their mean */

typedef struct gauss {
	um_fit *w;
	int64_t n;
	double *m, *c, *inverse;   /* mean, Cholesky factor of C, C^-1 */
	double *u, *g;             /* [n] */
	double *rows, *ll;         /* [warm_draws][n] draws, centred and over the root of their number; [warm_draws] log p(y | .) */
	um_array image, slope;     /* [1][image] */
} gauss;

static bool too_many(const um_problem_info *about)
{
	return about->n > MOST || about->n * about->ny > LARGEST;
}

bool um_fit_moments(const um_fit *w)
{
	const um_problem_info *about = w->about;
	if (strcmp(w->set->warm, "moments") == 0)
		return true;
	return strcmp(w->set->warm, "auto") == 0 && about->estimate && about->draws && about->n > 16 && !too_many(about);
}

um_status um_variational_suits(const um_variational *set, const um_problem_info *about)
{
	if (strcmp(set->warm, "moments") == 0 && too_many(about))
		return um_fail(UM_EPARAM, "warm: moments of %lld numbers with %lld measurements are too many, at most %d and, times "
			"measurements, %d; take map or none", (long long)about->n, (long long)about->ny, MOST, LARGEST);
	return UM_OK;
}

/* ---- the Gaussian ----------------------------------------------------------------------- */

/* Are there several optima to be expected? */
static bool several(const gauss *g)
{
	return g->w->set->warm_starts > 0 && !(g->w->about->linear && g->w->about->transform == UM_IDENTITY);
}

static um_status draw(gauss *g)
{
	um_status st = UM_OK;
	um_fit *w = g->w;
	const int64_t draws = w->set->warm_draws;
	um_array u = { 0 };
	um_rng rng[BLOCK];
	UM_TRY(um_problem_images(w->problem, BLOCK, &u));
	for (int64_t first = 0, count; first < draws; first += count) {
		count = draws - first < BLOCK ? draws - first : BLOCK;
		for (int64_t b = 0; b < count; b++)
			rng[b] = um_fit_rng(w, UM_FIT_MOMENTS, first + b);
		um_array some = um_array_rows(&u, 0, count);
		UM_TRY(um_optimum_draws(w->problem, rng, &some));
		for (int64_t i = 0; i < count * g->n; i++)
			g->rows[first * g->n + i] = (double)((const float *)some.data)[i];
		if (several(g))
			UM_TRY(um_problem_loglike(w->problem, &some, g->ll + first, NULL));
		if (um_sink_progress(w->sink, 0, w->set->seeds * w->set->steps, NAN) == UM_STOP)
			UM_TRY(um_fail(UM_EINTR, "%s: stopped while the prior was drawn from", w->set->family));
	}
out:
	um_array_free(&u);
	return st;
}

static um_status moments(gauss *g)
{
	um_status st = UM_OK;
	const int64_t n = g->n, draws = g->w->set->warm_draws;
	double *rows = g->rows, mean = 0;
	UM_TRY(draw(g));
	for (int64_t b = 0; b < draws; b++)
		for (int64_t i = 0; i < n; i++)
			g->m[i] += rows[b * n + i] / (double)draws;
	for (int64_t b = 0; b < draws; b++)
		for (int64_t i = 0; i < n; i++)
			rows[b * n + i] = (rows[b * n + i] - g->m[i]) / sqrt((double)draws);
	UM_TRY(um_draws_covariance(g->w->about->shape, draws, rows, g->c));
	for (int64_t i = 0; i < n; i++)
		mean += g->c[i * n + i] / (double)n;
	if (!(mean > 0))
		UM_TRY(um_fail(UM_ENUM, "all draws of the prior are equal"));
	for (int64_t i = 0; i < n; i++)
		g->c[i * n + i] += FLOOR * mean;
	UM_TRY(um_cholesky(n, g->c));
	for (int64_t i = 0; i < n; i++)
		g->inverse[i * n + i] = 1;
	um_cholesky_solve(n, g->c, n, g->inverse);
out:
	return st;
}

/* ---- its optimum -------------------------------------------------------------------------- */

/* -log p(y | u) + |v|^2 / 2 for u = m + C^1/2 v. */
static um_status value(void *context, const double *v, double *f, double *d)
{
	gauss *g = context;
	const int64_t n = g->n;
	const double weight = um_fit_data_weight(g->w, g->w->set->steps);
	double ll;
	um_gemv(false, n, n, g->c, v, g->u);
	for (int64_t i = 0; i < n; i++)
		((float *)g->image.data)[i] = (float)(g->m[i] + g->u[i]);
	um_status st = um_problem_loglike(g->w->problem, &g->image, &ll, &g->slope);
	if (st == UM_ENUM) {
		*f = INFINITY;
		return UM_OK;
	}
	if (st != UM_OK)
		return st;
	for (int64_t i = 0; i < n; i++)
		g->g[i] = -weight * (double)((const float *)g->slope.data)[i];
	um_gemv(true, n, n, g->c, g->g, d);
	*f = -weight * ll;
	for (int64_t i = 0; i < n; i++) {
		*f += 0.5 * v[i] * v[i];
		d[i] += v[i];
	}
	return UM_OK;
}

static bool step(void *context, int64_t k, const double *v, double f, double gnorm)
{
	const gauss *g = context;
	(void)k, (void)v, (void)gnorm;
	return um_sink_progress(g->w->sink, 0, g->w->set->seeds * g->w->set->steps, f) != UM_STOP;
}

/* Draw b as v = C^-1/2 (u - m). */
static void coordinates(gauss *g, int64_t b, double *v)
{
	const int64_t n = g->n;
	const double root = sqrt((double)g->w->set->warm_draws);
	for (int64_t i = 0; i < n; i++)
		g->u[i] = root * g->rows[b * n + i];
	um_cholesky_solve(n, g->c, 1, g->u);
	um_gemv(true, n, n, g->c, g->u, v);
}

/* The best optimum, becomes u in c. */
static um_status climb(gauss *g, double *c)
{
	um_status st = UM_OK;
	const int64_t n = g->n, starts = several(g) ? g->w->set->warm_starts : 0;
	double *v = malloc(sizeof(double) * (size_t)n), best = INFINITY;
	if (v == NULL)
		UM_TRY(um_fail(UM_ENOMEM, "no memory for a start"));
	for (int64_t start = 0; start <= starts && start <= g->w->set->warm_draws; start++) {
		um_lbfgs_job job = { .n = n, .value = value, .step = step, .context = g, .memory = 20,
			.iterations = g->w->set->warm_iterations, .gtol = 1e-6 };
		if (start == 0) {
			memset(v, 0, sizeof(double) * (size_t)n);
		} else {
			int64_t at = 0;
			for (int64_t b = 1; b < g->w->set->warm_draws; b++)
				at = g->ll[b] > g->ll[at] ? b : at;
			g->ll[at] = -INFINITY;
			coordinates(g, at, v);
		}
		st = um_lbfgs(&job, v);
		if (st != UM_OK)
			UM_TRY(um_context(st, "warm: from draws of the prior"));
		if (job.end == UM_LBFGS_STOPPED)
			UM_TRY(um_fail(UM_EINTR, "%s: stopped while looking for a starting point", g->w->set->family));
		um_log(UM_INFO, "warm: -log p of the Gaussian posterior is %.6g from %s", job.f,
			start == 0 ? "the mean of draws" : "the likeliest draws that are left");
		if (job.f >= best)
			continue;
		best = job.f;
		um_gemv(false, n, n, g->c, v, g->u);
		for (int64_t i = 0; i < n; i++)
			c[i] = g->m[i] + g->u[i];
	}
out:
	free(v);
	return st;
}

/* The image that is given, in place of it. */
static um_status given(um_fit *w, double *c)
{
	um_status st = UM_OK;
	um_array u = { 0 };
	const um_start from = { .image = &w->set->from };
	UM_TRY(um_problem_images(w->problem, 1, &u));
	UM_TRY(um_optimum_start(w->problem, &from, &u));
	for (int64_t i = 0; i < w->n; i++)
		c[i] = ((const float *)u.data)[i];
out:
	um_array_free(&u);
	return st;
}

/* ---- its curvature -------------------------------------------------------------------------- */

/* Row i of j [n][ny] is the derivative of the measurements by u_i, over sigma. */
static um_status derivative(gauss *g, const double *c, double *j)
{
	um_status st = UM_OK;
	um_fit *w = g->w;
	const int64_t n = g->n, ny = w->about->ny, dim[2] = { BLOCK, ny };
	const double *sigma = um_problem_sigma(w->problem);
	um_array u = { 0 }, x = { 0 }, dx = { 0 }, y = { 0 }, dy = { 0 };
	UM_TRY(um_problem_images(w->problem, BLOCK, &u));
	UM_TRY(um_problem_images(w->problem, BLOCK, &x));
	UM_TRY(um_problem_images(w->problem, BLOCK, &dx));
	UM_TRY(um_array_new(&y, UM_F64, 2, dim));
	UM_TRY(um_array_new(&dy, UM_F64, 2, dim));
	for (int64_t b = 0; b < BLOCK; b++)
		for (int64_t i = 0; i < n; i++)
			um_row_f(&u, b)[i] = (float)c[i];
	UM_TRY(um_problem_image(w->problem, &u, &x));
	for (int64_t first = 0; first < n; first += BLOCK) {
		memset(dx.data, 0, sizeof(float) * (size_t)um_array_len(&dx));
		for (int64_t b = 0; b < BLOCK && first + b < n; b++) {
			const double at = c[first + b];
			um_row_f(&dx, b)[first + b] = (float)(w->about->transform == UM_SOFTPLUS ? 1 / (1 + exp(-at)) : 1);
		}
		UM_TRY(um_problem_apply(w->problem, &x, &dx, &y, &dy));
		for (int64_t b = 0; b < BLOCK && first + b < n; b++)
			for (int64_t k = 0; k < ny; k++)
				j[(first + b) * ny + k] = um_row_d(&dy, b)[k] / sigma[k];
	}
out:
	um_array_free(&u), um_array_free(&x), um_array_free(&dx), um_array_free(&y), um_array_free(&dy);
	return st;
}

/* T [n][n], a root of P^-1. */
static um_status axes(gauss *g, const double *c, float *t)
{
	um_status st = UM_OK;
	const int64_t n = g->n, ny = g->w->about->ny;
	const double weight = um_fit_data_weight(g->w, g->w->set->steps);
	double *j = calloc((size_t)(n * ny), sizeof(double)), *p = calloc((size_t)(n * n), sizeof(double));
	double *root = calloc((size_t)(n * n), sizeof(double));
	if (j == NULL || p == NULL || root == NULL)
		UM_TRY(um_fail(UM_ENOMEM, "no memory for the curvature of %lld numbers", (long long)n));
	UM_TRY(derivative(g, c, j));
	um_gemm(false, true, n, n, ny, j, j, p);
	for (int64_t i = 0; i < n * n; i++)
		p[i] = weight * p[i] + g->inverse[i];
	UM_TRY(um_cholesky(n, p));
	for (int64_t i = 0; i < n; i++)
		root[i * n + i] = 1;
	um_cholesky_solve(n, p, n, root);
	UM_TRY(um_cholesky(n, root));
	for (int64_t i = 0; i < n * n; i++)
		t[i] = (float)root[i];
out:
	free(j), free(p), free(root);
	return st;
}

um_status um_fit_whiten(um_fit *w, double *mean, double *sd)
{
	um_status st = UM_OK;
	const int64_t n = w->n;
	gauss g = { .w = w, .n = n };
	um_array *c = w->law->state[w->law->nstate - 2], *t = w->law->state[w->law->nstate - 1];
	for (int64_t i = 0; i < n; i++) {
		mean[i] = 0;
		sd[i] = w->set->sd > 0 ? w->set->sd : 1;
	}
	if (*um_fit_count(w, UM_FIT_ATTEMPT) > 0) /* other fits have the same coordinates */
		return UM_OK;
	g.m = calloc((size_t)(3 * n + 2 * n * n), sizeof(double));
	if (g.m == NULL)
		UM_TRY(um_fail(UM_ENOMEM, "no memory for the covariance of %lld numbers", (long long)n));
	g.u = g.m + n;
	g.g = g.u + n;
	g.c = g.g + n;
	g.inverse = g.c + n * n;
	g.rows = calloc((size_t)((n + 1) * w->set->warm_draws), sizeof(double));
	if (g.rows == NULL)
		UM_TRY(um_fail(UM_ENOMEM, "no memory for %lld draws", (long long)w->set->warm_draws));
	g.ll = g.rows + n * w->set->warm_draws;
	UM_TRY(um_problem_images(w->problem, 1, &g.image));
	UM_TRY(um_problem_images(w->problem, 1, &g.slope));
	UM_TRY(moments(&g));
	UM_TRY(w->set->from.data != NULL ? given(w, c->data) : climb(&g, c->data));
	UM_TRY(axes(&g, c->data, t->data));
out:
	um_array_free(&g.image);
	um_array_free(&g.slope);
	free(g.rows);
	free(g.m);
	return st;
}
