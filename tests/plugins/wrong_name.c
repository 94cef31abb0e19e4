/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Wrong on purpose: its name is not that of its file. */
#include "sound.h"

static const um_prior_ops ops = {
	.create = sound_prior, .destroy = free, .logp = sound_logp, .sample = sound_sample,
};

UM_PLUGIN = {
	UM_HEADER, UM_PRIOR, 0, "another_name", "1.0",
	"A deliberately wrong plugin for tests.", "",
	SOUND_PARAMS, UM_OPS(ops),
};
