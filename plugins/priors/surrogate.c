/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The evidence lower bound of a diffusion as a prior (Feng & Bouman 2023, arXiv:2309.01949): a few calls
 * of the score where the exact density takes hundreds. The work is done by umbra/probflow.h and umbra/diffusion.h. */
#include <stdlib.h>
#include <string.h>
#include <umbra/diffusion.h>
#include <umbra/plugin.h>

struct surrogate {
	um_diffusion diffusion;
	double variance;
	int64_t draws, noises, sample_steps;
	bool stratified, offset;
};

static const um_param params[] = {
	UM_DIFFUSION_PARAMS,
	UM_PARAM(struct surrogate, draws, "1", 1, 1e6, "", "Times that are drawn for an image."),
	UM_PARAM(struct surrogate, noises, "1", 1, 1e6, "", "Noises for each time; every second one is the "
		"opposite of the one before, which takes most of the noise out of the gradient."),
	UM_PARAM(struct surrogate, stratified, "true", 0, 0, "", "Times from equal shares of the law that they are drawn "
		"from."),
	UM_PARAM(struct surrogate, variance, "0.0", 0, 1e12, "", "Variance of a pixel of the images, about: takes known "
		"noise out of the value; 0: nothing is taken out."),
	UM_PARAM(struct surrogate, offset, "true", 0, 0, "", "Count what happens before the first time, by one more call "
		"of the score."),
	UM_PARAM(struct surrogate, sample_steps, "200", 1, 1e6, "", "Steps of a sample, by the reverse stochastic equation."),
};

struct self {
	um_diffused of;
	um_elbo elbo;
	int64_t sample_steps;
};

static um_status create(void **self, const void *params_, const um_env *env, um_prior_info *info)
{
	const struct surrogate *p = params_;
	um_status st = UM_OK;
	struct self *s = calloc(1, sizeof(*s));
	if (s == NULL)
		return um_fail(UM_ENOMEM, "no memory for surrogate");
	UM_TRY(um_diffused_new(&p->diffusion, env, &s->of, info));
	const um_probflow *f = &s->of.fast;
	s->elbo = (um_elbo){ .times = p->draws, .noises = p->noises, .stratified = p->stratified,
		.offset = p->offset, .variance = p->variance };
	if (f->unit > 0)
		s->elbo.variance /= f->unit * f->unit;
	s->sample_steps = p->sample_steps;
	info->estimate = true;
	UM_TRY(um_probflow_check(f));
	if (!(um_sde_sigma(&f->sde, f->from) > 0))
		UM_TRY(um_fail(UM_EPARAM, "times: the bound is infinite at time %g: begin later", f->from));
	*self = s;
out:
	if (st != UM_OK)
		um_diffused_destroy(s);
	return st;
}

static um_status logp(void *self, um_rng *rng, const um_array *x, double *lp, um_array *dx)
{
	const struct self *s = self;
	return um_elbo_bound(&s->of.fast, &s->elbo, rng, x, lp, dx);
}

static um_status sample(void *self, um_rng *rng, um_array *x)
{
	const struct self *s = self;
	return um_probflow_sample(&s->of.fast, UM_SAMPLE_SDE, s->sample_steps, 0, rng, x, NULL);
}

static const um_prior_ops ops = { .create = create, .destroy = um_diffused_destroy, .logp = logp, .score = um_diffused_score,
	.sample = sample, .fit = um_diffused_fit };

UM_PLUGIN = {
	UM_HEADER, UM_PRIOR, 0, "surrogate", "1.1",
	"The evidence lower bound of a diffusion model: a cheap stand-in for its density.",
	"Feng & Bouman 2023, arXiv:2309.01949; Song et al. 2021, arXiv:2101.09258",
	UM_PARAMS(struct surrogate, params), UM_OPS(ops),
};
