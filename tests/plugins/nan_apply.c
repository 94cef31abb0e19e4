/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Wrong on purpose: measurements can be simulated, and the model of them has a NaN. */
#include "sound.h"

static um_status apply(void *self, const um_array *op, const um_array *x, const um_array *dx, um_array *y, um_array *dy)
{
	um_status st = sound_scale(self, op, x, dx, y, dy);
	um_row_d(y, 0)[3] = NAN;
	return st;
}

static um_status simulate(void *self, um_rng *rng, const um_array *x, um_array *op, um_array *y, um_array *sigma, um_sink *sink)
{
	(void)rng, (void)sink;
	um_array_fill(sigma, 0.1);
	return sound_scale(self, op, x, NULL, y, NULL);
}

static const um_forward_ops ops = {
	.create = sound_linear, .destroy = free, .apply = apply, .pullback = sound_scale_back, .simulate = simulate,
};

UM_PLUGIN = {
	UM_HEADER, UM_FORWARD, 0, "nan_apply", "1.0",
	"A deliberately wrong plugin for tests.", "",
	SOUND_PARAMS, UM_OPS(ops),
};
