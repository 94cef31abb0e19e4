/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Wrong on purpose: a draw depends on how many were made before. */
#include "sound.h"

static um_status sample(void *self, um_rng *rng, um_array *x)
{
	struct sound_self *s = self;
	um_status st = sound_sample(self, rng, x);
	s->calls++;
	for (int64_t b = 0; b < x->dim[0]; b++)
		um_row_f(x, b)[0] += (float)s->calls;
	return st;
}

static const um_prior_ops ops = {
	.create = sound_prior, .destroy = free, .logp = sound_logp, .sample = sample,
};

UM_PLUGIN = {
	UM_HEADER, UM_PRIOR, 0, "flaky_sample", "1.0",
	"A deliberately wrong plugin for tests.", "",
	SOUND_PARAMS, UM_OPS(ops),
};
