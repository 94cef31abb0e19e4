/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Centroids on a torus, and correlations c(d) = sum_r ref(r) x(r - d) = F^-1(F ref conj F x): x
 * moved by d fits ref best where c is largest, since moving changes no norm. Shifts are decided
 * first, on sums over the planes of each sample, and done once at the end. */
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <umbra/fft.h>
#include "report/align.h"

enum { PASSES = 20 };

struct work {
	um_array *samples;
	int64_t rows, columns, planes, count;
	int64_t *shift;      /* [count][2] */
	double *lost;        /* [count][rows + columns]: what a shift along one axis takes over an edge */
	um_fft2 *fft;
	double *ref;         /* a spectrum */
	double *image;       /* the sum of all samples */
	size_t spectrum;     /* numbers in a spectrum */
};

/* ---- one image ------------------------------------------------------------------- */

static double value(const um_array *a, int64_t i, int64_t k)
{
	return a->dtype == UM_F32 ? (double)um_row_f(a, i)[k] : um_row_d(a, i)[k];
}

static int64_t wrap(int64_t i, int64_t n)
{
	return ((i % n) + n) % n;
}

/* A shift of at most half the axis either way. */
static int64_t shortest(int64_t d, int64_t n)
{
	d = wrap(d, n);
	return d > n / 2 ? d - n : d;
}

/* Adds the planes of sample i, moved by its shift. */
static void add(const struct work *w, const um_array *a, int64_t i, const int64_t shift[2], double *sum)
{
	for (int64_t line = 0; line < w->planes * w->rows; line++) {
		double *row = sum + wrap(line % w->rows + shift[0], w->rows) * w->columns;
		int64_t to = wrap(shift[1], w->columns);
		for (int64_t c = 0; c < w->columns; c++) {
			row[to] += value(a, i, line * w->columns + c);
			if (++to == w->columns)
				to = 0;
		}
	}
}

/* The spectrum of sample i as it is moved now, in the buffer of fft. */
static void transform(const struct work *w, const um_array *a, int64_t i, const int64_t shift[2])
{
	double *x = um_fft2_image(w->fft);
	memset(x, 0, sizeof(*x) * (size_t)(w->rows * w->columns));
	add(w, a, i, shift, x);
	um_fft2_forward(w->fft);
}

/* ---- where a sample can go -------------------------------------------------------- */

/* From the marginal m[n] of |brightness|, in place: entry wrap(d) is what shift d takes over the
 * edge, as a part of the whole. */
static void losses(double *m, int64_t n, double *room)
{
	double sum = 0, up = 0, down = 0;
	memcpy(room, m, sizeof(*m) * (size_t)n);
	for (int64_t i = 0; i < n; i++)
		sum += room[i];
	m[0] = 0;
	for (int64_t d = 1; d <= n / 2; d++) {
		up += room[n - d];
		down += room[d - 1];
		m[n - d] = sum > 0 ? down / sum : 0;
		m[d] = sum > 0 ? up / sum : 0;
	}
}

/* Room is in the buffer of fft. */
static void find_losses(struct work *w)
{
	for (int64_t i = 0; i < w->count; i++) {
		double *m = w->lost + i * (w->rows + w->columns);
		for (int64_t k = 0; k < w->planes * w->rows * w->columns; k++) {
			double v = fabs(value(w->samples, i, k));
			m[k / w->columns % w->rows] += v;
			m[w->rows + k % w->columns] += v;
		}
		losses(m, w->rows, um_fft2_image(w->fft));
		losses(m + w->rows, w->columns, um_fft2_image(w->fft));
	}
}

/* What a shift of sample i takes over the edges, at most. */
static double loss(const struct work *w, int64_t i, int64_t dr, int64_t dc)
{
	const double *m = w->lost + i * (w->rows + w->columns);
	return m[wrap(dr, w->rows)] + m[w->rows + wrap(dc, w->columns)];
}

