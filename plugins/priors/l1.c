/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Sparsity: log p(x) = -weight sum |x| up to a constant, with |x| smoothed to
 * sqrt(x^2 + epsilon^2) - epsilon, so that the gradient exists everywhere; as a mean the sum
 * is divided by the number of pixels. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <umbra/plugin.h>

struct l1 {
	double weight;
	const char *reduce;
	double epsilon;
};

static const um_param params[] = {
	UM_PARAM(struct l1, weight, "1", 0, 1e12, "", "Factor of the absolute sum in -log p."),
	UM_CHOICE(struct l1, reduce, "sum", "sum|mean", "Sum over all pixels, or their mean."),
	UM_PARAM(struct l1, epsilon, "1e-4", 1e-12, 1e6, "", "Pixels well below this, in units of x, are "
		"penalised quadratically; a tenth of the faintest structure that matters is a good choice."),
};

struct self {
	double factor, epsilon;
	int64_t n;
};

static um_status create(void **self, const void *p_, const um_env *env, um_prior_info *info)
{
	const struct l1 *p = p_;
	struct self *l = malloc(sizeof(*l));
	(void)info;
	if (l == NULL)
		return um_fail(UM_ENOMEM, "no memory for l1");
	*l = (struct self){ -p->weight, p->epsilon, 1 };
	for (int i = 0; i < 5; i++)
		l->n *= env->shape[i];
	if (strcmp(p->reduce, "mean") == 0)
		l->factor /= (double)l->n;
	*self = l;
	return UM_OK;
}

static um_status logp(void *self, um_rng *rng, const um_array *x, double *lp, um_array *dx)
{
	const struct self *l = self;
	(void)rng;
	for (int64_t b = 0; b < x->dim[0]; b++) {
		lp[b] = 0;
		for (int64_t i = 0; i < l->n; i++) {
			double v = um_row_f(x, b)[i], length = sqrt(v * v + l->epsilon * l->epsilon);
			lp[b] += l->factor * (length - l->epsilon);
			if (dx != NULL)
				um_row_f(dx, b)[i] = (float)(l->factor * v / length);
		}
	}
	return UM_OK;
}

static const um_prior_ops ops = { .create = create, .destroy = free, .logp = logp };

UM_PLUGIN = {
	UM_HEADER, UM_PRIOR, 0, "l1", "1.0",
	"Sparse images: the sum of absolute pixels is small.",
	"Tibshirani 1996, J. R. Stat. Soc. B 58, 267, doi:10.1111/j.2517-6161.1996.tb02080.x",
	UM_PARAMS(struct l1, params), UM_OPS(ops),
};
