/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Neighbouring entries of an axis. */
#include "nn/rows.h"

typedef struct attr {
	int64_t axis, first, count;
} attr;

static bool shape(um_node *n)
{
	const attr *s = n->attr;
	const um_node *a = n->in[0];
	if (!um_axis_exists(n, s->axis))
		return false;
	if (s->first < 0 || s->count < 1 || s->count > a->dim[s->axis] - s->first) {
		um_graph_fail(n->graph, "slice: %lld entries from %lld are not in axis %d of %s",
			(long long)s->count, (long long)s->first, (int)s->axis, um_node_shape(a));
		return false;
	}
	um_node_set(n, a->rank, a->dim);
	n->dim[s->axis] = s->count;
	return true;
}

static void grad(um_node *n, um_node *dy, const bool want[], um_node *dx[])
{
	const attr *s = n->attr;
	if (want[0])
		dx[0] = um_nn_place(dy, (int)s->axis, s->first, n->in[0]->dim[s->axis]);
}

static um_status run(const um_call *call)
{
	const attr *s = call->node->attr;
	um_axis a = um_axis_of(call->node->in[0], s->axis);
	int64_t entry = a.inner * call->size;
	const um_piece piece = { (const char *)call->in[0] + s->first * entry, s->count * entry, a.length * entry,
		call->stride[0] * call->size };
	um_rows_join(call->count, a.outer, 1, &piece, call->out, call->threads);
	return UM_OK;
}

static const um_op slice = { .name = "slice", .shape = shape, .grad = grad, .run = { run, run } };

um_node *um_nn_slice(um_node *a, int axis, int64_t first, int64_t count)
{
	if (a != NULL && axis >= 0 && axis < a->rank && first == 0 && count == a->dim[axis])
		return a;
	attr s = { axis, first, count };
	if (a != NULL && a->op == &slice) {
		const attr *of = a->attr;
		/* A slice of a slice along the same axis is one slice. */
		if (of->axis == axis && first >= 0 && count <= of->count - first)
			return um_nn_slice(a->in[0], axis, of->first + first, count);
	}
	um_node *fewer = a != NULL ? um_gather_part(a, axis, first, count) : NULL;
	return fewer != NULL ? fewer : um_node_1(&slice, a, &s, sizeof(s));
}
