/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Conjugate gradients (Hestenes & Stiefel 1952) for (1 + V^T J^T S^-1 J V) z = V^T J^T S^-1 (y - f(m)), every row on its own,
 * preconditioned by the diagonal for a usual J, times the sum of 1 / sigma^2 of the row. */
#include <cblas.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <umbra/linalg.h>
#include "host/wiener.h"

enum { ITERATIONS = 60, EXTRA = 10 }; /* steps, dimensions of a search */
static const double ACCURACY = 1e-3, ROUNDING = 1e-6; /* of residuals, beside the first; of modes, beside the largest */

bool um_wiener_fixed(bool blind, int64_t nop, int64_t modes)
{
	return (blind || nop == 0) && modes > 1;
}

um_status um_wiener_new(um_wiener *w, bool blind, int64_t n, int64_t ny, int64_t nop, int64_t modes)
{
	um_status st = UM_OK;
	const int64_t numbers = ny + nop + modes;
	*w = (um_wiener){ .blind = blind, .n = n, .ny = ny, .nop = nop, .modes = modes, .fixed = um_wiener_fixed(blind, nop, modes) };
	UM_TRY(um_array_new(&w->v, UM_F32, 2, (const int64_t[]){ modes, n }));
	UM_TRY(um_array_new(&w->jv, UM_F32, 2, (const int64_t[]){ w->fixed ? modes : 1, w->fixed ? ny : 1 }));
	UM_TRY(um_array_new(&w->usual, UM_F64, 1, &numbers));
out:
	return st;
}

static void free_rows(um_wiener *w)
{
	um_array *const all[] = { &w->at, &w->y, &w->dy };
	for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++)
		um_array_free(all[i]);
	free(w->weight);
	free(w->small);
	free(w->wide);
	w->wide = NULL;
	w->weight = NULL;
	w->small = NULL;
	w->rows = 0;
}

void um_wiener_free(um_wiener *w)
{
	free_rows(w);
	um_array_free(&w->v);
	um_array_free(&w->jv);
	um_array_free(&w->usual);
	*w = (um_wiener){ 0 };
}

static um_status room(um_wiener *w, um_problem *p, int64_t rows)
{
	um_status st = UM_OK;
	const int64_t data[2] = { rows, w->ny };
	if (rows <= w->rows)
		return UM_OK;
	free_rows(w);
	UM_TRY(um_problem_images(p, rows, &w->at));
	UM_TRY(um_array_new(&w->y, UM_F64, 2, data));
	UM_TRY(um_array_new(&w->dy, UM_F64, 2, data));
	w->weight = calloc((size_t)(rows * (w->ny + w->nop + 5 * w->modes)), sizeof(double));
	w->small = calloc((size_t)(rows * w->modes), sizeof(float));
	w->wide = calloc((size_t)(rows * w->ny), sizeof(float));
	if (w->weight == NULL || w->small == NULL || w->wide == NULL)
		UM_TRY(um_fail(UM_ENOMEM, "no memory for guesses of %lld images", (long long)rows));
	w->op = w->weight + rows * w->ny;
	w->z = w->op + rows * w->nop;
	w->r = w->z + rows * w->modes;
	w->p = w->r + rows * w->modes;
	w->q = w->p + rows * w->modes;
	w->d = w->q + rows * w->modes;
	w->rows = rows;
out:
	return st;
}

/* ---- learning ----------------------------------------------------------------------------- */

typedef struct centred { const um_array *x; const double *mean; int64_t n; } centred;

static um_status read_rows(void *context, int64_t first, int64_t count, double *a)
{
	const centred *t = context;
	for (int64_t b = 0; b < count; b++)
		for (int64_t i = 0; i < t->n; i++)
			a[b * t->n + i] = (double)um_row_f(t->x, first + b)[i] - t->mean[i];
	return UM_OK;
}

