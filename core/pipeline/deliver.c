/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A cell's results as files: cubes, numbers, pictures. */
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <umbra/pareto.h>
#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "pipeline/cube.h"
#include "pipeline/provenance.h"
#include "pipeline/task.h"
#include "report/align.h"
#include "report/figure.h"
#include "report/metrics.h"
#include "report/ring.h"

/* Where samples whose position the data do not fix are put, as a phrase, or NULL where they stay. */
static const char *alignment(const um_cell_out *c, const um_measured *m)
{
	const um_plan *p = c->plan;
	const char *wish = p->stage[p->task[c->task].stage].set.align;
	const bool automatic = strcmp(wish, "auto") == 0;
	if (!m->forward.info.shift_free || strcmp(wish, "none") == 0 || (automatic && !(p->env.pixel > 0)))
		return NULL;
	return automatic && m->truth.data != NULL ? "to the truth" : strcmp(wish, "centre") == 0 ? "by their centroids" : "to each other";
}

static um_status align(um_cell_out *c, const um_measured *m, const um_array *truth)
{
	const char *how = alignment(c, m);
	um_aligned done = { 0 };
	um_status st = UM_OK;
	if (how == NULL)
		return UM_OK;
	if (strcmp(how, "to the truth") == 0)
		UM_TRY(um_align_reference(&c->samples, truth, &done));
	else if (strcmp(how, "by their centroids") == 0)
		UM_TRY(um_align_centre(&c->samples, &done));
	else
		UM_TRY(um_align_samples(&c->samples, &done));
	UM_TRY(um_cell_metric(c, "align_wrapped", done.wrapped));
out:
	return st;
}

static um_status ring_metrics(um_cell_out *c)
{
	um_status st = UM_OK;
	um_ring_figure f[UM_RING_FIGURES];
	char *name = NULL;
	UM_TRY(um_ring_samples(&c->samples, c->plan->env.pixel, f));
	for (int i = 0; i < UM_RING_FIGURES; i++) {
		const struct { const char *end; double value; } v[] = { { "", f[i].mean }, { "_p16", f[i].p16 },
			{ "_p50", f[i].p50 }, { "_p84", f[i].p84 } };
		for (int k = 0; k < 4; k++) {
			name = um_format("%s%s", f[i].name, v[k].end);
			UM_TRY(um_cell_metric(c, name, v[k].value));
			free(name);
			name = NULL;
		}
	}
out:
	free(name);
	return st;
}

/* The forward model's figures of the mean image, and their mean and standard deviation over the samples. */
static um_status forward_stats(um_cell_out *c, um_forward *f, const um_array *y, const um_array *sigma,
	const um_array *op, const um_array *mean)
{
	enum { BATCH = 64 };
	um_status st = UM_OK;
	const int n = um_forward_nstats(f);
	um_array mean32 = { 0 };
	double *v = um_new(sizeof(double) * (size_t)(n * BATCH)), *sum = um_new(sizeof(double) * 2 * (size_t)(n + 1));
	double *square = sum + n;
	UM_TRY(um_array_new(&mean32, UM_F32, 6, mean->dim));
	UM_TRY(um_array_copy(&mean32, mean));
	UM_TRY(um_forward_stats(f, op, &mean32, y, sigma, v));
	for (int i = 0; i < n; i++) {
		char *name = um_format("%s_mean", um_forward_stat(f, i));
		st = um_cell_metric(c, name, v[i]);
		free(name);
		if (st != UM_OK)
			goto out;
	}
	int64_t count = c->samples.dim[0];
	for (int64_t at = 0; at < count; at += BATCH) {
		um_array part = um_array_rows(&c->samples, at, count - at < BATCH ? count - at : BATCH);
		UM_TRY(um_forward_stats(f, op, &part, y, sigma, v));
		for (int64_t b = 0; b < part.dim[0]; b++)
			for (int i = 0; i < n; i++) {
				sum[i] += v[b * n + i] / (double)count;
				square[i] += v[b * n + i] * v[b * n + i] / (double)count;
			}
	}
	for (int i = 0; i < n; i++) {
		char *name = um_format("%s_samples", um_forward_stat(f, i)), *spread = um_format("%s_sd", name);
		st = um_cell_metric(c, name, sum[i]);
		if (st == UM_OK && count > 1)
			st = um_cell_metric(c, spread, sqrt(fmax(0, square[i] - sum[i] * sum[i])));
		free(name);
		free(spread);
		if (st != UM_OK)
			goto out;
	}
out:
	um_array_free(&mean32);
	free(v);
	free(sum);
	return st;
}

