/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Wrong on purpose: its own likelihood has the right value and a gradient of the wrong size. */
#include "sound.h"

static um_status loglike(void *self, const um_array *op, const um_array *x, const um_array *y,
	const um_array *sigma, double *ll, um_array *dx)
{
	const struct sound_self *s = self;
	(void)op;
	for (int64_t b = 0; b < x->dim[0]; b++) {
		ll[b] = 0;
		for (int64_t i = 0; i < s->n; i++) {
			double w = um_row_d(sigma, b)[i], r = (um_row_d(y, b)[i] - s->scale * um_row_f(x, b)[i]) / w;
			ll[b] -= 0.5 * r * r;
			if (dx != NULL)
				um_row_f(dx, b)[i] = (float)(2 * s->scale * r / w);
		}
	}
	return UM_OK;
}

static const um_forward_ops ops = {
	.create = sound_linear, .destroy = free, .apply = sound_scale, .pullback = sound_scale_back,
	.noise = sound_noise, .loglike = loglike,
};

UM_PLUGIN = {
	UM_HEADER, UM_FORWARD, 0, "wrong_loglike", "1.0",
	"A deliberately wrong plugin for tests.", "",
	SOUND_PARAMS, UM_OPS(ops),
};
