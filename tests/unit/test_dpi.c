/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "posterior.h"

/* For a Gaussian posterior of precision P: mean within 1 % of the prior's standard deviation,
 * variances 1/P_ii within 3 %, and elbo = log p(y) - KL with KL = (sum log P_ii - log det P) / 2,
 * less the constant of the likelihood. */
static void gaussian_posterior(void)
{
	enum { N = 64, COUNT = 100000 };
	dense d = dense_random(N, 24, 3);
	known z = dense_solve(&d);
	keeper k = { 0 };
	CHECK_OK(infer("dpi", SET("batch=64", "steps=3000", "average=2600"), &d, UM_IDENTITY, COUNT, &k));
	double kl = -0.5 * um_cholesky_log_det(N, z.l), constant = 0;
	for (int64_t i = 0; i < N; i++) {
		double mean = 0, var = 0, prior = um_dot(N, d.s + i * N, d.s + i * N);
		for (int64_t b = 0; b < COUNT; b++) {
			double e = um_row_f(&k.memory.samples, b)[i] - z.mean[i];
			mean += e / COUNT;
			var += e * e / COUNT;
		}
		CHECK_NEAR(mean, 0, 0.01 * sqrt(prior));
		CHECK_REL(var - mean * mean, 1 / z.p[i * N + i], 0.03);
		kl += 0.5 * log(z.p[i * N + i]);
	}
	for (int64_t j = 0; j < d.ny; j++)
		constant -= 0.5 * LOG_2PI_ + log(d.sigma[j]);
	CHECK_NEAR(um_memory_metric(&k.memory, "elbo") + constant, z.log_evidence - kl,
		5 * um_memory_metric(&k.memory, "elbo_se"));
	CHECK(um_memory_metric(&k.memory, "elbo_se") < 1);
	keeper_free(&k);
	known_free(&z);
	dense_free(&d);
}

/* log q is the density of the samples: E_q[-log q] is the entropy of their variances. */
static void log_density(void)
{
	enum { N = 8, COUNT = 20000 };
	dense d = dense_random(N, 4, 7);
	keeper k = { 0 };
	CHECK_OK(infer("dpi", SET("steps=200", "average=100"), &d, UM_IDENTITY, COUNT, &k));
	double entropy = 0.5 * N * (1 + LOG_2PI_), mean_logq = 0;
	for (int64_t i = 0; i < N; i++) {
		double mean = 0, square = 0;
		for (int64_t b = 0; b < COUNT; b++) {
			double v = um_row_f(&k.memory.samples, b)[i];
			mean += v / COUNT;
			square += v * v / COUNT;
		}
		entropy += 0.5 * log(square - mean * mean);
	}
	for (int64_t b = 0; b < COUNT; b++)
		mean_logq += k.memory.logq[b] / COUNT;
	CHECK_NEAR(-mean_logq, entropy, 5 * sqrt(1.0 * N / COUNT));
	keeper_free(&k);
	dense_free(&d);
}

/* One pixel, softplus: mean and width minimise E_q[-ll - lp] - H, here by quadrature. */
static double softplus_loss(const dense *d, double mu, double s)
{
	double sum = 0, norm = 0;
	for (double z = -8; z <= 8; z += 0.01) {
		double w = exp(-0.5 * z * z), u = mu + s * z, x = log1p(exp(u));
		double rl = (d->y[0] - x) / d->sigma[0], rp = (x - d->m[0]) / d->s[0];
		sum += w * (0.5 * rl * rl + 0.5 * rp * rp - (u - x));
		norm += w;
	}
	return sum / norm - log(s);
}

static void softplus_pixel(void)
{
	enum { COUNT = 40000 };
	dense d = dense_new(1, 1, 1);
	d.a[0] = 1, d.sigma[0] = 0.5, d.y[0] = 1.2;
	d.w[0] = 1, d.m[0] = 0.8, d.s[0] = 1;
	dense_ready(&d);
	for (int warm = 0; warm < 2; warm++) {
		keeper k = { 0 };
		CHECK_OK(infer("dpi", warm ? SET("batch=64", "average=2000") : SET("batch=64", "average=2000",
			"warm=none", "sd=0.5"), &d, UM_SOFTPLUS, COUNT, &k));
		double mean = 0, square = 0;
		for (int64_t b = 0; b < COUNT; b++) {
			double u = um_row_f(&k.memory.samples, b)[0];
			mean += u / COUNT;
			square += u * u / COUNT;
		}
		double s = sqrt(square - mean * mean), least = softplus_loss(&d, mean, s);
		for (int i = -1; i <= 1; i++)
			for (int j = -1; j <= 1; j++)
				CHECK(softplus_loss(&d, mean + 0.03 * s * i, s * (1 + 0.03 * j)) >= least);
		keeper_free(&k);
	}
	dense_free(&d);
}

/* From the moments of the prior on, independent numbers in the right coordinates are the posterior with all its
 * correlations but for what draws do not tell, so the bound of the evidence is tight; without them it lacks (sum log P_ii - log det P) / 2. */
