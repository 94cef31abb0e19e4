/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Wrong on purpose: the density writes through a null pointer. */
#include "sound.h"

static um_status logp(void *self, um_rng *rng, const um_array *x, double *lp, um_array *dx)
{
	*(volatile int *)NULL = 1;
	return sound_logp(self, rng, x, lp, dx);
}

static const um_prior_ops ops = { .create = sound_prior, .destroy = free, .logp = logp };

UM_PLUGIN = {
	UM_HEADER, UM_PRIOR, 0, "crash_logp", "1.0",
	"A deliberately wrong plugin for tests.", "",
	SOUND_PARAMS, UM_OPS(ops),
};
