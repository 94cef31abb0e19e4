/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The ring in an image, as EHT paper IV (2019, doi:10.3847/2041-8213/ab0e85, section 9) measures
 * it: peaks of brightness along rays from a centre; the centre is where their radii scatter least
 * relative to their mean. With FITS files as arguments this program prints what it finds in them. */
#include <umbra/fits.h>
#include "check.h"

#define UAS 4.848136811095360e-12

typedef struct { double diameter, scatter, angle, depth, x, y; } ring;

enum { RAYS = 72 };

/* Brightness at a point in pixels, linear between centres, zero outside. */
static double at(const um_image *im, double x, double y)
{
	const int64_t rows = im->data.dim[im->data.rank - 2], columns = im->data.dim[im->data.rank - 1];
	const double *v = im->data.data;
	int64_t c = (int64_t)floor(x), r = (int64_t)floor(y);
	double sum = 0;
	for (int i = 0; i < 2; i++)
		for (int j = 0; j < 2; j++)
			if (r + i >= 0 && r + i < rows && c + j >= 0 && c + j < columns)
				sum += v[(r + i) * columns + c + j] * (1 - fabs(x - (double)(c + j)))
					* (1 - fabs(y - (double)(r + i)));
	return sum;
}

/* Ray k leaves (x, y) at 5 k degrees east of north; row 0 is north, column 0 east. */
static double along(const um_image *im, double x, double y, int k, double radius)
{
	double a = 2 * 3.141592653589793 * k / RAYS;
	return at(im, x - radius * sin(a), y - radius * cos(a));
}

/* Mean and relative scatter of the radii of the peaks, in pixels, out to most. */
static ring rays(const um_image *im, double x, double y, double most)
{
	ring m = { .x = x, .y = y };
	double sum = 0, square = 0, east = 0, north = 0, peak = 0;
	for (int k = 0; k < RAYS; k++) {
		double best = 0, radius = 0;
		for (double r = 0; r < most; r += 0.1) {
			double v = along(im, x, y, k, r);
			if (v > best)
				best = v, radius = r;
		}
		sum += radius;
		square += radius * radius;
		peak += best / RAYS;
		east += best * sin(2 * 3.141592653589793 * k / RAYS);
		north += best * cos(2 * 3.141592653589793 * k / RAYS);
	}
	double mean = sum / RAYS;
	m.diameter = 2 * mean;
	m.scatter = sqrt(fmax(0, square / RAYS - mean * mean)) / fmax(mean, 1e-9);
	m.angle = fmod(atan2(east, north) * 180 / 3.141592653589793 + 360, 360);
	m.depth = at(im, x, y) / peak;
	return m;
}

/* Flux-weighted centre of what is brighter than a fifth of the peak. */
static void centroid(const um_image *im, double *x, double *y)
{
	const int64_t rows = im->data.dim[im->data.rank - 2], columns = im->data.dim[im->data.rank - 1];
	const double *v = im->data.data;
	double peak = 0, sum = 0;
	for (int64_t i = 0; i < rows * columns; i++)
		peak = fmax(peak, v[i]);
	*x = *y = 0;
	for (int64_t i = 0; i < rows * columns; i++)
		if (v[i] > peak / 5) {
			sum += v[i];
			*x += v[i] * (double)(i % columns);
			*y += v[i] * (double)(i / columns);
		}
	*x /= sum;
	*y /= sum;
}

/* Lengths in microarcseconds; angle of the brighter side in degrees east of north. */
static ring measure(const um_image *im)
{
	double uas = im->sky.pixel / UAS, x, y;
	ring best = { .scatter = INFINITY };
	centroid(im, &x, &y);
	for (double reach = 12 / uas, step = 1.5 / uas; step > 0.2 / uas; reach = step, step /= 4) {
		double cx = x, cy = y;
		for (double dy = -reach; dy <= reach; dy += step)
			for (double dx = -reach; dx <= reach; dx += step) {
				ring m = rays(im, cx + dx, cy + dy, 45 / uas);
				if (m.scatter < best.scatter)
					best = m, x = m.x, y = m.y;
			}
	}
	best.diameter *= uas;
	return best;
}

/* A ring of known diameter and position with one side brighter, blurred by its width. */
static void known_ring(void)
{
	enum { N = 64 };
	static const struct { double diameter, angle, x, y; } cases[] = {
		{ 40, 150, 0, 0 }, { 36, 30, 3, -4 }, { 46, 270, -5, 2 },
	};
	for (size_t c = 0; c < sizeof(cases) / sizeof(*cases); c++) {
		double v[N * N], sigma = 10 / 2.3548;
		um_image im = { .data = um_array_view(v, UM_F64, 2, (const int64_t[]){ N, N }),
			.sky = { .pixel = 2 * UAS } };
		for (int i = 0; i < N * N; i++) {
			double east = -2 * (i % N - (N - 1) / 2.0) - cases[c].x;
			double north = -2 * (i / N - (N - 1) / 2.0) - cases[c].y;
			double r = hypot(east, north) - cases[c].diameter / 2;
			double a = atan2(east, north) - cases[c].angle * 3.141592653589793 / 180;
			v[i] = exp(-0.5 * r * r / (sigma * sigma)) * (1 + 0.4 * cos(a));
		}
		ring m = measure(&im);
		CHECK_NEAR(m.diameter, cases[c].diameter, 0.5);
		CHECK_NEAR(m.angle, cases[c].angle, 5);
		CHECK_NEAR((m.x - (N - 1) / 2.0) * -2, cases[c].x, 1);
		CHECK_NEAR((m.y - (N - 1) / 2.0) * -2, cases[c].y, 1);
		CHECK(m.scatter < 0.03 && m.depth < 0.1);
	}
}

static int print(const char *path)
{
	um_image im;
	if (um_image_read(path, &im) != UM_OK) {
		fprintf(stderr, "%s\n", um_message());
		return 1;
	}
	ring m = measure(&im);
	printf("%s: diameter %.1f uas, scatter %.3f, brighter at %.0f degrees, centre/ring %.2f\n", path,
		m.diameter, m.scatter, m.angle, m.depth);
	um_image_free(&im);
	return 0;
}

int main(int argc, char **argv)
{
	const check_case cases[] = { CHECK_CASE(known_ring) };
	int bad = argc > 1 ? 0 : check_run(__FILE__, cases, 1);
	for (int i = 1; i < argc; i++)
		bad |= print(argv[i]);
	return bad;
}