/* Shortens by, the longer way first, until every sample from first to last can go there. */
static void shorten(const struct work *w, int64_t first, int64_t last, int64_t by[2])
{
	int64_t i = first;
	while (i <= last && (by[0] != 0 || by[1] != 0)) {
		const int64_t *d = w->shift + 2 * i;
		if (loss(w, i, d[0] + by[0], d[1] + by[1]) <= UM_ALIGN_MOST) {
			i++;
			continue;
		}
		int axis = llabs(by[1]) > llabs(by[0]);
		by[axis] -= by[axis] > 0 ? 1 : -1;
		i = first;
	}
}

/* ---- centroids ------------------------------------------------------------------- */

/* Middle of the marginal m[n] of an axis of a torus: a first guess is the direction of its first
 * Fourier coefficient, then the mean of positions that are within half the axis of it. */
static double middle(const double *m, int64_t n)
{
	double s = 0, c = 0, sum = 0, offset = 0;
	const double turn = 2 * acos(-1) / (double)n;
	for (int64_t i = 0; i < n; i++) {
		s += m[i] * sin(turn * (double)i);
		c += m[i] * cos(turn * (double)i);
		sum += m[i];
	}
	if (!(hypot(s, c) > 1e-9 * sum))
		return NAN;
	double guess = atan2(s, c) / turn;
	for (int64_t i = 0; i < n; i++)
		offset += m[i] * remainder((double)i - guess, (double)n);
	return guess + offset / sum;
}

/* The whole pixels that take the centroid to the centre, halves upwards; 0 along an axis on which
 * nothing stands out. */
static int64_t to_centre(const double *m, int64_t n)
{
	double d = 0.5 * (double)(n - 1) - middle(m, n);
	return isfinite(d) ? (int64_t)floor(remainder(d, (double)n) + 0.5 + 1e-6) : 0;
}

static um_status centre(const double *x, int64_t rows, int64_t columns, int64_t by[2])
{
	double *m = calloc((size_t)(rows + columns), sizeof(*m));
	if (m == NULL)
		return um_fail(UM_ENOMEM, "no memory to align %lld x %lld pixels", (long long)columns,
			(long long)rows);
	for (int64_t r = 0; r < rows; r++)
		for (int64_t c = 0; c < columns; c++) {
			double v = fmax(x[r * columns + c], 0);
			m[r] += v;
			m[rows + c] += v;
		}
	by[0] = to_centre(m, rows);
	by[1] = to_centre(m + rows, columns);
	free(m);
	return UM_OK;
}

static void move(int64_t shift[2], const int64_t by[2])
{
	shift[0] += by[0];
	shift[1] += by[1];
}

static um_status centre_each(struct work *w)
{
	for (int64_t i = 0; i < w->count; i++) {
		int64_t by[2];
		memset(w->image, 0, sizeof(double) * (size_t)(w->rows * w->columns));
		add(w, w->samples, i, w->shift + 2 * i, w->image);
		um_status st = centre(w->image, w->rows, w->columns, by);
		if (st != UM_OK)
			return st;
		shorten(w, i, i, by);
		move(w->shift + 2 * i, by);
	}
	return UM_OK;
}

static um_status centre_all(struct work *w)
{
	int64_t by[2];
	memset(w->image, 0, sizeof(double) * (size_t)(w->rows * w->columns));
	for (int64_t i = 0; i < w->count; i++)
		add(w, w->samples, i, w->shift + 2 * i, w->image);
	um_status st = centre(w->image, w->rows, w->columns, by);
	if (st != UM_OK)
		return st;
	shorten(w, 0, w->count - 1, by);
	for (int64_t i = 0; i < w->count; i++)
		move(w->shift + 2 * i, by);
	return st;
}

/* ---- correlations ------------------------------------------------------------------ */

