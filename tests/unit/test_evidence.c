/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The evidence from samples with a known density, against that of a linear Gaussian problem in closed form. */
#include "posterior.h"
#include "../../core/host/evidence.h"

/* A problem of a dense model and prior. */
struct fixture {
	dense d;
	um_env env;
	um_forward forward;
	um_prior prior;
	um_problem *problem;
	um_array y, sigma, op;
};

static void open_fixture(struct fixture *f, const um_plugin *prior)
{
	const int64_t row[2] = { 1, f->d.ny }, none[2] = { 1, 0 };
	f->env = plug_env(1, 1, f->d.n);
	f->y = um_array_view(f->d.y, UM_F64, 2, row);
	f->sigma = um_array_view(f->d.sigma, UM_F64, 2, row);
	f->op = um_array_view(f->d.y, UM_F64, 2, none);
	CHECK_OK(um_forward_open(&dense_forward_plugin, &f->d, &f->env, &f->forward));
	CHECK_OK(um_prior_open(prior, &f->d, &f->env, &f->prior));
	CHECK_OK(um_problem_new(&f->forward, &f->prior, 1, &f->y, &f->sigma, &f->op, 1, "cell", &f->problem));
}

static void close_fixture(struct fixture *f)
{
	um_problem_free(f->problem);
	um_prior_close(&f->prior);
	um_forward_close(&f->forward);
	dense_free(&f->d);
}

/* count draws of N(mean, width^2 P^-1), P = L L^T, and their density. */
static void draw(const known *z, int64_t n, double width, int64_t count, um_array *u, double *logq)
{
	um_rng rng = um_rng_new(3, "draws", 0);
	double *v = numbers(n), *t = numbers(n);
	double log_norm = 0.5 * um_cholesky_log_det(n, z->l) - (double)n * (log(width) + 0.5 * LOG_2PI_);
	for (int64_t b = 0; b < count; b++) {
		um_normal_fill(&rng, v, n);
		for (int64_t i = n - 1; i >= 0; i--) { /* t = L^-T v */
			t[i] = v[i];
			for (int64_t j = i + 1; j < n; j++)
				t[i] -= z->l[j * n + i] * t[j];
			t[i] /= z->l[i * n + i];
		}
		for (int64_t i = 0; i < n; i++)
			um_row_f(u, b)[i] = (float)(z->mean[i] + width * t[i]);
		logq[b] = log_norm - 0.5 * um_dot(n, v, v);
	}
	free(v), free(t);
}

static um_evidence_figures estimate(struct fixture *f, const known *z, double width, int64_t count)
{
	um_evidence e = { 0 };
	um_evidence_figures out = { 0 };
	um_array u = { 0 };
	double *logq = numbers(count);
	CHECK_OK(um_problem_images(f->problem, count, &u));
	draw(z, f->d.n, width, count, &u, logq);
	const um_array first = um_array_rows(&u, 0, count / 3), rest = um_array_rows(&u, count / 3, count - count / 3);
	um_evidence_add(&e, f->problem, &first, logq);
	um_evidence_add(&e, f->problem, &rest, logq + count / 3);
	CHECK(e.n == (count < 1024 ? count : 1024));
	CHECK(e.calls == e.n && um_problem_calls(f->problem) >= e.n);
	CHECK(um_evidence_estimate(&e, f->problem, &out));
	um_evidence_free(&e);
	um_array_free(&u);
	free(logq);
	return out;
}

/* Draws of the posterior have equal weights; of a wider law they have a known mean and variance. */
static void closed_form(void)
{
	struct fixture f = { .d = dense_random(4, 6, 5) };
	open_fixture(&f, &dense_prior_plugin);
	known z = dense_solve(&f.d);
	um_evidence_figures e = estimate(&f, &z, 1, 300);
	CHECK_NEAR(e.lower, z.log_evidence, 1e-4); /* images are float */
	CHECK_NEAR(e.is, z.log_evidence, 1e-4);
	CHECK(e.is_se < 1e-4 && e.lower_se < 1e-4);

	/* w = log p(y) + n log s - (s^2 - 1) v.v / 2 for q of s times the width: E w is below log p(y) by
	 * n ((s^2 - 1) / 2 - log s), Var w = n (s^2 - 1)^2 / 2, E exp(2 w) / (E exp w)^2 = (s^2 / sqrt(2 s^2 - 1))^n */
	const double s = 1.3, gap = 4 * ((s * s - 1) / 2 - log(s)), sd = sqrt(4 * pow(s * s - 1, 2) / 2);
	e = estimate(&f, &z, s, 3000);
	CHECK_REL(e.lower_se, sd / 32, 0.15);
	CHECK_NEAR(e.lower, z.log_evidence - gap, 4 * e.lower_se);
	CHECK_REL(e.is_se, sqrt((pow(s * s / sqrt(2 * s * s - 1), 4) - 1) / 1024), 0.2);
	CHECK_NEAR(e.is, z.log_evidence, 4 * e.is_se);
	CHECK(e.lower < e.is - 5 * e.lower_se && e.k < 0.3);

	e = estimate(&f, &z, 0.3, 3000); /* a law that is too narrow tells by its tail */
	CHECK(e.k > 0.7);
	known_free(&z);
	close_fixture(&f);
}

static um_status no_constant(void **self, const void *p, const um_env *env, um_prior_info *info)
{
	um_status st = dense_prior(self, p, env, info);
	info->normalised = false;
	return st;
}

static um_status rough(void **self, const void *p, const um_env *env, um_prior_info *info)
{
	um_status st = dense_prior(self, p, env, info);
	info->estimate = true;
	return st;
}

static um_plugin changed(um_prior_ops *ops)
{
	um_plugin p = dense_prior_plugin;
	p.ops = ops;
	return p;
}

/* What cannot be known is not told. */
static void silence(void)
{
	um_prior_ops free_ops = dense_prior_ops, rough_ops = dense_prior_ops;
	free_ops.create = no_constant;
	rough_ops.create = rough;
	const um_plugin plugins[] = { changed(&free_ops), changed(&rough_ops) };
	for (int i = 0; i < 2; i++) {
		struct fixture f = { .d = dense_random(3, 3, 8) };
		open_fixture(&f, &plugins[i]);
		known z = dense_solve(&f.d);
		um_array u = { 0 };
		double logq[64];
		um_evidence e = { 0 };
		um_evidence_figures out;
		CHECK_OK(um_problem_images(f.problem, 64, &u));
		draw(&z, 3, 1.2, 64, &u, logq);
		um_evidence_add(&e, f.problem, &u, logq);
		CHECK(um_evidence_estimate(&e, f.problem, &out) == (i == 0));
		CHECK(i == 1 || (isnan(out.lower) && isnan(out.is) && isfinite(out.k)));
		um_evidence_add(&e, f.problem, &u, NULL);
		CHECK(!um_evidence_estimate(&e, f.problem, &out));
		um_evidence_free(&e);
		um_array_free(&u);
		known_free(&z);
		close_fixture(&f);
	}
}

CHECK_MAIN(CHECK_CASE(closed_form), CHECK_CASE(silence))
