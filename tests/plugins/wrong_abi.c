/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Wrong on purpose: built for an ABI of the future, which the host refuses by both numbers. */
#include "sound.h"

static const um_prior_ops ops = {
	.create = sound_prior, .destroy = free, .logp = sound_logp, .sample = sound_sample,
};

UM_PLUGIN = {
	UM_ABI + 41, sizeof(um_plugin), UM_PRIOR, 0, "wrong_abi", "1.0",
	"A deliberately wrong plugin for tests.", "",
	SOUND_PARAMS, UM_OPS(ops),
};
