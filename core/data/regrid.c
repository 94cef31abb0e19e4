/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Regridding by the area that pixels share: rows and columns each by themselves, since both grids point north. */
#include <math.h>
#include <stdlib.h>
#include <umbra/fits.h>
#include <umbra/linalg.h>
#include <umbra/plugin.h>
#include "base/mem.h"
#include "data/regrid.h"

#define SAME 1e-3 /* pixels whose sizes differ by less are the same */
#define LOST 0.01 /* brightness outside the field that is worth a warning */

/* The part below x of the square, or the triangle, of a pixel of width 1 about 0. */
static double below(double x, bool smooth)
{
	const double reach = smooth ? 1 : 0.5, y = fmax(-reach, fmin(reach, x));
	return smooth ? 0.5 + y - 0.5 * y * fabs(y) : 0.5 + y;
}

/* w [to][from]: the part of old pixel j that lies in new interval i. */
static double *overlaps(int64_t from, double ratio, bool smooth, int64_t to)
{
	double *w = um_new(sizeof(*w) * (size_t)(from * to));
	for (int64_t i = 0; i < to; i++)
		for (int64_t j = 0; j < from; j++) { /* in units of an old pixel, about its middle */
			const double a = ((double)i - 0.5 * (double)to) / ratio - ((double)j + 0.5 - 0.5 * (double)from);
			w[i * from + j] = below(a + 1 / ratio, smooth && ratio > 1) - below(a, smooth && ratio > 1);
		}
	return w;
}

void um_regrid(int64_t rows, int64_t columns, const double *from, double ratio, bool smooth, int64_t to_rows,
	int64_t to_columns, double *to)
{
	double *r = overlaps(rows, ratio, smooth, to_rows), *c = overlaps(columns, ratio, smooth, to_columns);
	double *half = um_new(sizeof(*half) * (size_t)(to_rows * columns));
	um_gemm(false, false, to_rows, columns, rows, r, from, half);
	um_gemm(false, true, to_rows, to_columns, columns, half, c, to);
	free(half);
	free(r);
	free(c);
}

/* ---- images of files ----------------------------------------------------------------------- */

/* Whether the image has another grid than the pipeline; UM_EDATA where it does and cannot be brought to it. */
static um_status compare_grids(const um_env *env, const um_image *im, const char *path, bool *other)
{
	const um_array *a = &im->data;
	const int64_t columns = a->dim[a->rank - 1], rows = a->rank > 1 ? a->dim[a->rank - 2] : 1;
	const bool same = rows == env->shape[3] && columns == env->shape[4], known = im->sky.pixel > 0 && env->pixel > 0;
	*other = !same || (known && fabs(im->sky.pixel / env->pixel - 1) > SAME);
	if (!*other || known)
		return UM_OK;
	return um_fail(UM_EDATA, "%s: it has %lld x %lld pixels, the pipeline's image %lld x %lld; it can only be regridded where both "
		"have a size on the sky (CDELT1 and CDELT2; fov_uas)", path, (long long)columns, (long long)rows,
		(long long)env->shape[4], (long long)env->shape[3]);
}

static double total(const double *v, int64_t n)
{
	double sum = 0;
	for (int64_t i = 0; i < n; i++)
		sum += fabs(v[i]);
	return sum;
}

um_status um_image_onto(const um_image *im, const char *path, const um_env *env, bool smooth, um_array *x)
{
	um_status st = UM_OK;
	bool other;
	double *plane = NULL;
	UM_TRY(compare_grids(env, im, path, &other));
	const um_array *a = &im->data;
	const int64_t columns = a->dim[a->rank - 1], rows = a->rank > 1 ? a->dim[a->rank - 2] : 1, size = env->shape[3] * env->shape[4];
	const int64_t each = env->shape[0] * env->shape[1] * env->shape[2], planes = um_array_len(a) / (rows * columns);
	if (planes % each != 0)
		UM_TRY(um_fail(UM_EDATA, "%s: %lld planes are no whole number of images of %lld", path, (long long)planes, (long long)each));
	UM_TRY(um_array_new(x, UM_F32, 6, (const int64_t[]){ planes / each, env->shape[0], env->shape[1], env->shape[2], env->shape[3],
		env->shape[4] }));
	plane = um_new(sizeof(*plane) * (size_t)size);
	for (int64_t k = 0; k < planes; k++) {
		const double *v = (const double *)a->data + k * rows * columns, *from = v;
		if (other) {
			um_regrid(rows, columns, v, im->sky.pixel / env->pixel, smooth, env->shape[3], env->shape[4], plane);
			from = plane;
		}
		if (other && k == 0 && total(plane, size) < (1 - LOST) * total(v, rows * columns))
			um_log(UM_WARN, "%s: %.2g of its brightness lies outside the field of the pipeline", path,
				1 - total(plane, size) / total(v, rows * columns));
		for (int64_t i = 0; i < size; i++)
			((float *)x->data)[k * size + i] = (float)from[i];
	}
out:
	free(plane);
	return st;
}
