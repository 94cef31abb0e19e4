/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Wrong on purpose: solve forgets b2, except for the pseudo-inverse. */
#include "sound.h"

static um_status solve(void *self, const um_array *op, const um_array *sigma, double a2, double b2,
	const um_array *r, um_array *out)
{
	const struct sound_self *s = self;
	(void)op, (void)b2;
	for (int64_t b = 0; b < r->dim[0]; b++)
		for (int64_t i = 0; i < s->n; i++)
			um_row_d(out, b)[i] = um_row_d(r, b)[i] /
				(a2 * pow(um_row_d(sigma, b)[i], 2) + pow(s->scale, 2));
	return UM_OK;
}

static const um_forward_ops ops = {
	.create = sound_linear, .destroy = free, .apply = sound_scale, .pullback = sound_scale_back,
	.noise = sound_noise, .solve = solve,
};

UM_PLUGIN = {
	UM_HEADER, UM_FORWARD, 0, "wrong_solve", "1.0",
	"A deliberately wrong plugin for tests.", "",
	SOUND_PARAMS, UM_OPS(ops),
};
