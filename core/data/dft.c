/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The direct Fourier transform as matrix products. exp 2 pi i (u l + v m) is a product of a
 * function of the column and one of the row; l and m are odd about the centre, so that an image
 * folded into parts even (e) and odd (o) in rows and columns gives, with cosines c and sines s,
 *   Re V = sum_j cy_j (sum_k ee_jk cx_k) - sy_j (sum_k oo_jk sx_k)
 *   Im V = sum_j sy_j (sum_k oe_jk cx_k) + cy_j (sum_k eo_jk sx_k),  oe: odd rows, even columns,
 * over a quarter of the pixels: a quarter of the multiplications of the plain sum. The inner
 * sums are dgemm over a block of visibilities that stays in cache; the outer ones are loops of
 * constant length, which compilers vectorise. The adjoint runs backwards. */
#include <cblas.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <umbra/dft.h>

#include "base/parallel.h"

#define BLOCK 128            /* visibilities at a time */
#define WORK (512 * BLOCK)   /* numbers of one part of the work array, about */
#define TURN 6.28318530717958647693

struct um_dft {
	int64_t n, rows, columns;
	int64_t blocks;
	int64_t hr, hc;          /* half the rows and columns, rounded up */
	double *cx, *sx;         /* [blocks][hc][BLOCK] */
	double *cy, *sy;         /* [blocks][hr][BLOCK], times the pulse */
};

/* Scratch memory of one call: images at a time, folded images and their sums over columns. */
typedef struct work {
	int64_t images;
	double *even, *odd;      /* [images][2][hr][hc]: ee and oe; oo and eo */
	double *ce, *co;         /* [images][2][hr][BLOCK] */
} work;

int um_pulse_named(const char *name, um_pulse *out)
{
	static const char *const names[] = { "triangle", "rect", "delta" };
	for (int i = 0; i < 3; i++)
		if (strcmp(name, names[i]) == 0) {
			*out = (um_pulse)i;
			return 1;
		}
	return 0;
}

static double sinc(double x)
{
	double a = 0.5 * TURN * x;
	return fabs(a) < 1e-8 ? 1 : sin(a) / a;
}

double um_pulse_at(um_pulse pulse, double u, double v)
{
	double p = sinc(u) * sinc(v);
	return pulse == UM_DELTA ? 1 : pulse == UM_RECT ? p : p * p;
}

static double *numbers(int64_t n)
{
	void *p = aligned_alloc(64, ((size_t)n * sizeof(double) + 63) / 64 * 64);
	if (p != NULL)
		memset(p, 0, (size_t)n * sizeof(double));
	return p;
}

/* cos and sin of 2 pi x l for the first half of an axis. */
static void fill_axis(double *c, double *s, int64_t block, int64_t slot, int64_t half, int64_t len,
	double x, double factor)
{
	for (int64_t k = 0; k < half; k++) {
		double a = TURN * x * (0.5 * (double)(len - 1) - (double)k);
		int64_t at = (block * half + k) * BLOCK + slot;
		c[at] = factor * cos(a);
		s[at] = factor * sin(a);
	}
}

