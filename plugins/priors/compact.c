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
#include <umbra/planes.h>

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
	um_planes planes;
	double factor; /* -weight / V0, V0 in pixels squared */
};

static um_status plane(const void *self, const float *x, double *lp, double *g)
{
	const struct self *t = self;
	const int64_t n = t->planes.rows * t->planes.columns, columns = t->planes.columns;
	double flux, cx, cy, v = 0;
	um_status st = um_planes_centroid(&t->planes, x, &flux, &cx, &cy);
	if (st != UM_OK)
		return um_context(st, "compact");
	for (int64_t i = 0; i < n; i++) {
		const double dx = (double)(i % columns) - cx, dy = (double)(i / columns) - cy;
		v += x[i] * (dx * dx + dy * dy) / flux;
	}
	*lp += t->factor * v;
	for (int64_t i = 0; g != NULL && i < n; i++) {
		const double dx = (double)(i % columns) - cx, dy = (double)(i / columns) - cy;
		g[i] = t->factor * (dx * dx + dy * dy - v) / flux;
	}
	return UM_OK;
}

static um_status create(void **self, const void *p_, const um_env *env, um_prior_info *info)
{
	const struct compact *p = p_;
	um_status st = UM_OK;
	double unit = 1; /* in pixels */
	struct self *t;
	if (strcmp(p->unit, "uas") == 0)
		UM_TRY(um_env_uas(env, "fwhm", "say unit = \"pixel\"", &unit));
	if ((t = malloc(sizeof(*t))) == NULL)
		return um_fail(UM_ENOMEM, "no memory for compact");
	const double fwhm = p->fwhm * unit;
	*t = (struct self){ um_planes_of(env, plane), -p->weight * 4 * log(2) / (fwhm * fwhm) };
	info->positive = true;
	*self = t;
out:
	return st;
}

static const um_prior_ops ops = { .create = create, .destroy = free, .logp = um_planes_logp };

UM_PLUGIN = {
	UM_HEADER, UM_PRIOR, 0, "compact", "1.0",
	"Compact images: a small second moment about the centroid; positive images only.",
	"Issaoun et al. 2019, A&A 629, A32, doi:10.1051/0004-6361/201936156",
	UM_PARAMS(struct compact, params), UM_OPS(ops),
};
