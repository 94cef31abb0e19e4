/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Wrong on purpose: apply makes a number too many, at the end of the last row or, where scale is above 2, far away. */
#include "sound.h"

static um_status apply(void *self, const um_array *op, const um_array *x, const um_array *dx, um_array *y, um_array *dy)
{
	const struct sound_self *s = self;
	um_status st = sound_scale(self, op, x, dx, y, dy);
	((volatile double *)um_row_d(y, x->dim[0] - 1))[s->n + (s->scale > 2 ? 512 : 0)] = 0;
	return st;
}

static const um_forward_ops ops = {
	.create = sound_linear, .destroy = free, .apply = apply, .pullback = sound_scale_back, .noise = sound_noise,
};

UM_PLUGIN = {
	UM_HEADER, UM_FORWARD, 0, "overrun_apply", "1.0",
	"A deliberately wrong plugin for tests.", "",
	SOUND_PARAMS, UM_OPS(ops),
};
