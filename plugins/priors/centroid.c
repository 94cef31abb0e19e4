/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Position: log p(x) = -weight / 2 |c - c0|^2 up to a constant, where c = sum_i x_i r_i / F,
 * F = sum_i x_i, is the centroid of the image and c0 the wanted one, in pixels or
 * micro-arcseconds; so c is normal about c0 with standard deviation 1 / sqrt(weight).
 *   dc/dx_i = (r_i - c) / F
 * Data that are closures alone do not fix the position of a source; this does. Positive
 * images only. Frames, bands and channels each have a centroid; their terms add up. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <umbra/plugin.h>

#define RADIANS_PER_UAS 4.848136811095360e-12

struct centroid {
	double weight, east, north;
	const char *unit;
};

static const um_param params[] = {
	UM_PARAM(struct centroid, weight, "1", 0, 1e12, "", "Inverse variance of the centroid along each "
		"axis, per pixel or micro-arcsecond squared."),
	UM_PARAM(struct centroid, east, "0", -1e12, 1e12, "", "Wanted position from the centre of the "
		"field to the east, that is towards column 0."),
	UM_PARAM(struct centroid, north, "0", -1e12, 1e12, "", "Wanted position from the centre of the "
		"field to the north, that is towards row 0."),
	UM_CHOICE(struct centroid, unit, "pixel", "pixel|uas", "What weight, east and north are measured in; uas "
		"needs fov_uas."),
};

struct self {
	double factor, column, row; /* -weight per pixel squared; c0 */
	int64_t planes, rows, columns;
};

static um_status create(void **self, const void *p_, const um_env *env, um_prior_info *info)
{
	const struct centroid *p = p_;
	const int64_t *s = env->shape;
	double unit = 1; /* in pixels */
	struct self *t;
	if (strcmp(p->unit, "uas") == 0) {
		if (!(env->pixel > 0))
			return um_fail(UM_EPARAM, "the position is in micro-arcseconds, but the image is "
				"not of the sky; give image.fov_uas, or say unit = \"pixel\"");
		unit = RADIANS_PER_UAS / env->pixel;
	}
	if ((t = malloc(sizeof(*t))) == NULL)
		return um_fail(UM_ENOMEM, "no memory for centroid");
	*t = (struct self){ -p->weight / (unit * unit), (double)(s[4] - 1) / 2 - p->east * unit,
		(double)(s[3] - 1) / 2 - p->north * unit, s[0] * s[1] * s[2], s[3], s[4] };
	info->positive = true;
	*self = t;
	return UM_OK;
}

/* log p of one plane and, where g is wanted, its gradient. */
static um_status plane(const struct self *t, const float *x, double *lp, float *g)
{
	const int64_t n = t->rows * t->columns;
	double flux = 0, cx = 0, cy = 0;
	for (int64_t i = 0; i < n; i++) {
		flux += x[i];
		cx += x[i] * (double)(i % t->columns);
		cy += x[i] * (double)(i / t->columns);
	}
	if (!(flux > 0))
		return um_fail(UM_ENUM, "centroid: an image of total flux %g has no position; positive "
			"images are needed, as with transform = \"softplus\"", flux);
	cx /= flux;
	cy /= flux;
	const double ex = cx - t->column, ey = cy - t->row;
	*lp = t->factor / 2 * (ex * ex + ey * ey);
	for (int64_t i = 0; g != NULL && i < n; i++) {
		const double dx = (double)(i % t->columns) - cx, dy = (double)(i / t->columns) - cy;
		g[i] = (float)(t->factor * (ex * dx + ey * dy) / flux);
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
			UM_TRY(plane(t, um_row_f(x, b) + p * n, &v, g));
			lp[b] += v;
		}
	}
out:
	return st;
}

static const um_prior_ops ops = { .create = create, .destroy = free, .logp = logp };

UM_PLUGIN = {
	UM_HEADER, UM_PRIOR, 0, "centroid", "1.0",
	"Position: the centroid of the image is near a given place; positive images only.",
	"",
	UM_PARAMS(struct centroid, params), UM_OPS(ops),
};
