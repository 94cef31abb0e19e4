/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The ring in an image against rings of known size, width, brightness and place. With FITS files
 * as arguments this program prints what it finds in them. */
#include <umbra/fits.h>
#include "../../core/report/ring.h"
#include "check.h"

#define UAS 4.84813681109535993590e-12
#define PI 3.14159265358979323846

typedef struct { double diameter, width, angle, asymmetry, east, north; } shape;

/* A ring of Gaussian profile (FWHM width), 1 + 2 A cos(t - angle) along it, at an offset in uas. */
static void draw(double *v, int n, double uas, shape s, double floor_)
{
	for (int i = 0; i < n * n; i++) {
		double east = -uas * (i % n - (n - 1) / 2.0) - s.east;
		double north = -uas * (i / n - (n - 1) / 2.0) - s.north;
		double r = (hypot(east, north) - s.diameter / 2) * 2 * sqrt(2 * log(2)) / s.width;
		double a = atan2(east, north) - s.angle * PI / 180;
		v[i] = floor_ + exp(-0.5 * r * r) * (1 + 2 * s.asymmetry * cos(a));
	}
}

static double turn(double a, double b)
{
	return fabs(remainder(a - b, 360));
}

static void known_rings(void)
{
	enum { MOST = 128 };
	static const struct { int n; double uas; shape s; } cases[] = {
		{ 64, 2, { 40, 10, 150, 0.2, 0, 0 } },
		{ 64, 2, { 36, 12, 30, 0.15, 3, -4 } },
		{ 64, 2, { 46, 8, 270, 0.3, -5, 2 } },
		{ 128, 1, { 42, 10, 5, 0.05, 0.4, -0.7 } },
		{ 128, 1, { 30, 8, 355, 0.4, 11.3, -8.6 } },
		{ 32, 4, { 42, 14, 200, 0.2, 1.7, 0.9 } },
		{ 100, 1.6, { 60, 16, 100, 0.1, -20.3, 14.1 } },
	};
	double v[MOST * MOST];
	for (size_t k = 0; k < sizeof(cases) / sizeof(*cases); k++) {
		const shape s = cases[k].s;
		const double uas = cases[k].uas, middle = (cases[k].n - 1) / 2.0;
		um_ring m;
		draw(v, cases[k].n, uas, s, 0);
		um_ring_measure(v, cases[k].n, cases[k].n, uas * UAS, &m);
		CHECK_NEAR((middle - m.x) * uas, s.east, 0.15);
		CHECK_NEAR((middle - m.y) * uas, s.north, 0.15);
		CHECK_NEAR(m.diameter, s.diameter, 0.2);
		CHECK_NEAR(m.width, s.width, 0.4);
		CHECK_NEAR(turn(m.orientation, s.angle), 0, 1);
		CHECK_NEAR(m.asymmetry, s.asymmetry, 0.01);
		CHECK(m.diameter_std < 0.5 && m.width_std < 0.6);
		CHECK(m.orientation_std < 4 && m.asymmetry_std < 0.02);
	}
}

/* Brightness in the middle by the definition, on a broad ring with a floor. */
static void central_brightness(void)
{
	enum { N = 128 };
	double v[N * N], sum = 0;
	const shape s = { 40, 30, 0, 0, 0, 0 };
	um_ring m;
	draw(v, N, 1, s, 0.1);
	um_ring_measure(v, N, N, UAS, &m);
	for (int i = 0; i < 5000; i++) { /* over equal areas of the disk */
		double r = (5 * sqrt((i + 0.5) / 5000) - 20) * 2 * sqrt(2 * log(2)) / s.width;
		sum += (0.1 + exp(-0.5 * r * r)) / 5000;
	}
	CHECK_NEAR(m.central, sum / 1.1, 0.003);
	draw(v, N, 1, (shape){ 40, 8, 0, 0, 0, 0 }, 0);
	um_ring_measure(v, N, N, UAS, &m);
	CHECK_NEAR(m.central, 0, 1e-3);
}

