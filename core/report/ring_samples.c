/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The ring over posterior samples: each is measured by itself, and quantiles are taken of what
 * they give. Samples go over threads; nothing is added up between them. */
#include <math.h>
#include <stdlib.h>
#include <umbra/chains.h>
#include "report/ring.h"

enum { DIAMETER, WIDTH, ORIENTATION, ASYMMETRY, CENTRAL, SCATTER };

static const char *const names[UM_RING_FIGURES] = {
	[DIAMETER] = "ring_diameter_uas", [WIDTH] = "ring_width_uas",
	[ORIENTATION] = "ring_orientation_deg", [ASYMMETRY] = "ring_asymmetry",
	[CENTRAL] = "ring_central", [SCATTER] = "ring_scatter",
};

static void spread(const um_ring *m, double v[UM_RING_FIGURES])
{
	v[DIAMETER] = m->diameter;
	v[WIDTH] = m->width;
	v[ORIENTATION] = m->orientation;
	v[ASYMMETRY] = m->asymmetry;
	v[CENTRAL] = m->central;
	v[SCATTER] = m->diameter_std / m->diameter;
}

/* Adds the planes of sample i to sum[n]. */
static void add_planes(const um_array *s, int64_t i, int64_t n, double *sum)
{
	const int64_t length = um_array_rowlen(s);
	for (int64_t k = 0; k < length; k++)
		sum[k % n] += s->dtype == UM_F32 ? (double)um_row_f(s, i)[k] : um_row_d(s, i)[k];
}

static int ascending(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

/* Turns angles in degrees into differences from their circular mean, which it returns. */
static double about_mean(double *v, int64_t n)
{
	const double degree = acos(-1) / 180;
	double s = 0, c = 0;
	for (int64_t i = 0; i < n; i++) {
		s += sin(degree * v[i]);
		c += cos(degree * v[i]);
	}
	double mean = fmod(atan2(s, c) / degree + 360, 360);
	for (int64_t i = 0; i < n; i++)
		v[i] = remainder(v[i] - mean, 360);
	return mean;
}

/* Figure k of all samples, measured [S][figures]; v has room for S. */
static void limits(const double *measured, int64_t count, int k, double *v, um_ring_figure *f)
{
	int64_t n = 0;
	double base = 0;
	f->p16 = f->p50 = f->p84 = NAN;
	for (int64_t i = 0; i < count; i++)
		if (isfinite(measured[i * UM_RING_FIGURES + k]))
			v[n++] = measured[i * UM_RING_FIGURES + k];
	if (n == 0)
		return;
	if (k == ORIENTATION)
		base = about_mean(v, n);
	qsort(v, (size_t)n, sizeof(*v), ascending);
	f->p50 = base + um_quantile(v, n, 0.5);
	double turn = k == ORIENTATION ? 360 * floor(f->p50 / 360) : 0;
	f->p50 -= turn;
	f->p16 = base + um_quantile(v, n, 0.16) - turn;
	f->p84 = base + um_quantile(v, n, 0.84) - turn;
}

/* All samples, and the mean image last; images [count + 1][rows * columns] is room. */
static void measure_all(const um_array *s, double pixel, double *images, double *measured)
{
	const int64_t rows = s->dim[s->rank - 2], columns = s->dim[s->rank - 1], n = rows * columns;
	const int64_t count = s->dim[0];
	for (int64_t i = 0; i < count; i++) {
		add_planes(s, i, n, images + i * n);
		for (int64_t k = 0; k < n; k++)
			images[count * n + k] += images[i * n + k] / (double)count;
	}
#ifdef _OPENMP
#pragma omp parallel for schedule(dynamic)
#endif
	for (int64_t i = 0; i <= count; i++) {
		um_ring m;
		um_ring_measure(images + i * n, rows, columns, pixel, &m);
		spread(&m, measured + i * UM_RING_FIGURES);
	}
}

um_status um_ring_samples(const um_array *s, double pixel, um_ring_figure out[UM_RING_FIGURES])
{
	um_status st = UM_OK;
	const int64_t count = s->dim[0];
	um_array images = { 0 }, measured = { 0 }, room = { 0 };
	if (s->rank < 3 || count < 1)
		return um_fail(UM_EARG, "rings are measured in samples of images with rows and columns");
	const int64_t n = s->dim[s->rank - 2] * s->dim[s->rank - 1];
	UM_TRY(um_array_new(&images, UM_F64, 2, (const int64_t[]){ count + 1, n }));
	UM_TRY(um_array_new(&measured, UM_F64, 2, (const int64_t[]){ count + 1, UM_RING_FIGURES }));
	UM_TRY(um_array_new(&room, UM_F64, 1, (const int64_t[]){ count }));
	measure_all(s, pixel, images.data, measured.data);
	for (int k = 0; k < UM_RING_FIGURES; k++) {
		out[k] = (um_ring_figure){ .name = names[k], .mean = um_row_d(&measured, count)[k] };
		limits(measured.data, count, k, room.data, &out[k]);
	}
out:
	um_array_free(&images);
	um_array_free(&measured);
	um_array_free(&room);
	return st;
}
