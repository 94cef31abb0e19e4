/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Station gains solved from visibilities, against gains that were planted. */
#include <umbra/gains.h>
#include <umbra/observable.h>
#include <umbra/rng.h>
#include "check.h"

#define PI 3.14159265358979323846

/* The invented observation with a model of every visibility. */
typedef struct scene {
	um_uvdata d;
	um_gainset s;
	double *re, *im, *sigma, *mre, *mim, *fre, *fim; /* one block */
	double *p, *truth;
} scene;

/* Gains of spread sd (log amplitude) and turns of any phase, noise times a typical sigma. */
static void scene_open(scene *c, um_gain_interval each, double sd, double noise, uint64_t seed)
{
	CHECK_OK(um_uvfits_read("tests/data/synthetic.uvfits", &c->d));
	CHECK_OK(um_gainset_new(&c->d, each, &c->s));
	const int64_t n = c->d.nrows;
	um_rng r = um_rng_new(seed, "gains", 0), own = um_rng_new(seed, "noise", 0);
	c->re = calloc((size_t)(7 * n + 2 * c->s.nparams), sizeof(double));
	c->im = c->re + n, c->sigma = c->im + n, c->mre = c->sigma + n, c->mim = c->mre + n;
	c->fre = c->mim + n, c->fim = c->fre + n, c->p = c->fim + n, c->truth = c->p + c->s.nparams;
	for (int64_t i = 0; i < c->s.nparams; i++)
		c->truth[i] = um_normal(&r) * (i < c->s.nparams / 2 ? sd : 2.0);
	um_gainset_factor(&c->s, c->truth, c->fre, c->fim);
	for (int64_t i = 0; i < n; i++) {
		c->mre[i] = 0.6 + 0.1 * um_normal(&r);
		c->mim[i] = 0.3 * um_normal(&r);
		c->sigma[i] = 0.01 * (1 + um_uniform(&r));
		c->re[i] = c->fre[i] * c->mre[i] - c->fim[i] * c->mim[i] + noise * c->sigma[i] * um_normal(&own);
		c->im[i] = c->fre[i] * c->mim[i] + c->fim[i] * c->mre[i] + noise * c->sigma[i] * um_normal(&own);
	}
}

static void scene_close(scene *c)
{
	um_uvdata_free(&c->d);
	um_gainset_free(&c->s);
	free(c->re);
}

static um_gainfit fit_of(const scene *c)
{
	return (um_gainfit){ .re = c->re, .im = c->im, .sigma = c->sigma, .model_re = c->mre,
		.model_im = c->mim, .amplitude_sd = 1e3, .phase_sd = 1e3 };
}

static double chi2(scene *c)
{
	double sum = 0;
	um_gainset_factor(&c->s, c->p, c->fre, c->fim);
	for (int64_t i = 0; i < c->s.nrows; i++) {
		double re = c->fre[i] * c->mre[i] - c->fim[i] * c->mim[i] - c->re[i];
		double im = c->fre[i] * c->mim[i] + c->fim[i] * c->mre[i] - c->im[i];
		sum += (re * re + im * im) / (c->sigma[i] * c->sigma[i]);
	}
	return sum;
}

static bool has(const um_gainset *s, int64_t interval, int station)
{
	for (int64_t i = s->first[interval]; i < s->first[interval + 1]; i++)
		if (s->t1[i] == station || s->t2[i] == station)
			return true;
	return false;
}

/* Largest errors of log amplitude and of phase relative to the first station there. */
static void errors(const scene *c, double *amplitude, double *phase)
{
	const int64_t half = c->s.nparams / 2;
	*amplitude = *phase = 0;
	for (int64_t k = 0; k < c->s.nintervals; k++) {
		const double *l = c->p + k * c->s.nstations, *t = c->truth + k * c->s.nstations;
		int ref = 0;
		while (!has(&c->s, k, ref))
			ref++;
		CHECK_NEAR(l[half + ref], 0, 0);
		for (int i = 0; i < c->s.nstations; i++) {
			if (!has(&c->s, k, i)) {
				CHECK(l[i] == 0 && l[half + i] == 0);
				continue;
			}
			*amplitude = fmax(*amplitude, fabs(l[i] - t[i]));
			*phase = fmax(*phase, fabs(remainder(l[half + i] - t[half + i] + t[half + ref], 2 * PI)));
		}
	}
}

/* Without noise the gains come back, however far the phases turned. */
static void recovery(void)
{
	for (int each = 0; each < 3; each++) {
		scene c = { 0 };
		double amplitude, phase;
		scene_open(&c, (um_gain_interval)each, 0.2, 0, 1 + (uint64_t)each);
		CHECK(each != UM_GAIN_CONSTANT || c.s.nintervals == 1);
		CHECK(each != UM_GAIN_TIME || c.s.nintervals == um_uvdata_times(&c.d));
		um_gainfit fit = fit_of(&c);
		CHECK_OK(um_gainset_solve(&c.s, &fit, c.p));
		CHECK(chi2(&c) < 1e-6);
		errors(&c, &amplitude, &phase);
		CHECK_NEAR(phase, 0, 1e-6);
		CHECK_NEAR(amplitude, 0, 1e-6); /* every time has a triangle */
		scene_close(&c);
	}
}

