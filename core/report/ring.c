/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Rays over an image, interpolated by cubic convolution (Keys 1981, doi:10.1109/TASSP.1981.1163711),
 * and the figures of a ring from them. The centre is sought on a grid about the middle of the
 * bright part, linearly interpolated and with few rays, then by steps to the best of eight
 * neighbours, halved when none is better. */
#include <math.h>
#include <stdbool.h>
#include <string.h>
#include <umbra/plugin.h>
#include "report/ring.h"

#define PI 3.14159265358979323846
#define REACH 25.0   /* uas from the middle of the bright part to where centres are sought */
#define GRID 2.5
#define FINEST 0.02
#define INNER 5.0    /* uas: the central disk, and the least radius of a ring */
#define OUTER 50.0   /* uas: the length of a ray */

enum { RAYS = 72, RADII = 101, COARSE_RAYS = 24, COARSE_RADII = 51 };

struct view {
	const double *image;
	int64_t rows, columns;
	double uas;   /* a pixel */
	double tiny;  /* brightness that is rounding */
	double east[RAYS], north[RAYS]; /* directions of the rays */
};

/* The first three are chosen by who casts them. */
struct rays {
	int n, radii;
	bool linear;                   /* interpolation */
	double step;                   /* uas between radii */
	double value[RAYS][RADII];
	double peak[RAYS], radius[RAYS];
	double mean, std;              /* of radius */
};

/* ---- brightness between pixels ------------------------------------------------- */

static void keys(double t, double w[4])
{
	w[0] = ((-0.5 * t + 1) * t - 0.5) * t;
	w[1] = (1.5 * t - 2.5) * t * t + 1;
	w[2] = ((-1.5 * t + 2) * t + 0.5) * t;
	w[3] = (0.5 * t - 0.5) * t * t;
}

static void straight(double t, double w[4])
{
	w[0] = w[3] = 0;
	w[1] = 1 - t;
	w[2] = t;
}

static int64_t within(int64_t i, int64_t n)
{
	return i < 0 ? 0 : i >= n ? n - 1 : i;
}

/* Edge pixels go on outwards for the kernel, but nothing is seen beyond their outer edges. */
static double at(const struct view *v, double x, double y, bool linear)
{
	if (!(x >= -0.5 && y >= -0.5 && x <= (double)v->columns - 0.5 && y <= (double)v->rows - 0.5))
		return 0;
	double wx[4], wy[4], sum = 0;
	int64_t c = (int64_t)floor(x), r = (int64_t)floor(y), column[4];
	(linear ? straight : keys)(x - (double)c, wx);
	(linear ? straight : keys)(y - (double)r, wy);
	for (int j = 0; j < 4; j++)
		column[j] = within(c + j - 1, v->columns);
	for (int i = linear ? 1 : 0; i < (linear ? 3 : 4); i++) {
		const double *row = v->image + within(r + i - 1, v->rows) * v->columns;
		sum += wy[i] * (wx[0] * row[column[0]] + wx[1] * row[column[1]] + wx[2] * row[column[2]]
			+ wx[3] * row[column[3]]);
	}
	return sum;
}

/* ---- rays ------------------------------------------------------------------------ */

/* (1) Peak of a ray, refined by the parabola through its neighbours; 0 on a flat ray. */
static void find_peak(const struct view *v, struct rays *s, int k)
{
	const double *f = s->value[k];
	int best = 0;
	for (int j = 1; j < s->radii; j++)
		if (f[j] > f[best] + v->tiny)
			best = j;
	s->peak[k] = f[best];
	s->radius[k] = best * s->step;
	if (best == 0 || best == s->radii - 1)
		return;
	double slope = f[best + 1] - f[best - 1], bend = 2 * f[best] - f[best + 1] - f[best - 1];
	if (bend <= v->tiny)
		return;
	s->radius[k] += 0.5 * s->step * slope / bend;
	s->peak[k] += 0.125 * slope * slope / bend;
}