um_status um_dft_new(const double *u, const double *v, int64_t n, int64_t rows, int64_t columns,
	double pixel, um_pulse pulse, um_dft **out)
{
	um_dft *d = calloc(1, sizeof(*d));
	*out = NULL;
	if (d == NULL)
		return um_fail(UM_ENOMEM, "no memory for a Fourier transform");
	if (n < 1 || rows < 1 || columns < 1 || !(pixel > 0)) {
		um_dft_free(d);
		return um_fail(UM_EARG, "a Fourier transform needs points, pixels and a pixel size above 0");
	}
	*d = (um_dft){ .n = n, .rows = rows, .columns = columns, .blocks = (n + BLOCK - 1) / BLOCK,
		.hr = (rows + 1) / 2, .hc = (columns + 1) / 2 };
	d->cx = numbers(d->blocks * d->hc * BLOCK);
	d->sx = numbers(d->blocks * d->hc * BLOCK);
	d->cy = numbers(d->blocks * d->hr * BLOCK);
	d->sy = numbers(d->blocks * d->hr * BLOCK);
	if (d->cx == NULL || d->sx == NULL || d->cy == NULL || d->sy == NULL) {
		double mb = um_dft_bytes(d) / 1e6;
		um_dft_free(d);
		return um_fail(UM_ENOMEM, "no memory for a Fourier transform of %.0f MB", mb);
	}
	for (int64_t i = 0; i < n; i++) {
		double p = um_pulse_at(pulse, u[i] * pixel, v[i] * pixel);
		fill_axis(d->cx, d->sx, i / BLOCK, i % BLOCK, d->hc, columns, u[i] * pixel, 1);
		fill_axis(d->cy, d->sy, i / BLOCK, i % BLOCK, d->hr, rows, v[i] * pixel, p);
	}
	*out = d;
	return UM_OK;
}

void um_dft_free(um_dft *d)
{
	if (d == NULL)
		return;
	free(d->cx);
	free(d->sx);
	free(d->cy);
	free(d->sy);
	free(d);
}

double um_dft_bytes(const um_dft *d)
{
	return (double)(d->blocks * BLOCK * 2 * (d->hr + d->hc)) * sizeof(double);
}

double um_dft_flops(const um_dft *d)
{
	return (double)d->n * (double)d->hr * (8 * (double)d->hc + 8);
}

static void work_free(work *w, int lanes)
{
	for (int i = 0; w != NULL && i < lanes; i++) {
		free(w[i].even);
		free(w[i].odd);
		free(w[i].ce);
		free(w[i].co);
	}
	free(w);
}

/* Scratch for each thread; images are shared out in chunks of out[0].images. */
static um_status work_new(const um_dft *d, int64_t batch, int lanes, work **out)
{
	int64_t fit = WORK / (2 * d->hr * BLOCK);
	int64_t share = (batch + lanes - 1) / lanes;
	int64_t images = fit < 1 ? 1 : fit > share ? share : fit;
	work *w = calloc((size_t)lanes, sizeof(*w));
	bool good = w != NULL;
	for (int i = 0; good && i < lanes; i++) {
		w[i].images = images;
		w[i].even = numbers(images * 2 * d->hr * d->hc);
		w[i].odd = numbers(images * 2 * d->hr * d->hc);
		w[i].ce = numbers(images * 2 * d->hr * BLOCK);
		w[i].co = numbers(images * 2 * d->hr * BLOCK);
		good = w[i].even != NULL && w[i].odd != NULL && w[i].ce != NULL && w[i].co != NULL;
	}
	*out = w;
	if (good)
		return UM_OK;
	work_free(w, lanes);
	return um_fail(UM_ENOMEM, "no memory for a Fourier transform of %lld images", (long long)images);
}

/* The middle row or column of an odd length is its own mirror image: it counts once. */
static void fold(const um_dft *d, const double *image, double *even, double *odd)
{
	int64_t quarter = d->hr * d->hc;
	for (int64_t j = 0; j < d->hr; j++) {
		int64_t jj = d->rows - 1 - j;
		const double *top = image + j * d->columns;
		const double *low = image + jj * d->columns;
		double both = j == jj ? 0 : 1;
		for (int64_t k = 0; k < d->hc; k++) {
			int64_t kk = d->columns - 1 - k;
			double twin = k == kk ? 0 : 1;
			double te = top[k] + twin * top[kk];
			double le = both * (low[k] + twin * low[kk]);
			double to = twin * (top[k] - top[kk]);
			double lo = both * twin * (low[k] - low[kk]);
			even[j * d->hc + k] = te + le;
			even[quarter + j * d->hc + k] = both * (te - le);
			odd[j * d->hc + k] = both * (to - lo);
			odd[quarter + j * d->hc + k] = to + lo;
		}
	}
}

