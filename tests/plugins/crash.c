/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Wrong on purpose: run writes through a null pointer. */
#include "sound.h"

static um_status run(void *self, um_problem *problem, um_sink *sink)
{
	(void)self, (void)problem, (void)sink;
	*(volatile int *)NULL = 1;
	return UM_OK;
}

static const um_inference_ops ops = { .create = sound_inference, .destroy = free, .run = run };

UM_PLUGIN = {
	UM_HEADER, UM_INFERENCE, 0, "crash", "1.0",
	"A deliberately wrong plugin for tests.", "",
	SOUND_PARAMS, UM_OPS(ops),
};
