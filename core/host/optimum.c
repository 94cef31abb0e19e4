/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Maximum a posteriori: f(u) = -(w log p(y | u) + log p) by L-BFGS. The density of u holds
 * log |dx/du| = sum (u - softplus(u)), which that of the image does not. */
#include <math.h>
#include <stddef.h>
#include <umbra/fits.h>
#include <umbra/optimum.h>
#include <umbra/plugin.h>

enum { STREAM = 0x6d6170 };

typedef struct {
	um_optimum *o;
	int64_t n;
	um_array u, dl, dp; /* float images for one evaluation */
	double ll, lp;
} ascent;

static um_status ascent_new(ascent *a, um_optimum *o)
{
	um_status st = UM_OK;
	*a = (ascent){ .o = o, .n = um_problem_about(o->problem)->n };
	UM_TRY(um_problem_images(o->problem, 1, &a->u));
	UM_TRY(um_problem_images(o->problem, 1, &a->dl));
	UM_TRY(um_problem_images(o->problem, 1, &a->dp));
out:
	return st;
}

static void ascent_free(ascent *a)
{
	um_array_free(&a->u);
	um_array_free(&a->dl);
	um_array_free(&a->dp);
}

void um_optimum_volume(um_problem *p, double factor, const um_array *u, double *lp, um_array *dp)
{
	const um_problem_info *about = um_problem_about(p);
	if (about->transform != UM_SOFTPLUS || factor == 0)
		return;
	for (int64_t b = 0; b < u->dim[0]; b++) {
		const float *ub = um_row_f(u, b);
		float *d = dp != NULL ? um_row_f(dp, b) : NULL;
		for (int64_t i = 0; i < about->n; i++) {
			double e = exp(-fabs((double)ub[i])), large = 1 / (1 + e);
			lp[b] += factor * ((ub[i] < 0 ? ub[i] : 0) - log1p(e));
			if (d != NULL)
				d[i] += (float)(factor * (ub[i] < 0 ? large : e * large));
		}
	}
}

um_status um_optimum_draws(um_problem *p, um_rng *rng, um_array *u)
{
	um_status st = UM_OK;
	float *v = u->data;
	const int64_t all = um_array_len(u);
	double mean = 0;
	UM_TRY(um_problem_draw(p, rng, u));
	for (int64_t i = 0; i < all; i++)
		mean += fmax(0, (double)v[i]) / (double)all;
	for (int64_t i = 0; um_problem_about(p)->transform == UM_SOFTPLUS && i < all; i++)
		v[i] = (float)fmax((double)v[i], 0.01 * mean);
	UM_TRY(um_problem_preimage(p, u, u));
out:
	return st;
}

/* Values and gradients at a->u. */
static um_status evaluate(ascent *a)
{
	um_status st = UM_OK;
	um_problem *p = a->o->problem;
	um_rng rng = um_problem_rng(p, STREAM, 0);
	double op = 0;
	if (a->o->calibrate) {
		UM_TRY(um_problem_image(p, &a->u, &a->dp));
		UM_TRY(um_problem_calibrate(p, &a->dp, &op, NULL));
	}
	UM_TRY(um_problem_loglike(p, &a->u, &a->ll, &a->dl));
	a->ll += op;
	UM_TRY(um_problem_logp(p, &rng, &a->u, &a->lp, &a->dp));
	um_optimum_volume(p, a->o->volume - 1, &a->u, &a->lp, &a->dp);
out:
	return st;
}

/* A line search may step to where numbers overflow; that is only outside the domain. */
static um_status value(void *context, const double *x, double *f, double *g)
{
	ascent *a = context;
	float *u = a->u.data;
	const float *dl = a->dl.data, *dp = a->dp.data;
	for (int64_t i = 0; i < a->n; i++)
		u[i] = (float)x[i];
	um_status st = evaluate(a);
	if (st == UM_ENUM && a->o->search.nfe > 1) {
		*f = INFINITY;
		return UM_OK;
	}
	*f = -(a->o->weight * a->ll + a->lp);
	for (int64_t i = 0; i < a->n; i++)
		g[i] = -(a->o->weight * dl[i] + dp[i]);
	return st;
}

static bool step(void *context, int64_t iteration, const double *x, double f, double gnorm)
{
	ascent *a = context;
	(void)x;
	return a->o->step(a->o->context, iteration, f, a->ll, a->lp, gnorm);
}

