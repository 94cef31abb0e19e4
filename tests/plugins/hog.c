/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Wrong on purpose: it takes a gigabyte that it does not need. */
#include "sound.h"

static um_status run(void *self, um_problem *problem, um_sink *sink)
{
	um_status st = UM_OK;
	um_array part[64] = { { 0 } };
	(void)self;
	for (int i = 0; i < 64; i++)
		UM_TRY(um_array_new(&part[i], UM_F64, 1, (const int64_t[]){ 1 << 21 }));
	st = sound_deliver(problem, sink, um_problem_about(problem)->samples);
out:
	for (int i = 0; i < 64; i++)
		um_array_free(&part[i]);
	return st;
}

static const um_inference_ops ops = { .create = sound_inference, .destroy = free, .run = run };

UM_PLUGIN = {
	UM_HEADER, UM_INFERENCE, 0, "hog", "1.0",
	"A deliberately wrong plugin for tests.", "",
	SOUND_PARAMS, UM_OPS(ops),
};
