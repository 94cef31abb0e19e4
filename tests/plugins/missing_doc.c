/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Wrong on purpose: a parameter without a sentence on what it does. */
#include "sound.h"

static const um_param params[] = { SOUND_ROW("1", "") };

static const um_prior_ops ops = {
	.create = sound_prior, .destroy = free, .logp = sound_logp, .sample = sound_sample,
};

UM_PLUGIN = {
	UM_HEADER, UM_PRIOR, 0, "missing_doc", "1.0",
	"A deliberately wrong plugin for tests.", "",
	UM_PARAMS(struct sound, params), UM_OPS(ops),
};
