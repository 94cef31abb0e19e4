/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Draws, scores and closed forms, which one prior has and a product of priors has not. */
#include "host/problem.h"

static um_status only_prior(um_problem *p, bool has, const char *what)
{
	if (p->npriors != 1)
		return um_fail(UM_EPARAM, "a product of priors has no %s", what);
	if (!has)
		return um_fail(UM_EPARAM, "priors/%s has no %s", p->priors[0].plugin->name, what);
	return UM_OK;
}

um_status um_prior_draw(um_prior *p, um_rng *rng, um_array *x)
{
	um_phase(p->plugin, "sample");
	um_status st = um_in_phase(p->plugin, "sample", p->ops.sample(p->self, rng, x));
	if (st == UM_OK)
		st = problem_check_f(p->plugin, "sample", x);
	um_phase(NULL, NULL);
	return st;
}

um_status um_problem_draw(um_problem *p, um_rng *rng, um_array *x)
{
	um_status st = UM_OK;
	um_prior *prior = &p->priors[0];
	UM_TRY(only_prior(p, prior->ops.sample != NULL, "draws"));
	UM_TRY(um_prior_draw(prior, rng, x));
out:
	return st;
}

um_status um_problem_score(um_problem *p, const um_score_job *job)
{
	um_status st = UM_OK;
	um_prior *prior = &p->priors[0];
	UM_TRY(only_prior(p, prior->ops.score != NULL, "score"));
	um_phase(prior->plugin, "score");
	UM_TRY(um_in_phase(prior->plugin, "score", um_prior_score(prior, job)));
	const um_array *images[] = { job->s, job->jtv, job->je, job->ddiv };
	for (int i = 0; i < 4; i++)
		if (images[i] != NULL)
			UM_TRY(problem_check_f(prior->plugin, "score", images[i]));
	if (job->div != NULL)
		UM_TRY(problem_check_d(prior->plugin, "score", job->div, job->x->dim[0], 1));
	p->calls += job->x->dim[0];
out:
	um_phase(NULL, NULL);
	return st;
}

um_status um_problem_component(um_problem *p, int64_t k, double *log_weight, double *mean)
{
	um_status st = UM_OK;
	um_prior *prior = &p->priors[0];
	UM_TRY(only_prior(p, prior->info.components > 0, "closed form"));
	um_phase(prior->plugin, "component");
	UM_TRY(um_in_phase(prior->plugin, "component", prior->ops.component(prior->self, k, log_weight, mean)));
	if (mean != NULL)
		UM_TRY(problem_check_d(prior->plugin, "component", mean, 1, p->info.n));
out:
	um_phase(NULL, NULL);
	return st;
}

um_status um_problem_covariance(um_problem *p, int64_t k, bool root, const um_array *v, um_array *out)
{
	um_status st = UM_OK;
	um_prior *prior = &p->priors[0];
	UM_TRY(only_prior(p, prior->info.components > 0, "closed form"));
	um_phase(prior->plugin, "covariance");
	UM_TRY(um_in_phase(prior->plugin, "covariance", prior->ops.covariance(prior->self, k, root, v, out)));
	UM_TRY(problem_check_d(prior->plugin, "covariance", out->data, v->dim[0], p->info.n));
out:
	um_phase(NULL, NULL);
	return st;
}
