/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Wrong on purpose: it does not obey the answer of progress. */
#include "sound.h"

static um_status run(void *self, um_problem *problem, um_sink *sink)
{
	(void)self;
	for (int64_t k = 0; k < 10; k++)
		um_sink_progress(sink, k, 10, NAN);
	return sound_deliver(problem, sink, um_problem_about(problem)->samples);
}

static const um_inference_ops ops = { .create = sound_inference, .destroy = free, .run = run };

UM_PLUGIN = {
	UM_HEADER, UM_INFERENCE, 0, "stubborn", "1.0",
	"A deliberately wrong plugin for tests.", "",
	SOUND_PARAMS, UM_OPS(ops),
};
