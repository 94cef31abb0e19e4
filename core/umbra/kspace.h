/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Samples of the discrete Fourier transform of real images as a linear measurement:
 *   Y(k) = scale sum_r x(r) exp(-2 pi i (k1 r1 / rows + k2 r2 / columns)),
 * r from the first pixel, of each plane of an image at the same frequencies; a measurement is
 * y = [all Re Y, all Im Y], plane after plane in each part. A real image has Y(-k) = conj Y(k). So
 * with h = scale^2 rows columns / 2 the rows of A are orthogonal and |row|^2 = h, except: where k = -k
 * (zero and Nyquist frequencies) Re has 2 h, and Im is 0 and pure noise; where k and -k are both sampled,
 * their Re rows are equal and their Im rows opposite. Hence A A^T is known exactly. Versioned with
 * libumbra; not part of the plugin ABI. */
#ifndef UMBRA_KSPACE_H
#define UMBRA_KSPACE_H

#include <umbra/array.h>
#include <umbra/fft.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Open for reading. For one thread at a time (it holds the buffers of transforms). */
typedef struct um_kspace {
	int64_t rows, columns, planes;
	int64_t n;        /* samples of a plane; y has 2 n planes numbers */
	double scale;
	double sigma;     /* of each number of a simulated measurement; 0 until it is set */
	int64_t *place;   /* [n] frequency k as k1 * columns + k2, 0 <= k1 < rows, 0 <= k2 < columns */
	int64_t *mirror;  /* [n] which sample is at -k, or -1 */
	um_fft2 *fft;
} um_kspace;

/* place [n] is copied; UM_EARG where one is out of range or there twice. */
UM_API UM_USED um_status um_kspace_new(int64_t planes, int64_t rows, int64_t columns, double scale,
	int64_t n, const int64_t *place, um_kspace *out);
/* Releases all and zeroes *k; fine on a zeroed one. */
UM_API void um_kspace_free(um_kspace *k);

/* Functions of um_forward_ops for plugins whose instance is a um_kspace of malloc's. */
UM_API void um_kspace_destroy(void *self);
UM_API UM_USED um_status um_kspace_apply(void *self, const um_array *op, const um_array *x, const um_array *dx,
	um_array *y, um_array *dy);
UM_API UM_USED um_status um_kspace_pullback(void *self, const um_array *op, const um_array *x, const um_array *v,
	um_array *jtv);
UM_API UM_USED um_status um_kspace_noise(void *self, um_array *sigma, um_array *op);
UM_API UM_USED um_status um_kspace_solve(void *self, const um_array *op, const um_array *sigma, double a2, double b2,
	const um_array *r, um_array *out);

#ifdef __cplusplus
}
#endif
#endif
