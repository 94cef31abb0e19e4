/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Wrong on purpose: it delivers one sample less than was asked for. */
#include "sound.h"

static um_status run(void *self, um_problem *problem, um_sink *sink)
{
	(void)self;
	return sound_deliver(problem, sink, um_problem_about(problem)->samples - 1);
}

static const um_inference_ops ops = { .create = sound_inference, .destroy = free, .run = run };

UM_PLUGIN = {
	UM_HEADER, UM_INFERENCE, 0, "few_samples", "1.0",
	"A deliberately wrong plugin for tests.", "",
	SOUND_PARAMS, UM_OPS(ops),
};
