/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The bases: the identity, the Fourier modes of a torus, the cosine modes of a plane of mirrors,
 * eigenvectors of each axis, eigenvectors of a matrix (all, or some and what is orthogonal to them). */
#include <cblas.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <umbra/linalg.h>
#include <umbra/spectral.h>

static um_status allocate(um_spectral *s, int64_t n, int64_t count)
{
	s->n = n;
	s->count = count;
	s->c = calloc((size_t)count, sizeof(double));
	s->many = calloc((size_t)count, sizeof(double));
	s->work = calloc((size_t)(2 * n), sizeof(double));
	if (s->c == NULL || s->many == NULL || s->work == NULL) {
		um_spectral_free(s);
		return um_fail(UM_ENOMEM, "no memory for a covariance of %lld pixels", (long long)n);
	}
	return UM_OK;
}

um_status um_spectral_white(int64_t n, double variance, um_spectral *out)
{
	*out = (um_spectral){ 0 };
	um_status st = allocate(out, n, 1);
	if (st == UM_OK) {
		out->c[0] = variance;
		out->many[0] = (double)n;
	}
	return st;
}

um_status um_spectral_fourier(int64_t rows, int64_t columns, um_spectral *out)
{
	const int64_t half = columns / 2 + 1;
	*out = (um_spectral){ 0 };
	um_status st = allocate(out, rows * columns, rows * half);
	if (st == UM_OK)
		st = um_fft2_new(rows, columns, &out->fft);
	if (st != UM_OK) {
		um_spectral_free(out);
		return st;
	}
	for (int64_t i = 0; i < out->count; i++)
		out->many[i] = i % half == 0 || 2 * (i % half) == columns ? 1 : 2; /* k and -k */
	return UM_OK;
}

um_status um_spectral_power(int64_t rows, int64_t columns, double variance, double k0, double slope,
	um_spectral *out)
{
	const int64_t half = columns / 2 + 1;
	um_status st = um_spectral_fourier(rows, columns, out);
	double sum = 0;
	if (st != UM_OK)
		return st;
	for (int64_t i = 0; i < out->count; i++) {
		int64_t k1 = i / half, k2 = i % half;
		double v = (double)(2 * k1 > rows ? k1 - rows : k1) * (double)columns / (double)rows;
		out->c[i] = pow(k0 * k0 + v * v + (double)(k2 * k2), -slope / 2);
		sum += out->many[i] * out->c[i];
	}
	for (int64_t i = 0; i < out->count; i++)
		out->c[i] *= variance * (double)out->n / sum;
	return UM_OK;
}

um_status um_spectral_cosine(int64_t rows, int64_t columns, um_spectral *out)
{
	*out = (um_spectral){ 0 };
	um_status st = allocate(out, rows * columns, rows * columns);
	if (st == UM_OK)
		st = um_dct2_new(rows, columns, &out->dct);
	if (st != UM_OK) {
		um_spectral_free(out);
		return st;
	}
	for (int64_t i = 0; i < out->count; i++)
		out->many[i] = 1;
	return UM_OK;
}

um_status um_spectral_axes(int64_t rows, int64_t columns, const double *down, const double *across,
	um_spectral *out)
{
	um_status st = UM_OK;
	double *w = malloc(sizeof(double) * (size_t)(rows + columns));
	*out = (um_spectral){ .rows = rows, .columns = columns };
	out->down = malloc(sizeof(double) * (size_t)(rows * rows));
	out->across = malloc(sizeof(double) * (size_t)(columns * columns));
	if (w == NULL || out->down == NULL || out->across == NULL)
		UM_TRY(um_fail(UM_ENOMEM, "no memory for eigenvectors of %lld x %lld pixels", (long long)columns,
			(long long)rows));
	UM_TRY(allocate(out, rows * columns, rows * columns));
	memcpy(out->down, down, sizeof(double) * (size_t)(rows * rows));
	memcpy(out->across, across, sizeof(double) * (size_t)(columns * columns));
	UM_TRY(um_eigh(rows, out->down, w));
	UM_TRY(um_eigh(columns, out->across, w + rows));
	for (int64_t i = 0; i < out->count; i++) {
		out->c[i] = w[i / columns] * w[rows + i % columns];
		out->many[i] = 1;
	}
out:
	free(w);
	if (st != UM_OK)
		um_spectral_free(out);
	return st;
}

um_status um_spectral_dense(int64_t n, const double *matrix, um_spectral *out)
{
	um_status st = UM_OK;
	*out = (um_spectral){ 0 };
	UM_TRY(allocate(out, n, n));
	out->basis = malloc(sizeof(double) * (size_t)(n * n));
	if (out->basis == NULL)
		UM_TRY(um_fail(UM_ENOMEM, "no memory for a covariance of %lld pixels", (long long)n));
	for (int64_t i = 0; i < n; i++)
		for (int64_t j = 0; j < n; j++) {
			double a = matrix[i * n + j], b = matrix[j * n + i];
			if (fabs(a - b) > 1e-5 * (fabs(matrix[i * n + i]) + fabs(matrix[j * n + j])))
				UM_TRY(um_fail(UM_ENUM, "the covariance is not symmetric: element (%lld, %lld) is %g, "
					"its mirror %g", (long long)i, (long long)j, a, b));
			out->basis[i * n + j] = (a + b) / 2;
		}
	out->rank = n;
	for (int64_t i = 0; i < n; i++)
		out->many[i] = 1;
	UM_TRY(um_eigh(n, out->basis, out->c));
out:
	if (st != UM_OK)
		um_spectral_free(out);
	return st;
}

