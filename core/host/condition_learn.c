/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a condition learns of training measurements: means, standard deviations, principal directions, noise. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <umbra/linalg.h>
#include "host/condition.h"

enum { BLOCK = 64, FEWEST = 1024, MOST = 8192, LARGEST = 1 << 24, EXTRA = 10 };
static const double LEAST = 1e-9; /* of variances beside the largest: counts as zero */

int64_t um_condition_sample(const um_condition *c, const um_problem_info *about)
{
	int64_t rows = 4 * c->nf < FEWEST ? FEWEST : 4 * c->nf > MOST ? MOST : 4 * c->nf;
	rows = rows * c->nf > LARGEST ? LARGEST / c->nf : rows;
	return about->train > 0 && about->train < rows ? about->train : rows;
}

/* Mean sigma of a first block, which weights the adjoint, and the range of all. */
static void see_noise(um_condition *c, const double *sigma, int64_t rows, bool first)
{
	double *mean = um_row_d(&c->noise, 0), *lo = um_row_d(&c->noise, 1), *hi = um_row_d(&c->noise, 2);
	for (int64_t i = 0; i < c->ny; i++) {
		if (first)
			mean[i] = 0, lo[i] = INFINITY, hi[i] = 0;
		for (int64_t b = 0; b < rows; b++) {
			const double s = sigma[b * c->ny + i];
			mean[i] += first ? s / (double)rows : 0;
			lo[i] = fmin(lo[i], s);
			hi[i] = fmax(hi[i], s);
		}
	}
}

/* What a Wiener filter knows of measurements. */
static um_status see_usual(um_condition *c, um_problem *p, int64_t rows)
{
	um_status st = UM_OK;
	if (!um_condition_guesses(c))
		return UM_OK;
	for (int64_t first = 0, count; first < rows; first += count) {
		count = rows - first < BLOCK ? rows - first : BLOCK;
		UM_TRY(um_problem_rows(p, false, first, count, 1));
		um_wiener_see(&c->wiener, p, first, count, rows);
	}
	UM_TRY(um_wiener_quicken(&c->wiener, p, &c->origin, um_row_d(&c->noise, 0), rows < BLOCK ? rows : BLOCK));
out:
	return st;
}

/* Numbers of training measurements, [rows][nf]. */
static um_status gather(um_condition *c, um_problem *p, um_sink *sink, int64_t steps, int64_t rows, double *all)
{
	um_status st = UM_OK;
	for (int64_t first = 0, count; first < rows; first += count) {
		count = rows - first < BLOCK ? rows - first : BLOCK;
		UM_TRY(um_problem_rows(p, false, first, count, 1));
		see_noise(c, um_problem_sigma(p), count, first == 0);
		UM_TRY(um_condition_numbers(c, p, count));
		memcpy(all + first * c->nf, c->f.data, sizeof(double) * (size_t)(count * c->nf));
		if (um_sink_progress(sink, 0, steps, NAN) == UM_STOP)
			UM_TRY(um_fail(UM_EINTR, "stopped while measurements were looked at"));
	}
out:
	return st;
}

/* Mean and standard deviation of each number, which all then has no more; how many of them vary. */
static int64_t standardise(um_condition *c, int64_t rows, double *all)
{
	double *mean = um_row_d(&c->moments, 0), *sd = um_row_d(&c->moments, 1), most = 0;
	int64_t vary = 0;
	memset(c->moments.data, 0, sizeof(double) * 2 * (size_t)c->nf);
	for (int64_t b = 0; b < rows; b++)
		for (int64_t i = 0; i < c->nf; i++)
			mean[i] += all[b * c->nf + i] / (double)rows;
	for (int64_t b = 0; b < rows; b++)
		for (int64_t i = 0; i < c->nf; i++)
			sd[i] += pow(all[b * c->nf + i] - mean[i], 2) / (double)rows;
	for (int64_t i = 0; i < c->nf; i++) {
		sd[i] = sqrt(sd[i]) > LEAST * fabs(mean[i]) ? sqrt(sd[i]) : 0;
		most = fmax(most, sd[i]);
	}
	for (int64_t i = 0; i < c->nf; i++) {
		sd[i] = sd[i] > LEAST * most ? sd[i] : 0;
		vary += sd[i] > 0;
	}
	for (int64_t b = 0; b < rows; b++)
		for (int64_t i = 0; i < c->nf; i++)
			all[b * c->nf + i] = sd[i] > 0 ? (all[b * c->nf + i] - mean[i]) / sd[i] : 0;
	((double *)c->rest.data)[2] = most;
	return vary;
}

typedef struct table {
	const double *rows;
	int64_t columns;
} table;

static um_status read_rows(void *context, int64_t first, int64_t count, double *a)
{
	const table *t = context;
	memcpy(a, t->rows + first * t->columns, sizeof(double) * (size_t)(count * t->columns));
	return UM_OK;
}

/* Directions of the standardised numbers, each over its standard deviation. */
static um_status directions(um_condition *c, const um_problem *p, int64_t rows, int64_t vary, const double *all)
{
	um_status st = UM_OK;
	const um_rng rng = um_problem_rng(p, 0, 0);
	table t = { all, c->nf };
	const int64_t least = rows < c->nf ? rows : c->nf;
	um_svd_job job = { .rows = rows, .columns = c->nf, .read = read_rows, .context = &t, .rank = c->nc, .extra = EXTRA,
		.power = c->nc + EXTRA < least ? 2 : 0, .rng = &rng };
	double *s = calloc((size_t)c->nc, sizeof(*s)), *rest = c->rest.data, kept = 0;
	float *basis = c->basis.data;
	int64_t rank = 0;
	if (s == NULL)
		UM_TRY(um_fail(UM_ENOMEM, "no memory for directions"));
	UM_TRY(um_svd_random(&job, s, c->b));
	for (int64_t k = 0; k < c->nc; k++) {
		const double var = s[k] * s[k] / (double)rows;
		const bool keep = var > LEAST * s[0] * s[0] / (double)rows;
		for (int64_t i = 0; i < c->nf; i++)
			basis[k * c->nf + i] = keep ? (float)(c->b[k * c->nf + i] / sqrt(var)) : 0;
		kept += keep ? var : 0;
		rank += keep;
	}
	rest[1] = (double)(vary - rank);
	rest[0] = rest[1] > 0 ? fmax(((double)vary - kept) / rest[1], LEAST * s[0] * s[0] / (double)rows) : 1;
out:
	free(s);
	return st;
}

um_status um_condition_learn(um_condition *c, um_problem *p, um_sink *sink, int64_t steps)
{
	um_status st = UM_OK;
	const int64_t rows = um_condition_sample(c, um_problem_about(p));
	double *all = malloc(sizeof(*all) * (size_t)(rows * c->nf));
	if (all == NULL)
		UM_TRY(um_fail(UM_ENOMEM, "no memory for %lld measurements", (long long)rows));
	/* noise that the adjoint is weighted by, and what is usual to a Wiener filter, come before numbers do */
	UM_TRY(um_problem_rows(p, false, 0, rows < BLOCK ? rows : BLOCK, 1));
	see_noise(c, um_problem_sigma(p), rows < BLOCK ? rows : BLOCK, true);
	UM_TRY(see_usual(c, p, rows));
	UM_TRY(gather(c, p, sink, steps, rows, all));
	const int64_t vary = standardise(c, rows, all);
	if (vary == 0)
		UM_TRY(um_fail(UM_EDATA, "all measurements to learn from are equal"));
	UM_TRY(directions(c, p, rows, vary, all));
	um_condition_changed(c);
out:
	free(all);
	return st;
}
