/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <umbra/linalg.h>
#include <umbra/rng.h>
#include "check.h"

enum { N = 7 };

/* A random symmetric positive definite matrix. */
static void spd(double *a)
{
	um_rng r = um_rng_new(3, "linalg", 0);
	double b[N * N];
	um_normal_fill(&r, b, N * N);
	um_gemm(false, true, N, N, N, b, b, a);
	for (int i = 0; i < N; i++)
		a[i * N + i] += 0.1;
}

static void products(void)
{
	const double a[6] = { 1, 2, 3, 4, 5, 6 }, b[6] = { 1, 0, -1, 2, 1, 3 }, x[3] = { 1, 10, 100 };
	double y[3], c[9];
	um_gemv(false, 2, 3, a, x, y);
	CHECK(y[0] == 321 && y[1] == 654);
	um_gemv(true, 2, 3, a, x, y);
	CHECK(y[0] == 41 && y[1] == 52 && y[2] == 63);
	um_gemm(false, true, 2, 2, 3, a, b, c);
	CHECK(c[0] == -2 && c[1] == 13 && c[2] == -2 && c[3] == 31);
	um_gemm(true, false, 3, 3, 2, a, b, c);
	CHECK(c[0] == 9 && c[1] == 4 && c[2] == 11 && c[3] == 12 && c[8] == 15);
	um_gemm(false, false, 2, 2, 3, a, b, c);
	CHECK(c[0] == 2 && c[1] == 13 && c[2] == 5 && c[3] == 28);
	CHECK(um_dot(3, a, x) == 321);
}

static void cholesky(void)
{
	double a[N * N], l[N * N], back[N * N], b[2 * N], ab[2 * N], w[N];
	spd(a);
	memcpy(l, a, sizeof(a));
	CHECK_OK(um_cholesky(N, l));
	CHECK(l[1] == 0 && l[N - 1] == 0);
	um_gemm(false, true, N, N, N, l, l, back);
	for (int i = 0; i < N * N; i++)
		CHECK_NEAR(back[i], a[i], 1e-12);
	for (int i = 0; i < 2 * N; i++)
		b[i] = i - 3;
	um_gemm(false, false, 2, N, N, b, a, ab);
	um_cholesky_solve(N, l, 2, ab);
	for (int i = 0; i < 2 * N; i++)
		CHECK_NEAR(ab[i], b[i], 1e-9);
	double logdet = um_cholesky_log_det(N, l), sum = 0;
	CHECK_OK(um_eigh(N, a, w));
	for (int i = 0; i < N; i++)
		sum += log(w[i]);
	CHECK_NEAR(logdet, sum, 1e-9);
}

static void not_positive(void)
{
	double a[4] = { 1, 2, 2, 1 };
	CHECK_FAILS(um_cholesky(2, a), UM_ENUM, "not positive definite");
	double b[4] = { 1, NAN, NAN, 1 }, w[2];
	CHECK_FAILS(um_eigh(2, b, w), UM_ENUM, "not finite");
}

static void eigenvectors(void)
{
	double a[N * N], v[N * N], w[N], av[N];
	spd(a);
	memcpy(v, a, sizeof(a));
	CHECK_OK(um_eigh(N, v, w));
	for (int k = 0; k < N; k++) {
		CHECK(k == 0 || w[k] >= w[k - 1]);
		um_gemv(false, N, N, a, v + k * N, av);
		for (int i = 0; i < N; i++)
			CHECK_NEAR(av[i], w[k] * v[k * N + i], 1e-12 * w[N - 1]);
		for (int j = 0; j < N; j++)
			CHECK_NEAR(um_dot(N, v + k * N, v + j * N), k == j, 1e-13);
	}
}

static void log_sum_exp(void)
{
	const double v[3] = { 1000, 1000, 1000 + log(2) }, none[2] = { -INFINITY, -INFINITY };
	CHECK_NEAR(um_log_sum_exp(3, v), 1000 + log(4), 1e-12);
	CHECK(um_log_sum_exp(2, none) == -INFINITY);
	CHECK(um_log_sum_exp(0, none) == -INFINITY);
	const double bad[2] = { 0, NAN };
	CHECK(isnan(um_log_sum_exp(2, bad)));
}

CHECK_MAIN(CHECK_CASE(products), CHECK_CASE(cholesky), CHECK_CASE(not_positive), CHECK_CASE(eigenvectors),
	CHECK_CASE(log_sum_exp))
