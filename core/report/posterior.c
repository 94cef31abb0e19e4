/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The pictures every cell has: mean, standard deviation, some samples and, where the truth
 * is known, how far off the mean is. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include "figure.h"
#include "metrics.h"

#define SHOWN 16

/* One cell's arrays as pictures: planes of channels x rows x columns. */
struct posterior {
	const char *dir;
	int64_t planes, channels, rows, columns, n;
	um_array work; /* double [3 + SHOWN][n] */
	double *mean, *std, *truth, *samples;
	double pixel;
	const struct um_mesh *mesh;
	char value[120], spread[120];
	bool sky;
	um_cmap map;
};

static um_status draw(const struct posterior *q, const char *name, const um_figure *f)
{
	char path[4096];
	if (snprintf(path, sizeof(path), "%s/%s.png", q->dir, name) >= (int)sizeof(path))
		return um_fail(UM_EARG, "%s: the name of a folder is too long", q->dir);
	return um_figure_write(path, f);
}

static um_panel panel_of(const struct posterior *q, const double *v, int64_t plane, const char *title)
{
	int64_t size = q->channels * q->rows * q->columns;
	return (um_panel){ .title = title, .data = v + plane * size, .channels = q->channels,
		.rows = q->rows, .columns = q->columns, .mesh = q->mesh };
}

/* Every plane of the mean or the standard deviation: one for most images. */
static um_status draw_planes(const struct posterior *q, const char *name, const double *v,
	const char *label, bool band)
{
	um_panel panels[SHOWN];
	char titles[SHOWN][40];
	int count = q->planes < SHOWN ? (int)q->planes : SHOWN;
	double *edge = NULL;
	if (band && (edge = malloc(2 * (size_t)q->n * sizeof(*edge))) == NULL)
		return um_fail(UM_ENOMEM, "no memory for a band of %lld numbers", (long long)q->n);
	for (int64_t k = 0; band && k < q->n; k++) {
		edge[k] = q->mean[k] - q->std[k];
		edge[q->n + k] = q->mean[k] + q->std[k];
	}
	for (int i = 0; i < count; i++) {
		int64_t at = i * (q->planes - 1) / (count > 1 ? count - 1 : 1);
		snprintf(titles[i], sizeof(titles[i]), "%lld", (long long)at + 1);
		panels[i] = panel_of(q, v, at, count > 1 ? titles[i] : NULL);
		if (band) {
			panels[i].lo = edge + at * (q->n / q->planes);
			panels[i].hi = panels[i].lo + q->n;
		}
	}
	const um_scale scale = { .map = q->map, .label = label };
	um_status st = draw(q, name, &(um_figure){ .panels = panels, .npanels = count, .scales = &scale,
		.nscales = 1, .smooth = q->sky, .pixel = q->pixel });
	free(edge);
	return st;
}

static um_status draw_samples(const struct posterior *q, int count)
{
	um_panel panels[SHOWN];
	for (int i = 0; i < count; i++)
		panels[i] = panel_of(q, q->samples + i * q->n, 0, NULL);
	const um_scale scale = { .map = q->map, .label = q->value };
	return draw(q, "samples", &(um_figure){ .panels = panels, .npanels = count, .columns = count < 4 ? count : 4,
		.scales = &scale, .nscales = 1, .smooth = q->sky, .pixel = q->pixel });
}

static um_status draw_truth(struct posterior *q)
{
	double *error = q->samples; /* the samples are drawn already */
	for (int64_t k = 0; k < q->n; k++)
		error[k] = q->mean[k] - q->truth[k];
	um_panel panels[3] = { panel_of(q, q->truth, 0, "Truth"), panel_of(q, q->mean, 0, "Posterior mean"),
		panel_of(q, error, 0, "Mean \xe2\x88\x92 truth") };
	um_scale scales[2] = { { .map = q->map, .label = q->value },
		{ .map = UM_DIVERGING, .label = q->value } };
	panels[2].scale = 1;
	if (q->channels == 3) {
		double most = 0;
		for (int64_t k = 0; k < q->n; k++)
			most = isfinite(error[k]) ? fmax(most, fabs(error[k])) : most;
		scales[1].lo = -most;
		scales[1].hi = most;
	}
	return draw(q, "truth", &(um_figure){ .panels = panels, .npanels = 3, .columns = 3, .scales = scales,
		.nscales = 2, .smooth = q->sky, .pixel = q->pixel });
}

static void convert(const um_array *a, int64_t first, int64_t n, double *out)
{
	for (int64_t k = 0; k < n; k++)
		out[k] = a->dtype == UM_F32 ? (double)((const float *)a->data)[first + k]
			: ((const double *)a->data)[first + k];
}

static um_status measure(struct posterior *q, const um_array *s)
{
	int k = s->rank;
	q->n = um_array_rowlen(s);
	if (k < 2 || s->dim[0] < 1 || q->n < 1 || (s->dtype != UM_F32 && s->dtype != UM_F64))
		return um_fail(UM_EARG, "pictures need samples [S][...][rows][columns] of real numbers");
	q->columns = s->dim[k - 1];
	q->rows = k > 2 ? s->dim[k - 2] : 1;
	q->channels = k > 3 && s->dim[k - 3] == 3 ? 3 : 1;
	q->planes = q->n / (q->channels * q->rows * q->columns);
	return um_array_new(&q->work, UM_F64, 2, (const int64_t[]){ 3 + SHOWN, q->n });
}

um_status um_figure_posterior(const char *dir, const um_array *samples, const um_array *truth,
	double pixel, const struct um_mesh *mesh, const char *unit)
{
	um_status st = UM_OK;
	struct posterior q = { .dir = dir, .pixel = pixel, .mesh = mesh, .sky = pixel > 0,
		.map = pixel > 0 || mesh != NULL ? UM_AFMHOT : UM_GREY };
	UM_TRY(measure(&q, samples));
	if (truth && um_array_len(truth) != q.n)
		UM_TRY(um_fail(UM_EARG, "the truth has %lld pixels, the samples have %lld",
			(long long)um_array_len(truth), (long long)q.n));
	q.mean = um_row_d(&q.work, 0);
	q.std = um_row_d(&q.work, 1);
	q.truth = um_row_d(&q.work, 2);
	q.samples = um_row_d(&q.work, 3);
	int count = samples->dim[0] < SHOWN ? (int)samples->dim[0] : SHOWN;
	for (int i = 0; i < count; i++)
		convert(samples, i * samples->stride[0], q.n, q.samples + i * q.n);
	bool has_unit = unit && *unit;
	snprintf(q.value, sizeof(q.value), "%s", has_unit ? unit : "");
	snprintf(q.spread, sizeof(q.spread), "standard deviation%s%.60s%s", has_unit ? " (" : "",
		has_unit ? unit : "", has_unit ? ")" : "");

	um_array mean = um_array_rows(&q.work, 0, 1), std = um_array_rows(&q.work, 1, 1);
	UM_TRY(um_metrics_moments(samples, &mean, &std));
	bool line = mesh == NULL && (q.rows == 1) != (q.columns == 1) && q.channels == 1;
	UM_TRY(draw_planes(&q, "mean", q.mean, q.value, line));
	if (samples->dim[0] > 1) { /* a point estimate has no spread to show */
		UM_TRY(draw_planes(&q, "std", q.std, q.spread, false));
		UM_TRY(draw_samples(&q, count));
	}
	if (truth) {
		convert(truth, 0, q.n, q.truth);
		UM_TRY(draw_truth(&q));
	}
out:
	um_array_free(&q.work);
	return st;
}
