/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Image to upsampled half spectrum: pixels are divided by the kernel's transform, put about
 * the origin of a grid twice as large, and transformed along rows (those that are not zero),
 * then along columns (those that some point touches). What the margins repeat follows from
 * G(-i, -j) = conj G(i, j) and periodicity. The transpose goes the same way back. */
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <umbra/fft.h>

#include "nufft_grid.h"

/* The smallest even number of factors 2, 3, 5 that is at least twice n and fits the kernel. */
int64_t um_nugrid_length(int64_t n, int width)
{
	int64_t least = n > width ? 2 * n : 2 * width;
	for (int64_t m = least + least % 2;; m += 2) {
		int64_t rest = m;
		for (int p = 2; p <= 5; p++)
			while (rest % p == 0)
				rest /= p;
		if (rest == 1)
			return m;
	}
}

static double *numbers(int64_t n)
{
	void *p = aligned_alloc(64, ((size_t)n * sizeof(double) + 63) / 64 * 64);
	if (p != NULL)
		memset(p, 0, (size_t)n * sizeof(double));
	return p;
}

um_status um_nulane_new(const um_nugrid *g, um_nulane *out)
{
	*out = (um_nulane){ numbers(g->size), numbers(g->n2), numbers(g->n2 + 2) };
	if (out->grid != NULL && out->line != NULL && out->half != NULL)
		return UM_OK;
	um_nulane_free(out);
	return um_fail(UM_ENOMEM, "no memory for a Fourier grid of %.0f MB", 8e-6 * (double)g->size);
}

void um_nulane_free(um_nulane *w)
{
	free(w->grid);
	free(w->line);
	free(w->half);
	*w = (um_nulane){ NULL, NULL, NULL };
}

/* One over the kernel's transform, at pixels counted from the one at the origin. */
static double *correction(const um_kernel *k, int64_t pixels, int64_t length)
{
	double *c = numbers(pixels);
	for (int64_t i = 0; c != NULL && i < pixels; i++)
		c[i] = 1 / um_kernel_transform(k, (double)(i - pixels / 2) / (double)length);
	return c;
}

/* Plans are for the alignment that every lane has; lanes come and go. */
static um_status make_plans(um_nugrid *g)
{
	const unsigned how = FFTW_ESTIMATE;
	const int n1 = (int)g->n1;
	const int n2 = (int)g->n2;
	const int pitch = (int)(g->stride / 2);
	um_nulane w;
	um_status st = um_nulane_new(g, &w);
	if (st != UM_OK)
		return st;
	fftw_complex *half = (fftw_complex *)w.half;
	fftw_complex *cells = (fftw_complex *)(w.grid + g->origin);
	um_fft_lock();
	g->line_forward = fftw_plan_dft_r2c_1d(n2, w.line, half, how | FFTW_PRESERVE_INPUT);
	g->line_backward = fftw_plan_dft_c2r_1d(n2, half, w.line, how);
	g->columns_forward = fftw_plan_many_dft(1, &n1, (int)g->used, cells, NULL, pitch, 1, cells,
		NULL, pitch, 1, FFTW_FORWARD, how);
	g->columns_backward = fftw_plan_many_dft(1, &n1, (int)g->used, cells, NULL, pitch, 1, cells,
		NULL, pitch, 1, FFTW_BACKWARD, how);
	um_fft_unlock();
	um_nulane_free(&w);
	if (g->line_forward && g->line_backward && g->columns_forward && g->columns_backward)
		return UM_OK;
	return um_fail(UM_ENOMEM, "no memory for a Fourier transform of %d x %d cells", n2, n1);
}

/* Rows begin 64 bytes apart from each other, and an odd number of times that, so that the
 * cells of a column do not compete for the same lines of a cache. */
static void lay_out(um_nugrid *g, int64_t far)
{
	int64_t half = g->n2 / 2;
	g->used = far < g->margin ? g->margin + 1 : far < half ? far + 1 : half + 1;
	g->beyond = far > half ? far - half : 0;
	int64_t lines = (g->margin + g->used + g->beyond + 3) / 4;
	g->stride = 8 * (lines + 1 - lines % 2);
	g->origin = g->margin * (g->stride + 2);
	g->size = (g->n1 + 2 * g->margin) * g->stride;
}

um_status um_nugrid_new(int64_t rows, int64_t columns, const um_kernel *k, int64_t far,
	um_nugrid **out)
{
	um_status st = UM_OK;
	*out = NULL;
	um_nugrid *g = calloc(1, sizeof(*g));
	if (g == NULL)
		return um_fail(UM_ENOMEM, "no memory for a Fourier grid");
	*g = (um_nugrid){ .rows = rows, .columns = columns, .margin = k->width / 2,
		.n1 = um_nugrid_length(rows, k->width), .n2 = um_nugrid_length(columns, k->width) };
	lay_out(g, far);
	g->cx = correction(k, columns, g->n2);
	g->cy = correction(k, rows, g->n1);
	if (g->cx == NULL || g->cy == NULL)
		UM_TRY(um_fail(UM_ENOMEM, "no memory for a Fourier grid"));
	UM_TRY(make_plans(g));
	*out = g;
out:
	if (st != UM_OK)
		um_nugrid_free(g);
	return st;
}

