/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Data products of visibilities. psi = arg V1 V2 V3 with sigma^2 = sum (sigma_i/|V_i|)^2;
 * L = ln|V1 V2/(V3 V4)| with the same sum over four; C = exp L, sigma_C = C sigma_L;
 * B = V1 V2 V3, sigma_B = |B| sigma_psi for each part. Debiased, |V| is sqrt(|V|^2 - sigma^2),
 * L gains (1/S1^2 + 1/S2^2 - 1/S3^2 - 1/S4^2)/2 and C is divided by 1 + 1/S3^2 + 1/S4^2,
 * S = |V|/sigma (eht-imaging; Chael et al. 2018, doi:10.3847/1538-4357/aab6a8). */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "closure.h"

static const struct {
	const char *name;
	int terms;    /* rows of a closure; 0: not closures */
	bool complex;
} kinds[UM_PRODUCTS] = {
	[UM_VIS] = { "vis", 0, true }, [UM_AMP] = { "amp", 0, false },
	[UM_CPHASE] = { "cphase", 3, false }, [UM_LOGCAMP] = { "logcamp", 4, false },
	[UM_CAMP] = { "camp", 4, false }, [UM_BISPECTRUM] = { "bispectrum", 3, true },
};

const char *um_product_name(um_product p)
{
	return kinds[p].name;
}

int um_product_named(const char *name, um_product *out)
{
	for (int p = 0; p < UM_PRODUCTS; p++)
		if (strcmp(kinds[p].name, name) == 0) {
			*out = (um_product)p;
			return 1;
		}
	return 0;
}

int um_product_terms(um_product p)
{
	return kinds[p].terms;
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
	if (kinds[p].terms > 0) {
		o.n = 0;
		UM_TRY(um_closures_find(d, how->maximal, &o));
	}
	o.len = kinds[p].complex ? 2 * o.n : o.n;
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

/* V1 V2 V3 with its error. */
static void measure_triple(const um_closure *c, const um_uvdata *d, double b[2], double *s2)
{
	b[0] = 1;
	b[1] = 0;
	*s2 = 0;
	for (int i = 0; i < 3; i++) {
		const um_uvrow *r = &d->rows[c->row[i]];
		double im = c->conj[i] ? -r->im : r->im;
		double t = b[0] * r->re - b[1] * im;
		b[1] = b[0] * im + b[1] * r->re;
		b[0] = t;
		*s2 += r->sigma * r->sigma / (r->re * r->re + r->im * r->im);
	}
}

static void measure_triangles(const um_observable *o, const um_uvdata *d, double *y, double *sigma)
{
	for (int64_t k = 0; k < o->n; k++) {
		double b[2], s2;
		measure_triple(&o->closure[k], d, b, &s2);
		if (o->product == UM_CPHASE) {
			y[k] = atan2(b[1], b[0]);
			sigma[k] = sqrt(s2);
		} else {
			y[k] = b[0];
			y[o->n + k] = b[1];
			sigma[k] = sigma[o->n + k] = hypot(b[0], b[1]) * sqrt(s2);
		}
	}
}

static void measure_quadrangles(const um_observable *o, const um_uvdata *d, bool debias, double *y,
	double *sigma)
{
	for (int64_t k = 0; k < o->n; k++) {
		double l = 0, s2 = 0, gain = 0, under = 1;
		for (int i = 0; i < 4; i++) {
			const um_uvrow *r = &d->rows[o->closure[k].row[i]];
			double sign = i < 2 ? 1 : -1;
			double a = hypot(r->re, r->im);
			if (debias)
				a = a > r->sigma ? sqrt(a * a - r->sigma * r->sigma) : r->sigma;
			double q = r->sigma * r->sigma / (a * a);
			l += sign * log(a);
			gain += 0.5 * sign * q;
			under += i < 2 ? 0 : q;
			s2 += q;
		}
		bool ratio = o->product == UM_CAMP;
		y[k] = ratio ? exp(l) / (debias ? under : 1) : l + (debias ? gain : 0);
		sigma[k] = (ratio ? exp(l) : 1) * sqrt(s2);
	}
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
	if (kinds[o->product].terms == 0)
		measure_rows(o, d, debias, y, sigma);
	else if (kinds[o->product].terms == 3)
		measure_triangles(o, d, y, sigma);
	else
		measure_quadrangles(o, d, debias, y, sigma);
}

double um_observable_chi2(const um_observable *o, const double *y, const double *sigma,
	const double *f, double *df)
{
	double sum = 0;
	double n = (double)o->len;
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
