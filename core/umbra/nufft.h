/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The non-uniform Fourier transform from an image to visibilities (type 2) and its transpose
 * (type 1), in double, through an FFT on a grid of twice the size. Versioned with libumbra;
 * not part of the plugin ABI.
 *
 * V_m = f_m sum_jk I_jk exp(2 pi i (u_m l_k + v_m m_j)), l_k and m_j as in <umbra/dft.h>, so
 * that with f the pulse at (u, v) it is the transform of that header. */
#ifndef UMBRA_NUFFT_H
#define UMBRA_NUFFT_H

#include <stdint.h>
#include <umbra/status.h>

#ifdef __cplusplus
extern "C" {
#endif

#define UM_NUFFT_FINEST 1e-13 /* the smallest tolerance */

typedef struct um_nufft um_nufft; /* immutable: any number of threads may use one */

/* For n points u, v in wavelengths with factors (NULL: all 1), copied, and images of
 * rows x columns square pixels of pixel radians. An error of V_m is below
 * tolerance |f_m| sum |I|; the tolerance lies between UM_NUFFT_FINEST and 0.1. Points may lie
 * anywhere: the transform is periodic but for a sign, and so is its grid. */
UM_API UM_USED um_status um_nufft_new(const double *u, const double *v, const double *factor,
	int64_t n, int64_t rows, int64_t columns, double pixel, double tolerance, um_nufft **out);
UM_API void um_nufft_free(um_nufft *f);

/* images [batch][rows][columns] to re, im [batch][n]. Equal calls give equal bytes, and an
 * image does not depend on the rest of its batch. */
UM_API UM_USED um_status um_nufft_forward(const um_nufft *f, int64_t batch, const double *images,
	double *re, double *im);

/* The transpose, exact but for rounding: images = A_re^T re + A_im^T im. */
UM_API UM_USED um_status um_nufft_adjoint(const um_nufft *f, int64_t batch, const double *re,
	const double *im, double *images);

/* Bytes that the operator keeps (48 a point), and bytes more while it transforms, for each
 * thread: one grid of about 32 bytes a pixel, or a few that fit in cache together. 1e6 points and
 * 512 x 512 pixels: 48 MB, and 9 MB a thread. */
UM_API double um_nufft_bytes(const um_nufft *f);
UM_API double um_nufft_work_bytes(const um_nufft *f);

/* Multiplications plus additions of one image, one way, at a tolerance: of the sums over grid
 * cells, and of the FFT (5/2 N log2 N for N cells). */
UM_API void um_nufft_flops(int64_t n, int64_t rows, int64_t columns, double tolerance,
	double *cells, double *fft);

#ifdef __cplusplus
}
#endif
#endif
