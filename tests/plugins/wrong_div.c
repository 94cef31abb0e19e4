/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Wrong on purpose: the exact trace is 2 % too large. */
#include "sound.h"

static um_status score(void *self, const um_score_job *job)
{
	um_status st = sound_score(self, job);
	for (int64_t b = 0; job->div != NULL && job->probes == 0 && b < job->x->dim[0]; b++)
		job->div[b] *= 1.02;
	return st;
}

static const um_prior_ops ops = {
	.create = sound_prior, .destroy = free, .logp = sound_logp, .score = score, .sample = sound_sample,
};

UM_PLUGIN = {
	UM_HEADER, UM_PRIOR, 0, "wrong_div", "1.0",
	"A deliberately wrong plugin for tests.", "",
	SOUND_PARAMS, UM_OPS(ops),
};
