/* SPDX-License-Identifier: GPL-3.0-or-later */
/* y = m x + sigma n where m is 1, the pixels that are seen; y = 0 where m is 0, which says nothing. The
 * mask m is op, one number a pixel of a plane, the same for all planes; with a pattern simulate draws
 * another one for every measurement. A A^T = diag(m^2). A signal on n vertices is an image of n x 1 pixels. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <umbra/mask.h>
#include <umbra/plugin.h>

struct inpaint {
	const char *pattern;
	double seen;
	um_pair fractions;
	bool same;
	int64_t width, height;
	const char *place, *mask;
	double sigma;
};

static const um_param params[] = {
	UM_CHOICE(struct inpaint, pattern, "random", "random|box", "Which pixels are not seen: any, or those "
		"of a box."),
	UM_PARAM(struct inpaint, seen, "0.5", 0, 1, "", "Fraction of the pixels that random lets through, at least "
		"one pixel."),
	UM_PARAM(struct inpaint, fractions, "[0.0, 0.0]", 0, 1, "", "Simulated measurements see a fraction between these, each "
		"another, in place of seen; 0: seen."),
	UM_PARAM(struct inpaint, same, "false", 0, 0, "", "Every measurement has the same mask, drawn by the seed of the pipeline."),
	UM_PARAM(struct inpaint, width, "0", 0, 65536, "", "Columns of the box; 0: half of the image's."),
	UM_PARAM(struct inpaint, height, "0", 0, 65536, "", "Rows of the box; 0: half of the image's, at least one."),
	UM_CHOICE(struct inpaint, place, "centre", "centre|random", "Where the box is."),
	UM_FILE(struct inpaint, mask, "", "A mask in place of a pattern: FITS or .npy, as large as the image, 1 "
		"where it is seen and else 0."),
	UM_PARAM(struct inpaint, sigma, "0.05", 1e-12, 1e12, "", "Standard deviation of the noise, in units of the "
		"image that the instrument sees (scale times x)."),
};

struct self {
	struct inpaint p;
	um_rng rng;            /* of the mask of noise(), and of all that are the same */
	int64_t planes, rows, columns, pixels;
	int64_t width, height; /* of the box */
	double *mask;          /* [pixels] that of the file; NULL: none */
};

static void destroy(void *self)
{
	struct self *f = self;
	free(f->mask);
	free(f);
}

static um_status read_file(struct self *f)
{
	if (*f->p.mask == '\0')
		return UM_OK;
	f->mask = malloc(sizeof(double) * (size_t)f->pixels);
	if (f->mask == NULL)
		return um_fail(UM_ENOMEM, "no memory for inpaint");
	return um_mask_read(f->p.mask, true, f->rows, f->columns, f->mask);
}

static um_status check_box(const struct self *f)
{
	if (*f->p.mask != '\0' || strcmp(f->p.pattern, "box") != 0)
		return UM_OK;
	if (f->width > f->columns || f->height > f->rows || f->width * f->height >= f->pixels)
		return um_fail(UM_EPARAM, "a box of width %lld and height %lld leaves nothing of the image, %lld x %lld "
			"pixels; make it smaller", (long long)f->width, (long long)f->height, (long long)f->columns,
			(long long)f->rows);
	return UM_OK;
}

static um_status create(void **self, const void *p_, const um_env *env, um_forward_info *info)
{
	static const char *const stats[] = { "chi2" };
	const struct inpaint *p = p_;
	const int64_t *s = env->shape;
	um_status st = UM_OK;
	struct self *f = calloc(1, sizeof(*f));
	if (f == NULL)
		return um_fail(UM_ENOMEM, "no memory for inpaint");
	*f = (struct self){ .p = *p, .rng = um_rng_new(env->seed, "inpaint", 0), .planes = s[0] * s[1] * s[2],
		.rows = s[3], .columns = s[4], .pixels = s[3] * s[4] };
	f->width = p->width > 0 ? p->width : (f->columns + 1) / 2;
	f->height = p->height > 0 ? p->height : (f->rows + 1) / 2;
	if (p->same && p->fractions.hi > 0)
		UM_TRY(um_fail(UM_EPARAM, "same: masks cannot be the same and have fractions that differ; leave one of them out"));
	UM_TRY(check_box(f));
	UM_TRY(read_file(f));
	info->ny = f->planes * f->pixels;
	info->nop = f->pixels;
	info->linear = true;
	info->nstats = 1;
	info->stats = stats;
	*self = f;
out:
	if (st != UM_OK)
		destroy(f);
	return st;
}

static void draw_box(const struct self *f, um_rng *rng, double *mask)
{
	int64_t top = (f->rows - f->height) / 2, left = (f->columns - f->width) / 2;
	if (strcmp(f->p.place, "random") == 0) {
		top = (int64_t)((double)(f->rows - f->height + 1) * um_uniform(rng));
		left = (int64_t)((double)(f->columns - f->width + 1) * um_uniform(rng));
	}
	for (int64_t i = 0; i < f->pixels; i++) {
		const int64_t r = i / f->columns - top, c = i % f->columns - left;
		mask[i] = r < 0 || r >= f->height || c < 0 || c >= f->width;
	}
}

