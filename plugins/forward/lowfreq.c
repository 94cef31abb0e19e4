/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Low spatial frequencies: the corner block k1, k2 in 0..n-1 of the unnormalised Fourier transform
 * Y(k) = sum_r x(r) exp(-2 pi i (k1 r1/R + k2 r2/C)) of each R x C plane, y = [all Re Y, all Im Y]
 * (Feng et al. 2023, "deblurring"). umbra/kspace.h does the rest. */
#include <math.h>
#include <stdlib.h>
#include <umbra/kspace.h>
#include <umbra/plugin.h>

struct lowfreq {
	int64_t keep;
	double sigma;
};

static const um_param params[] = {
	UM_PARAM(struct lowfreq, keep, "4", 1, 4096, "", "How many frequencies are kept along each axis, "
		"from zero up; at most the shorter side of the image."),
	UM_PARAM(struct lowfreq, sigma, "1", 1e-12, 1e12, "", "Standard deviation |n| of the complex noise: "
		"real and imaginary parts each have sigma / sqrt(2)."),
};

struct self {
	double sigma;
	um_kspace k;
};

static void destroy(void *self)
{
	um_kspace_free(&((struct self *)self)->k);
	free(self);
}

static um_status create(void **self, const void *p_, const um_env *env, um_forward_info *info)
{
	const struct lowfreq *p = p_;
	const int64_t *s = env->shape, n = p->keep * p->keep;
	um_status st = UM_OK;
	if (p->keep > s[3] || p->keep > s[4])
		return um_fail(UM_EPARAM, "keep = %lld is more than the image has, %lld x %lld pixels; make it "
			"at most half of the shorter side", (long long)p->keep, (long long)s[4], (long long)s[3]);
	struct self *f = calloc(1, sizeof(*f));
	int64_t *place = malloc(sizeof(*place) * (size_t)n);
	if (f == NULL || place == NULL)
		UM_TRY(um_fail(UM_ENOMEM, "no memory for lowfreq"));
	f->sigma = p->sigma;
	for (int64_t i = 0; i < n; i++)
		place[i] = i / p->keep * s[4] + i % p->keep;
	UM_TRY(um_kspace_new(s[0] * s[1] * s[2], s[3], s[4], 1, n, place, &f->k));
	info->ny = 2 * f->k.planes * n;
	info->linear = true;
	*self = f;
	f = NULL;
out:
	free(place);
	free(f);
	return st;
}

static um_status apply(void *self, const um_array *op, const um_array *x, const um_array *dx, um_array *y,
	um_array *dy)
{
	const struct self *f = self;
	(void)op;
	um_kspace_apply(&f->k, x, y);
	if (dx != NULL)
		um_kspace_apply(&f->k, dx, dy);
	return UM_OK;
}

static um_status pullback(void *self, const um_array *op, const um_array *x, const um_array *v, um_array *jtv)
{
	const struct self *f = self;
	(void)op, (void)x;
	um_kspace_transpose(&f->k, v, jtv);
	return UM_OK;
}

static um_status noise(void *self, um_array *sigma, um_array *op)
{
	const struct self *f = self;
	(void)op;
	for (int64_t i = 0; i < sigma->dim[1]; i++)
		um_row_d(sigma, 0)[i] = f->sigma / sqrt(2);
	return UM_OK;
}

static um_status solve(void *self, const um_array *op, const um_array *sigma, double a2, double b2,
	const um_array *r, um_array *out)
{
	const struct self *f = self;
	(void)op;
	um_kspace_solve(&f->k, sigma, a2, b2, r, out);
	return UM_OK;
}

static const um_forward_ops ops = {
	.create = create, .destroy = destroy, .apply = apply, .pullback = pullback, .noise = noise,
	.solve = solve,
};

UM_PLUGIN = {
	UM_HEADER, UM_FORWARD, 0, "lowfreq", "1.0",
	"The lowest non-negative spatial frequencies of the image, with noise.",
	"Feng et al. 2023, Score-based diffusion models as principled priors for inverse imaging, "
	"arXiv:2304.11751",
	UM_PARAMS(struct lowfreq, params), UM_OPS(ops),
};
