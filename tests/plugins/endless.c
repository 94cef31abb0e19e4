/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Wrong on purpose: run never ends and never asks whether it should. */
#include "sound.h"

static um_status run(void *self, um_problem *problem, um_sink *sink)
{
	(void)self, (void)problem, (void)sink;
	for (volatile int forever = 1; forever;)
		;
	return UM_OK;
}

static const um_inference_ops ops = { .create = sound_inference, .destroy = free, .run = run };

UM_PLUGIN = {
	UM_HEADER, UM_INFERENCE, 0, "endless", "1.0",
	"A deliberately wrong plugin for tests.", "",
	SOUND_PARAMS, UM_OPS(ops),
};