static void draw(const struct self *f, um_rng *rng, double seen, double *mask)
{
	const int64_t many = llround(seen * (double)f->pixels);
	um_rng same = f->rng;
	rng = f->p.same ? &same : rng;
	if (f->mask != NULL) {
		memcpy(mask, f->mask, sizeof(double) * (size_t)f->pixels);
	} else if (strcmp(f->p.pattern, "box") == 0) {
		draw_box(f, rng, mask);
	} else {
		memset(mask, 0, sizeof(double) * (size_t)f->pixels);
		um_mask_choose(rng, f->pixels, many > 0 ? many : 1, mask);
	}
}

static void look(const struct self *f, const um_array *op, const um_array *x, um_array *y)
{
	for (int64_t b = 0; b < x->dim[0]; b++)
		for (int64_t i = 0; i < f->planes * f->pixels; i++)
			um_row_d(y, b)[i] = um_row_d(op, b)[i % f->pixels] * um_row_f(x, b)[i];
}

static um_status apply(void *self, const um_array *op, const um_array *x, const um_array *dx, um_array *y,
	um_array *dy)
{
	look(self, op, x, y);
	if (dx != NULL)
		look(self, op, dx, dy);
	return UM_OK;
}

static um_status pullback(void *self, const um_array *op, const um_array *x, const um_array *v, um_array *jtv)
{
	const struct self *f = self;
	(void)x;
	for (int64_t b = 0; b < jtv->dim[0]; b++)
		for (int64_t i = 0; i < f->planes * f->pixels; i++)
			um_row_f(jtv, b)[i] = (float)(um_row_d(op, b)[i % f->pixels] * um_row_d(v, b)[i]);
	return UM_OK;
}

static um_status noise(void *self, um_array *sigma, um_array *op)
{
	const struct self *f = self;
	um_rng rng = f->rng;
	um_array_fill(sigma, f->p.sigma);
	draw(f, &rng, f->p.seen, um_row_d(op, 0));
	return UM_OK;
}

static um_status simulate(void *self, um_rng *rng, const um_array *x, um_array *op, um_array *y,
	um_array *sigma, um_sink *sink)
{
	const struct self *f = self;
	const um_pair *s = &f->p.fractions;
	(void)sink;
	for (int64_t b = 0; b < x->dim[0]; b++) {
		const double seen = s->hi > 0 ? s->lo + (s->hi - s->lo) * um_uniform(&rng[b]) : f->p.seen;
		draw(f, &rng[b], seen, um_row_d(op, b));
		for (int64_t i = 0; i < f->planes * f->pixels; i++) {
			const double n = f->p.sigma * um_normal(&rng[b]);
			um_row_d(sigma, b)[i] = f->p.sigma;
			um_row_d(y, b)[i] = um_row_d(op, b)[i % f->pixels] * (um_row_f(x, b)[i] + n);
		}
	}
	return UM_OK;
}

static um_status solve(void *self, const um_array *op, const um_array *sigma, double a2, double b2,
	const um_array *r, um_array *out)
{
	const struct self *f = self;
	for (int64_t b = 0; b < r->dim[0]; b++)
		for (int64_t i = 0; i < f->planes * f->pixels; i++) {
			const double s = um_row_d(sigma, b)[i], m = um_row_d(op, b)[i % f->pixels];
			const double d = a2 * s * s + b2 * m * m;
			um_row_d(out, b)[i] = d > 0 ? um_row_d(r, b)[i] / d : 0;
		}
	return UM_OK;
}

/* Chi-square by the number of pixels that are seen. */
static um_status stats(void *self, const um_array *op, const um_array *x, const um_array *y,
	const um_array *sigma, double *values)
{
	const struct self *f = self;
	for (int64_t b = 0; b < x->dim[0]; b++) {
		double sum = 0, many = 0;
		for (int64_t i = 0; i < f->planes * f->pixels; i++) {
			const double m = um_row_d(op, b)[i % f->pixels];
			const double r = (um_row_d(y, b)[i] - m * um_row_f(x, b)[i]) / um_row_d(sigma, b)[i];
			sum += m != 0 ? r * r : 0;
			many += m != 0;
		}
		values[b] = sum / many;
	}
	return UM_OK;
}

static const um_forward_ops ops = {
	.create = create, .destroy = destroy, .apply = apply, .pullback = pullback, .noise = noise,
	.simulate = simulate, .solve = solve, .stats = stats,
};

UM_PLUGIN = {
	UM_HEADER, UM_FORWARD, 0, "inpaint", "1.1",
	"A part of the pixels, with white noise: at random, all but a box, or those of a mask.", "",
	UM_PARAMS(struct inpaint, params), UM_OPS(ops),
};
