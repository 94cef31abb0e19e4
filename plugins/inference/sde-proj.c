/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Projection onto the data (Song et al. 2022, arXiv:2111.08005, algorithm 2): before each step of the prior,
 * what the data see of u moves towards them at the noise of that time,
 *   u <- u + weight J^+ (a y + b J z - J u),
 * for an operator that selects rows of an invertible transform the paper's mix of measured rows. The noise of
 * the data does not count, but for the weight. */
#include <stdlib.h>
#include <umbra/sampler.h>

struct sde_proj {
	um_sampling sampling;
	double weight, last, snr;
	int64_t corrections;
};

static const um_param params[] = {
	UM_SAMPLING_PARAMS("1000", "[1e-3, 1.0]"),
	UM_VARIANCE_PARAMS,
	UM_MATCH_PARAMS,
	UM_PARAM(struct sde_proj, weight, "1", 0, 1, "", "How far: 0 not at all, 1 all the way."),
	UM_PARAM(struct sde_proj, last, "-1", -1, 1, "", "Weight of one more projection of the final image, onto the "
		"data without noise. -1: as weight."),
	UM_PARAM(struct sde_proj, corrections, "0", 0, 1000, "", "Steps of Langevin's equation before each step, each "
		"an evaluation of the score."),
	UM_PARAM(struct sde_proj, snr, "0.16", 0, 10, "", "Size of these."),
};

static um_status project(um_sampler *s, double weight, double a, double b, int64_t stream)
{
	double *z = um_sampler_room(s, 0), *move = um_sampler_room(s, 1);
	um_sampler_noise(s, stream, z);
	for (int64_t i = 0; i < s->count * s->n; i++)
		z[i] = s->u[i] - b * z[i];
	const um_status st = um_sampler_match(s, 0, 1, a, z, move);
	if (st == UM_OK)
		um_sampler_add(s, weight, move);
	return st;
}

static um_status step(um_sampler *s)
{
	const struct sde_proj *p = s->self;
	um_status st = UM_OK;
	for (int64_t i = 0; i < p->corrections; i++) {
		UM_TRY(project(s, p->weight, s->a, s->b, 2 * i + 2));
		UM_TRY(um_sampler_predict(s));
		um_sampler_langevin(s, p->snr, NULL, 2 * i + 3);
	}
	UM_TRY(project(s, p->weight, s->a, s->b, 1));
	UM_TRY(um_sampler_predict(s));
	um_sampler_move(s, 1);
	if (s->b_next == 0)
		UM_TRY(project(s, p->last < 0 ? p->weight : p->last, 1, 0, 1));
out:
	return st;
}

static um_status create(void **self, const void *p, const um_env *env, um_inference_info *info)
{
	const struct sde_proj *set = p;
	(void)env;
	info->needs = UM_NEEDS_SCORE | UM_NEEDS_IDENTITY | UM_NEEDS_LINEAR;
	return um_sampler_create(p, sizeof(struct sde_proj), 1 + set->corrections, self);
}

static um_status run(void *self, um_problem *problem, um_sink *sink)
{
	const struct sde_proj *p = self;
	const um_sampler_ops ops = { .usual = UM_SDE_VP, .each = 1 + p->corrections, .step = step,
		.advice = "lower weight or snr" };
	return um_sampler_run(self, &ops, problem, sink);
}

static const um_inference_ops ops = { .create = create, .destroy = free, .run = run };

UM_PLUGIN = {
	UM_HEADER, UM_INFERENCE, 0, "sde-proj", "1.0",
	"Reverse diffusion with projections onto the data.",
	"Song, Shen, Xing & Ermon 2022, arXiv:2111.08005",
	UM_PARAMS(struct sde_proj, params), UM_OPS(ops),
};
