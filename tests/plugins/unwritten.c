/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Wrong on purpose: the last pixel of the gradient is never written. */
#include "sound.h"

static um_status logp(void *self, um_rng *rng, const um_array *x, double *lp, um_array *dx)
{
	const struct sound_self *s = self;
	float before = dx != NULL ? um_row_f(dx, 0)[s->n - 1] : 0;
	um_status st = sound_logp(self, rng, x, lp, dx);
	if (dx != NULL)
		um_row_f(dx, 0)[s->n - 1] = before;
	return st;
}

static const um_prior_ops ops = {
	.create = sound_prior, .destroy = free, .logp = logp, .sample = sound_sample,
};

UM_PLUGIN = {
	UM_HEADER, UM_PRIOR, 0, "unwritten", "1.0",
	"A deliberately wrong plugin for tests.", "",
	SOUND_PARAMS, UM_OPS(ops),
};
