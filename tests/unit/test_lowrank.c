/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The low-rank Gaussian against dense formulas, and every gradient against central differences. */
#include <umbra/linalg.h>
#include <umbra/lowrank.h>
#include <umbra/rng.h>
#include "check.h"

enum { N = 9, R = 3, MOST = 12 };
#define LOG_2PI 1.8378770664093453

/* mu, d, U in one vector, with scales that differ. */
typedef struct { int r; double p[N * (2 + MOST)]; } law;

static double *mu(law *a) { return a->p; }
static double *dof(law *a) { return a->p + N; }
static double *uof(law *a) { return a->p + 2 * N; }
static int size(const law *a) { return N * (2 + a->r); }

static law random_law(int r)
{
	law a = { .r = r };
	um_rng g = um_rng_new(11, "lowrank", (uint64_t)r);
	for (int i = 0; i < size(&a); i++)
		a.p[i] = (i < N ? 3 : i < 2 * N ? 1.5 : 0.7) * um_normal(&g);
	return a;
}

static um_lowrank opened(law *a)
{
	um_lowrank q;
	CHECK_OK(um_lowrank_new(N, a->r, &q));
	CHECK_OK(um_lowrank_set(&q, dof(a), uof(a)));
	return q;
}

static void dense(law *a, double *sigma)
{
	memset(sigma, 0, sizeof(double) * N * N);
	for (int i = 0; i < N; i++)
		for (int j = 0; j < N; j++) {
			sigma[i * N + j] = i == j ? exp(2 * dof(a)[i]) : 0;
			for (int k = 0; k < a->r; k++)
				sigma[i * N + j] += uof(a)[i * a->r + k] * uof(a)[j * a->r + k];
		}
}

/* log q, its gradient and the entropy through a dense Cholesky factor. Ranks 0, below and above n. */
static void against_dense(int r)
{
	law a = random_law(r);
	um_lowrank q = opened(&a);
	double sigma[N * N], x[2 * N], e[N], b[N], lq[2], dx[2 * N];
	um_rng g = um_rng_new(12, "points", 0);
	um_normal_fill(&g, x, 2 * N);
	dense(&a, sigma);
	CHECK_OK(um_cholesky(N, sigma));
	const double log_det = um_cholesky_log_det(N, sigma);
	um_lowrank_logq(&q, mu(&a), 2, x, lq, dx);
	for (int k = 0; k < 2; k++) {
		for (int i = 0; i < N; i++)
			e[i] = b[i] = x[k * N + i] - mu(&a)[i];
		um_cholesky_solve(N, sigma, 1, b);
		double want = -0.5 * (um_dot(N, e, b) + log_det + N * LOG_2PI);
		CHECK_NEAR(lq[k], want, 1e-10 * fabs(want));
		for (int i = 0; i < N; i++)
			CHECK_NEAR(dx[k * N + i], -b[i], 1e-10 * (1 + fabs(b[i])));
	}
	CHECK_REL(um_lowrank_entropy(&q, 1, NULL, NULL), 0.5 * (log_det + N * (1 + LOG_2PI)), 1e-12);
	um_lowrank_free(&q);
}

static void densities(void)
{
	against_dense(0);
	against_dense(1);
	against_dense(R);
	against_dense(MOST);
}

/* What draw does is linear in (z1, z2), with D and U as its matrices. */
static void draws(void)
{
	law a = random_law(R);
	um_lowrank q = opened(&a);
	double z1[2 * N], z2[2 * R], x[2 * N], alone[N];
	um_rng g = um_rng_new(13, "draws", 0);
	um_normal_fill(&g, z1, 2 * N);
	um_normal_fill(&g, z2, 2 * R);
	um_lowrank_draw(&q, mu(&a), 2, z1, z2, x);
	for (int b = 0; b < 2; b++)
		for (int i = 0; i < N; i++) {
			double want = mu(&a)[i] + exp(dof(&a)[i]) * z1[b * N + i];
			for (int j = 0; j < R; j++)
				want += uof(&a)[i * R + j] * z2[b * R + j];
			CHECK_NEAR(x[b * N + i], want, 1e-12 * (1 + fabs(want)));
		}
	um_lowrank_draw(&q, mu(&a), 1, z1 + N, z2 + R, alone);
	CHECK(memcmp(alone, x + N, sizeof(alone)) == 0);
	um_lowrank_free(&q);
}

