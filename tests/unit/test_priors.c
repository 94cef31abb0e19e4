/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <umbra/linalg.h>
#include "plug.h"

#define PI 3.14159265358979323846

/* Opens a prior and an image with the given pixels. */
static plug open_prior(const char *name, um_env env, const char *const *set, const float *pixels, um_array *x)
{
	plug p;
	CHECK_OK(plug_try(&p, UM_PRIOR, name, env, set));
	CHECK_OK(um_env_images(&p.env, 1, x));
	memcpy(x->data, pixels, sizeof(float) * (size_t)um_array_len(x));
	return p;
}

/* log p of one image, and its gradient where dx is given. */
static double density(const char *name, um_env env, const char *const *set, const float *pixels, float *dx)
{
	um_array x = { 0 }, g = { 0 };
	double lp = NAN;
	plug p = open_prior(name, env, set, pixels, &x);
	CHECK_OK(um_env_images(&p.env, 1, &g));
	CHECK_OK(p.prior.ops.logp(p.prior.self, NULL, &x, &lp, dx ? &g : NULL));
	if (dx != NULL)
		memcpy(dx, g.data, sizeof(float) * (size_t)um_array_len(&g));
	um_array_free(&x), um_array_free(&g);
	plug_close(&p);
	return lp;
}

/* Score, J v with probe v, and trace at (alpha, sigma). */
static void diffused(const char *name, um_env env, const char *const *set, const float *pixels, double alpha,
	double sigma, float *s, double *div)
{
	um_array x = { 0 }, out = { 0 };
	plug p = open_prior(name, env, set, pixels, &x);
	CHECK_OK(um_env_images(&p.env, 1, &out));
	um_score_job job = { .size = sizeof(job), .x = &x, .alpha = &alpha, .sigma = &sigma, .s = &out, .div = div };
	CHECK_OK(p.prior.ops.score(p.prior.self, &job));
	memcpy(s, out.data, sizeof(float) * (size_t)um_array_len(&out));
	um_array_free(&x), um_array_free(&out);
	plug_close(&p);
}

static void gaussian_white(void)
{
	const float x[2] = { 1, 2 };
	float dx[2], s[2];
	double div;
	um_env env = plug_env(1, 1, 2);
	const char *const *set = SET("mean=0.5", "sigma=2");
	double want = -log(2 * PI) - 2 * log(2) - (0.25 + 2.25) / 8;
	CHECK_NEAR(density("gaussian", env, set, x, dx), want, 1e-13);
	CHECK_NEAR(dx[0], -0.125, 1e-7);
	CHECK_NEAR(dx[1], -0.375, 1e-7);
	diffused("gaussian", env, set, x, 0.6, 0.8, s, &div);
	CHECK_NEAR(s[1], -(2 - 0.6 * 0.5) / (0.36 * 4 + 0.64), 1e-7);
	CHECK_NEAR(div, -2 / (0.36 * 4 + 0.64), 1e-13);
}

/* AR(1): log p in closed form, with rho = 0.5, one block or two. */
static void gaussian_matrix(void)
{
	const float x[8] = { 0.3f, -1, 2, 0.5f, 1, 1, -1, 0 };
	double want[2];
	for (int b = 0; b < 2; b++) {
		const float *v = x + 4 * b;
		double q = v[0] * v[0];
		for (int i = 1; i < 4; i++)
			q += pow(v[i] - 0.5 * v[i - 1], 2) / 0.75;
		want[b] = -2 * log(2 * PI) - 1.5 * log(0.75) - q / 2;
	}
	const char *const *set = SET("covariance=tests/data/ar1.npy");
	CHECK_NEAR(density("gaussian", plug_env(1, 2, 2), set, x, NULL), want[0], 1e-6);
	CHECK_NEAR(density("gaussian", plug_env(2, 2, 2), set, x, NULL), want[0] + want[1], 1e-6);
}

/* The matrix of a power law has the asked variance on its diagonal, depends on the offset
 * alone, and gives the same density through a Cholesky factor. */
