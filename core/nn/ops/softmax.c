/* SPDX-License-Identifier: GPL-3.0-or-later */
/* y_i = e^(a_i - max a) / sum_j e^(a_j - max a) over the last axis; its derivative is
 * y (dy - sum_j dy_j y_j). */
#include "base/parallel.h"
#include "nn/tile.h"

#ifdef _OPENMP
#define SIMD_MAX _Pragma("omp simd reduction(max:most)")
#define SIMD_SUM _Pragma("omp simd reduction(+:sum)")
#else
#define SIMD_MAX
#define SIMD_SUM
#endif

#define SOFTMAX(name, real, exponential) \
	UM_KERNEL(void, name, (int64_t rows, int64_t len, real *out, const real *in), (rows, len, out, in)) \
	{ \
		for (int64_t r = 0; r < rows; r++) { \
			const real *a = in + r * len; \
			real *y = out + r * len, most = a[0], sum = 0; \
			SIMD_MAX \
			for (int64_t i = 0; i < len; i++) \
				most = a[i] > most ? a[i] : most; \
			SIMD_SUM \
			for (int64_t i = 0; i < len; i++) { \
				real e = exponential(a[i] - most); \
				y[i] = e; \
				sum += e; \
			} \
			const real factor = 1 / sum; \
			UM_EACH \
			for (int64_t i = 0; i < len; i++) \
				y[i] *= factor; \
		} \
	}
SOFTMAX(softmax_rows_f32, float, um_expf)
SOFTMAX(softmax_rows_f64, double, exp)

/* All rows of all images follow each other: a batched softmax has a batched input. */
static void spread(const um_call *c, int64_t *len, int64_t *rows, int64_t *lanes)
{
	const um_node *n = c->node;
	*len = n->dim[n->rank - 1];
	*rows = c->count * um_node_len(n) / *len;
	*lanes = c->threads < *rows ? c->threads : *rows;
}

static um_status run_f32(const um_call *c)
{
	int64_t len, rows, lanes;
	spread(c, &len, &rows, &lanes);
	PARALLEL
	for (int64_t t = 0; t < lanes; t++) {
		int64_t first = t * rows / lanes, count = (t + 1) * rows / lanes - first;
		softmax_rows_f32(count, len, (float *)c->out + first * len, (const float *)c->in[0] + first * len);
	}
	return UM_OK;
}

static um_status run_f64(const um_call *c)
{
	int64_t len, rows, lanes;
	spread(c, &len, &rows, &lanes);
	PARALLEL
	for (int64_t t = 0; t < lanes; t++) {
		int64_t first = t * rows / lanes, count = (t + 1) * rows / lanes - first;
		softmax_rows_f64(count, len, (double *)c->out + first * len, (const double *)c->in[0] + first * len);
	}
	return UM_OK;
}

static bool shape(um_node *n)
{
	const um_node *a = n->in[0];
	if (a->rank == 0) {
		um_graph_fail(n->graph, "softmax: the shape is (), but it needs an axis to run over");
		return false;
	}
	um_node_set(n, a->rank, a->dim);
	return true;
}

static void grad(um_node *n, um_node *dy, const bool want[], um_node *dx[])
{
	um_node *along = um_nn_sum(um_nn_mul(dy, n), 1u << (n->rank - 1));
	(void)want;
	dx[0] = um_nn_mul(n, um_nn_sub(dy, along));
}

static const um_op op = { .name = "softmax", .shape = shape, .grad = grad, .run = { run_f32, run_f64 } };

um_node *um_nn_softmax(um_node *a)
{
	return um_node_1(&op, a, NULL, 0);
}
