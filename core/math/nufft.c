/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Non-uniform FFT (Barnett, Magland and af Klinteberg 2019, doi:10.1137/18M120885X). With
 * k0 = floor(N/2) the pixel at the origin of the grid and c = (N-1)/2 the centre of the image,
 *   V = f exp(2 pi i (x (c_x - k0_x) + y (c_y - k0_y))) F(x, y),  x = u pixel, y = v pixel,
 *   F(x, y) = sum_jk I_jk exp(-2 pi i (x (k - k0_x) + y (j - k0_y))),
 * F has period 1 and F(-x, -y) = conj F(x, y), so that points are moved to 0 <= x <= 1/2,
 * 0 <= y < 1, where F is the sum of the grid's cells around a point times the kernel. Points
 * are sorted once into tiles of the grid that stay in the fastest cache. */
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <umbra/nufft.h>

#include "nufft_grid.h"
#include "nufft_kernel.h"

#include "base/parallel.h"

#define TILE 16                  /* cells along each side */
#define GROUP 8                  /* images that share the weights of a block, at most */
#define CACHED (1 << 20)         /* bytes of grids of a group, about */
#define PI 3.14159265358979323846

struct um_nufft {
	int64_t n;
	um_kernel kernel;
	const um_nuloops *loops;
	um_nugrid *grid;
	um_nupoint *points;      /* sorted by tile */
	int images;              /* of a group */
};

/* The grids of one thread. */
typedef struct work {
	um_nulane lane[GROUP];
} work;

/* ---- points ---------------------------------------------------------------- */

/* A point in cells of the grid, in the half plane that is kept. */
typedef struct place {
	double x, y;             /* 0 <= x <= n2/2, 0 <= y < n1 */
	bool conj;
} place;

static place place_of(double x, double y, int64_t n1, int64_t n2)
{
	x -= round(x);
	y -= round(y);
	place p = { .conj = x < 0 };
	p.x = fabs(x) * (double)n2;
	p.y = (p.conj ? -y : y) * (double)n1;
	if (p.y < 0)
		p.y += (double)n1;
	if (p.y >= (double)n1)
		p.y -= (double)n1;
	return p;
}

/* c - k0 is -1/2 for an even number of pixels, 0 for an odd one. */
static double phase(double x, int64_t pixels)
{
	return pixels % 2 ? 0 : -PI * remainder(x, 2);
}

static um_nupoint make_point(const um_nugrid *g, place p, double x, double y, double factor,
	int64_t i)
{
	double a = phase(x, g->columns) + phase(y, g->rows);
	double up = ceil(p.x);
	double down = ceil(p.y);
	um_nupoint out = { .tx = 2 * (up - p.x) - 1, .ty = 2 * (down - p.y) - 1,
		.zr = factor * cos(a), .zi = factor * sin(a), .at = p.conj ? ~i : i };
	out.cell = g->origin + ((int64_t)down - g->margin) * g->stride
		+ 2 * ((int64_t)up - g->margin);
	if (p.conj)
		out.zi = -out.zi;
	return out;
}

static int64_t tile_of(const um_nugrid *g, place p)
{
	int64_t across = g->n2 / 2 / TILE + 1;
	return (int64_t)p.y / TILE * across + (int64_t)p.x / TILE;
}

/* A counting sort: where each tile begins, then every point to its place. */
static um_status sort_points(um_nufft *f, const double *u, const double *v, const double *factor,
	double pixel)
{
	const um_nugrid *g = f->grid;
	int64_t tiles = (g->n1 / TILE + 1) * (g->n2 / 2 / TILE + 1);
	int64_t *next = calloc((size_t)tiles + 1, sizeof(*next));
	f->points = aligned_alloc(64, ((size_t)f->n * sizeof(um_nupoint) + 63) / 64 * 64);
	if (next == NULL || f->points == NULL) {
		free(next);
		return um_fail(UM_ENOMEM, "no memory for %lld visibilities", (long long)f->n);
	}
	for (int64_t i = 0; i < f->n; i++)
		next[tile_of(g, place_of(u[i] * pixel, v[i] * pixel, g->n1, g->n2)) + 1]++;
	for (int64_t i = 0; i < tiles; i++)
		next[i + 1] += next[i];
	for (int64_t i = 0; i < f->n; i++) {
		double x = u[i] * pixel;
		double y = v[i] * pixel;
		place p = place_of(x, y, g->n1, g->n2);
		f->points[next[tile_of(g, p)]++] = make_point(g, p, x, y,
			factor != NULL ? factor[i] : 1, i);
	}
	free(next);
	return UM_OK;
}

