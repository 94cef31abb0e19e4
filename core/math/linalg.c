/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Thin wrappers on CBLAS and LAPACKE. LAPACK is column-major: a symmetric matrix reads the
 * same, a row-major lower triangle is a column-major upper one, and the eigenvectors that
 * LAPACK leaves in columns are rows here; so nothing is ever transposed in memory. */
#include <cblas.h>
#include <lapacke.h>
#include <math.h>
#include <umbra/linalg.h>

double um_dot(int64_t n, const double *a, const double *b)
{
	return cblas_ddot((blasint)n, a, 1, b, 1);
}

double um_log_sum_exp(int64_t n, const double *v)
{
	double top = -INFINITY, sum = 0;
	for (int64_t i = 0; i < n; i++)
		if (!(v[i] <= top)) /* a NaN becomes the result */
			top = v[i];
	if (!isfinite(top))
		return top;
	for (int64_t i = 0; i < n; i++)
		sum += exp(v[i] - top);
	return top + log(sum);
}

void um_gemv(bool transpose, int64_t rows, int64_t columns, const double *a, const double *x, double *y)
{
	cblas_dgemv(CblasRowMajor, transpose ? CblasTrans : CblasNoTrans, (blasint)rows, (blasint)columns,
		1, a, (blasint)columns, x, 1, 0, y, 1);
}

void um_gemm(bool transpose_a, bool transpose_b, int64_t m, int64_t n, int64_t k, const double *a,
	const double *b, double *c)
{
	cblas_dgemm(CblasRowMajor, transpose_a ? CblasTrans : CblasNoTrans,
		transpose_b ? CblasTrans : CblasNoTrans, (blasint)m, (blasint)n, (blasint)k, 1, a,
		(blasint)(transpose_a ? m : k), b, (blasint)(transpose_b ? k : n), 0, c, (blasint)n);
}

um_status um_cholesky(int64_t n, double *a)
{
	lapack_int info = LAPACKE_dpotrf_work(LAPACK_COL_MAJOR, 'U', (lapack_int)n, a, (lapack_int)n);
	if (info > 0)
		return um_fail(UM_ENUM, "a %lld x %lld matrix is not positive definite: minor %d is not "
			"positive", (long long)n, (long long)n, (int)info);
	if (info < 0)
		return um_fail(UM_EARG, "dpotrf: argument %d is wrong", -(int)info);
	for (int64_t i = 0; i < n; i++)
		for (int64_t j = i + 1; j < n; j++)
			a[i * n + j] = 0;
	return UM_OK;
}

void um_cholesky_solve(int64_t n, const double *l, int64_t nrhs, double *b)
{
	(void)LAPACKE_dpotrs_work(LAPACK_COL_MAJOR, 'U', (lapack_int)n, (lapack_int)nrhs, l,
		(lapack_int)n, b, (lapack_int)n);
}

double um_cholesky_log_det(int64_t n, const double *l)
{
	double sum = 0;
	for (int64_t i = 0; i < n; i++)
		sum += 2 * log(l[i * n + i]);
	return sum;
}

um_status um_eigh(int64_t n, double *a, double *w)
{
	for (int64_t i = 0; i < n * n; i++)
		if (!isfinite(a[i]))
			return um_fail(UM_ENUM, "eigenvalues of a %lld x %lld matrix: it is not finite",
				(long long)n, (long long)n);
	lapack_int info = LAPACKE_dsyevd(LAPACK_COL_MAJOR, 'V', 'U', (lapack_int)n, a, (lapack_int)n, w);
	if (info != 0)
		return um_fail(UM_ENUM, "eigenvalues of a %lld x %lld matrix: dsyevd gave up with %d",
			(long long)n, (long long)n, (int)info);
	return UM_OK;
}
