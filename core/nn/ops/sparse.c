/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A sparse matrix times (columns, channels), as graph convolutions need: each row of the result is
 * a sum of few rows of x. A transposed product has its own matrix, made with the node, rather than
 * additions to scattered places. */
#include <stdlib.h>
#include <string.h>
#include "base/parallel.h"
#include "nn/rows.h"
#include "nn/tile.h"

typedef struct attr {
	int64_t rows, columns, entries;
} attr;

/* The blob, one part after the other: double value[entries], float value[entries],
 * int32_t start[rows + 1], column[entries]; columns ascend in each row. */
typedef struct matrix {
	double *f64;
	float *f32;
	int32_t *start, *column;
} matrix;

static size_t blob_size(const attr *s)
{
	return (size_t)s->entries * (sizeof(double) + sizeof(float) + sizeof(int32_t))
		+ (size_t)(s->rows + 1) * sizeof(int32_t);
}

static matrix matrix_at(const attr *s, void *blob)
{
	matrix m = { .f64 = blob };
	m.f32 = (float *)(m.f64 + s->entries);
	m.start = (int32_t *)(m.f32 + s->entries);
	m.column = m.start + s->rows + 1;
	return m;
}

static bool shape(um_node *n)
{
	const attr *s = n->attr;
	const um_node *x = n->in[0];
	if (x->rank != 2 || x->dim[0] != s->columns) {
		um_graph_fail(n->graph, "sparse: a matrix of %lld x %lld times %s", (long long)s->rows,
			(long long)s->columns, um_node_shape(x));
		return false;
	}
	um_node_set(n, 2, (int64_t[]){ s->rows, x->dim[1] });
	return true;
}

/* o (+)= the sum of up to 4 rows of x. */
#define ROWS(name, real, values) \
	static inline void name##_four(int64_t n, real *restrict o, int entries, const real *v, \
		const int32_t *column, const real *restrict x, bool add) \
	{ \
		const real *x0 = x + column[0] * n, *x1 = x + column[entries > 1 ? 1 : 0] * n; \
		const real *x2 = x + column[entries > 2 ? 2 : 0] * n; \
		const real *x3 = x + column[entries > 3 ? 3 : 0] * n; \
		real v0 = v[0], v1 = entries > 1 ? v[1] : 0, v2 = entries > 2 ? v[2] : 0; \
		real v3 = entries > 3 ? v[3] : 0; \
		if (!add) \
			for (int64_t c = 0; c < n; c++) \
				o[c] = v0 * x0[c] + v1 * x1[c] + v2 * x2[c] + v3 * x3[c]; \
		else \
			for (int64_t c = 0; c < n; c++) \
				o[c] += v0 * x0[c] + v1 * x1[c] + v2 * x2[c] + v3 * x3[c]; \
	} \
	UM_KERNEL(void, name, (const um_call *call, int64_t from, int64_t to), (call, from, to)) \
	{ \
		const attr *s = call->node->attr; \
		const matrix m = matrix_at(s, call->node->blob->data); \
		int64_t n = call->node->dim[1], row = from % s->rows; \
		const real *x = (const real *)call->in[0] + from / s->rows * call->stride[0]; \
		real *o = (real *)call->out + from * n; \
		for (int64_t i = from; i < to; i++, o += n) { \
			int32_t first = m.start[row], end = m.start[row + 1]; \
			if (first == end) \
				memset(o, 0, (size_t)n * sizeof(*o)); \
			for (int32_t k = first; k < end; k += 4) \
				name##_four(n, o, end - k < 4 ? end - k : 4, m.values + k, m.column + k, \
					x, k > first); \
			if (++row == s->rows) { \
				row = 0; \
				x += call->stride[0]; \
			} \
		} \
	} \
	static um_status name##_run(const um_call *call) \
	{ \
		const attr *s = call->node->attr; \
		int64_t all = call->count * s->rows; \
		int lanes = um_lanes(call->threads, \
			call->count * (s->rows + s->entries) * call->node->dim[1]); \
		if (lanes == 1) { \
			name(call, 0, all); \
			return UM_OK; \
		} \
		PARALLEL \
		for (int t = 0; t < lanes; t++) \
			name(call, all * t / lanes, all * (t + 1) / lanes); \
		return UM_OK; \
	}
ROWS(sparse_f32, float, f32)
ROWS(sparse_f64, double, f64)

