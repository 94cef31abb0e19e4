/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Wrong on purpose: what a run leaves in the instance moves the samples of the next one. */
#include "sound.h"

static um_status run(void *self, um_problem *problem, um_sink *sink)
{
	um_status st = UM_OK;
	struct sound_self *s = self;
	um_array u = { 0 };
	um_rng r = um_problem_rng(problem, 1, (uint64_t)s->calls++);
	UM_TRY(um_problem_images(problem, um_problem_about(problem)->samples, &u));
	for (int64_t i = 0; i < um_array_len(&u); i++)
		((float *)u.data)[i] = (float)um_normal(&r);
	st = um_sink_samples(sink, &u, NULL);
out:
	um_array_free(&u);
	return st;
}

static const um_inference_ops ops = { .create = sound_inference, .destroy = free, .run = run };

UM_PLUGIN = {
	UM_HEADER, UM_INFERENCE, 0, "leftover", "1.0",
	"A deliberately wrong plugin for tests.", "",
	SOUND_PARAMS, UM_OPS(ops),
};
