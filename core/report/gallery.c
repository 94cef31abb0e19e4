/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Two square blocks of images side by side, on the scale of the left one: a few bright pixels on the
 * right would darken all of it. */
#include <math.h>
#include <stdlib.h>
#include "figure.h"

enum { MOST_SIDE = 8, SHOWN = MOST_SIDE * MOST_SIDE };

static int64_t size_of(const um_array *a)
{
	const int k = a->rank;
	const int64_t channels = k > 3 && a->dim[k - 3] == 3 ? 3 : 1;
	return channels * a->dim[k - 1] * (k > 2 ? a->dim[k - 2] : 1);
}

/* Image i of a block as a panel; its numbers go to v. */
static um_panel panel(const um_array *a, int i, double *v)
{
	const int k = a->rank;
	const int64_t size = size_of(a);
	for (int64_t j = 0; j < size; j++)
		v[j] = (double)um_row_f(a, i)[j];
	return (um_panel){ .data = v, .channels = k > 3 && a->dim[k - 3] == 3 ? 3 : 1,
		.rows = k > 2 ? a->dim[k - 2] : 1, .columns = a->dim[k - 1] };
}

static int by_size(const void *a, const void *b)
{
	const double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

/* From 0 where nothing is negative, to the brightest pixel of an image that three quarters are fainter than:
 * a few bright images would darken all. */
static um_scale scale_of(const um_array *a, const double *v, um_cmap map)
{
	um_scale s = { .map = map };
	const int64_t count = a->dim[0] < SHOWN ? a->dim[0] : SHOWN, n = size_of(a);
	double most[SHOWN];
	for (int64_t k = 0; k < count; k++) {
		most[k] = v[k * n];
		for (int64_t i = 0; i < n; i++) {
			s.lo = fmin(s.lo, v[k * n + i]);
			most[k] = fmax(most[k], v[k * n + i]);
		}
	}
	qsort(most, (size_t)count, sizeof(*most), by_size);
	s.hi = most[3 * count / 4];
	return s;
}

um_status um_figure_gallery(const char *path, const char *title, const um_array *left,
	const um_array *right,
	double pixel, const struct um_mesh *mesh)
{
	const um_array *block[2] = { left, right };
	um_panel panels[MOST_SIDE * (2 * MOST_SIDE + 1)] = { 0 };
	const int most = (int)(left->dim[0] < SHOWN ? left->dim[0] : SHOWN);
	const int side = most <= 16 ? 4 : most <= 36 ? 6 : MOST_SIDE;
	const int columns = right != NULL ? 2 * side + 1 : side, rows = (most + side - 1) / side;
	double *v = calloc((size_t)(2 * SHOWN * size_of(left)), sizeof(*v));
	if (v == NULL)
		return um_fail(UM_ENOMEM, "no memory for %d images", 2 * SHOWN);
	for (int b = 0; b < 2; b++)
		for (int i = 0; block[b] != NULL && i < block[b]->dim[0] && i < rows * side; i++) {
			um_panel *p = &panels[i / side * columns + b * (side + 1) + i % side];
			*p = panel(block[b], i, v + (b * SHOWN + i) * size_of(left));
			p->mesh = mesh;
		}
	const um_scale scale = scale_of(left, v, pixel > 0 || mesh != NULL ? UM_AFMHOT : UM_GREY);
	um_status st = um_figure_write(path, &(um_figure){ .title = title, .panels = panels,
		.npanels = rows * columns, .columns = columns, .scales = &scale, .nscales = 1,
		.smooth = pixel > 0,
		.pixel = pixel });
	free(v);
	return st;
}
