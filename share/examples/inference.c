/* SPDX-License-Identifier: GPL-3.0-or-later */
/* An inference from public headers alone: the Metropolis-adjusted Langevin algorithm (Roberts & Tweedie 1996,
 * doi:10.2307/3318418), as many chains as samples, side by side as one batch. */
#include <math.h>
#include <stdlib.h>
#include <umbra/plugin.h>

struct example {
	int64_t steps;
	double size;
};

static const um_param params[] = {
	UM_PARAM(struct example, steps, "1000", 1, 1000000000, "", "Steps of a chain, whose last state is a sample."),
	UM_PARAM(struct example, size, "0.05", 1e-12, 1e12, "", "Size e of a step: u' = u + e^2/2 grad log p + e n."),
};

/* log p(u | y) up to a constant, and its gradient. */
static um_status density(um_problem *p, um_array *u, double *lp, um_array *g, double *prior, um_array *slope)
{
	um_status st = UM_OK;
	const int64_t n = um_problem_about(p)->n;
	UM_TRY(um_problem_loglike(p, u, lp, g));
	UM_TRY(um_problem_logp(p, NULL, u, prior, slope));
	for (int64_t b = 0; b < u->dim[0]; b++) {
		lp[b] += prior[b];
		for (int64_t i = 0; i < n; i++)
			um_row_f(g, b)[i] += um_row_f(slope, b)[i];
	}
out:
	return st;
}

/* log of the density of the proposal to from here, times -2 e^2. */
static double distance(const float *to, const float *from, const float *g, double e, int64_t n)
{
	double sum = 0;
	for (int64_t i = 0; i < n; i++) {
		const double d = to[i] - from[i] - 0.5 * e * e * g[i];
		sum += d * d;
	}
	return sum;
}

static um_status run(void *self, um_problem *p, um_sink *sink)
{
	const struct example *set = self;
	const um_problem_info *about = um_problem_about(p);
	const int64_t chains = about->samples, n = about->n;
	const double e = set->size;
	um_status st = UM_OK;
	um_array u = { 0 }, v = { 0 }, g = { 0 }, h = { 0 }, slope = { 0 };
	double *lp = calloc((size_t)(3 * chains), sizeof(double)), *lq = lp + chains, *prior = lq + chains, taken = 0;
	um_rng *rng = calloc((size_t)chains, sizeof(um_rng));
	if (lp == NULL || rng == NULL)
		UM_TRY(um_fail(UM_ENOMEM, "no memory for %lld chains", (long long)chains));
	um_array *const all[] = { &u, &v, &g, &h, &slope };
	for (int k = 0; k < 5; k++)
		UM_TRY(um_problem_images(p, chains, all[k]));
	for (int64_t b = 0; b < chains; b++)
		rng[b] = um_problem_rng(p, 1, (uint64_t)b);
	UM_TRY(density(p, &u, lp, &g, prior, &slope));
	for (int64_t k = 0; k < set->steps; k++) {
		for (int64_t b = 0; b < chains; b++)
			for (int64_t i = 0; i < n; i++)
				um_row_f(&v, b)[i] = (float)(um_row_f(&u, b)[i] + 0.5 * e * e * um_row_f(&g, b)[i] + e * um_normal(&rng[b]));
		UM_TRY(density(p, &v, lq, &h, prior, &slope));
		for (int64_t b = 0; b < chains; b++) {
			const double back = distance(um_row_f(&u, b), um_row_f(&v, b), um_row_f(&h, b), e, n);
			const double there = distance(um_row_f(&v, b), um_row_f(&u, b), um_row_f(&g, b), e, n);
			if (!(log(um_uniform(&rng[b])) < lq[b] - lp[b] + (there - back) / (2 * e * e)))
				continue;
			taken += 1 / (double)(chains * set->steps);
			lp[b] = lq[b];
			for (int64_t i = 0; i < n; i++) {
				um_row_f(&u, b)[i] = um_row_f(&v, b)[i];
				um_row_f(&g, b)[i] = um_row_f(&h, b)[i];
			}
		}
		if (um_sink_progress(sink, k + 1, set->steps, -lp[0]) == UM_STOP)
			UM_TRY(um_fail(UM_EINTR, "stopped after step %lld", (long long)k + 1));
	}
	UM_TRY(um_sink_metric(sink, "accepted", taken));
	UM_TRY(um_sink_samples(sink, &u, NULL));
out:
	um_array_free(&u), um_array_free(&v), um_array_free(&g), um_array_free(&h), um_array_free(&slope);
	free(rng);
	free(lp);
	return st;
}

static um_status create(void **self, const void *p, const um_env *env, um_inference_info *info)
{
	struct example *s = malloc(sizeof(*s));
	(void)env;
	if (s == NULL)
		return um_fail(UM_ENOMEM, "no memory for example");
	*s = *(const struct example *)p;
	info->needs = UM_NEEDS_LOGP;
	*self = s;
	return UM_OK;
}

static const um_inference_ops ops = { .create = create, .destroy = free, .run = run };

UM_PLUGIN = {
	UM_HEADER, UM_INFERENCE, 0, "example", "0.1.0", "The Metropolis-adjusted Langevin algorithm.",
	"Roberts & Tweedie 1996, Bernoulli 2, 341, doi:10.2307/3318418", UM_PARAMS(struct example, params), UM_OPS(ops),
};
