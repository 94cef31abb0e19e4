/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Problems made of plugins and samplers run on them: a prior and a forward model by name and settings, data of
 * the model's own or simulated from a draw, and what linear Gaussian algebra needs of them, as dense matrices. */
#ifndef TESTS_SAMPLED_H
#define TESTS_SAMPLED_H

#include "posterior.h"

typedef struct sampled {
	plug prior, forward;
	um_array y, sigma, op;
	int64_t n, ny;
} sampled;

/* set arguments are lists of SET or NULL. */
static inline um_status sampled_try(sampled *p, um_env env, const char *prior, const char *const *prior_set,
	const char *forward, const char *const *forward_set)
{
	um_status st = UM_OK;
	um_array x = { 0 };
	um_rng rng[2] = { um_rng_new(7, "truth", 0), um_rng_new(7, "noise", 0) };
	*p = (sampled){ 0 };
	UM_TRY(plug_try(&p->prior, UM_PRIOR, prior, env, prior_set));
	UM_TRY(plug_try(&p->forward, UM_FORWARD, forward, env, forward_set));
	um_forward *f = &p->forward.forward;
	p->ny = f->info.ny;
	p->n = env.shape[0] * env.shape[1] * env.shape[2] * env.shape[3] * env.shape[4];
	UM_TRY(um_array_new(&p->y, UM_F64, 2, (const int64_t[]){ 1, p->ny }));
	UM_TRY(um_array_new(&p->sigma, UM_F64, 2, (const int64_t[]){ 1, p->ny }));
	UM_TRY(um_array_new(&p->op, UM_F64, 2, (const int64_t[]){ 1, f->info.nop }));
	if (f->info.measurements > 0) {
		UM_TRY(f->ops.data(f->self, &p->y, &p->sigma, &p->op));
	} else {
		UM_TRY(um_env_images(&env, 1, &x));
		UM_TRY(p->prior.prior.ops.sample(p->prior.prior.self, &rng[0], &x));
		for (int64_t i = 0; i < p->n; i++)
			((float *)x.data)[i] *= (float)env.scale;
		UM_TRY(um_forward_simulate(f, &rng[1], &x, &p->op, &p->y, &p->sigma, NULL));
	}
out:
	um_array_free(&x);
	return st;
}

static inline void sampled_free(sampled *p)
{
	um_array_free(&p->y);
	um_array_free(&p->sigma);
	um_array_free(&p->op);
	plug_close(&p->prior);
	plug_close(&p->forward);
}

static inline um_problem *sampled_problem(sampled *p, int64_t samples, const char *name)
{
	um_problem *problem = NULL;
	CHECK_OK(um_problem_new(&p->forward.forward, &p->prior.prior, 1, &p->y, &p->sigma, &p->op, samples, name,
		&problem));
	return problem;
}

/* Evaluations of the score go to *calls where that is not NULL. */
static inline um_status sampled_run(sampled *p, const char *name, const char *const *set, int64_t samples,
	keeper *k, int64_t *calls)
{
	const um_plugin *plugin = plug_open("plugins/inference", name);
	um_params *params = NULL;
	um_inference inference = { 0 };
	um_problem *problem = NULL;
	um_sink sink = keeper_sink(k);
	um_status st = UM_OK;
	UM_TRY(plug_params(plugin, set, &params));
	UM_TRY(um_inference_open(plugin, um_params_data(params), &p->forward.env, &inference));
	const char *refusal = um_cell_refusal(&inference, &p->forward.forward, &p->prior.prior, 1);
	if (refusal != NULL)
		UM_TRY(um_fail(UM_EPARAM, "%s", refusal));
	problem = sampled_problem(p, samples, "cell");
	st = inference.ops.run(inference.self, problem, &sink);
	if (calls != NULL)
		*calls = um_problem_calls(problem);
out:
	um_problem_free(problem);
	um_inference_close(&inference);
	um_params_free(params);
	return st;
}

/* ---- as matrices -------------------------------------------------------------------------- */

/* x ~ N(mu, C), y = A x + sigma n; A includes scale. */
typedef struct gauss {
	int64_t n, ny;
	double *a, *y, *sigma, *mu, *c;
} gauss;

