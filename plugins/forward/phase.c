/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Phase retrieval: y = |Y| + sigma n, the magnitudes of the orthonormal Fourier transform of the image
 * in a larger frame of zeros, R' x C' pixels, at all frequencies k1, k2 of the frame, row after row. Y(-k) =
 * conj Y(k), but k and -k are two data with noise of their own, as on a detector. With Y = A x,
 *   J dx = Re(conj(Y) A dx) / |Y|,   J^T v = Re A^H (v Y / |Y|),   0 where Y = 0.
 * An image turned by half a turn, or shifted within the field, gives the same y. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <umbra/fft.h>
#include <umbra/plugin.h>

struct phase {
	double oversample, sigma;
};

static const um_param params[] = {
	UM_PARAM(struct phase, oversample, "2", 1, 16, "", "Sides of the frame in sides of the image; at 2 and more "
		"the magnitudes say all that they can."),
	UM_PARAM(struct phase, sigma, "0.05", 1e-12, 1e12, "", "Standard deviation of the noise of every magnitude, in "
		"units of the image (the transform is orthonormal)."),
};

struct self {
	double sigma;
	int64_t planes, rows, columns; /* of x */
	int64_t high, wide, half;      /* of the frame, and columns of its half spectrum */
	um_fft2 *fft;
	double *y;                     /* Y of the image, [high][half] complex */
};

static void destroy(void *self)
{
	struct self *f = self;
	um_fft2_free(f->fft);
	free(f->y);
	free(f);
}

static um_status create(void **self, const void *p_, const um_env *env, um_forward_info *info)
{
	const struct phase *p = p_;
	const int64_t *s = env->shape;
	um_status st = UM_OK;
	struct self *f = calloc(1, sizeof(*f));
	if (f == NULL)
		return um_fail(UM_ENOMEM, "no memory for phase");
	*f = (struct self){ .sigma = p->sigma, .planes = s[0] * s[1] * s[2], .rows = s[3], .columns = s[4],
		.high = llround(p->oversample * (double)s[3]), .wide = llround(p->oversample * (double)s[4]) };
	f->half = f->wide / 2 + 1;
	f->y = malloc(sizeof(double) * (size_t)(2 * f->high * f->half));
	if (f->y == NULL)
		UM_TRY(um_fail(UM_ENOMEM, "no memory for phase"));
	UM_TRY(um_fft2_new(f->high, f->wide, &f->fft));
	info->ny = f->planes * f->high * f->wide;
	info->shift_free = true;
	*self = f;
out:
	if (st != UM_OK)
		destroy(f);
	return st;
}

/* Y of one plane, into the half spectrum. */
static double *transform(const struct self *f, const float *x)
{
	const double scale = 1 / sqrt((double)(f->high * f->wide));
	double *frame = um_fft2_image(f->fft), *spectrum = um_fft2_spectrum(f->fft);
	memset(frame, 0, sizeof(double) * (size_t)(f->high * f->wide));
	for (int64_t i = 0; i < f->rows * f->columns; i++)
		frame[i / f->columns * f->wide + i % f->columns] = scale * x[i];
	um_fft2_forward(f->fft);
	return spectrum;
}

/* Where k or, in the other half, -k is in the half spectrum. */
static int64_t entry(const struct self *f, int64_t k1, int64_t k2)
{
	return k2 < f->half ? k1 * f->half + k2 : (f->high - k1) % f->high * f->half + f->wide - k2;
}

static um_status apply(void *self, const um_array *op, const um_array *x, const um_array *dx, um_array *y,
	um_array *dy)
{
	const struct self *f = self;
	const int64_t pixels = f->rows * f->columns, n = f->high * f->wide;
	const size_t bytes = sizeof(double) * (size_t)(2 * f->high * f->half);
	(void)op;
	for (int64_t row = 0; row < x->dim[0] * f->planes; row++) {
		const int64_t b = row / f->planes, p = row % f->planes;
		memcpy(f->y, transform(f, um_row_f(x, b) + p * pixels), bytes);
		const double *d = dx != NULL ? transform(f, um_row_f(dx, b) + p * pixels) : NULL;
		for (int64_t k = 0; k < n; k++) {
			const int64_t e = 2 * entry(f, k / f->wide, k % f->wide);
			const double re = f->y[e], im = f->y[e + 1], size = hypot(re, im);
			um_row_d(y, b)[p * n + k] = size;
			if (d != NULL)
				um_row_d(dy, b)[p * n + k] = size > 0 ? (re * d[e] + im * d[e + 1]) / size : 0;
		}
	}
	return UM_OK;
}

/* The Hermitian part of v Y / |Y| has the mean of v at k and -k. */
static um_status pullback(void *self, const um_array *op, const um_array *x, const um_array *v, um_array *jtv)
{
	const struct self *f = self;
	const int64_t pixels = f->rows * f->columns, n = f->high * f->wide;
	const double scale = 1 / sqrt((double)n), *frame = um_fft2_image(f->fft);
	(void)op;
	for (int64_t row = 0; row < x->dim[0] * f->planes; row++) {
		const int64_t b = row / f->planes, p = row % f->planes;
		const double *w = um_row_d(v, b) + p * n;
		double *z = transform(f, um_row_f(x, b) + p * pixels);
		for (int64_t e = 0; e < f->high * f->half; e++) {
			const int64_t k1 = e / f->half, k2 = e % f->half;
			const int64_t minus = (f->high - k1) % f->high * f->wide + (f->wide - k2) % f->wide;
			const double size = hypot(z[2 * e], z[2 * e + 1]);
			const double g = size > 0 ? (w[k1 * f->wide + k2] + w[minus]) / (2 * size) : 0;
			z[2 * e] *= g;
			z[2 * e + 1] *= g;
		}
		um_fft2_backward(f->fft);
		for (int64_t i = 0; i < pixels; i++)
			um_row_f(jtv, b)[p * pixels + i] = (float)(scale * frame[i / f->columns * f->wide + i % f->columns]);
	}
	return UM_OK;
}

static um_status noise(void *self, um_array *sigma, um_array *op)
{
	(void)op;
	um_array_fill(sigma, ((const struct self *)self)->sigma);
	return UM_OK;
}

static const um_forward_ops ops = {
	.create = create, .destroy = destroy, .apply = apply, .pullback = pullback, .noise = noise,
};

UM_PLUGIN = {
	UM_HEADER, UM_FORWARD, 0, "phase", "1.0",
	"Magnitudes of the oversampled Fourier transform of the image, with noise: not linear.", "",
	UM_PARAMS(struct phase, params), UM_OPS(ops),
};
