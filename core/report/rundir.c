/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Reads run.json and the metrics of every cell. */
#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include "base/mem.h"
#include "rundir.h"
#include "text.h"

#define MAXJSON ((size_t)64 << 20)

void um_names_free(um_names *l)
{
	for (int i = 0; i < l->n; i++)
		free(l->name[i]);
	free(l->name);
	*l = (um_names){ 0 };
}

void um_names_add(um_names *l, const char *name)
{
	for (int i = 0; i < l->n; i++)
		if (strcmp(l->name[i], name) == 0)
			return;
	l->name = um_grow(l->name, (size_t)(l->n + 1) * sizeof(*l->name));
	l->name[l->n++] = um_strdup(name);
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

um_names um_names_list(const char *dir, const char *suffix)
{
	um_names l = { 0 };
	struct dirent *e;
	DIR *d = opendir(dir);
	size_t tail = strlen(suffix);
	while (d && (e = readdir(d)) != NULL) {
		size_t n = strlen(e->d_name);
		if (e->d_name[0] != '.' && n > tail && strcmp(e->d_name + n - tail, suffix) == 0)
			um_names_add(&l, e->d_name);
	}
	if (d)
		closedir(d);
	if (l.n > 1)
		qsort(l.name, (size_t)l.n, sizeof(*l.name), by_name);
	return l;
}

/* A relative path of plain components: what a cell may be called. */
static bool is_plain(const char *name)
{
	for (const char *p = name;; p++) {
		size_t n = strcspn(p, "/");
		if (n == 0 || p[0] == '.')
			return false;
		p += n;
		if (*p == '\0')
			return true;
	}
}

json_t *um_rundir_object(const char *path, um_status *st)
{
	unsigned char *bytes;
	size_t n;
	json_error_t e;
	*st = um_bytes_read(path, MAXJSON, &bytes, &n);
	if (*st != UM_OK || bytes == NULL)
		return NULL;
	json_t *j = json_loadb((const char *)bytes, n, 0, &e);
	free(bytes);
	if (!json_is_object(j)) {
		*st = um_fail(UM_EDATA, "%s:%d: %s; write it again with umbra run", path, j ? 1 : e.line,
			j ? "not a JSON object" : e.text);
		json_decref(j);
		return NULL;
	}
	return j;
}

bool um_cell_is_done(const um_cell *c)
{
	return strcmp(c->status, "done") == 0;
}

static void read_metrics(um_cell *c)
{
	um_status st = UM_OK;
	if (c->dir == NULL)
		return;
	char *path = um_format("%s/metrics.json", c->dir);
	c->metrics = um_rundir_object(path, &st);
	if (st != UM_OK)
		um_log(UM_WARN, "%s", um_message());
	free(path);
}

static void add_cell(um_rundir *r, const char *name, json_t *entry)
{
	const char *slash = strchr(name, '/');
	const char *status = json_string_value(json_object_get(entry, "status"));
	r->cells = um_grow(r->cells, (size_t)(r->ncells + 1) * sizeof(*r->cells));
	um_cell *c = &r->cells[r->ncells++];
	*c = (um_cell){
		.name = um_strdup(name),
		.forward = um_strdup(name),
		.dir = is_plain(name) ? um_format("%s/%s", r->dir, name) : NULL,
		.status = status ? status : "unknown",
		.reason = json_string_value(json_object_get(entry, "reason")),
	};
	if (slash)
		c->forward[slash - name] = '\0';
	if (c->dir == NULL)
		um_log(UM_WARN, "%s/run.json: cell %s is not a plain path; its files are left out", r->dir, name);
	read_metrics(c);
}

/* Where a metric stands in a table: fit to the data, to the truth, others, cost. */
static const struct metric {
	const char *key, *title, *small;
	int rank, sense;
} metrics[] = {
	{ "psnr_mean", "PSNR", "of mean, dB", 10, 1 },
	{ "psnr_samples", "PSNR", "of samples, dB", 11, 1 },
	{ "ssim_mean", "SSIM", "of mean", 12, 1 },
	{ "ssim_samples", "SSIM", "of samples", 13, 1 },
	{ "nrmse", "NRMSE", "of mean", 14, -1 },
	{ "coverage_68", "Coverage", "at 68 %", 15, 0 },
	{ "coverage_95", "Coverage", "at 95 %", 16, 0 },
	{ "coverage_3sd", "Coverage", "of 3 deviations", 17, 0 },
	{ "peak_tb_k_mean", "Brightest pixel", "of mean, K", 20, 0 },
	{ "peak_tb_k_samples", "Brightest pixel", "of samples, K", 21, 0 },
	{ "log_evidence", "Log evidence", "", 30, 0 },
	{ "log_evidence_lower", "Log evidence", "at least", 31, 0 },
	{ "log_evidence_lower_se", "Log evidence", "at least, error", 32, 0 },
	{ "log_evidence_is", "Log evidence", "by importance", 33, 0 },
	{ "log_evidence_is_se", "Log evidence", "by importance, error", 34, 0 },
	{ "pareto_k", "Pareto k", "below 0.7 is good", 35, 0 },
	{ "measurements", "Measurements", "", 89, 0 },
	{ "samples", "Samples", "", 90, 0 },
	{ "nfe", "Evaluations", "of the prior", 91, 0 },
	{ "seconds", "Time", "s", 92, 0 },
	{ "peak_mb", "Memory", "MB", 93, 0 },
};

static const struct metric *find_metric(const char *key)
{
	for (size_t i = 0; i < sizeof(metrics) / sizeof(*metrics); i++)
		if (strcmp(metrics[i].key, key) == 0)
			return &metrics[i];
	return NULL;
}

static int rank_of(const char *key)
{
	const struct metric *m = find_metric(key);
	return m ? m->rank : strncmp(key, "chi2", 4) == 0 ? 0 : 50;
}

static int by_rank(const void *a, const void *b)
{
	const char *x = *(char *const *)a, *y = *(char *const *)b;
	int dx = rank_of(x), dy = rank_of(y);
	return dx != dy ? dx - dy : strcmp(x, y);
}

int um_metric_sense(const char *key)
{
	const struct metric *m = find_metric(key);
	return m ? m->sense : 0;
}

void um_metric_title(const char *key, char title[80], char small[40])
{
	const struct metric *m = find_metric(key);
	if (m) {
		strcpy(title, m->title);
		strcpy(small, m->small);
		return;
	}
	static const struct { const char *tail, *small; } ends[] = { { "_mean", "of mean" }, { "_samples", "of samples" },
		{ "_samples_sd", "sd over samples" } };
	bool chi2 = strncmp(key, "chi2_", 5) == 0;
	strcpy(title, chi2 ? "\xcf\x87\xc2\xb2 " : "");
	strncat(title, chi2 ? key + 5 : key, 60);
	*small = '\0';
	for (size_t i = 0; i < sizeof(ends) / sizeof(*ends); i++) {
		const size_t n = strlen(key), tail = strlen(ends[i].tail), shown = strlen(title);
		if (n <= tail || shown <= tail || strcmp(key + n - tail, ends[i].tail) != 0)
			continue;
		title[shown - tail] = '\0';
		strcpy(small, ends[i].small);
		break;
	}
}

static void gather_columns(um_rundir *r)
{
	for (int i = 0; i < r->ncells; i++) {
		const char *key;
		json_t *v;
		json_object_foreach(r->cells[i].metrics, key, v)
			if (strcmp(key, "warnings") != 0) /* no numbers to compare */
				um_names_add(&r->metrics, key);
	}
	if (r->metrics.n > 1)
		qsort(r->metrics.name, (size_t)r->metrics.n, sizeof(char *), by_rank);
}

um_status um_rundir_open(const char *dir, um_rundir *r)
{
	um_status st = UM_OK;
	const char *name;
	json_t *entry;
	*r = (um_rundir){ .dir = um_strdup(dir) };
	char *path = um_format("%s/run.json", dir);
	r->run = um_rundir_object(path, &st);
	UM_TRY(st);
	if (r->run == NULL)
		UM_TRY(um_fail(UM_EDATA, "%s: no run.json here; name a directory made by umbra run", dir));
	json_object_foreach(json_object_get(r->run, "cells"), name, entry)
		add_cell(r, name, entry);
	gather_columns(r);
out:
	free(path);
	return st;
}

void um_rundir_free(um_rundir *r)
{
	for (int i = 0; i < r->ncells; i++) {
		free(r->cells[i].name);
		free(r->cells[i].forward);
		free(r->cells[i].dir);
		json_decref(r->cells[i].metrics);
	}
	free(r->cells);
	free(r->dir);
	um_names_free(&r->metrics);
	json_decref(r->run);
	*r = (um_rundir){ 0 };
}
