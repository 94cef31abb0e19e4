/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The direct Fourier transform from an image to visibilities, in double. Versioned with
 * libumbra; not part of the plugin ABI.
 *
 * V_m = P(u_m,v_m) sum_jk I_jk exp(2 pi i (u_m l_k + v_m m_j)),
 * l_k = ((columns-1)/2 - k) pixel, m_j = ((rows-1)/2 - j) pixel,
 * P the Fourier transform of the pixel's shape. */
#ifndef UMBRA_DFT_H
#define UMBRA_DFT_H

#include <stdint.h>
#include <umbra/status.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum um_pulse { UM_TRIANGLE, UM_RECT, UM_DELTA } um_pulse;

typedef struct um_dft um_dft; /* immutable: any number of threads may use one */

/* The pulse of this name (triangle, rect, delta); false where there is none. */
UM_API int um_pulse_named(const char *name, um_pulse *out);

/* Its Fourier transform, at u, v in cycles a pixel. */
UM_API double um_pulse_at(um_pulse pulse, double u, double v);

/* For n points u, v in wavelengths (copied) and images of rows x columns square pixels of
 * pixel radians. */
UM_API UM_USED um_status um_dft_new(const double *u, const double *v, int64_t n, int64_t rows,
	int64_t columns, double pixel, um_pulse pulse, um_dft **out);
UM_API void um_dft_free(um_dft *d);

/* images [batch][rows][columns] to re, im [batch][n]. */
UM_API UM_USED um_status um_dft_forward(const um_dft *d, int64_t batch, const double *images,
	double *re, double *im);

/* The transpose: images = A_re^T re + A_im^T im. */
UM_API UM_USED um_status um_dft_adjoint(const um_dft *d, int64_t batch, const double *re,
	const double *im, double *images);

/* Bytes that the operator keeps, and multiplications plus additions of one image, one way. */
UM_API double um_dft_bytes(const um_dft *d);
UM_API double um_dft_flops(const um_dft *d);

#ifdef __cplusplus
}
#endif
#endif
