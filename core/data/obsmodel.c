/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Data products as functions of model visibilities, and their derivatives. With V' = V or, where
 * a closure runs against the row, its conjugate: d ln V' = dV'/V' gives those of arg B and of
 * L = ln|V1 V2/(V3 V4)|, dC = C dL, and dB = sum_i dV'_i P_i, P_i the product of the other two. */
#include <math.h>
#include <string.h>

#include "closure.h"

#define TINY 1e-140 /* squared amplitudes below this count as this, with no derivative */

/* Visibilities of a closure in its sense. */
static void turn(const um_closure *c, int n, const double *re, const double *im, double v[][2])
{
	for (int i = 0; i < n; i++) {
		v[i][0] = re[c->row[i]];
		v[i][1] = c->conj[i] ? -im[c->row[i]] : im[c->row[i]];
	}
}

static void multiply(const double a[2], const double b[2], double out[2])
{
	double t = a[0] * b[0] - a[1] * b[1];
	out[1] = a[0] * b[1] + a[1] * b[0];
	out[0] = t;
}

static void bispectrum(const um_closure *c, const double *re, const double *im, double b[2])
{
	double v[3][2];
	turn(c, 3, re, im, v);
	multiply(v[0], v[1], b);
	multiply(b, v[2], b);
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
	double b[2];
	if (o->product == UM_VIS) {
		memcpy(f, re, (size_t)o->n * sizeof(*f));
		memcpy(f + o->n, im, (size_t)o->n * sizeof(*f));
		return;
	}
	for (int64_t i = 0; i < o->n; i++)
		switch (o->product) {
		case UM_CPHASE:
			bispectrum(&o->closure[i], re, im, b);
			f[i] = atan2(b[1], b[0]);
			break;
		case UM_BISPECTRUM:
			bispectrum(&o->closure[i], re, im, b);
			f[i] = b[0];
			f[o->n + i] = b[1];
			break;
		case UM_LOGCAMP:
			f[i] = log_ratio(&o->closure[i], re, im);
			break;
		case UM_CAMP:
			f[i] = exp(log_ratio(&o->closure[i], re, im));
			break;
		default:
			f[i] = hypot(re[i], im[i]);
		}
}

/* A real datum depends on at most four rows: which, and its derivatives there. */
struct parts {
	int n;
	int64_t row[4];
	double g[4][2]; /* with respect to re, im */
};

/* d ln V = (x - iy)/|V|^2 dV: its imaginary part for phases, its real part for amplitudes. */
static void log_parts(const um_observable *o, const um_closure *c, const double *re,
	const double *im, struct parts *p)
{
	bool phase = o->product == UM_CPHASE;
	double value = o->product == UM_CAMP ? exp(log_ratio(c, re, im)) : 1;
	p->n = um_product_terms(o->product);
	for (int i = 0; i < p->n; i++) {
		double x = re[c->row[i]];
		double y = im[c->row[i]];
		double s = x * x + y * y;
		double k = (phase ? c->conj[i] : i >= 2) ? -value : value;
		p->row[i] = c->row[i];
		p->g[i][0] = s < TINY ? 0 : k * (phase ? -y : x) / s;
		p->g[i][1] = s < TINY ? 0 : k * (phase ? x : y) / s;
	}
}

static void bispectrum_parts(const um_closure *c, bool imaginary, const double *re, const double *im,
	struct parts *p)
{
	double v[3][2], rest[2];
	turn(c, 3, re, im, v);
	p->n = 3;
	for (int i = 0; i < 3; i++) {
		multiply(v[(i + 1) % 3], v[(i + 2) % 3], rest);
		double sign = c->conj[i] ? -1 : 1;
		p->row[i] = c->row[i];
		p->g[i][0] = imaginary ? rest[1] : rest[0];
		p->g[i][1] = sign * (imaginary ? rest[0] : -rest[1]);
	}
}

static void parts_of(const um_observable *o, int64_t k, const double *re, const double *im,
	struct parts *p)
{
	const int64_t i = k % o->n;
	double a;
	switch (o->product) {
	case UM_AMP:
		a = hypot(re[i], im[i]);
		*p = (struct parts){ 1, { i }, { { a > 0 ? re[i] / a : 0, a > 0 ? im[i] / a : 0 } } };
		break;
	case UM_BISPECTRUM:
		bispectrum_parts(&o->closure[i], k >= o->n, re, im, p);
		break;
	default:
		log_parts(o, &o->closure[i], re, im, p);
	}
}

void um_observable_jvp(const um_observable *o, const double *re, const double *im,
	const double *dre, const double *dim, double *df)
{
	struct parts p;
	if (o->product == UM_VIS) {
		um_observable_model(o, dre, dim, df);
		return;
	}
	for (int64_t k = 0; k < o->len; k++) {
		parts_of(o, k, re, im, &p);
		df[k] = 0;
		for (int i = 0; i < p.n; i++)
			df[k] += p.g[i][0] * dre[p.row[i]] + p.g[i][1] * dim[p.row[i]];
	}
}

void um_observable_vjp(const um_observable *o, const double *re, const double *im, const double *w,
	double *gre, double *gim)
{
	struct parts p;
	for (int64_t k = 0; o->product == UM_VIS && k < o->n; k++) {
		gre[k] += w[k];
		gim[k] += w[o->n + k];
	}
	for (int64_t k = 0; o->product != UM_VIS && k < o->len; k++) {
		parts_of(o, k, re, im, &p);
		for (int i = 0; i < p.n; i++) {
			gre[p.row[i]] += w[k] * p.g[i][0];
			gim[p.row[i]] += w[k] * p.g[i][1];
		}
	}
}