/* The transpose of fold. */
static void unfold(const um_dft *d, const double *even, const double *odd, double *image)
{
	int64_t quarter = d->hr * d->hc;
	for (int64_t j = 0; j < d->hr; j++) {
		int64_t jj = d->rows - 1 - j;
		double *top = image + j * d->columns;
		double *low = image + jj * d->columns;
		double both = j == jj ? 0 : 1;
		for (int64_t k = 0; k < d->hc; k++) {
			int64_t kk = d->columns - 1 - k;
			int64_t at = j * d->hc + k;
			double twin = k == kk ? 0 : 1;
			double ee = even[at];
			double oe = both * even[quarter + at];
			double oo = both * twin * odd[at];
			double eo = twin * odd[quarter + at];
			/* mirrored pixels last, so that a middle one gets the even part alone */
			low[kk] = ee - oe + oo - eo;
			low[k] = ee - oe - oo + eo;
			top[kk] = ee + oe - oo - eo;
			top[k] = ee + oe + oo + eo;
		}
	}
}

/* One row of a quarter image and one block. Constant lengths and restrict let any compiler
 * vectorise these two; they are where the time outside dgemm goes. */
static void contract_row(double *restrict re, double *restrict im, const double *restrict cy,
	const double *restrict sy, const double *restrict ee, const double *restrict oo,
	const double *restrict oe, const double *restrict eo)
{
	for (int m = 0; m < BLOCK; m++) {
		re[m] += cy[m] * ee[m] - sy[m] * oo[m];
		im[m] += sy[m] * oe[m] + cy[m] * eo[m];
	}
}

static void expand_row(const double *restrict re, const double *restrict im,
	const double *restrict cy, const double *restrict sy, double *restrict ee,
	double *restrict oo, double *restrict oe, double *restrict eo)
{
	for (int m = 0; m < BLOCK; m++) {
		ee[m] = cy[m] * re[m];
		oo[m] = -sy[m] * re[m];
		oe[m] = sy[m] * im[m];
		eo[m] = cy[m] * im[m];
	}
}

/* C = A B or, with beta = 1, C += A B^T. */
static void product(bool transposed, int64_t m, int64_t n, int64_t k, const double *a, const double *b,
	double *c)
{
	cblas_dgemm(CblasRowMajor, CblasNoTrans, transposed ? CblasTrans : CblasNoTrans, (int)m, (int)n,
		(int)k, 1, a, (int)k, b, transposed ? (int)k : (int)n, transposed ? 1 : 0, c, (int)n);
}

static void forward_block(const um_dft *d, const work *w, int64_t count, int64_t block, double *re,
	double *im)
{
	double out[2][BLOCK];
	const double *cy = d->cy + block * d->hr * BLOCK;
	const double *sy = d->sy + block * d->hr * BLOCK;
	int64_t first = block * BLOCK;
	size_t bytes = (size_t)(d->n - first < BLOCK ? d->n - first : BLOCK) * sizeof(double);
	int64_t lines = count * 2 * d->hr;
	product(false, lines, BLOCK, d->hc, w->even, d->cx + block * d->hc * BLOCK, w->ce);
	product(false, lines, BLOCK, d->hc, w->odd, d->sx + block * d->hc * BLOCK, w->co);
	for (int64_t i = 0; i < count; i++) {
		const double *ce = w->ce + i * 2 * d->hr * BLOCK;
		const double *co = w->co + i * 2 * d->hr * BLOCK;
		memset(out, 0, sizeof(out));
		for (int64_t j = 0; j < d->hr; j++)
			contract_row(out[0], out[1], cy + j * BLOCK, sy + j * BLOCK, ce + j * BLOCK,
				co + j * BLOCK, ce + (d->hr + j) * BLOCK, co + (d->hr + j) * BLOCK);
		memcpy(re + i * d->n + first, out[0], bytes);
		memcpy(im + i * d->n + first, out[1], bytes);
	}
}

