/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Transforms x(u), and log p(y | u) and log p(u) with their gradients. */
#include <math.h>
#include <string.h>
#include "base/mem.h"
#include "host/problem.h"

static double softplus(double u)
{
	return u > 30 ? u : log1p(exp(u));
}

static double sigmoid(double u)
{
	return 1 / (1 + exp(-u));
}

um_status um_problem_image(um_problem *p, const um_array *u, um_array *x)
{
	const float *uv = u->data;
	float *xv = x->data;
	int64_t n = um_array_len(u);
	if (p->info.transform == UM_IDENTITY)
		memmove(xv, uv, sizeof(float) * (size_t)n);
	else
		for (int64_t i = 0; i < n; i++)
			xv[i] = (float)softplus(uv[i]);
	return UM_OK;
}

um_status um_problem_preimage(um_problem *p, const um_array *x, um_array *u)
{
	const float *xv = x->data;
	float *uv = u->data;
	int64_t n = um_array_len(x);
	if (p->info.transform == UM_IDENTITY)
		memmove(uv, xv, sizeof(float) * (size_t)n);
	else
		for (int64_t i = 0; i < n; i++) {
			double v = xv[i] > 1e-30f ? xv[i] : 1e-30;
			uv[i] = (float)(v > 30 ? v : log(expm1(v)));
		}
	return UM_OK;
}

/* x = factor transform(u), new. */
static um_status instrument_image(um_problem *p, const um_array *u, double factor, um_array *x)
{
	um_status st = UM_OK;
	UM_TRY(um_problem_images(p, u->dim[0], x));
	UM_TRY(um_problem_image(p, u, x));
	float *xv = x->data;
	int64_t n = um_array_len(x);
	if (factor != 1)
		for (int64_t i = 0; i < n; i++)
			xv[i] = (float)(factor * xv[i]);
out:
	return st;
}

/* du *= factor dx/du. */
static void chain(const um_problem *p, const um_array *u, double factor, um_array *du)
{
	const float *uv = u->data;
	float *d = du->data;
	int64_t n = um_array_len(u);
	bool soft = p->info.transform == UM_SOFTPLUS;
	if (!soft && factor == 1)
		return;
	for (int64_t i = 0; i < n; i++)
		d[i] = (float)(d[i] * factor * (soft ? sigmoid(uv[i]) : 1));
}

/* ---- densities --------------------------------------------------------------- */

um_status um_problem_loglike(um_problem *p, const um_array *u, double *ll, um_array *du)
{
	um_status st = UM_OK;
	um_array x = { 0 };
	UM_TRY(problem_fitting(p, u->dim[0]));
	UM_TRY(instrument_image(p, u, p->scale, &x));
	UM_TRY(um_forward_loglike(p->forward, &p->op, &x, &p->y, &p->sigma, ll, du));
	if (du != NULL)
		chain(p, u, p->scale, du);
out:
	um_phase(NULL, NULL);
	um_array_free(&x);
	return st;
}

/* Adds one factor of the prior to lp and, through scratch, to du. */
static um_status add_factor(um_problem *p, um_prior *prior, um_rng *rng, const um_array *x, double *lp,
	um_array *du, um_array *scratch)
{
	um_status st = UM_OK;
	int64_t count = x->dim[0];
	if (prior->ops.logp == NULL)
		return um_fail(UM_EPARAM, "priors/%s has no log-density", prior->plugin->name);
	um_phase(prior->plugin, "logp");
	UM_TRY(um_in_phase(prior->plugin, "logp", prior->ops.logp(prior->self, rng, x, p->partial, scratch)));
	UM_TRY(problem_check_d(prior->plugin, "logp", p->partial, count, 1));
	for (int64_t i = 0; i < count; i++)
		lp[i] += p->partial[i];
	if (du != NULL) {
		UM_TRY(problem_check_f(prior->plugin, "the gradient of logp", scratch));
		float *d = du->data;
		const float *s = scratch->data;
		int64_t n = um_array_len(du);
		for (int64_t i = 0; i < n; i++)
			d[i] += s[i];
	}
out:
	return st;
}

/* log |dx/du| = sum (u - softplus(u)) and its gradient 1 - sigmoid(u). */
static void add_jacobian(const um_problem *p, const um_array *u, double *lp, um_array *du)
{
	if (p->info.transform != UM_SOFTPLUS)
		return;
	for (int64_t b = 0; b < u->dim[0]; b++) {
		const float *uv = um_row_f(u, b);
		for (int64_t i = 0; i < p->info.n; i++)
			lp[b] += uv[i] - softplus(uv[i]);
		for (int64_t i = 0; du != NULL && i < p->info.n; i++)
			um_row_f(du, b)[i] += (float)(1 - sigmoid(uv[i]));
	}
}

um_status um_problem_logp(um_problem *p, um_rng *rng, const um_array *u, double *lp, um_array *du)
{
	um_status st = UM_OK;
	um_array x = { 0 }, scratch = { 0 };
	int64_t count = u->dim[0];
	if (count > p->npartial) {
		p->partial = um_grow(p->partial, sizeof(double) * (size_t)count);
		p->npartial = count;
	}
	UM_TRY(instrument_image(p, u, 1, &x));
	memset(lp, 0, sizeof(double) * (size_t)count);
	if (du != NULL) {
		UM_TRY(um_problem_images(p, count, &scratch));
		memset(du->data, 0, sizeof(float) * (size_t)um_array_len(du));
	}
	for (int i = 0; i < p->npriors; i++)
		UM_TRY(add_factor(p, &p->priors[i], rng, &x, lp, du, du != NULL ? &scratch : NULL));
	if (du != NULL)
		chain(p, u, 1, du);
	add_jacobian(p, u, lp, du);
	p->calls += count;
out:
	um_phase(NULL, NULL);
	um_array_free(&x);
	um_array_free(&scratch);
	return st;
}
