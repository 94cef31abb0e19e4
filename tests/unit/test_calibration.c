/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <umbra/calibration.h>
#include "check.h"

/* Ranks of truths among samples, both normal; what samples are, as mean and width. */
static void draw(int64_t n, int64_t samples, double mean, double sd, uint64_t seed, int64_t *rank)
{
	double *v = malloc(sizeof(double) * (size_t)samples);
	um_rng r = um_rng_new(seed, "ranks", 0);
	for (int64_t i = 0; i < n; i++) {
		for (int64_t s = 0; s < samples; s++)
			v[s] = mean + sd * um_normal(&r);
		rank[i] = um_rank(&r, um_normal(&r), samples, v);
	}
	free(v);
}

static double p_value(const um_rank_law *law, const int64_t *rank)
{
	int64_t count[UM_RANK_POINTS];
	double p;
	um_rank_counts(law, rank, 1, count);
	CHECK_OK(um_rank_p(law, um_rank_tail(law, count, NULL), &p));
	return p;
}

/* Uniform ranks: the band holds all counts as often as it says, and p is below q with probability q at most, though
 * not much less. Of 4000 trials the rates are known to 0.004. */
static void simultaneous(void)
{
	enum { N = 60, MOST = 99, TRIALS = 4000 };
	um_rank_law law;
	int64_t lo[UM_RANK_POINTS], hi[UM_RANK_POINTS], count[UM_RANK_POINTS], rank[N];
	const double q[] = { 0.05, 0.3 };
	double held = 0, below[2] = { 0 };
	um_rng r = um_rng_new(4, "uniform", 0);
	CHECK_OK(um_rank_law_new(N, MOST, &law));
	CHECK_OK(um_rank_band(&law, 0.95, lo, hi));
	for (int t = 0; t < TRIALS; t++) {
		bool in = true;
		for (int i = 0; i < N; i++)
			rank[i] = (int64_t)(um_uniform(&r) * (MOST + 1));
		um_rank_counts(&law, rank, 1, count);
		for (int k = 0; k < law.points; k++)
			in = in && count[k] >= lo[k] && count[k] <= hi[k];
		held += in / (double)TRIALS;
		if (t < 1000) {
			const double p = p_value(&law, rank);
			for (int i = 0; i < 2; i++)
				below[i] += (p <= q[i]) / 1000.0;
		}
	}
	CHECK(held > 0.94 && held < 0.97);
	CHECK(below[0] < 0.07 && below[0] > 0.02);
	CHECK(below[1] < 0.34 && below[1] > 0.2);
	um_rank_law_free(&law);
}

/* With one point the chain is a binomial, with two a sum over both. */
static void by_hand(void)
{
	enum { N = 4 };
	um_rank_law law;
	double p;
	CHECK_OK(um_rank_law_new(N, 1, &law));
	CHECK(law.points == 1 && law.edge[0] == 1);
	CHECK_NEAR(um_rank_tail(&law, (const int64_t[]){ 4 }, NULL), 2.0 / 16, 1e-15);
	CHECK_OK(um_rank_p(&law, 2.0 / 16, &p));
	CHECK_NEAR(p, 2.0 / 16, 1e-14);
	um_rank_law_free(&law);
	/* Counts below 1/3 and 2/3 of all placings of four ranks in three cells. */
	CHECK_OK(um_rank_law_new(N, 2, &law));
	const double gamma = 0.3;
	double all = 0;
	for (int i = 0; i < 81; i++) {
		int64_t count[2] = { 0, 0 };
		for (int k = 0, code = i; k < N; k++, code /= 3) {
			count[0] += code % 3 < 1;
			count[1] += code % 3 < 2;
		}
		all += (um_rank_tail(&law, count, NULL) <= gamma) / 81.0;
	}
	CHECK_OK(um_rank_p(&law, gamma, &p));
	CHECK(all > 0.1 && all < 0.5);
	CHECK_NEAR(p, all, 1e-13);
	um_rank_law_free(&law);
}

