/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Wrong on purpose: draws hold a NaN. */
#include "sound.h"

static um_status sample(void *self, um_rng *rng, um_array *x)
{
	um_status st = sound_sample(self, rng, x);
	um_row_f(x, 0)[2] = NAN;
	return st;
}

static const um_prior_ops ops = { .create = sound_prior, .destroy = free, .sample = sample };

UM_PLUGIN = {
	UM_HEADER, UM_PRIOR, 0, "nan_draw", "1.0",
	"A deliberately wrong plugin for tests.", "",
	SOUND_PARAMS, UM_OPS(ops),
};
