/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The direct transform against the plain sum, and against its own adjoint. */
#include <stdbool.h>
#include <umbra/dft.h>
#include <umbra/rng.h>
#include "check.h"

#define PIXEL 1.2e-11
#define TURN 6.28318530717958647693

static double sinc(double x)
{
	return x == 0 ? 1 : sin(0.5 * TURN * x) / (0.5 * TURN * x);
}

static void plain(int64_t rows, int64_t columns, const double *image, double u, double v, um_pulse p,
	double out[2])
{
	double s = sinc(u * PIXEL) * sinc(v * PIXEL);
	double pulse = p == UM_DELTA ? 1 : p == UM_RECT ? s : s * s;
	out[0] = out[1] = 0;
	for (int64_t j = 0; j < rows; j++)
		for (int64_t k = 0; k < columns; k++) {
			double l = (0.5 * (double)(columns - 1) - (double)k) * PIXEL;
			double m = (0.5 * (double)(rows - 1) - (double)j) * PIXEL;
			double a = TURN * (u * l + v * m);
			out[0] += pulse * image[j * columns + k] * cos(a);
			out[1] += pulse * image[j * columns + k] * sin(a);
		}
}

struct shape { int64_t n, rows, columns, batch; um_pulse pulse; };

static const struct shape shapes[] = {
	{ 1, 1, 1, 1, UM_TRIANGLE }, { 7, 8, 8, 3, UM_TRIANGLE }, { 130, 9, 6, 2, UM_RECT },
	{ 128, 5, 7, 1, UM_DELTA }, { 300, 32, 31, 20, UM_TRIANGLE }, { 50, 1, 12, 2, UM_DELTA },
	{ 20, 12, 1, 2, UM_RECT },
};

static double *randoms(um_rng *r, int64_t n, double scale)
{
	double *p = malloc((size_t)n * sizeof(*p));
	for (int64_t i = 0; i < n; i++)
		p[i] = scale * um_normal(r);
	return p;
}

static void each(const struct shape *s, bool adjoint)
{
	um_rng r = um_rng_new(1, "dft", (uint64_t)(s - shapes));
	um_dft *d;
	const int64_t pixels = s->rows * s->columns;
	double *u = randoms(&r, s->n, 4e9);
	double *v = randoms(&r, s->n, 4e9);
	double *x = randoms(&r, s->batch * pixels, 1);
	double *back = randoms(&r, s->batch * pixels, 1);
	double *re = randoms(&r, s->batch * s->n, 1);
	double *im = randoms(&r, s->batch * s->n, 1);
	double *wre = randoms(&r, s->batch * s->n, 1);
	double *wim = randoms(&r, s->batch * s->n, 1);
	CHECK_OK(um_dft_new(u, v, s->n, s->rows, s->columns, PIXEL, s->pulse, &d));
	CHECK_OK(um_dft_forward(d, s->batch, x, re, im));
	CHECK_OK(um_dft_adjoint(d, s->batch, wre, wim, back));
	for (int64_t b = 0; b < s->batch; b++) {
		double left = 0;
		double right = 0;
		double size = 0;
		for (int64_t i = b * s->n; i < (b + 1) * s->n; i++) {
			double want[2];
			plain(s->rows, s->columns, x + b * pixels, u[i - b * s->n], v[i - b * s->n], s->pulse, want);
			if (!adjoint) {
				CHECK_NEAR(re[i], want[0], 1e-12 * (double)pixels);
				CHECK_NEAR(im[i], want[1], 1e-12 * (double)pixels);
			}
			left += re[i] * wre[i] + im[i] * wim[i];
			size += fabs(re[i] * wre[i]) + fabs(im[i] * wim[i]);
		}
		for (int64_t i = b * pixels; i < (b + 1) * pixels; i++)
			right += x[i] * back[i];
		if (adjoint)
			CHECK_NEAR(left, right, 1e-12 * size);
	}
	um_dft_free(d);
	free(u), free(v), free(x), free(back), free(re), free(im), free(wre), free(wim);
}

static void forward(void)
{
	for (size_t i = 0; i < sizeof(shapes) / sizeof(*shapes); i++)
		each(&shapes[i], false);
}

static void adjoint(void)
{
	for (size_t i = 0; i < sizeof(shapes) / sizeof(*shapes); i++)
		each(&shapes[i], true);
}

/* East of the centre: the phase grows with u. North: with v. */
static void directions(void)
{
	um_dft *d;
	double image[9] = { 0 };
	double re, im;
	const double u = 1e9;
	const double zero = 0;
	image[3] = 1; /* middle row, first column: east */
	CHECK_OK(um_dft_new(&u, &zero, 1, 3, 3, PIXEL, UM_DELTA, &d));
	CHECK_OK(um_dft_forward(d, 1, image, &re, &im));
	CHECK_NEAR(im, sin(TURN * u * PIXEL), 1e-14);
	um_dft_free(d);
	image[3] = 0;
	image[1] = 1; /* first row: north */
	CHECK_OK(um_dft_new(&zero, &u, 1, 3, 3, PIXEL, UM_DELTA, &d));
	CHECK_OK(um_dft_forward(d, 1, image, &re, &im));
	CHECK_NEAR(im, sin(TURN * u * PIXEL), 1e-14);
	um_dft_free(d);
	CHECK_FAILS(um_dft_new(&u, &u, 1, 3, 3, 0, UM_DELTA, &d), UM_EARG, "pixel");
	um_pulse p;
	CHECK(um_pulse_named("rect", &p) && p == UM_RECT && !um_pulse_named("round", &p));
}

CHECK_MAIN(CHECK_CASE(forward), CHECK_CASE(adjoint), CHECK_CASE(directions))
