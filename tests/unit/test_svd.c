/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Singular values against constructions that know them, the random ones against the exact ones. */
#include <umbra/linalg.h>
#include "check.h"

static double *numbers(int64_t n)
{
	return calloc((size_t)n, sizeof(double));
}

static int64_t least(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

/* A = X diag(s) Y^T with random orthonormal X, Y; s of min(rows, columns) numbers. */
static double *build(int64_t rows, int64_t columns, const double *s)
{
	const int64_t q = least(rows, columns);
	double *x = numbers(q * rows), *y = numbers(q * columns), *a = numbers(rows * columns);
	um_rng r = um_rng_new(21, "svd", (uint64_t)(rows * 1000 + columns));
	um_normal_fill(&r, x, q * rows);
	um_normal_fill(&r, y, q * columns);
	CHECK_OK(um_orthonormal(q, rows, x));
	CHECK_OK(um_orthonormal(q, columns, y));
	for (int64_t k = 0; k < q; k++)
		for (int64_t i = 0; i < rows; i++)
			x[k * rows + i] *= s[k];
	um_gemm(true, false, rows, columns, q, x, y, a);
	free(x), free(y);
	return a;
}

/* Largest difference of V V^T from the identity, V [k][n]. */
static double skew(int64_t k, int64_t n, const double *v)
{
	double worst = 0;
	for (int64_t i = 0; i < k; i++)
		for (int64_t j = 0; j < k; j++)
			worst = fmax(worst, fabs(um_dot(n, v + i * n, v + j * n) - (i == j)));
	return worst;
}

static void check_exact(int64_t rows, int64_t columns, double decay)
{
	const int64_t q = least(rows, columns);
	double *want = numbers(q), *s = numbers(q), *u = numbers(rows * q), *vt = numbers(q * columns);
	for (int64_t k = 0; k < q; k++)
		want[k] = 3 * pow(decay, (double)k);
	double *a = build(rows, columns, want), *copy = numbers(rows * columns), *back = numbers(rows * columns);
	memcpy(copy, a, sizeof(double) * (size_t)(rows * columns));
	CHECK_OK(um_svd(rows, columns, copy, s, u, vt));
	for (int64_t k = 0; k < q; k++)
		CHECK_NEAR(s[k], want[k], 1e-13);
	CHECK(skew(q, columns, vt) < 1e-13);
	for (int64_t i = 0; i < rows * q; i++)
		u[i] *= s[i % q];
	um_gemm(false, false, rows, columns, q, u, vt, back);
	for (int64_t i = 0; i < rows * columns; i++)
		CHECK_NEAR(back[i], a[i], 1e-13);
	free(want), free(s), free(u), free(vt), free(a), free(copy), free(back);
}

static void exact(void)
{
	check_exact(1, 1, 1);
	check_exact(1, 7, 1);
	check_exact(7, 1, 1);
	check_exact(12, 5, 0.5);
	check_exact(5, 12, 0.5);
	check_exact(9, 9, 1e-3);
	double bad[4] = { 1, NAN, 0, 1 }, s[2], u[4], vt[4];
	CHECK_FAILS(um_svd(2, 2, bad, s, u, vt), UM_ENUM, "not finite");
}

/* Reflections keep the order and the side; dependent rows are replaced. */
static void orthonormal(void)
{
	double q[3 * 4] = { -2, 0, 0, 0, 5, 3, 0, 0, 1, 1, 0, 0 };
	CHECK_OK(um_orthonormal(3, 4, q));
	CHECK_NEAR(q[0], -1, 1e-15);
	CHECK_NEAR(q[5], 1, 1e-15);
	CHECK(skew(3, 4, q) < 1e-15);
	double bad[2] = { NAN, 1 };
	CHECK_FAILS(um_orthonormal(1, 2, bad), UM_ENUM, "not a number");
}

/* ---- random ------------------------------------------------------------------------------- */

typedef struct { const double *a; int64_t columns, passes, most, fail, done; double *basis; } source;

static um_status rows_of(void *context, int64_t first, int64_t count, double *a)
{
	source *s = context;
	s->passes += first == 0;
	s->most = count > s->most ? count : s->most;
	if (s->fail > 0 && s->passes == s->fail)
		return um_fail(UM_EINTR, "stopped");
	memcpy(a, s->a + first * s->columns, sizeof(double) * (size_t)(count * s->columns));
	return UM_OK;
}

static um_svd_job job_of(source *s, const um_rng *rng, int64_t rows, int64_t rank, int64_t extra,
	int64_t power, int64_t block)
{
	return (um_svd_job){ .rows = rows, .columns = s->columns, .read = rows_of, .context = s, .rank = rank,
		.extra = extra, .power = power, .block = block, .rng = rng };
}

static um_status keep(void *context, int64_t done, const double *basis)
{
	source *s = context;
	memcpy(s->basis, basis, sizeof(double) * (size_t)s->columns * 9);
	s->done = done;
	return UM_OK;
}

/* || A - A V V^T ||, the spectral norm. */
static double residual(int64_t rows, int64_t columns, int64_t k, const double *a, const double *vt)
{
	const int64_t q = least(rows, columns);
	double *av = numbers(rows * k), *rest = numbers(rows * columns), *s = numbers(q), top;
	double *u = numbers(rows * q), *v = numbers(q * columns);
	um_gemm(false, true, rows, k, columns, a, vt, av);
	um_gemm(false, false, rows, columns, k, av, vt, rest);
	for (int64_t i = 0; i < rows * columns; i++)
		rest[i] = a[i] - rest[i];
	CHECK_OK(um_svd(rows, columns, rest, s, u, v));
	top = s[0];
	free(av), free(rest), free(s), free(u), free(v);
	return top;
}

static double bound(int64_t q, int64_t k, int64_t p, int64_t power, double next)
{
	double f = 1 + sqrt((double)k / (double)(p - 1)) + exp(1) * sqrt((double)((k + p) * (q - k))) / (double)p;
	return pow(f, 1.0 / (double)(2 * power + 1)) * next;
}

static void check_random(int64_t rows, int64_t columns, double decay, int64_t rank, int64_t extra,
	int64_t power, int64_t block)
{
	const int64_t q = least(rows, columns);
	um_rng rng = um_rng_new(5, "random", 0);
	double *want = numbers(q), *s = numbers(rank), *vt = numbers(rank * columns), gap = 0;
	for (int64_t k = 0; k < q; k++)
		want[k] = 2 * pow(1 + (double)k, -decay);
	double *a = build(rows, columns, want);
	source in = { .a = a, .columns = columns };
	um_svd_job job = job_of(&in, &rng, rows, rank, extra, power, block);
	CHECK_OK(um_svd_random(&job, s, vt));
	CHECK(in.passes == um_svd_passes(&job));
	CHECK(block == 0 || in.most <= block);
	CHECK(skew(rank, columns, vt) < 1e-13);
	for (int64_t k = 0; k < rank; k++) {
		CHECK(s[k] <= want[k] + 1e-13);
		CHECK(k == 0 || s[k] <= s[k - 1]);
		gap = fmax(gap, (want[k] - s[k]) / want[k]);
	}
	double next = rank < q ? want[rank] : 0, error = residual(rows, columns, rank, a, vt);
	CHECK(error >= next - 1e-13);
	CHECK(error <= bound(q, rank, extra, power, next) + 1e-13);
	CHECK(gap < (power >= 4 ? 2e-4 : power >= 2 ? 2e-2 : 0.5));
	free(want), free(s), free(vt), free(a);
}

/* Slow and fast decay, tall, wide, square and odd shapes, blocks that do not divide the rows. */
static void decaying(void)
{
	for (int64_t power = 0; power <= 4; power++) {
		check_random(200, 60, 1, 10, 10, power, 0);
		check_random(200, 60, 1, 10, 10, power, 7);
		check_random(61, 157, 1, 10, 8, power, 16);
		check_random(80, 80, 3, 5, 5, power, 80);
		check_random(300, 31, 0.5, 3, 10, power, 64);
	}
}

/* A search space of all dimensions leaves nothing out. */
static void complete(void)
{
	static const int64_t shape[][3] = { { 40, 12, 12 }, { 12, 40, 12 }, { 12, 40, 9 }, { 40, 12, 9 }, { 1, 9, 1 },
		{ 9, 1, 1 }, { 16, 16, 16 } };
	um_rng rng = um_rng_new(6, "complete", 0);
	for (size_t c = 0; c < sizeof(shape) / sizeof(*shape); c++) {
		const int64_t rows = shape[c][0], columns = shape[c][1], k = shape[c][2], q = least(rows, columns);
		double *want = numbers(q), *s = numbers(k), *vt = numbers(k * columns);
		for (int64_t i = 0; i < q; i++)
			want[i] = pow(0.7, (double)i);
		double *a = build(rows, columns, want);
		source in = { .a = a, .columns = columns };
		um_svd_job job = job_of(&in, &rng, rows, k, 10, 1, 5);
		CHECK_OK(um_svd_random(&job, s, vt));
		for (int64_t i = 0; i < k; i++)
			CHECK_NEAR(s[i], want[i], 1e-13);
		CHECK_NEAR(residual(rows, columns, k, a, vt), k < q ? want[k] : 0, 1e-13);
		free(want), free(s), free(vt), free(a);
	}
}

/* Rank 4 in a search of 9 dimensions: exact, the rest zero, vectors still orthonormal; also A = 0. */
static void deficient(void)
{
	enum { ROWS = 50, COLUMNS = 33, K = 7 };
	um_rng rng = um_rng_new(7, "deficient", 0);
	double want[COLUMNS] = { 3, 2, 2, 0.1 }, s[K], vt[K * COLUMNS];
	for (int zero = 0; zero < 2; zero++) {
		for (int i = 0; zero && i < 4; i++)
			want[i] = 0;
		double *a = build(ROWS, COLUMNS, want);
		source in = { .a = a, .columns = COLUMNS };
		um_svd_job job = job_of(&in, &rng, ROWS, K, 2, 2, 8);
		CHECK_OK(um_svd_random(&job, s, vt));
		for (int k = 0; k < K; k++)
			CHECK_NEAR(s[k], want[k], 1e-13);
		CHECK(skew(K, COLUMNS, vt) < 1e-13);
		CHECK(residual(ROWS, COLUMNS, K, a, vt) < 1e-13);
		free(a);
	}
}

/* Exponential decay over 12 decades: what is above 1e-8 of the largest is found. */
static void steep(void)
{
	enum { ROWS = 90, COLUMNS = 40, K = 20 };
	um_rng rng = um_rng_new(8, "steep", 0);
	double want[COLUMNS], s[K], vt[K * COLUMNS];
	for (int k = 0; k < COLUMNS; k++)
		want[k] = pow(10, -0.3 * k);
	double *a = build(ROWS, COLUMNS, want);
	source in = { .a = a, .columns = COLUMNS };
	for (int64_t power = 0; power < 3; power++) {
		um_svd_job job = job_of(&in, &rng, ROWS, K, 8, power, 0);
		CHECK_OK(um_svd_random(&job, s, vt));
		for (int k = 0; k < K; k++)
			CHECK_NEAR(s[k], want[k], (power == 0 ? 1e-3 : 1e-7) * want[k]);
	}
	free(a);
}

/* The same numbers give the same bytes; failures of the reader and wrong orders come back. */
static void repeats_and_refuses(void)
{
	enum { ROWS = 60, COLUMNS = 30, K = 4 };
	um_rng rng = um_rng_new(9, "repeat", 0);
	double want[COLUMNS], s[2][K], vt[2][K * COLUMNS];
	for (int k = 0; k < COLUMNS; k++)
		want[k] = 1.0 / (1 + k);
	double *a = build(ROWS, COLUMNS, want);
	source in = { .a = a, .columns = COLUMNS };
	um_svd_job job = job_of(&in, &rng, ROWS, K, 5, 1, 13);
	for (int t = 0; t < 2; t++)
		CHECK_OK(um_svd_random(&job, s[t], vt[t]));
	CHECK(memcmp(s[0], s[1], sizeof(s[0])) == 0 && memcmp(vt[0], vt[1], sizeof(vt[0])) == 0);
	/* in every pass, and going on from the one before */
	double basis[9 * COLUMNS];
	in.basis = basis;
	job.after = keep;
	for (int64_t pass = 1; pass <= 3; pass++) {
		in.passes = job.done = in.done = 0;
		in.fail = pass;
		CHECK_FAILS(um_svd_random(&job, s[0], vt[0]), UM_EINTR, "stopped");
		CHECK(in.done == pass - 1 && um_svd_dimensions(&job) == 9);
		in.fail = in.passes = 0;
		job.done = in.done;
		job.basis = basis;
		CHECK_OK(um_svd_random(&job, s[0], vt[0]));
		CHECK(in.passes == 4 - pass);
		CHECK(memcmp(s[0], s[1], sizeof(s[0])) == 0 && memcmp(vt[0], vt[1], sizeof(vt[0])) == 0);
	}
	job.done = 0;
	job.rank = 31;
	CHECK_FAILS(um_svd_random(&job, s[0], vt[0]), UM_EARG, "31 singular values");
	job.rank = 0;
	CHECK_FAILS(um_svd_random(&job, s[0], vt[0]), UM_EARG, "0 singular values");
	free(a);
}

CHECK_MAIN(CHECK_CASE(exact), CHECK_CASE(orthonormal), CHECK_CASE(decaying), CHECK_CASE(complete),
	CHECK_CASE(deficient), CHECK_CASE(steep), CHECK_CASE(repeats_and_refuses))
