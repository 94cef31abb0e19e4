/* SPDX-License-Identifier: GPL-3.0-or-later */
/* y = D x E^T + sigma n for every plane x: fewer, larger pixels. Row m of the factors D [R/f][R] and
 * E [C/f][C] has weights about position f (m + 1/2), pixel p being at p + 1/2:
 *   mean     1/f for the f pixels of block m;
 *   bicubic  k((p + 1/2)/f - m - 1/2), of sum 1, k the cubic of Keys 1981 (doi:10.1109/TASSP.1981.1163711),
 *            a = -1/2, stretched by f against aliases; the image goes on as its mirror image.
 * A A^T is the Kronecker product of D D^T and E E^T, small matrices; of means it is 1/f^2. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <umbra/linalg.h>
#include <umbra/plugin.h>
#include <umbra/spectral.h>

struct superres {
	const char *method;
	int64_t factor;
	double sigma;
};

static const um_param params[] = {
	UM_CHOICE(struct superres, method, "mean", "mean|bicubic", "How pixels are joined: the mean of a block, or "
		"bicubic interpolation with antialiasing."),
	UM_PARAM(struct superres, factor, "2", 1, 4096, "", "How many pixels along each axis become one; it divides "
		"both sides of the image."),
	UM_PARAM(struct superres, sigma, "0.05", 1e-12, 1e12, "", "Standard deviation of the noise, in units of the "
		"image that the instrument sees (scale times x)."),
};

struct self {
	double sigma;
	int64_t planes, rows, columns; /* of x */
	int64_t high, wide;            /* rows and columns of y */
	double *down, *across;         /* D and E */
	double *x, *half;              /* [rows][columns] and [high][columns] work */
	um_spectral normal;            /* A A^T of a plane */
};

static void destroy(void *self)
{
	struct self *f = self;
	um_spectral_free(&f->normal);
	free(f->down);
	free(f);
}

static double cubic(double t)
{
	t = fabs(t);
	if (t < 1)
		return (1.5 * t - 2.5) * t * t + 1;
	return t < 2 ? ((-0.5 * t + 2.5) * t - 4) * t + 2 : 0;
}

/* The factor of an axis of n pixels, [n / f][n]. */
static void make_factor(bool bicubic, int64_t n, int64_t f, double *a)
{
	memset(a, 0, sizeof(*a) * (size_t)(n / f * n));
	for (int64_t m = 0; m < n / f; m++) {
		double *row = a + m * n, sum = 0;
		for (int64_t p = f * m - 2 * f; p < f * m + 3 * f; p++) {
			const double t = ((double)(p - f * m) + 0.5) / (double)f - 0.5;
			const int64_t q = (p % (2 * n) + 2 * n) % (2 * n);
			const double weight = bicubic ? cubic(t) : fabs(t) < 0.5;
			row[q < n ? q : 2 * n - 1 - q] += weight;
			sum += weight;
		}
		for (int64_t p = 0; p < n; p++)
			row[p] /= sum;
	}
}

/* D D^T and E E^T, decomposed. */
static um_status make_normal(struct self *f)
{
	um_status st = UM_OK;
	double *down = malloc(sizeof(*down) * (size_t)(f->high * f->high));
	double *across = malloc(sizeof(*across) * (size_t)(f->wide * f->wide));
	if (down == NULL || across == NULL)
		UM_TRY(um_fail(UM_ENOMEM, "no memory for superres"));
	um_gemm(false, true, f->high, f->high, f->rows, f->down, f->down, down);
	um_gemm(false, true, f->wide, f->wide, f->columns, f->across, f->across, across);
	UM_TRY(um_spectral_axes(f->high, f->wide, down, across, &f->normal));
out:
	free(down);
	free(across);
	return st;
}

