/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Up-sampling, a finite filter, down-sampling of each channel:
 *   y[i, j] = sum over a, b of k[a, b] z[i down + a - top, j down + b - left],
 * z being x with up - 1 zeros after each sample and zeros around. Padding below and on the right only
 * sets the size of y, so a node keeps that size instead; then the adjoint,
 *   x'[r, s] = sum over a, b of k[K - 1 - a, L - 1 - b] w[r up + a - (K - 1 - top), ...],
 * w being y' with down - 1 zeros after each sample, is the same operation with up and down
 * exchanged, the kernel flipped, top and left mirrored, and the size of x. Kernels that are products
 * of a column and a row are applied in two passes. */
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "base/parallel.h"
#include "nn/rows.h"
#include "nn/tile.h"

typedef struct attr {
	int64_t up, down, kernel_rows, kernel_columns;
	int64_t top, left;
	int64_t rows, columns;      /* of the result */
} attr; /* the blob: double kernel[kernel_rows][kernel_columns] */

/* What one row or column of the result is made of: count sources from "source" on, with the weights
 * tap, tap + up, ... */
typedef struct taps {
	int32_t source, tap, count;
	int32_t run;                /* columns: how many have the same weights and follow each other */
	bool again;                 /* rows: equal to the row before */
} taps;

typedef struct plan {
	attr size;
	int64_t channels, width, out_width; /* width: numbers in a row of x */
	int64_t line;               /* bytes of scratch a thread */
	int64_t weights;            /* of the kernel, u and v */
	bool separable;             /* kernel = u v^T */
	taps *row, *column;
	double *k64, *u64, *v64;
	float *k32, *u32, *v32;
} plan;

#define REAL float
#define NAME(x) fir_##x##_f32
#define U u32
#define V v32
#define K k32
#include "nn/ops/fir_rows.h"
#undef REAL
#undef NAME
#undef U
#undef V
#undef K
#define REAL double
#define NAME(x) fir_##x##_f64
#define U u64
#define V v64
#define K k64
#include "nn/ops/fir_rows.h"

static bool shape(um_node *n)
{
	const attr *s = n->attr;
	um_node_set(n, 3, (int64_t[]){ s->rows, s->columns, n->in[0]->dim[2] });
	return true;
}

static um_node *adjoint(um_node *dy, const um_node *n);
static void grad(um_node *n, um_node *dy, const bool want[], um_node *dx[])
{
	if (want[0])
		dx[0] = adjoint(dy, n);
}

/* ---- the plan of a program ----------------------------------------------------- */

/* One axis: n_in samples, kernel taps k, "first" zeros before. */
static void find_taps(taps *t, int64_t n, int64_t n_in, int64_t k, int64_t first, const attr *s)
{
	for (int64_t i = 0; i < n; i++) {
		int64_t at = i * s->down - first;                  /* of tap 0 in z */
		int64_t tap = ((-at) % s->up + s->up) % s->up;     /* the first one on a sample */
		int64_t source = (at + tap) / s->up;
		int64_t count = tap < k ? (k - tap + s->up - 1) / s->up : 0;
		if (source < 0) {
			count += source;
			tap -= source * s->up;
			source = 0;
		}
		if (count > n_in - source)
			count = n_in - source;
		t[i] = count > 0 ? (taps){ (int32_t)source, (int32_t)tap, (int32_t)count, 1, false }
			: (taps){ .run = 1 };
	}
}

static void find_runs(taps *t, int64_t n)
{
	for (int64_t j = n - 2; j >= 0; j--)
		if (t[j].count > 0 && t[j + 1].tap == t[j].tap && t[j + 1].count == t[j].count
			&& t[j + 1].source == t[j].source + 1)
			t[j].run = t[j + 1].run + 1;
}

static void find_repeats(plan *p)
{
	const attr *s = &p->size;
	for (int64_t i = 1; i < s->rows; i++) {
		const taps *t = &p->row[i - 1];
		bool same = t->source == t[1].source && t->count == t[1].count;
		for (int64_t a = 0; same && a < t->count; a++)
			same = memcmp(p->k64 + (t->tap + a * s->up) * s->kernel_columns,
				p->k64 + (t[1].tap + a * s->up) * s->kernel_columns,
				(size_t)s->kernel_columns * sizeof(double)) == 0;
		p->row[i].again = same;
	}
}

/* Whether the kernel is u v^T to rounding: its largest element's column and row. */
static bool split(plan *p)
{
	int64_t m = p->size.kernel_rows, n = p->size.kernel_columns, at = 0;
	const double *k = p->k64;
	for (int64_t i = 0; i < m * n; i++)
		at = fabs(k[i]) > fabs(k[at]) ? i : at;
	if (k[at] == 0)
		return false;
	for (int64_t a = 0; a < m; a++)
		p->u64[a] = k[a * n + at % n] / k[at];
	for (int64_t b = 0; b < n; b++)
		p->v64[b] = k[at / n * n + b];
	for (int64_t i = 0; i < m * n; i++)
		if (!(fabs(p->u64[i / n] * p->v64[i % n] - k[i]) <= 4 * DBL_EPSILON * fabs(k[at])))
			return false;
	return true;
}

