/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "host/covariance.h"
#include <math.h>
#include <stdlib.h>
#include <umbra/fft.h>
#include <umbra/linalg.h>

typedef struct grid {
	int64_t n, pixels, rows, columns; /* pixels of a plane */
	double *sd;                       /* [n] */
	double *k;                        /* [2 rows][2 columns] correlation, distances modulo that size; NULL for vectors */
} grid;

/* K from the mean power of standardised draws with as many zeros around them. */
static um_status correlation(const grid *g, int64_t draws, const double *rows)
{
	um_status st = UM_OK;
	um_fft2 *f = NULL;
	const int64_t high = 2 * g->rows, wide = 2 * g->columns, half = wide / 2 + 1;
	double *power = calloc((size_t)(high * half), sizeof(double));
	if (power == NULL)
		UM_TRY(um_fail(UM_ENOMEM, "no memory for a correlation"));
	UM_TRY(um_fft2_new(high, wide, &f));
	double *image = um_fft2_image(f), *spectrum = um_fft2_spectrum(f);
	for (int64_t plane = 0; plane < draws * (g->n / g->pixels); plane++) {
		const int64_t first = plane % (g->n / g->pixels) * g->pixels;
		const double *row = rows + plane * g->pixels;
		for (int64_t i = 0; i < high * wide; i++)
			image[i] = 0;
		for (int64_t i = 0; i < g->pixels; i++)
			if (g->sd[first + i] > 0)
				image[i / g->columns * wide + i % g->columns] = row[i] / g->sd[first + i];
		um_fft2_forward(f);
		for (int64_t i = 0; i < high * half; i++)
			power[i] += spectrum[2 * i] * spectrum[2 * i] + spectrum[2 * i + 1] * spectrum[2 * i + 1];
	}
	for (int64_t i = 0; i < high * half; i++) {
		spectrum[2 * i] = power[i];
		spectrum[2 * i + 1] = 0;
	}
	um_fft2_backward(f);
	for (int64_t i = 0; i < high * wide; i++)
		g->k[i] = image[0] > 0 ? image[i] / image[0] : 0;
out:
	um_fft2_free(f);
	free(power);
	return st;
}

static double target(const grid *g, int64_t i, int64_t j)
{
	if (g->k == NULL || i / g->pixels != j / g->pixels)
		return 0;
	const int64_t a = i % g->pixels, b = j % g->pixels, high = 2 * g->rows, wide = 2 * g->columns;
	const int64_t dr = (b / g->columns - a / g->columns + high) % high, dc = (b % g->columns - a % g->columns + wide) % wide;
	return g->sd[i] * g->sd[j] * g->k[dr * wide + dc];
}

/* The sum over i != j of the variance of S_ij. */
static double scatter(int64_t n, int64_t draws, const double *rows, const double *c)
{
	double fourth = 0, own = 0, square = 0, diagonal = 0;
	for (int64_t b = 0; b < draws; b++) {
		const double norm = um_dot(n, rows + b * n, rows + b * n);
		fourth += norm * norm;
		for (int64_t i = 0; i < n; i++)
			own += pow(rows[b * n + i], 4);
	}
	for (int64_t i = 0; i < n; i++) {
		square += um_dot(n, c + i * n, c + i * n);
		diagonal += c[i * n + i] * c[i * n + i];
	}
	return fourth - own - (square - diagonal) / (double)draws;
}

um_status um_draws_covariance(const int64_t shape[5], int64_t draws, const double *rows, double *c)
{
	um_status st = UM_OK;
	grid g = { .pixels = shape[3] * shape[4], .rows = shape[3], .columns = shape[4] };
	g.n = shape[0] * shape[1] * shape[2] * g.pixels;
	um_gemm(true, false, g.n, g.n, draws, rows, rows, c);
	g.sd = malloc(sizeof(double) * (size_t)g.n);
	if (g.sd == NULL)
		UM_TRY(um_fail(UM_ENOMEM, "no memory for a covariance"));
	for (int64_t i = 0; i < g.n; i++)
		g.sd[i] = sqrt(c[i * g.n + i]);
	if (g.rows > 1 && g.columns > 1) {
		g.k = malloc(sizeof(double) * (size_t)(4 * g.pixels));
		if (g.k == NULL)
			UM_TRY(um_fail(UM_ENOMEM, "no memory for a correlation"));
		UM_TRY(correlation(&g, draws, rows));
	}
	double off = 0;
	for (int64_t i = 0; i < g.n; i++)
		for (int64_t j = 0; j < g.n; j++)
			off += i == j ? 0 : pow(c[i * g.n + j] - target(&g, i, j), 2);
	const double wrong = scatter(g.n, draws, rows, c), keep = off > wrong ? 1 - fmax(0, wrong / off) : 0;
	um_log(UM_INFO, "covariance of %lld draws: %.0f %% of it is taken for the same everywhere", (long long)draws, 100 * (1 - keep));
	for (int64_t i = 0; i < g.n; i++)
		for (int64_t j = 0; j < g.n; j++)
			if (i != j)
				c[i * g.n + j] = keep * c[i * g.n + j] + (1 - keep) * target(&g, i, j);
out:
	free(g.sd);
	free(g.k);
	return st;
}
