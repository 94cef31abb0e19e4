/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What is drawn over an image of the sky: a bar of round angular length and a compass, north
 * up and east left. White on a dark shadow, to be readable on any colour map. */
#include <math.h>
#include <stdio.h>
#include "panel.h"

static void strokes(um_canvas *c)
{
	cairo_path_t *path = cairo_copy_path(c->cr);
	cairo_set_line_cap(c->cr, CAIRO_LINE_CAP_ROUND);
	cairo_set_line_join(c->cr, CAIRO_LINE_JOIN_ROUND);
	um_canvas_colour(c, 0, 0.55);
	cairo_set_line_width(c->cr, 4);
	cairo_stroke(c->cr);
	cairo_append_path(c->cr, path);
	um_canvas_colour(c, 0xffffff, 1);
	cairo_set_line_width(c->cr, 1.8);
	cairo_stroke(c->cr);
	cairo_path_destroy(path);
}

static void label(um_canvas *c, double x, double y, const char *s)
{
	static const double dx[4] = { -1, 1, 0, 0 };
	um_canvas_font(c, 12.5, true);
	um_canvas_colour(c, 0, 0.45);
	for (int i = 0; i < 4; i++)
		um_canvas_text(c, x + dx[i], y + dx[3 - i], UM_CENTRE, 0, s);
	um_canvas_colour(c, 0xffffff, 1);
	um_canvas_text(c, x, y, UM_CENTRE, 0, s);
}

static void angle_text(double uas, char s[40])
{
	static const struct { double uas; const char *unit; } units[] = {
		{ 3.6e9, "\xc2\xb0" }, { 6e7, "\xe2\x80\xb2" }, { 1e6, "\xe2\x80\xb3" },
		{ 1e3, " mas" }, { 0, " \xc2\xb5" "as" },
	};
	int i = 0;
	while (uas < units[i].uas * (1 - 1e-9))
		i++;
	snprintf(s, 40, "%.4g%s", uas / (units[i].uas > 0 ? units[i].uas : 1), units[i].unit);
}

static void arrow(um_canvas *c, double x, double y, double dx, double dy)
{
	double len = 26, head = 5;
	double ex = x + len * dx, ey = y + len * dy;
	cairo_move_to(c->cr, x, y);
	cairo_line_to(c->cr, ex, ey);
	cairo_move_to(c->cr, ex - head * (dx + dy), ey - head * (dy - dx));
	cairo_line_to(c->cr, ex, ey);
	cairo_line_to(c->cr, ex - head * (dx - dy), ey - head * (dy + dx));
}

void um_panel_sky(um_canvas *c, um_box b, double pixel, int64_t columns)
{
	double uas_per_radian = 180 * 3600e6 / (2 * acos(0));
	double fov = pixel * uas_per_radian * (double)columns;
	if (!(fov > 0 && fov < 1e13) || b.w < 120 || b.h < 100)
		return;
	char text[40];
	double length = um_round_length(0.4 * fov), w = b.w * length / fov;
	angle_text(length, text);
	cairo_move_to(c->cr, b.x + 14, b.y + b.h - 15);
	cairo_line_to(c->cr, b.x + 14 + w, b.y + b.h - 15);
	strokes(c);
	label(c, b.x + 14 + fmax(w / 2, 24), b.y + b.h - 23, text);

	double x = b.x + b.w - 17, y = b.y + b.h - 15;
	arrow(c, x, y, 0, -1);
	arrow(c, x, y, -1, 0);
	strokes(c);
	label(c, x, y - 33, "N");
	label(c, x - 35, y + 4, "E");
}
