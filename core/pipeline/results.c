/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Metrics, warnings and samples of measurements. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "base/file.h"
#include "base/mem.h"
#include "pipeline/results.h"
#include "report/csv.h"

enum { MOST = 256, WARNINGS = 8 };

static const char SAMPLES[] = "results.samples", METRICS[] = "results.metrics", NAMES[] = "results.names",
	UNSAID[] = "results.unsaid";

/* ---- metrics -------------------------------------------------------------------------------- */

static int64_t places(const um_results *r)
{
	return r->of > 1 ? r->of : 1;
}

/* The place of the measurement at work, or of the last one. */
static int64_t at_work(const um_results *r)
{
	return r->n < places(r) ? r->n : places(r) - 1;
}

static int find(const um_results *r, const char *name)
{
	int i = 0;
	while (i < r->nmetric && strcmp(r->metric[i].name, name) != 0)
		i++;
	return i;
}

/* The values of a metric, which is there from then on. */
static double *provide(um_results *r, const char *name)
{
	const int i = find(r, name);
	if (i < r->nmetric)
		return r->metric[i].value;
	r->metric = um_grow(r->metric, sizeof(*r->metric) * (size_t)(i + 1));
	r->metric[i] = (um_result){ um_strdup(name), um_new(sizeof(double) * (size_t)places(r)) };
	for (int64_t k = 0; k < places(r); k++)
		r->metric[i].value[k] = NAN;
	r->nmetric++;
	return r->metric[i].value;
}

um_status um_results_put(um_results *r, const char *name, double value)
{
	if (find(r, name) >= MOST)
		return um_fail(UM_EPLUGIN, "more than %d metrics", MOST);
	provide(r, name)[at_work(r)] = isfinite(value) ? value : INFINITY;
	return UM_OK;
}

bool um_results_has(const um_results *r, const char *name)
{
	const int i = find(r, name);
	return i < r->nmetric && !isnan(r->metric[i].value[at_work(r)]);
}

void um_results_drop(um_results *r)
{
	for (int i = 0; i < r->nmetric; i++)
		r->metric[i].value[at_work(r)] = NAN;
	while (r->nwarning > r->settled)
		free(r->warning[--r->nwarning]);
	r->unsaid = r->settled_unsaid;
}

/* How metrics of several measurements become one; all others are means, of which ERROR is a standard error. */
static const struct { const char *name; enum { TOTAL, LARGEST, LEAST, ERROR } how; } rules[] = {
	{ "seconds", TOTAL }, { "nfe", TOTAL }, { "peak_mb", LARGEST }, { "alarm", LARGEST }, { "rhat", LARGEST },
	{ "seed_rhat", LARGEST }, { "seeds_disagree", LARGEST }, { "pareto_k", LARGEST }, { "divergences", TOTAL },
	{ "ess_bulk", LEAST }, { "ess_tail", LEAST }, { "importance_ess", LEAST }, { "converged", LEAST },
	{ "elbo_worst", LEAST }, { "cut_off", TOTAL }, { "starts_stalled", TOTAL }, { "swaps", LEAST }, { "elbo_se", ERROR },
	{ "elbo_slope_se", ERROR }, { "log_evidence_lower_se", ERROR }, { "log_evidence_is_se", ERROR },
};

double um_results_all(const um_results *r, int metric)
{
	const um_result *m = &r->metric[metric];
	const size_t nrules = sizeof(rules) / sizeof(*rules);
	double sum = 0, square = 0, lo = INFINITY, hi = -INFINITY;
	int64_t count = 0;
	size_t rule = 0;
	while (rule < nrules && strcmp(rules[rule].name, m->name) != 0)
		rule++;
	if (places(r) == 1)
		return m->value[0];
	for (int64_t k = 0; k < r->n; k++) {
		if (isnan(m->value[k]))
			continue;
		sum += m->value[k];
		square += m->value[k] * m->value[k];
		lo = fmin(lo, m->value[k]);
		hi = fmax(hi, m->value[k]);
		count++;
	}
	if (count == 0 || !isfinite(sum))
		return INFINITY;
	if (rule == nrules)
		return sum / (double)count;
	switch (rules[rule].how) {
	case TOTAL: return sum;
	case LEAST: return lo;
	case ERROR: return sqrt(square) / (double)count;
	default: return hi;
	}
}

um_status um_results_table(const um_results *r, const char *path)
{
	um_text t = { 0 };
	um_text_add(&t, "measurement");
	for (int i = 0; i < r->nmetric; i++) {
		um_text_add(&t, ",");
		um_csv_text(&t, r->metric[i].name);
	}
	um_text_add(&t, "\n");
	for (int64_t k = 0; k < r->n; k++) {
		um_csv_number(&t, (double)(k + 1));
		for (int i = 0; i < r->nmetric; i++) {
			um_text_add(&t, ",");
			um_csv_number(&t, r->metric[i].value[k]);
		}
		um_text_add(&t, "\n");
	}
	um_status st = um_text_write(path, &t);
	um_text_free(&t);
	return st;
}

/* ---- warnings and samples ------------------------------------------------------------------- */

static void add_warning(um_results *r, char *text)
{
	r->warning = um_grow(r->warning, sizeof(*r->warning) * (size_t)(r->nwarning + 1));
	r->warning[r->nwarning++] = text;
}

