/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Sums over axes and over the batch, the adjoint of broadcasting. Where the axes summed are the
 * leading or the trailing ones the sum is fused with what makes its input (core/nn/fused_run.c); the
 * kernel here does every case. */
#include <string.h>
#include "nn/node.h"
#include "nn/sum.h"

static bool shape(um_node *n)
{
	const um_leaf_attr *attr = n->attr;
	const um_node *a = n->in[0];
	um_node_set(n, (int)attr->rank, attr->dim);
	n->batched = a->batched && attr->batched;
	bool ok = n->rank <= a->rank;
	for (int i = 0; ok && i < n->rank; i++)
		ok = n->dim[i] == 1 || n->dim[i] == a->dim[i + a->rank - n->rank];
	return ok || um_graph_fail(n->graph, "sum: %s cannot be summed to %s", um_node_shape(a),
		um_node_shape(n)) != NULL;
}

static void grad(um_node *n, um_node *dy, const bool want[], um_node *dx[])
{
	const um_node *a = n->in[0];
	(void)want;
	if (a->batched)
		dy = um_nn_spread(dy);
	dx[0] = um_nn_broadcast(dy, a->rank, a->dim);
}

/* Number of the element of out that each index of the input belongs to, by strides that are 0
 * along summed axes. */
static void strides(const um_node *n, int64_t s[])
{
	const um_node *a = n->in[0];
	int64_t step = 1;
	for (int i = a->rank - 1; i >= 0; i--) {
		const int k = i - (a->rank - n->rank);
		s[i] = k >= 0 && n->dim[k] > 1 ? step : 0;
		step *= k >= 0 ? n->dim[k] : 1;
	}
}

/* The last axes that are all kept, or all summed, are one loop inside the axes that
 * lead them. */
typedef struct um_loop {
	int64_t stride[UM_NN_RANK], inner;
	bool kept;
	int lead;
} um_loop;

static void inner_axes(const um_node *a, um_loop *l)
{
	int k = a->rank;
	l->inner = 1;
	l->kept = true;
	for (; k > 0; k--) {
		if (a->dim[k - 1] == 1)
			continue;
		if (l->inner > 1 && (l->stride[k - 1] != 0) != l->kept)
			break;
		l->kept = l->stride[k - 1] != 0;
		l->inner *= a->dim[k - 1];
	}
	l->lead = k;
}

#define SUM_IMAGE(name, real) \
	static void name(const um_node *a, const um_loop *l, const real *x, double *sum) \
	{ \
		int64_t at[UM_NN_RANK] = { 0 }, o = 0; \
		const int64_t len = um_node_len(a), inner = l->inner; \
		for (int64_t i = 0; i < len; i += inner) { \
			double all = 0; \
			for (int64_t j = 0; l->kept && j < inner; j++) \
				sum[o + j] += x[i + j]; \
			for (int64_t j = 0; !l->kept && j < inner; j++) \
				all += x[i + j]; \
			sum[o] += all; \
			for (int k = l->lead - 1; k >= 0; k--) { \
				o += l->stride[k]; \
				if (++at[k] < a->dim[k]) \
					break; \
				o -= l->stride[k] * at[k]; \
				at[k] = 0; \
			} \
		} \
	}
SUM_IMAGE(sum_f32, float)
SUM_IMAGE(sum_f64, double)

static um_status prepare(const um_node *n, um_prepare *how)
{
	how->scratch = (int64_t)sizeof(double) * um_node_len(n);
	return UM_OK;
}

/* Sums in double; every image its own sum, or all of the call one. */
static um_status run(const um_call *c, bool wide)
{
	const um_node *n = c->node, *a = n->in[0];
	const int64_t len = um_node_len(n);
	const bool each = n->batched;
	double *sum = c->scratch;
	um_loop l;
	strides(n, l.stride);
	inner_axes(a, &l);
	for (int64_t b = 0; b < c->count; b++) {
		if (each || b == 0)
			memset(sum, 0, sizeof(*sum) * (size_t)len);
		if (wide)
			sum_f64(a, &l, (const double *)c->in[0] + b * c->stride[0], sum);
		else
			sum_f32(a, &l, (const float *)c->in[0] + b * c->stride[0], sum);
		const int64_t at = each ? b * len : 0;
		for (int64_t i = 0; (each || b == c->count - 1) && i < len; i++) {
			double *o64 = (double *)c->out + at + i;
			float *o32 = (float *)c->out + at + i;
			if (wide)
				*o64 = sum[i] + (c->add ? *o64 : 0);
			else
				*o32 = (float)(sum[i] + (c->add ? (double)*o32 : 0));
		}
	}
	return UM_OK;
}

static um_status run32(const um_call *c)
{
	return run(c, false);
}

static um_status run64(const um_call *c)
{
	return run(c, true);
}

const um_op um_op_sum = { .name = "sum", .shape = shape, .grad = grad, .prepare = prepare,
	.run = { run32, run64 } };

um_node *um_nn_sum_to(um_node *a, int rank, const int64_t dim[], bool batched)
{
	if (a == NULL)
		return NULL;
	um_leaf_attr attr = { .rank = rank, .batched = batched && a->batched };
	if (rank < 0 || rank > UM_NN_RANK)
		return um_graph_fail(a->graph, "sum: %d axes, at most %d are possible", rank, UM_NN_RANK);
	for (int i = 0; i < rank; i++)
		attr.dim[i] = dim[i];
	if (a->batched == (attr.batched != 0) && a->rank == rank &&
		memcmp(a->dim, attr.dim, sizeof(*a->dim) * (size_t)rank) == 0)
		return a;
	return um_node_1(&um_op_sum, a, &attr, sizeof(attr));
}

um_node *um_nn_sum(um_node *a, unsigned axes)
{
	int64_t dim[UM_NN_RANK];
	if (a == NULL)
		return NULL;
	for (int i = 0; i < a->rank; i++)
		dim[i] = axes >> i & 1 ? 1 : a->dim[i];
	return um_nn_sum_to(a, axes == UM_NN_ALL ? 0 : a->rank, dim, true);
}

um_node *um_nn_mean(um_node *a, unsigned axes)
{
	um_node *s = um_nn_sum(a, axes);
	return s == NULL ? NULL : um_nn_scale(s, (double)um_node_len(s) / (double)um_node_len(a));
}

um_node *um_nn_batch_sum(um_node *a)
{
	return a == NULL ? NULL : um_nn_sum_to(a, a->rank, a->dim, false);
}

um_node *um_nn_batch_mean(um_node *a)
{
	if (a == NULL || !a->batched)
		return a;
	return um_nn_scale(um_nn_batch_sum(a), 1.0 / (double)um_graph_batch(a->graph));
}
