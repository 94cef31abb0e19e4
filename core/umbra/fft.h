/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Two-dimensional Fourier and cosine transforms of real images in double, through FFTW (Frigo
 * and Johnson 2005, doi:10.1109/JPROC.2004.840301). Versioned with libumbra; not plugin ABI. */
#ifndef UMBRA_FFT_H
#define UMBRA_FFT_H

#include <stdint.h>
#include <umbra/status.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A plan and its two buffers, for one thread at a time. */
typedef struct um_fft2 um_fft2;

/* Plans are chosen without measuring, so that equal runs give equal bytes. */
UM_API UM_USED um_status um_fft2_new(int64_t rows, int64_t columns, um_fft2 **out);
UM_API void um_fft2_free(um_fft2 *f);

/* The image [rows][columns], and its half spectrum [rows][columns/2+1][2] (re, im): entry
 * (k1, k2) is sum x[r][c] exp(-2 pi i (k1 r/rows + k2 c/columns)). Lent. */
UM_API double *um_fft2_image(um_fft2 *f);
UM_API double *um_fft2_spectrum(um_fft2 *f);

/* Image to spectrum (keeps the image), and spectrum to image (spoils the spectrum). Neither
 * divides: there and back multiplies by rows * columns. */
UM_API void um_fft2_forward(um_fft2 *f);
UM_API void um_fft2_backward(um_fft2 *f);

/* The cosine transform of images that go on as their mirror image (pixel -1 is pixel 0), in one
 * buffer; for one thread at a time. */
typedef struct um_dct2 um_dct2;

UM_API UM_USED um_status um_dct2_new(int64_t rows, int64_t columns, um_dct2 **out);
UM_API void um_dct2_free(um_dct2 *d);

/* The buffer [rows][columns]: an image or its transform, entry (k1, k2) of which is
 * 4 sum x[r][c] cos(pi k1 (r + 1/2) / rows) cos(pi k2 (c + 1/2) / columns). Lent. */
UM_API double *um_dct2_buffer(um_dct2 *d);

/* Image to transform and back, in place; there and back multiplies by 4 rows columns. */
UM_API void um_dct2_forward(um_dct2 *d);
UM_API void um_dct2_backward(um_dct2 *d);

/* FFTW plans are made and destroyed by one thread at a time: every use of the planner, in
 * this library or elsewhere, is between these two. */
UM_API void um_fft_lock(void);
UM_API void um_fft_unlock(void);

#ifdef __cplusplus
}
#endif
#endif
