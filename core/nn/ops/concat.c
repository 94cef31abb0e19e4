/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Two arrays one after the other along an axis. */
#include "nn/rows.h"

static bool shape(um_node *n)
{
	const um_node *a = n->in[0], *b = n->in[1];
	int64_t axis = *(const int64_t *)n->attr;
	if (!um_axis_exists(n, axis))
		return false;
	if (a->rank != b->rank) {
		um_graph_fail(n->graph, "concat: %s and %s have different numbers of axes",
			um_node_shape(a), um_node_shape(b));
		return false;
	}
	for (int i = 0; i < a->rank; i++)
		if (i != axis && a->dim[i] != b->dim[i]) {
			um_graph_fail(n->graph, "concat: %s and %s differ on axis %d",
				um_node_shape(a), um_node_shape(b), i);
			return false;
		}
	um_node_set(n, a->rank, a->dim);
	n->dim[axis] += b->dim[axis];
	return true;
}

static void grad(um_node *n, um_node *dy, const bool want[], um_node *dx[])
{
	int axis = (int)*(const int64_t *)n->attr;
	int64_t first = 0;
	for (int k = 0; k < 2; first += n->in[k]->dim[axis], k++)
		if (want[k])
			dx[k] = um_nn_slice(dy, axis, first, n->in[k]->dim[axis]);
}

static um_status run(const um_call *call)
{
	int64_t axis = *(const int64_t *)call->node->attr;
	um_piece piece[2];
	int64_t rows = 1;
	for (int k = 0; k < 2; k++) {
		um_axis a = um_axis_of(call->node->in[k], axis);
		int64_t bytes = a.length * a.inner * call->size;
		rows = a.outer;
		piece[k] = (um_piece){ call->in[k], bytes, bytes, call->stride[k] * call->size };
	}
	um_rows_join(call->count, rows, 2, piece, call->out, call->threads);
	return UM_OK;
}

static const um_op concat = { .name = "concat", .shape = shape, .grad = grad, .run = { run, run } };

um_node *um_nn_concat(um_node *a, um_node *b, int axis)
{
	return um_node_2(&concat, a, b, &(int64_t){ axis }, sizeof(int64_t));
}