static double entropy_of(law *a)
{
	um_lowrank q = opened(a);
	double h = um_lowrank_entropy(&q, 1, NULL, NULL);
	um_lowrank_free(&q);
	return h;
}

/* f(x) = sum_i sin(x_i) c_i x_{i+1}, over two draws of fixed z. */
static double sum_of(law *a, const double *z1, const double *z2, double *dx)
{
	um_lowrank q = opened(a);
	double x[2 * N], sum = 0;
	um_lowrank_draw(&q, mu(a), 2, z1, z2, x);
	if (dx != NULL)
		memset(dx, 0, sizeof(x));
	for (int i = 0; i < 2 * N; i++) {
		int next = i / N * N + (i + 1) % N;
		sum += (i + 1) * sin(x[i]) * x[next];
		if (dx != NULL) {
			dx[i] += (i + 1) * cos(x[i]) * x[next];
			dx[next] += (i + 1) * sin(x[i]);
		}
	}
	um_lowrank_free(&q);
	return sum;
}

static void entropy_gradient(int r)
{
	law a = random_law(r);
	double grad[N * (2 + MOST)] = { 0 };
	um_lowrank q = opened(&a);
	(void)um_lowrank_entropy(&q, 0.5, grad + N, grad + 2 * N);
	(void)um_lowrank_entropy(&q, 1.5, grad + N, NULL);
	(void)um_lowrank_entropy(&q, 1.5, NULL, grad + 2 * N);
	um_lowrank_free(&q);
	for (int i = N; i < size(&a); i++) {
		const double h = 1e-5, keep = a.p[i];
		a.p[i] = keep + h;
		double up = entropy_of(&a);
		a.p[i] = keep - h;
		double down = entropy_of(&a);
		a.p[i] = keep;
		CHECK_NEAR(grad[i], 2 * (up - down) / (2 * h), 1e-6 * (1 + fabs(grad[i])));
	}
}

static void entropies(void)
{
	entropy_gradient(0);
	entropy_gradient(R);
	entropy_gradient(MOST);
}

static void pulled_gradient(int r)
{
	law a = random_law(r);
	double z1[2 * N], z2[2 * MOST + 1], dx[2 * N], grad[N * (2 + MOST)] = { 0 };
	um_rng g = um_rng_new(14, "pull", 0);
	um_normal_fill(&g, z1, 2 * N);
	um_normal_fill(&g, z2, 2 * r);
	(void)sum_of(&a, z1, z2, dx);
	um_lowrank q = opened(&a);
	um_lowrank_pull(&q, 2, z1, z2, dx, grad, grad + N, grad + 2 * N);
	um_lowrank_free(&q);
	for (int i = 0; i < size(&a); i++) {
		const double h = 1e-6, keep = a.p[i];
		a.p[i] = keep + h;
		double up = sum_of(&a, z1, z2, NULL);
		a.p[i] = keep - h;
		double down = sum_of(&a, z1, z2, NULL);
		a.p[i] = keep;
		CHECK_NEAR(grad[i], (up - down) / (2 * h), 1e-5 * (1 + fabs(grad[i])));
	}
}

static void reparameterised(void)
{
	pulled_gradient(0);
	pulled_gradient(R);
	pulled_gradient(MOST);
}

static void refusals(void)
{
	law a = random_law(R);
	um_lowrank q = opened(&a);
	dof(&a)[2] = NAN;
	CHECK_FAILS(um_lowrank_set(&q, dof(&a), uof(&a)), UM_ENUM, "standard deviation is nan");
	dof(&a)[2] = 1000;
	CHECK_FAILS(um_lowrank_set(&q, dof(&a), uof(&a)), UM_ENUM, "standard deviation is 1000");
	dof(&a)[2] = 0;
	uof(&a)[1] = INFINITY;
	CHECK(um_lowrank_set(&q, dof(&a), uof(&a)) == UM_ENUM);
	um_lowrank_free(&q);
	um_lowrank_free(&q);
	CHECK_FAILS(um_lowrank_new(INT64_C(1) << 60, 4, &q), UM_ENOMEM, "rank 4");
}

CHECK_MAIN(CHECK_CASE(densities), CHECK_CASE(draws), CHECK_CASE(entropies), CHECK_CASE(reparameterised),
	CHECK_CASE(refusals))