static inline gauss gauss_of(sampled *p)
{
	const int64_t n = p->n, ny = p->ny;
	gauss g = { n, ny, numbers(ny * n), numbers(ny), numbers(ny), numbers(n), numbers(n * n) };
	um_problem *problem = sampled_problem(p, 1, "matrices");
	um_array x, y, unit, row;
	double w;
	CHECK_OK(um_problem_images(problem, n, &x));
	CHECK_OK(um_array_new(&y, UM_F64, 2, (const int64_t[]){ n, ny }));
	CHECK_OK(um_array_new(&unit, UM_F64, 2, (const int64_t[]){ n, n }));
	CHECK_OK(um_array_new(&row, UM_F64, 2, (const int64_t[]){ n, n }));
	for (int64_t i = 0; i < n; i++)
		um_row_f(&x, i)[i] = 1, um_row_d(&unit, i)[i] = 1;
	CHECK_OK(um_problem_apply(problem, &x, NULL, &y, NULL));
	CHECK_OK(um_problem_component(problem, 0, &w, g.mu));
	CHECK_OK(um_problem_covariance(problem, 0, false, &unit, &row));
	for (int64_t i = 0; i < n; i++)
		for (int64_t k = 0; k < ny; k++)
			g.a[k * n + i] = um_row_d(&y, i)[k];
	memcpy(g.c, row.data, sizeof(double) * (size_t)(n * n));
	memcpy(g.y, p->y.data, sizeof(double) * (size_t)ny);
	memcpy(g.sigma, p->sigma.data, sizeof(double) * (size_t)ny);
	um_array_free(&x), um_array_free(&y), um_array_free(&unit), um_array_free(&row);
	um_problem_free(problem);
	return g;
}

static inline void gauss_free(gauss *g)
{
	free(g->a), free(g->y), free(g->sigma), free(g->mu), free(g->c);
}

/* The same for u = (x - lo) / unit. */
static inline void gauss_unit(gauss *g, double lo, double unit)
{
	for (int64_t k = 0; k < g->ny; k++)
		for (int64_t i = 0; i < g->n; i++) {
			g->y[k] -= g->a[k * g->n + i] * lo;
			g->a[k * g->n + i] *= unit;
		}
	for (int64_t i = 0; i < g->n; i++)
		g->mu[i] = (g->mu[i] - lo) / unit;
	for (int64_t i = 0; i < g->n * g->n; i++)
		g->c[i] /= unit * unit;
}

/* A Gaussian law: mean [n], covariance [n][n]. */
typedef struct law { double *m, *p; } law;

static inline law law_new(int64_t n)
{
	return (law){ numbers(n), numbers(n * n) };
}

static inline void law_free(law *l)
{
	free(l->m), free(l->p);
}

/* The posterior. */
static inline law gauss_posterior(const gauss *g)
{
	const int64_t n = g->n, ny = g->ny;
	law l = law_new(n);
	double *ac = numbers(ny * n), *s = numbers(ny * ny), *k = numbers(ny * n), *r = numbers(ny);
	um_gemm(false, false, ny, n, n, g->a, g->c, ac);
	um_gemm(false, true, ny, ny, n, ac, g->a, s);
	for (int64_t i = 0; i < ny; i++)
		s[i * (ny + 1)] += g->sigma[i] * g->sigma[i];
	CHECK_OK(um_cholesky(ny, s));
	for (int64_t i = 0; i < n; i++) { /* row i of k^T: S^-1 times column i of A C */
		for (int64_t j = 0; j < ny; j++)
			k[i * ny + j] = ac[j * n + i];
		um_cholesky_solve(ny, s, 1, k + i * ny);
	}
	um_gemv(false, ny, n, g->a, g->mu, r);
	for (int64_t j = 0; j < ny; j++)
		r[j] = g->y[j] - r[j];
	um_gemv(false, n, ny, k, r, l.m);
	um_gemm(false, false, n, n, ny, k, ac, l.p);
	for (int64_t i = 0; i < n; i++)
		l.m[i] += g->mu[i];
	for (int64_t i = 0; i < n * n; i++)
		l.p[i] = g->c[i] - l.p[i];
	free(ac), free(s), free(k), free(r);
	return l;
}

/* Moments of samples in u. */
static inline law law_of_samples(const um_array *x, double lo, double unit)
{
	const int64_t n = um_array_rowlen(x), count = x->dim[0];
	law l = law_new(n);
	double *d = numbers(n);
	for (int64_t b = 0; b < count; b++)
		for (int64_t i = 0; i < n; i++)
			l.m[i] += ((double)um_row_f(x, b)[i] - lo) / unit / (double)count;
	for (int64_t b = 0; b < count; b++) {
		for (int64_t i = 0; i < n; i++)
			d[i] = ((double)um_row_f(x, b)[i] - lo) / unit - l.m[i];
		for (int64_t i = 0; i < n * n; i++)
			l.p[i] += d[i / n] * d[i % n] / (double)(count - 1);
	}
	free(d);
	return l;
}

#endif
