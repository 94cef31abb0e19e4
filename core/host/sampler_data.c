/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The data as samplers see them: likelihoods with gradients, and J^T (a2 Sigma + b2 J J^T)^-1 r. With B =
 * Sigma^-1/2 J that is B^T (a2 + b2 B B^T)^-1 Sigma^-1/2 r, for which conjugate gradients (Hestenes and Stiefel
 * 1952) need few steps; each sample has its own, and rests when it is done. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "base/mem.h"
#include "host/sampler.h"

static um_status rows_new(const um_sampler *s, um_array *a)
{
	return um_array_new(a, UM_F64, 2, (const int64_t[]){ s->count, s->about->ny });
}

/* x = alpha lo + unit u, new. */
static um_status image_of(const um_sampler *s, double alpha, const double *u, um_array *x)
{
	const um_status st = um_problem_images(s->problem, s->count, x);
	const double lo = alpha * sampler_lo(s), unit = sampler_unit(s);
	float *v = x->data;
	for (int64_t i = 0; st == UM_OK && i < s->count * s->n; i++)
		v[i] = (float)(lo + unit * u[i]);
	return st;
}

static void from_image(const um_sampler *s, const um_array *x, double *u)
{
	const double unit = sampler_unit(s);
	const float *v = x->data;
	for (int64_t i = 0; i < s->count * s->n; i++)
		u[i] = unit * (double)v[i];
}

/* y_i - f; angles the short way round. */
static double differ(const um_sampler *s, int64_t i, double f)
{
	const double r = um_problem_y(s->problem)[i] - f;
	return s->about->angles != NULL && s->about->angles[i] ? remainder(r, 6.283185307179586) : r;
}

/* ---- likelihood ---------------------------------------------------------------------------- */

/* With more variance: ll and v = (y - f) / (sigma^2 + more) from f, in its place. */
static void weigh(const um_sampler *s, double more, um_array *f, double *ll)
{
	const double *sigma = um_problem_sigma(s->problem);
	for (int64_t k = 0; k < s->count; k++) {
		double *v = um_row_d(f, k), sum = 0;
		for (int64_t i = 0; i < s->about->ny; i++) {
			const double r = differ(s, i, v[i]);
			v[i] = r / (sigma[i] * sigma[i] + more);
			sum += r * v[i];
		}
		if (ll != NULL)
			ll[k] = -sum / 2;
	}
}

um_status um_sampler_likelihood(um_sampler *s, double more, const double *u0, double *ll, double *gradient)
{
	um_status st = UM_OK;
	um_array x = { 0 }, g = { 0 }, f = { 0 };
	UM_TRY(image_of(s, 1, u0, &x));
	if (gradient != NULL)
		UM_TRY(um_problem_images(s->problem, s->count, &g));
	if (more == 0) {
		UM_TRY(um_problem_loglike(s->problem, &x, ll != NULL ? ll : s->number, gradient != NULL ? &g : NULL));
	} else {
		UM_TRY(rows_new(s, &f));
		UM_TRY(um_problem_apply(s->problem, &x, NULL, &f, NULL));
		weigh(s, more, &f, ll);
		if (gradient != NULL)
			UM_TRY(um_problem_pullback(s->problem, &x, &f, &g));
	}
	if (gradient != NULL)
		from_image(s, &g, gradient);
out:
	um_array_free(&x);
	um_array_free(&g);
	um_array_free(&f);
	return st;
}

um_status um_sampler_misfit(um_sampler *s, const double *u0, double *norm, double *gradient)
{
	um_status st = UM_OK;
	double *ll = norm != NULL ? norm : s->number;
	UM_TRY(um_sampler_likelihood(s, 0, u0, ll, gradient));
	for (int64_t k = 0; k < s->count; k++) {
		if (ll[k] > 0)
			UM_TRY(um_fail(UM_EPARAM, "the likelihood of the forward model is no sum of squares"));
		ll[k] = s->noise * sqrt(-2 * ll[k]);
		const double factor = ll[k] > 0 ? -s->noise * s->noise / ll[k] : 0;
		for (int64_t i = k * s->n; i < (k + 1) * s->n; i++)
			gradient[i] *= factor;
	}
out:
	return st;
}

/* ---- strength ---------------------------------------------------------------------------------- */