um_status um_wiener_modes(um_wiener *w, um_problem *p, const um_array *x, um_array *m)
{
	um_status st = UM_OK;
	const int64_t n = w->n, draws = x->dim[0], most = draws < w->modes ? draws : w->modes, least = draws < n ? draws : n;
	const um_rng rng = um_problem_rng(p, 0, 0);
	double *mean = calloc((size_t)(n + most + most * n), sizeof(*mean)), *s = mean + n, *vt = s + most;
	centred t = { x, mean, n };
	um_svd_job job = { .rows = draws, .columns = n, .read = read_rows, .context = &t, .rank = most, .extra = EXTRA,
		.power = most + EXTRA < least ? 2 : 0, .rng = &rng };
	if (mean == NULL)
		UM_TRY(um_fail(UM_ENOMEM, "no memory for modes of %lld numbers", (long long)n));
	for (int64_t b = 0; b < draws; b++)
		for (int64_t i = 0; i < n; i++)
			mean[i] += um_row_f(x, b)[i] / (double)draws;
	UM_TRY(um_svd_random(&job, s, vt));
	memset(w->v.data, 0, sizeof(float) * (size_t)um_array_len(&w->v));
	for (int64_t k = 0; k < most && s[k] > ROUNDING * s[0]; k++)
		for (int64_t i = 0; i < n; i++)
			um_row_f(&w->v, k)[i] = (float)(s[k] / sqrt((double)draws) * vt[k * n + i]);
	for (int64_t i = 0; i < n; i++)
		((float *)m->data)[i] = (float)mean[i];
out:
	free(mean);
	return st;
}

void um_wiener_see(um_wiener *w, const um_problem *p, int64_t first, int64_t count, int64_t all)
{
	double *share = w->usual.data, *op = share + w->ny;
	if (first == 0)
		memset(share, 0, sizeof(double) * (size_t)(w->ny + w->nop));
	for (int64_t b = 0; b < count; b++) {
		for (int64_t i = 0; i < w->ny; i++)
			share[i] += (um_problem_y(p)[b * w->ny + i] != 0) / (double)all;
		for (int64_t i = 0; i < w->nop; i++)
			op[i] += um_row_d(um_problem_op(p), b)[i] / (double)all;
	}
}

/* ---- guessing ----------------------------------------------------------------------------- */

/* dx = V z of rows. */
static void spread(const um_wiener *w, int64_t rows, const double *z, um_array *dx)
{
	for (int64_t i = 0; i < rows * w->modes; i++)
		w->small[i] = (float)z[i];
	cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, (int)rows, (int)w->n, (int)w->modes, 1, w->small, (int)w->modes,
		w->v.data, (int)w->n, 0, dx->data, (int)w->n);
}

static void to_double(const float *from, int64_t n, double *to)
{
	for (int64_t i = 0; i < n; i++)
		to[i] = from[i];
}

/* dy = J V z of rows; y and dx are work. */
static um_status look(um_wiener *w, um_problem *p, const um_array *at, const double *z, um_array *dx, um_array *y, um_array *dy)
{
	const int64_t rows = at->dim[0];
	if (!w->fixed) {
		spread(w, rows, z, dx);
		return um_problem_apply(p, at, dx, y, dy);
	}
	for (int64_t i = 0; i < rows * w->modes; i++)
		w->small[i] = (float)z[i];
	cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, (int)rows, (int)w->ny, (int)w->modes, 1, w->small, (int)w->modes,
		w->jv.data, (int)w->ny, 0, w->wide, (int)w->ny);
	to_double(w->wide, rows * w->ny, dy->data);
	return UM_OK;
}

