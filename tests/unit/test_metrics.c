/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Metrics against values worked by hand, and against numpy: the numbers below were made with
 * numpy 1.24 from the definitions (two-dimensional windows cut out one by one, centred second
 * moments, numpy.quantile), which shares nothing with the code under test. */
#include <stdbool.h>
#include <umbra/chains.h>
#include "check.h"
#include "../../core/report/metrics.h"

/* The pattern that numpy was given: integers modulo m, divided by m - 1. */
static double pattern(int r, int c, int a, int b, int m, int o)
{
	return (double)((a * r + b * c + r * c + o) % m) / (m - 1.0);
}

static void against_numpy(void)
{
	static const struct {
		int rows, columns;
		double ssim, psnr, nrmse;
	} cases[] = {
		{ 20, 16, 0.9176711845871832, 17.59415653904908, 0.21740597528629632 },
		{ 12, 30, 0.9110935306730312, 17.268089666260305, 0.21842078362312498 },
		{ 7, 9, 0.9065242736332338, 17.541611628262427, 0.2226270214903717 },
		{ 1, 25, 0.9186872540079422, 17.62581943953764, 0.2258699343326572 },
		{ 4, 4, 0.9138689498274795, 17.94290218542894, 0.21382235617446554 },
		{ 1, 1, 0.9396013690356351, 10.45757490560675, 0.3 },
	};
	double t[640], x[640], got;
	for (size_t k = 0; k < sizeof(cases) / sizeof(*cases); k++) {
		int rows = cases[k].rows, columns = cases[k].columns, n = rows * columns;
		for (int i = 0; i < n; i++) {
			t[i] = 2 * pattern(i / columns, i % columns, 3, 5, 13, 1);
			x[i] = 0.7 * t[i] + 0.3 * pattern(i / columns, i % columns, 7, 2, 11, 0);
		}
		CHECK_OK(um_metrics_ssim(x, t, 1, rows, columns, &got));
		CHECK_REL(got, cases[k].ssim, 1e-11);
		CHECK_REL(um_metrics_psnr(x, t, n), cases[k].psnr, 1e-11);
		CHECK_REL(um_metrics_nrmse(x, t, n), cases[k].nrmse, 1e-11);
	}
}

/* Eight patterns as samples of a truth. */
static void samples_against_numpy(void)
{
	enum { S = 8, R = 6, C = 5 };
	float s[S][R][C];
	double t[R][C], mean[R * C], std[R * C], sum = 0, dev = 0;
	for (int i = 0; i < S; i++)
		for (int k = 0; k < R * C; k++)
			s[i][k / C][k % C] = (float)pattern(k / C, k % C, 4 + i, 5, 13, 3 + 2 * i);
	for (int k = 0; k < R * C; k++)
		t[k / C][k % C] = pattern(k / C, k % C, 3, 5, 13, 1);
	um_array samples = um_array_view(s, UM_F32, 3, (const int64_t[]){ S, R, C });
	um_array truth = um_array_view(t, UM_F64, 2, (const int64_t[]){ R, C });
	um_array m = um_array_view(mean, UM_F64, 1, (const int64_t[]){ R * C });
	um_array d = um_array_view(std, UM_F64, 1, (const int64_t[]){ R * C });
	um_truth_metrics got;
	CHECK_OK(um_metrics_truth(&samples, &truth, &got));
	CHECK_REL(got.psnr_mean, 9.180608482437451, 1e-9);
	CHECK_REL(got.psnr_samples, 6.3419000835985875, 1e-9);
	CHECK_REL(got.ssim_mean, -0.0708680812348086, 1e-9);
	CHECK_REL(got.ssim_samples, -0.03534729849144224, 1e-9);
	CHECK_REL(got.nrmse, 0.5996820307880887, 1e-9);
	CHECK_REL(got.coverage_68, 0.6333333333333333, 1e-12);
	CHECK_REL(got.coverage_95, 0.8666666666666667, 1e-12);
	CHECK_NEAR(got.coverage_3sd, 1, 1e-12);
	CHECK_OK(um_metrics_moments(&samples, &m, &d));
	for (int k = 0; k < R * C; k++) {
		sum += mean[k];
		dev += std[k];
	}
	CHECK_REL(sum, 15.125000000931323, 1e-12);
	CHECK_REL(dev, 9.223151845754218, 1e-12);
	CHECK_REL(std[2 * C + 3], 0.2824050334280549, 1e-12);
	CHECK_REL(um_metrics_within(mean, std, &t[0][0], R * C, 1), 0.5333333333333333, 1e-12);
}

static void by_hand(void)
{
	const double t[4] = { 0, 0, 0, 2 }, x[4] = { 1, 0, 0, 2 };
	double got;
	CHECK_NEAR(um_metrics_psnr(x, t, 4), 10 * log10(16), 1e-12); /* 2^2 / (1/4) */
	CHECK_NEAR(um_metrics_nrmse(x, t, 4), 0.5, 1e-15);
	CHECK(isinf(um_metrics_psnr(t, t, 4)));
	CHECK_OK(um_metrics_ssim(t, t, 1, 2, 2, &got));
	CHECK_NEAR(got, 1, 1e-15);

	/* Constant images differ in luminance alone: (2ab + c1) / (a^2 + b^2 + c1). */
	double a[400], b[400];
	for (int i = 0; i < 400; i++) {
		a[i] = 0.5;
		b[i] = 1;
	}
	CHECK_OK(um_metrics_ssim(a, b, 1, 20, 20, &got));
	CHECK_NEAR(got, (1 + 1e-4) / (1.25 + 1e-4), 1e-9);
	CHECK_OK(um_metrics_ssim(a, b, 4, 10, 10, &got));
	CHECK_NEAR(got, (1 + 1e-4) / (1.25 + 1e-4), 1e-9);
}