/* Adds sign times the spectrum in the buffer to the reference. */
static void accumulate(struct work *w, double sign)
{
	const double *x = um_fft2_spectrum(w->fft);
	for (size_t k = 0; k < w->spectrum; k++)
		w->ref[k] += sign * x[k];
}

/* How much farther sample i, whose spectrum is in the buffer, should move to fit the reference;
 * false if nothing is better by more than rounding. Spoils the buffer. */
static bool best_move(struct work *w, int64_t i, int64_t by[2])
{
	double *x = um_fft2_spectrum(w->fft);
	const double *c = um_fft2_image(w->fft);
	double scale = 0;
	for (size_t k = 0; k < w->spectrum; k += 2) {
		double re = w->ref[k] * x[k] + w->ref[k + 1] * x[k + 1];
		double im = w->ref[k + 1] * x[k] - w->ref[k] * x[k + 1];
		x[k] = re;
		x[k + 1] = im;
		scale += hypot(re, im);
	}
	um_fft2_backward(w->fft);
	const int64_t *d = w->shift + 2 * i;
	int64_t best = 0;
	for (int64_t k = 1; k < w->rows * w->columns; k++)
		if (c[k] > c[best] + 1e-12 * scale
			&& loss(w, i, d[0] + k / w->columns, d[1] + k % w->columns) <= UM_ALIGN_MOST)
			best = k;
	by[0] = best / w->columns;
	by[1] = best % w->columns;
	return c[best] > c[0] + 1e-12 * scale;
}

/* One pass; true if a sample moved. The reference holds all samples on entry and on return. */
static bool pass(struct work *w)
{
	bool moved = false;
	for (int64_t i = 0; i < w->count; i++) {
		int64_t by[2];
		transform(w, w->samples, i, w->shift + 2 * i);
		accumulate(w, -1);
		if (best_move(w, i, by)) {
			moved = true;
			move(w->shift + 2 * i, by);
		}
		transform(w, w->samples, i, w->shift + 2 * i);
		accumulate(w, 1);
	}
	return moved;
}

static um_status each_other(struct work *w)
{
	um_status st = centre_each(w);
	if (st != UM_OK)
		return st;
	for (int64_t i = 0; i < w->count; i++) {
		transform(w, w->samples, i, w->shift + 2 * i);
		accumulate(w, 1);
	}
	for (int k = 0; k < PASSES && w->count > 1; k++)
		if (!pass(w))
			break;
	return centre_all(w);
}

static void to_reference(struct work *w, const um_array *reference)
{
	static const int64_t none[2] = { 0, 0 };
	int64_t by[2];
	transform(w, reference, 0, none);
	accumulate(w, 1);
	for (int64_t i = 0; i < w->count; i++) {
		transform(w, w->samples, i, none);
		if (best_move(w, i, by))
			move(w->shift + 2 * i, by);
	}
}

/* ---- moving --------------------------------------------------------------------------- */

/* The part of |brightness| in rows and columns that a shift takes over an edge. */
static double over_edge(const struct work *w, int64_t i)
{
	const int64_t *d = w->shift + 2 * i;
	double all = 0, over = 0;
	for (int64_t k = 0; k < w->planes * w->rows * w->columns; k++) {
		int64_t r = k / w->columns % w->rows + d[0], c = k % w->columns + d[1];
		double v = fabs(value(w->samples, i, k));
		all += v;
		if (r < 0 || r >= w->rows || c < 0 || c >= w->columns)
			over += v;
	}
	return all > 0 ? over / all : 0;
}

/* Row by row through room for one plane, in bytes. */
static void roll(const struct work *w, int64_t i, char *room)
{
	const size_t size = w->samples->dtype == UM_F32 ? sizeof(float) : sizeof(double);
	const size_t line = size * (size_t)w->columns, plane = line * (size_t)w->rows;
	const size_t c = size * (size_t)wrap(w->shift[2 * i + 1], w->columns);
	char *x = (char *)w->samples->data + (size_t)(i * w->samples->stride[0]) * size;
	for (int64_t p = 0; p < w->planes; p++, x += plane) {
		for (int64_t r = 0; r < w->rows; r++) {
			char *to = room + (size_t)wrap(r + w->shift[2 * i], w->rows) * line;
			memcpy(to + c, x + (size_t)r * line, line - c);
			memcpy(to, x + (size_t)(r + 1) * line - c, c);
		}
		memcpy(x, room, plane);
	}
}

