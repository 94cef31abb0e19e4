/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A symmetric matrix in its eigenbasis, C = U diag(c) U^T, such as a covariance or a blur:
 * whatever is wanted of it, its inverse, its root, alpha^2 C + sigma^2 I, is U diag(g(c)) U^T.
 * Versioned with libumbra; not part of the plugin ABI. */
#ifndef UMBRA_SPECTRAL_H
#define UMBRA_SPECTRAL_H

#include <umbra/fft.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Open for reading; c may be changed. For one thread at a time (it holds work space). */
typedef struct um_spectral {
	int64_t n;          /* C is n x n */
	int64_t count;      /* eigenvalues c, each with multiplicity many: sum of many = n */
	double *c, *many;
	int64_t rank;       /* rows of basis; where rank < n, c[rank] is of all that is orthogonal to them */
	double *basis;      /* rows are eigenvectors [rank][n]; NULL: not a dense matrix */
	um_fft2 *fft;       /* NULL: U is not the Fourier basis */
	um_dct2 *dct;       /* NULL: nor the cosine basis */
	int64_t rows, columns;  /* of the image, where U has a part for each axis: */
	double *down, *across;  /* rows are eigenvectors [rows][rows], [columns][columns]; NULL: it has not */
	double *work;       /* where none of these is there, U = I */
} um_spectral;

/* C = variance I. */
UM_API UM_USED um_status um_spectral_white(int64_t n, double variance, um_spectral *out);

/* Stationary on an image that wraps around: c(k) ~ (k0^2 + k^2)^(-slope/2), k in cycles per
 * image width, scaled so that C_ii = variance. */
UM_API UM_USED um_status um_spectral_power(int64_t rows, int64_t columns, double variance, double k0,
	double slope, um_spectral *out);

/* Isotropic on the sphere, at n points in the directions of vertex [n][3]: C = sum over l of (2 l + 1) c(l) P_l(cosine of
 * the angle), c(l) ~ (k0^2 + l^2)^(-slope/2) for l^2 <= n, scaled so that C_ii = variance. */
UM_API UM_USED um_status um_spectral_angular(int64_t n, const double *vertex, double variance, double k0, double slope,
	um_spectral *out);

/* Images that wrap around: the Fourier basis, c[rows * (columns / 2 + 1)] as um_fft2 orders it. And
 * images that go on as their mirror image: the cosine basis, c[rows * columns] as um_dct2 orders
 * it. c is 0 until it is set. */
UM_API UM_USED um_status um_spectral_fourier(int64_t rows, int64_t columns, um_spectral *out);
UM_API UM_USED um_status um_spectral_cosine(int64_t rows, int64_t columns, um_spectral *out);

/* C x = D x A^T for images x [rows][columns], D = down and A = across symmetric (copied; their
 * lower halves are read). UM_ENUM where they are not finite. */
UM_API UM_USED um_status um_spectral_axes(int64_t rows, int64_t columns, const double *down,
	const double *across, um_spectral *out);

/* Any symmetric matrix [n][n]; UM_ENUM where it is not symmetric or not finite. */
UM_API UM_USED um_status um_spectral_dense(int64_t n, const double *matrix, um_spectral *out);

/* rank <= n leading eigenvectors, the rows of basis [rank][n] (copied; orthonormal), with eigenvalues
 * c[rank], and the eigenvalue rest of everything orthogonal to them. */
UM_API UM_USED um_status um_spectral_leading(int64_t n, int64_t rank, const double *basis,
	const double *c, double rest, um_spectral *out);

/* Releases all and zeroes *s; fine on a zeroed one. */
UM_API void um_spectral_free(um_spectral *s);

/* Adds variance to every eigenvalue; UM_ENUM where one is then not positive. */
UM_API UM_USED um_status um_spectral_floor(um_spectral *s, double variance);

/* out = U diag(gain) U^T in, gain[count]; out may be in. */
UM_API void um_spectral_apply(const um_spectral *s, const double *gain, const double *in, double *out);

/* out = (a2 diag(sigma^2) + b2 U diag(w) U^T)^-1 r, w[count] >= 0, a2 and b2 >= 0; a2 = 0 asks for the
 * pseudo-inverse, in which w below 1e-10 of the largest are 0. Closed form where all sigma are equal or
 * U = I; else conjugate gradients, preconditioned by it, to 1e-12: their number goes with the ratio of the
 * largest sigma to the smallest. UM_ENUM where these do not converge. out is not r. */
UM_API UM_USED um_status um_spectral_solve(const um_spectral *s, const double *w, const double *sigma,
	double a2, double b2, const double *r, double *out);

/* Trace of U diag(gain) U^T. */
UM_API double um_spectral_trace(const um_spectral *s, const double *gain);

#ifdef __cplusplus
}
#endif
#endif