/* Shifting by whole pixels moves the centre alone; scaling the brightness changes nothing. */
static void shifted(void)
{
	enum { N = 64 };
	double a[N * N], b[N * N] = { 0 };
	um_ring p, q;
	draw(a, N, 2, (shape){ 40, 10, 160, 0.25, 0.6, -0.3 }, 0);
	for (int i = 0; i < N * N; i++)
		if (a[i] < 1e-12)
			a[i] = 0;
	for (int r = 0; r + 5 < N; r++)
		for (int c = 7; c < N; c++)
			b[(r + 5) * N + c - 7] = 2.5e-3 * a[r * N + c];
	um_ring_measure(a, N, N, 2 * UAS, &p);
	um_ring_measure(b, N, N, 2 * UAS, &q);
	CHECK_NEAR(q.x, p.x - 7, 0.02);
	CHECK_NEAR(q.y, p.y + 5, 0.02);
	CHECK_NEAR(q.diameter, p.diameter, 0.01);
	CHECK_NEAR(q.width, p.width, 0.01);
	CHECK_NEAR(turn(q.orientation, p.orientation), 0, 0.1);
	CHECK_NEAR(q.asymmetry, p.asymmetry, 1e-3);
	CHECK_NEAR(q.central, p.central, 1e-4);
}

/* Turning the image by 90 degrees from north to east turns the orientation by as much. */
static void turned(void)
{
	enum { N = 64 };
	double a[N * N], b[N * N];
	um_ring p, q;
	draw(a, N, 2, (shape){ 44, 11, 300, 0.2, 2.2, -1.4 }, 0.01);
	for (int r = 0; r < N; r++)
		for (int c = 0; c < N; c++)
			b[(N - 1 - c) * N + r] = a[r * N + c]; /* the top row, north, goes to column 0, east */
	um_ring_measure(a, N, N, 2 * UAS, &p);
	um_ring_measure(b, N, N, 2 * UAS, &q);
	CHECK_NEAR(turn(q.orientation, p.orientation + 90), 0, 0.2);
	CHECK_NEAR(q.x, p.y, 0.02);
	CHECK_NEAR(q.y, N - 1 - p.x, 0.02);
	CHECK_NEAR(q.diameter, p.diameter, 0.01);
	CHECK_NEAR(q.width, p.width, 0.01);
	CHECK_NEAR(q.asymmetry, p.asymmetry, 1e-3);
}

static bool finite_or_nan(const um_ring *m)
{
	const double v[] = { m->x, m->y, m->diameter, m->diameter_std, m->width, m->width_std,
		m->orientation, m->orientation_std, m->asymmetry, m->asymmetry_std, m->central };
	for (size_t i = 0; i < sizeof(v) / sizeof(*v); i++)
		if (isinf(v[i]))
			return false;
	return true;
}

static void no_structure(void)
{
	enum { N = 32 };
	double v[N * N];
	um_ring m;
	static const double flat[] = { 0, 1, -1, 1e300, 0.1 };
	for (size_t k = 0; k < sizeof(flat) / sizeof(*flat); k++) {
		for (int i = 0; i < N * N; i++)
			v[i] = flat[k];
		um_ring_measure(v, N, N, 4 * UAS, &m);
		CHECK(isnan(m.diameter) && isnan(m.orientation) && isnan(m.asymmetry) && isnan(m.central));
		um_ring_measure(v, 1, 1, 4 * UAS, &m);
		CHECK(isnan(m.diameter));
	}
	memset(v, 0, sizeof(v));
	for (int i = 0; i < N * N; i += 11) { /* one bright pixel, and tilted planes */
		v[i] = 1;
		um_ring_measure(v, N, N, 4 * UAS, &m);
		CHECK(finite_or_nan(&m));
		v[i] = 0;
	}
	for (int k = 0; k < 8; k++) {
		for (int i = 0; i < N * N; i++)
			v[i] = (k & 1 ? i % N : -i / N) + (k & 2 ? 1e-3 : 20) * sin(i * (k + 1.0));
		um_ring_measure(v, N, N, k & 4 ? 4 * UAS : 1e-3 * UAS, &m);
		CHECK(finite_or_nan(&m));
	}
	um_ring_measure(v, N, N, 0, &m);
	CHECK(isnan(m.diameter));
	v[3] = NAN;
	um_ring_measure(v, N, N, 4 * UAS, &m);
	CHECK(isnan(m.diameter));
}

