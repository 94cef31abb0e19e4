/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Chosen entries of an axis, in a chosen order. The adjoint adds them back (scatter); where the
 * choice is a permutation that is a gather with the inverse one, which is faster. */
#include <stdlib.h>
#include <string.h>
#include "base/parallel.h"
#include "nn/rows.h"
#include "nn/tile.h"

typedef struct attr {
	int64_t axis, count;
} attr; /* the blob: int32_t index[count] */

static bool shape(um_node *n)
{
	const attr *s = n->attr;
	um_node_set(n, n->in[0]->rank, n->in[0]->dim);
	n->dim[s->axis] = s->count;
	return true;
}

static void grad(um_node *n, um_node *dy, const bool want[], um_node *dx[])
{
	const attr *s = n->attr;
	const int32_t *index = n->blob->data;
	if (!want[0])
		return;
	int64_t *wide = malloc((size_t)s->count * sizeof(*wide));
	if (wide == NULL) {
		um_graph_fail(n->graph, "gather: no memory for %lld entries", (long long)s->count);
		return;
	}
	for (int64_t i = 0; i < s->count; i++)
		wide[i] = index[i];
	dx[0] = um_nn_scatter(dy, (int)s->axis, n->in[0]->dim[s->axis], wide);
	free(wide);
}

/* One number an entry: rows of a vector, as the permutations of flows. */
UM_KERNEL(void, gather_4, (int64_t n, float *o, const float *x, const int32_t *index), (n, o, x, index))
{
	for (int64_t i = 0; i < n; i++)
		o[i] = x[index[i]];
}

UM_KERNEL(void, gather_8, (int64_t n, double *o, const double *x, const int32_t *index), (n, o, x, index))
{
	for (int64_t i = 0; i < n; i++)
		o[i] = x[index[i]];
}

static void row(const um_call *call, um_axis a, int64_t i)
{
	const attr *s = call->node->attr;
	const int32_t *index = call->node->blob->data;
	int64_t run = a.inner * call->size;
	char *o = (char *)call->out + i * s->count * run;
	const char *x = (const char *)call->in[0] + i / a.outer * call->stride[0] * call->size
		+ i % a.outer * a.length * run;
	if (run == 4)
		gather_4(s->count, (float *)(void *)o, (const float *)(const void *)x, index);
	else if (run == 8)
		gather_8(s->count, (double *)(void *)o, (const double *)(const void *)x, index);
	else
		for (int64_t k = 0; k < s->count; k++)
			memcpy(o + k * run, x + index[k] * run, (size_t)run);
}

static um_status run(const um_call *call)
{
	const attr *s = call->node->attr;
	um_axis a = um_axis_of(call->node->in[0], s->axis);
	int64_t rows = call->count * a.outer;
	int lanes = um_lanes(call->threads, rows * s->count * a.inner);
	if (lanes == 1) {
		for (int64_t i = 0; i < rows; i++)
			row(call, a, i);
		return UM_OK;
	}
PARALLEL
	for (int64_t i = 0; i < rows; i++)
		row(call, a, i);
	return UM_OK;
}

static const um_op gather = { .name = "gather", .shape = shape, .grad = grad, .run = { run, run } };

static bool good(um_node *a, int axis, int64_t count, const int64_t index[])
{
	if (axis < 0 || axis >= a->rank) {
		um_graph_fail(a->graph, "gather: %s has no axis %d", um_node_shape(a), axis);
		return false;
	}
	if (count < 1 || count > INT32_MAX || a->dim[axis] > INT32_MAX) {
		um_graph_fail(a->graph, "gather: %lld entries of axis %d of %s", (long long)count, axis,
			um_node_shape(a));
		return false;
	}
	for (int64_t i = 0; i < count; i++)
		if (index[i] < 0 || index[i] >= a->dim[axis]) {
			um_graph_fail(a->graph, "gather: entry %lld is number %lld of axis %d of %s",
				(long long)i, (long long)index[i], axis, um_node_shape(a));
			return false;
		}
	return true;
}

um_node *um_gather_part(um_node *a, int axis, int64_t first, int64_t count)
{
	const attr *s = a->attr;
	if (a->op != &gather || s->axis != axis || first < 0 || count < 1 || count > s->count - first)
		return NULL;
	int64_t *index = malloc((size_t)count * sizeof(*index));
	const int32_t *all = a->blob->data;
	for (int64_t i = 0; index != NULL && i < count; i++)
		index[i] = all[first + i];
	um_node *y = index != NULL ? um_nn_gather(a->in[0], axis, count, index) : NULL;
	free(index);
	return y;
}

um_node *um_nn_gather(um_node *a, int axis, int64_t count, const int64_t index[])
{
	if (a == NULL || !good(a, axis, count, index))
		return NULL;
	bool neighbours = true;
	for (int64_t i = 1; neighbours && i < count; i++)
		neighbours = index[i] == index[0] + i;
	if (neighbours)
		return um_nn_slice(a, axis, index[0], count);
	const attr *of = a->op == &gather ? a->attr : NULL;
	const int32_t *first = of != NULL && of->axis == axis ? a->blob->data : NULL;
	size_t size = (size_t)count * sizeof(int32_t);
	int32_t *both = malloc(size);
	if (both == NULL)
		return um_graph_fail(a->graph, "gather: no memory for %lld entries", (long long)count);
	for (int64_t i = 0; i < count; i++)
		both[i] = first != NULL ? first[index[i]] : (int32_t)index[i];
	/* Two permutations may undo each other. */
	bool same = first != NULL && count == a->in[0]->dim[axis];
	for (int64_t i = 0; same && i < count; i++)
		same = both[i] == i;
	um_node *x = first != NULL ? a->in[0] : a;
	um_node *y = same ? x : um_node_new_blob(a->graph, &gather, 1, &x, &(attr){ axis, count },
		sizeof(attr), both, size);
	free(both);
	return y;
}