static um_status plan_new(const um_node *n, plan **out, int64_t *bytes)
{
	const attr *s = n->attr;
	const int64_t kernel = s->kernel_rows * s->kernel_columns;
	const int64_t weights = kernel + s->kernel_rows + s->kernel_columns; /* k, u, v */
	size_t size = sizeof(plan) + (size_t)weights * (sizeof(double) + sizeof(float))
		+ (size_t)(s->rows + s->columns) * sizeof(taps);
	plan *p = calloc(1, size);
	if (p == NULL)
		return um_fail(UM_ENOMEM, "fir: no memory for a plan of %zu bytes", size);
	p->size = *s;
	p->weights = weights;
	p->channels = n->dim[2];
	p->width = n->in[0]->dim[1] * p->channels;
	p->out_width = n->dim[1] * p->channels;
	p->k64 = (double *)(void *)(p + 1);
	p->u64 = p->k64 + kernel;
	p->v64 = p->u64 + s->kernel_rows;
	p->k32 = (float *)(void *)(p->k64 + weights);
	p->u32 = p->k32 + kernel;
	p->v32 = p->u32 + s->kernel_rows;
	p->row = (taps *)(void *)(p->k32 + weights);
	p->column = p->row + s->rows;
	memcpy(p->k64, n->blob->data, (size_t)kernel * sizeof(double));
	*out = p;
	*bytes = (int64_t)size;
	return UM_OK;
}

static um_status prepare(const um_node *n, um_prepare *how)
{
	const attr *s = n->attr;
	plan *p = NULL;
	um_status st = plan_new(n, &p, &how->packed);
	if (st != UM_OK)
		return st;
	p->separable = split(p);
	for (int64_t i = 0; i < p->weights; i++)
		p->k32[i] = (float)p->k64[i];
	find_taps(p->row, s->rows, n->in[0]->dim[0], s->kernel_rows, s->top, s);
	find_taps(p->column, s->columns, n->in[0]->dim[1], s->kernel_columns, s->left, s);
	find_runs(p->column, s->columns);
	find_repeats(p);
	p->line = (p->width * (how->precision == UM_FLOAT32 ? 4 : 8) + 63) / 64 * 64;
	how->scratch = p->separable ? p->line * how->threads : 0;
	how->state = p;
	return UM_OK;
}

static um_status run(const um_call *call,
	void (*rows)(const plan *, const um_call *, int64_t, int64_t, void *))
{
	const plan *p = call->state;
	int64_t all = call->count * p->size.rows;
	int lanes = um_lanes(call->threads, all * p->out_width);
	if (lanes == 1) {
		rows(p, call, 0, all, call->scratch);
		return UM_OK;
	}
PARALLEL
	for (int t = 0; t < lanes; t++)
		rows(p, call, all * t / lanes, all * (t + 1) / lanes,
			p->separable ? (char *)call->scratch + t * p->line : NULL);
	return UM_OK;
}

static um_status run_f32(const um_call *call)
{
	return run(call, fir_rows_f32);
}

static um_status run_f64(const um_call *call)
{
	return run(call, fir_rows_f64);
}

static const um_op fir = { .name = "fir", .shape = shape, .grad = grad, .prepare = prepare,
	.run = { run_f32, run_f64 }, .release = free };

/* ---- building -------------------------------------------------------------------- */

static um_node *adjoint(um_node *dy, const um_node *n)
{
	const attr *s = n->attr;
	const attr back = { s->down, s->up, s->kernel_rows, s->kernel_columns,
		s->kernel_rows - 1 - s->top, s->kernel_columns - 1 - s->left, n->in[0]->dim[0], n->in[0]->dim[1] };
	const double *kernel = n->blob->data;
	int64_t len = s->kernel_rows * s->kernel_columns;
	double *flip = malloc((size_t)len * sizeof(*flip));
	if (flip == NULL)
		return um_graph_fail(n->graph, "fir: no memory for a kernel of %lld numbers",
			(long long)len);
	for (int64_t i = 0; i < len; i++)
		flip[i] = kernel[len - 1 - i];
	um_node *dx = um_node_new_blob(n->graph, &fir, 1, &dy, &back, sizeof(back), flip,
		(size_t)len * sizeof(*flip));
	free(flip);
	return dx;
}

/* Sizes beyond this are mistakes, and products of two of them are not too large. */
static bool sane(int64_t low, int64_t value)
{
	return value >= low && value <= INT32_MAX / 4;
}

um_node *um_nn_fir(um_node *x, const um_fir *f)
{
	if (x == NULL)
		return NULL;
	if (x->rank != 3)
		return um_graph_fail(x->graph, "fir: %s is not (rows, columns, channels)",
			um_node_shape(x));
	const int64_t pad = -INT32_MAX / 4;
	bool ok = sane(1, f->up) && sane(1, f->down)
		&& sane(1, f->kernel_rows) && sane(1, f->kernel_columns)
		&& sane(pad, f->top) && sane(pad, f->bottom) && sane(pad, f->left) && sane(pad, f->right)
		&& sane(1, x->dim[0]) && sane(1, x->dim[1]);
	int64_t rows = ok ? x->dim[0] * f->up + f->top + f->bottom - f->kernel_rows : -1;
	int64_t columns = ok ? x->dim[1] * f->up + f->left + f->right - f->kernel_columns : -1;
	if (!ok || !sane(0, rows) || !sane(0, columns))
		return um_graph_fail(x->graph, "fir: a kernel of %lld x %lld, up %lld, down %lld, padding "
			"%lld, %lld, %lld, %lld does not fit %s", (long long)f->kernel_rows, (long long)f->kernel_columns,
			(long long)f->up, (long long)f->down, (long long)f->top, (long long)f->bottom,
			(long long)f->left, (long long)f->right, um_node_shape(x));
	const attr s = { f->up, f->down, f->kernel_rows, f->kernel_columns, f->top, f->left,
		rows / f->down + 1, columns / f->down + 1 };
	return um_node_new_blob(x->graph, &fir, 1, &x, &s, sizeof(s), f->kernel,
		(size_t)(f->kernel_rows * f->kernel_columns) * sizeof(double));
}
