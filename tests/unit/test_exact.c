/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "posterior.h"

/* Mean within 5, covariance within 6 standard errors of the closed form in every entry, and
 * log q of each sample equal to its posterior density. */
static void check_gaussian(int64_t n, int64_t ny, int64_t count)
{
	dense d = dense_random(n, ny, 3);
	known z = dense_solve(&d);
	keeper k = { 0 };
	CHECK_OK(infer("exact", NULL, &d, UM_IDENTITY, count, &k));
	const um_array *x = &k.memory.samples;
	double *mean = numbers(n), *cov = numbers(n * n), *r = numbers(n), distance = 0;
	CHECK(x->dim[0] == count);
	for (int64_t b = 0; b < count; b++) {
		for (int64_t i = 0; i < n; i++) {
			r[i] = um_row_f(x, b)[i] - z.mean[i];
			mean[i] += r[i] / (double)count;
		}
		for (int64_t i = 0; i < n * n; i++)
			cov[i] += r[i / n] * r[i % n] / (double)count;
		double q = quadratic(n, z.p, r);
		distance += q / (double)count;
		double density = 0.5 * (um_cholesky_log_det(n, z.l) - q - (double)n * LOG_2PI_);
		CHECK_NEAR(k.memory.logq[b], density, 1e-3);
	}
	for (int64_t i = 0; i < n; i++)
		CHECK_NEAR(mean[i], 0, 5 * sqrt(z.cov[i * n + i] / (double)count));
	for (int64_t i = 0; i < n * n; i++) {
		double var = z.cov[i / n * (n + 1)] * z.cov[i % n * (n + 1)] + z.cov[i] * z.cov[i];
		CHECK_NEAR(cov[i], z.cov[i], 6 * sqrt(var / (double)count));
	}
	CHECK_NEAR(distance, (double)n, 5 * sqrt(2.0 * (double)n / (double)count));
	CHECK_NEAR(um_memory_metric(&k.memory, "log_evidence"), z.log_evidence, 1e-3);
	CHECK_NEAR(um_memory_metric(&k.memory, "effective_components"), 1, 1e-12);
	free(mean), free(cov), free(r);
	keeper_free(&k);
	known_free(&z);
	dense_free(&d);
}

static void fewer_measurements(void)
{
	check_gaussian(64, 24, 4096);
}

static void more_measurements(void)
{
	check_gaussian(8, 40, 2048);
}

/* Weights, means, covariance and p(y) of the two-dimensional toy, to the digits known. */
static void mixture(void)
{
	enum { COUNT = 20000 };
	const double weight[] = { 0.69560, 0.30440 };
	const double mean[2][2] = { { -0.52755, -0.47658 }, { 0.41736, 0.57025 } };
	const double cov[] = { 0.00633, 0.00312, 0.00735 };
	double count[2] = { 0 }, sum[2][2] = { { 0 } }, square[2][3] = { { 0 } };
	dense d = dense_toy();
	keeper k = { 0 };
	CHECK_OK(infer("exact", NULL, &d, UM_IDENTITY, COUNT, &k));
	for (int64_t b = 0; b < COUNT; b++) {
		const float *x = um_row_f(&k.memory.samples, b);
		int c = x[0] + x[1] > 0;
		double r[2] = { x[0] - mean[c][0], x[1] - mean[c][1] };
		count[c]++;
		sum[c][0] += r[0], sum[c][1] += r[1];
		square[c][0] += r[0] * r[0], square[c][1] += r[0] * r[1], square[c][2] += r[1] * r[1];
	}
	CHECK_NEAR(count[0] / COUNT, weight[0], 5 * sqrt(weight[0] * weight[1] / COUNT));
	for (int c = 0; c < 2; c++) {
		CHECK_NEAR(sum[c][0] / count[c], 0, 5 * sqrt(cov[0] / count[c]));
		CHECK_NEAR(sum[c][1] / count[c], 0, 5 * sqrt(cov[2] / count[c]));
		for (int i = 0; i < 3; i++)
			CHECK_NEAR(square[c][i] / count[c], cov[i], 5 * cov[2] * sqrt(2 / count[c]));
	}
	double effective = weight[0] * weight[0] + weight[1] * weight[1];
	CHECK_NEAR(exp(um_memory_metric(&k.memory, "log_evidence")), 0.78368, 1e-5);
	CHECK_NEAR(um_memory_metric(&k.memory, "effective_components"), 1 / effective, 1e-4);
	CHECK_NEAR(um_memory_metric(&k.memory, "components"), 2, 0);
	keeper_free(&k);
	dense_free(&d);
}

/* Sample i does not depend on how many are asked for; too large a problem is refused. */
static void streams_and_limit(void)
{
	dense d = dense_random(8, 4, 5);
	keeper few = { 0 }, many = { 0 };
	CHECK_OK(infer("exact", NULL, &d, UM_IDENTITY, 3, &few));
	CHECK_OK(infer("exact", NULL, &d, UM_IDENTITY, 130, &many));
	CHECK(memcmp(few.memory.samples.data, many.memory.samples.data, 3 * 8 * sizeof(float)) == 0);
	CHECK_FAILS(infer("exact", SET("limit=3"), &d, UM_IDENTITY, 3, &few), UM_EPARAM, "limit = 4");
	keeper_free(&few);
	keeper_free(&many);
	dense_free(&d);
}

CHECK_MAIN(CHECK_CASE(fewer_measurements), CHECK_CASE(more_measurements), CHECK_CASE(mixture),
	CHECK_CASE(streams_and_limit))