/* out = V^T J^T weight v of rows; v is overwritten, dx is work. */
static um_status gather(um_wiener *w, um_problem *p, const um_array *at, um_array *v, um_array *dx, double *out)
{
	um_status st = UM_OK;
	const int64_t rows = at->dim[0];
	const int64_t from = w->fixed ? w->ny : w->n;
	double *numbers = v->data;
	for (int64_t i = 0; i < rows * w->ny; i++) {
		numbers[i] *= w->weight[i];
		w->wide[i] = (float)numbers[i];
	}
	if (!w->fixed)
		UM_TRY(um_problem_pullback(p, at, v, dx));
	cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, (int)rows, (int)w->modes, (int)from, 1,
		w->fixed ? w->wide : dx->data, (int)from, w->fixed ? w->jv.data : w->v.data, (int)from, 0, w->small, (int)w->modes);
	to_double(w->small, rows * w->modes, out);
out:
	return st;
}

/* Weights of numbers, and y - f(m) in y, which has f(m). Blind, J is off by the share, of which weights take the rest. */
static void residuals(um_wiener *w, const um_problem *p, const double *sigma, int64_t rows, um_array *y)
{
	const double *own = um_problem_sigma(p), *measured = um_problem_y(p), *share = w->usual.data;
	for (int64_t b = 0; b < rows; b++)
		for (int64_t i = 0, k = b * w->ny; i < w->ny; i++, k++) {
			const double seen = w->blind ? share[i] : 1, s = seen * (w->blind ? sigma[i] : own[k]);
			const bool there = !w->blind || (measured[k] != 0 && seen > 0);
			w->weight[k] = there ? 1 / (s * s) : 0;
			um_row_d(y, b)[i] = there ? seen * measured[k] - um_row_d(y, b)[i] : 0;
		}
}

/* The preconditioner of each row. */
static void diagonal(um_wiener *w, int64_t rows)
{
	const double *unit = (const double *)w->usual.data + w->ny + w->nop;
	for (int64_t b = 0; b < rows; b++) {
		double all = 0;
		for (int64_t i = 0; i < w->ny; i++)
			all += w->weight[b * w->ny + i];
		for (int64_t k = 0; k < w->modes; k++)
			w->d[b * w->modes + k] = 1 + all * unit[k];
	}
}

static double product(int64_t n, const double *r, const double *d)
{
	double sum = 0;
	for (int64_t k = 0; k < n; k++)
		sum += r[k] * r[k] / d[k];
	return sum;
}

/* One step, q = V^T J^T S^-1 J V p, of the rows whose r^T D^-1 r, in rr, is above goal; how many still are. */
static int64_t step(um_wiener *w, int64_t rows, double *rr, const double *goal)
{
	int64_t left = 0;
	for (int64_t b = 0; b < rows; b++) {
		const int64_t n = w->modes;
		double *z = w->z + b * n, *r = w->r + b * n, *p = w->p + b * n, *q = w->q + b * n;
		const double *d = w->d + b * n, before = rr[b];
		if (!(before > goal[b]))
			continue;
		const double alpha = before / (um_dot(n, p, p) + um_dot(n, p, q));
		for (int64_t k = 0; k < n; k++) {
			z[k] += alpha * p[k];
			r[k] -= alpha * (p[k] + q[k]);
		}
		rr[b] = product(n, r, d);
		for (int64_t k = 0; k < n; k++)
			p[k] = r[k] / d[k] + rr[b] / before * p[k];
		left += rr[b] > goal[b];
	}
	return left;
}

static um_status solve(um_wiener *w, um_problem *p, const um_array *at, um_array *y, um_array *dy, um_array *dx)
{
	um_status st = UM_OK;
	const int64_t rows = at->dim[0];
	double *rr = calloc(2 * (size_t)rows, sizeof(*rr)), *goal = rr + rows;
	if (rr == NULL)
		UM_TRY(um_fail(UM_ENOMEM, "no memory for guesses"));
	memset(w->z, 0, sizeof(double) * (size_t)(rows * w->modes));
	UM_TRY(gather(w, p, at, y, dx, w->r));
	diagonal(w, rows);
	for (int64_t i = 0; i < rows * w->modes; i++)
		w->p[i] = w->r[i] / w->d[i];
	for (int64_t b = 0; b < rows; b++) {
		rr[b] = product(w->modes, w->r + b * w->modes, w->d + b * w->modes);
		goal[b] = ACCURACY * ACCURACY * rr[b];
	}
	for (int64_t k = 0, left = rows; k < ITERATIONS && left > 0; k++) {
		UM_TRY(look(w, p, at, w->p, dx, y, dy));
		UM_TRY(gather(w, p, at, dy, dx, w->q));
		left = step(w, rows, rr, goal);
	}
out:
	free(rr);
	return st;
}