um_status um_optimum_find(um_optimum *o, double *u)
{
	um_status st = UM_OK;
	ascent a;
	UM_TRY(ascent_new(&a, o));
	o->search.n = a.n;
	o->search.value = value;
	o->search.step = o->step != NULL ? step : NULL;
	o->search.context = &a;
	UM_TRY(um_lbfgs(&o->search, u));
out:
	ascent_free(&a);
	return st;
}

/* ---- starting images ------------------------------------------------------------- */

/* Mean 1. The blob stands on a floor, because where softplus is flat nothing moves. */
static void draw(const um_problem_info *about, const um_start *s, double *x)
{
	const int64_t rows = about->shape[3], columns = about->shape[4];
	const double side = (double)(rows > columns ? rows : columns), floor = 0.05;
	double sum = 0;
	for (int64_t i = 0; i < about->n; i++) {
		double dr = ((double)(i / columns % rows) - 0.5 * (double)(rows - 1)) / side;
		double dc = ((double)(i % columns) - 0.5 * (double)(columns - 1)) / side;
		x[i] = s->blob ? exp(-4 * log(2) * (dr * dr + dc * dc) / (s->size * s->size)) : 1;
		sum += x[i];
	}
	for (int64_t i = 0; i < about->n; i++)
		x[i] = (1 - floor) * x[i] * (double)about->n / sum + floor;
}

static um_status set_level(um_problem *p, const double *shape, double level, um_array *x, um_array *u)
{
	float *v = x->data;
	int64_t n = um_array_len(x);
	for (int64_t i = 0; i < n; i++)
		v[i] = (float)(level * shape[i]);
	return um_problem_preimage(p, x, u);
}

/* The best of 1e-8 .. 1e8 in steps of 10^1/4 and, without a transform, of 0. A level that a
 * plugin refuses is not the best. Where no level of a softplus image fits better than nothing
 * at all, start from 1: from next to nothing no gradient leads away. */
static um_status choose_level(um_problem *p, const double *shape, um_array *x, double *level)
{
	um_status st = UM_OK;
	um_optimum o = { .problem = p, .volume = 0 };
	ascent a;
	double best = -INFINITY, nothing = -INFINITY;
	bool soft = um_problem_about(p)->transform == UM_SOFTPLUS;
	UM_TRY(ascent_new(&a, &o));
	for (int k = -33; k <= 32; k++) {
		double try = k > -33 ? pow(10, k / 4.0) : 0;
		UM_TRY(set_level(p, shape, try, x, &a.u));
		um_status outcome = evaluate(&a);
		if (outcome != UM_OK && outcome != UM_ENUM)
			UM_TRY(outcome);
		if (outcome == UM_OK && k == -33)
			nothing = a.ll + a.lp;
		if (outcome == UM_OK && a.ll + a.lp > best) {
			best = a.ll + a.lp;
			*level = try;
		}
	}
	if (soft && best <= nothing + 1e-3 * fmax(1, fabs(nothing)))
		*level = 1;
	if (!isfinite(best))
		st = um_context(UM_ENUM, "no level of the starting image gives a finite density");
out:
	ascent_free(&a);
	return st;
}

um_status um_start_read(const char *path, const um_env *env, um_array *x)
{
	um_status st = UM_OK;
	um_image im = { 0 };
	UM_TRY(um_image_read(path, &im));
	UM_TRY(um_image_onto(&im, path, env, true, x));
	if (x->dim[0] != 1)
		UM_TRY(um_fail(UM_EDATA, "%s: it has %lld images; a start is one, such as the mean.fits of a cell", path, (long long)x->dim[0]));
out:
	um_image_free(&im);
	return st;
}

um_status um_optimum_start(um_problem *p, const um_start *start, um_array *u)
{
	um_status st = UM_OK;
	um_array shape = { 0 }, x = { 0 };
	const um_problem_info *about = um_problem_about(p);
	double level = start->level;
	UM_TRY(um_array_new(&shape, UM_F64, 1, &about->n));
	UM_TRY(um_problem_images(p, 1, &x));
	if (start->image != NULL) {
		for (int64_t i = 0; i < about->n; i++)
			((float *)x.data)[i] = (float)((double)((const float *)start->image->data)[i] / about->scale);
		st = um_problem_preimage(p, &x, u);
		goto out;
	}
	draw(about, start, shape.data);
	if (level == 0)
		UM_TRY(choose_level(p, shape.data, &x, &level));
	UM_TRY(set_level(p, shape.data, level, &x, u));
out:
	um_array_free(&shape);
	um_array_free(&x);
	return st;
}