/* Rays from (x, y) with their peaks; what (2) makes least, or infinity. */
static double cast(const struct view *v, double x, double y, struct rays *s)
{
	double sum = 0, square = 0;
	s->step = OUTER / (s->radii - 1);
	for (int k = 0; k < s->n; k++) {
		const int ray = k * (RAYS / s->n);
		const double dx = -v->east[ray] / v->uas * s->step, dy = -v->north[ray] / v->uas * s->step;
		for (int j = 0; j < s->radii; j++)
			s->value[k][j] = at(v, x + j * dx, y + j * dy, s->linear);
		find_peak(v, s, k);
		sum += s->radius[k];
	}
	s->mean = sum / s->n;
	for (int k = 0; k < s->n; k++)
		square += (s->radius[k] - s->mean) * (s->radius[k] - s->mean);
	s->std = sqrt(square / s->n);
	return s->mean >= INNER ? s->std / s->mean : INFINITY;
}

/* ---- the centre ---------------------------------------------------------------------- */

/* Flux-weighted middle of what is brighter than a fifth of the peak. */
static void bright_middle(const struct view *v, double peak, double *x, double *y)
{
	double sum = 0;
	*x = *y = 0;
	for (int64_t r = 0; r < v->rows; r++)
		for (int64_t c = 0; c < v->columns; c++) {
			double f = v->image[r * v->columns + c];
			if (f < 0.2 * peak)
				continue;
			sum += f;
			*x += f * (double)c;
			*y += f * (double)r;
		}
	*x /= sum;
	*y /= sum;
}

/* The best of a grid about (x, y); the worth of what it found. */
static double search(const struct view *v, struct rays *s, double *x, double *y)
{
	const double x0 = *x, y0 = *y;
	double best = INFINITY;
	s->n = COARSE_RAYS;
	s->radii = COARSE_RADII;
	s->linear = true;
	for (double dy = -REACH; dy <= REACH; dy += GRID)
		for (double dx = -REACH; dx <= REACH; dx += GRID) {
			double px = x0 + dx / v->uas, py = y0 + dy / v->uas, f = cast(v, px, py, s);
			if (f < best)
				best = f, *x = px, *y = py;
		}
	return best;
}

static void improve(const struct view *v, struct rays *s, double *x, double *y)
{
	s->n = RAYS;
	s->linear = false;
	double best = cast(v, *x, *y, s);
	for (double step = GRID / 2; step >= FINEST;) {
		const double cx = *x, cy = *y, before = best;
		for (int k = 0; k < 9; k++) {
			double px = cx + (k % 3 - 1) * step / v->uas, py = cy + (double)(k / 3 - 1) * step / v->uas;
			double f = k == 4 ? INFINITY : cast(v, px, py, s);
			if (f < best)
				best = f, *x = px, *y = py;
		}
		if (!(best < before))
			step /= 2;
	}
}

/* (2) and the rays from there; false where no point has peaks around it. */
static bool find_centre(const struct view *v, struct rays *s, double *x, double *y)
{
	if (!isfinite(search(v, s, x, y)))
		return false;
	improve(v, s, x, y);
	s->radii = RADII;
	return isfinite(cast(v, *x, *y, s));
}

/* ---- figures -------------------------------------------------------------------------- */

static void mean_std(const double *v, int n, double *mean, double *std)
{
	double sum = 0, square = 0;
	for (int i = 0; i < n; i++)
		sum += v[i] / n;
	for (int i = 0; i < n; i++)
		square += (v[i] - sum) * (v[i] - sum) / n;
	*mean = n > 0 ? sum : NAN;
	*std = n > 0 ? sqrt(square) : NAN;
}

/* Where the ray falls to level on the way from its peak, in the direction by; the end of the ray
 * where it does not. */
static double crossing(const struct rays *s, int k, double level, int by)
{
	const double *f = s->value[k];
	int j = (int)floor(s->radius[k] / s->step + 0.5);
	while (j + by >= 0 && j + by < s->radii) {
		if (f[j + by] <= level && f[j] > level)
			return s->step * (j + by * (f[j] - level) / (f[j] - f[j + by]));
		j += by;
	}
	return s->step * j;
}

