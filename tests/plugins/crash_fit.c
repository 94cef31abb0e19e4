/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Wrong on purpose: it cannot be trained, since fit writes through a null pointer. */
#include "sound.h"

struct crash_fit { const char *model; };

static const um_param params[] = {
	UM_FILE(struct crash_fit, model, "", "Weights that a train stage wrote."),
};

static um_status create(void **self, const void *p, const um_env *env, um_prior_info *info)
{
	const struct sound sound = { 1 };
	(void)p;
	return sound_prior(self, &sound, env, info);
}

static um_status fit(void *self, um_dataset *data, um_sink *sink)
{
	(void)self, (void)data, (void)sink;
	*(volatile int *)NULL = 1;
	return UM_OK;
}

static const um_prior_ops ops = { .create = create, .destroy = free, .logp = sound_logp, .fit = fit };

UM_PLUGIN = {
	UM_HEADER, UM_PRIOR, 0, "crash_fit", "1.0",
	"A deliberately wrong plugin for tests.", "",
	UM_PARAMS(struct crash_fit, params), UM_OPS(ops),
};
