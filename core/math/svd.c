/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Singular values, exact and by random projection. A row-major A is a column-major A^T, whose left
 * singular vectors are the rows of V^T; so nothing is ever transposed in memory.
 *
 * The random one looks for the space of the leading rows: with Omega white noise, a row of it for each
 * row of A, Q = orth(A^T Omega), then Q = orth(A^T (A Q)) a few times. A Q is as tall as A; of its QR
 * factorisation only R is kept, updated block by block ([R; block] = Q' R'), and R = U S W^T gives the
 * singular values and V = Q W without squaring any number. */
#include <cblas.h>
#include <lapacke.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <umbra/linalg.h>

um_status um_svd(int64_t rows, int64_t columns, double *a, double *s, double *u, double *vt)
{
	const lapack_int m = (lapack_int)columns, n = (lapack_int)rows, q = m < n ? m : n;
	for (int64_t i = 0; i < rows * columns; i++)
		if (!isfinite(a[i]))
			return um_fail(UM_ENUM, "singular values of a %lld x %lld matrix: it is not finite",
				(long long)rows, (long long)columns);
	lapack_int info = LAPACKE_dgesdd(LAPACK_COL_MAJOR, 'S', m, n, a, m, s, vt, m, u, q);
	if (info == LAPACK_WORK_MEMORY_ERROR)
		return um_fail(UM_ENOMEM, "no memory for singular values of a %lld x %lld matrix",
			(long long)rows, (long long)columns);
	if (info != 0)
		return um_fail(UM_ENUM, "singular values of a %lld x %lld matrix: dgesdd gave up with %d",
			(long long)rows, (long long)columns, (int)info);
	return UM_OK;
}

um_status um_orthonormal(int64_t count, int64_t n, double *q)
{
	const lapack_int m = (lapack_int)n, k = (lapack_int)count;
	double *tau = malloc(sizeof(double) * 2 * (size_t)(count + 1));
	if (tau == NULL)
		return um_fail(UM_ENOMEM, "no memory for %lld orthonormal vectors", (long long)count);
	double *sign = tau + count + 1;
	lapack_int info = LAPACKE_dgeqrf(LAPACK_COL_MAJOR, m, k, q, m, tau);
	for (int64_t i = 0; i < count; i++)
		sign[i] = q[i * n + i] < 0 ? -1 : 1;
	if (info == 0)
		info = LAPACKE_dorgqr(LAPACK_COL_MAJOR, m, k, k, q, m, tau);
	for (int64_t i = 0; info == 0 && i < count; i++)
		cblas_dscal((blasint)n, sign[i], q + i * n, 1);
	free(tau);
	return info == 0 ? UM_OK : um_fail(UM_ENUM, "orthonormal vectors: LAPACK refused argument %d (not a "
		"number there?)", -(int)info);
}

/* ---- random projection ---------------------------------------------------------------------- */

typedef struct {
	const um_svd_job *job;
	int64_t l, block;  /* dimensions of the search; rows at once */
	double *q, *y;     /* [l][columns] rows: orthonormal; the sum over blocks of B^T A */
	double *a;         /* [block][columns] */
	double *b;         /* [2 l or l + block][l]: R, then A Q^T of the rows at hand or white noise */
	double *tau, *work, *small, *top; /* [l], [32 l], [l][l], [l] */
} search;

