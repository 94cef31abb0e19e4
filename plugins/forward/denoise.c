/* SPDX-License-Identifier: GPL-3.0-or-later */
/* y = x + sigma n: every pixel is seen, with white noise. A A^T = I, so that
 * (a2 Sigma + b2 A A^T)^-1 is one division a pixel. */
#include <math.h>
#include <stdlib.h>
#include <umbra/plugin.h>

struct denoise {
	double sigma;
	um_pair levels;
};

static const um_param params[] = {
	UM_PARAM(struct denoise, sigma, "0.2", 1e-12, 1e12, "", "Standard deviation of the noise, in units of "
		"the image that the instrument sees (scale times x)."),
	UM_PARAM(struct denoise, levels, "[0.0, 0.0]", 0, 1e12, "", "Simulated measurements have noise of a level between these "
		"(its logarithm is uniform), each another, in place of sigma; 0: sigma."),
};

struct self {
	double sigma;
	um_pair levels;
	int64_t n;
};

static um_status create(void **self, const void *p, const um_env *env, um_forward_info *info)
{
	const struct denoise *set = p;
	if (set->levels.hi > 0 && !(set->levels.lo > 0))
		return um_fail(UM_EPARAM, "levels: the lower level of the noise has to be above 0");
	struct self *d = calloc(1, sizeof(*d));
	if (d == NULL)
		return um_fail(UM_ENOMEM, "no memory for denoise");
	d->sigma = set->sigma;
	d->levels = set->levels;
	d->n = 1;
	for (int i = 0; i < 5; i++)
		d->n *= env->shape[i];
	info->ny = d->n;
	info->linear = true;
	info->whole = true;
	*self = d;
	return UM_OK;
}

static void widen(const um_array *x, um_array *y, int64_t n)
{
	for (int64_t b = 0; b < x->dim[0]; b++)
		for (int64_t i = 0; i < n; i++)
			um_row_d(y, b)[i] = um_row_f(x, b)[i];
}

static um_status apply(void *self, const um_array *op, const um_array *x, const um_array *dx, um_array *y,
	um_array *dy)
{
	const struct self *d = self;
	(void)op;
	widen(x, y, d->n);
	if (dx != NULL)
		widen(dx, dy, d->n);
	return UM_OK;
}

static um_status pullback(void *self, const um_array *op, const um_array *x, const um_array *v, um_array *jtv)
{
	const struct self *d = self;
	(void)op, (void)x;
	for (int64_t b = 0; b < jtv->dim[0]; b++)
		for (int64_t i = 0; i < d->n; i++)
			um_row_f(jtv, b)[i] = (float)um_row_d(v, b)[i];
	return UM_OK;
}

static um_status noise(void *self, um_array *sigma, um_array *op)
{
	(void)op;
	um_array_fill(sigma, ((const struct self *)self)->sigma);
	return UM_OK;
}

static um_status simulate(void *self, um_rng *rng, const um_array *x, um_array *op, um_array *y,
	um_array *sigma, um_sink *sink)
{
	const struct self *d = self;
	const um_pair *l = &d->levels;
	(void)op, (void)sink;
	for (int64_t b = 0; b < x->dim[0]; b++) {
		const double s = l->hi > 0 ? l->lo * pow(l->hi / l->lo, um_uniform(&rng[b])) : d->sigma;
		for (int64_t i = 0; i < d->n; i++) {
			um_row_d(sigma, b)[i] = s;
			um_row_d(y, b)[i] = um_row_f(x, b)[i] + s * um_normal(&rng[b]);
		}
	}
	return UM_OK;
}

static um_status solve(void *self, const um_array *op, const um_array *sigma, double a2, double b2,
	const um_array *r, um_array *out)
{
	const struct self *d = self;
	(void)op;
	for (int64_t b = 0; b < r->dim[0]; b++)
		for (int64_t i = 0; i < d->n; i++) {
			double s = um_row_d(sigma, b)[i];
			um_row_d(out, b)[i] = um_row_d(r, b)[i] / (a2 * s * s + b2);
		}
	return UM_OK;
}

static const um_forward_ops ops = {
	.create = create, .destroy = free, .apply = apply, .pullback = pullback, .noise = noise,
	.simulate = simulate, .solve = solve,
};

UM_PLUGIN = {
	UM_HEADER, UM_FORWARD, 0, "denoise", "1.1",
	"The image itself with white noise.", "",
	UM_PARAMS(struct denoise, params), UM_OPS(ops),
};
