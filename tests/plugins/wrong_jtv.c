/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Wrong on purpose: J^T v has the wrong sign. */
#include "sound.h"

static um_status score(void *self, const um_score_job *job)
{
	um_status st = sound_score(self, job);
	if (job->jtv != NULL)
		sound_times(-1, job->jtv, job->jtv);
	return st;
}

static const um_prior_ops ops = {
	.create = sound_prior, .destroy = free, .logp = sound_logp, .score = score, .sample = sound_sample,
};

UM_PLUGIN = {
	UM_HEADER, UM_PRIOR, 0, "wrong_jtv", "1.0",
	"A deliberately wrong plugin for tests.", "",
	SOUND_PARAMS, UM_OPS(ops),
};
