/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Inversion by flows (Pokle et al. 2023, arXiv:2310.04432, algorithm 1): pseudoinverse guidance with r^2 = b^2 v
 * / (a^2 v + b^2) on the deterministic way from noise to an image, which begins late, from a pseudo-inverse of
 * the data with noise. The paper has v = 1. Its pseudo-inverse would make noise large in directions that the data
 * hardly see; here it is the mean given the data for a white prior of variance v. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <umbra/sampler.h>

struct ot_ode {
	um_sampling sampling;
	const char *start, *gamma;
	double weight, prior_variance;
};

static const um_param params[] = {
	UM_SAMPLING_PARAMS("80", "[1e-3, 0.8]"),
	UM_MATCH_PARAMS,
	UM_CHOICE(struct ot_ode, start, "inverse", "inverse|adjoint|noise", "The image that the first state shows: the "
		"pseudo-inverse of the data as far as their noise lets, v J^T (Sigma + v J J^T)^-1 y, their back-projection, or none."),
	UM_CHOICE(struct ot_ode, gamma, "constant", "constant|falling", "Weight of the guidance over time: 1, or "
		"(a / (a^2 + b^2))^1/2."),
	UM_PARAM(struct ot_ode, weight, "1", 0, 1e9, "", "Factor on that."),
	UM_PARAM(struct ot_ode, prior_variance, "1", 1e-24, 1e24, "", "Variance v of the prior, in units of the squared "
		"range; 1 in the paper. About 1/16 for a model that learned, whose range is four standard deviations of its images."),
};

static um_status begin(um_sampler *s)
{
	const struct ot_ode *p = s->self;
	double *image = um_sampler_room(s, 1), *zero = um_sampler_room(s, 2), factor = s->a;
	um_status st = UM_OK;
	memset(zero, 0, sizeof(double) * (size_t)(s->count * s->n));
	if (p->start[0] == 'i')
		st = um_sampler_match(s, 1, p->prior_variance, 1, zero, image);
	else if (p->start[0] == 'a')
		st = um_sampler_likelihood(s, 0, zero, NULL, image);
	factor *= p->start[0] == 'a' ? s->noise * s->noise : p->prior_variance;
	if (st == UM_OK && p->start[0] != 'n')
		um_sampler_add(s, factor, image);
	return st;
}

static um_status slope(um_sampler *s, double *v)
{
	const double p = ((const struct ot_ode *)s->self)->prior_variance;
	return um_sampler_match(s, 1, s->b * s->b * p / (s->a * s->a * p + s->b * s->b), 1, s->mean, v);
}

static um_status step(um_sampler *s)
{
	const struct ot_ode *p = s->self;
	const double gamma = p->gamma[0] == 'c' ? 1 : sqrt(s->a / (s->a * s->a + s->b * s->b));
	const um_status st = um_sampler_guide(s, slope);
	if (st != UM_OK)
		return st;
	um_sampler_move(s, 0);
	um_sampler_add(s, p->weight * gamma * um_sampler_gain(s, 0), s->guide);
	return UM_OK;
}

static um_status create(void **self, const void *p, const um_env *env, um_inference_info *info)
{
	(void)env;
	info->needs = UM_NEEDS_SCORE | UM_NEEDS_IDENTITY | UM_NEEDS_LINEAR;
	return um_sampler_create(p, sizeof(struct ot_ode), 1, self);
}

static um_status run(void *self, um_problem *problem, um_sink *sink)
{
	const um_sampler_ops ops = { .usual = UM_SDE_FLOW, .begin = begin, .step = step,
		.advice = "lower weight, or give clip, which a learned score may need" };
	return um_sampler_run(self, &ops, problem, sink);
}

static const um_inference_ops ops = { .create = create, .destroy = free, .run = run };

UM_PLUGIN = {
	UM_HEADER, UM_INFERENCE, 0, "ot-ode", "1.0",
	"Inversion by a flow: pseudoinverse guidance on its deterministic path.",
	"Pokle, Muckley, Chen & Karrer 2023, arXiv:2310.04432",
	UM_PARAMS(struct ot_ode, params), UM_OPS(ops),
};
