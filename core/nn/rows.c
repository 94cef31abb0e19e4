/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Rows put together from runs of bytes: the kernel of concat, slice and place. */
#include <string.h>
#include "base/parallel.h"
#include "nn/rows.h"

um_axis um_axis_of(const um_node *n, int64_t axis)
{
	um_axis a = { 1, n->dim[axis], 1 };
	for (int i = 0; i < n->rank; i++) {
		a.outer *= i < axis ? n->dim[i] : 1;
		a.inner *= i > axis ? n->dim[i] : 1;
	}
	return a;
}

bool um_axis_exists(um_node *n, int64_t axis)
{
	if (axis >= 0 && axis < n->in[0]->rank)
		return true;
	um_graph_fail(n->graph, "%s: %s has no axis %d", n->op->name, um_node_shape(n->in[0]), (int)axis);
	return false;
}

typedef struct join {
	int64_t rows, width;
	int n;
	const um_piece *piece;
	char *out;
} join;

/* Sizes are multiples of 4 bytes; a call of memcpy costs more than a few of those. */
static inline void copy(char *o, const char *x, int64_t bytes)
{
	if (bytes > 32)
		memcpy(o, x, (size_t)bytes);
	else
		for (int64_t b = 0; b < bytes; b += 4)
			memcpy(o + b, x + b, 4);
}

/* Rows from .. to - 1 of all rows of all images. */
static void part(const join *j, int64_t from, int64_t to)
{
	char *o = j->out + from * j->width;
	int64_t image = from / j->rows, row = from % j->rows;
	for (int64_t i = from; i < to; i++) {
		for (int k = 0; k < j->n; k++) {
			const um_piece *p = &j->piece[k];
			if (p->in != NULL)
				copy(o, (const char *)p->in + image * p->image + row * p->step, p->bytes);
			else
				memset(o, 0, (size_t)p->bytes);
			o += p->bytes;
		}
		if (++row == j->rows) {
			row = 0;
			image++;
		}
	}
}

void um_rows_join(int64_t images, int64_t rows, int n, const um_piece piece[], void *out, int threads)
{
	join j = { rows, 0, n, piece, out };
	for (int k = 0; k < n; k++)
		j.width += piece[k].bytes;
	int64_t all = images * rows;
	int lanes = um_lanes(threads, all * j.width / 4);
	if (lanes == 1) {
		part(&j, 0, all);
		return;
	}
PARALLEL
	for (int t = 0; t < lanes; t++)
		part(&j, all * t / lanes, all * (t + 1) / lanes);
}