/* The usual operator parameters take the place of those of the measurements, and back. */
static void swap_op(um_wiener *w, um_problem *p, int64_t rows, bool usual)
{
	const double *mean = (const double *)w->usual.data + w->ny;
	if (!w->blind || w->nop == 0)
		return;
	for (int64_t b = 0; b < rows; b++) {
		double *op = um_row_d(um_problem_op(p), b), *kept = w->op + b * w->nop;
		if (usual)
			memcpy(kept, op, sizeof(double) * (size_t)w->nop);
		memcpy(op, usual ? mean : kept, sizeof(double) * (size_t)w->nop);
	}
}

/* m in every row, the usual operator where that is what counts, weights and residuals. */
static um_status begin(um_wiener *w, um_problem *p, const um_array *m, const double *sigma, um_array *at, um_array *y)
{
	um_status st = UM_OK;
	const int64_t rows = at->dim[0];
	for (int64_t b = 0; b < rows; b++)
		memcpy(um_row_f(at, b), m->data, sizeof(float) * (size_t)w->n);
	swap_op(w, p, rows, true);
	UM_TRY(um_problem_apply(p, at, NULL, y, NULL));
	residuals(w, p, sigma, rows, y);
out:
	return st;
}

/* dy = J v of modes first .. first + count - 1, each for another measurement where these differ. */
static um_status seen(um_wiener *w, um_problem *p, const um_array *m, const double *sigma, int64_t first, int64_t count,
	um_array *dx)
{
	um_status st = UM_OK;
	um_array at = um_array_rows(&w->at, 0, count), y = um_array_rows(&w->y, 0, count), dy = um_array_rows(&w->dy, 0, count);
	um_array v = um_array_rows(dx, 0, count);
	UM_TRY(um_problem_rows(p, false, 0, count, 1));
	UM_TRY(begin(w, p, m, sigma, &at, &y));
	memcpy(v.data, um_row_f(&w->v, first), sizeof(float) * (size_t)um_array_len(&v));
	UM_TRY(um_problem_apply(p, &at, &v, &y, &dy));
out:
	return st;
}

/* The diagonal of mode k for a unit of weight. */
static double diagonal_of(const um_wiener *w, int64_t row)
{
	double all = 0, sum = 0;
	const double *weight = w->weight + row * w->ny, *dy = um_row_d(&w->dy, row);
	for (int64_t i = 0; i < w->ny; i++) {
		all += weight[i];
		sum += weight[i] * dy[i] * dy[i];
	}
	return all > 0 ? sum / all : 0;
}

/* One operator: H = (J V)^T W J V = E diag(h) E^T for the mean weight W of rows, and V becomes V E. */
static um_status turn(um_wiener *w, int64_t rows, double *unit)
{
	um_status st = UM_OK;
	const int64_t k = w->modes, ny = w->ny, most = w->n > ny ? w->n : ny;
	double *jv = malloc(sizeof(double) * (size_t)(2 * k * most + k * k + k)), *turned = jv + k * most, *h = turned + k * most;
	double *value = h + k * k, all = 0;
	um_array *const both[2] = { &w->jv, &w->v };
	if (jv == NULL)
		UM_TRY(um_fail(UM_ENOMEM, "no memory for %lld modes", (long long)k));
	for (int64_t i = 0; i < ny; i++) {
		double mean = 0;
		for (int64_t b = 0; b < rows; b++)
			mean += w->weight[b * ny + i] / (double)rows;
		for (int64_t j = 0; j < k; j++)
			jv[j * ny + i] = sqrt(mean) * (double)um_row_f(&w->jv, j)[i];
		all += mean;
	}
	um_gemm(false, true, k, k, ny, jv, jv, h);
	UM_TRY(um_eigh(k, h, value));
	for (int64_t j = 0; j < k; j++)
		unit[j] = all > 0 ? fmax(0, value[j]) / all : 0;
	for (int i = 0; i < 2; i++) {
		const int64_t columns = both[i]->dim[1];
		to_double(both[i]->data, k * columns, jv);
		um_gemm(false, false, k, columns, k, h, jv, turned);
		for (int64_t j = 0; j < k * columns; j++)
			((float *)both[i]->data)[j] = (float)turned[j];
	}
out:
	free(jv);
	return st;
}

