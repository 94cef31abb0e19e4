/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Manifold-constrained gradients (Chung et al. 2022, arXiv:2206.00941, eq. 14 and 15): a step of the prior,
 * then one down the norm of the residual in what the data do not see, and what they do see is taken from them
 * at the noise of that time,
 *   u <- u - weight (1 - J^+ J) d/du |y - f(mean)|,  u <- (1 - J^+ J) u + J^+ (a y + b J z).
 * So the noise of the data is taken as zero. */
#include <stdlib.h>
#include <umbra/sampler.h>

struct mcg {
	um_sampling sampling;
	double weight;
};

static const um_param params[] = {
	UM_SAMPLING_PARAMS("1000", "[1e-3, 1.0]"),
	UM_VARIANCE_PARAMS,
	UM_MATCH_PARAMS,
	UM_PARAM(struct mcg, weight, "0.3", 0, 1e12, "", "Size of a step down the norm of the residual, where the data "
		"are measured so that the largest singular value of the model is 1; 0: only the data are put in."),
};

static um_status slope(um_sampler *s, double *v)
{
	return um_sampler_misfit(s, s->mean, NULL, v);
}

static um_status step(um_sampler *s)
{
	const struct mcg *p = s->self;
	double *seen = um_sampler_room(s, 1), *z = um_sampler_room(s, 0);
	double unit;
	um_status st = UM_OK;
	UM_TRY(um_sampler_strength(s, true, &unit));
	UM_TRY(um_sampler_guide(s, slope));
	um_sampler_move(s, 1);
	UM_TRY(um_sampler_match(s, 0, 1, 0, s->guide, seen)); /* -J^+ J of it */
	um_sampler_add(s, -p->weight / unit, s->guide);
	um_sampler_add(s, -p->weight / unit, seen);
	um_sampler_noise(s, 1, z);
	for (int64_t i = 0; i < s->count * s->n; i++)
		z[i] = s->u[i] - s->b_next * z[i];
	UM_TRY(um_sampler_match(s, 0, 1, s->a_next, z, seen));
	um_sampler_add(s, 1, seen);
out:
	return st;
}

static um_status create(void **self, const void *p, const um_env *env, um_inference_info *info)
{
	(void)env;
	info->needs = UM_NEEDS_SCORE | UM_NEEDS_IDENTITY | UM_NEEDS_LINEAR;
	return um_sampler_create(p, sizeof(struct mcg), 1, self);
}

static um_status run(void *self, um_problem *problem, um_sink *sink)
{
	const um_sampler_ops ops = { .usual = UM_SDE_VP, .step = step,
		.advice = "lower weight, give clip, which a learned score may need, or take another sampler where data show a "
		"part of the image so faintly that their noise hides it, as behind a blur" };
	return um_sampler_run(self, &ops, problem, sink);
}

static const um_inference_ops ops = { .create = create, .destroy = free, .run = run };

UM_PLUGIN = {
	UM_HEADER, UM_INFERENCE, 0, "mcg", "1.0",
	"Manifold-constrained gradients: the data replace what they see at every step.",
	"Chung, Sim, Ryu & Ye 2022, arXiv:2206.00941",
	UM_PARAMS(struct mcg, params), UM_OPS(ops),
};
