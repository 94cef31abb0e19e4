/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Data products as functions of visibilities. psi = arg V1 V2 V3 with
 * sigma^2 = sum (sigma_i/|V_i|)^2; L = ln|V1 V2/(V3 V4)| with the same sum over four. Debiased,
 * |V| is sqrt(|V|^2 - sigma^2), and L gains (1/S1^2 + 1/S2^2 - 1/S3^2 - 1/S4^2)/2, S = |V|/sigma
 * (eht-imaging; Chael et al. 2018, doi:10.3847/1538-4357/aab6a8). */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "closure.h"

#define TINY 1e-140 /* squared amplitudes below this count as this, with no derivative */

const char *um_product_name(um_product p)
{
	static const char *const names[] = { "vis", "amp", "cphase", "logcamp" };
	return names[p];
}

void um_observable_free(um_observable *o)
{
	free(o->closure);
	free(o->y);
	free(o->sigma);
	memset(o, 0, sizeof(*o));
}

um_status um_observable_new(const um_uvdata *d, um_product p, const um_observe *how,
	um_observable *out)
{
	um_status st = UM_OK;
	um_observable o = { .product = p, .rows = d->nrows, .n = d->nrows };
	if (p == UM_CPHASE || p == UM_LOGCAMP) {
		o.n = 0;
		UM_TRY(um_closures_find(d, how->maximal, &o));
	}
	o.len = p == UM_VIS ? 2 * o.n : o.n;
	o.y = calloc((size_t)o.len + 1, sizeof(*o.y));
	o.sigma = calloc((size_t)o.len + 1, sizeof(*o.sigma));
	if (o.y == NULL || o.sigma == NULL)
		UM_TRY(um_fail(UM_ENOMEM, "no memory for %lld data", (long long)o.len));
	um_observable_measure(&o, d, how->debias, o.y, o.sigma);
out:
	if (st != UM_OK)
		um_observable_free(&o);
	*out = o;
	return st;
}

/* Bispectrum (re, im) of a closure phase. */
static void triple(const um_closure *c, const double v[3][2], double b[2])
{
	b[0] = 1;
	b[1] = 0;
	for (int i = 0; i < 3; i++) {
		double im = c->conj[i] ? -v[i][1] : v[i][1];
		double t = b[0] * v[i][0] - b[1] * im;
		b[1] = b[0] * im + b[1] * v[i][0];
		b[0] = t;
	}
}

static void measure_phase(const um_closure *c, const um_uvdata *d, double *y, double *sigma)
{
	double v[3][2], b[2];
	double s2 = 0;
	for (int i = 0; i < 3; i++) {
		const um_uvrow *r = &d->rows[c->row[i]];
		v[i][0] = r->re;
		v[i][1] = r->im;
		s2 += r->sigma * r->sigma / (r->re * r->re + r->im * r->im);
	}
	triple(c, (const double (*)[2])v, b);
	*y = atan2(b[1], b[0]);
	*sigma = sqrt(s2);
}

static void measure_logcamp(const um_closure *c, const um_uvdata *d, bool debias, double *y,
	double *sigma)
{
	double sum = 0;
	double s2 = 0;
	for (int i = 0; i < 4; i++) {
		const um_uvrow *r = &d->rows[c->row[i]];
		double sign = i < 2 ? 1 : -1;
		double a = hypot(r->re, r->im);
		if (debias)
			a = a > r->sigma ? sqrt(a * a - r->sigma * r->sigma) : r->sigma;
		double q = r->sigma * r->sigma / (a * a);
		sum += sign * log(a) + (debias ? 0.5 * sign * q : 0);
		s2 += q;
	}
	*y = sum;
	*sigma = sqrt(s2);
}

static void measure_rows(const um_observable *o, const um_uvdata *d, bool debias, double *y,
	double *sigma)
{
	for (int64_t i = 0; i < o->n; i++) {
		const um_uvrow *r = &d->rows[i];
		double a = hypot(r->re, r->im);
		sigma[i] = r->sigma;
		if (o->product == UM_VIS) {
			y[i] = r->re;
			y[o->n + i] = r->im;
			sigma[o->n + i] = r->sigma;
		} else {
			y[i] = !debias ? a : a > r->sigma ? sqrt(a * a - r->sigma * r->sigma) : 0;
		}
	}
}

void um_observable_measure(const um_observable *o, const um_uvdata *d, bool debias, double *y,
	double *sigma)
{
	if (o->product == UM_VIS || o->product == UM_AMP)
		measure_rows(o, d, debias, y, sigma);
	for (int64_t i = 0; o->product == UM_CPHASE && i < o->n; i++)
		measure_phase(&o->closure[i], d, &y[i], &sigma[i]);
	for (int64_t i = 0; o->product == UM_LOGCAMP && i < o->n; i++)
		measure_logcamp(&o->closure[i], d, debias, &y[i], &sigma[i]);
}

