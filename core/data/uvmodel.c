/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Images against data products: y = g(D A x), so that J = G D A with G the derivative of the
 * products at the visibilities D A x, and J^T v = A^T D^* (G^T v); D = diag(g1 conj(g2)) are the
 * gains of stations. Images come and go as float; all between is double. Batches are worked
 * through a chunk at a time, so that memory is bounded. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <umbra/uvmodel.h>
#include "base/mem.h"

#define CHUNK 64

um_status um_uvmodel_see_at(um_uvmodel *m, const um_uvdata *d, const um_uvspec *s)
{
	const int64_t n = d->nrows;
	um_uvspec spec = *s;
	spec.rows = m->rows;
	spec.columns = m->columns;
	m->nvis = n;
	m->ny = 0;
	for (int i = 0; i < m->n; i++) {
		m->first[i] = m->ny;
		m->ny += m->o[i].len;
	}
	m->first[m->n] = m->ny;
	m->ny += m->flux;
	double *uv = malloc((size_t)(2 * n) * sizeof(*uv));
	if (uv == NULL)
		return um_fail(UM_ENOMEM, "no memory for %lld visibilities", (long long)n);
	for (int64_t i = 0; i < n; i++) {
		uv[i] = d->rows[i].u;
		uv[n + i] = d->rows[i].v;
	}
	um_status st = um_uvop_new(uv, uv + n, n, &spec, &m->op);
	free(uv);
	return st;
}

um_status um_uvmodel_correlate(um_uvmodel *m)
{
	um_status st = UM_OK;
	for (int i = 0; st == UM_OK && i < m->n; i++)
		if (m->o[i].product == UM_CPHASE || m->o[i].product == UM_LOGCAMP)
			st = um_correlation_new(&m->o[i], &m->correlation[i]);
	return st;
}

void um_uvmodel_free(um_uvmodel *m)
{
	for (int i = 0; i < m->n; i++) {
		um_correlation_free(m->correlation[i]);
		um_observable_free(&m->o[i]);
	}
	um_uvop_free(m->op);
	memset(m, 0, sizeof(*m));
}

/* Double images, their visibilities, and room for one row of y twice. */
struct work {
	double *x, *re, *im, *gre, *gim, *dre, *dim, *f, *w;
};

static void work_free(struct work *w)
{
	free(w->x);
}

static int64_t chunk(const um_array *x, int64_t first)
{
	return x->dim[0] - first < CHUNK ? x->dim[0] - first : CHUNK;
}

static um_status work_new(const um_uvmodel *m, const um_array *x, struct work *w)
{
	const size_t count = (size_t)chunk(x, 0);
	const size_t pixels = (size_t)(m->rows * m->columns) * count;
	const size_t points = (size_t)m->nvis * count;
	w->x = malloc((pixels + 4 * points + 2 * (size_t)(m->nvis + m->ny) + 1) * sizeof(double));
	if (w->x == NULL)
		return um_fail(UM_ENOMEM, "no memory for %zu images and their visibilities", count);
	w->re = w->x + pixels;
	w->im = w->re + points;
	w->gre = w->im + points;
	w->gim = w->gre + points;
	w->dre = w->gim + points;
	w->dim = w->dre + m->nvis;
	w->f = w->dim + m->nvis;
	w->w = w->f + m->ny;
	return UM_OK;
}

/* Multiplies visibilities of images first .. first+count-1 by their gains or, with sign = -1, the
 * conjugates. */
static void gain(const um_uvmodel *m, int64_t first, int64_t count, int sign, struct work *w, double *re,
	double *im)
{
	for (int64_t b = 0; m->gain != NULL && b < count; b++) {
		if (b == 0 || m->gain->stride[0] != 0)
			um_gainset_factor(m->gains, um_row_d(m->gain, first + b), w->dre, w->dim);
		for (int64_t i = 0, at = b * m->nvis; i < m->nvis; i++, at++) {
			double a = re[at];
			double c = sign * w->dim[i];
			re[at] = w->dre[i] * a - c * im[at];
			im[at] = c * a + w->dre[i] * im[at];
		}
	}
}

/* Images first .. first+count-1 of x as double in w, and their visibilities. */
static um_status see(const um_uvmodel *m, const um_array *x, int64_t first, int64_t count, struct work *w,
	double *re, double *im)
{
	const int64_t n = m->rows * m->columns;
	for (int64_t b = 0; b < count; b++)
		for (int64_t i = 0; i < n; i++)
			w->x[b * n + i] = um_row_f(x, first + b)[i];
	um_status st = um_uvop_forward(m->op, count, w->x, re, im);
	if (st == UM_OK)
		gain(m, first, count, 1, w, re, im);
	return st;
}

static double total(const um_uvmodel *m, const double *x)
{
	double sum = 0;
	for (int64_t i = 0; i < m->rows * m->columns; i++)
		sum += x[i];
	return sum;
}

