/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Diffusion posterior sampling (Chung et al. 2023, arXiv:2209.14687, algorithm 1): after a step of the prior
 *   u -= weight d/du |y - f(mean(u))|,
 * with the norm of the residual as in the authors' program, or its square; or the gradient of the log
 * likelihood joins the score, as the paper derives it. What is left out is that u_0 varies about its mean.
 * Norms are of each sample. */
#include <stdlib.h>
#include <umbra/sampler.h>

struct dps {
	um_sampling sampling;
	const char *version, *on;
	double weight;
};

static const um_param params[] = {
	UM_SAMPLING_PARAMS("1000", "[1e-3, 1.0]"),
	UM_VARIANCE_PARAMS,
	UM_CHOICE(struct dps, version, "ddpm", "ddpm|flow", "Steps with noise, or the deterministic ones of a flow."),
	UM_CHOICE(struct dps, on, "norm", "norm|square|likelihood", "What a step descends: the norm of the residual "
		"(weighted by the inverse noise), its square, or -log p(y | x) with the factor of the score."),
	UM_PARAM(struct dps, weight, "0.3", 0, 1e12, "", "Weight of the data. Size of a step, where the data are "
		"measured so that the largest singular value of the model is 1 (norm: 0.3 to 1 in the paper); of the "
		"likelihood, where 1 follows from it."),
};

static double eta(const struct dps *p)
{
	return p->version[0] == 'f' ? 0 : 1;
}

/* Minus the descent, by the mean. */
static um_status slope(um_sampler *s, double *v)
{
	const struct dps *p = s->self;
	const double gain = um_sampler_gain(s, eta(p)) / (s->noise * s->noise);
	double unit;
	um_status st = UM_OK;
	UM_TRY(um_sampler_strength(s, true, &unit));
	UM_TRY(um_sampler_misfit(s, s->mean, s->number, v));
	for (int64_t k = 0; k < s->count; k++) {
		const double norm = s->number[k];
		const double size = p->on[0] == 'n' ? 1 / unit : p->on[0] == 's' ? 2 * norm / (unit * unit) : gain * norm;
		for (int64_t i = k * s->n; i < (k + 1) * s->n; i++)
			v[i] *= -p->weight * size;
	}
out:
	return st;
}

static um_status step(um_sampler *s)
{
	const um_status st = um_sampler_guide(s, slope);
	if (st != UM_OK)
		return st;
	um_sampler_move(s, eta(s->self));
	um_sampler_add(s, 1, s->guide);
	return UM_OK;
}

static um_status create(void **self, const void *p, const um_env *env, um_inference_info *info)
{
	(void)env;
	info->needs = UM_NEEDS_SCORE | UM_NEEDS_IDENTITY;
	return um_sampler_create(p, sizeof(struct dps), 1, self);
}

static um_status run(void *self, um_problem *problem, um_sink *sink)
{
	const um_sampler_ops ops = { .usual = eta(self) > 0 ? UM_SDE_VP : UM_SDE_FLOW, .step = step,
		.advice = "lower weight, or give clip, which a learned score may need" };
	return um_sampler_run(self, &ops, problem, sink);
}

static const um_inference_ops ops = { .create = create, .destroy = free, .run = run };

UM_PLUGIN = {
	UM_HEADER, UM_INFERENCE, 0, "dps", "1.0",
	"Diffusion posterior sampling: steps down the misfit of the predicted image.",
	"Chung et al. 2023, arXiv:2209.14687",
	UM_PARAMS(struct dps, params), UM_OPS(ops),
};
