/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "check.h"
#include "pipeline/calibrate.h"

enum { R = 60, L = 39, PIXELS = 10, COLUMNS = UM_RANK_PIXELS + PIXELS };

/* Of each replicate a truth and samples, pixels with much in common; samples have another mean and width, and pixel 3
 * of them another mean of its own. */
struct fault { double mean, sd, third; };

static void image(um_rng *r, double mean, double sd, double third, double *x)
{
	const double common = um_normal(r);
	for (int k = 0; k < PIXELS; k++)
		x[k] = mean + sd * (common + um_normal(r)) + (k == 3 ? third : 0);
}

static double square(const double *x, const double *from)
{
	double sum = 0;
	for (int k = 0; k < PIXELS; k++)
		sum += (x[k] - (from != NULL ? from[k] : 0)) * (x[k] - (from != NULL ? from[k] : 0));
	return sum;
}

static double total(const double *x)
{
	double sum = 0;
	for (int k = 0; k < PIXELS; k++)
		sum += x[k];
	return sum;
}

static um_verdict judge(const um_rank_law *law, struct fault f, uint64_t seed)
{
	um_rng r = um_rng_new(seed, "verdict", 0);
	int64_t rank[R * COLUMNS];
	const um_replicates all = { .n = R, .samples = L, .columns = COLUMNS, .image = PIXELS, .rank = rank };
	um_verdict v;
	for (int i = 0; i < R; i++) {
		double truth[PIXELS], point[PIXELS], x[L][PIXELS], value[L];
		image(&r, 0, 1, 0, truth);
		image(&r, 0, 1, 0, point);
		for (int s = 0; s < L; s++)
			image(&r, f.mean, f.sd, f.third, x[s]);
		for (int c = 0; c < COLUMNS; c++) {
			const int k = c - UM_RANK_PIXELS;
			for (int s = 0; s < L; s++)
				value[s] = k >= 0 ? x[s][k] : c == UM_RANK_POINT ? square(x[s], point) :
					c == UM_RANK_FLUX ? total(x[s]) : -square(x[s], NULL);
			rank[i * COLUMNS + c] = c == UM_RANK_LOGP ? -1 : um_rank(&r, k >= 0 ? truth[k] : c == UM_RANK_POINT ?
				square(truth, point) : c == UM_RANK_FLUX ? total(truth) : -square(truth, NULL), L, value);
		}
	}
	CHECK_OK(um_verdict_of(&all, law, &v));
	return v;
}

/* Right posteriors: a warning in at most one of twenty, a failure in next to none. */
static void right(void)
{
	enum { TRIALS = 400 };
	um_rank_law law;
	int warned = 0, failed = 0;
	CHECK_OK(um_rank_law_new(R, L, &law));
	for (uint64_t t = 0; t < TRIALS; t++) {
		const um_verdict v = judge(&law, (struct fault){ 0, 1, 0 }, t);
		warned += v.kind != UM_PASS;
		failed += v.kind == UM_FAILURE;
		CHECK(v.ntests == 6);
		if (v.kind == UM_WARNING)
			CHECK(strstr(v.reason, "chance does so in") != NULL);
	}
	printf("%d of %d right posteriors got a warning, %d failed\n", warned, TRIALS, failed);
	CHECK(warned <= 0.05 * TRIALS + 3 * sqrt(0.05 * 0.95 * TRIALS) && failed <= 2);
	um_rank_law_free(&law);
}

static void wrong(void)
{
	static const struct { struct fault fault; const char *says; } cases[] = {
		{ { 0, 0.5, 0 }, "intervals are too narrow: the central 90 % interval holds" },
		{ { 0, 2.5, 0 }, "intervals are too wide: the central" },
		{ { 1, 1, 0 }, "samples are biased high: below their median are" },
		{ { -1, 1, 0 }, "samples are biased low: below their median are" },
		{ { 0, 1, 3 }, "pixel 3: samples are biased high" },
	};
	um_rank_law law;
	CHECK_OK(um_rank_law_new(R, L, &law));
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		const um_verdict v = judge(&law, cases[i].fault, 7 + i);
		CHECK(v.kind == UM_FAILURE);
		if (strstr(v.reason, cases[i].says) == NULL)
			fprintf(stderr, "case %zu: %s\n", i, v.reason);
		CHECK(strstr(v.reason, cases[i].says) != NULL);
	}
	um_rank_law_free(&law);
}

CHECK_MAIN(CHECK_CASE(right), CHECK_CASE(wrong))
