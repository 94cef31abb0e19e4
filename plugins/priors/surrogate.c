/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The evidence lower bound of a diffusion as a prior (Feng & Bouman 2023, arXiv:2309.01949): a few calls
 * of the score where the exact density takes hundreds. The work is done by umbra/probflow.h. */
#include <stdlib.h>
#include <string.h>
#include <umbra/plugin.h>
#include <umbra/probflow.h>

struct surrogate {
	const char *score, *sde;
	double beta_min, beta_max, sigma_min, sigma_max, variance;
	um_pair times;
	int64_t draws, noises;
	bool stratified, offset;
};

static const um_param params[] = {
	UM_PRIOR_KEY(struct surrogate, score, NULL, "The prior whose score it is: its key in the group priors."),
	UM_CHOICE(struct surrogate, sde, "vp", "vp|subvp|ve|flow", "The diffusion: variance preserving, its lesser "
		"relative, variance exploding, or the straight path of rectified flows."),
	UM_PARAM(struct surrogate, beta_min, "0.1", 1e-6, 1e3, "", "Rate of noise at the beginning (vp, subvp)."),
	UM_PARAM(struct surrogate, beta_max, "20", 1e-6, 1e4, "", "Rate of noise at the end (vp, subvp)."),
	UM_PARAM(struct surrogate, sigma_min, "0.01", 1e-12, 1e6, "", "Noise at the beginning (ve)."),
	UM_PARAM(struct surrogate, sigma_max, "50", 1e-12, 1e9, "", "Noise at the end (ve)."),
	UM_PARAM(struct surrogate, times, "[1e-3, 1.0]", 0, 1, "", "From which time to which; the first is above 0, and "
		"flow needs an end below 1."),
	UM_PARAM(struct surrogate, draws, "1", 1, 1e6, "", "Times that are drawn for an image."),
	UM_PARAM(struct surrogate, noises, "1", 1, 1e6, "", "Noises for each time."),
	UM_PARAM(struct surrogate, stratified, "true", 0, 0, "", "Times from equal shares of the law that they are drawn "
		"from."),
	UM_PARAM(struct surrogate, variance, "0.0", 0, 1e12, "", "Variance of a pixel of the images, about: takes known "
		"noise out of the value; 0: nothing is taken out."),
	UM_PARAM(struct surrogate, offset, "true", 0, 0, "", "Count what happens before the first time, by one more call "
		"of the score."),
};

struct self {
	um_probflow flow;
	um_elbo elbo;
};

static um_status create(void **self, const void *params_, const um_env *env, um_prior_info *info)
{
	const struct surrogate *p = params_;
	struct self *s = calloc(1, sizeof(*s));
	if (s == NULL)
		return um_fail(UM_ENOMEM, "no memory for surrogate");
	um_probflow *f = &s->flow;
	*f = (um_probflow){ .score = env->source->score, .self = env->source->self, .n = 1,
		.sde = { um_sde_named(p->sde), p->beta_min, p->beta_max, p->sigma_min, p->sigma_max },
		.from = p->times.lo, .to = p->times.hi, .method = UM_ODE_DOPRI5, .rtol = 1e-3, .atol = 1e-5 };
	for (int i = 0; i < 5; i++) {
		f->shape[i] = env->shape[i];
		f->n *= env->shape[i];
	}
	s->elbo = (um_elbo){ .times = p->draws, .noises = p->noises, .stratified = p->stratified,
		.offset = p->offset, .variance = p->variance };
	info->estimate = true;
	um_status st = um_probflow_check(f);
	if (st == UM_OK && !(um_sde_sigma(&f->sde, f->from) > 0))
		st = um_fail(UM_EPARAM, "times: the bound is infinite at time %g: begin later", f->from);
	if (st != UM_OK)
		free(s);
	else
		*self = s;
	return st;
}

static um_status logp(void *self, um_rng *rng, const um_array *x, double *lp, um_array *dx)
{
	const struct self *s = self;
	return um_elbo_bound(&s->flow, &s->elbo, rng, x, lp, dx);
}

static um_status score(void *self, const um_score_job *job)
{
	const struct self *s = self;
	return s->flow.score(s->flow.self, job);
}

static const um_prior_ops ops = { .create = create, .destroy = free, .logp = logp, .score = score };

UM_PLUGIN = {
	UM_HEADER, UM_PRIOR, 0, "surrogate", "1.0",
	"The evidence lower bound of a diffusion model: a cheap stand-in for its density.",
	"Feng & Bouman 2023, arXiv:2309.01949; Song et al. 2021, arXiv:2101.09258",
	UM_PARAMS(struct surrogate, params), UM_OPS(ops),
};
