/* SPDX-License-Identifier: GPL-3.0-or-later */
/* DIR/report.html, from top to bottom: what ran and how it ended, the table, the explorer, the picture that
 * compares, calibration, each cell, the measurements, training, configuration, provenance. */
#include <stdlib.h>
#include <string.h>
#include <nettle/sha2.h>
#include <umbra/config.h>
#include "base/file.h"
#include "base/mem.h"
#include "curves.h"
#include "page.h"
#include "report.h"
#include "sheet.h"
#include "trace.h"

#define MOST_TEXT ((size_t)150000) /* of a file in the page */

/* A run and the page that is being made of it. */
struct report {
	um_rundir run;
	char *cfg;     /* pipeline.cfg, or NULL */
	um_node *root; /* and what it says, or NULL */
	bool images;   /* of pixels, not signals on a mesh */
	um_text t, end;
};

/* One of so many equal parts of what may still be added. */
static size_t share(const struct report *p, int parts)
{
	const size_t used = p->t.len + p->end.len;
	return used < UM_PAGE_BYTES ? (UM_PAGE_BYTES - used) / (size_t)parts : 0;
}

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
	const char *s = json_string_value(json_object_get(p->run.run, "title"));
	const um_node *n = s == NULL && p->root ? um_node_get(p->root, "title") : NULL;
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
	return title;
}

/* What the page's own style or script is known by: nothing else may run, whatever a file says. */
static void add_hash(um_text *t, const char *s)
{
	struct sha256_ctx ctx;
	uint8_t digest[SHA256_DIGEST_SIZE];
	sha256_init(&ctx);
	sha256_update(&ctx, strlen(s), (const uint8_t *)s);
	sha256_digest(&ctx, sizeof(digest), digest);
	um_text_add(t, "sha256-");
	um_text_base64(t, digest, sizeof(digest));
}

