/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Entries added to chosen entries of a longer or shorter axis: the adjoint of gather. Each entry of
 * the result adds what belongs to it in a fixed order, so threads change nothing. */
#include <stdlib.h>
#include <string.h>
#include "base/parallel.h"
#include "nn/rows.h"
#include "nn/tile.h"

typedef struct attr {
	int64_t axis, length;
} attr;

/* The blob: int32_t start[length + 1], then source[count]: entry j of the result is the sum of
 * entries source[start[j]] .. source[start[j + 1] - 1]. */

static bool shape(um_node *n)
{
	const attr *s = n->attr;
	um_node_set(n, n->in[0]->rank, n->in[0]->dim);
	n->dim[s->axis] = s->length;
	return true;
}

static void grad(um_node *n, um_node *dy, const bool want[], um_node *dx[])
{
	const attr *s = n->attr;
	const int32_t *start = n->blob->data, *source = start + s->length + 1;
	int64_t count = n->in[0]->dim[s->axis];
	if (!want[0])
		return;
	int64_t *index = malloc((size_t)count * sizeof(*index));
	if (index == NULL) {
		um_graph_fail(n->graph, "scatter: no memory for %lld entries", (long long)count);
		return;
	}
	for (int64_t j = 0; j < s->length; j++)
		for (int32_t k = start[j]; k < start[j + 1]; k++)
			index[source[k]] = j;
	dx[0] = um_nn_gather(dy, (int)s->axis, count, index);
	free(index);
}

/* (count, inner) -> (length, inner) */
#define ADD(name, real) \
	UM_KERNEL(void, name, (const um_node *n, int64_t inner, real *restrict o, \
		const real *restrict x), (n, inner, o, x)) \
	{ \
		const attr *s = n->attr; \
		const int32_t *start = n->blob->data, *source = start + s->length + 1; \
		for (int64_t j = 0; j < s->length; j++, o += inner) { \
			memset(o, 0, (size_t)inner * sizeof(*o)); \
			for (int32_t k = start[j]; k < start[j + 1]; k++) { \
				const real *from = x + source[k] * inner; \
				for (int64_t c = 0; c < inner; c++) \
					o[c] += from[c]; \
			} \
		} \
	} \
	static void name##_row(const um_call *call, um_axis a, int64_t i) \
	{ \
		const attr *s = call->node->attr; \
		const real *x = (const real *)call->in[0] + i / a.outer * call->stride[0]; \
		name(call->node, a.inner, (real *)call->out + i * s->length * a.inner, \
			x + i % a.outer * a.length * a.inner); \
	} \
	static um_status name##_run(const um_call *call) \
	{ \
		const attr *s = call->node->attr; \
		um_axis a = um_axis_of(call->node->in[0], s->axis); \
		int64_t rows = call->count * a.outer; \
		int lanes = um_lanes(call->threads, rows * (a.length + s->length) * a.inner); \
		if (lanes == 1) { \
			for (int64_t i = 0; i < rows; i++) \
				name##_row(call, a, i); \
			return UM_OK; \
		} \
		PARALLEL \
		for (int64_t i = 0; i < rows; i++) \
			name##_row(call, a, i); \
		return UM_OK; \
	}
ADD(scatter_f32, float)
ADD(scatter_f64, double)

static const um_op scatter = { .name = "scatter", .shape = shape, .grad = grad,
	.run = { scatter_f32_run, scatter_f64_run } };

static bool good(um_node *a, int axis, int64_t length, const int64_t index[])
{
	if (axis < 0 || axis >= a->rank) {
		um_graph_fail(a->graph, "scatter: %s has no axis %d", um_node_shape(a), axis);
		return false;
	}
	if (length < 1 || length > INT32_MAX || a->dim[axis] > INT32_MAX) {
		um_graph_fail(a->graph, "scatter: axis %d of %s to length %lld", axis, um_node_shape(a),
			(long long)length);
		return false;
	}
	for (int64_t i = 0; i < a->dim[axis]; i++)
		if (index[i] < 0 || index[i] >= length) {
			um_graph_fail(a->graph,
				"scatter: entry %lld of axis %d of %s to number %lld of %lld", (long long)i,
				axis, um_node_shape(a), (long long)index[i], (long long)length);
			return false;
		}
	return true;
}

