/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Closed forms: a density and its diffused scores are those of the mixture of Gaussians that
 * component and covariance describe, evaluated here with dense matrices. */
#include <math.h>
#include <string.h>
#include <umbra/linalg.h>
#include "host/conform.h"

enum { DENSE_MOST = 256 }; /* pixels for which dense matrices are made */

static const char *not_closed(const struct fixture *f)
{
	return f->prior.info.components == 0 ? "not a closed form" : NULL;
}

static const char *not_dense(const struct fixture *f)
{
	const char *why = not_closed(f);
	return why == NULL && f->n > DENSE_MOST ? "the image is too large for dense matrices" : why;
}

static const char *no_density(const struct fixture *f)
{
	const char *why = not_dense(f);
	return why == NULL && f->prior.ops.logp == NULL ? "no density" : why;
}

static const char *no_score(const struct fixture *f)
{
	const char *why = not_dense(f);
	return why == NULL && f->prior.ops.score == NULL ? "no score" : why;
}

static um_status check_component(struct fixture *f)
{
	um_status st = UM_OK;
	const int64_t many = f->prior.info.components;
	double *log_w = conform_doubles(f, many), alone = NAN;
	for (int64_t k = 0; k < many; k++) {
		double *mean = conform_doubles(f, f->n);
		UM_TRY(f->prior.ops.component(f->prior.self, k, &log_w[k], mean));
		UM_TRY(conform_numbers(mean, f->n, "mean"));
		UM_TRY(f->prior.ops.component(f->prior.self, k, &alone, NULL));
		UM_TRY(conform_near(alone, log_w[k], 0, 0, "log weight without mean"));
	}
	UM_TRY(conform_near(exp(um_log_sum_exp(many, log_w)), 1, 1e-9, 0, "sum of the weights"));
out:
	return st;
}

static um_status covariance(struct fixture *f, int64_t k, bool root, const um_array *v, um_array *out)
{
	return f->prior.ops.covariance(f->prior.self, k, root, v, out);
}

static um_status check_symmetric(struct fixture *f)
{
	um_status st = UM_OK;
	for (int64_t k = 0; k < f->prior.info.components; k++) {
		um_array *u = conform_normal_rows(f, 1, f->n, 30), *v = conform_normal_rows(f, 1, f->n, 31);
		um_array *cu = conform_rows(f, 1, f->n), *cv = conform_rows(f, 1, f->n);
		UM_TRY(covariance(f, k, false, u, cu));
		UM_TRY(covariance(f, k, false, v, cv));
		UM_TRY(conform_finite(cu, "C u"));
		double scale = conform_norm(u) * conform_norm(cv) / sqrt((double)f->n);
		UM_TRY(conform_near(conform_dot(u, cv), conform_dot(cu, v), 1e-8, scale, "<u, C v> against <C u, v>"));
		if (!(conform_dot(u, cu) > 0))
			UM_TRY(um_fail(UM_EPLUGIN, "component %lld: <u, C u> is not positive", (long long)k));
	}
out:
	return st;
}

/* The dense matrix whose columns are C e_i or S e_i, transposed: row i is the image of e_i. */
static um_status columns(struct fixture *f, int64_t k, bool root, um_array *out)
{
	um_array *e = conform_rows(f, f->n, f->n);
	memset(e->data, 0, sizeof(double) * (size_t)(f->n * f->n));
	for (int64_t i = 0; i < f->n; i++)
		um_row_d(e, i)[i] = 1;
	return covariance(f, k, root, e, out);
}

static um_status check_root(struct fixture *f)
{
	um_status st = UM_OK;
	const int64_t n = f->n;
	for (int64_t k = 0; k < f->prior.info.components; k++) {
		um_array *s = conform_rows(f, n, n), *c = conform_rows(f, n, n), *sst = conform_rows(f, n, n);
		UM_TRY(columns(f, k, true, s));
		UM_TRY(columns(f, k, false, c));
		um_gemm(true, false, n, n, n, s->data, s->data, sst->data);
		UM_TRY(conform_same(sst, c, 1e-8, "S S^T against C"));
	}
out:
	return st;
}