static void finish(struct work *w, um_aligned *done)
{
	for (int64_t i = 0; i < w->count; i++) {
		int64_t *d = w->shift + 2 * i;
		d[0] = shortest(d[0], w->rows);
		d[1] = shortest(d[1], w->columns);
		if (d[0] == 0 && d[1] == 0)
			continue;
		if (done != NULL)
			done->wrapped = fmax(done->wrapped, over_edge(w, i));
		roll(w, i, (char *)w->image);
	}
	if (done != NULL && done->shift != NULL)
		memcpy(done->shift, w->shift, sizeof(int64_t) * 2 * (size_t)w->count);
}

/* ---- the three ways --------------------------------------------------------------------- */

static um_status begin(struct work *w, um_array *samples, um_aligned *done)
{
	um_status st = UM_OK;
	const int rank = samples->rank;
	if (done != NULL)
		done->wrapped = 0;
	if (rank < 3 || um_array_len(samples) < 1 || samples->dtype == UM_I64)
		return um_fail(UM_EARG, "only samples of images with rows and columns can be aligned");
	*w = (struct work){ .samples = samples, .count = samples->dim[0], .rows = samples->dim[rank - 2],
		.columns = samples->dim[rank - 1] };
	w->planes = um_array_rowlen(samples) / (w->rows * w->columns);
	w->spectrum = (size_t)(w->rows * (w->columns / 2 + 1) * 2);
	w->shift = calloc(2 * (size_t)w->count, sizeof(*w->shift));
	w->lost = calloc((size_t)(w->count * (w->rows + w->columns)), sizeof(*w->lost));
	w->ref = calloc(w->spectrum, sizeof(*w->ref));
	w->image = calloc((size_t)(w->rows * w->columns), sizeof(*w->image));
	if (w->shift == NULL || w->lost == NULL || w->ref == NULL || w->image == NULL)
		return um_fail(UM_ENOMEM, "no memory to align %lld samples of %lld x %lld pixels",
			(long long)w->count, (long long)w->columns, (long long)w->rows);
	UM_TRY(um_fft2_new(w->rows, w->columns, &w->fft));
	find_losses(w);
out:
	return st;
}

static void end(struct work *w)
{
	um_fft2_free(w->fft);
	free(w->shift);
	free(w->lost);
	free(w->ref);
	free(w->image);
}

um_status um_align_centre(um_array *samples, um_aligned *done)
{
	um_status st = UM_OK;
	struct work w = { 0 };
	UM_TRY(begin(&w, samples, done));
	UM_TRY(centre_each(&w));
	finish(&w, done);
out:
	end(&w);
	return st;
}

um_status um_align_samples(um_array *samples, um_aligned *done)
{
	um_status st = UM_OK;
	struct work w = { 0 };
	UM_TRY(begin(&w, samples, done));
	UM_TRY(each_other(&w));
	finish(&w, done);
out:
	end(&w);
	return st;
}

um_status um_align_reference(um_array *samples, const um_array *reference, um_aligned *done)
{
	um_status st = UM_OK;
	struct work w = { 0 };
	UM_TRY(begin(&w, samples, done));
	if (um_array_len(reference) != um_array_rowlen(samples) || reference->dtype == UM_I64)
		UM_TRY(um_fail(UM_EARG, "samples of %lld numbers cannot be aligned to a reference of %lld",
			(long long)um_array_rowlen(samples), (long long)um_array_len(reference)));
	to_reference(&w, reference);
	finish(&w, done);
out:
	end(&w);
	return st;
}