/* Correcting by gains moves no closure phase and no closure amplitude. */
static void closures(void)
{
	scene c = { 0 };
	um_observable o;
	double *y[2], *sigma;
	scene_open(&c, UM_GAIN_TIME, 0.1, 1, 5);
	um_gainfit fit = fit_of(&c);
	CHECK_OK(um_gainset_solve(&c.s, &fit, c.p));
	um_gainset_factor(&c.s, c.p, c.fre, c.fim);
	for (int product = UM_CPHASE; product <= UM_LOGCAMP; product++) {
		for (int64_t i = 0; i < c.d.nrows; i++)
			c.d.rows[i].re = c.re[i], c.d.rows[i].im = c.im[i];
		CHECK_OK(um_observable_new(&c.d, (um_product)product, &(um_observe){ 0 }, &o));
		y[0] = calloc((size_t)o.len * 3, sizeof(double)), y[1] = y[0] + o.len, sigma = y[1] + o.len;
		for (int corrected = 0; corrected < 2; corrected++) {
			for (int64_t i = 0; corrected && i < c.d.nrows; i++) {
				double norm = c.fre[i] * c.fre[i] + c.fim[i] * c.fim[i];
				c.d.rows[i].re = (c.re[i] * c.fre[i] + c.im[i] * c.fim[i]) / norm;
				c.d.rows[i].im = (c.im[i] * c.fre[i] - c.re[i] * c.fim[i]) / norm;
			}
			um_observable_measure(&o, &c.d, false, y[corrected], sigma);
		}
		for (int64_t i = 0; i < o.n; i++)
			CHECK_NEAR(remainder(y[1][i] - y[0][i], 2 * PI), 0, 1e-9);
		free(y[0]);
		um_observable_free(&o);
	}
	scene_close(&c);
}

/* Small errors are linear in the noise. */
static void noise(void)
{
	double amplitude[2], phase[2];
	for (int k = 0; k < 2; k++) {
		scene c = { 0 };
		scene_open(&c, UM_GAIN_CONSTANT, 0.1, k ? 0.2 : 0.1, 9);
		um_gainfit fit = fit_of(&c);
		CHECK_OK(um_gainset_solve(&c.s, &fit, c.p));
		errors(&c, &amplitude[k], &phase[k]);
		scene_close(&c);
	}
	CHECK(amplitude[0] > 1e-5 && phase[0] > 1e-5);
	CHECK_REL(amplitude[1], 2 * amplitude[0], 0.02);
	CHECK_REL(phase[1], 2 * phase[0], 0.02);
}

/* A baseline without data, and a station without any, which keeps a gain of 1. */
static void missing(void)
{
	scene c = { 0 };
	double amplitude, phase;
	scene_open(&c, UM_GAIN_CONSTANT, 0.2, 0, 4);
	for (int64_t i = 0; i < c.s.nrows; i++) {
		bool gone = (c.s.t1[i] == 0 && c.s.t2[i] == 1) || c.s.t2[i] == c.s.nstations - 1
			|| c.s.t1[i] == c.s.nstations - 1;
		if (gone)
			c.mre[i] = c.mim[i] = 0; /* nothing seen: nothing learnt */
	}
	um_gainfit fit = fit_of(&c);
	CHECK_OK(um_gainset_solve(&c.s, &fit, c.p));
	const int last = c.s.nstations - 1;
	CHECK_NEAR(c.p[last], 0, 0);
	CHECK_NEAR(c.p[c.s.nstations + last], 0, 0);
	c.truth[last] = 0;
	c.truth[c.s.nstations + last] = c.truth[c.s.nstations];
	errors(&c, &amplitude, &phase);
	CHECK_NEAR(amplitude, 0, 1e-6);
	CHECK_NEAR(phase, 0, 1e-6);
	scene_close(&c);
}

/* A narrow prior wins, none of width 0 lets anything move, and no fit is worse than its start. */
static void priors(void)
{
	scene c = { 0 };
	scene_open(&c, UM_GAIN_SCAN, 0.2, 1, 3);
	double start = chi2(&c);
	um_gainfit fit = fit_of(&c);
	fit.amplitude_sd = 1e-7;
	CHECK_OK(um_gainset_solve(&c.s, &fit, c.p));
	double phases = chi2(&c);
	CHECK(phases < start);
	for (int64_t i = 0; i < c.s.nparams / 2; i++)
		CHECK_NEAR(c.p[i], 0, 1e-6);
	fit.amplitude_sd = 0;
	memset(c.p, 0, sizeof(double) * (size_t)c.s.nparams);
	CHECK_OK(um_gainset_solve(&c.s, &fit, c.p));
	CHECK_REL(chi2(&c), phases, 1e-4);
	for (int64_t i = 0; i < c.s.nparams / 2; i++)
		CHECK(c.p[i] == 0);
	fit.amplitude_sd = 1e3;
	fit.phase_sd = 0;
	memcpy(c.p + c.s.nparams / 2, c.truth + c.s.nparams / 2, sizeof(double) * (size_t)(c.s.nparams / 2));
	CHECK_OK(um_gainset_solve(&c.s, &fit, c.p));
	CHECK(chi2(&c) < 0.5 * phases);
	CHECK(memcmp(c.p + c.s.nparams / 2, c.truth + c.s.nparams / 2,
		sizeof(double) * (size_t)(c.s.nparams / 2)) == 0);
	fit.phase_sd = 0.01;
	memset(c.p, 0, sizeof(double) * (size_t)c.s.nparams);
	CHECK_OK(um_gainset_solve(&c.s, &fit, c.p));
	CHECK(chi2(&c) < start && chi2(&c) > 0);
	for (int64_t i = c.s.nparams / 2; i < c.s.nparams; i++)
		CHECK(fabs(c.p[i]) <= PI);
	scene_close(&c);
}

CHECK_MAIN(CHECK_CASE(recovery), CHECK_CASE(closures), CHECK_CASE(noise), CHECK_CASE(missing),
	CHECK_CASE(priors))