um_status um_wiener_quicken(um_wiener *w, um_problem *p, const um_array *m, const double *sigma, int64_t rows)
{
	um_status st = UM_OK;
	double *unit = (double *)w->usual.data + w->ny + w->nop;
	um_array dx = { 0 };
	rows = rows < w->modes ? rows : w->modes;
	UM_TRY(room(w, p, rows));
	UM_TRY(um_problem_images(p, rows, &dx));
	for (int64_t first = 0, count; first < w->modes; first += count) {
		count = w->modes - first < rows ? w->modes - first : rows;
		UM_TRY(seen(w, p, m, sigma, first, count, &dx));
		for (int64_t b = 0; b < count; b++) {
			unit[first + b] = diagonal_of(w, b);
			for (int64_t i = 0; w->fixed && i < w->ny; i++)
				um_row_f(&w->jv, first + b)[i] = (float)um_row_d(&w->dy, b)[i];
		}
	}
	if (w->fixed)
		UM_TRY(turn(w, rows, unit));
out:
	um_array_free(&dx);
	return st;
}

double um_wiener_sd(const um_wiener *w)
{
	double square = 0;
	for (int64_t i = 0; i < um_array_len(&w->v); i++)
		square += (double)((const float *)w->v.data)[i] * ((const float *)w->v.data)[i];
	return sqrt(square / (double)w->n);
}

um_status um_wiener_guess(um_wiener *w, um_problem *p, const um_array *m, const double *sigma, um_array *x)
{
	um_status st = UM_OK;
	const int64_t rows = x->dim[0];
	UM_TRY(room(w, p, rows));
	um_array at = um_array_rows(&w->at, 0, rows), y = um_array_rows(&w->y, 0, rows), dy = um_array_rows(&w->dy, 0, rows);
	st = begin(w, p, m, sigma, &at, &y);
	if (st == UM_OK)
		st = solve(w, p, &at, &y, &dy, x);
	swap_op(w, p, rows, false);
	UM_TRY(st);
	spread(w, rows, w->z, x);
	for (int64_t b = 0; b < rows; b++)
		for (int64_t i = 0; i < w->n; i++)
			um_row_f(x, b)[i] += ((const float *)m->data)[i];
out:
	return st;
}

um_status um_wiener_covariance(const um_wiener *w, const double *sigma, double *c)
{
	const double *share = w->usual.data, *unit = share + w->ny + w->nop;
	double *v = malloc(sizeof(double) * (size_t)(w->modes * w->n)), all = 0;
	if (v == NULL)
		return um_fail(UM_ENOMEM, "no memory for a covariance of %lld numbers", (long long)w->n);
	for (int64_t i = 0; i < w->ny; i++)
		all += !w->blind ? 1 / (sigma[i] * sigma[i]) : share[i] > 0 ? 1 / (share[i] * sigma[i] * sigma[i]) : 0;
	for (int64_t k = 0; k < w->modes; k++)
		for (int64_t i = 0; i < w->n; i++)
			v[k * w->n + i] = (double)um_row_f(&w->v, k)[i] / sqrt(1 + all * unit[k]);
	um_gemm(true, false, w->n, w->n, w->modes, v, v, c);
	free(v);
	return UM_OK;
}