/* d becomes J^T W^2 J d, in u; its length, which is the square of the singular value if that of d was 1. */
static um_status iterate(um_sampler *one, bool weighted, const um_array *at, um_array *d, um_array *f,
	um_array *df, double *length)
{
	um_status st = UM_OK;
	const double unit = sampler_unit(one), *sigma = um_problem_sigma(one->problem);
	float *v = d->data;
	double sum = 0;
	for (int64_t i = 0; i < one->n; i++)
		v[i] = (float)(unit * (double)v[i]);
	UM_TRY(um_problem_apply(one->problem, at, d, f, df));
	for (int64_t i = 0; weighted && i < one->about->ny; i++)
		um_row_d(df, 0)[i] *= one->noise * one->noise / (sigma[i] * sigma[i]);
	UM_TRY(um_problem_pullback(one->problem, at, df, d));
	for (int64_t i = 0; i < one->n; i++)
		sum += unit * (double)v[i] * unit * (double)v[i];
	*length = sqrt(sum);
	for (int64_t i = 0; i < one->n; i++)
		v[i] = (float)(unit * (double)v[i] / (sum > 0 ? *length : 1));
out:
	return st;
}

um_status um_sampler_strength(um_sampler *s, bool weighted, double *largest)
{
	enum { ITERATIONS = 30 };
	um_status st = UM_OK;
	um_sampler one = *s;
	um_array at = { 0 }, d = { 0 }, f = { 0 }, df = { 0 };
	double *z = um_new(sizeof(double) * (size_t)s->n), *known = &s->inside->strength[weighted], length = 0;
	um_rng rng = um_problem_rng(s->problem, 2, 0);
	one.count = 1;
	*largest = *known;
	if (*known > 0)
		goto out;
	um_normal_fill(&rng, z, s->n);
	UM_TRY(um_problem_images(s->problem, 1, &d));
	for (int64_t i = 0; i < s->n; i++)
		((float *)d.data)[i] = (float)(z[i] / sqrt((double)s->n));
	for (int64_t i = 0; i < s->n; i++)
		z[i] = 0.5 + 0.25 * z[i];
	UM_TRY(image_of(&one, 1, z, &at));
	UM_TRY(rows_new(&one, &f));
	UM_TRY(rows_new(&one, &df));
	for (int i = 0; i < ITERATIONS; i++)
		UM_TRY(iterate(&one, weighted, &at, &d, &f, &df, &length));
	if (!(length > 0))
		UM_TRY(um_fail(UM_ENUM, "the data do not change with the image"));
	*largest = *known = sqrt(length);
out:
	um_array_free(&at);
	um_array_free(&d);
	um_array_free(&f);
	um_array_free(&df);
	free(z);
	return st;
}

/* ---- conjugate gradients --------------------------------------------------------------------- */

typedef struct solver {
	um_sampler *s;
	const um_array *at;  /* where f is linearised; NULL: it is linear */
	double a2, b2;       /* of whitened rows; b2 counts unit */
	bool white;
	um_array x, f;       /* images and data on the way */
} solver;

/* r *= sigma^power for all rows, where rows are whitened. */
static void white(const solver *c, um_array *r, bool times)
{
	const double *sigma = um_problem_sigma(c->s->problem);
	for (int64_t k = 0; c->white && k < r->dim[0]; k++)
		for (int64_t i = 0; i < r->dim[1]; i++)
			um_row_d(r, k)[i] *= times ? sigma[i] : 1 / sigma[i];
}

/* q = (a2 + b2 B B^T) p. */
static um_status normal_matrix(solver *c, const um_array *p, um_array *q)
{
	um_status st = UM_OK;
	um_problem *problem = c->s->problem;
	UM_TRY(um_array_copy(q, p));
	white(c, q, false);
	UM_TRY(um_problem_pullback(problem, c->at != NULL ? c->at : &c->x, q, &c->x));
	if (c->at == NULL)
		UM_TRY(um_problem_apply(problem, &c->x, NULL, q, NULL));
	else
		UM_TRY(um_problem_apply(problem, c->at, &c->x, &c->f, q));
	white(c, q, false);
	double *to = q->data;
	for (int64_t i = 0; i < um_array_len(q); i++)
		to[i] = c->b2 * to[i] + c->a2 * ((const double *)p->data)[i];
out:
	return st;
}

static double dot(const um_array *a, const um_array *b, int64_t row)
{
	const double *u = um_row_d(a, row), *v = um_row_d(b, row);
	double sum = 0;
	for (int64_t i = 0; i < a->dim[1]; i++)
		sum += u[i] * v[i];
	return sum;
}

