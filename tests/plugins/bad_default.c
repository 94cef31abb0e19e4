/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Wrong on purpose: the default of scale lies outside its range. */
#include "sound.h"

static const um_param params[] = { SOUND_ROW("0", "Scale of the image.") };

static const um_prior_ops ops = {
	.create = sound_prior, .destroy = free, .logp = sound_logp, .sample = sound_sample,
};

UM_PLUGIN = {
	UM_HEADER, UM_PRIOR, 0, "bad_default", "1.0",
	"A deliberately wrong plugin for tests.", "",
	UM_PARAMS(struct sound, params), UM_OPS(ops),
};
