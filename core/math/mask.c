/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Drawing masks. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <umbra/mask.h>

static const double PI = 3.14159265358979323846;

static double larger(int64_t a, int64_t b)
{
	return (double)(a > b ? a : b);
}

int64_t um_mask_count(int64_t n, const double *mask)
{
	int64_t seen = 0;
	for (int64_t i = 0; i < n; i++)
		seen += mask[i] != 0;
	return seen;
}

/* A number of 0 .. n-1. */
static int64_t below(um_rng *rng, int64_t n)
{
	return (int64_t)((double)n * um_uniform(rng)) % n;
}

/* Selection sampling (Knuth, The Art of Computer Programming 2, 3.4.2, algorithm S). */
void um_mask_choose(um_rng *rng, int64_t n, int64_t many, double *mask)
{
	int64_t left = n - um_mask_count(n, mask);
	for (int64_t i = 0; i < n && many > 0; i++) {
		if (mask[i] != 0)
			continue;
		if (below(rng, left--) < many) {
			mask[i] = 1;
			many--;
		}
	}
}

/* Number j of many evenly spaced ones among the left zeros. */
static void space(int64_t n, int64_t many, double *mask)
{
	const int64_t left = n - um_mask_count(n, mask);
	int64_t zero = 0, j = 0;
	for (int64_t i = 0; i < n && j < many; i++)
		if (mask[i] == 0 && zero++ == (2 * j + 1) * left / (2 * many)) {
			mask[i] = 1;
			j++;
		}
}

um_status um_mask_lines(um_rng *rng, int64_t rows, int64_t columns, int64_t many, int64_t centre,
	double *mask)
{
	double *line = calloc((size_t)columns, sizeof(*line));
	if (line == NULL)
		return um_fail(UM_ENOMEM, "no memory for a mask of %lld lines", (long long)columns);
	for (int64_t i = 0; i < centre; i++)
		line[columns / 2 - centre / 2 + i] = 1;
	if (rng != NULL)
		um_mask_choose(rng, columns, many - centre, line);
	else
		space(columns, many - centre, line);
	for (int64_t r = 0; r < rows; r++)
		memcpy(mask + r * columns, line, sizeof(*line) * (size_t)columns);
	free(line);
	return UM_OK;
}

/* ---- Poisson disc -------------------------------------------------------------------- */

static bool crowded(int64_t rows, int64_t columns, const double *mask, int64_t r, int64_t c, double radius)
{
	const int64_t reach = (int64_t)fmin(ceil(radius), larger(rows, columns));
	for (int64_t i = r > reach ? r - reach : 0; i <= r + reach && i < rows; i++)
		for (int64_t j = c > reach ? c - reach : 0; j <= c + reach && j < columns; j++)
			if (mask[i * columns + j] != 0 && hypot((double)(i - r), (double)(j - c)) < radius)
				return true;
	return false;
}

/* Points in the given order until there are many; how many there are. */
static int64_t throw_darts(int64_t rows, int64_t columns, const int64_t *order, double slope, int64_t many,
	int64_t centre, double *mask)
{
	int64_t seen = centre * centre;
	memset(mask, 0, sizeof(*mask) * (size_t)(rows * columns));
	for (int64_t i = 0; i < seen; i++)
		mask[(rows / 2 - centre / 2 + i / centre) * columns + columns / 2 - centre / 2 + i % centre] = 1;
	for (int64_t i = 0; i < rows * columns && seen < many; i++) {
		const int64_t r = order[i] / columns, c = order[i] % columns;
		const double v = 2 * (double)(r - rows / 2) / (double)rows;
		const double u = 2 * (double)(c - columns / 2) / (double)columns;
		if (mask[order[i]] != 0 || crowded(rows, columns, mask, r, c, 1 + slope * hypot(u, v)))
			continue;
		mask[order[i]] = 1;
		seen++;
	}
	return seen;
}

um_status um_mask_poisson(um_rng *rng, int64_t rows, int64_t columns, int64_t many, int64_t centre,
	double *mask)
{
	const int64_t n = rows * columns;
	double lo = 0, hi = 1;
	int64_t *order = calloc((size_t)n, sizeof(*order));
	if (order == NULL)
		return um_fail(UM_ENOMEM, "no memory for a mask of %lld points", (long long)n);
	for (int64_t i = 0; i < n; i++) { /* a shuffle, inside out (Durstenfeld 1964) */
		const int64_t j = below(rng, i + 1);
		order[i] = order[j];
		order[j] = i;
	}
	while (hi < 1e6 && throw_darts(rows, columns, order, hi, many, centre, mask) == many) {
		lo = hi;
		hi *= 2;
	}
	while (hi - lo > 1e-3 * hi) {
		const double middle = (lo + hi) / 2;
		if (throw_darts(rows, columns, order, middle, many, centre, mask) == many)
			lo = middle;
		else
			hi = middle;
	}
	(void)throw_darts(rows, columns, order, lo, many, centre, mask);
	free(order);
	return UM_OK;
}

/* ---- spokes ---------------------------------------------------------------------------- */

/* The points nearest to a line through zero frequency, to the corners. */
static void draw_spoke(int64_t rows, int64_t columns, double angle, double *mask)
{
	const double high = (double)rows / 2 * sin(angle), wide = (double)columns / 2 * cos(angle);
	const int64_t steps = rows + columns;
	for (int64_t i = -steps; i <= steps; i++) {
		const double t = sqrt(2) * (double)i / (double)steps;
		const int64_t r = rows / 2 + lround(t * high);
		const int64_t c = columns / 2 + lround(t * wide);
		if (r >= 0 && r < rows && c >= 0 && c < columns)
			mask[r * columns + c] = 1;
	}
}

void um_mask_radial(int64_t rows, int64_t columns, int64_t many, double *mask)
{
	const int64_t n = rows * columns;
	for (int64_t spokes = 1; spokes <= 8 * (rows + columns); spokes++) {
		memset(mask, 0, sizeof(*mask) * (size_t)n);
		for (int64_t i = 0; i < spokes; i++)
			draw_spoke(rows, columns, PI * (double)i / (double)spokes, mask);
		if (um_mask_count(n, mask) >= many)
			return;
	}
}
