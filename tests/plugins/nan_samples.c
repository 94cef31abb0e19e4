/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Wrong on purpose: a pixel of the samples that it delivers is NaN. */
#include "sound.h"

static um_status run(void *self, um_problem *problem, um_sink *sink)
{
	um_status st = UM_OK;
	um_array u = { 0 };
	(void)self;
	UM_TRY(um_problem_images(problem, um_problem_about(problem)->samples, &u));
	um_row_f(&u, 0)[2] = NAN;
	st = um_sink_samples(sink, &u, NULL);
out:
	um_array_free(&u);
	return st;
}

static const um_inference_ops ops = { .create = sound_inference, .destroy = free, .run = run };

UM_PLUGIN = {
	UM_HEADER, UM_INFERENCE, 0, "nan_samples", "1.0",
	"A deliberately wrong plugin for tests.", "",
	SOUND_PARAMS, UM_OPS(ops),
};