static void power_law(int rows, int columns)
{
	enum { MOST = 48 };
	const int n = rows * columns;
	um_array x = { 0 }, v = { 0 }, c = { 0 };
	float pixels[MOST];
	double d[MOST], lp;
	um_rng r = um_rng_new(4, "power", 0);
	for (int i = 0; i < n; i++)
		pixels[i] = (float)(d[i] = (float)um_normal(&r));
	plug p = open_prior("gaussian", plug_env(1, rows, columns), SET("spectrum=power", "slope=2.5", "k0=0.7",
		"sigma=1.5", "floor=0.2"), pixels, &x);
	CHECK_OK(um_array_new(&v, UM_F64, 2, (const int64_t[]){ n, n }));
	CHECK_OK(um_array_new(&c, UM_F64, 2, (const int64_t[]){ n, n }));
	for (int i = 0; i < n; i++)
		um_row_d(&v, i)[i] = 1;
	CHECK_OK(p.prior.ops.covariance(p.prior.self, 0, false, &v, &c));
	for (int i = 0; i < n * n; i++) {
		int dr = (i % n / columns - i / n / columns + rows) % rows;
		int dc = (i % n % columns - i / n % columns + columns) % columns;
		CHECK_NEAR(((double *)c.data)[i], um_row_d(&c, 0)[dr * columns + dc], 1e-12);
	}
	CHECK_NEAR(um_row_d(&c, 0)[0], 1.5 * 1.5 + 0.2 * 0.2, 1e-12);
	CHECK_OK(p.prior.ops.logp(p.prior.self, NULL, &x, &lp, NULL));
	CHECK_OK(um_cholesky(n, c.data));
	double want = -n / 2.0 * log(2 * PI) - um_cholesky_log_det(n, c.data) / 2, b[MOST];
	memcpy(b, d, sizeof(b));
	um_cholesky_solve(n, c.data, 1, b);
	CHECK_NEAR(lp, want - um_dot(n, b, d) / 2, 1e-8);
	um_array_free(&x), um_array_free(&v), um_array_free(&c);
	plug_close(&p);
}

static void gaussian_power(void)
{
	power_law(6, 8);
	power_law(5, 7);
	power_law(1, 6);
}

/* The toy of Feng et al. 2023; values computed with other code (numpy). */
static void gmm_toy(void)
{
	static const struct { float x[2]; double lp; } rows[] = {
		{ { -0.5f, -0.5f }, 2.074146 }, { { 0, 0 }, -22.232707 }, { { 0.3f, -0.2f }, -24.425809 },
	};
	um_env env = plug_env(1, 1, 2);
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		CHECK_NEAR(density("gmm", env, NULL, rows[i].x, NULL), rows[i].lp, 2e-6);
	const double rate = 0.1 * 1e-3 + 19.9 * 1e-6 / 2;
	float s[2];
	double div;
	diffused("gmm", env, NULL, rows[2].x, exp(-rate / 2), sqrt(-expm1(-rate)), s, &div);
	CHECK_NEAR(s[0], 19.77693, 1e-4);
	CHECK_NEAR(s[1], 69.23857, 1e-4);
}

/* Full covariances; values by differences of the density in plain Python floats. */
static void gmm_full(void)
{
	const float x[2] = { 0.25f, 0.75f };
	float s[2];
	double div;
	um_env env = plug_env(1, 1, 2);
	const char *const *set = SET("weights=[1.0, 3.0]", "means_file=tests/data/mixture_means.npy",
		"covariances=tests/data/mixture_covariances.npy");
	CHECK_NEAR(density("gmm", env, set, x, NULL), -2.435264337990555, 1e-12);
	diffused("gmm", env, set, x, 0.8, 0.3, s, &div);
	CHECK_NEAR(s[0], -1.57475, 1e-5);
	CHECK_NEAR(s[1], -0.340411, 1e-5);
	CHECK_NEAR(div, -2.365638, 1e-4);
}

/* Moments of draws from a mixture, to five standard errors. */
static void gmm_draws(void)
{
	enum { MANY = 20000 };
	plug p;
	um_array x = { 0 };
	double mean[2] = { 0 }, cross = 0;
	um_rng *r = calloc(MANY, sizeof(*r));
	CHECK_OK(plug_try(&p, UM_PRIOR, "gmm", plug_env(1, 1, 2), SET("weights=[1.0, 3.0]",
		"means_file=tests/data/mixture_means.npy", "covariances=tests/data/mixture_covariances.npy")));
	CHECK_OK(um_env_images(&p.env, MANY, &x));
	for (uint64_t i = 0; i < MANY; i++)
		r[i] = um_rng_new(1, "draws", i);
	CHECK_OK(p.prior.ops.sample(p.prior.self, r, &x));
	for (int i = 0; i < MANY; i++) {
		mean[0] += um_row_f(&x, i)[0] / MANY;
		mean[1] += um_row_f(&x, i)[1] / MANY;
		cross += um_row_f(&x, i)[0] * um_row_f(&x, i)[1] / MANY;
	}
	CHECK_NEAR(mean[0], -0.75, 0.03);
	CHECK_NEAR(mean[1], 0.625, 0.03);
	CHECK_NEAR(cross, 0.25 * 0.2 + 0.75 * (-0.1 - 0.5), 0.05);
	free(r);
	um_array_free(&x);
	plug_close(&p);
}

