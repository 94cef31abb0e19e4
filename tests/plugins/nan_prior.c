/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Wrong on purpose: the density is never a number. */
#include "sound.h"

static um_status logp(void *self, um_rng *rng, const um_array *x, double *lp, um_array *dx)
{
	um_status st = sound_logp(self, rng, x, lp, dx);
	for (int64_t b = 0; b < x->dim[0]; b++)
		lp[b] = NAN;
	return st;
}

static const um_prior_ops ops = {
	.create = sound_prior, .destroy = free, .logp = logp, .sample = sound_sample,
};

UM_PLUGIN = {
	UM_HEADER, UM_PRIOR, 0, "nan_prior", "1.0",
	"A deliberately wrong plugin for tests.", "",
	SOUND_PARAMS, UM_OPS(ops),
};
