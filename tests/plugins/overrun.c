/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Wrong on purpose: the gradient has a number too many, at the end of the last row or, where scale is above 2, far away. */
#include "sound.h"

static um_status logp(void *self, um_rng *rng, const um_array *x, double *lp, um_array *dx)
{
	const struct sound_self *s = self;
	um_status st = sound_logp(self, rng, x, lp, dx);
	if (dx != NULL)
		((volatile float *)um_row_f(dx, x->dim[0] - 1))[s->n + (s->scale > 2 ? 512 : 0)] = 0;
	return st;
}

static const um_prior_ops ops = { .create = sound_prior, .destroy = free, .logp = logp };

UM_PLUGIN = {
	UM_HEADER, UM_PRIOR, 0, "overrun", "1.0",
	"A deliberately wrong plugin for tests.", "",
	SOUND_PARAMS, UM_OPS(ops),
};