static double flops(const um_node *n)
{
	const attr *s = n->attr;
	return 2.0 * (double)s->entries * (double)n->dim[1];
}

static um_node *product(um_node *x, const attr *s, const matrix *a);
static void grad(um_node *n, um_node *dy, const bool want[], um_node *dx[])
{
	const attr *s = n->attr;
	const matrix a = matrix_at(s, n->blob->data);
	if (want[0])
		dx[0] = product(dy, s, &a);
}

static const um_op sparse = { .name = "sparse", .shape = shape, .grad = grad,
	.run = { sparse_f32_run, sparse_f64_run }, .flops = flops };

/* t = a^T; entries of one place keep their order. */
static void transpose(const attr *s, const matrix *a, matrix *t)
{
	memset(t->start, 0, (size_t)(s->columns + 1) * sizeof(*t->start));
	for (int64_t k = 0; k < s->entries; k++)
		t->start[a->column[k] + 1]++;
	for (int64_t j = 0; j < s->columns; j++)
		t->start[j + 1] += t->start[j];
	for (int64_t i = 0; i < s->rows; i++)
		for (int32_t k = a->start[i]; k < a->start[i + 1]; k++) {
			int32_t to = t->start[a->column[k]]++;
			t->column[to] = (int32_t)i;
			t->f64[to] = a->f64[k];
			t->f32[to] = (float)a->f64[k];
		}
	for (int64_t j = s->columns; j > 0; j--)
		t->start[j] = t->start[j - 1];
	t->start[0] = 0;
}

/* The node a^T x. */
static um_node *product(um_node *x, const attr *s, const matrix *a)
{
	const attr back = { s->columns, s->rows, s->entries };
	size_t size = blob_size(&back);
	void *blob = malloc(size);
	if (blob == NULL)
		return um_graph_fail(x->graph, "sparse: no memory for %lld entries",
			(long long)s->entries);
	matrix t = matrix_at(&back, blob);
	transpose(s, a, &t);
	um_node *y = um_node_new_blob(x->graph, &sparse, 1, &x, &back, sizeof(back), blob, size);
	free(blob);
	return y;
}

static bool good(um_graph *g, const um_csr *a)
{
	bool ok = a->rows > 0 && a->columns > 0 && a->rows < INT32_MAX && a->columns < INT32_MAX
		&& a->start[0] == 0;
	for (int64_t i = 0; ok && i < a->rows; i++)
		ok = a->start[i] <= a->start[i + 1] && a->start[i + 1] < INT32_MAX;
	if (!ok) {
		um_graph_fail(g, "sparse: the rows of a matrix of %lld x %lld do not begin at ascending "
			"entries", (long long)a->rows, (long long)a->columns);
		return false;
	}
	for (int64_t k = 0; k < a->start[a->rows]; k++)
		if (a->column[k] < 0 || a->column[k] >= a->columns) {
			um_graph_fail(g, "sparse: entry %lld is in column %lld of a matrix of %lld x %lld",
				(long long)k, (long long)a->column[k], (long long)a->rows,
				(long long)a->columns);
			return false;
		}
	return true;
}

um_node *um_nn_sparse(um_node *x, const um_csr *a, bool transposed)
{
	if (x == NULL || !good(x->graph, a))
		return NULL;
	const attr s = { a->rows, a->columns, a->start[a->rows] };
	const attr back = { s.columns, s.rows, s.entries };
	size_t size = blob_size(&s), back_size = blob_size(&back);
	char *blob = malloc(size), *turned = malloc(back_size);
	um_node *y = NULL;
	if (blob != NULL && turned != NULL) {
		matrix m = matrix_at(&s, blob), t = matrix_at(&back, turned);
		for (int64_t i = 0; i <= s.rows; i++)
			m.start[i] = (int32_t)a->start[i];
		for (int64_t k = 0; k < s.entries; k++) {
			m.column[k] = (int32_t)a->column[k];
			m.f64[k] = a->value[k];
		}
		transpose(&s, &m, &t);
		/* Twice transposed, the matrix is the same with its columns sorted. */
		y = transposed ? product(x, &s, &m) : product(x, &back, &t);
	} else
		um_graph_fail(x->graph, "sparse: no memory for %lld entries", (long long)s.entries);
	free(blob);
	free(turned);
	return y;
}
