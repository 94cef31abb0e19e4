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

static um_status create(void **self, const void *p_, const um_env *env, um_forward_info *info)
{
	const struct lowfreq *p = p_;
	const int64_t *s = env->shape, n = p->keep * p->keep;
	um_status st = UM_OK;
	if (p->keep > s[3] || p->keep > s[4])
		return um_fail(UM_EPARAM, "keep = %lld is more than the image has, %lld x %lld pixels; make it "
			"at most half of the shorter side", (long long)p->keep, (long long)s[4], (long long)s[3]);
	um_kspace *k = calloc(1, sizeof(*k));
	int64_t *place = malloc(sizeof(*place) * (size_t)n);
	if (k == NULL || place == NULL)
		UM_TRY(um_fail(UM_ENOMEM, "no memory for lowfreq"));
	for (int64_t i = 0; i < n; i++)
		place[i] = i / p->keep * s[4] + i % p->keep;
	UM_TRY(um_kspace_new(s[0] * s[1] * s[2], s[3], s[4], 1, n, place, k));
	k->sigma = p->sigma / sqrt(2);
	info->ny = 2 * k->planes * n;
	info->linear = true;
	*self = k;
	k = NULL;
out:
	free(place);
	free(k);
	return st;
}

static const um_forward_ops ops = {
	.create = create, .destroy = um_kspace_destroy, .apply = um_kspace_apply, .pullback = um_kspace_pullback,
	.noise = um_kspace_noise, .solve = um_kspace_solve,
};

UM_PLUGIN = {
	UM_HEADER, UM_FORWARD, 0, "lowfreq", "1.0",
	"The lowest non-negative spatial frequencies of the image, with noise.",
	"Feng et al. 2023, Score-based diffusion models as principled priors for inverse imaging, "
	"arXiv:2304.11751",
	UM_PARAMS(struct lowfreq, params), UM_OPS(ops),
};
