/* SPDX-License-Identifier: GPL-3.0-or-later */
/* y = w . (red, green, blue) + sigma n, one grey number for the three channels of a pixel. The rows of A
 * are orthogonal, A A^T = |w|^2. */
#include <math.h>
#include <stdlib.h>
#include <umbra/plugin.h>

enum { CHANNELS = 3 };

struct colorize {
	um_reals weights;
	double sigma;
};

static const um_param params[] = {
	UM_PARAM(struct colorize, weights, "[0.299, 0.587, 0.114]", -1e6, 1e6, "", "What red, green and blue add to "
		"grey: luminance by ITU-R BT.601; [0.3333, 0.3334, 0.3333] is the mean."),
	UM_PARAM(struct colorize, sigma, "0.05", 1e-12, 1e12, "", "Standard deviation of the noise, in units of the "
		"image that the instrument sees (scale times x)."),
};

struct self {
	double sigma, weight[CHANNELS], norm2;
	int64_t planes, pixels; /* of y */
};

static um_status create(void **self, const void *p_, const um_env *env, um_forward_info *info)
{
	const struct colorize *p = p_;
	const int64_t *s = env->shape;
	if (s[2] != CHANNELS)
		return um_fail(UM_EPARAM, "colorize takes images of %d channels, red, green and blue; these have %lld; "
			"set image.channels = %d", CHANNELS, (long long)s[2], CHANNELS);
	if (p->weights.n != CHANNELS)
		return um_fail(UM_EPARAM, "weights: %lld numbers, but there are %d channels", (long long)p->weights.n,
			CHANNELS);
	const double *w = p->weights.v, norm2 = w[0] * w[0] + w[1] * w[1] + w[2] * w[2];
	if (!(norm2 > 0))
		return um_fail(UM_EPARAM, "weights: all are 0; nothing is seen");
	struct self *f = malloc(sizeof(*f));
	if (f == NULL)
		return um_fail(UM_ENOMEM, "no memory for colorize");
	*f = (struct self){ p->sigma, { w[0], w[1], w[2] }, norm2, s[0] * s[1], s[3] * s[4] };
	info->ny = f->planes * f->pixels;
	info->linear = true;
	*self = f;
	return UM_OK;
}

static void grey(const struct self *f, const um_array *x, um_array *y)
{
	for (int64_t b = 0; b < x->dim[0]; b++)
		for (int64_t i = 0; i < f->planes * f->pixels; i++) {
			const float *first = um_row_f(x, b) + (i / f->pixels * CHANNELS * f->pixels + i % f->pixels);
			double sum = 0;
			for (int c = 0; c < CHANNELS; c++)
				sum += f->weight[c] * first[c * f->pixels];
			um_row_d(y, b)[i] = sum;
		}
}

static um_status apply(void *self, const um_array *op, const um_array *x, const um_array *dx, um_array *y,
	um_array *dy)
{
	(void)op;
	grey(self, x, y);
	if (dx != NULL)
		grey(self, dx, dy);
	return UM_OK;
}

static um_status pullback(void *self, const um_array *op, const um_array *x, const um_array *v, um_array *jtv)
{
	const struct self *f = self;
	(void)op, (void)x;
	for (int64_t b = 0; b < jtv->dim[0]; b++)
		for (int64_t i = 0; i < f->planes * f->pixels; i++) {
			float *first = um_row_f(jtv, b) + (i / f->pixels * CHANNELS * f->pixels + i % f->pixels);
			for (int c = 0; c < CHANNELS; c++)
				first[c * f->pixels] = (float)(f->weight[c] * um_row_d(v, b)[i]);
		}
	return UM_OK;
}

static um_status noise(void *self, um_array *sigma, um_array *op)
{
	(void)op;
	um_array_fill(sigma, ((const struct self *)self)->sigma);
	return UM_OK;
}

static um_status solve(void *self, const um_array *op, const um_array *sigma, double a2, double b2,
	const um_array *r, um_array *out)
{
	const struct self *f = self;
	(void)op;
	for (int64_t b = 0; b < r->dim[0]; b++)
		for (int64_t i = 0; i < f->planes * f->pixels; i++) {
			const double s = um_row_d(sigma, b)[i];
			um_row_d(out, b)[i] = um_row_d(r, b)[i] / (a2 * s * s + b2 * f->norm2);
		}
	return UM_OK;
}

static const um_forward_ops ops = {
	.create = create, .destroy = free, .apply = apply, .pullback = pullback, .noise = noise, .solve = solve,
};

UM_PLUGIN = {
	UM_HEADER, UM_FORWARD, 0, "colorize", "1.0",
	"The grey image of one in three colours, with white noise.", "",
	UM_PARAMS(struct colorize, params), UM_OPS(ops),
};
