/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Priors that are one term of an image: values and gradients worked out by hand. */
#include "plug.h"

/* log p of one image, and its gradient where dx is given. */
static um_status density(const char *name, um_env env, const char *const *set, const float *pixels, double *lp,
	float *dx)
{
	um_array x = { 0 }, g = { 0 };
	plug p;
	CHECK_OK(plug_try(&p, UM_PRIOR, name, env, set));
	CHECK_OK(um_env_images(&p.env, 1, &x));
	CHECK_OK(um_env_images(&p.env, 1, &g));
	memcpy(x.data, pixels, sizeof(float) * (size_t)um_array_len(&x));
	um_status st = p.prior.ops.logp(p.prior.self, NULL, &x, lp, dx != NULL ? &g : NULL);
	if (dx != NULL)
		memcpy(dx, g.data, sizeof(float) * (size_t)um_array_len(&g));
	um_array_free(&x), um_array_free(&g);
	plug_close(&p);
	return st;
}

static double value(const char *name, um_env env, const char *const *set, const float *pixels)
{
	double lp = NAN;
	CHECK_OK(density(name, env, set, pixels, &lp, NULL));
	return lp;
}

/* Squared differences along columns 0.25 1, 0.015625 15.015625, along rows 0.0625 0.765625 4. */
static const float six[6] = { 0.5f, 1, 2, 0.25f, 0.125f, 4 };
#define ACROSS 16.28125
#define DOWN 4.828125

static void tsv(void)
{
	const float flat[6] = { 3, 3, 3, 3, 3, 3 };
	float twice[12], dx[6];
	double lp;
	um_env env = plug_env(1, 2, 3);
	memcpy(twice, six, sizeof(six));
	memcpy(twice + 6, six, sizeof(six));
	CHECK_NEAR(value("tsv", env, NULL, six), -ACROSS - DOWN, 1e-12);
	CHECK_NEAR(value("tsv", env, SET("weight=3"), six), -3 * (ACROSS + DOWN), 1e-12);
	CHECK_NEAR(value("tsv", env, SET("reduce=mean"), six), -ACROSS / 4 - DOWN / 3, 1e-12);
	CHECK_NEAR(value("tsv", plug_env(2, 2, 3), NULL, twice), -2 * (ACROSS + DOWN), 1e-12);
	CHECK_NEAR(value("tsv", plug_env(2, 2, 3), SET("reduce=mean"), twice), -ACROSS / 4 - DOWN / 3, 1e-12);
	CHECK_NEAR(value("tsv", plug_env(1, 1, 6), SET("reduce=mean"), six), -(ACROSS + 3.0625) / 5, 1e-12);
	CHECK(value("tsv", env, NULL, flat) == 0);
	CHECK_OK(density("tsv", env, NULL, six, &lp, dx));
	CHECK_NEAR(dx[0], 2 * 0.5 - 2 * 0.25, 1e-6);
	CHECK_NEAR(dx[5], -2 * 3.875 - 2 * 2, 1e-6);
}

/* Two pixels, brightness 3 and 1, a columns and b rows apart: V = (a^2 + b^2) 3/16. */
static void compact(void)
{
	const double v = 5 * 3.0 / 16, four_log2 = 4 * log(2);
	float x[12] = { 0 }, moved[12] = { 0 }, dx[12];
	double lp;
	um_env env = plug_env(1, 3, 4);
	x[0] = 3, x[4 + 2] = 1;
	moved[4 + 1] = 6, moved[8 + 3] = 2;
	CHECK_NEAR(value("compact", env, SET("fwhm=1.0"), x), -four_log2 * v, 1e-12);
	CHECK_NEAR(value("compact", env, SET("fwhm=1.0"), moved), -four_log2 * v, 1e-12);
	CHECK_NEAR(value("compact", env, SET("fwhm=3.0", "weight=2.0"), x), -2 * four_log2 * v / 9, 1e-12);
	CHECK_NEAR(value("compact", env, SET("fwhm=6.0", "unit=uas"), x), -four_log2 * v / 9, 1e-12); /* 2 uas */
	CHECK_OK(density("compact", env, SET("fwhm=1.0"), x, &lp, dx));
	CHECK_NEAR(dx[6], -four_log2 * (5 * 9.0 / 16 - v) / 4, 1e-6);
	CHECK_NEAR(3 * dx[0] + dx[6], 0, 1e-6); /* brightness alone does not matter */
	memset(x, 0, sizeof(x));
	CHECK_FAILS(density("compact", env, NULL, x, &lp, NULL), UM_ENUM, "softplus");
}