static void add_header(struct report *p, const char *title)
{
	um_text *t = &p->t;
	const um_rundir *r = &p->run;
	int done = count_status(r, "done"), failed = count_status(r, "failed");
	um_text_add(t, "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n"
		"<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\n"
		"<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; img-src data:; style-src '");
	add_hash(t, (const char *)um_report_css);
	um_text_add(t, "'; script-src '");
	add_hash(t, (const char *)um_report_js);
	um_text_add(t, "'; base-uri 'none'; form-action 'none'\">\n<title>");
	um_text_html(t, title);
	um_text_add(t, "</title>\n<style>");
	um_text_add(t, (const char *)um_report_css);
	um_text_add(t, "</style></head>\n<body><header><h1>");
	um_text_html(t, title);
	um_text_print(t, "</h1>\n<p class=\"lead\">%d cell%s: %d done", r->ncells, r->ncells == 1 ? "" : "s", done);
	if (failed)
		um_text_print(t, ", %d failed", failed);
	if (r->ncells > done + failed)
		um_text_print(t, ", %d unfinished", r->ncells - done - failed);
	um_text_add(t, "</p>\n<nav aria-label=\"Cells\">");
	for (int i = 0; r->ncells > 1 && i < r->ncells && i < UM_PAGE_CELLS; i++) {
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
	for (int i = 0; i < r->ncells && i < UM_PAGE_CELLS; i++) {
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

/* A section of what add_... made, where that is anything. */
static void add_section(struct report *p, const char *heading, const char *name, um_text *piece)
{
	um_text *t = &p->t;
	if (piece->len > 0) {
		um_text_print(t, "<section><h2>%s", heading);
		um_text_html(t, name);
		um_text_add(t, "</h2>\n");
		um_text_bytes(t, piece->s, piece->len);
		um_text_add(t, "</section>\n");
	}
	t->failed = t->failed || piece->failed;
	um_text_free(piece);
}

/* How many measurements a cell has inferred. */
static int64_t measurements(const um_cell *c)
{
	const json_t *many = json_object_get(c->metrics, "measurements");
	return json_is_number(many) ? (int64_t)json_number_value(many) : 1;
}

static void add_comparison(struct report *p)
{
	um_text piece = { 0 };
	char *dir = um_format("%s/compare", p->run.dir);
	int64_t many = 1;
	for (int i = 0; i < p->run.ncells; i++)
		many = measurements(&p->run.cells[i]) > many ? measurements(&p->run.cells[i]) : many;
	if (many > 1 && um_file_exists(dir))
		um_text_add(&piece, "<p class=\"lead\">Of several measurements pictures, agreement and distances are of the first.</p>\n");
	um_page_pictures(&piece, dir, "Comparison of all cells", share(p, 4));
	um_sheets_html(&piece, dir, "Comparison of all cells");
	add_section(p, "Comparison", "", &piece);
	free(dir);
}

static void add_calibration(struct report *p)
{
	um_text piece = { 0 };
	um_calibration_html(&piece, p->run.dir);
	if (piece.len > share(p, 3)) {
		um_text_free(&piece);
		um_text_add(&piece, "<p class=\"lead\">Too much for this page: see the folder calibrate.</p>\n");
	}
	add_section(p, "Calibration", "", &piece);
}

/* The place that the script fills, and the truths of simulations for it. */
static void add_explorer(struct report *p)
{
	um_names seen = { 0 };
	um_text_add(&p->t, "<section id=\"explore\" aria-label=\"Explore\" hidden></section>\n"
		"<noscript><p class=\"lead\">With JavaScript this page plays samples and shows numbers of pixels and data; "
		"it asks nothing of a network.</p></noscript>\n");
	for (int i = 0; p->images && i < p->run.ncells && i < UM_PAGE_CELLS; i++) {
		const um_cell *c = &p->run.cells[i];
		const int before = seen.n;
		um_names_add(&seen, c->forward);
		if (c->dir == NULL || seen.n == before)
			continue;
		char *dir = um_format("%s/simulate/%s", p->run.dir, c->forward);
		um_page_truth(&p->t, dir, c->forward, share(p, 20));
		free(dir);
	}
	um_names_free(&seen);
}

static void add_cell(struct report *p, int i, int shares)
{
	um_text *t = &p->t;
	const um_cell *c = &p->run.cells[i];
	um_text_print(t, "<section id=\"cell-%d\"><h2>", i + 1);
	um_text_html(t, c->name);
	um_page_badge(t, c->status);
	um_text_add(t, "</h2>\n");
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
	if (measurements(c) > 1)
		um_text_print(t, "<p class=\"lead\">%lld measurements: metrics are of all of them (measurements.csv has each), "
			"pictures, samples and trace of the first.</p>\n", (long long)measurements(c));
	if (c->dir)
		um_page_cell(t, c, i + 1, p->images, share(p, shares));
	um_text_add(t, "</section>\n");
}

static void add_cells(struct report *p)
{
	const int n = p->run.ncells < UM_PAGE_CELLS ? p->run.ncells : UM_PAGE_CELLS;
	for (int i = 0; i < n; i++)
		add_cell(p, i, n - i + (n - i) / 6 + 1); /* a seventh is for simulations and training */
	if (p->run.ncells > n)
		um_text_print(&p->t, "<p class=\"lead\">%d more cells are not shown.</p>\n", p->run.ncells - n);
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

/* Folders below simulate/ or train/ that have something to show. */
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
		um_page_pictures(&piece, figures, l.name[i], share(p, l.n - i + 1));
		um_trace_html(&piece, trace, l.name[i]);
		add_section(p, heading, l.name[i], &piece);
		free(figures);
		free(trace);
		free(dir);
	}
	um_names_free(&l);
	free(top);
}

/* Configuration and provenance, as far as a page can hold them, and the script. */
static void make_end(struct report *p)
{
	um_text *t = &p->end, json = { 0 };
	if (p->cfg) {
		um_text_add(t, "<section><details><summary>Configuration</summary>\n<pre>");
		um_text_html_n(t, p->cfg, strnlen(p->cfg, MOST_TEXT));
		um_text_add(t, strlen(p->cfg) > MOST_TEXT ? "\n\xe2\x80\xa6 the rest is in pipeline.cfg" : "");
		um_text_add(t, "</pre></details></section>\n");
	}
	um_text_add(t, "<section><details><summary>Provenance</summary>\n");
	um_page_json(&json, p->run.run, "cells");
	if (json.len > 2 * MOST_TEXT)
		um_text_add(t, "<p class=\"lead\">Too long for this page: see run.json.</p>\n");
	else
		um_text_bytes(t, json.s, json.len);
	um_text_add(t, "</details></section>\n</main>\n<footer>Made by umbra " UM_VERSION
		" from the files of this run.</footer>\n<script>");
	um_text_add(t, (const char *)um_report_js);
	um_text_add(t, "</script>\n</body></html>\n");
	t->failed = t->failed || json.failed;
	um_text_free(&json);
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

static bool says(const um_node *group, const char *key)
{
	const um_node *n = group != NULL ? um_node_get(group, key) : NULL;
	return n != NULL && n->type == UM_NODE_TEXT && *n->text;
}

static void read_pipeline(struct report *p)
{
	const um_node *image = NULL;
	p->cfg = read_config(p->run.dir);
	if (p->cfg && um_config_parse(p->cfg, "pipeline.cfg", &p->root) == UM_OK)
		image = um_node_get(p->root, "image");
	p->images = !says(image, "mesh") && !says(image, "surface");
}

um_status um_report_write(const char *dir)
{
	um_status st = UM_OK;
	struct report p = { 0 };
	char *title = NULL, *path = um_format("%s/report.html", dir);
	UM_TRY(um_rundir_open(dir, &p.run));
	read_pipeline(&p);
	title = title_of(&p);
	make_end(&p);
	add_header(&p, title);
	add_overview(&p);
	add_explorer(&p);
	add_comparison(&p);
	add_calibration(&p);
	add_cells(&p);
	add_folders(&p, "simulate", "Simulated measurements: ");
	add_folders(&p, "train", "Training: ");
	um_text_bytes(&p.t, p.end.s, p.end.len);
	p.t.failed = p.t.failed || p.end.failed;
	st = um_text_write(path, &p.t);
out:
	um_text_free(&p.t);
	um_text_free(&p.end);
	if (p.root)
		um_node_free(p.root);
	um_rundir_free(&p.run);
	free(p.cfg);
	free(title);
	free(path);
	return st;
}
