/* SPDX-License-Identifier: GPL-3.0-or-later */
/* DIR/report.html, from top to bottom: what ran and how it ended, the table, the picture that
 * compares, each cell, the measurements, training, configuration, provenance. */
#include <stdlib.h>
#include <string.h>
#include <umbra/config.h>
#include "base/mem.h"
#include "page.h"
#include "report.h"
#include "sheet.h"
#include "trace.h"

/* A run and the page that is being made of it. */
struct report {
	um_rundir run;
	char *cfg; /* pipeline.cfg, or NULL */
	um_text t;
};

static int count_status(const um_rundir *r, const char *status)
{
	int n = 0;
	for (int i = 0; i < r->ncells; i++)
		n += strcmp(r->cells[i].status, status) == 0;
	return n;
}

/* The run's title: run.json, else pipeline.cfg, else the name of the folder. */
static char *title_of(const struct report *p)
{
	um_node *root = NULL, *n = NULL;
	const char *s = json_string_value(json_object_get(p->run.run, "title"));
	if (s == NULL && p->cfg && um_config_parse(p->cfg, "pipeline.cfg", &root) == UM_OK)
		n = um_node_get(root, "title");
	if (n && n->type == UM_NODE_TEXT)
		s = n->text;
	char *title = s && *s ? um_strdup(s) : NULL;
	if (title == NULL) {
		char *dir = um_strdup(p->run.dir);
		size_t len = strlen(dir);
		while (len > 1 && dir[len - 1] == '/')
			dir[--len] = '\0';
		const char *slash = strrchr(dir, '/');
		title = um_strdup(slash && slash[1] ? slash + 1 : dir);
		free(dir);
	}
	if (root)
		um_node_free(root);
	return title;
}

static void add_header(struct report *p, const char *title)
{
	um_text *t = &p->t;
	const um_rundir *r = &p->run;
	int done = count_status(r, "done"), failed = count_status(r, "failed");
	um_text_add(t, "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n"
		"<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\n"
		"<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; img-src data:; "
		"style-src 'unsafe-inline'\">\n<title>");
	um_text_html(t, title);
	um_text_add(t, "</title>\n<style>\n");
	um_text_add(t, um_page_css);
	um_text_add(t, "</style></head>\n<body><header><h1>");
	um_text_html(t, title);
	um_text_print(t, "</h1>\n<p class=\"lead\">%d cell%s: %d done", r->ncells, r->ncells == 1 ? "" : "s", done);
	if (failed)
		um_text_print(t, ", %d failed", failed);
	if (r->ncells > done + failed)
		um_text_print(t, ", %d unfinished", r->ncells - done - failed);
	um_text_add(t, "</p>\n<nav aria-label=\"Cells\">");
	for (int i = 0; r->ncells > 1 && i < r->ncells; i++) {
		um_text_print(t, "<a href=\"#cell-%d\">", i + 1);
		um_text_html(t, r->cells[i].name);
		um_text_add(t, "</a>");
	}
	um_text_add(t, "</nav></header>\n<main>\n");
}

static void add_overview(struct report *p)
{
	um_text *t = &p->t;
	const um_rundir *r = &p->run;
	um_text_add(t, "<section><h2>Results</h2>\n");
	for (int i = 0; i < r->ncells; i++) {
		if (r->cells[i].reason == NULL)
			continue;
		um_text_add(t, "<p class=\"reason\"><b>");
		um_text_html(t, r->cells[i].name);
		um_text_add(t, "</b> ");
		um_text_html(t, r->cells[i].status);
		um_text_add(t, ": ");
		um_text_html(t, r->cells[i].reason);
		um_text_add(t, "</p>\n");
	}
	if (r->ncells > 0)
		um_page_table(t, r);
	else
		um_text_add(t, "<p class=\"lead\">This run has no inference cells.</p>\n");
	um_text_add(t, "</section>\n");
}

static void add_comparison(struct report *p)
{
	um_text piece = { 0 };
	char *path = um_format("%s/compare/comparison.png", p->run.dir);
	if (um_page_picture(&piece, path, "Posterior means above, standard deviations below, on common scales",
		"Comparison of all cells")) {
		um_text_add(&p->t, "<section><h2>Comparison</h2>\n");
		um_text_bytes(&p->t, piece.s, piece.len);
		um_text_add(&p->t, "</section>\n");
	}
	p->t.failed = p->t.failed || piece.failed;
	um_text_free(&piece);
	free(path);
}

static void add_cell(struct report *p, int i)
{
	um_text *t = &p->t;
	const um_cell *c = &p->run.cells[i];
	um_text_print(t, "<section id=\"cell-%d\"><h2>", i + 1);
	um_text_html(t, c->name);
	um_text_add(t, "<span class=\"badge ");
	um_text_html(t, c->status);
	um_text_add(t, "\">");
	um_text_html(t, c->status);
	um_text_add(t, "</span></h2>\n");
	if (c->reason) {
		um_text_add(t, "<p class=\"reason\">");
		um_text_html(t, c->reason);
		um_text_add(t, "</p>\n");
	}
	size_t k;
	json_t *warning;
	json_array_foreach(json_object_get(c->metrics, "warnings"), k, warning) {
		um_text_add(t, "<p class=\"reason\"><b>Warning</b>: ");
		um_text_html(t, json_is_string(warning) ? json_string_value(warning) : "");
		um_text_add(t, "</p>\n");
	}
	if (c->dir) {
		char *figures = um_format("%s/figures", c->dir), *trace = um_format("%s/trace.csv", c->dir);
		if (um_page_pictures(t, figures, c->name) == 0)
			um_text_add(t, "<p class=\"lead\">No pictures.</p>\n");
		um_trace_html(t, trace, c->name);
		um_sheets_html(t, c->dir, c->name);
		free(figures);
		free(trace);
	}
	um_text_add(t, "</section>\n");
}

