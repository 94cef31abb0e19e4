/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The upsampled half spectrum of a real image, with a margin, so that sums over the cells
 * around a point need no wrapping. Private to core/math. */
#ifndef MATH_NUFFT_GRID_H
#define MATH_NUFFT_GRID_H

#include <fftw3.h>
#include <umbra/status.h>

#include "nufft_kernel.h"

/* Cells are (re, im) pairs; cell (i, j), row frequency i and column frequency j, begins at
 * origin + i * stride + 2 j. Rows go from -margin to n1 + margin - 1. */
typedef struct um_nugrid {
	int64_t rows, columns;  /* of the image */
	int64_t n1, n2;         /* of the FFT */
	int64_t margin;         /* half the width of the kernel */
	int64_t used;           /* columns 0 .. used-1 of the half spectrum are computed */
	int64_t beyond;         /* columns wanted after the last one, n2/2 */
	int64_t stride, origin, size; /* in doubles */
	double *cx, *cy;        /* one over the kernel's transform, at each column and row */
	fftw_plan line_forward, line_backward, columns_forward, columns_backward;
} um_nugrid;

/* Memory for one image at a time: the grid, one line of the padded image, its half spectrum. */
typedef struct um_nulane {
	double *grid, *line, *half;
} um_nulane;

/* The size of the FFT along an axis of n pixels. */
int64_t um_nugrid_length(int64_t n, int width);

/* far: the last column that any point touches; it sets which columns are computed at all. */
UM_USED um_status um_nugrid_new(int64_t rows, int64_t columns, const um_kernel *k, int64_t far,
	um_nugrid **out);
void um_nugrid_free(um_nugrid *g);

UM_USED um_status um_nulane_new(const um_nugrid *g, um_nulane *out);
void um_nulane_free(um_nulane *w);

/* The image to the grid with its margins, and the transpose, which spoils the grid. */
void um_nugrid_forward(const um_nugrid *g, um_nulane *w, const double *image);
void um_nugrid_adjoint(const um_nugrid *g, um_nulane *w, double *image);

#endif