/* A round Gaussian of the given width costs the weight. */
static void compact_gaussian(void)
{
	enum { N = 33 };
	float x[N * N];
	for (int i = 0; i < N * N; i++) {
		double r2 = pow(i / N - 15.3, 2) + pow(i % N - 17.1, 2);
		x[i] = (float)(7 * exp(-4 * log(2) * r2 / 36));
	}
	CHECK_NEAR(value("compact", plug_env(1, N, N), SET("fwhm=6.0", "weight=5.0"), x), -5, 1e-4);
	CHECK_NEAR(value("compact", plug_env(1, N, N), SET("fwhm=24.0", "unit=uas"), x), -0.25, 1e-5);
}

/* Brightness 3 at column 0, row 0 and 1 at column 2, row 1: centroid at column 0.5, row 0.25. */
static void centroid(void)
{
	float x[12] = { 0 }, dx[12];
	double lp;
	um_env env = plug_env(1, 3, 4);
	x[0] = 3, x[4 + 2] = 1;
	CHECK_NEAR(value("centroid", env, SET("weight=4.0"), x), -2 * (1 + 0.5625), 1e-12);
	CHECK_NEAR(value("centroid", env, SET("east=1.0", "north=0.75"), x), 0, 1e-12);
	CHECK_NEAR(value("centroid", env, SET("east=3.0", "north=1.5"), x), -0.5 * (4 + 0.5625), 1e-12);
	CHECK_NEAR(value("centroid", env, SET("east=-2.0", "unit=uas"), x), -0.5 * 4 * (4 + 0.5625), 1e-12);
	CHECK_NEAR(value("centroid", env, SET("east=2.0", "north=1.5", "unit=uas"), x), 0, 1e-12);
	CHECK_OK(density("centroid", env, NULL, x, &lp, dx));
	CHECK_NEAR(dx[0], -(-1 * -0.5 + -0.75 * -0.25) / 4, 1e-7);
	CHECK_NEAR(dx[6], -(-1 * 1.5 + -0.75 * 0.75) / 4, 1e-7);
	memset(x, 0, sizeof(x));
	CHECK_FAILS(density("centroid", env, NULL, x, &lp, NULL), UM_ENUM, "softplus");
}

/* Channels are images of their own. */
static void channels(void)
{
	float x[24] = { 0 };
	double one[2];
	x[0] = 3, x[4 + 2] = 1, x[12 + 3] = 2, x[12 + 8] = 5;
	for (int i = 0; i < 2; i++)
		for (int k = 0; k < 2; k++) {
			const char *name = i == 0 ? "compact" : "centroid";
			one[k] = value(name, plug_env(1, 3, 4), NULL, x + 12 * k);
			if (k == 1)
				CHECK_NEAR(value(name, plug_env(2, 3, 4), NULL, x), one[0] + one[1], 1e-12);
		}
}

static void refused(void)
{
	plug p;
	um_env env = plug_env(1, 3, 4);
	env.pixel = 0;
	CHECK_FAILS(plug_try(&p, UM_PRIOR, "compact", env, SET("unit=uas")), UM_EPARAM, "fov_uas");
	plug_close(&p);
	CHECK_FAILS(plug_try(&p, UM_PRIOR, "centroid", env, SET("unit=uas")), UM_EPARAM, "fov_uas");
	plug_close(&p);
	CHECK_FAILS(plug_try(&p, UM_PRIOR, "tsv", env, SET("reduce=median")), UM_EPARAM, "reduce");
	plug_close(&p);
}

CHECK_MAIN(CHECK_CASE(tsv), CHECK_CASE(compact), CHECK_CASE(compact_gaussian), CHECK_CASE(centroid),
	CHECK_CASE(channels), CHECK_CASE(refused))
