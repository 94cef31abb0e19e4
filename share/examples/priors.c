/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A prior from public headers alone: independent pixels with logistic laws, log p = sum of z - 2 log(1 + e^z) - log scale,
 * z = -(x - mean) / scale. */
#include <math.h>
#include <stdlib.h>
#include <umbra/plugin.h>

struct example {
	double mean, scale;
};

static const um_param params[] = {
	UM_PARAM(struct example, mean, "0", -1e12, 1e12, "", "Mean of every pixel, in units of x."),
	UM_PARAM(struct example, scale, "1", 1e-12, 1e12, "", "Width of the law; the standard deviation is 1.81 times as much."),
};

struct self {
	double mean, scale;
	int64_t n;
};

static um_status create(void **self, const void *params_, const um_env *env, um_prior_info *info)
{
	const struct example *p = params_;
	struct self *s = malloc(sizeof(*s));
	(void)info;
	if (s == NULL)
		return um_fail(UM_ENOMEM, "no memory for example");
	*s = (struct self){ p->mean, p->scale, 1 };
	for (int i = 0; i < 5; i++)
		s->n *= env->shape[i];
	*self = s;
	return UM_OK;
}

/* log p of every image of a batch, and its gradient where dx is given. */
static um_status logp(void *self, um_rng *rng, const um_array *x, double *lp, um_array *dx)
{
	const struct self *s = self;
	(void)rng;
	for (int64_t b = 0; b < x->dim[0]; b++) {
		lp[b] = -(double)s->n * log(s->scale);
		for (int64_t i = 0; i < s->n; i++) {
			const double z = fabs((um_row_f(x, b)[i] - s->mean) / s->scale), e = exp(-z); /* even in z */
			lp[b] -= z + 2 * log1p(e);
			if (dx != NULL)
				um_row_f(dx, b)[i] = (float)(copysign((1 - e) / (1 + e), s->mean - um_row_f(x, b)[i]) / s->scale);
		}
	}
	return UM_OK;
}

/* Draws, image b from rng[b] alone. */
static um_status sample(void *self, um_rng *rng, um_array *x)
{
	const struct self *s = self;
	for (int64_t b = 0; b < x->dim[0]; b++)
		for (int64_t i = 0; i < s->n; i++) {
			const double u = um_uniform(&rng[b]);
			um_row_f(x, b)[i] = (float)(s->mean + s->scale * log((u + 1e-300) / (1 - u)));
		}
	return UM_OK;
}

static const um_prior_ops ops = { .create = create, .destroy = free, .logp = logp, .sample = sample };

UM_PLUGIN = {
	UM_HEADER, UM_PRIOR, 0, "example", "0.1.0", "Independent pixels with logistic laws.", "",
	UM_PARAMS(struct example, params), UM_OPS(ops),
};