static void drop_plan(fftw_plan p)
{
	if (p != NULL)
		fftw_destroy_plan(p);
}

void um_nugrid_free(um_nugrid *g)
{
	if (g == NULL)
		return;
	um_fft_lock();
	drop_plan(g->line_forward);
	drop_plan(g->line_backward);
	drop_plan(g->columns_forward);
	drop_plan(g->columns_backward);
	um_fft_unlock();
	free(g->cx);
	free(g->cy);
	free(g);
}

/* The grid's row or column of a pixel; negative ones are at the end. */
static int64_t place(int64_t i, int64_t pixels, int64_t length)
{
	int64_t at = i - pixels / 2;
	return at < 0 ? at + length : at;
}

/* g[to] = conj g[from], or the transpose, g[from] += conj g[to]. */
static void mirror(double *cells, const um_nugrid *g, int64_t j, int64_t from, int adjoint)
{
	for (int64_t i = 0; i < g->n1; i++) {
		double *here = cells + i * g->stride + 2 * j;
		double *there = cells + (i == 0 ? 0 : g->n1 - i) * g->stride + 2 * from;
		if (adjoint) {
			there[0] += here[0];
			there[1] -= here[1];
		} else {
			here[0] = there[0];
			here[1] = -there[1];
		}
	}
}

static void mirror_columns(double *cells, const um_nugrid *g, int adjoint)
{
	for (int64_t j = 1; j <= g->margin; j++)
		mirror(cells, g, -j, j, adjoint);
	for (int64_t j = 1; j <= g->beyond; j++)
		mirror(cells, g, g->n2 / 2 + j, g->n2 / 2 - j, adjoint);
}

/* The rows before the first and after the last, with all their columns. */
static void wrap_rows(double *grid, const um_nugrid *g)
{
	size_t bytes = (size_t)(g->margin * g->stride) * sizeof(double);
	double *first = grid + g->margin * g->stride;
	double *after = first + g->n1 * g->stride;
	memcpy(grid, grid + g->n1 * g->stride, bytes);
	memcpy(after, first, bytes);
}

static void unwrap_rows(double *grid, const um_nugrid *g)
{
	double *first = grid + g->margin * g->stride;
	double *after = first + g->n1 * g->stride;
	double *last = grid + g->n1 * g->stride;
	for (int64_t i = 0; i < g->margin * g->stride; i++) {
		last[i] += grid[i];
		first[i] += after[i];
	}
}

void um_nugrid_forward(const um_nugrid *g, um_nulane *w, const double *image)
{
	double *cells = w->grid + g->origin;
	fftw_complex *half = (fftw_complex *)w->half;
	size_t bytes = (size_t)(2 * g->used) * sizeof(double);
	memset(w->grid, 0, (size_t)g->size * sizeof(double));
	memset(w->line, 0, (size_t)g->n2 * sizeof(double));
	for (int64_t j = 0; j < g->rows; j++) {
		const double *x = image + j * g->columns;
		for (int64_t k = 0; k < g->columns; k++)
			w->line[place(k, g->columns, g->n2)] = g->cy[j] * g->cx[k] * x[k];
		fftw_execute_dft_r2c(g->line_forward, w->line, half);
		memcpy(cells + place(j, g->rows, g->n1) * g->stride, w->half, bytes);
	}
	fftw_execute_dft(g->columns_forward, (fftw_complex *)cells, (fftw_complex *)cells);
	mirror_columns(cells, g, 0);
	wrap_rows(w->grid, g);
}

/* The real transform back counts every column but the first and the last twice, hence 1/2,
 * and takes the real part of those two. */
static void load_half(const um_nugrid *g, const double *cells, double *half)
{
	memset(half, 0, (size_t)(g->n2 + 2) * sizeof(double));
	for (int64_t j = 1; j < g->used; j++) {
		half[2 * j] = 0.5 * cells[2 * j];
		half[2 * j + 1] = 0.5 * cells[2 * j + 1];
	}
	half[0] = cells[0];
	if (g->used == g->n2 / 2 + 1) {
		half[g->n2] = cells[g->n2];
		half[g->n2 + 1] = 0;
	}
}

void um_nugrid_adjoint(const um_nugrid *g, um_nulane *w, double *image)
{
	double *cells = w->grid + g->origin;
	fftw_complex *half = (fftw_complex *)w->half;
	unwrap_rows(w->grid, g);
	mirror_columns(cells, g, 1);
	fftw_execute_dft(g->columns_backward, (fftw_complex *)cells, (fftw_complex *)cells);
	for (int64_t j = 0; j < g->rows; j++) {
		double *x = image + j * g->columns;
		load_half(g, cells + place(j, g->rows, g->n1) * g->stride, w->half);
		fftw_execute_dft_c2r(g->line_backward, half, w->line);
		for (int64_t k = 0; k < g->columns; k++)
			x[k] = g->cy[j] * g->cx[k] * w->line[place(k, g->columns, g->n2)];
	}
}
