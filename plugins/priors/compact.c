/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Compactness: log p(x) = -weight V(x) / V0 up to a constant, where V is the trace of the
 * covariance of the brightness distribution and V0 that of a round Gaussian of given FWHM,
 *   V = sum_i x_i |r_i - c|^2 / F,  c = sum_i x_i r_i / F,  F = sum_i x_i,  V0 = 2 fwhm^2 / (8 log 2),
 *   dV/dx_i = (|r_i - c|^2 - V) / F.
 * So a round Gaussian of FWHM w costs weight (w / fwhm)^2 wherever it lies and however bright
 * it is: size alone is penalised, unlike with sum x_i |r_i|^2, which also pulls flux down and
 * towards the centre. V is smooth wherever F > 0, hence positive images only. Frames, bands
 * and channels each have their own centroid; their terms add up. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <umbra/plugin.h>

#define RADIANS_PER_UAS 4.848136811095360e-12

struct compact {
	double weight, fwhm;
	const char *unit;
};

static const um_param params[] = {
	UM_PARAM(struct compact, weight, "1", 0, 1e12, "", "Cost in -log p of a round Gaussian of the "
		"given FWHM; one twice as wide costs four times as much."),
	UM_PARAM(struct compact, fwhm, "10", 1e-6, 1e12, "", "Full width at half maximum of that Gaussian, in "
		"pixels or micro-arcseconds."),
	UM_CHOICE(struct compact, unit, "pixel", "pixel|uas", "What fwhm is measured in; uas needs fov_uas."),
};

struct self {
	double factor; /* -weight / V0, V0 in pixels squared */
	int64_t planes, rows, columns;
};

static um_status create(void **self, const void *p_, const um_env *env, um_prior_info *info)
{
	const struct compact *p = p_;
	const int64_t *s = env->shape;
	double fwhm = p->fwhm;
	struct self *t;
	if (strcmp(p->unit, "uas") == 0) {
		if (!(env->pixel > 0))
			return um_fail(UM_EPARAM, "fwhm is in micro-arcseconds, but the image is not of "
				"the sky; give image.fov_uas, or say unit = \"pixel\"");
		fwhm *= RADIANS_PER_UAS / env->pixel;
	}
	if ((t = malloc(sizeof(*t))) == NULL)
		return um_fail(UM_ENOMEM, "no memory for compact");
	*t = (struct self){ -p->weight * 4 * log(2) / (fwhm * fwhm), s[0] * s[1] * s[2], s[3], s[4] };
	info->positive = true;
	*self = t;
	return UM_OK;
}

/* V in pixels squared and, where g is wanted, g = factor dV/dx. */
static um_status spread(const struct self *t, const float *x, double *v, float *g)
{
	const int64_t n = t->rows * t->columns;
	double flux = 0, cx = 0, cy = 0;
	for (int64_t i = 0; i < n; i++) {
		flux += x[i];
		cx += x[i] * (double)(i % t->columns);
		cy += x[i] * (double)(i / t->columns);
	}
	if (!(flux > 0))
		return um_fail(UM_ENUM, "compact: an image of total flux %g has no size; positive images are "
			"needed, as with transform = \"softplus\"", flux);
	cx /= flux;
	cy /= flux;
	*v = 0;
	for (int64_t i = 0; i < n; i++) {
		const double dx = (double)(i % t->columns) - cx, dy = (double)(i / t->columns) - cy;
		*v += x[i] * (dx * dx + dy * dy) / flux;
	}
	for (int64_t i = 0; g != NULL && i < n; i++) {
		const double dx = (double)(i % t->columns) - cx, dy = (double)(i / t->columns) - cy;
		g[i] = (float)(t->factor * (dx * dx + dy * dy - *v) / flux);
	}
	return UM_OK;
}

static um_status logp(void *self, um_rng *rng, const um_array *x, double *lp, um_array *dx)
{
	const struct self *t = self;
	const int64_t n = t->rows * t->columns;
	um_status st = UM_OK;
	(void)rng;
	for (int64_t b = 0; b < x->dim[0]; b++) {
		lp[b] = 0;
		for (int64_t p = 0; p < t->planes; p++) {
			double v = 0;
			float *g = dx != NULL ? um_row_f(dx, b) + p * n : NULL;
			UM_TRY(spread(t, um_row_f(x, b) + p * n, &v, g));
			lp[b] += t->factor * v;
		}
	}
out:
	return st;
}

static const um_prior_ops ops = { .create = create, .destroy = free, .logp = logp };

UM_PLUGIN = {
	UM_HEADER, UM_PRIOR, 0, "compact", "1.0",
	"Compact images: a small second moment about the centroid; positive images only.",
	"Issaoun et al. 2019, A&A 629, A32, doi:10.1051/0004-6361/201936156",
	UM_PARAMS(struct compact, params), UM_OPS(ops),
};
