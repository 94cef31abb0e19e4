/* SPDX-License-Identifier: GPL-3.0-or-later */
/* compare/ring.csv and compare/ring.png. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "base/mem.h"
#include "canvas.h"
#include "csv.h"
#include "rings.h"

enum { NAMES = 230, PANEL = 170, GAP = 24, LINE = 20, TOP = 34, BOTTOM = 34 };

/* Of one cell: of the mean image, and quantiles over samples; NaN where there is none. */
struct interval { double mean, p16, p50, p84; };

static double number(const um_cell *c, const char *feature, const char *end)
{
	char *key = um_format("%s%s", feature, end);
	const json_t *v = json_object_get(c->metrics, key);
	free(key);
	return json_is_number(v) ? json_number_value(v) : NAN;
}

static struct interval interval_of(const um_cell *c, const char *feature)
{
	return (struct interval){ number(c, feature, ""), number(c, feature, "_p16"), number(c, feature, "_p50"),
		number(c, feature, "_p84") };
}

/* Of several measurements metrics are means, which are no ring of anything. */
static bool is_shown(const um_cell *c)
{
	return um_cell_is_done(c) && c->metrics != NULL && !(number(c, "measurements", "") > 1);
}

/* Names X for which there are metrics X and X_p50, with the prefix of rings. */
static um_names features_of(const um_rundir *r)
{
	um_names l = { 0 };
	for (int i = 0; i < r->metrics.n; i++) {
		const char *name = r->metrics.name[i];
		const size_t n = strlen(name);
		if (strncmp(name, "ring_", 5) != 0 || n < 4 || strcmp(name + n - 4, "_p50") != 0)
			continue;
		char *feature = um_format("%.*s", (int)n - 4, name);
		um_names_add(&l, feature);
		free(feature);
	}
	return l;
}

static um_status write_table(const um_rundir *r, const um_names *features, const char *path)
{
	um_text t = { 0 };
	um_text_add(&t, "cell,feature,of_mean,p16,p50,p84\n");
	for (int i = 0; i < r->ncells; i++)
		for (int k = 0; is_shown(&r->cells[i]) && k < features->n; k++) {
			const struct interval v = interval_of(&r->cells[i], features->name[k]);
			const double all[] = { v.mean, v.p16, v.p50, v.p84 };
			um_csv_text(&t, r->cells[i].name);
			um_text_add(&t, ",");
			um_csv_text(&t, features->name[k]);
			for (int j = 0; j < 4; j++) {
				um_text_add(&t, ",");
				um_csv_number(&t, all[j]);
			}
			um_text_add(&t, "\n");
		}
	um_status st = um_text_write(path, &t);
	um_text_free(&t);
	return st;
}

/* ---- the picture ------------------------------------------------------------------------- */

static um_axis axis_of(const um_rundir *r, const char *feature)
{
	double lo = INFINITY, hi = -INFINITY;
	for (int i = 0; i < r->ncells; i++) {
		const struct interval v = is_shown(&r->cells[i]) ? interval_of(&r->cells[i], feature) : (struct interval){ NAN, NAN, NAN, NAN };
		lo = fmin(lo, fmin(v.mean, v.p16));
		hi = fmax(hi, fmax(v.mean, v.p84));
	}
	return um_axis_linear(lo - 0.04 * (hi - lo), hi + 0.04 * (hi - lo), 3);
}

static void draw_interval(um_canvas *c, um_box b, const um_axis *a, double y, struct interval v)
{
	const double x16 = b.x + b.w * um_axis_place(a, v.p16), x84 = b.x + b.w * um_axis_place(a, v.p84);
	const double x50 = b.x + b.w * um_axis_place(a, v.p50), xm = b.x + b.w * um_axis_place(a, v.mean);
	um_canvas_colour(c, UM_BLUE, 1);
	cairo_set_line_width(c->cr, 2.5);
	if (um_drawable(x16) && um_drawable(x84)) {
		cairo_move_to(c->cr, x16, y);
		cairo_line_to(c->cr, x84, y);
		cairo_stroke(c->cr);
	}
	if (um_drawable(x50)) {
		cairo_arc(c->cr, x50, y, 3.5, 0, 2 * acos(-1));
		cairo_fill(c->cr);
	}
	if (!um_drawable(xm))
		return;
	um_canvas_colour(c, UM_ORANGE, 1);
	cairo_set_line_width(c->cr, 1.3);
	cairo_move_to(c->cr, xm - 5, y);
	cairo_line_to(c->cr, xm, y - 5);
	cairo_line_to(c->cr, xm + 5, y);
	cairo_line_to(c->cr, xm, y + 5);
	cairo_close_path(c->cr);
	cairo_stroke(c->cr);
}

static um_status draw(const um_rundir *r, const um_names *features, int cells, const char *path)
{
	um_status st = UM_OK;
	um_canvas c = { 0 };
	const double height = TOP + LINE * cells + BOTTOM;
	UM_TRY(um_canvas_open(&c, NAMES + features->n * (PANEL + GAP) + GAP, height));
	for (int k = -1; k < features->n; k++) {
		const um_box b = { NAMES + GAP + k * (PANEL + GAP), TOP, PANEL, LINE * cells };
		const um_axis a = k >= 0 ? axis_of(r, features->name[k]) : (um_axis){ 0 };
		um_canvas_font(&c, 11, false);
		if (k >= 0)
			um_canvas_axes(&c, b, &a, NULL);
		um_canvas_font(&c, 12, k >= 0);
		um_canvas_colour(&c, UM_INK, 1);
		if (k >= 0)
			um_canvas_text(&c, b.x + b.w / 2, TOP - 12, UM_CENTRE, PANEL, features->name[k] + strlen("ring_"));
		double y = TOP + LINE / 2.0;
		for (int i = 0; i < r->ncells; i++) {
			if (!is_shown(&r->cells[i]))
				continue;
			if (k < 0)
				um_canvas_text(&c, NAMES, y + 4, UM_RIGHT, NAMES - 10, r->cells[i].name);
			else
				draw_interval(&c, b, &a, y, interval_of(&r->cells[i], features->name[k]));
			um_canvas_colour(&c, UM_INK, 1);
			y += LINE;
		}
	}
	UM_TRY(um_canvas_save(&c, path));
out:
	um_canvas_close(&c);
	return st;
}

um_status um_rings_write(const um_rundir *r, const char *folder)
{
	um_status st = UM_OK;
	um_names features = features_of(r);
	int cells = 0;
	char *table = um_format("%s/ring.csv", folder), *picture = um_format("%s/ring.png", folder);
	for (int i = 0; i < r->ncells; i++)
		cells += is_shown(&r->cells[i]);
	if (features.n == 0 || cells == 0)
		goto out;
	UM_TRY(write_table(r, &features, table));
	UM_TRY(draw(r, &features, cells, picture));
out:
	um_names_free(&features);
	free(table);
	free(picture);
	return st;
}