/* One row of y from image and visibilities b of w. */
static void model(const um_uvmodel *m, const struct work *w, int64_t b, double *f)
{
	const int64_t at = b * m->nvis;
	for (int i = 0; i < m->n; i++)
		um_observable_model(&m->o[i], w->re + at, w->im + at, f + m->first[i]);
	if (m->flux)
		f[m->ny - 1] = total(m, w->x + b * m->rows * m->columns);
}

/* The adjoint of count rows of gre, gim, plus flux[b], into images of out. */
static um_status spread(const um_uvmodel *m, struct work *w, const double *flux, int64_t first,
	int64_t count, um_array *out)
{
	const int64_t n = m->rows * m->columns;
	gain(m, first, count, -1, w, w->gre, w->gim);
	um_status st = um_uvop_adjoint(m->op, count, w->gre, w->gim, w->x);
	for (int64_t b = 0; b < count; b++)
		for (int64_t i = 0; i < n; i++)
			um_row_f(out, first + b)[i] = (float)(w->x[b * n + i] + flux[b]);
	return st;
}

static void clear_gradient(const um_uvmodel *m, struct work *w, int64_t count)
{
	memset(w->gre, 0, (size_t)(m->nvis * count) * sizeof(double));
	memset(w->gim, 0, (size_t)(m->nvis * count) * sizeof(double));
}

static void tangent(const um_uvmodel *m, const struct work *w, int64_t count, const double *dx,
	int64_t first, um_array *dy)
{
	for (int64_t b = 0; b < count; b++) {
		const int64_t at = b * m->nvis;
		double *df = um_row_d(dy, first + b);
		for (int i = 0; i < m->n; i++)
			um_observable_jvp(&m->o[i], w->re + at, w->im + at, w->gre + at, w->gim + at,
				df + m->first[i]);
		if (m->flux)
			df[m->ny - 1] = total(m, dx + b * m->rows * m->columns);
	}
}

um_status um_uvmodel_apply(const um_uvmodel *m, const um_array *x, const um_array *dx, um_array *y,
	um_array *dy)
{
	struct work w;
	um_status st = work_new(m, x, &w);
	if (st != UM_OK)
		return st;
	for (int64_t first = 0, n; first < x->dim[0]; first += n) {
		n = chunk(x, first);
		UM_TRY(see(m, x, first, n, &w, w.re, w.im));
		for (int64_t b = 0; b < n; b++)
			model(m, &w, b, um_row_d(y, first + b));
		if (dx == NULL)
			continue;
		UM_TRY(see(m, dx, first, n, &w, w.gre, w.gim));
		tangent(m, &w, n, w.x, first, dy);
	}
out:
	work_free(&w);
	return st;
}

um_status um_uvmodel_pullback(const um_uvmodel *m, const um_array *x, const um_array *v, um_array *jtv)
{
	struct work w;
	double flux[CHUNK] = { 0 };
	um_status st = work_new(m, x, &w);
	if (st != UM_OK)
		return st;
	bool linear = true; /* visibilities alone: the image does not matter */
	for (int i = 0; i < m->n; i++)
		linear = linear && m->o[i].product == UM_VIS;
	for (int64_t first = 0, n; first < x->dim[0]; first += n) {
		n = chunk(x, first);
		if (!linear)
			UM_TRY(see(m, x, first, n, &w, w.re, w.im));
		clear_gradient(m, &w, n);
		for (int64_t b = 0; b < n; b++) {
			const int64_t at = b * m->nvis;
			const double *vb = um_row_d(v, first + b);
			for (int i = 0; i < m->n; i++)
				um_observable_vjp(&m->o[i], w.re + at, w.im + at, vb + m->first[i], w.gre + at,
					w.gim + at);
			flux[b] = m->flux ? vb[m->ny - 1] : 0;
		}
		UM_TRY(spread(m, &w, flux, first, n, jtv));
	}
out:
	work_free(&w);
	return st;
}

/* Product k of image b against rows of y, sigma and the model's f, df. */
static um_status misfit(const um_uvmodel *m, int k, int64_t b, const double *y, const double *sigma,
	const double *f, double *df, double *chi2)
{
	const int64_t at = m->first[k];
	um_correlation *c = m->noise != NULL ? m->correlation[k] : NULL;
	um_status st = c != NULL ? um_correlation_set(c, um_row_d(m->noise, b)) : UM_OK;
	if (df != NULL)
		df += at;
	if (st == UM_OK)
		*chi2 = c != NULL ? um_correlation_chi2(c, y + at, sigma + at, f + at, df)
			: um_observable_chi2(&m->o[k], y + at, sigma + at, f + at, df);
	return st;
}

/* log p(y | x) of image first + b, image b of w; its gradient with respect to the visibilities is
 * added to gre, gim, and that with respect to the flux is *flux. */