/* Adds component k of the density of alpha x0 + sigma z: its log at x, and its score. */
static um_status dense_component(struct fixture *f, int64_t k, double alpha, double sigma, const um_array *x,
	double *log_density, double *score)
{
	um_status st = UM_OK;
	const int64_t n = f->n;
	um_array *c = conform_rows(f, n, n);
	double *v = c->data, *mean = conform_doubles(f, n), log_w;
	UM_TRY(columns(f, k, false, c));
	UM_TRY(f->prior.ops.component(f->prior.self, k, &log_w, mean));
	for (int64_t i = 0; i < n * n; i++)
		v[i] = alpha * alpha * v[i] + (i % (n + 1) == 0 ? sigma * sigma : 0);
	UM_TRY(um_cholesky(n, v));
	for (int64_t i = 0; i < n; i++)
		mean[i] = score[i] = alpha * mean[i] - um_row_f(x, 0)[i];
	um_cholesky_solve(n, v, 1, score);
	*log_density = log_w - ((double)n * log(6.283185307179586) + um_cholesky_log_det(n, v) +
		um_dot(n, mean, score)) / 2;
out:
	return st;
}

static um_status dense_mixture(struct fixture *f, double alpha, double sigma, const um_array *x, double *lp,
	um_array *s)
{
	um_status st = UM_OK;
	const int64_t many = f->prior.info.components;
	double *log_p = conform_doubles(f, many);
	um_array *each = conform_rows(f, many, f->n);
	for (int64_t k = 0; k < many; k++)
		UM_TRY(dense_component(f, k, alpha, sigma, x, &log_p[k], um_row_d(each, k)));
	*lp = um_log_sum_exp(many, log_p);
	memset(s->data, 0, sizeof(float) * (size_t)f->n);
	for (int64_t k = 0; k < many; k++)
		for (int64_t i = 0; i < f->n; i++)
			um_row_f(s, 0)[i] += (float)(exp(log_p[k] - *lp) * um_row_d(each, k)[i]);
out:
	return st;
}

static um_status check_density(struct fixture *f)
{
	um_status st = UM_OK;
	double lp = NAN, want;
	um_array *x = conform_point(f, 1, f->prior.info.positive, 32), *s = conform_images(f, 1);
	UM_TRY(f->prior.ops.logp(f->prior.self, conform_rngs(f, 1), x, &lp, NULL));
	UM_TRY(dense_mixture(f, 1, 0, x, &want, s));
	UM_TRY(conform_near(lp, want, 1e-6, 0, "logp against that of the mixture"));
out:
	return st;
}

static um_status check_scores(struct fixture *f)
{
	static const double alphas[] = { 0.95, 0.6, 0.1 }, sigmas[] = { 0.31, 0.8, 0.995 };
	um_status st = UM_OK;
	double lp;
	um_array *x = conform_point(f, 1, f->prior.info.positive, 33), *s = conform_images(f, 1);
	um_array *want = conform_images(f, 1);
	for (int k = 0; k < 3; k++) {
		um_score_job job = { .size = sizeof(job), .x = x, .alpha = &alphas[k], .sigma = &sigmas[k], .s = s };
		UM_TRY(f->prior.ops.score(f->prior.self, &job));
		UM_TRY(dense_mixture(f, alphas[k], sigmas[k], x, &lp, want));
		UM_TRY(conform_same(s, want, 1e-5, "score against that of the diffused mixture"));
	}
out:
	return st;
}

static const struct check checks[] = {
	{ "component", check_component, not_closed }, { "covariance symmetric", check_symmetric, not_closed },
	{ "root of covariance", check_root, not_dense }, { "logp of the mixture", check_density, no_density },
	{ "score of the mixture", check_scores, no_score },
};

void conform_closed(struct battery *b, struct fixture *f, int n)
{
	conform_run(b, f, n, checks, sizeof(checks) / sizeof(*checks));
}
