/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A forward model from public headers alone: an instrument that sees the sums of columns, y_j = sum_i x_ij, with white noise. */
#include <stdlib.h>
#include <umbra/plugin.h>

struct example {
	double sigma;
};

static const um_param params[] = {
	UM_PARAM(struct example, sigma, "0.1", 1e-12, 1e12, "", "Standard deviation of the noise of a sum."),
};

struct self {
	double sigma;
	int64_t rows, columns; /* rows of all planes */
};

static um_status create(void **self, const void *p, const um_env *env, um_forward_info *info)
{
	struct self *s = malloc(sizeof(*s));
	if (s == NULL)
		return um_fail(UM_ENOMEM, "no memory for example");
	*s = (struct self){ ((const struct example *)p)->sigma, env->shape[0] * env->shape[1] * env->shape[2] * env->shape[3],
		env->shape[4] };
	info->ny = s->columns;
	info->linear = true;
	*self = s;
	return UM_OK;
}

static void sums(const struct self *s, const um_array *x, um_array *y)
{
	for (int64_t b = 0; b < x->dim[0]; b++)
		for (int64_t j = 0; j < s->columns; j++) {
			double sum = 0;
			for (int64_t i = 0; i < s->rows; i++)
				sum += um_row_f(x, b)[i * s->columns + j];
			um_row_d(y, b)[j] = sum;
		}
}

/* y = f(x), and with dx the derivative of f in that direction, dy. */
static um_status apply(void *self, const um_array *op, const um_array *x, const um_array *dx, um_array *y, um_array *dy)
{
	(void)op;
	sums(self, x, y);
	if (dx != NULL)
		sums(self, dx, dy);
	return UM_OK;
}

/* The transpose of that derivative: every pixel of a column gets the number of its sum. */
static um_status pullback(void *self, const um_array *op, const um_array *x, const um_array *v, um_array *jtv)
{
	const struct self *s = self;
	(void)op, (void)x;
	for (int64_t b = 0; b < jtv->dim[0]; b++)
		for (int64_t i = 0; i < s->rows * s->columns; i++)
			um_row_f(jtv, b)[i] = (float)um_row_d(v, b)[i % s->columns];
	return UM_OK;
}

/* The noise of a simulated measurement. */
static um_status noise(void *self, um_array *sigma, um_array *op)
{
	const struct self *s = self;
	(void)op;
	for (int64_t j = 0; j < s->columns; j++)
		um_row_d(sigma, 0)[j] = s->sigma;
	return UM_OK;
}

static const um_forward_ops ops = { .create = create, .destroy = free, .apply = apply, .pullback = pullback, .noise = noise };

UM_PLUGIN = {
	UM_HEADER, UM_FORWARD, 0, "example", "0.1.0", "Sums of the columns of an image, with white noise.", "",
	UM_PARAMS(struct example, params), UM_OPS(ops),
};
