/* SPDX-License-Identifier: GPL-3.0-or-later */
/* An array among zeros along an axis: the adjoint of slice. */
#include "nn/rows.h"

typedef struct attr {
	int64_t axis, first, length;
} attr;

static bool shape(um_node *n)
{
	const attr *s = n->attr;
	const um_node *a = n->in[0];
	if (!um_axis_exists(n, s->axis))
		return false;
	if (s->first < 0 || a->dim[s->axis] > s->length - s->first) {
		um_graph_fail(n->graph,
			"place: axis %d of %s from entry %lld on does not fit into %lld",
			(int)s->axis, um_node_shape(a), (long long)s->first, (long long)s->length);
		return false;
	}
	um_node_set(n, a->rank, a->dim);
	n->dim[s->axis] = s->length;
	return true;
}

static void grad(um_node *n, um_node *dy, const bool want[], um_node *dx[])
{
	const attr *s = n->attr;
	if (want[0])
		dx[0] = um_nn_slice(dy, (int)s->axis, s->first, n->in[0]->dim[s->axis]);
}

static um_status run(const um_call *call)
{
	const attr *s = call->node->attr;
	um_axis a = um_axis_of(call->node->in[0], s->axis);
	int64_t entry = a.inner * call->size, bytes = a.length * entry;
	const um_piece piece[3] = {
		{ NULL, s->first * entry, 0, 0 },
		{ call->in[0], bytes, bytes, call->stride[0] * call->size },
		{ NULL, (s->length - s->first) * entry - bytes, 0, 0 },
	};
	um_rows_join(call->count, a.outer, 3, piece, call->out, call->threads);
	return UM_OK;
}

static const um_op place = { .name = "place", .shape = shape, .grad = grad, .run = { run, run } };

um_node *um_nn_place(um_node *a, int axis, int64_t first, int64_t length)
{
	attr s = { axis, first, length };
	if (a != NULL && axis >= 0 && axis < a->rank && first == 0 && length == a->dim[axis])
		return a;
	return um_node_1(&place, a, &s, sizeof(s));
}