static void without_peak(void)
{
	const double zero[9] = { 0 };
	double got = 0;
	CHECK(isnan(um_metrics_psnr(zero, zero, 9)));
	CHECK_OK(um_metrics_ssim(zero, zero, 1, 3, 3, &got));
	CHECK(isnan(got));
}

/* Planes are averaged: a pair of images is the mean of the two on their common range. */
static void planes(void)
{
	enum { N = 15 * 14 };
	double t[2 * N], x[2 * N], both, one, two;
	for (int i = 0; i < 2 * N; i++) {
		t[i] = pattern(i / 14, i % 14, 2, 3, 17, 0);
		x[i] = t[i] + 0.1 * sin(i);
	}
	t[0] = t[N] = 1; /* the same peak in both */
	CHECK_OK(um_metrics_ssim(x, t, 2, 15, 14, &both));
	CHECK_OK(um_metrics_ssim(x, t, 1, 15, 14, &one));
	CHECK_OK(um_metrics_ssim(x + N, t + N, 1, 15, 14, &two));
	CHECK_NEAR(both, 0.5 * (one + two), 1e-13);
}

static void quantiles(void)
{
	const double v[5] = { 0, 1, 2, 3, 10 };
	CHECK_NEAR(um_quantile(v, 5, 0), 0, 0);
	CHECK_NEAR(um_quantile(v, 5, 1), 10, 0);
	CHECK_NEAR(um_quantile(v, 5, 0.5), 2, 0);
	CHECK_NEAR(um_quantile(v, 5, 0.9), 7.2, 1e-12);
	CHECK_NEAR(um_quantile(v + 4, 1, 0.3), 10, 0);
}

/* Samples 0..100 in every pixel: the central 68 % run from 16 to 84, ends included. */
static void coverage(void)
{
	enum { S = 101, N = 5 };
	static double s[S][N];
	double t[N] = { 16, 83.9, 15.9, 84.1, 50 }, got;
	for (int i = 0; i < S * N; i++)
		s[i / N][i % N] = (i / N * 37) % S; /* in no order */
	um_array samples = um_array_view(s, UM_F64, 2, (const int64_t[]){ S, N });
	um_array truth = um_array_view(t, UM_F64, 1, (const int64_t[]){ N });
	CHECK_OK(um_metrics_coverage(&samples, &truth, 0.68, &got));
	CHECK_NEAR(got, 0.6, 1e-12);
	CHECK_OK(um_metrics_coverage(&samples, &truth, 0.95, &got));
	CHECK_NEAR(got, 1, 1e-12);
}

static void one_sample(void)
{
	float s[4] = { 1, 2, 3, 4 };
	double t[4] = { 1, 2, 3, 4 }, m[4], d[4];
	um_array samples = um_array_view(s, UM_F32, 2, (const int64_t[]){ 1, 4 });
	um_array truth = um_array_view(t, UM_F64, 2, (const int64_t[]){ 2, 2 });
	um_array mean = um_array_view(m, UM_F64, 1, (const int64_t[]){ 4 });
	um_array std = um_array_view(d, UM_F64, 1, (const int64_t[]){ 4 });
	um_truth_metrics got;
	CHECK_OK(um_metrics_truth(&samples, &truth, &got));
	CHECK(isinf(got.psnr_mean) && got.nrmse == 0);
	CHECK_NEAR(got.ssim_mean, 1, 1e-15);
	CHECK_NEAR(got.coverage_68, 1, 0);
	CHECK_OK(um_metrics_moments(&samples, &mean, &std));
	CHECK(memcmp(m, t, sizeof(m)) == 0 && d[0] == 0 && d[3] == 0);
}

static void refusals(void)
{
	float s[6] = { 0 };
	double t[4] = { 0 }, got;
	um_truth_metrics all;
	um_array samples = um_array_view(s, UM_F32, 2, (const int64_t[]){ 2, 3 });
	um_array none = um_array_view(s, UM_F32, 2, (const int64_t[]){ 0, 4 });
	um_array truth = um_array_view(t, UM_F64, 1, (const int64_t[]){ 4 });
	CHECK_FAILS(um_metrics_truth(&samples, &truth, &all), UM_EARG, "samples have 3 pixels");
	CHECK_FAILS(um_metrics_coverage(&samples, &truth, 0.5, &got), UM_EARG, "the image has 4");
	CHECK_FAILS(um_metrics_truth(&none, &truth, &all), UM_EARG, "at least one sample");
}

CHECK_MAIN(CHECK_CASE(against_numpy), CHECK_CASE(samples_against_numpy), CHECK_CASE(by_hand),
	CHECK_CASE(without_peak), CHECK_CASE(planes), CHECK_CASE(quantiles), CHECK_CASE(coverage),
	CHECK_CASE(one_sample), CHECK_CASE(refusals))