#define ISO 7.887785220966778 /* sqrt(0.3125) + sqrt(1.765625) + 6, pixel by pixel */

/* Differences along columns 0.5 1, 0.125 3.875, along rows 0.25 0.875 2. */
static const float six[6] = { 0.5f, 1, 2, 0.25f, 0.125f, 4 };

static void sparse(void)
{
	static const struct { const char *name, *a, *b; double want; } cases[] = {
		{ "tv", "norm=anisotropic", "reduce=sum", -8.625 },
		{ "tv", "norm=anisotropic", "reduce=mean", -5.5 / 4 - 3.125 / 3 },
		{ "tv", "norm=isotropic", "weight=3", -3 * ISO },
		{ "tv", "norm=isotropic", "reduce=mean", -ISO / 6 },
		{ "l1", "weight=2", "reduce=sum", -2 * 7.875 }, { "l1", "weight=2", "reduce=mean", -2 * 7.875 / 6 },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		CHECK_NEAR(density(cases[i].name, plug_env(1, 2, 3), SET(cases[i].a, cases[i].b, "epsilon=1e-9"),
			six, NULL), cases[i].want, 1e-7);
	const float flat[6] = { 1, 1, 1, 1, 1, 1 };
	float dx[6];
	CHECK(density("tv", plug_env(1, 2, 3), NULL, flat, dx) == 0);
	for (int i = 0; i < 6; i++)
		CHECK(dx[i] == 0);
}

static void entropy(void)
{
	float twice[6], dx[6];
	const char *const *set = SET("reference=tests/data/six_pixels.npy");
	for (int i = 0; i < 6; i++)
		twice[i] = 2 * six[i];
	CHECK_NEAR(density("entropy", plug_env(1, 2, 3), set, six, dx), 0, 1e-12);
	CHECK_NEAR(dx[3], 0, 1e-6);
	CHECK_NEAR(density("entropy", plug_env(1, 2, 3), set, twice, dx), -(2 * log(2) - 1) * 7.875, 1e-12);
	CHECK_NEAR(dx[4], -log(2), 1e-6);
	const float ones[5] = { 1, 1, 1, 1, 1 }, zeros[5] = { 0 };
	density("entropy", plug_env(1, 1, 5), SET("fwhm=4.0"), ones, dx);
	CHECK_NEAR(dx[2] - dx[1], log(2), 1e-6); /* half the peak one pixel of 2 uas from the centre */
	CHECK_NEAR(density("entropy", plug_env(1, 1, 5), SET("flux=3.0", "reduce=mean"), zeros, dx), -0.6, 1e-12);
	CHECK(isfinite(dx[0]));
}

static void refused(void)
{
	plug p;
	um_env env = plug_env(1, 1, 3), dark = plug_env(1, 2, 3);
	CHECK_FAILS(plug_try(&p, UM_PRIOR, "gmm", env, NULL), UM_EPARAM, "images of 3 pixels");
	plug_close(&p);
	CHECK_FAILS(plug_try(&p, UM_PRIOR, "gmm", plug_env(1, 1, 2), SET("weights=[1.0]")), UM_EPARAM, "weights");
	plug_close(&p);
	dark.pixel = 0;
	CHECK_FAILS(plug_try(&p, UM_PRIOR, "entropy", dark, NULL), UM_EPARAM, "fov_uas, or a reference file");
	plug_close(&p);
	CHECK_FAILS(plug_try(&p, UM_PRIOR, "compact", dark, SET("unit=uas")), UM_EPARAM, "fov_uas, or say unit");
	plug_close(&p);
	CHECK_FAILS(plug_try(&p, UM_PRIOR, "entropy", env, SET("reference=tests/data/six_pixels.npy")), UM_EDATA,
		"3 are needed");
	plug_close(&p);
	CHECK_FAILS(plug_try(&p, UM_PRIOR, "gaussian", dark, SET("covariance=tests/data/ar1.npy")), UM_EDATA,
		"6 x 6");
	plug_close(&p);
}

CHECK_MAIN(CHECK_CASE(gaussian_white), CHECK_CASE(gaussian_matrix), CHECK_CASE(gaussian_power),
	CHECK_CASE(gmm_toy), CHECK_CASE(gmm_full), CHECK_CASE(gmm_draws), CHECK_CASE(sparse), CHECK_CASE(entropy),
	CHECK_CASE(refused))
