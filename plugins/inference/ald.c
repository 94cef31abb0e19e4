/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Annealed Langevin dynamics (Jalal et al. 2021, arXiv:2108.01368): at each of many falling noises some steps
 * of
 *   u += e (s + g) + (2 e)^1/2 z,   g = J^T (y - f(u)) / (sigma^2 + gamma^2),
 * the likelihood of the noisy image itself with the variance gamma^2 added for its noise. Or g takes the length
 * of the score, as in their program: then neither gamma nor the noise of the data counts. Steps are stable
 * where e S^2 / (sigma^2 + gamma^2) < 2 for all singular values S, so gamma is in units of the largest. */
#include <math.h>
#include <stdlib.h>
#include <umbra/sampler.h>

struct ald {
	um_sampling sampling;
	int64_t inner;
	double snr, gamma, renormalise;
	const char *schedule;
	bool denoise;
};

static const um_param params[] = {
	UM_SAMPLING_PARAMS("5000", "[1e-3, 1.0]"),
	UM_PARAM(struct ald, inner, "5", 1, 100000, "", "Steps at each noise."),
	UM_PARAM(struct ald, snr, "0.16", 0, 10, "", "Size of a step: e = 2 (snr b)^2."),
	UM_PARAM(struct ald, gamma, "1", 0, 1e12, "", "What is added to the noise of the data, in units of what the "
		"model makes of the noise of an image at most. Below snr steps overshoot."),
	UM_CHOICE(struct ald, schedule, "noise", "noise|constant", "Whether gamma falls with the noise b of the "
		"diffusion, gamma b, or stays."),
	UM_PARAM(struct ald, renormalise, "0", 0, 1e9, "", "Length of g relative to the score instead, for each "
		"sample; 0: gamma decides."),
	UM_PARAM(struct ald, denoise, "true", 0, 0, "", "Take the mean of the clean image at last, by one more "
		"evaluation."),
};

/* g at the state u. */
static um_status likelihood(um_sampler *s, double *g)
{
	const struct ald *p = s->self;
	double gamma;
	const um_status st = um_sampler_strength(s, false, &gamma);
	if (st != UM_OK)
		return st;
	gamma *= p->schedule[0] == 'n' ? p->gamma * s->b : p->gamma;
	return um_sampler_likelihood(s, p->renormalise > 0 ? 0 : gamma * gamma, s->u, NULL, g);
}

static void renormalise(um_sampler *s, double weight, double *g)
{
	for (int64_t k = 0; k < s->count; k++) {
		double score = 0, size = 0;
		for (int64_t i = k * s->n; i < (k + 1) * s->n; i++) {
			const double v = (s->a * s->mean[i] - s->u[i]) / (s->b * s->b);
			score += v * v;
			size += g[i] * g[i];
		}
		const double factor = size > 0 ? weight * sqrt(score / size) : 0;
		for (int64_t i = k * s->n; i < (k + 1) * s->n; i++)
			g[i] *= factor;
	}
}

static um_status step(um_sampler *s)
{
	const struct ald *p = s->self;
	double *g = um_sampler_room(s, 1);
	um_status st = UM_OK;
	for (int64_t i = 0; i < p->inner; i++) {
		UM_TRY(um_sampler_predict(s));
		UM_TRY(likelihood(s, g));
		if (p->renormalise > 0)
			renormalise(s, p->renormalise, g);
		um_sampler_langevin(s, p->snr, g, i);
	}
out:
	return st;
}

static um_status end(um_sampler *s)
{
	const struct ald *p = s->self;
	const um_status st = p->denoise ? um_sampler_predict(s) : UM_OK;
	for (int64_t i = 0; i < s->count * s->n; i++)
		s->u[i] = p->denoise ? s->mean[i] : s->u[i] / s->a;
	return st;
}

static um_status create(void **self, const void *p, const um_env *env, um_inference_info *info)
{
	const struct ald *set = p;
	(void)env;
	info->needs = UM_NEEDS_SCORE | UM_NEEDS_IDENTITY;
	return um_sampler_create(p, sizeof(struct ald), set->inner + set->denoise, self);
}

static um_status run(void *self, um_problem *problem, um_sink *sink)
{
	const struct ald *p = self;
	const um_sampler_ops ops = { .usual = UM_SDE_VP, .each = p->inner, .after = p->denoise, .step = step, .end = end,
		.advice = "raise gamma, or lower snr or renormalise" };
	return um_sampler_run(self, &ops, problem, sink);
}

static const um_inference_ops ops = { .create = create, .destroy = free, .run = run };

UM_PLUGIN = {
	UM_HEADER, UM_INFERENCE, 0, "ald", "1.0",
	"Annealed Langevin dynamics with an approximate likelihood.",
	"Jalal et al. 2021, arXiv:2108.01368",
	UM_PARAMS(struct ald, params), UM_OPS(ops),
};
