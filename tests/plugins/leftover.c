/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Wrong on purpose: what a run leaves in the instance moves the samples of the next one. */
#include "sound.h"

static um_status run(void *self, um_problem *problem, um_sink *sink)
{
	struct sound_self *s = self;
	const um_rng r = um_problem_rng(problem, 1, (uint64_t)s->calls++);
	return sound_noises(problem, sink, um_problem_about(problem)->samples, r);
}

static const um_inference_ops ops = { .create = sound_inference, .destroy = free, .run = run };

UM_PLUGIN = {
	UM_HEADER, UM_INFERENCE, 0, "leftover", "1.0",
	"A deliberately wrong plugin for tests.", "",
	SOUND_PARAMS, UM_OPS(ops),
};
