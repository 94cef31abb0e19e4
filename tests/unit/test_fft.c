/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdbool.h>
#include <umbra/fft.h>
#include <umbra/rng.h>
#include "check.h"

static const int shapes[][2] = { { 6, 8 }, { 5, 7 }, { 1, 2 }, { 1, 1 }, { 3, 1 } };

static void against_sum(int rows, int columns)
{
	um_fft2 *f = NULL;
	CHECK_OK(um_fft2_new(rows, columns, &f));
	um_rng r = um_rng_new(5, "fft", (uint64_t)rows);
	double *x = um_fft2_image(f), *s = um_fft2_spectrum(f), keep[64];
	um_normal_fill(&r, x, rows * columns);
	memcpy(keep, x, sizeof(double) * (size_t)(rows * columns));
	um_fft2_forward(f);
	for (int k1 = 0; k1 < rows; k1++)
		for (int k2 = 0; k2 <= columns / 2; k2++) {
			double re = 0, im = 0;
			for (int i = 0; i < rows * columns; i++) {
				double phase = -2 * 3.14159265358979323846 * ((double)k1 * (i / columns) / rows +
					(double)k2 * (i % columns) / columns);
				re += keep[i] * cos(phase);
				im += keep[i] * sin(phase);
			}
			const double *got = s + 2 * (k1 * (columns / 2 + 1) + k2);
			CHECK_NEAR(got[0], re, 1e-12);
			CHECK_NEAR(got[1], im, 1e-12);
		}
	CHECK(memcmp(keep, x, sizeof(double) * (size_t)(rows * columns)) == 0);
	um_fft2_backward(f);
	for (int i = 0; i < rows * columns; i++)
		CHECK_NEAR(x[i], keep[i] * rows * columns, 1e-11);
	um_fft2_free(f);
}

static void against_cosines(int rows, int columns)
{
	const double pi = 3.14159265358979323846;
	um_dct2 *d = NULL;
	CHECK_OK(um_dct2_new(rows, columns, &d));
	um_rng r = um_rng_new(6, "dct", (uint64_t)rows);
	double *x = um_dct2_buffer(d), keep[64];
	um_normal_fill(&r, x, rows * columns);
	memcpy(keep, x, sizeof(double) * (size_t)(rows * columns));
	um_dct2_forward(d);
	for (int k = 0; k < rows * columns; k++) {
		double sum = 0;
		for (int i = 0; i < rows * columns; i++)
			sum += 4 * keep[i] * cos(pi * (k / columns) * (i / columns + 0.5) / rows) *
				cos(pi * (k % columns) * (i % columns + 0.5) / columns);
		CHECK_NEAR(x[k], sum, 1e-12);
	}
	um_dct2_backward(d);
	for (int i = 0; i < rows * columns; i++)
		CHECK_NEAR(x[i], 4 * keep[i] * rows * columns, 1e-11);
	um_dct2_free(d);
}

static void direct_sum(void)
{
	for (size_t i = 0; i < sizeof(shapes) / sizeof(*shapes); i++) {
		against_sum(shapes[i][0], shapes[i][1]);
		against_cosines(shapes[i][0], shapes[i][1]);
	}
}

static void refused(void)
{
	um_fft2 *f = NULL;
	CHECK_FAILS(um_fft2_new(0, 4, &f), UM_EARG, "4 x 0");
	CHECK(f == NULL);
	um_fft2_free(NULL);
	um_dct2 *d = NULL;
	CHECK_FAILS(um_dct2_new(3, 0, &d), UM_EARG, "0 x 3");
	CHECK(d == NULL);
	um_dct2_free(NULL);
}

CHECK_MAIN(CHECK_CASE(direct_sum), CHECK_CASE(refused))
