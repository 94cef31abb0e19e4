/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a calibration left below DIR/calibrate. */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include "base/mem.h"
#include "curves.h"
#include "page.h"

#define DEPTH 3

static void add_reason(um_text *t, const json_t *v)
{
	size_t i;
	json_t *item;
	if (json_is_string(v)) {
		um_text_add(t, "<p class=\"lead\">");
		um_text_html_n(t, json_string_value(v), json_string_length(v));
		um_text_add(t, "</p>\n");
	}
	json_array_foreach(v, i, item)
		if (json_is_string(item))
			add_reason(t, item);
}

/* The name, the verdict with its reasons, then what else the file says. */
static void add_verdict(um_text *t, const char *name, json_t *v)
{
	const char *verdict = json_string_value(json_object_get(v, "verdict"));
	um_text_add(t, "<h3>");
	um_text_html(t, name);
	if (verdict != NULL) {
		const char *look = strcmp(verdict, "PASS") == 0 ? "done" : strcmp(verdict, "FAIL") == 0 ? "failed" : "warned";
		um_text_print(t, "<span class=\"badge %s\">", look);
		um_text_html(t, verdict);
		um_text_add(t, "</span>");
	}
	um_text_add(t, "</h3>\n");
	add_reason(t, json_object_get(v, "reason"));
	add_reason(t, json_object_get(v, "reasons"));
	json_object_del(v, "verdict");
	json_object_del(v, "reason");
	json_object_del(v, "reasons");
}

static void add_folder(um_text *t, const char *dir, const char *name)
{
	um_names files = um_names_list(dir, ".csv");
	char *path = um_format("%s/verdict.json", dir);
	um_status st = UM_OK;
	json_t *v = um_rundir_object(path, &st);
	if (st != UM_OK)
		um_log(UM_WARN, "%s", um_message());
	if (v != NULL || files.n > 0)
		add_verdict(t, name, v);
	if (files.n > 0)
		um_text_add(t, "<div class=\"figures\">\n");
	for (int i = 0; i < files.n; i++) {
		char *file = um_format("%s/%s", dir, files.name[i]);
		files.name[i][strlen(files.name[i]) - 4] = '\0';
		if (strcmp(files.name[i], "replicates") != 0)
			um_curves_html(t, file, files.name[i]);
		free(file);
	}
	if (files.n > 0)
		um_text_add(t, "</div>\n");
	if (json_object_size(v) > 0)
		um_page_numbers(t, v);
	json_decref(v);
	um_names_free(&files);
	free(path);
}

static void visit(um_text *t, const char *dir, const char *name, int depth)
{
	um_names inside = um_names_list(dir, "");
	if (depth > 0)
		add_folder(t, dir, name);
	for (int i = 0; depth < DEPTH && i < inside.n; i++) {
		char *path = um_format("%s/%s", dir, inside.name[i]);
		char *full = um_format("%s%s%s", name, *name ? "/" : "", inside.name[i]);
		visit(t, path, full, depth + 1);
		free(path);
		free(full);
	}
	um_names_free(&inside);
}

void um_calibration_html(um_text *t, const char *dir)
{
	char *top = um_format("%s/calibrate", dir);
	visit(t, top, "", 0);
	free(top);
}
