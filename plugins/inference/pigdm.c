/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Pseudoinverse-guided diffusion (Song et al. 2023, ICLR, openreview 9_gsMA8MRKQ): u_0 given u is taken as
 * N(mean, r^2 I) with r^2 = b^2 v / (a^2 v + b^2), which is right for a prior N(., v I), so that the likelihood
 * has the gradient
 *   (d mean / d u)^T J^T (Sigma + r^2 J J^T)^-1 (y - f(mean)).
 * It joins steps of DDIM (algorithm 1) with the weight a r^2 of the paper; or the score, with which such a
 * prior gives the exact posterior. Where f is not linear it is linearised at the mean. */
#include <stdlib.h>
#include <umbra/sampler.h>

struct pigdm {
	um_sampling sampling;
	const char *guidance;
	double eta, prior_variance, weight;
};

static const um_param params[] = {
	UM_SAMPLING_PARAMS("100", "[1e-3, 1.0]"),
	UM_MATCH_PARAMS,
	UM_CHOICE(struct pigdm, guidance, "paper", "paper|score", "Weight of the gradient in a step: a r^2 as in the "
		"paper, which restores in few steps but narrows the posterior in many; or that of the score."),
	UM_PARAM(struct pigdm, weight, "1", 0, 1e9, "", "Factor on that."),
	UM_PARAM(struct pigdm, eta, "1", 0, 1, "", "Fresh noise in a step: 1 as in DDPM, 0 none."),
	UM_PARAM(struct pigdm, prior_variance, "1", 1e-24, 1e24, "", "Variance v of the prior, in units of the squared "
		"range; 1 in the paper. About 1/16 for a model that learned, whose range is four standard deviations of its images."),
};

static double width2(const um_sampler *s)
{
	const double v = ((const struct pigdm *)s->self)->prior_variance;
	return s->b * s->b * v / (s->a * s->a * v + s->b * s->b);
}

static um_status slope(um_sampler *s, double *v)
{
	return um_sampler_match(s, 1, width2(s), 1, s->mean, v);
}

static um_status step(um_sampler *s)
{
	const struct pigdm *p = s->self;
	const double weight = p->guidance[0] == 'p' ? s->a * width2(s) : um_sampler_gain(s, p->eta);
	const um_status st = um_sampler_guide(s, slope);
	if (st != UM_OK)
		return st;
	um_sampler_move(s, p->eta);
	um_sampler_add(s, p->weight * weight, s->guide);
	return UM_OK;
}

static um_status create(void **self, const void *p, const um_env *env, um_inference_info *info)
{
	(void)env;
	info->needs = UM_NEEDS_SCORE | UM_NEEDS_IDENTITY;
	return um_sampler_create(p, sizeof(struct pigdm), 1, self);
}

static um_status run(void *self, um_problem *problem, um_sink *sink)
{
	const um_sampler_ops ops = { .usual = UM_SDE_VP, .step = step,
		.advice = "give clip (the least and the largest x), which a learned score needs, or lower weight" };
	return um_sampler_run(self, &ops, problem, sink);
}

static const um_inference_ops ops = { .create = create, .destroy = free, .run = run };

UM_PLUGIN = {
	UM_HEADER, UM_INFERENCE, 0, "pigdm", "1.0",
	"Pseudoinverse-guided diffusion: matches the predicted image to the data at every step.",
	"Song, Vahdat, Mardani & Kautz 2023, ICLR",
	UM_PARAMS(struct pigdm, params), UM_OPS(ops),
};
