/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Maximum entropy relative to a reference image m: log p(x) = -weight sum h(x, m) up to a
 * constant, h = x log(x / m) - x + m, which is zero at x = m and positive elsewhere. The
 * reference is a round Gaussian of given width and flux, or a file. Below TINY h goes on as
 * a straight line, so that its value and slope stay finite at x = 0. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <umbra/plugin.h>
#include <umbra/table.h>

#define TINY 1e-30
#define RADIANS_PER_UAS 4.848136811095360e-12

struct entropy {
	double weight, fwhm, flux;
	const char *reference, *reduce;
};

static const um_param params[] = {
	UM_PARAM(struct entropy, weight, "1", 0, 1e12, "", "Factor of the relative entropy in -log p."),
	UM_PARAM(struct entropy, fwhm, "50", 1e-6, 1e12, "uarcsec", "Full width at half maximum of the Gaussian "
		"reference, which lies at the centre of the image."),
	UM_PARAM(struct entropy, flux, "1", 1e-12, 1e12, "", "Sum over the Gaussian reference, in units of x."),
	UM_FILE(struct entropy, reference, "", "Image of the reference instead, FITS or .npy, in units of x; "
		"every pixel positive, of the size of the image."),
	UM_CHOICE(struct entropy, reduce, "sum", "sum|mean", "Sum over all pixels, or their mean."),
};

struct self {
	double factor;
	int64_t n, plane;
	double *log_m; /* [plane] */
};

static void destroy(void *self)
{
	struct self *e = self;
	free(e->log_m);
	free(e);
}

/* Far from the centre m underflows but log m does not. */
static um_status gaussian(struct self *e, const struct entropy *p, const um_env *env)
{
	const int64_t rows = env->shape[3], columns = env->shape[4];
	double sum = 0;
	if (!(env->pixel > 0))
		return um_fail(UM_EPARAM, "fwhm is in micro-arcseconds, but the image is not of the sky; give "
			"image.fov_uas, or a reference file");
	const double s = p->fwhm * RADIANS_PER_UAS / env->pixel / sqrt(8 * log(2)); /* pixels */
	for (int64_t i = 0; i < e->plane; i++) {
		double y = (double)(i / columns) - (double)(rows - 1) / 2;
		double x = (double)(i % columns) - (double)(columns - 1) / 2;
		e->log_m[i] = -(x * x + y * y) / (2 * s * s);
		sum += exp(e->log_m[i]);
	}
	if (!(sum > 0))
		return um_fail(UM_EPARAM, "fwhm = %g is far below the pixel size, %g", p->fwhm,
			env->pixel / RADIANS_PER_UAS);
	for (int64_t i = 0; i < e->plane; i++)
		e->log_m[i] += log(p->flux / sum);
	return UM_OK;
}

static um_status read_reference(struct self *e, const struct entropy *p)
{
	um_array a = { 0 };
	um_status st = UM_OK;
	UM_TRY(um_table_image(p->reference, e->plane, &a));
	for (int64_t i = 0; i < e->plane; i++) {
		double m = ((const double *)a.data)[i];
		if (!(m > 0))
			UM_TRY(um_fail(UM_EDATA, "%s: pixel %lld is %g; the reference must be positive everywhere, "
				"add a small constant to it", p->reference, (long long)i, m));
		e->log_m[i] = log(m);
	}
out:
	um_array_free(&a);
	return st;
}

static um_status create(void **self, const void *p_, const um_env *env, um_prior_info *info)
{
	const struct entropy *p = p_;
	const int64_t *s = env->shape;
	um_status st = UM_OK;
	struct self *e = calloc(1, sizeof(*e));
	if (e == NULL)
		return um_fail(UM_ENOMEM, "no memory for entropy");
	e->plane = s[3] * s[4];
	e->n = s[0] * s[1] * s[2] * e->plane;
	e->factor = strcmp(p->reduce, "mean") == 0 ? -p->weight / (double)e->n : -p->weight;
	e->log_m = calloc((size_t)e->plane, sizeof(double));
	if (e->log_m == NULL)
		UM_TRY(um_fail(UM_ENOMEM, "no memory for entropy"));
	UM_TRY(*p->reference ? read_reference(e, p) : gaussian(e, p, env));
	info->positive = true;
	*self = e;
out:
	if (st != UM_OK)
		destroy(e);
	return st;
}

static um_status logp(void *self, um_rng *rng, const um_array *x, double *lp, um_array *dx)
{
	const struct self *e = self;
	(void)rng;
	for (int64_t b = 0; b < x->dim[0]; b++) {
		lp[b] = 0;
		for (int64_t i = 0; i < e->n; i++) {
			double v = um_row_f(x, b)[i], log_m = e->log_m[i % e->plane];
			double at = fmax(v, TINY), slope = log(at) - log_m;
			lp[b] += e->factor * (at * slope - at + exp(log_m) + (v - at) * slope);
			if (dx != NULL)
				um_row_f(dx, b)[i] = (float)(e->factor * slope);
		}
	}
	return UM_OK;
}

static const um_prior_ops ops = { .create = create, .destroy = destroy, .logp = logp };

UM_PLUGIN = {
	UM_HEADER, UM_PRIOR, UM_SKY, "entropy", "1.0",
	"Maximum entropy relative to a Gaussian or to an image; positive images only.",
	"Skilling & Bryan 1984, MNRAS 211, 111, doi:10.1093/mnras/211.1.111",
	UM_PARAMS(struct entropy, params), UM_OPS(ops),
};