void um_results_warn(um_results *r, const char *text)
{
	if (places(r) == 1)
		add_warning(r, um_strdup(text));
	else if (r->nwarning < WARNINGS)
		add_warning(r, um_format("measurement %lld: %s", (long long)r->n + 1, text));
	else
		r->unsaid++;
}

um_status um_results_add(um_results *r, um_array *samples)
{
	um_status st = UM_OK;
	int64_t dim[UM_MAXRANK] = { places(r) };
	memcpy(dim + 1, samples->dim, sizeof(*dim) * (size_t)samples->rank);
	if (places(r) == 1) {
		r->samples = um_array_view(samples->data, samples->dtype, samples->rank + 1, dim);
		*samples = (um_array){ 0 };
	} else {
		if (r->samples.data == NULL)
			UM_TRY(um_array_new(&r->samples, samples->dtype, samples->rank + 1, dim));
		if (um_array_rowlen(&r->samples) != um_array_len(samples))
			UM_TRY(um_fail(UM_EPLUGIN, "%lld samples of measurement %lld, and %lld of those before", (long long)samples->dim[0],
				(long long)r->n + 1, (long long)r->samples.dim[1]));
		um_array row = um_array_rows(&r->samples, r->n, 1);
		UM_TRY(um_array_copy(&row, samples));
		um_array_free(samples);
	}
	r->n++;
	r->settled = r->nwarning;
	r->settled_unsaid = r->unsaid;
out:
	return st;
}

/* ---- checkpoints ---------------------------------------------------------------------------- */

static um_status store_metrics(const um_results *r, um_tensors *t)
{
	um_text names = { 0 };
	um_array v = { 0 };
	um_status st = um_array_new(&v, UM_F64, 2, (const int64_t[]){ r->nmetric, r->n });
	for (int i = 0; st == UM_OK && i < r->nmetric; i++) {
		um_text_add(&names, i > 0 ? "\n" : "");
		um_text_add(&names, r->metric[i].name);
		memcpy(um_row_d(&v, i), r->metric[i].value, sizeof(double) * (size_t)r->n);
	}
	if (st == UM_OK && names.failed)
		st = um_fail(UM_ENOMEM, "no memory for a checkpoint");
	if (st == UM_OK)
		st = um_tensors_add(t, METRICS, &v);
	if (st == UM_OK)
		um_tensors_note(t, NAMES, names.s);
	um_text_free(&names);
	um_array_free(&v);
	return st;
}

um_status um_results_store(const um_results *r, um_tensors *t)
{
	um_status st = UM_OK;
	char key[40], number[40];
	if (places(r) == 1 || r->n == 0)
		return UM_OK;
	const um_array done = um_array_rows(&r->samples, 0, r->n);
	UM_TRY(um_tensors_add(t, SAMPLES, &done));
	UM_TRY(store_metrics(r, t));
	for (int i = 0; i < r->settled; i++) {
		snprintf(key, sizeof(key), "results.warning.%d", i);
		um_tensors_note(t, key, r->warning[i]);
	}
	snprintf(number, sizeof(number), "%lld", (long long)r->settled_unsaid);
	um_tensors_note(t, UNSAID, number);
out:
	return st;
}

static void restore_metrics(um_results *r, const um_array *v, const char *names)
{
	for (int64_t i = 0; i < v->dim[0] && names != NULL; i++) {
		const char *end = strchr(names, '\n');
		char *name = um_format("%.*s", end != NULL ? (int)(end - names) : (int)strlen(names), names);
		memcpy(provide(r, name), um_row_d(v, i), sizeof(double) * (size_t)r->n);
		free(name);
		names = end != NULL ? end + 1 : NULL;
	}
}

um_status um_results_restore(um_results *r, const um_tensors *t)
{
	um_status st = UM_OK;
	const um_array *done = um_tensors_get(t, SAMPLES), *v = um_tensors_get(t, METRICS);
	const char *text;
	char key[40];
	if (done == NULL || v == NULL || v->rank != 2 || done->dim[0] > places(r) || v->dim[1] != done->dim[0])
		return UM_OK;
	int64_t dim[UM_MAXRANK];
	memcpy(dim, done->dim, sizeof(dim));
	dim[0] = places(r);
	UM_TRY(um_array_new(&r->samples, done->dtype, done->rank, dim));
	r->n = done->dim[0];
	um_array rows = um_array_rows(&r->samples, 0, r->n);
	UM_TRY(um_array_copy(&rows, done));
	restore_metrics(r, v, um_tensors_meta(t, NAMES));
	for (int i = 0; i < WARNINGS; i++) {
		snprintf(key, sizeof(key), "results.warning.%d", i);
		if ((text = um_tensors_meta(t, key)) != NULL)
			add_warning(r, um_strdup(text));
	}
	if ((text = um_tensors_meta(t, UNSAID)) != NULL)
		r->unsaid = strtoll(text, NULL, 10);
	r->settled = r->nwarning;
	r->settled_unsaid = r->unsaid;
out:
	return st;
}

void um_results_free(um_results *r)
{
	for (int i = 0; i < r->nmetric; i++) {
		free(r->metric[i].name);
		free(r->metric[i].value);
	}
	free(r->metric);
	for (int i = 0; i < r->nwarning; i++)
		free(r->warning[i]);
	free(r->warning);
	um_array_free(&r->samples);
	*r = (um_results){ 0 };
}
