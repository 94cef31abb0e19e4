/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Wrong on purpose: a square that calls itself linear. */
#include "sound.h"

static const um_forward_ops ops = {
	.create = sound_linear, .destroy = free, .apply = sound_square, .pullback = sound_square_back,
};

UM_PLUGIN = {
	UM_HEADER, UM_FORWARD, 0, "wrong_linear", "1.0",
	"A deliberately wrong plugin for tests.", "",
	SOUND_PARAMS, UM_OPS(ops),
};
