/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Beams of baselines whose beam is known, and what restoring does to a point. */
#include <math.h>
#include <stdlib.h>
#include <umbra/rng.h>
#include <umbra/uvbeam.h>
#include "check.h"

#define UAS 4.848136811095360e-12
#define PI 3.14159265358979323846

/* Rows with normal u, v: widths s1 along a direction of angle a (from north to east), s2 across. */
static void scatter(um_uvrow *rows, int64_t n, double s1, double s2, double a, um_uvdata *d)
{
	um_rng r = um_rng_new(8, "beam", 0);
	*d = (um_uvdata){ .nrows = n, .rows = rows };
	for (int64_t i = 0; i < n; i++) {
		double p = s1 * um_normal(&r), q = s2 * um_normal(&r);
		rows[i] = (um_uvrow){ .sigma = 0.1, .u = p * sin(a) + q * cos(a), .v = p * cos(a) - q * sin(a) };
	}
}

/* exp(-2 pi^2 s^2 r^2) has the full width 2 sqrt(ln 2 / 2) / (pi s), the longer where the
 * baselines are shorter. */
static void fit(void)
{
	enum { N = 20000 };
	um_uvrow *rows = calloc(N, sizeof(*rows));
	um_uvdata d;
	um_beam b;
	const um_uvfield field = { 100, 100, 2 * UAS };
	for (int k = -4; k <= 5; k++) {
		double a = PI * k / 10.5;
		scatter(rows, N, 2e9, 3.5e9, a, &d);
		CHECK_OK(um_uvbeam_fit(&d, &field, &b));
		CHECK_REL(b.major, 2 * sqrt(0.5 * log(2)) / (PI * 2e9), 0.03);
		CHECK_REL(b.minor, 2 * sqrt(0.5 * log(2)) / (PI * 3.5e9), 0.03);
		CHECK_NEAR(remainder(b.angle - a, PI), 0, 0.03);
		CHECK(fabs(b.angle) <= PI / 2);
	}
	for (int64_t i = 0; i < N; i++) /* east and west only: no width north and south */
		rows[i].v = 0;
	d.nrows = 500;
	CHECK_OK(um_uvbeam_fit(&d, &field, &b));
	CHECK_REL(b.major, 200 * UAS, 0.15);
	CHECK(b.minor < 60 * UAS && fabs(b.angle) < 0.05);
	free(rows);
}

/* The beam is 1 at the centre, and the dirty image of a point is the beam moved there, brighter. */
static void dirty(void)
{
	enum { N = 300, S = 33 };
	um_uvrow rows[N];
	um_uvdata d;
	double re[N], im[N], beam[S * S], image[S * S];
	const um_uvfield field = { S, S, 3 * UAS };
	scatter(rows, N, 2e9, 3e9, 0.3, &d);
	for (int i = 0; i < N; i++) { /* 0.7 Jy, 5 pixels east and 2 north of the centre */
		double t = 2 * PI * 3 * UAS * (5 * rows[i].u + 2 * rows[i].v);
		rows[i].sigma = 0.1 + 0.001 * i;
		re[i] = 0.7 * cos(t);
		im[i] = 0.7 * sin(t);
	}
	CHECK_OK(um_uvbeam_image(&d, NULL, NULL, &field, beam));
	CHECK_OK(um_uvbeam_image(&d, re, im, &field, image));
	CHECK_NEAR(beam[16 * S + 16], 1, 1e-9);
	for (int r = 0; r < S - 2; r++)
		for (int c = 0; c < S - 5; c++)
			CHECK_NEAR(image[r * S + c], 0.7 * beam[(r + 2) * S + c + 5], 1e-6);
	for (int i = 0; i < N; i++)
		rows[i].u = rows[i].v = 1e6;
	CHECK_FAILS(um_uvbeam_image(&d, NULL, NULL, &field, beam), UM_EDATA, "no baseline resolves");
	CHECK_FAILS(um_uvbeam_fit(&d, &field, &(um_beam){ 0 }), UM_EDATA, "no baseline resolves");
}

/* A point becomes the beam with its own flux as the peak; nothing comes round the edge. */
static void restore(void)
{
	enum { R = 40, C = 51 };
	static double image[R * C], out[R * C];
	const um_beam b = { 12 * UAS, 8 * UAS, 0.5 };
	const um_uvfield field = { R, C, UAS };
	image[20 * C + 25] = 2;
	image[39 * C] = 1;
	CHECK_OK(um_beam_restore(&b, image, &field, out));
	CHECK_NEAR(out[20 * C + 25], 2, 1e-9);
	CHECK_NEAR(out[39 * C], 1, 1e-9);
	CHECK_NEAR(out[50], 0, 1e-12);
	for (int i = -6; i <= 6; i++)
		for (int k = -6; k <= 6; k++) { /* i north, k east */
			double p = k * sin(0.5) + i * cos(0.5), q = k * cos(0.5) - i * sin(0.5);
			double want = 2 * exp(-4 * log(2) * (p * p / 144 + q * q / 64));
			CHECK_NEAR(out[(20 - i) * C + 25 - k], want, 1e-9);
		}
}

CHECK_MAIN(CHECK_CASE(fit), CHECK_CASE(dirty), CHECK_CASE(restore))