/* How a fit ended, and its figures. */
static void add_outcome(struct report *p, um_text *t, const char *name, const char *dir)
{
	char *task = um_format("train/%s", name), *path = um_format("%s/metrics.json", dir);
	const json_t *entry = json_object_get(json_object_get(p->run.run, "training"), task);
	const char *status = json_string_value(json_object_get(entry, "status"));
	const char *reason = json_string_value(json_object_get(entry, "reason"));
	um_status st = UM_OK;
	json_t *metrics = um_rundir_object(path, &st);
	if (st != UM_OK)
		um_log(UM_WARN, "%s", um_message());
	if (reason != NULL) {
		um_text_add(t, "<p class=\"reason\"><b>");
		um_text_html(t, status != NULL ? status : "unknown");
		um_text_add(t, "</b>: ");
		um_text_html(t, reason);
		um_text_add(t, "</p>\n");
	}
	if (metrics != NULL)
		um_page_numbers(t, metrics);
	json_decref(metrics);
	free(path);
	free(task);
}

/* Whether the posteriors of a kind of cell can be believed. */
static void add_verdict(um_text *t, const char *dir)
{
	um_status st = UM_OK;
	char *path = um_format("%s/verdict.json", dir);
	json_t *verdict = um_rundir_object(path, &st);
	if (st != UM_OK)
		um_log(UM_WARN, "%s", um_message());
	if (verdict != NULL)
		um_page_numbers(t, verdict);
	json_decref(verdict);
	free(path);
}

/* Folders below simulate/, train/ or calibrate/ that have something to show. */
static void add_folders(struct report *p, const char *stage, const char *heading)
{
	char *top = um_format("%s/%s", p->run.dir, stage);
	um_names l = um_names_list(top, "");
	for (int i = 0; i < l.n; i++) {
		um_text piece = { 0 };
		char *dir = um_format("%s/%s", top, l.name[i]), *figures = um_format("%s/figures", dir);
		char *trace = um_format("%s/trace.csv", dir);
		if (strcmp(stage, "train") == 0)
			add_outcome(p, &piece, l.name[i], dir);
		if (strcmp(stage, "calibrate") == 0)
			add_verdict(&piece, dir);
		um_page_pictures(&piece, figures, l.name[i]);
		um_trace_html(&piece, trace, l.name[i]);
		if (piece.len > 0) {
			um_text_print(&p->t, "<section><h2>%s: ", heading);
			um_text_html(&p->t, l.name[i]);
			um_text_add(&p->t, "</h2>\n");
			um_text_bytes(&p->t, piece.s, piece.len);
			um_text_add(&p->t, "</section>\n");
		}
		p->t.failed = p->t.failed || piece.failed;
		um_text_free(&piece);
		free(figures);
		free(trace);
		free(dir);
	}
	um_names_free(&l);
	free(top);
}

static void add_end(struct report *p)
{
	um_text *t = &p->t;
	if (p->cfg) {
		um_text_add(t, "<section><details><summary>Configuration</summary>\n<pre>");
		um_text_html(t, p->cfg);
		um_text_add(t, "</pre></details></section>\n");
	}
	um_text_add(t, "<section><details><summary>Provenance</summary>\n");
	um_page_json(t, p->run.run, "cells");
	um_text_add(t, "</details></section>\n</main>\n<footer>Made by umbra " UM_VERSION
		" from the files of this run.</footer>\n</body></html>\n");
}

/* pipeline.cfg may be missing; what cannot be read is left out with a warning. */
static char *read_config(const char *dir)
{
	unsigned char *cfg;
	size_t n;
	char *path = um_format("%s/pipeline.cfg", dir);
	if (um_bytes_read(path, (size_t)8 << 20, &cfg, &n) != UM_OK)
		um_log(UM_WARN, "%s", um_message());
	free(path);
	return (char *)cfg;
}

um_status um_report_write(const char *dir)
{
	um_status st = UM_OK;
	struct report p = { 0 };
	char *title = NULL, *path = um_format("%s/report.html", dir);
	UM_TRY(um_rundir_open(dir, &p.run));
	p.cfg = read_config(dir);
	title = title_of(&p);
	add_header(&p, title);
	add_overview(&p);
	add_comparison(&p);
	for (int i = 0; i < p.run.ncells; i++)
		add_cell(&p, i);
	add_folders(&p, "simulate", "Simulated measurements");
	add_folders(&p, "train", "Training");
	add_folders(&p, "calibrate", "Calibration");
	add_end(&p);
	st = um_text_write(path, &p.t);
out:
	um_text_free(&p.t);
	um_rundir_free(&p.run);
	free(p.cfg);
	free(title);
	free(path);
	return st;
}
