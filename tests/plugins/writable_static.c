/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Wrong on purpose: a counter that two instances share. */
#include "sound.h"

static long calls;

static um_status logp(void *self, um_rng *rng, const um_array *x, double *lp, um_array *dx)
{
	calls++;
	return sound_logp(self, rng, x, lp, dx);
}

static um_status sample(void *self, um_rng *rng, um_array *x)
{
	return calls < 0 ? UM_OK : sound_sample(self, rng, x);
}

static const um_prior_ops ops = {
	.create = sound_prior, .destroy = free, .logp = logp, .sample = sample,
};

UM_PLUGIN = {
	UM_HEADER, UM_PRIOR, 0, "writable_static", "1.0",
	"A deliberately wrong plugin for tests.", "",
	SOUND_PARAMS, UM_OPS(ops),
};