static um_status truth_metrics(um_cell_out *c, const um_array *truth)
{
	um_status st = UM_OK;
	um_truth_metrics m;
	UM_TRY(um_metrics_truth(&c->samples, truth, &m));
	UM_TRY(um_cell_metric(c, "psnr_mean", m.psnr_mean));
	UM_TRY(um_cell_metric(c, "psnr_samples", m.psnr_samples));
	if (c->plan->env.mesh == NULL) { /* its windows need rows and columns */
		UM_TRY(um_cell_metric(c, "ssim_mean", m.ssim_mean));
		UM_TRY(um_cell_metric(c, "ssim_samples", m.ssim_samples));
	}
	UM_TRY(um_cell_metric(c, "nrmse", m.nrmse));
	UM_TRY(um_cell_metric(c, "coverage_68", m.coverage_68));
	UM_TRY(um_cell_metric(c, "coverage_95", m.coverage_95));
	UM_TRY(um_cell_metric(c, "coverage_3sd", m.coverage_3sd));
out:
	return st;
}

static json_t *warnings(const um_results *r)
{
	json_t *list = json_array();
	for (int i = 0; i < r->nwarning; i++)
		json_array_append_new(list, um_json_text(r->warning[i]));
	if (r->unsaid > 0) {
		char *text = um_format("%lld more warnings are in log.txt, each after the measurement that it is of", (long long)r->unsaid);
		json_array_append_new(list, json_string(text));
		free(text);
	}
	return list;
}

um_status um_cell_write_metrics(const um_cell_out *c)
{
	const um_results *r = &c->results;
	json_t *j = json_object();
	if (r->of > 1)
		json_object_set_new(j, "measurements", json_real((double)r->n));
	for (int i = 0; i < r->nmetric; i++) {
		const double v = um_results_all(r, i);
		json_object_set_new(j, r->metric[i].name, isfinite(v) ? json_real(v) : json_null());
	}
	if (r->nwarning > 0)
		json_object_set_new(j, "warnings", warnings(r));
	char *text = json_dumps(j, JSON_INDENT(2) | JSON_REAL_PRECISION(12));
	char *path = um_format("%s/metrics.json", c->folder);
	um_status st = um_file_put(path, text, strlen(text));
	free(path);
	free(text);
	json_decref(j);
	return st;
}

static um_status figures(um_cell_out *c, um_forward *f, const um_array *y, const um_array *sigma,
	const um_array *op, const um_array *truth, const char *unit)
{
	um_status st = UM_OK;
	char *dir = um_format("%s/figures", c->folder);
	um_sink sink = um_cell_sink(c);
	UM_TRY(um_file_mkdirs(dir));
	UM_TRY(um_figure_posterior(dir, &c->samples, truth, c->plan->env.pixel, c->plan->env.mesh, unit));
	if (f->ops.plot != NULL) {
		um_phase(f->plugin, "plot");
		UM_TRY(um_in_phase(f->plugin, "plot", f->ops.plot(f->self, op, &c->samples, y, sigma, &sink)));
	}
out:
	um_phase(NULL, NULL);
	free(dir);
	return st;
}

/* One more HISTORY card. */
static void add_card(char ***history, char *text)
{
	int n = 0;
	while ((*history)[n] != NULL)
		n++;
	*history = um_grow(*history, sizeof(**history) * (size_t)(n + 2));
	(*history)[n] = text;
	(*history)[n + 1] = NULL;
}

/* What the cell starts from is an input as well. */
static um_status add_start(const um_cell_out *c, char ***history)
{
	char hex[65];
	const um_task *from = &c->plan->task[um_plan_start(c->plan, &c->plan->task[c->task])];
	const um_status st = um_sha256_file(c->start, hex);
	if (st == UM_OK)
		add_card(history, um_format("start %s sha256 %s", from->name, hex));
	return st;
}

static um_status write_cube(const um_cell_out *c, const um_measured *m, const char *name, const um_array *x, bool samples,
	char *const *history)
{
	const char *const lead[] = { c->results.of > 1 ? "MEASUREMENT" : NULL, samples ? "SAMPLE" : NULL };
	char *path = um_format("%s/%s", c->folder, name);
	const um_status st = um_cube_write(path, x, lead, m->sky.pixel > 0 ? &m->sky : NULL, m->forward.info.unit, history);
	free(path);
	return st;
}

