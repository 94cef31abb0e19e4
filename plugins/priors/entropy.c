/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Maximum entropy relative to a reference image m: log p(x) = -weight sum h(x, m) up to a
 * constant, h = x log(x / m) - x + m, which is zero at x = m and positive elsewhere. The
 * reference is a round Gaussian of given width and flux, or a file. Below TINY h goes on as
 * a straight line, so that its value and slope stay finite at x = 0. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <umbra/planes.h>
#include <umbra/table.h>

#define TINY 1e-30

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
	um_planes planes;
	double factor;
	int64_t n;     /* pixels of a plane */
	double *log_m; /* [n] */
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
	um_status st = UM_OK;
	const int64_t rows = e->planes.rows, columns = e->planes.columns;
	double sum = 0, unit;
	UM_TRY(um_env_uas(env, "fwhm", "a reference file", &unit));
	const double s = p->fwhm * unit / sqrt(8 * log(2)); /* pixels */
	for (int64_t i = 0; i < e->n; i++) {
		double y = (double)(i / columns) - (double)(rows - 1) / 2;
		double x = (double)(i % columns) - (double)(columns - 1) / 2;
		e->log_m[i] = -(x * x + y * y) / (2 * s * s);
		sum += exp(e->log_m[i]);
	}
	if (!(sum > 0))
		UM_TRY(um_fail(UM_EPARAM, "fwhm = %g is far below the pixel size, %g", p->fwhm, 1 / unit));
	for (int64_t i = 0; i < e->n; i++)
		e->log_m[i] += log(p->flux / sum);
out:
	return st;
}

static um_status read_reference(struct self *e, const struct entropy *p)
{
	um_array a = { 0 };
	um_status st = UM_OK;
	UM_TRY(um_table_image(p->reference, e->n, &a));
	for (int64_t i = 0; i < e->n; i++) {
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

static um_status plane(const void *self, const float *x, double *lp, double *g)
{
	const struct self *e = self;
	for (int64_t i = 0; i < e->n; i++) {
		double at = fmax(x[i], TINY), slope = log(at) - e->log_m[i];
		*lp += e->factor * (at * slope - at + exp(e->log_m[i]) + (x[i] - at) * slope);
		if (g != NULL)
			g[i] = e->factor * slope;
	}
	return UM_OK;
}

static um_status create(void **self, const void *p_, const um_env *env, um_prior_info *info)
{
	const struct entropy *p = p_;
	um_status st = UM_OK;
	struct self *e = calloc(1, sizeof(*e));
	if (e == NULL)
		return um_fail(UM_ENOMEM, "no memory for entropy");
	e->planes = um_planes_of(env, plane);
	e->n = e->planes.rows * e->planes.columns;
	e->factor = strcmp(p->reduce, "mean") == 0 ? -p->weight / (double)(e->planes.count * e->n) : -p->weight;
	e->log_m = calloc((size_t)e->n, sizeof(double));
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

static const um_prior_ops ops = { .create = create, .destroy = destroy, .logp = um_planes_logp };

UM_PLUGIN = {
	UM_HEADER, UM_PRIOR, UM_SKY, "entropy", "1.0",
	"Maximum entropy relative to a Gaussian or to an image; positive images only.",
	"Skilling & Bryan 1984, MNRAS 211, 111, doi:10.1093/mnras/211.1.111",
	UM_PARAMS(struct entropy, params), UM_OPS(ops),
};