/* ---- operator -------------------------------------------------------------- */

static um_status check(const double *u, const double *v, int64_t n, int64_t rows, int64_t columns,
	double pixel, double tolerance)
{
	const int64_t most = 1 << 20;
	if (n < 1 || rows < 1 || columns < 1 || rows > most || columns > most || !(pixel > 0))
		return um_fail(UM_EARG, "a Fourier transform needs points, pixels and a pixel size above 0");
	if (!(tolerance >= UM_NUFFT_FINEST && tolerance <= 0.1))
		return um_fail(UM_EARG, "a gridded Fourier transform cannot reach a tolerance of %g: give "
			"%g to 0.1, or use the direct one", tolerance, UM_NUFFT_FINEST);
	for (int64_t i = 0; i < n; i++)
		if (!isfinite(u[i] * pixel) || !isfinite(v[i] * pixel))
			return um_fail(UM_EARG, "a Fourier transform at u = %g, v = %g (point %lld): leave "
				"such points out", u[i], v[i], (long long)i);
	return UM_OK;
}

/* The last column of cells that a point touches. */
static int64_t farthest(const double *u, const double *v, int64_t n, double pixel, int64_t n2,
	int64_t margin)
{
	double x = 0;
	for (int64_t i = 0; i < n; i++)
		x = fmax(x, place_of(u[i] * pixel, v[i] * pixel, n2, n2).x);
	return (int64_t)ceil(x) + margin - 1;
}

um_status um_nufft_new(const double *u, const double *v, const double *factor, int64_t n,
	int64_t rows, int64_t columns, double pixel, double tolerance, um_nufft **out)
{
	*out = NULL;
	um_status st = check(u, v, n, rows, columns, pixel, tolerance);
	if (st != UM_OK)
		return st;
	um_nufft *f = calloc(1, sizeof(*f));
	if (f == NULL)
		return um_fail(UM_ENOMEM, "no memory for a Fourier transform");
	f->n = n;
	um_kernel_make(&f->kernel, tolerance);
	f->loops = um_nuloops_for(f->kernel.width);
	int64_t far = farthest(u, v, n, pixel, um_nugrid_length(columns, f->kernel.width),
		f->kernel.width / 2);
	UM_TRY(um_nugrid_new(rows, columns, &f->kernel, far, &f->grid));
	UM_TRY(sort_points(f, u, v, factor, pixel));
	f->images = (int)fmax(1, fmin(GROUP, CACHED / (8.0 * (double)f->grid->size)));
	*out = f;
out:
	if (st != UM_OK)
		um_nufft_free(f);
	return st;
}

void um_nufft_free(um_nufft *f)
{
	if (f == NULL)
		return;
	um_nugrid_free(f->grid);
	free(f->points);
	free(f);
}

double um_nufft_bytes(const um_nufft *f)
{
	return (double)sizeof(*f) + (double)f->n * sizeof(um_nupoint)
		+ (double)(f->grid->rows + f->grid->columns) * sizeof(double);
}

double um_nufft_work_bytes(const um_nufft *f)
{
	return (double)f->images * (double)(f->grid->size + 2 * f->grid->n2) * sizeof(double);
}

void um_nufft_flops(int64_t n, int64_t rows, int64_t columns, double tolerance, double *cells,
	double *fft)
{
	um_kernel k;
	um_kernel_make(&k, tolerance);
	double grid = (double)um_nugrid_length(rows, k.width) * (double)um_nugrid_length(columns, k.width);
	*cells = (double)n * 4 * k.width * (k.width + k.degree);
	*fft = 2.5 * grid * log2(grid);
}

/* ---- transform ------------------------------------------------------------- */

static void work_free(work *w, int lanes)
{
	for (int i = 0; w != NULL && i < lanes; i++)
		for (int j = 0; j < GROUP; j++)
			um_nulane_free(&w[i].lane[j]);
	free(w);
}

static um_status work_new(const um_nufft *f, int lanes, int images, work **out)
{
	um_status st = UM_OK;
	work *w = calloc((size_t)lanes, sizeof(*w));
	if (w == NULL)
		return um_fail(UM_ENOMEM, "no memory for a Fourier transform");
	for (int i = 0; i < lanes && st == UM_OK; i++)
		for (int j = 0; j < images && st == UM_OK; j++)
			st = um_nulane_new(f->grid, &w[i].lane[j]);
	if (st != UM_OK)
		work_free(w, lanes);
	*out = st == UM_OK ? w : NULL;
	return st;
}

/* Sums at a block of points to visibilities, and the transpose. Reading and writing in the order
 * of the data misses the cache: here, side by side, misses overlap. */