static um_status loglike_one(const um_uvmodel *m, struct work *w, int64_t first, int64_t b,
	const double *y, const double *sigma, double *out, double *flux)
{
	const int64_t at = b * m->nvis;
	um_status st = UM_OK;
	double ll = 0, chi2;
	model(m, w, b, w->f);
	for (int i = 0; i < m->n; i++) {
		const um_observable *o = &m->o[i];
		const int64_t k = m->first[i];
		double half = -0.5 * (double)o->len;
		UM_TRY(misfit(m, i, first + b, y, sigma, w->f, w->w, &chi2));
		ll += half * chi2;
		for (int64_t j = 0; j < o->len; j++)
			w->w[k + j] *= half;
		um_observable_vjp(o, w->re + at, w->im + at, w->w + k, w->gre + at, w->gim + at);
	}
	*flux = 0;
	if (m->flux) {
		const int64_t k = m->ny - 1;
		double d = (y[k] - w->f[k]) / sigma[k];
		ll -= 0.5 * d * d;
		*flux = d / sigma[k];
	}
	*out = ll;
out:
	return st;
}

um_status um_uvmodel_loglike(const um_uvmodel *m, const um_array *x, const um_array *y,
	const um_array *sigma, double *ll, um_array *dx)
{
	struct work w;
	double flux[CHUNK];
	um_status st = work_new(m, x, &w);
	if (st != UM_OK)
		return st;
	for (int64_t first = 0, n; first < x->dim[0]; first += n) {
		n = chunk(x, first);
		UM_TRY(see(m, x, first, n, &w, w.re, w.im));
		clear_gradient(m, &w, n);
		for (int64_t b = 0; b < n; b++)
			UM_TRY(loglike_one(m, &w, first, b, um_row_d(y, first + b), um_row_d(sigma, first + b),
				&ll[first + b], &flux[b]));
		if (dx != NULL)
			UM_TRY(spread(m, &w, flux, first, n, dx));
	}
out:
	work_free(&w);
	return st;
}

um_status um_uvmodel_see(const um_uvmodel *m, const um_array *x, int64_t b, double *re, double *im)
{
	struct work w;
	const um_array one = um_array_rows(x, b, 1);
	um_status st = work_new(m, &one, &w);
	if (st == UM_OK)
		st = see(m, x, b, 1, &w, re, im);
	work_free(&w);
	return st;
}

double um_uvmodel_flux(const um_uvmodel *m, const um_array *x, int64_t b)
{
	double sum = 0;
	for (int64_t i = 0; i < m->rows * m->columns; i++)
		sum += um_row_f(x, b)[i];
	return sum;
}

um_status um_uvmodel_stats(const um_uvmodel *m, const um_array *x, const um_array *y,
	const um_array *sigma, double *values)
{
	struct work w;
	um_status st = work_new(m, x, &w);
	if (st != UM_OK)
		return st;
	for (int64_t b = 0; b < x->dim[0]; b++, values += m->n + 1) {
		UM_TRY(see(m, x, b, 1, &w, w.re, w.im));
		model(m, &w, 0, w.f);
		for (int i = 0; i < m->n; i++)
			UM_TRY(misfit(m, i, b, um_row_d(y, b), um_row_d(sigma, b), w.f, NULL, &values[i]));
		values[m->n] = total(m, w.x);
	}
out:
	work_free(&w);
	return st;
}

um_status um_uvmodel_calibrate(const um_uvmodel *m, double amplitude_sd, double phase_sd, const um_array *x,
	const um_array *y, const um_array *sigma, um_array *op, double *logp)
{
	const int k = um_uvmodel_find(m, UM_VIS);
	um_uvmodel ideal = *m;
	ideal.gain = NULL;
	if (k < 0 || m->gains == NULL)
		return um_fail(UM_EARG, "there are no complex visibilities with gains to calibrate");
	double *v = malloc((size_t)(2 * m->nvis + 1) * sizeof(*v));
	if (v == NULL)
		return um_fail(UM_ENOMEM, "no memory for %lld visibilities", (long long)m->nvis);
	um_status st = um_uvmodel_see(&ideal, x, 0, v, v + m->nvis);
	const double *data = um_row_d(y, 0) + m->first[k];
	um_gainfit fit = { .re = data, .im = data + m->nvis, .sigma = um_row_d(sigma, 0) + m->first[k],
		.model_re = v, .model_im = v + m->nvis, .amplitude_sd = amplitude_sd, .phase_sd = phase_sd };
	if (st == UM_OK)
		st = um_gainset_solve(m->gains, &fit, um_row_d(op, 0));
	*logp = fit.logp;
	free(v);
	return st;
}

bool *um_uvmodel_angles(const um_uvmodel *m)
{
	bool *angles = NULL;
	for (int k = 0; k < m->n; k++) {
		if (m->o[k].product != UM_CPHASE)
			continue;
		angles = angles != NULL ? angles : um_new(sizeof(*angles) * (size_t)m->ny);
		for (int64_t i = 0; i < m->o[k].len; i++)
			angles[m->first[k] + i] = true;
	}
	return angles;
}