/* Orientations about north: 350 to 10 degrees, median 0 whatever the turn. */
static void over_samples(void)
{
	enum { S = 21, N = 32 };
	static float v[S][2][N * N];
	double one[N * N];
	um_ring_figure f[UM_RING_FIGURES];
	for (int i = 0; i < S; i++) {
		draw(one, N, 4, (shape){ 35 + 0.5 * i, 14, 350 + i, 0.2, 0, 0 }, 0);
		for (int k = 0; k < N * N; k++) /* two planes that make up the image */
			v[i][0][k] = (float)(0.25 * one[k]), v[i][1][k] = (float)(0.75 * one[k]);
	}
	um_array s = um_array_view(v, UM_F32, 4, (const int64_t[]){ S, 2, N, N });
	CHECK_OK(um_ring_samples(&s, 4 * UAS, f));
	CHECK(strcmp(f[0].name, "ring_diameter_uas") == 0 && strcmp(f[2].name, "ring_orientation_deg") == 0);
	CHECK_NEAR(f[0].p50, 40, 0.3);
	CHECK_NEAR(f[0].p16, 40 - 6.8 / 2, 0.3);
	CHECK_NEAR(f[0].p84, 40 + 6.8 / 2, 0.3);
	CHECK_NEAR(f[0].mean, 40, 0.6);
	CHECK_NEAR(f[1].p50, 14, 0.5);
	CHECK(f[2].p50 >= 0 && f[2].p50 < 360);
	CHECK_NEAR(turn(f[2].p50, 0), 0, 0.7);
	CHECK_NEAR(f[2].p84 - f[2].p16, 13.6, 1);
	CHECK_NEAR(f[2].p50 - f[2].p16, 6.8, 1);
	CHECK_NEAR(f[3].p50, 0.2, 0.01);
	memset(v, 0, sizeof(v));
	CHECK_OK(um_ring_samples(&s, 4 * UAS, f));
	for (int k = 0; k < UM_RING_FIGURES; k++)
		CHECK(isnan(f[k].mean) && isnan(f[k].p50));
}

static int print(const char *path)
{
	um_image im;
	um_ring m;
	if (um_image_read(path, &im) != UM_OK) {
		fprintf(stderr, "%s\n", um_message());
		return 1;
	}
	const int64_t *dim = im.data.dim + im.data.rank - 2;
	um_ring_measure(im.data.data, dim[0], dim[1], im.sky.pixel, &m);
	printf("%s: diameter %.1f uas, scatter %.3f, brighter at %.0f degrees, width %.1f uas, "
		"asymmetry %.2f, centre/ring %.2f\n", path, m.diameter, m.diameter_std / m.diameter,
		m.orientation, m.width, m.asymmetry, m.central);
	um_image_free(&im);
	return 0;
}

int main(int argc, char **argv)
{
	const check_case cases[] = { CHECK_CASE(known_rings), CHECK_CASE(central_brightness),
		CHECK_CASE(shifted), CHECK_CASE(turned), CHECK_CASE(no_structure), CHECK_CASE(over_samples) };
	int bad = argc > 1 ? 0 : check_run(__FILE__, cases, sizeof(cases) / sizeof(*cases));
	for (int i = 1; i < argc; i++)
		bad |= print(argv[i]);
	return bad;
}
