/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What operations share that move whole runs of numbers and never look at them: sizes are bytes, so
 * one kernel serves float and double. */
#ifndef UMBRA_NN_ROWS_H
#define UMBRA_NN_ROWS_H

#include "nn/node.h"

/* Threads for a kernel that touches so many elements: few are not worth waking anybody. */
static inline int um_lanes(int threads, int64_t elements)
{
	return threads > 1 && elements > 32768 ? threads : 1;
}

/* A node seen as (outer, length, inner) about one of its axes. */
typedef struct um_axis {
	int64_t outer, length, inner;
} um_axis;
um_axis um_axis_of(const um_node *n, int64_t axis);
/* Whether input 0 of n has the axis; a message if not. */
bool um_axis_exists(um_node *n, int64_t axis);

/* A part of every row of a result: bytes, at in, from row to row and from image to image; zeros
 * where in is NULL. */
typedef struct um_piece {
	const void *in;
	int64_t bytes, step, image;
} um_piece;

/* out = rows made of n pieces side by side. */
void um_rows_join(
	int64_t images, int64_t rows, int n, const um_piece piece[], void *out, int threads);

/* scatter + scatter, where each place is filled by one entry of one of them, as a gather; or NULL. It
 * comes from the derivative of two gathers that share out an array. */
um_node *um_scatter_sum(um_node *a, um_node *b);
/* Entries first .. first + count - 1 of a gather along the axis as a gather; or NULL. */
um_node *um_gather_part(um_node *a, int axis, int64_t first, int64_t count);

#endif