static um_status write_images(const um_cell_out *c, const um_measured *m)
{
	um_status st = UM_OK;
	const um_results *r = &c->results;
	const char *aligned = alignment(c, m);
	const um_array all = um_array_rows(&r->samples, 0, r->n);
	um_array mean = { 0 }, std = { 0 };
	char **history = NULL;
	int64_t dim[UM_MAXRANK] = { r->n };
	memcpy(dim + 1, all.dim + 2, 5 * sizeof(*dim));
	UM_TRY(um_array_new(&mean, UM_F64, 6, dim));
	UM_TRY(um_array_new(&std, UM_F64, 6, dim));
	for (int64_t k = 0; k < r->n; k++) {
		const um_array one = um_array_view(um_row_f(&all, k), UM_F32, 6, all.dim + 1);
		um_array average = um_array_rows(&mean, k, 1), spread = um_array_rows(&std, k, 1);
		UM_TRY(um_metrics_moments(&one, &average, &spread));
	}
	UM_TRY(um_history(c->plan, c->task, &history));
	if (c->start != NULL)
		UM_TRY(add_start(c, &history));
	if (aligned != NULL)
		add_card(&history, um_format("samples aligned %s by whole pixels", aligned));
	UM_TRY(write_cube(c, m, "samples.fits", &all, true, history));
	UM_TRY(write_cube(c, m, "mean.fits", &mean, false, history));
	UM_TRY(write_cube(c, m, "std.fits", &std, false, history));
out:
	um_history_free(history);
	um_array_free(&mean);
	um_array_free(&std);
	return st;
}

double um_cell_peak_mb(const um_cell_out *c)
{
	struct rusage use;
	getrusage(RUSAGE_SELF, &use);
	return fmax(c->earlier_mb, (double)use.ru_maxrss / 1024);
}

static um_status counts(um_cell_out *c)
{
	um_status st = UM_OK;
	UM_TRY(um_cell_metric(c, "samples", (double)c->samples.dim[0]));
	if (c->problem == NULL)
		goto out; /* another program did the work */
	UM_TRY(um_cell_metric(c, "seconds", c->earlier + um_clock() - c->started));
	UM_TRY(um_cell_metric(c, "peak_mb", um_cell_peak_mb(c)));
	UM_TRY(um_cell_metric(c, "nfe", um_cell_calls(c)));
out:
	return st;
}

/* What samples with a known density say of log p(y). */
static um_status evidence(um_cell_out *c)
{
	um_status st = UM_OK;
	um_evidence_figures f;
	if (!um_evidence_estimate(&c->evidence, c->problem, &f))
		return UM_OK;
	if (isfinite(f.lower)) {
		UM_TRY(um_cell_metric(c, "log_evidence_lower", f.lower));
		UM_TRY(um_cell_metric(c, "log_evidence_lower_se", f.lower_se));
		UM_TRY(um_cell_metric(c, "log_evidence_is", f.is));
		UM_TRY(um_cell_metric(c, "log_evidence_is_se", f.is_se));
	}
	if (isfinite(f.k) && !um_results_has(&c->results, "pareto_k"))
		UM_TRY(um_cell_metric(c, "pareto_k", f.k));
	if (isfinite(f.is) && f.k > um_pareto_limit(c->evidence.n))
		um_log(UM_WARN, "log_evidence_is is not to be believed: the importance weights of %lld samples have a tail of Pareto "
			"k = %.2f, above %.2f; log_evidence_lower holds", (long long)c->evidence.n, f.k, um_pareto_limit(c->evidence.n));
out:
	return st;
}

um_status um_cell_judge(um_cell_out *c, um_measured *m, const um_array *op)
{
	um_status st = UM_OK;
	um_array mean = { 0 };
	const int64_t k = c->measurement;
	const um_array y = um_measured_row(&m->y, k), sigma = um_measured_row(&m->sigma, k), own = um_measured_row(&m->op, k);
	const um_array image = um_measured_image(m, k), *truth = image.data != NULL ? &image : NULL;
	op = op != NULL ? op : &own;
	UM_TRY(counts(c));
	UM_TRY(evidence(c));
	UM_TRY(align(c, m, truth));
	int64_t dim[UM_MAXRANK];
	memcpy(dim, c->samples.dim, sizeof(dim));
	dim[0] = 1;
	UM_TRY(um_array_new(&mean, UM_F64, 6, dim));
	UM_TRY(um_metrics_moments(&c->samples, &mean, NULL));
	UM_TRY(forward_stats(c, &m->forward, &y, &sigma, op, &mean));
	um_phase(NULL, NULL);
	if (truth != NULL)
		UM_TRY(truth_metrics(c, truth));
	if (c->plan->env.pixel > 0)
		UM_TRY(ring_metrics(c));
	if (k == 0)
		UM_TRY(figures(c, &m->forward, &y, &sigma, op, truth, m->forward.info.unit));
	UM_TRY(um_results_add(&c->results, &c->samples));
out:
	um_array_free(&mean);
	return st;
}

um_status um_cell_deliver(um_cell_out *c, const um_measured *m)
{
	um_status st = UM_OK;
	char *table = um_format("%s/measurements.csv", c->folder);
	UM_TRY(um_cell_write_trace(c));
	if (c->results.n == 0)
		goto out;
	UM_TRY(write_images(c, m));
	if (c->results.of > 1)
		UM_TRY(um_results_table(&c->results, table));
	UM_TRY(um_cell_write_metrics(c));
out:
	free(table);
	return st;
}