static void adjoint_block(const um_dft *d, const work *w, int64_t count, int64_t block,
	const double *re, const double *im)
{
	double in[2][BLOCK] = { { 0 } };
	const double *cy = d->cy + block * d->hr * BLOCK;
	const double *sy = d->sy + block * d->hr * BLOCK;
	int64_t first = block * BLOCK;
	size_t bytes = (size_t)(d->n - first < BLOCK ? d->n - first : BLOCK) * sizeof(double);
	int64_t lines = count * 2 * d->hr;
	for (int64_t i = 0; i < count; i++) {
		double *ce = w->ce + i * 2 * d->hr * BLOCK;
		double *co = w->co + i * 2 * d->hr * BLOCK;
		memcpy(in[0], re + i * d->n + first, bytes);
		memcpy(in[1], im + i * d->n + first, bytes);
		for (int64_t j = 0; j < d->hr; j++)
			expand_row(in[0], in[1], cy + j * BLOCK, sy + j * BLOCK, ce + j * BLOCK,
				co + j * BLOCK, ce + (d->hr + j) * BLOCK, co + (d->hr + j) * BLOCK);
	}
	product(true, lines, d->hc, BLOCK, w->ce, d->cx + block * d->hc * BLOCK, w->even);
	product(true, lines, d->hc, BLOCK, w->co, d->sx + block * d->hc * BLOCK, w->odd);
}

static void forward_chunk(const um_dft *d, const work *w, int64_t count, const double *images,
	double *re, double *im)
{
	int64_t quarters = 2 * d->hr * d->hc;
	for (int64_t i = 0; i < count; i++)
		fold(d, images + i * d->rows * d->columns, w->even + i * quarters, w->odd + i * quarters);
	for (int64_t k = 0; k < d->blocks; k++)
		forward_block(d, w, count, k, re, im);
}

static void adjoint_chunk(const um_dft *d, const work *w, int64_t count, const double *re,
	const double *im, double *images)
{
	int64_t quarters = 2 * d->hr * d->hc;
	memset(w->even, 0, (size_t)(count * quarters) * sizeof(double));
	memset(w->odd, 0, (size_t)(count * quarters) * sizeof(double));
	for (int64_t k = 0; k < d->blocks; k++)
		adjoint_block(d, w, count, k, re, im);
	for (int64_t i = 0; i < count; i++)
		unfold(d, w->even + i * quarters, w->odd + i * quarters, images + i * d->rows * d->columns);
}

/* Both ways: chunks of images over threads, where the build has OpenMP. */
static um_status transform(const um_dft *d, bool adjoint, int64_t batch, double *images, double *re,
	double *im)
{
	work *w = NULL;
	int lanes = batch < THREADS() ? (int)batch : THREADS();
	lanes = lanes < 1 ? 1 : lanes;
	um_status st = work_new(d, batch, lanes, &w);
	if (st != UM_OK)
		return st;
	int64_t each = w->images;
	PARALLEL
	for (int64_t b = 0; b < batch; b += each) {
		const work *mine = &w[THREAD()];
		int64_t count = batch - b < each ? batch - b : each;
		double *x = images + b * d->rows * d->columns;
		if (adjoint)
			adjoint_chunk(d, mine, count, re + b * d->n, im + b * d->n, x);
		else
			forward_chunk(d, mine, count, x, re + b * d->n, im + b * d->n);
	}
	work_free(w, lanes);
	return UM_OK;
}

um_status um_dft_forward(const um_dft *d, int64_t batch, const double *images, double *re, double *im)
{
	return transform(d, false, batch, (double *)images, re, im);
}

um_status um_dft_adjoint(const um_dft *d, int64_t batch, const double *re, const double *im,
	double *images)
{
	return transform(d, true, batch, images, (double *)re, (double *)im);
}
