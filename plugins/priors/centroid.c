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
#include <umbra/planes.h>

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
	um_planes planes;
	double factor, column, row; /* -weight per pixel squared; c0 */
};

static um_status plane(const void *self, const float *x, double *lp, double *g)
{
	const struct self *t = self;
	const int64_t columns = t->planes.columns;
	double flux, cx, cy;
	um_status st = um_planes_centroid(&t->planes, x, &flux, &cx, &cy);
	if (st != UM_OK)
		return um_context(st, "centroid");
	const double ex = cx - t->column, ey = cy - t->row;
	*lp += t->factor / 2 * (ex * ex + ey * ey);
	for (int64_t i = 0; g != NULL && i < t->planes.rows * columns; i++) {
		const double dx = (double)(i % columns) - cx, dy = (double)(i / columns) - cy;
		g[i] = t->factor * (ex * dx + ey * dy) / flux;
	}
	return UM_OK;
}

static um_status create(void **self, const void *p_, const um_env *env, um_prior_info *info)
{
	const struct centroid *p = p_;
	um_status st = UM_OK;
	double unit = 1; /* in pixels */
	struct self *t;
	if (strcmp(p->unit, "uas") == 0)
		UM_TRY(um_env_uas(env, "the position", "say unit = \"pixel\"", &unit));
	if ((t = malloc(sizeof(*t))) == NULL)
		return um_fail(UM_ENOMEM, "no memory for centroid");
	*t = (struct self){ um_planes_of(env, plane), -p->weight / (unit * unit),
		(double)(env->shape[4] - 1) / 2 - p->east * unit, (double)(env->shape[3] - 1) / 2 - p->north * unit };
	info->positive = true;
	*self = t;
out:
	return st;
}

static const um_prior_ops ops = { .create = create, .destroy = free, .logp = um_planes_logp };

UM_PLUGIN = {
	UM_HEADER, UM_PRIOR, 0, "centroid", "1.0",
	"Position: the centroid of the image is near a given place; positive images only.",
	"",
	UM_PARAMS(struct centroid, params), UM_OPS(ops),
};
