/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Correlated closures: the diagonal case, gradients on the circle, and the law of chi-square. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <umbra/correlation.h>
#include <umbra/observe.h>
#include "check.h"

#define SYNTHETIC "tests/data/synthetic.uvfits"
#define PI 3.14159265358979323846

static const um_observe minimal = { 0 };
static const um_product both[] = { UM_CPHASE, UM_LOGCAMP };

/* Relative variances of the rows; the caller frees them. */
static double *variances(const um_uvdata *d)
{
	double *r = calloc((size_t)d->nrows, sizeof(*r));
	for (int64_t i = 0; i < d->nrows; i++)
		r[i] = pow(d->rows[i].sigma, 2) / (pow(d->rows[i].re, 2) + pow(d->rows[i].im, 2));
	return r;
}

/* One closure at each time has nothing to be correlated with. */
static void alone(void)
{
	static const char *const names[] = { "AA", "LM", "PV", "SM" };
	for (int k = 0; k < 2; k++) {
		um_uvdata d;
		um_observable o;
		um_correlation *c;
		CHECK_OK(um_uvfits_read(SYNTHETIC, &d));
		CHECK_OK(um_uvdata_select(&d, 0, 1e12, 3 + k, names));
		CHECK_OK(um_observable_new(&d, both[k], &minimal, &o));
		double *r = variances(&d), *f = calloc((size_t)(3 * o.n), sizeof(*f));
		for (int64_t i = 0; i < o.n; i++)
			f[i] = o.y[i] + 0.7 * (double)i; /* far off, too */
		if (k == 1)
			o.n = o.len = 1; /* two amplitudes a time: the first alone */
		CHECK_OK(um_correlation_new(&o, &c));
		CHECK_OK(um_correlation_set(c, r));
		CHECK_REL(um_correlation_chi2(c, o.y, o.sigma, f, f + o.n),
			um_observable_chi2(&o, o.y, o.sigma, f, f + 2 * o.n), 1e-13);
		for (int64_t i = 0; i < o.n; i++)
			CHECK_NEAR(f[o.n + i], f[2 * o.n + i], 1e-12 * fabs(f[2 * o.n + i]) + 1e-12);
		um_correlation_free(c);
		um_observable_free(&o);
		um_uvdata_free(&d);
		free(r);
		free(f);
	}
}

/* Derivatives at residuals all around the circle; a whole turn changes nothing. */
static void gradient(void)
{
	um_uvdata d;
	um_rng g = um_rng_new(3, "gradient", 0);
	CHECK_OK(um_uvfits_read(SYNTHETIC, &d));
	double *r = variances(&d);
	for (int k = 0; k < 2; k++) {
		um_observable o;
		um_correlation *c;
		CHECK_OK(um_observable_new(&d, both[k], &minimal, &o));
		CHECK_OK(um_correlation_new(&o, &c));
		CHECK_OK(um_correlation_set(c, r));
		double *f = calloc((size_t)(2 * o.n), sizeof(*f));
		for (int64_t i = 0; i < o.n; i++)
			f[i] = o.y[i] + 2 * PI * (um_uniform(&g) - 0.5);
		double here = um_correlation_chi2(c, o.y, o.sigma, f, f + o.n), side[2];
		for (int64_t i = 0; i < o.n; i++) {
			const double old = f[i], h = 1e-5;
			for (int s = 0; s < 2; s++) {
				f[i] = old + (s ? h : -h);
				side[s] = um_correlation_chi2(c, o.y, o.sigma, f, NULL);
			}
			CHECK_NEAR((side[1] - side[0]) / (2 * h), f[o.n + i], 1e-6 * fabs(f[o.n + i]) + 1e-8 * here);
			f[i] = k == 0 ? old + 2 * PI * (double)(i % 3 - 1) : old;
		}
		CHECK_REL(um_correlation_chi2(c, o.y, o.sigma, f, NULL), here, 1e-9);
		free(f);
		um_correlation_free(c);
		um_observable_free(&o);
	}
	free(r);
	um_uvdata_free(&d);
}

/* Mean and variance of n chi2 at the truth, over data with thermal noise alone. */
static void spread(um_product p, bool full, double *mean, double *variance, int64_t *n)
{
	enum { DRAWS = 3000 };
	um_uvdata d, noisy;
	um_observable o;
	um_correlation *c;
	double sum = 0, squares = 0;
	CHECK_OK(um_uvfits_read(SYNTHETIC, &d));
	for (int64_t i = 0; i < d.nrows; i++) /* strong signals, of unequal quality */
		d.rows[i].sigma = hypot(d.rows[i].re, d.rows[i].im) * (i % 4 ? 0.003 : 0.012);
	CHECK_OK(um_observable_new(&d, p, &minimal, &o));
	CHECK_OK(um_correlation_new(&o, &c));
	double *r = variances(&d), *y = calloc((size_t)(2 * o.n), sizeof(*y));
	CHECK_OK(um_correlation_set(c, r));
	*n = o.n;
	for (int k = 0; k < DRAWS; k++) {
		um_rng g = um_rng_new(6, "noise", (uint64_t)k);
		CHECK_OK(um_uvdata_copy(&d, &noisy));
		um_observe_noise(&noisy, &g);
		um_observable_measure(&o, &noisy, false, y, y + o.n);
		double x = (double)o.n * (full ? um_correlation_chi2(c, y, o.sigma, o.y, NULL)
			: um_observable_chi2(&o, y, o.sigma, o.y, NULL));
		sum += x;
		squares += x * x;
		um_uvdata_free(&noisy);
	}
	*mean = sum / DRAWS;
	*variance = squares / DRAWS - *mean * *mean;
	free(r);
	free(y);
	um_correlation_free(c);
	um_observable_free(&o);
	um_uvdata_free(&d);
}

/* With the covariance n chi2 has the law of n independent numbers, mean n and variance 2 n. The
 * diagonal one has the mean, but scatters far more: it is no goodness of fit. */
static void law(void)
{
	double mean, variance;
	int64_t n;
	for (int k = 0; k < 2; k++) {
		spread(both[k], true, &mean, &variance, &n);
		CHECK_REL(mean, (double)n, 0.015);
		CHECK_REL(variance, 2 * (double)n, 0.12);
		spread(both[k], false, &mean, &variance, &n);
		CHECK_REL(mean, (double)n, 0.02);
		CHECK(variance > 2 * 1.6 * (double)n);
	}
}

static void refusals(void)
{
	um_uvdata d;
	um_observable o;
	um_correlation *c;
	CHECK_OK(um_uvfits_read(SYNTHETIC, &d));
	double *r = variances(&d);
	for (int k = 0; k < 2; k++) {
		CHECK_OK(um_observable_new(&d, both[k], &(um_observe){ .maximal = true }, &o));
		CHECK_OK(um_correlation_new(&o, &c));
		CHECK_FAILS(um_correlation_set(c, r), UM_ENUM, "minimal set");
		um_correlation_free(c);
		um_observable_free(&o);
	}
	CHECK_OK(um_observable_new(&d, UM_CAMP, &minimal, &o));
	CHECK_FAILS(um_correlation_new(&o, &c), UM_EARG, "not of camp");
	um_observable_free(&o);
	um_uvdata_free(&d);
	free(r);
}

CHECK_MAIN(CHECK_CASE(alone), CHECK_CASE(gradient), CHECK_CASE(law), CHECK_CASE(refusals))