static double phase_of(const um_closure *c, const double *re, const double *im)
{
	double v[3][2], b[2];
	for (int i = 0; i < 3; i++) {
		v[i][0] = re[c->row[i]];
		v[i][1] = im[c->row[i]];
	}
	triple(c, (const double (*)[2])v, b);
	return atan2(b[1], b[0]);
}

static double power(const double *re, const double *im, int64_t i)
{
	return re[i] * re[i] + im[i] * im[i];
}

static double log_ratio(const um_closure *c, const double *re, const double *im)
{
	double p[4];
	for (int i = 0; i < 4; i++)
		p[i] = fmax(power(re, im, c->row[i]), TINY);
	return 0.5 * log(p[0] * p[1] / (p[2] * p[3]));
}

void um_observable_model(const um_observable *o, const double *re, const double *im, double *f)
{
	switch (o->product) {
	case UM_VIS:
		memcpy(f, re, (size_t)o->n * sizeof(*f));
		memcpy(f + o->n, im, (size_t)o->n * sizeof(*f));
		break;
	case UM_AMP:
		for (int64_t i = 0; i < o->n; i++)
			f[i] = hypot(re[i], im[i]);
		break;
	case UM_CPHASE:
		for (int64_t i = 0; i < o->n; i++)
			f[i] = phase_of(&o->closure[i], re, im);
		break;
	case UM_LOGCAMP:
		for (int64_t i = 0; i < o->n; i++)
			f[i] = log_ratio(&o->closure[i], re, im);
		break;
	}
}

/* The derivative of ln V = ln|V| + i arg V is dV / V: arg for closure phases (turned baselines
 * count negative), ln|V| for log closure amplitudes (the last two count negative). This gives
 * the derivative g with respect to re and im of the part that row i of closure c adds. */
static void part(const um_observable *o, const um_closure *c, int i, const double *re,
	const double *im, double g[2])
{
	double x = re[c->row[i]];
	double y = im[c->row[i]];
	double p = x * x + y * y;
	bool phase = o->product == UM_CPHASE;
	double sign = (phase ? c->conj[i] : i >= 2) ? -1 : 1;
	if (p < TINY) {
		g[0] = g[1] = 0;
		return;
	}
	g[0] = sign * (phase ? -y : x) / p;
	g[1] = sign * (phase ? x : y) / p;
}

void um_observable_jvp(const um_observable *o, const double *re, const double *im,
	const double *dre, const double *dim, double *df)
{
	int terms = o->product == UM_CPHASE ? 3 : 4;
	double g[2];
	if (o->product == UM_VIS) {
		um_observable_model(o, dre, dim, df);
		return;
	}
	for (int64_t k = 0; k < o->n; k++) {
		df[k] = 0;
		if (o->product == UM_AMP) {
			double a = hypot(re[k], im[k]);
			df[k] = a > 0 ? (re[k] * dre[k] + im[k] * dim[k]) / a : 0;
			continue;
		}
		const um_closure *c = &o->closure[k];
		for (int i = 0; i < terms; i++) {
			part(o, c, i, re, im, g);
			df[k] += g[0] * dre[c->row[i]] + g[1] * dim[c->row[i]];
		}
	}
}

void um_observable_vjp(const um_observable *o, const double *re, const double *im, const double *w,
	double *gre, double *gim)
{
	int terms = o->product == UM_CPHASE ? 3 : 4;
	double g[2];
	for (int64_t k = 0; k < o->n; k++) {
		if (o->product == UM_VIS) {
			gre[k] += w[k];
			gim[k] += w[o->n + k];
			continue;
		}
		if (o->product == UM_AMP) {
			double a = hypot(re[k], im[k]);
			gre[k] += a > 0 ? w[k] * re[k] / a : 0;
			gim[k] += a > 0 ? w[k] * im[k] / a : 0;
			continue;
		}
		const um_closure *c = &o->closure[k];
		for (int i = 0; i < terms; i++) {
			part(o, c, i, re, im, g);
			gre[c->row[i]] += w[k] * g[0];
			gim[c->row[i]] += w[k] * g[1];
		}
	}
}

double um_observable_chi2(const um_observable *o, const double *y, const double *sigma,
	const double *f, double *df)
{
	double sum = 0;
	double n = (double)(o->product == UM_VIS ? 2 * o->n : o->n);
	bool phase = o->product == UM_CPHASE;
	for (int64_t i = 0; i < o->len; i++) {
		double w = 1 / (sigma[i] * sigma[i]);
		double d = f[i] - y[i];
		/* 1 - cos d without cancellation */
		double half = phase ? sin(0.5 * d) : 0;
		sum += w * (phase ? 4 * half * half : d * d);
		if (df != NULL)
			df[i] = 2 * w * (phase ? sin(d) : d) / n;
	}
	return n > 0 ? sum / n : NAN;
}
