/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Low rank plus diagonal. With V = D^-1 U and the small matrix M = I + V^T V = L L^T:
 *   log det Sigma = 2 sum d + log det M                        (determinant lemma)
 *   Sigma^-1 = D^-1 (I - V M^-1 V^T) D^-1                      (Woodbury)
 *   dH/dU = Sigma^-1 U = D^-1 V M^-1,  dH/dd_i = D_i^2 (Sigma^-1)_ii = 1 - v_i^T M^-1 v_i
 * Ong, Nott & Smith 2018, doi:10.1080/10618600.2017.1390472. */
#include <cblas.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <umbra/linalg.h>
#include <umbra/lowrank.h>

static const double LOG_2PI = 1.8378770664093453;

static um_status allocate(um_lowrank *q)
{
	const size_t n = (size_t)q->n, r = (size_t)q->r;
	if (q->n > 0 && q->r >= 0 && q->n < INT32_MAX && q->r < INT32_MAX && n * (r + 2) < SIZE_MAX / 64) {
		q->d = calloc(n, sizeof(double));
		q->v = calloc(n * r + 1, sizeof(double));
		q->l = calloc(r * r + 1, sizeof(double));
		q->work = calloc(2 * n + n * r + r, sizeof(double));
	}
	return q->d && q->v && q->l && q->work ? UM_OK : um_fail(UM_ENOMEM,
		"no memory for a Gaussian of %lld numbers and rank %lld", (long long)q->n, (long long)q->r);
}

um_status um_lowrank_new(int64_t n, int64_t r, um_lowrank *out)
{
	*out = (um_lowrank){ .n = n, .r = r };
	um_status st = allocate(out);
	if (st != UM_OK)
		um_lowrank_free(out);
	return st;
}

void um_lowrank_free(um_lowrank *q)
{
	free(q->d);
	free(q->v);
	free(q->l);
	free(q->work);
	*q = (um_lowrank){ 0 };
}

um_status um_lowrank_set(um_lowrank *q, const double *d, const double *u)
{
	const int64_t n = q->n, r = q->r;
	um_status st = UM_OK;
	double sum = 0;
	for (int64_t i = 0; i < n; i++) {
		if (!(fabs(d[i]) < 300)) /* exp(2 d) is a number */
			return um_fail(UM_ENUM, "the logarithm of a standard deviation is %g", d[i]);
		q->d[i] = exp(d[i]);
		sum += d[i];
		for (int64_t j = 0; j < r; j++)
			q->v[i * r + j] = u[i * r + j] / q->d[i];
	}
	q->log_det = 2 * sum;
	if (r > 0) {
		um_gemm(true, false, r, r, n, q->v, q->v, q->l);
		for (int64_t j = 0; j < r; j++)
			q->l[j * (r + 1)] += 1;
		UM_TRY(um_cholesky(r, q->l));
		q->log_det += um_cholesky_log_det(r, q->l);
	}
	if (!isfinite(q->log_det))
		UM_TRY(um_fail(UM_ENUM, "the covariance of a low-rank Gaussian has log det %g", q->log_det));
out:
	return st;
}

/* Row by row, so that a result never depends on what else is in its batch. */
void um_lowrank_draw(const um_lowrank *q, const double *mu, int64_t count, const double *z1,
	const double *z2, double *x)
{
	for (int64_t b = 0; b < count; b++) {
		const double *z = z1 + b * q->n;
		double *to = x + b * q->n;
		if (q->r > 0)
			um_gemv(false, q->n, q->r, q->v, z2 + b * q->r, to);
		else
			memset(to, 0, sizeof(double) * (size_t)q->n);
		for (int64_t i = 0; i < q->n; i++)
			to[i] = mu[i] + q->d[i] * (z[i] + to[i]);
	}
}

/* e = D^-1 (x - mu) becomes (I - V M^-1 V^T) e; the result is e^T of that. */
static double solve(um_lowrank *q, double *e)
{
	const int64_t n = q->n, r = q->r;
	double *y = q->work + n, *small = q->work + 2 * n + n * r, norm = um_dot(n, e, e);
	if (r == 0)
		return norm;
	um_gemv(true, n, r, q->v, e, small);
	cblas_dtrsv(CblasRowMajor, CblasLower, CblasNoTrans, CblasNonUnit, (blasint)r, q->l, (blasint)r,
		small, 1);
	norm -= um_dot(r, small, small);
	cblas_dtrsv(CblasRowMajor, CblasLower, CblasTrans, CblasNonUnit, (blasint)r, q->l, (blasint)r,
		small, 1);
	um_gemv(false, n, r, q->v, small, y);
	for (int64_t i = 0; i < n; i++)
		e[i] -= y[i];
	return norm;
}

void um_lowrank_logq(um_lowrank *q, const double *mu, int64_t count, const double *x, double *logq,
	double *dx)
{
	double *e = q->work;
	for (int64_t b = 0; b < count; b++) {
		for (int64_t i = 0; i < q->n; i++)
			e[i] = (x[b * q->n + i] - mu[i]) / q->d[i];
		logq[b] = -0.5 * (solve(q, e) + q->log_det + (double)q->n * LOG_2PI);
		for (int64_t i = 0; dx != NULL && i < q->n; i++)
			dx[b * q->n + i] = -e[i] / q->d[i];
	}
}

double um_lowrank_entropy(um_lowrank *q, double weight, double *dd, double *du)
{
	const int64_t n = q->n, r = q->r;
	double *vm = q->work + 2 * n; /* V M^-1 */
	if (dd != NULL || du != NULL) {
		memcpy(vm, q->v, sizeof(double) * (size_t)(n * r));
		if (r > 0)
			um_cholesky_solve(r, q->l, n, vm);
	}
	for (int64_t i = 0; dd != NULL && i < n; i++) {
		double sum = 1;
		for (int64_t j = i * r; j < (i + 1) * r; j++)
			sum -= vm[j] * q->v[j];
		dd[i] += weight * sum;
	}
	for (int64_t i = 0; du != NULL && i < n; i++)
		for (int64_t j = i * r; j < (i + 1) * r; j++)
			du[j] += weight * vm[j] / q->d[i];
	return 0.5 * (q->log_det + (double)n * (1 + LOG_2PI));
}

void um_lowrank_pull(const um_lowrank *q, int64_t count, const double *z1, const double *z2,
	const double *dx, double *dmu, double *dd, double *du)
{
	const int64_t n = q->n, r = q->r;
	for (int64_t b = 0; b < count; b++)
		for (int64_t i = 0; i < n; i++) {
			dmu[i] += dx[b * n + i];
			dd[i] += dx[b * n + i] * q->d[i] * z1[b * n + i];
		}
	if (r > 0)
		cblas_dgemm(CblasRowMajor, CblasTrans, CblasNoTrans, (blasint)n, (blasint)r, (blasint)count, 1,
			dx, (blasint)n, z2, (blasint)r, 1, du, (blasint)r);
}