um_status um_spectral_leading(int64_t n, int64_t rank, const double *basis, const double *c, double rest,
	um_spectral *out)
{
	um_status st = UM_OK;
	*out = (um_spectral){ 0 };
	UM_TRY(allocate(out, n, rank < n ? rank + 1 : n));
	out->rank = rank;
	out->basis = malloc(sizeof(double) * (size_t)(n * rank));
	if (out->basis == NULL)
		UM_TRY(um_fail(UM_ENOMEM, "no memory for a covariance of %lld pixels", (long long)n));
	memcpy(out->basis, basis, sizeof(double) * (size_t)(n * rank));
	for (int64_t i = 0; i < out->count; i++) {
		out->c[i] = i < rank ? c[i] : rest;
		out->many[i] = i < rank ? 1 : (double)(n - rank);
	}
out:
	if (st != UM_OK)
		um_spectral_free(out);
	return st;
}

void um_spectral_free(um_spectral *s)
{
	free(s->c);
	free(s->many);
	free(s->basis);
	free(s->down);
	free(s->across);
	free(s->work);
	um_fft2_free(s->fft);
	um_dct2_free(s->dct);
	*s = (um_spectral){ 0 };
}

um_status um_spectral_floor(um_spectral *s, double variance)
{
	double top = 0;
	for (int64_t i = 0; i < s->count; i++) {
		s->c[i] += variance;
		top = fmax(top, s->c[i]);
	}
	for (int64_t i = 0; i < s->count; i++)
		if (!(s->c[i] > 1e-14 * top))
			return um_fail(UM_ENUM, "the covariance is not positive definite: eigenvalue %.3g beside "
				"%.3g; add white noise to it", s->c[i], top);
	return UM_OK;
}

static void apply_fft(const um_spectral *s, const double *gain, const double *in, double *out)
{
	double *spectrum = um_fft2_spectrum(s->fft);
	memcpy(um_fft2_image(s->fft), in, sizeof(double) * (size_t)s->n);
	um_fft2_forward(s->fft);
	for (int64_t i = 0; i < s->count; i++) {
		spectrum[2 * i] *= gain[i] / (double)s->n;
		spectrum[2 * i + 1] *= gain[i] / (double)s->n;
	}
	um_fft2_backward(s->fft);
	memcpy(out, um_fft2_image(s->fft), sizeof(double) * (size_t)s->n);
}

static void apply_dct(const um_spectral *s, const double *gain, const double *in, double *out)
{
	double *x = um_dct2_buffer(s->dct);
	memcpy(x, in, sizeof(double) * (size_t)s->n);
	um_dct2_forward(s->dct);
	for (int64_t i = 0; i < s->n; i++)
		x[i] *= gain[i] / (4 * (double)s->n);
	um_dct2_backward(s->dct);
	memcpy(out, x, sizeof(double) * (size_t)s->n);
}

static void apply_axes(const um_spectral *s, const double *gain, const double *in, double *out)
{
	const int64_t r = s->rows, c = s->columns;
	double *t = s->work, *u = s->work + s->n;
	um_gemm(false, false, r, c, r, s->down, in, t);
	um_gemm(false, true, r, c, c, t, s->across, u);
	for (int64_t i = 0; i < s->n; i++)
		u[i] *= gain[i];
	um_gemm(true, false, r, c, r, s->down, u, t);
	um_gemm(false, false, r, c, c, t, s->across, out);
}

/* out = rest in + B^T diag(gain - rest) B in, where rest is the gain of what B leaves out. */
static void apply_basis(const um_spectral *s, const double *gain, const double *in, double *out)
{
	const double rest = s->rank < s->n ? gain[s->rank] : 0;
	um_gemv(false, s->rank, s->n, s->basis, in, s->work);
	for (int64_t i = 0; i < s->rank; i++)
		s->work[i] *= gain[i] - rest;
	if (out != in)
		memcpy(out, in, sizeof(double) * (size_t)s->n);
	cblas_dgemv(CblasRowMajor, CblasTrans, (blasint)s->rank, (blasint)s->n, 1, s->basis, (blasint)s->n,
		s->work, 1, rest, out, 1);
}

/* Row by row, so that a result never depends on what else is in its batch. */
void um_spectral_apply(const um_spectral *s, const double *gain, const double *in, double *out)
{
	if (s->fft != NULL) {
		apply_fft(s, gain, in, out);
	} else if (s->dct != NULL) {
		apply_dct(s, gain, in, out);
	} else if (s->down != NULL) {
		apply_axes(s, gain, in, out);
	} else if (s->basis != NULL) {
		apply_basis(s, gain, in, out);
	} else {
		for (int64_t i = 0; i < s->n; i++)
			out[i] = gain[0] * in[i];
	}
}

double um_spectral_trace(const um_spectral *s, const double *gain)
{
	return um_dot(s->count, s->many, gain);
}
