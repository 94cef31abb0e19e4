/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A diffusion as an exact prior: log p through the probability-flow equation (Song et al. 2021, sec. 4.3;
 * as a prior Feng et al. 2023, arXiv:2304.11751). The work is done by umbra/probflow.h and umbra/diffusion.h. */
#include <stdlib.h>
#include <string.h>
#include <umbra/diffusion.h>
#include <umbra/plugin.h>

struct score {
	um_diffusion diffusion;
	const char *solver, *probe_law, *gradient, *sampler;
	double rtol, atol, snr;
	int64_t steps, probes, sample_steps;
};

static const um_param params[] = {
	UM_DIFFUSION_PARAMS,
	UM_CHOICE(struct score, solver, "dopri5", UM_ODE_METHODS, "Method of the differential equation."),
	UM_PARAM(struct score, rtol, "1e-3", 0, 1, "", "Relative error of a step."),
	UM_PARAM(struct score, atol, "1e-5", 0, 1, "", "Absolute error of a step, in units of the range."),
	UM_PARAM(struct score, steps, "0", 0, 1e6, "", "So many equal steps instead of a tolerance; euler needs them."),
	UM_PARAM(struct score, probes, "16", 0, 1e6, "", "Probes of the trace of the Jacobian (Hutchinson 1989, "
		"doi:10.1080/03610919008812866); 0: the exact trace."),
	UM_CHOICE(struct score, probe_law, "rademacher", "rademacher|gaussian", "Law of the probes."),
	UM_CHOICE(struct score, gradient, "adjoint", "adjoint|steps", "Gradient by the adjoint equation, or of the "
		"solver's own steps."),
	UM_CHOICE(struct score, sampler, "sde", "sde|pc|ode", "Samples by the reverse stochastic equation, with "
		"corrections, or by the probability-flow equation."),
	UM_PARAM(struct score, sample_steps, "1000", 1, 1e6, "", "Steps of a sample (sde, pc)."),
	UM_PARAM(struct score, snr, "0.16", 0, 10, "", "Size of corrections (pc)."),
};

struct self {
	um_diffused of;
	um_diffusion_sampler sampler;
	int64_t sample_steps;
	double snr;
};

static void choose(const struct score *p, um_probflow *f)
{
	f->method = um_ode_named(p->solver);
	f->rtol = p->rtol;
	f->atol = p->atol;
	f->steps = p->steps;
	f->probes = p->probes;
	f->gaussian = strcmp(p->probe_law, "gaussian") == 0;
	f->gradient = strcmp(p->gradient, "steps") == 0 ? UM_GRADIENT_STEPS : UM_GRADIENT_ADJOINT;
}

static um_status create(void **self, const void *params_, const um_env *env, um_prior_info *info)
{
	const struct score *p = params_;
	um_status st = UM_OK;
	struct self *s = calloc(1, sizeof(*s));
	if (s == NULL)
		return um_fail(UM_ENOMEM, "no memory for score");
	UM_TRY(um_diffused_new(&p->diffusion, env, &s->of, info));
	choose(p, &s->of.flow);
	choose(p, &s->of.fast);
	UM_TRY(um_probflow_check(&s->of.flow));
	s->sampler = strcmp(p->sampler, "ode") == 0 ? UM_SAMPLE_ODE : strcmp(p->sampler, "pc") == 0 ? UM_SAMPLE_PC :
		UM_SAMPLE_SDE;
	s->sample_steps = p->sample_steps;
	s->snr = p->snr;
	info->estimate = p->probes > 0;
	info->normalised = !info->estimate;
	*self = s;
out:
	if (st != UM_OK)
		um_diffused_destroy(s);
	return st;
}

static um_status logp(void *self, um_rng *rng, const um_array *x, double *lp, um_array *dx)
{
	const struct self *s = self;
	return um_probflow_logp(&s->of.flow, rng, x, lp, dx, NULL);
}

static um_status sample(void *self, um_rng *rng, um_array *x)
{
	const struct self *s = self;
	return um_probflow_sample(&s->of.fast, s->sampler, s->sample_steps, s->snr, rng, x, NULL);
}

static const um_prior_ops ops = { .create = create, .destroy = um_diffused_destroy, .logp = logp, .score = um_diffused_score,
	.sample = sample, .fit = um_diffused_fit };

UM_PLUGIN = {
	UM_HEADER, UM_PRIOR, 0, "score", "1.1",
	"The exact density of a diffusion model, by its probability-flow equation.",
	"Feng et al. 2023, arXiv:2304.11751; Song et al. 2021, arXiv:2011.13456",
	UM_PARAMS(struct score, params), UM_OPS(ops),
};
