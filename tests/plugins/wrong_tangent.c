/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Wrong on purpose: dy lacks the factor 2 of the derivative of a square. */
#include "sound.h"

static um_status apply(void *self, const um_array *op, const um_array *x, const um_array *dx, um_array *y,
	um_array *dy)
{
	um_status st = sound_square(self, op, x, dx, y, dy);
	for (int64_t i = 0; dx != NULL && i < um_array_len(dy); i++)
		((double *)dy->data)[i] /= 2;
	return st;
}

static const um_forward_ops ops = {
	.create = sound_forward, .destroy = free, .apply = apply, .pullback = sound_square_back, .noise = sound_noise,
};

UM_PLUGIN = {
	UM_HEADER, UM_FORWARD, 0, "wrong_tangent", "1.0",
	"A deliberately wrong plugin for tests.", "",
	SOUND_PARAMS, UM_OPS(ops),
};
