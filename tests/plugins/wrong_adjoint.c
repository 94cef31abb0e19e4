/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Wrong on purpose: jtv is 1 % too large. */
#include "sound.h"

static um_status pullback(void *self, const um_array *op, const um_array *x, const um_array *v, um_array *jtv)
{
	um_status st = sound_square_back(self, op, x, v, jtv);
	sound_times(1.01, jtv, jtv);
	return st;
}

static const um_forward_ops ops = {
	.create = sound_forward, .destroy = free, .apply = sound_square, .pullback = pullback, .noise = sound_noise,
};

UM_PLUGIN = {
	UM_HEADER, UM_FORWARD, 0, "wrong_adjoint", "1.0",
	"A deliberately wrong plugin for tests.", "",
	SOUND_PARAMS, UM_OPS(ops),
};