/* (4) over the rays whose peak stands above the floor. */
static void measure_width(const struct rays *s, um_ring *m)
{
	double w[RAYS] = { 0 }, ground = 0;
	int n = 0;
	for (int k = 0; k < s->n; k++)
		ground += s->value[k][s->radii - 1] / s->n;
	for (int k = 0; k < s->n; k++)
		if (s->peak[k] > ground) {
			double level = 0.5 * (s->peak[k] + ground);
			w[n++] = crossing(s, k, level, 1) - crossing(s, k, level, -1);
		}
	mean_std(w, n, &m->width, &m->width_std);
}

/* (5) and (6) over the radii where the ring is, radii of no brightness left out. */
static void measure_azimuth(const struct view *v, const struct rays *s, um_ring *m)
{
	double a[RADII] = { 0 }, east = 0, north = 0;
	int n = 0;
	for (int j = 0; j < s->radii; j++) {
		double r = j * s->step, e = 0, c = 0, sum = 0;
		if (r < 0.5 * (m->diameter - m->width) || r > 0.5 * (m->diameter + m->width))
			continue;
		for (int k = 0; k < s->n; k++) {
			sum += s->value[k][j];
			e += s->value[k][j] * v->east[k];
			c += s->value[k][j] * v->north[k];
		}
		double size = hypot(e, c);
		if (sum <= s->n * v->tiny)
			continue;
		a[n++] = size / sum;
		if (size > s->n * v->tiny)
			east += e / size, north += c / size;
	}
	mean_std(a, n, &m->asymmetry, &m->asymmetry_std);
	double length = n > 0 ? fmin(hypot(east, north) / n, 1) : 0;
	if (length > 0) {
		m->orientation = fmod(atan2(east, north) * 180 / PI + 360, 360);
		m->orientation_std = sqrt(-2 * log(length)) * 180 / PI;
	}
}

/* (7): a sample at radius r stands for the part of the disk within half a step of it. */
static void measure_middle(const struct view *v, const struct rays *s, um_ring *m)
{
	const int last = (int)(INNER / s->step + 0.5);
	double disk = 0, ring = 0;
	for (int j = 0; j <= last; j++) {
		double weight = j == 0 ? 0.125 : j == last ? 0.5 * j - 0.125 : j; /* they add up to last^2 / 2 */
		for (int k = 0; k < s->n; k++)
			disk += weight * s->value[k][j] / (0.5 * last * last * s->n);
	}
	for (int k = 0; k < s->n; k++)
		ring += at(v, m->x - 0.5 * m->diameter * v->east[k] / v->uas,
			m->y - 0.5 * m->diameter * v->north[k] / v->uas, false) / s->n;
	if (ring > v->tiny)
		m->central = disk / ring;
}

static bool look(const double *image, int64_t rows, int64_t columns, double pixel, struct view *v,
	double *peak)
{
	double low = INFINITY, high = -INFINITY;
	*v = (struct view){ .image = image, .rows = rows, .columns = columns, .uas = pixel / UM_UAS };
	for (int64_t i = 0; i < rows * columns; i++) {
		if (!isfinite(image[i]))
			return false;
		low = fmin(low, image[i]);
		high = fmax(high, image[i]);
	}
	*peak = high;
	v->tiny = 1e-9 * fmax(fabs(low), fabs(high));
	for (int k = 0; k < RAYS; k++) {
		v->east[k] = sin(2 * PI * k / RAYS);
		v->north[k] = cos(2 * PI * k / RAYS);
	}
	return high > 0 && high - low > v->tiny && v->uas > 0 && isfinite(v->uas);
}

void um_ring_measure(const double *image, int64_t rows, int64_t columns, double pixel, um_ring *m)
{
	struct view v;
	struct rays s;
	double peak;
	*m = (um_ring){ NAN, NAN, NAN, NAN, NAN, NAN, NAN, NAN, NAN, NAN, NAN };
	if (!look(image, rows, columns, pixel, &v, &peak))
		return;
	double x, y;
	bright_middle(&v, peak, &x, &y);
	if (!find_centre(&v, &s, &x, &y))
		return;
	m->x = x;
	m->y = y;
	m->diameter = 2 * s.mean;
	m->diameter_std = 2 * s.std;
	measure_width(&s, m);
	measure_azimuth(&v, &s, m);
	measure_middle(&v, &s, m);
}