/* Sorts the entries by where they go. */
static void lists(int64_t length, int64_t count, const int64_t index[], int32_t *start)
{
	int32_t *source = start + length + 1;
	for (int64_t i = 0; i < count; i++)
		start[index[i] + 1]++;
	for (int64_t j = 0; j < length; j++)
		start[j + 1] += start[j];
	for (int64_t i = 0; i < count; i++)
		source[start[index[i]]++] = (int32_t)i;
	for (int64_t j = length; j > 0; j--)
		start[j] = start[j - 1];
	start[0] = 0;
}

/* Every entry of the result from exactly one: then the lists of sources are the inverse. */
static um_node *permuted(um_node *a, int axis, int64_t length, const int32_t *start)
{
	int64_t *back = malloc((size_t)length * sizeof(*back));
	if (back == NULL)
		return um_graph_fail(a->graph, "scatter: no memory for %lld entries", (long long)length);
	for (int64_t j = 0; j < length; j++)
		back[j] = start[length + 1 + j];
	um_node *y = um_nn_gather(a, axis, length, back);
	free(back);
	return y;
}

/* index[j] becomes the entry of x that goes to place j of n = scatter(x), plus first; false unless it
 * is one at most, to a place not taken yet. */
static bool fill_places(const um_node *n, int64_t first, int64_t *index, int64_t *taken)
{
	const attr *s = n->attr;
	const int32_t *start = n->blob->data, *source = start + s->length + 1;
	for (int64_t j = 0; j < s->length; j++) {
		if (start[j + 1] == start[j])
			continue;
		if (start[j + 1] - start[j] > 1 || index[j] >= 0)
			return false;
		index[j] = first + source[start[j]];
		++*taken;
	}
	return true;
}

um_node *um_scatter_sum(um_node *a, um_node *b)
{
	const attr *s = a->attr;
	if (a->op != &scatter || b->op != &scatter || memcmp(a->attr, b->attr, sizeof(*s)) != 0 ||
		!um_node_same_shape(a, b) || a->batched != b->batched)
		return NULL;
	int64_t *index = malloc((size_t)s->length * sizeof(*index)), taken = 0;
	if (index == NULL)
		return NULL;
	for (int64_t j = 0; j < s->length; j++)
		index[j] = -1;
	const bool apart = fill_places(a, 0, index, &taken) &&
		fill_places(b, a->in[0]->dim[s->axis], index, &taken) && taken == s->length;
	um_node *y = NULL;
	if (apart)
		y = um_nn_gather(um_nn_concat(a->in[0], b->in[0], (int)s->axis), (int)s->axis, s->length, index);
	free(index);
	return y;
}

um_node *um_nn_scatter(um_node *a, int axis, int64_t length, const int64_t index[])
{
	if (a == NULL || !good(a, axis, length, index))
		return NULL;
	int64_t count = a->dim[axis];
	size_t size = (size_t)(length + 1 + count) * sizeof(int32_t);
	int32_t *start = calloc(1, size);
	if (start == NULL)
		return um_graph_fail(a->graph, "scatter: no memory for %lld entries",
			(long long)(length + count));
	lists(length, count, index, start);
	bool permutation = length == count;
	for (int64_t j = 0; permutation && j < length; j++)
		permutation = start[j + 1] - start[j] == 1;
	um_node *y = permutation ? permuted(a, axis, length, start)
		: um_node_new_blob(a->graph, &scatter, 1, &a, &(attr){ axis, length }, sizeof(attr),
			start, size);
	free(start);
	return y;
}
