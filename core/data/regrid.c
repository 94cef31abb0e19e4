/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Regridding by the area that pixels share: rows and columns each by themselves, since both grids point north. */
#include <math.h>
#include <stdlib.h>
#include <umbra/linalg.h>
#include "base/mem.h"
#include "data/regrid.h"

/* w [to][from]: the part of old interval j that lies in new interval i. */
static double *overlaps(int64_t from, double ratio, int64_t to)
{
	double *w = um_new(sizeof(*w) * (size_t)(from * to));
	for (int64_t i = 0; i < to; i++)
		for (int64_t j = 0; j < from; j++) { /* in units of a new pixel, about the centre */
			const double a = (double)i - 0.5 * (double)to, b = ((double)j - 0.5 * (double)from) * ratio;
			w[i * from + j] = fmax(0, fmin(a + 1, b + ratio) - fmax(a, b)) / ratio;
		}
	return w;
}

void um_regrid(int64_t rows, int64_t columns, const double *from, double ratio, int64_t to_rows, int64_t to_columns, double *to)
{
	double *r = overlaps(rows, ratio, to_rows), *c = overlaps(columns, ratio, to_columns);
	double *half = um_new(sizeof(*half) * (size_t)(to_rows * columns));
	um_gemm(false, false, to_rows, columns, rows, r, from, half);
	um_gemm(false, true, to_rows, to_columns, columns, half, c, to);
	free(half);
	free(r);
	free(c);
}