static void by_moments(void)
{
	enum { N = 64, COUNT = 40000 };
	dense d = dense_random(N, 24, 3);
	known z = dense_solve(&d);
	keeper k = { 0 };
	double constant = 0, wrong = 0, all = 0, *mean = numbers(N), loose = -0.5 * um_cholesky_log_det(N, z.l);
	CHECK_OK(infer("dpi", SET("warm=moments", "warm_draws=1000", "batch=64", "steps=1500", "average=1000"), &d, UM_IDENTITY,
		COUNT, &k));
	for (int64_t b = 0; b < COUNT; b++)
		for (int i = 0; i < N; i++)
			mean[i] += (double)um_row_f(&k.memory.samples, b)[i] / COUNT;
	for (int i = 0; i < N; i++) {
		CHECK_NEAR(mean[i], z.mean[i], 0.03);
		loose += 0.5 * log(z.p[i * N + i]);
		for (int j = 0; j < N; j++) {
			double cov = 0;
			for (int64_t b = 0; b < COUNT; b++)
				cov += ((double)um_row_f(&k.memory.samples, b)[i] - mean[i]) *
					((double)um_row_f(&k.memory.samples, b)[j] - mean[j]) / COUNT;
			wrong += (cov - z.cov[i * N + j]) * (cov - z.cov[i * N + j]);
			all += z.cov[i * N + j] * z.cov[i * N + j];
		}
	}
	CHECK(sqrt(wrong / all) < 0.25);
	for (int64_t j = 0; j < d.ny; j++)
		constant -= 0.5 * LOG_2PI_ + log(d.sigma[j]);
	const double gap = z.log_evidence - um_memory_metric(&k.memory, "elbo") - constant;
	CHECK(gap > -5 * um_memory_metric(&k.memory, "elbo_se") && gap < 0.1 * loose);
	free(mean);
	keeper_free(&k);
	known_free(&z);
	dense_free(&d);
}

static void settings(void)
{
	dense d = dense_random(16, 8, 3);
	keeper k = { 0 };
	CHECK_OK(infer("dpi", SET("check=20", "average=50", "steps=2000"), &d, UM_IDENTITY, 4, &k));
	CHECK(um_memory_metric(&k.memory, "converged") == 1);
	CHECK(um_memory_metric(&k.memory, "steps") < 500);
	keeper_free(&k);
	CHECK_OK(infer("dpi", SET("warm=none", "anneal_rate=0.05", "anneal_pivot=100", "steps=300",
		"average=20", "check=10", "clip=1.0", "start=blob", "level=1.0"), &d, UM_SOFTPLUS, 4, &k));
	CHECK(um_memory_metric(&k.memory, "steps") > 150 && k.memory.samples.dim[0] == 4);
	keeper_free(&k);
	CHECK_FAILS(infer("dpi", SET("batch=7"), &d, UM_IDENTITY, 4, &k), UM_EPARAM, "use 8");
	keeper_free(&k);
	dense_free(&d);
}

static void resume(void)
{
	dense d = dense_random(16, 8, 3);
	const char *const *set = SET("steps=60", "average=20", "warm=none", "check=7", "threshold=1e-9");
	const int64_t stops[] = { 1, 14, 30, 50 };
	for (int i = 0; i < 4; i++)
		check_resume("dpi", set, &d, UM_SOFTPLUS, 20, stops[i]);
	check_resume("dpi", SET("steps=60", "average=20", "warm=moments", "warm_iterations=3", "family=lowrank"), &d, UM_SOFTPLUS, 20, 30);
	dense_free(&d);
}

/* A stop during the search for the starting point leaves nothing behind, and a run that saves
 * delivers what one that does not save does. */
static void stop_early_and_save(void)
{
	dense d = dense_random(16, 8, 3);
	keeper k = { .stop = 2 }, saves = { .save = 30 }, plain = { 0 };
	CHECK_FAILS(infer("dpi", NULL, &d, UM_IDENTITY, 4, &k), UM_EINTR, "starting point");
	CHECK(k.n == 0 && k.memory.samples.data == NULL);
	CHECK_OK(infer("dpi", SET("steps=60", "warm=none"), &d, UM_IDENTITY, 4, &saves));
	CHECK_OK(infer("dpi", SET("steps=60", "warm=none"), &d, UM_IDENTITY, 4, &plain));
	CHECK(saves.n > 0);
	CHECK(memcmp(saves.memory.samples.data, plain.memory.samples.data, 4 * 16 * sizeof(float)) == 0);
	keeper_free(&k);
	keeper_free(&saves);
	keeper_free(&plain);
	dense_free(&d);
}

CHECK_MAIN(CHECK_CASE(gaussian_posterior), CHECK_CASE(log_density), CHECK_CASE(softplus_pixel),
	CHECK_CASE(by_moments), CHECK_CASE(settings), CHECK_CASE(resume), CHECK_CASE(stop_early_and_save))
