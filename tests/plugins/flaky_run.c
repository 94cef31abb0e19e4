/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Wrong on purpose: the second run of a process differs from the first. */
#include <time.h>
#include "sound.h"

static um_status run(void *self, um_problem *problem, um_sink *sink)
{
	struct timespec now = { 0, 0 };
	(void)self;
	clock_gettime(CLOCK_MONOTONIC, &now);
	const um_rng r = um_rng_new((uint64_t)now.tv_nsec + (uint64_t)now.tv_sec * 1000000000u, "flaky", 0);
	return sound_noises(problem, sink, um_problem_about(problem)->samples, r);
}

static const um_inference_ops ops = { .create = sound_inference, .destroy = free, .run = run };

UM_PLUGIN = {
	UM_HEADER, UM_INFERENCE, 0, "flaky_run", "1.0",
	"A deliberately wrong plugin for tests.", "",
	SOUND_PARAMS, UM_OPS(ops),
};
