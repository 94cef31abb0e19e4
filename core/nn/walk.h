/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A contiguous result whose elements are read from an array by strides, with as few axes as
 * possible: what permuting and broadcasting are. */
#ifndef UMBRA_NN_WALK_H
#define UMBRA_NN_WALK_H

#include "nn/node.h"

/* Axes of the result, and how many elements of the input a step along each moves (0: repeats). */
typedef struct um_walk {
	int rank;
	int64_t dim[UM_NN_RANK], step[UM_NN_RANK];
} um_walk;

/* Drops axes of length 1 and joins neighbours that move as one; at least one axis stays. */
void um_walk_simplify(um_walk *w);

/* Computes a node of one input. One of the steps is 1, or the last is 0. */
void um_walk_run(const um_walk *w, const um_call *call);

#endif
