/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "posterior.h"

/* For a Gaussian posterior the optimum is its mean, wherever the search starts. */
static void gaussian_mean(void)
{
	const char *const *starts[] = { NULL, SET("start=noise", "starts=3", "jitter=2.0"),
		SET("start=blob", "level=0.5"), SET("schedule=[1.0]", "density=latent") };
	dense d = dense_random(64, 24, 3);
	known z = dense_solve(&d);
	for (size_t c = 0; c < sizeof(starts) / sizeof(*starts); c++) {
		keeper k = { 0 };
		CHECK_OK(infer("map", starts[c], &d, UM_IDENTITY, 1, &k));
		int64_t count = k.memory.samples.dim[0];
		CHECK(count == (c == 1 ? 3 : 1) && k.traced > 5);
		for (int64_t i = 0; i < count * d.n; i++)
			CHECK_NEAR(um_row_f(&k.memory.samples, 0)[i], z.mean[i % d.n], 1e-4);
		CHECK_NEAR(um_memory_metric(&k.memory, "starts_agree"), (double)count, 0);
		CHECK_NEAR(um_memory_metric(&k.memory, "starts_converged") +
			um_memory_metric(&k.memory, "starts_stalled"), (double)count, 0);
		if (c == 1)
			CHECK_NEAR(um_memory_metric(&k.memory, "image_distance"), 0, 1e-4);
		keeper_free(&k);
	}
	known_free(&z);
	dense_free(&d);
}

/* One pixel, x = softplus(u), both terms Gaussian: the density of x peaks at its posterior mean,
 * that of u where p (mean - x) dx/du + 1 - dx/du = 0. */
static void two_densities(void)
{
	dense d = dense_new(1, 1, 1);
	d.a[0] = 1, d.sigma[0] = 0.5, d.y[0] = 1.2;
	d.w[0] = 1, d.m[0] = 0.8, d.s[0] = 1;
	dense_ready(&d);
	known z = dense_solve(&d);
	for (int latent = 0; latent < 2; latent++) {
		keeper k = { 0 };
		const char *const *set = latent ? SET("density=latent") : SET("density=image");
		CHECK_OK(infer("map", set, &d, UM_SOFTPLUS, 1, &k));
		double u = um_row_f(&k.memory.samples, 0)[0], x = log1p(exp(u)), slope = 1 / (1 + exp(-u));
		if (latent)
			CHECK_NEAR(z.p[0] * (z.mean[0] - x) * slope + 1 - slope, 0, 1e-4);
		else
			CHECK_NEAR(x, z.mean[0], 1e-4);
		keeper_free(&k);
	}
	known_free(&z);
	dense_free(&d);
}

/* Two modes: the better one comes first, and the starts are told apart. */
static void several_modes(void)
{
	dense d = dense_toy();
	keeper k = { 0 };
	CHECK_OK(infer("map", SET("start=noise", "starts=8", "schedule=[1.0]"), &d, UM_IDENTITY, 8, &k));
	const float *x = k.memory.samples.data;
	CHECK(k.memory.samples.dim[0] == 8);
	CHECK_NEAR(x[0], -0.52755, 1e-3);
	CHECK_NEAR(x[1], -0.47658, 1e-3);
	CHECK_NEAR(x[14], 0.41736, 1e-3);
	CHECK_NEAR(x[15], 0.57025, 1e-3);
	double agree = um_memory_metric(&k.memory, "starts_agree");
	CHECK(agree >= 1 && agree < 8);
	CHECK(um_memory_metric(&k.memory, "objective_sd") > 0.1);
	keeper_free(&k);
	dense_free(&d);
}

static void resume(void)
{
	dense d = dense_random(64, 24, 3);
	const int64_t stops[] = { 1, 9, 25, 60 };
	for (int i = 0; i < 4; i++)
		check_resume("map", SET("starts=3"), &d, UM_SOFTPLUS, 3, stops[i]);
	dense_free(&d);
}

static void refusals(void)
{
	dense d = dense_random(4, 4, 3);
	keeper k = { 0 };
	CHECK_FAILS(infer("map", SET("schedule=[]"), &d, UM_IDENTITY, 1, &k), UM_EPARAM, "schedule is empty");
	CHECK_FAILS(infer("map", SET("start=ring"), &d, UM_IDENTITY, 1, &k), UM_EPARAM, "flat");
	keeper_free(&k);
	dense_free(&d);
}

CHECK_MAIN(CHECK_CASE(gaussian_mean), CHECK_CASE(two_densities), CHECK_CASE(several_modes),
	CHECK_CASE(resume), CHECK_CASE(refusals))
