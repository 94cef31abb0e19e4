/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Pareto tails: known shapes come back, importance weights of a normal in another have the tail that they
 * must, and smoothing leaves their mean where it is and takes most of its variance. */
#include <umbra/linalg.h>
#include <umbra/pareto.h>
#include <umbra/rng.h>
#include "check.h"

static int ascending(const void *a, const void *b)
{
	const double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

/* Draws by the inverse of the distribution function, x = s ((1 - p)^-k - 1) / k. */
static void draw(um_rng *rng, int64_t n, double k, double s, double *x)
{
	for (int64_t i = 0; i < n; i++) {
		const double p = um_uniform(rng);
		x[i] = k == 0 ? -s * log(p) : s * (pow(p, -k) - 1) / k;
	}
	qsort(x, (size_t)n, sizeof(*x), ascending);
}

static void shapes(void)
{
	enum { N = 2000, TRIES = 20 };
	static const double known[] = { -0.4, 0, 0.3, 0.7, 1.2 };
	double x[N];
	um_rng rng = um_rng_new(1, "pareto", 0);
	for (size_t j = 0; j < sizeof(known) / sizeof(*known); j++) {
		double mean = 0, scale = 0, spread = 0;
		for (int t = 0; t < TRIES; t++) {
			double k, s;
			draw(&rng, N, known[j], 2.5, x);
			CHECK_OK(um_pareto_fit(N, x, &k, &s));
			mean += k / TRIES, scale += s / TRIES;
			spread += (k - known[j]) * (k - known[j]) / TRIES;
		}
		CHECK_NEAR(mean, known[j], 0.02);
		CHECK_NEAR(scale, 2.5, 0.1);
		/* the estimator is near the best: its variance is about (1 + k)^2 / n */
		CHECK(sqrt(spread) < 2 * (1 + fabs(known[j])) / sqrt((double)N));
	}
}

/* Scale carries over; the shape does not know it. */
static void units(void)
{
	enum { N = 200 };
	double x[N], k, s, k2, s2;
	um_rng rng = um_rng_new(2, "pareto", 0);
	draw(&rng, N, 0.5, 1, x);
	CHECK_OK(um_pareto_fit(N, x, &k, &s));
	for (int i = 0; i < N; i++)
		x[i] *= 1e9;
	CHECK_OK(um_pareto_fit(N, x, &k2, &s2));
	CHECK_NEAR(k2, k, 1e-10);
	CHECK_REL(s2, 1e9 * s, 1e-10);
}

/* p = N(0, 1), q = N(0, v), v < 1: E_q w^r is finite for r < 1 / (1 - v), so that k = 1 - v. For v > 1
 * weights are bounded, and the mean of w is 1. */
static void weights(void)
{
	enum { N = 20000 };
	static const double var[] = { 0.3, 0.5, 0.8, 2 };
	double *v = malloc(sizeof(*v) * N), last = 2;
	for (int j = 0; j < 4; j++) {
		um_rng rng = um_rng_new(3, "weights", 0);
		double k;
		for (int i = 0; i < N; i++) {
			const double x = sqrt(var[j]) * um_normal(&rng);
			v[i] = -0.5 * x * x * (1 - 1 / var[j]) + 7; /* up to a constant */
		}
		CHECK_OK(um_pareto_smooth(N, v, &k));
		CHECK(k < last);
		last = k;
		if (var[j] < 1)
			CHECK_NEAR(k, 1 - var[j], 0.15);
		else
			CHECK(k < 0.1);
		CHECK_NEAR(um_log_sum_exp(N, v), 0, 1e-12);
		CHECK((k < um_pareto_limit(N)) == (var[j] > 0.4));
	}
	free(v);
}

/* E_p x^2 = 1 by weights from a narrower q, plain and smoothed: the same mean, less noise. */
static void smoothing(void)
{
	enum { N = 1000, TRIES = 200 };
	double v[N], raw[N], x[N], mean[2] = { 0, 0 }, square[2] = { 0, 0 };
	for (int t = 0; t < TRIES; t++) {
		um_rng rng = um_rng_new(4, "smooth", (uint64_t)t);
		double k, got[2] = { 0, 0 };
		for (int i = 0; i < N; i++) {
			x[i] = sqrt(0.6) * um_normal(&rng);
			v[i] = raw[i] = -0.5 * x[i] * x[i] * (1 - 1 / 0.6);
		}
		const double all = um_log_sum_exp(N, raw);
		CHECK_OK(um_pareto_smooth(N, v, &k));
		for (int i = 0; i < N; i++) {
			got[0] += exp(raw[i] - all) * x[i] * x[i];
			got[1] += exp(v[i]) * x[i] * x[i];
		}
		for (int s = 0; s < 2; s++)
			mean[s] += got[s] / TRIES, square[s] += got[s] * got[s] / TRIES;
	}
	CHECK_NEAR(mean[0], 1, 0.05);
	CHECK_NEAR(mean[1], 1, 0.05);
	CHECK(square[1] - mean[1] * mean[1] < square[0] - mean[0] * mean[0]);
}

static void edges(void)
{
	double v[100], k = 9;
	for (int i = 0; i < 100; i++)
		v[i] = -3;
	CHECK_OK(um_pareto_smooth(100, v, &k));
	CHECK(k == 0);
	CHECK_NEAR(um_pareto_ess(100, v), 1, 1e-12);
	v[99] = 1000; /* one draw has all the weight */
	CHECK_OK(um_pareto_smooth(100, v, &k));
	CHECK_NEAR(um_pareto_ess(100, v), 0.01, 1e-12);
	for (int i = 0; i < 100; i++)
		v[i] = i < 98 ? -INFINITY : i; /* two that are possible at all */
	CHECK_OK(um_pareto_smooth(100, v, &k));
	for (int i = 0; i < 20; i++)
		v[i] = i;
	CHECK_OK(um_pareto_smooth(20, v, &k));
	CHECK(isnan(k));
	v[3] = NAN;
	CHECK_FAILS(um_pareto_smooth(20, v, &k), UM_ENUM, "not finite");
	for (int i = 0; i < 20; i++)
		v[i] = -INFINITY;
	CHECK_FAILS(um_pareto_smooth(20, v, &k), UM_ENUM, "above 0");
	v[0] = -1;
	CHECK_FAILS(um_pareto_fit(2, v, &k, &k), UM_ENUM, "positive numbers");
}

CHECK_MAIN(CHECK_CASE(shapes), CHECK_CASE(units), CHECK_CASE(weights), CHECK_CASE(smoothing), CHECK_CASE(edges))
