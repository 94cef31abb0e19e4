/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The output of a score network at the first time in place of the gradient of log p: what Feng et al. 2023
 * (arXiv:2304.11751, fig. 5) show to fail, for comparison in "make validate". No density belongs to it; log p
 * is given as 0. */
#include <stdlib.h>
#include <umbra/diffusion.h>
#include <umbra/plugin.h>

struct output {
	um_diffusion diffusion;
};

static const um_param params[] = { UM_DIFFUSION_PARAMS };

struct self {
	um_scorenet *net;
	um_probflow flow;
};

static void destroy(void *self)
{
	struct self *s = self;
	um_scorenet_free(s->net);
	free(s);
}

static um_status create(void **self, const void *params_, const um_env *env, um_prior_info *info)
{
	const struct output *p = params_;
	um_status st = UM_OK;
	struct self *s = calloc(1, sizeof(*s));
	if (s == NULL)
		return um_fail(UM_ENOMEM, "no memory for score_output");
	UM_TRY(um_scorenet_new(&p->diffusion, env, &s->net));
	s->flow = um_probflow_of(&p->diffusion, env, s->net, false);
	info->estimate = true;
	*self = s;
	s = NULL;
out:
	if (s != NULL)
		destroy(s);
	return st;
}

/* s(x, t) at x with the noise of that time. */
static um_status logp(void *self, um_rng *rng, const um_array *x, double *lp, um_array *dx)
{
	const struct self *s = self;
	const int64_t batch = x->dim[0], n = s->flow.n;
	const double unit = s->flow.unit > 0 ? s->flow.unit : 1;
	const double a = um_sde_alpha(&s->flow.sde, s->flow.from), b = unit * um_sde_sigma(&s->flow.sde, s->flow.from);
	double *alpha = malloc(sizeof(double) * (size_t)(2 * batch)), *sigma = alpha + batch;
	um_array noisy = { 0 };
	um_status st = um_array_new(&noisy, UM_F32, 6, x->dim);
	for (int64_t k = 0; st == UM_OK && k < batch; k++) {
		alpha[k] = a;
		sigma[k] = b;
		lp[k] = 0;
		for (int64_t i = 0; i < n; i++)
			um_row_f(&noisy, k)[i] = (float)(a * (double)um_row_f(x, k)[i] + b * um_normal(&rng[k]));
	}
	const um_score_job job = { .size = sizeof(job), .x = &noisy, .alpha = alpha, .sigma = sigma, .s = dx };
	if (st == UM_OK && dx != NULL)
		st = s->flow.score(s->flow.self, &job);
	um_array_free(&noisy);
	free(alpha);
	return st;
}

static um_status sample(void *self, um_rng *rng, um_array *x)
{
	const struct self *s = self;
	return um_probflow_sample(&s->flow, UM_SAMPLE_SDE, 200, 0, rng, x, NULL);
}

static const um_prior_ops ops = { .create = create, .destroy = destroy, .logp = logp, .sample = sample };

UM_PLUGIN = {
	UM_HEADER, UM_PRIOR, 0, "score_output", "1.0",
	"The output of a score network as if it were the gradient of a density.", "",
	UM_PARAMS(struct output, params), UM_OPS(ops),
};
