/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A cell inside the page: what is read without a script, and the numbers that the script shows. */
#include <stdlib.h>
#include <string.h>
#include "base/mem.h"
#include "page.h"
#include "plotdata.h"
#include "sheet.h"
#include "trace.h"
#include "viewer.h"

/* { name, number, images, plots } as a script element that nothing runs; frees images and plots. */
static void add_data(um_text *t, const char *name, int number, json_t *images, json_t *plots)
{
	json_t *j = json_pack("{s:o, s:i, s:o*, s:o*}", "name", json_string(name), "number", number, "images", images,
		"plots", plots);
	char *s = j != NULL ? json_dumps(j, JSON_COMPACT | JSON_ENSURE_ASCII | JSON_REAL_PRECISION(6)) : NULL;
	if (s != NULL) {
		um_text_add(t, "<script type=\"application/json\" class=\"data\">");
		um_text_script(t, s);
		um_text_add(t, "</script>\n");
	}
	free(s);
	json_decref(j);
}

/* Adds piece where it fits into *room, which shrinks; empties it. */
static void add_piece(um_text *t, um_text *piece, size_t *room)
{
	if (piece->len <= *room) {
		um_text_bytes(t, piece->s, piece->len);
		*room -= piece->len;
	}
	t->failed = t->failed || piece->failed;
	um_text_free(piece);
}

void um_page_cell(um_text *t, const um_cell *c, int number, bool images, size_t room)
{
	um_text data = { 0 }, trace = { 0 }, sheets = { 0 }, small = { 0 };
	char *figures = um_format("%s/figures", c->dir), *path = um_format("%s/trace.csv", c->dir);
	json_t *numbers = images ? um_viewer_images(c->dir, "mean.fits", "std.fits", "samples.fits", room / 2) : NULL;
	char *s = json_dumps(numbers, JSON_COMPACT);
	const size_t used = s != NULL ? strlen(s) : 0;
	json_t *plots = um_plots_read(figures, used < room ? (room - used) / 3 : 0);
	free(s);
	if (numbers != NULL || json_array_size(plots) > 0)
		add_data(&data, c->name, number, numbers, plots);
	else
		json_decref(plots);
	add_piece(&small, &data, &room);
	um_trace_html(&trace, path, c->name);
	add_piece(&small, &trace, &room);
	um_sheets_html(&sheets, c->dir, c->name);
	add_piece(&small, &sheets, &room);
	um_text_add(t, "<details class=\"pictures\" open><summary>Pictures</summary>\n");
	if (um_page_pictures(t, figures, c->name, room) == 0)
		um_text_add(t, "<p class=\"lead\">No pictures.</p>\n");
	um_text_add(t, "</details>\n");
	um_text_bytes(t, small.s, small.len);
	t->failed = t->failed || small.failed;
	um_text_free(&small);
	free(figures);
	free(path);
}

void um_page_truth(um_text *t, const char *dir, const char *name, size_t room)
{
	json_t *images = um_viewer_images(dir, "truth.fits", NULL, NULL, room);
	if (images == NULL)
		return;
	char *title = um_format("truth (%s)", name);
	add_data(t, title, 0, images, NULL);
	free(title);
}