static int64_t least(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

int64_t um_svd_dimensions(const um_svd_job *job)
{
	return least(job->rank + job->extra, least(job->rows, job->columns));
}

int64_t um_svd_passes(const um_svd_job *job)
{
	return um_svd_dimensions(job) == job->columns ? 1 : 2 + job->power;
}

static double *room(int64_t rows, int64_t columns)
{
	const int64_t most = INT64_MAX / 64;
	return rows > 0 && columns > most / rows ? NULL : malloc(sizeof(double) * (size_t)(rows * columns));
}

static void search_free(search *w)
{
	free(w->q), free(w->y), free(w->a), free(w->b);
	free(w->tau), free(w->work), free(w->small), free(w->top);
}

static um_status search_new(const um_svd_job *job, search *w)
{
	const int64_t n = job->columns, megabytes = (INT64_C(1) << 22) / (n > 0 ? n : 1);
	const bool right = n > 0 && n < INT32_MAX && job->rank > 0 && job->extra >= 0 && job->power >= 0 &&
		job->rank <= least(job->rows, n) && job->extra < INT32_MAX && job->block >= 0;
	*w = (search){ .job = job };
	if (!right)
		return um_fail(UM_EARG, "no %lld singular values of a %lld x %lld matrix in %lld more dimensions",
			(long long)job->rank, (long long)job->rows, (long long)n, (long long)job->extra);
	w->l = um_svd_dimensions(job);
	w->block = least(job->block > 0 ? job->block : megabytes < 64 ? 64 : least(megabytes, 1024), job->rows);
	w->q = room(w->l, n);
	w->y = room(w->l, n);
	w->a = room(w->block, n);
	w->b = room(w->l + (w->block > w->l ? w->block : w->l), w->l);
	w->tau = room(w->l, 1);
	w->work = room(w->l, 32);
	w->small = room(w->l, w->l);
	w->top = room(w->l, 1);
	if (!w->q || !w->y || !w->a || !w->b || !w->tau || !w->work || !w->small || !w->top)
		return um_fail(UM_ENOMEM, "no memory for %lld singular vectors of %lld numbers",
			(long long)w->l, (long long)n);
	return UM_OK;
}

/* The next rows of A; how many in *count. */
static um_status read(search *w, int64_t first, int64_t *count)
{
	*count = least(w->block, w->job->rows - first);
	return w->job->read(w->job->context, first, *count, w->a);
}

/* A Q^T of the rows at hand. */
static void project(search *w, int64_t count)
{
	um_gemm(false, true, count, w->l, w->job->columns, w->a, w->q, w->b + w->l * w->l);
}

/* q = orth of the sum over rows of (white noise, or A Q^T)^T A. */
static um_status iterate(search *w, bool noise)
{
	const int64_t n = w->job->columns;
	double *b = w->b + w->l * w->l, *swap;
	um_status st = UM_OK;
	memset(w->y, 0, sizeof(double) * (size_t)(w->l * n));
	for (int64_t first = 0, count; first < w->job->rows; first += count) {
		UM_TRY(read(w, first, &count));
		for (int64_t i = 0; noise && i < count; i++) {
			um_rng r = um_rng_at(w->job->rng, 0, (uint64_t)(first + i));
			um_normal_fill(&r, b + i * w->l, w->l);
		}
		if (!noise)
			project(w, count);
		cblas_dgemm(CblasRowMajor, CblasTrans, CblasNoTrans, (blasint)w->l, (blasint)n, (blasint)count, 1,
			b, (blasint)w->l, w->a, (blasint)n, 1, w->y, (blasint)n);
	}
	swap = w->q;
	w->q = w->y;
	w->y = swap;
	UM_TRY(um_orthonormal(w->l, n, w->q));
out:
	return st;
}

/* R of A Q^T = Q' R in the first l rows of b, upper triangular. */
static um_status factor(search *w)
{
	const lapack_int l = (lapack_int)w->l;
	um_status st = UM_OK;
	memset(w->b, 0, sizeof(double) * (size_t)(w->l * w->l));
	for (int64_t first = 0, count; first < w->job->rows; first += count) {
		UM_TRY(read(w, first, &count));
		project(w, count);
		lapack_int info = LAPACKE_dgelqf_work(LAPACK_COL_MAJOR, l, l + (lapack_int)count, w->b, l, w->tau,
			w->work, 32 * l);
		if (info != 0)
			UM_TRY(um_fail(UM_ENUM, "dgelqf: argument %d is wrong", -(int)info));
		for (int64_t i = 1; i < w->l; i++)
			memset(w->b + i * w->l, 0, sizeof(double) * (size_t)i);
	}
out:
	return st;
}

/* The sign of a singular vector is free: its largest element shall be positive. */
static void fix_sign(int64_t n, double *v)
{
	const int64_t top = (int64_t)cblas_idamax((blasint)n, v, 1);
	if (v[top] < 0)
		cblas_dscal((blasint)n, -1, v, 1);
}

um_status um_svd_random(const um_svd_job *job, double *s, double *vt)
{
	const int64_t n = job->columns;
	um_status st = UM_OK;
	search w;
	UM_TRY(search_new(job, &w));
	if (w.l == n) {
		memset(w.q, 0, sizeof(double) * (size_t)(n * n));
		for (int64_t i = 0; i < n; i++)
			w.q[i * (n + 1)] = 1;
	} else {
		if (job->done > 0)
			memcpy(w.q, job->basis, sizeof(double) * (size_t)(w.l * n));
		for (int64_t i = job->done; i <= job->power; i++) {
			UM_TRY(iterate(&w, i == 0));
			if (job->after != NULL)
				UM_TRY(job->after(job->context, i + 1, w.q));
		}
	}
	UM_TRY(factor(&w));
	UM_TRY(um_svd(w.l, w.l, w.b, w.top, w.b + w.l * w.l, w.small));
	memcpy(s, w.top, sizeof(double) * (size_t)job->rank);
	um_gemm(false, false, job->rank, n, w.l, w.small, w.q, vt);
	for (int64_t k = 0; k < job->rank; k++)
		fix_sign(n, vt + k * n);
out:
	search_free(&w);
	return st;
}