static void deliver(const um_nupoint *p, int n, double (*sum)[2], double *re, double *im)
{
	for (int m = 0; m < n; m++) {
		int64_t at = p[m].at < 0 ? ~p[m].at : p[m].at;
		double turned = p[m].zr * sum[m][1] + p[m].zi * sum[m][0];
		re[at] = p[m].zr * sum[m][0] - p[m].zi * sum[m][1];
		im[at] = p[m].at < 0 ? -turned : turned;
	}
}

static void collect(const um_nupoint *p, int n, const double *re, const double *im,
	double (*sum)[2])
{
	for (int m = 0; m < n; m++) {
		int64_t at = p[m].at < 0 ? ~p[m].at : p[m].at;
		double turned = p[m].at < 0 ? -im[at] : im[at];
		sum[m][0] = p[m].zr * re[at] + p[m].zi * turned;
		sum[m][1] = p[m].zr * turned - p[m].zi * re[at];
	}
}

/* Block by block of points, so that weights serve all images of the group and the cells of a
 * tile are still in cache for the next points. */
static void forward_group(const um_nufft *f, work *w, int count, const double *images, double *re,
	double *im)
{
	um_nuweights weights;
	double sum[UM_KERNEL_BLOCK][2];
	const um_nugrid *g = f->grid;
	for (int b = 0; b < count; b++)
		um_nugrid_forward(g, &w->lane[b], images + b * g->rows * g->columns);
	for (int64_t i = 0; i < f->n; i += UM_KERNEL_BLOCK) {
		const um_nupoint *p = f->points + i;
		int m = (int)(f->n - i < UM_KERNEL_BLOCK ? f->n - i : UM_KERNEL_BLOCK);
		f->loops->weigh(&f->kernel, p, m, &weights);
		for (int b = 0; b < count; b++) {
			f->loops->gather(w->lane[b].grid, g->stride, p, m, &weights, sum);
			deliver(p, m, sum, re + b * f->n, im + b * f->n);
		}
	}
}

static void adjoint_group(const um_nufft *f, work *w, int count, const double *re, const double *im,
	double *images)
{
	um_nuweights weights;
	double sum[UM_KERNEL_BLOCK][2];
	const um_nugrid *g = f->grid;
	for (int b = 0; b < count; b++)
		memset(w->lane[b].grid, 0, (size_t)g->size * sizeof(double));
	for (int64_t i = 0; i < f->n; i += UM_KERNEL_BLOCK) {
		const um_nupoint *p = f->points + i;
		int m = (int)(f->n - i < UM_KERNEL_BLOCK ? f->n - i : UM_KERNEL_BLOCK);
		f->loops->weigh(&f->kernel, p, m, &weights);
		for (int b = 0; b < count; b++) {
			collect(p, m, re + b * f->n, im + b * f->n, sum);
			f->loops->scatter(w->lane[b].grid, g->stride, p, m, &weights, sum);
		}
	}
	for (int b = 0; b < count; b++)
		um_nugrid_adjoint(g, &w->lane[b], images + b * g->rows * g->columns);
}

/* Both ways: groups of images over threads, where the build has OpenMP. */
static um_status transform(const um_nufft *f, bool adjoint, int64_t batch, double *images,
	double *re, double *im)
{
	work *w = NULL;
	int lanes = batch < THREADS() ? (int)batch : THREADS();
	lanes = lanes < 1 ? 1 : lanes;
	int64_t share = (batch + lanes - 1) / lanes;
	int64_t each = share < 1 ? 1 : share < f->images ? share : f->images;
	um_status st = work_new(f, lanes, (int)each, &w);
	if (st != UM_OK)
		return st;
	PARALLEL
	for (int64_t b = 0; b < batch; b += each) {
		work *mine = &w[THREAD()];
		int count = (int)(batch - b < each ? batch - b : each);
		double *x = images + b * f->grid->rows * f->grid->columns;
		if (adjoint)
			adjoint_group(f, mine, count, re + b * f->n, im + b * f->n, x);
		else
			forward_group(f, mine, count, x, re + b * f->n, im + b * f->n);
	}
	work_free(w, lanes);
	return UM_OK;
}

um_status um_nufft_forward(const um_nufft *f, int64_t batch, const double *images, double *re,
	double *im)
{
	return transform(f, false, batch, (double *)images, re, im);
}

um_status um_nufft_adjoint(const um_nufft *f, int64_t batch, const double *re, const double *im,
	double *images)
{
	return transform(f, true, batch, images, (double *)re, (double *)im);
}
