/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Grey images in colours of their own. */
#include <math.h>
#include <string.h>
#include "data/imageset.h"

/* An ink of which one of red, green and blue is full. */
static void draw_ink(um_rng r, double ink[3])
{
	double most = 0;
	for (int c = 0; c < 3; c++) {
		ink[c] = um_uniform(&r);
		most = fmax(most, ink[c]);
	}
	for (int c = 0; c < 3; c++)
		ink[c] /= most;
}

um_status um_imageset_paint(const um_array *grey, uint64_t seed, um_array *out)
{
	const int64_t *d = grey->dim, plane = d[4] * d[5], planes = d[1] * d[2];
	const um_rng key = um_rng_new(seed, "colours", 0);
	const um_status st = um_array_new(out, UM_F32, 6, (const int64_t[]){ d[0], d[1], d[2], 3, d[4], d[5] });
	for (int64_t i = 0; st == UM_OK && i < d[0]; i++) {
		double ink[3];
		draw_ink(um_rng_at(&key, 0, (uint64_t)i), ink);
		for (int64_t k = 0; k < 3 * planes; k++) {
			const float *from = um_row_f(grey, i) + k / 3 * plane;
			float *to = um_row_f(out, i) + k * plane;
			for (int64_t p = 0; p < plane; p++)
				to[p] = (float)(ink[k % 3] * (double)from[p]);
		}
	}
	return st;
}
