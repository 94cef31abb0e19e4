/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Posterior sampling with a likelihood in closed form (Meng & Kabashima 2022, arXiv:2211.12343): as if the
 * prior were flat about u = a u_0 + b z, so that y ~ N(J u / a, Sigma + b^2 / a^2 J J^T) (eq. 17). Its gradient
 *   g = J^T (a^2 Sigma + b^2 J J^T)^-1 (a y - J u)
 * joins the score, so that u += weight g du_next/ds after a step of the prior. No derivative of the score is
 * needed. Where f is not linear it is linearised at the mean of u_0. A step multiplies what the data see of an
 * error by 1 - c S^2 / (a^2 sigma^2 + b^2 S^2), c = weight du_next/ds, S a singular value: c <= b^2 keeps that
 * from overshooting. */
#include <math.h>
#include <stdlib.h>
#include <umbra/sampler.h>

struct dmps {
	um_sampling sampling;
	const char *version, *at;
	double weight, limit;
};

static const um_param params[] = {
	UM_SAMPLING_PARAMS("1000", "[1e-3, 1.0]"),
	UM_VARIANCE_PARAMS,
	UM_MATCH_PARAMS,
	UM_CHOICE(struct dmps, version, "ddpm", "ddpm|flow", "Steps with noise, or the deterministic ones of a flow, "
		"which restore an image but narrow the posterior."),
	UM_CHOICE(struct dmps, at, "old", "old|new", "Where the gradient is taken: at the state before the step of the "
		"prior, as in the paper, or after it, as in the authors' program."),
	UM_PARAM(struct dmps, weight, "1.75", 0, 1e9, "", "Weight of the data. 1 follows from the likelihood; the "
		"paper restores images with 1.75, with flow 2."),
	UM_PARAM(struct dmps, limit, "1", 0, 2, "", "Largest part of an error that the data see which a step takes "
		"away; 0: any."),
};

static bool flow(const struct dmps *p)
{
	return p->version[0] == 'f';
}

static um_status step(um_sampler *s)
{
	const struct dmps *p = s->self;
	const double eta = flow(p) ? 0 : 1, a2 = s->a * s->a, b2 = s->b * s->b, c = p->weight * um_sampler_gain(s, eta);
	const bool old = p->at[0] == 'o';
	double *g = um_sampler_room(s, 1);
	um_status st = UM_OK;
	UM_TRY(um_sampler_predict(s));
	if (old)
		UM_TRY(um_sampler_match(s, a2, b2, s->a, s->u, g));
	um_sampler_move(s, eta);
	if (!old)
		UM_TRY(um_sampler_match(s, a2, b2, s->a, s->u, g));
	um_sampler_add(s, p->limit > 0 ? fmin(c, p->limit * b2) : c, g);
out:
	return st;
}

static um_status create(void **self, const void *p, const um_env *env, um_inference_info *info)
{
	(void)env;
	info->needs = UM_NEEDS_SCORE | UM_NEEDS_IDENTITY;
	return um_sampler_create(p, sizeof(struct dmps), 1, self);
}

static um_status run(void *self, um_problem *problem, um_sink *sink)
{
	const um_sampler_ops ops = { .usual = flow(self) ? UM_SDE_FLOW : UM_SDE_VP, .step = step,
		.advice = "lower weight, or give a limit" };
	return um_sampler_run(self, &ops, problem, sink);
}

static const um_inference_ops ops = { .create = create, .destroy = free, .run = run };

UM_PLUGIN = {
	UM_HEADER, UM_INFERENCE, 0, "dmps", "1.0",
	"Diffusion posterior sampling by a likelihood in closed form, without derivatives of the score.",
	"Meng & Kabashima 2022, arXiv:2211.12343",
	UM_PARAMS(struct dmps, params), UM_OPS(ops),
};