static um_status create(void **self, const void *p_, const um_env *env, um_forward_info *info)
{
	const struct superres *p = p_;
	const int64_t *s = env->shape, rows = s[3], columns = s[4];
	const int64_t high = rows / p->factor, wide = columns / p->factor;
	const bool bicubic = strcmp(p->method, "bicubic") == 0;
	um_status st = UM_OK;
	if (rows % p->factor != 0 || columns % p->factor != 0)
		return um_fail(UM_EPARAM, "factor = %lld does not divide both sides of the image, %lld x %lld pixels",
			(long long)p->factor, (long long)columns, (long long)rows);
	struct self *f = calloc(1, sizeof(*f));
	if (f == NULL)
		return um_fail(UM_ENOMEM, "no memory for superres");
	*f = (struct self){ .sigma = p->sigma, .planes = s[0] * s[1] * s[2], .rows = rows, .columns = columns,
		.high = high, .wide = wide };
	f->down = malloc(sizeof(double) * (size_t)(high * rows + wide * columns + rows * columns + high * columns));
	if (f->down == NULL)
		UM_TRY(um_fail(UM_ENOMEM, "no memory for superres"));
	f->across = f->down + high * rows;
	f->x = f->across + wide * columns;
	f->half = f->x + rows * columns;
	make_factor(bicubic, rows, p->factor, f->down);
	make_factor(bicubic, columns, p->factor, f->across);
	UM_TRY(bicubic ? make_normal(f) : um_spectral_white(high * wide, 1 / (double)(p->factor * p->factor),
		&f->normal));
	info->ny = f->planes * high * wide;
	info->linear = true;
	*self = f;
out:
	if (st != UM_OK)
		destroy(f);
	return st;
}

static void shrink(struct self *f, const um_array *x, um_array *y)
{
	const int64_t pixels = f->rows * f->columns;
	for (int64_t b = 0; b < x->dim[0]; b++)
		for (int64_t p = 0; p < f->planes; p++) {
			for (int64_t i = 0; i < pixels; i++)
				f->x[i] = um_row_f(x, b)[p * pixels + i];
			um_gemm(false, false, f->high, f->columns, f->rows, f->down, f->x, f->half);
			um_gemm(false, true, f->high, f->wide, f->columns, f->half, f->across,
				um_row_d(y, b) + p * f->high * f->wide);
		}
}

static um_status apply(void *self, const um_array *op, const um_array *x, const um_array *dx, um_array *y,
	um_array *dy)
{
	(void)op;
	shrink(self, x, y);
	if (dx != NULL)
		shrink(self, dx, dy);
	return UM_OK;
}

static um_status pullback(void *self, const um_array *op, const um_array *x, const um_array *v, um_array *jtv)
{
	struct self *f = self;
	const int64_t pixels = f->rows * f->columns;
	(void)op, (void)x;
	for (int64_t b = 0; b < jtv->dim[0]; b++)
		for (int64_t p = 0; p < f->planes; p++) {
			um_gemm(false, false, f->high, f->columns, f->wide, um_row_d(v, b) + p * f->high * f->wide,
				f->across, f->half);
			um_gemm(true, false, f->rows, f->columns, f->high, f->down, f->half, f->x);
			for (int64_t i = 0; i < pixels; i++)
				um_row_f(jtv, b)[p * pixels + i] = (float)f->x[i];
		}
	return UM_OK;
}

static um_status noise(void *self, um_array *sigma, um_array *op)
{
	(void)op;
	um_array_fill(sigma, ((const struct self *)self)->sigma);
	return UM_OK;
}

static um_status solve(void *self, const um_array *op, const um_array *sigma, double a2, double b2,
	const um_array *r, um_array *out)
{
	const struct self *f = self;
	const int64_t n = f->high * f->wide;
	um_status st = UM_OK;
	(void)op;
	for (int64_t b = 0; b < r->dim[0]; b++)
		for (int64_t at = 0; at < f->planes * n && st == UM_OK; at += n)
			st = um_spectral_solve(&f->normal, f->normal.c, um_row_d(sigma, b) + at, a2, b2,
				um_row_d(r, b) + at, um_row_d(out, b) + at);
	return st;
}

static const um_forward_ops ops = {
	.create = create, .destroy = destroy, .apply = apply, .pullback = pullback, .noise = noise, .solve = solve,
};

UM_PLUGIN = {
	UM_HEADER, UM_FORWARD, 0, "superres", "1.0",
	"The image with fewer, larger pixels, with white noise.", "",
	UM_PARAMS(struct superres, params), UM_OPS(ops),
};