static void sees_errors(void)
{
	enum { N = 100, SAMPLES = 99 };
	int64_t rank[N];
	um_rank_law law;
	double least = 1;
	CHECK_OK(um_rank_law_new(N, SAMPLES, &law));
	for (uint64_t seed = 10; seed < 30; seed++) {
		draw(N, SAMPLES, 0, 1, seed, rank);
		least = fmin(least, p_value(&law, rank));
	}
	CHECK(least > 0.05 / 20 && least < 0.5);
	draw(N, SAMPLES, 0, 0.5, 2, rank);
	CHECK(p_value(&law, rank) < 1e-3);
	draw(N, SAMPLES, 0, 2.5, 3, rank);
	CHECK(p_value(&law, rank) < 1e-3);
	draw(N, SAMPLES, 0.7, 1, 4, rank);
	CHECK(p_value(&law, rank) < 1e-4);
	um_rank_law_free(&law);
}

/* Distances from random points of five dimensions: with the right law they are uniform, with one that is shifted or
 * too narrow they are not. */
static double tarp(double shift, double sd, uint64_t seed)
{
	enum { N = 200, SAMPLES = 99, D = 5 };
	int64_t rank[N];
	um_rank_law law;
	um_rng r = um_rng_new(seed, "tarp", 0);
	for (int i = 0; i < N; i++) {
		double point[D], v[SAMPLES] = { 0 }, truth = 0;
		um_normal_fill(&r, point, D);
		for (int k = 0; k < D; k++)
			truth += pow(um_normal(&r) - point[k], 2);
		for (int s = 0; s < SAMPLES; s++)
			for (int k = 0; k < D; k++)
				v[s] += pow(shift + sd * um_normal(&r) - point[k], 2);
		rank[i] = um_rank(&r, truth, SAMPLES, v);
	}
	CHECK_OK(um_rank_law_new(N, SAMPLES, &law));
	const double p = p_value(&law, rank);
	um_rank_law_free(&law);
	return p;
}

static void random_points(void)
{
	CHECK(tarp(0, 1, 5) > 0.05);
	CHECK(tarp(1, 1, 6) < 1e-4);
	CHECK(tarp(0, 0.6, 7) < 1e-4);
}

/* Ties are broken by chance: all ranks are as likely. */
static void ties(void)
{
	enum { N = 3000 };
	const double same[3] = { 1, 1, 1 };
	int seen[4] = { 0 };
	um_rng r = um_rng_new(8, "ties", 0);
	for (int i = 0; i < N; i++)
		seen[um_rank(&r, 1, 3, same)]++;
	for (int k = 0; k < 4; k++)
		CHECK_NEAR(seen[k], N / 4.0, 5 * sqrt(N * 3.0 / 16));
	CHECK(um_rank(&r, 0, 3, same) == 0 && um_rank(&r, 2, 3, same) == 3);
}

/* Shares of uniform ranks have the mean that they should, whatever their number. */
static void shares(void)
{
	for (int64_t most = 1; most < 12; most++) {
		double sum = 0;
		for (int64_t r = 0; r <= most; r++)
			sum += um_rank_share(r, most, 0.05, 0.95) / (double)(most + 1);
		CHECK_NEAR(sum, 0.9, 1e-14);
	}
	CHECK_NEAR(um_rank_share(1, 3, 0.4, 1), 0.4, 1e-14);
}

/* Student's t of 5 numbers is 2.776 at p = 0.05, of 21 numbers 3.850 at 0.001. */
static void means(void)
{
	double v[21];
	const struct { int n; double t, p; } known[] = { { 5, 2.776, 0.05 }, { 21, 3.850, 0.001 } };
	for (int k = 0; k < 2; k++) {
		const int n = known[k].n;
		for (int i = 0; i < n; i++)
			v[i] = i - (n - 1) / 2;
		const um_mean_test t = um_test_mean(v, n, 0, 0);
		CHECK_NEAR(t.mean, 0, 1e-14);
		CHECK_NEAR(t.p, 1, 1e-12);
		CHECK_NEAR(um_test_mean(v, n, known[k].t * t.error, 0).p, known[k].p, 0.02 * known[k].p);
	}
	v[0] = v[1] = v[2] = 1;
	CHECK(um_test_mean(v, 3, 0.9, 0).p == 0);
	CHECK(um_test_mean(v, 3, 0.9, 0.3).p > 0.5);
}

CHECK_MAIN(CHECK_CASE(simultaneous), CHECK_CASE(by_hand), CHECK_CASE(sees_errors), CHECK_CASE(random_points),
	CHECK_CASE(ties), CHECK_CASE(shares), CHECK_CASE(means))
