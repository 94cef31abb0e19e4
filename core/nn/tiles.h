/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Gradients of weights of bfloat16 on the tiles of the processor (AMX). Both factors of such a
 * product are summed over positions, which is the wrong way round for libraries: oneDNN 2.6 reaches a
 * fifth to a third of what its convolutions do. */
#ifndef UMBRA_NN_TILES_H
#define UMBRA_NN_TILES_H

#include <stdbool.h>
#include <stdint.h>

/* w[p, q, c, o] = sum over images, i, j of y[i, j, o] x[i + p - top, j + q - left, c], x being zero
 * outside: x (rows, columns, ci), y (out_rows, out_columns, co), w (kr, kc, ci, co). */
typedef struct um_outer {
	int64_t rows, columns, ci;
	int64_t out_rows, out_columns, co;
	int64_t kr, kc, top, left;
} um_outer;

/* Whether the processor and the kernel can do it: channels in sixteens. */
bool um_outer_possible(const um_outer *o);
/* Bytes of working memory, 64-byte aligned, for a call with so many images. */
int64_t um_outer_scratch(const um_outer *o, int64_t images);
/* x and y: bfloat16, images one after the other. add: to what is in w. */
void um_outer_run(const um_outer *o, int64_t images, const uint16_t *x, const uint16_t *y, bool add,
	float *w, void *scratch);

#endif