/* One step of a sample: residual g, direction p, solution w; norm = |g|^2. */
static void descend(int64_t row, const um_array *q, um_array *g, um_array *p, um_array *w, double *norm)
{
	const double pq = dot(p, q, row), step = pq > 0 ? *norm / pq : 0;
	for (int64_t i = 0; i < w->dim[1]; i++) {
		um_row_d(w, row)[i] += step * um_row_d(p, row)[i];
		um_row_d(g, row)[i] -= step * um_row_d(q, row)[i];
	}
	const double next = pq > 0 ? dot(g, g, row) : 0, turn = *norm > 0 ? next / *norm : 0;
	for (int64_t i = 0; i < w->dim[1]; i++)
		um_row_d(p, row)[i] = um_row_d(g, row)[i] + turn * um_row_d(p, row)[i];
	*norm = next;
}

/* r becomes (a2 Sigma + b2 J J^T)^-1 r. */
static um_status conjugate(solver *c, um_array *r)
{
	um_status st = UM_OK;
	const um_sampler *s = c->s;
	const um_sampling *set = s->inside->set;
	um_array p = { 0 }, q = { 0 }, g = { 0 };
	double *norm = um_new(2 * sizeof(double) * (size_t)s->count), *enough = norm + s->count;
	int64_t left = s->count;
	UM_TRY(rows_new(s, &p));
	UM_TRY(rows_new(s, &q));
	UM_TRY(rows_new(s, &g));
	white(c, r, false);
	UM_TRY(um_array_copy(&g, r));
	UM_TRY(um_array_copy(&p, r));
	memset(r->data, 0, sizeof(double) * (size_t)um_array_len(r));
	for (int64_t k = 0; k < s->count; k++) {
		norm[k] = dot(&g, &g, k);
		enough[k] = set->tolerance * set->tolerance * norm[k];
	}
	for (int64_t i = 0; i < set->iterations && left > 0; i++) {
		UM_TRY(normal_matrix(c, &p, &q));
		left = 0;
		for (int64_t k = 0; k < s->count; k++) {
			if (norm[k] > enough[k])
				descend(k, &q, &g, &p, r, &norm[k]);
			left += norm[k] > enough[k];
		}
	}
	white(c, r, false);
out:
	um_array_free(&p);
	um_array_free(&q);
	um_array_free(&g);
	free(norm);
	return st;
}

/* ---- matching ----------------------------------------------------------------------------------- */

/* r = a y - f_a(u), for the linear from f of the whole image, else linearised at "at", the image of the mean. */
static um_status residual(um_sampler *s, double a, const double *u, const um_array *at, um_array *r)
{
	um_status st = UM_OK;
	um_array x = { 0 }, f = { 0 };
	const double *y = um_problem_y(s->problem);
	UM_TRY(image_of(s, a, u, &x));
	if (at == NULL) {
		UM_TRY(um_problem_apply(s->problem, &x, NULL, r, NULL));
	} else {
		float *d = x.data;
		for (int64_t i = 0; i < s->count * s->n; i++)
			d[i] -= (float)a * ((const float *)at->data)[i];
		UM_TRY(rows_new(s, &f));
		UM_TRY(um_problem_apply(s->problem, at, &x, &f, r));
	}
	for (int64_t k = 0; k < s->count; k++)
		for (int64_t i = 0; i < s->about->ny; i++)
			um_row_d(r, k)[i] = a * (at != NULL ? differ(s, i, um_row_d(&f, k)[i]) : y[i]) - um_row_d(r, k)[i];
out:
	um_array_free(&x);
	um_array_free(&f);
	return st;
}

um_status um_sampler_match(um_sampler *s, double a2, double b2, double a, const double *u, double *out)
{
	um_status st = UM_OK;
	um_array at = { 0 }, r = { 0 }, w = { 0 };
	const double unit = sampler_unit(s);
	const bool linear = s->about->linear;
	solver c = { .s = s, .a2 = a2, .b2 = b2 * unit * unit, .white = a2 > 0, .at = linear ? NULL : &at };
	if (!linear)
		UM_TRY(image_of(s, 1, s->mean, &at));
	UM_TRY(rows_new(s, &r));
	UM_TRY(rows_new(s, &c.f));
	UM_TRY(um_problem_images(s->problem, s->count, &c.x));
	UM_TRY(residual(s, a, u, c.at, &r));
	if (s->about->solves) {
		UM_TRY(rows_new(s, &w));
		UM_TRY(um_problem_solve(s->problem, a2, c.b2, &r, &w));
	} else {
		UM_TRY(conjugate(&c, &r));
	}
	UM_TRY(um_problem_pullback(s->problem, linear ? &c.x : &at, s->about->solves ? &w : &r, &c.x));
	from_image(s, &c.x, out);
out:
	um_array_free(&at);
	um_array_free(&r);
	um_array_free(&w);
	um_array_free(&c.x);
	um_array_free(&c.f);
	return st;
}
