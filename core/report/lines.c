/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Lines over a shaded band, with a legend right of the frame. */
#include <math.h>
#include <stddef.h>
#include "canvas.h"
#include "lines.h"

#define WIDTH 860
#define HEIGHT 460
#define LEFT 88
#define RIGHT 230
#define TOP 50
#define BOTTOM 66

static const unsigned colours[UM_LINES] = { UM_BLUE, UM_ORANGE, 0x1a7f4b, 0x8250df, 0xb42318, UM_MUTED };

struct drawing {
	um_canvas canvas;
	const um_lines *c;
	um_axis x, y;
	um_box frame;
};

static void take(const double *v, int64_t n, double *lo, double *hi)
{
	for (int64_t i = 0; v != NULL && i < n; i++)
		if (um_drawable(v[i])) {
			*lo = fmin(*lo, v[i]);
			*hi = fmax(*hi, v[i]);
		}
}

static void set_axes(struct drawing *d)
{
	const um_lines *c = d->c;
	double lo = INFINITY, hi = -INFINITY;
	take(c->lo, c->n, &lo, &hi);
	take(c->hi, c->n, &lo, &hi);
	for (int k = 0; k < c->ncurves; k++)
		take(c->curve[k].y, c->n, &lo, &hi);
	const double room = 0.05 * (hi - lo);
	d->x = um_axis_linear(c->x[0], c->x[c->n - 1], 8);
	d->y = um_axis_linear(lo - room, hi + room, 8);
}

static void point(const struct drawing *d, int64_t i, double v)
{
	cairo_line_to(d->canvas.cr, d->frame.x + d->frame.w * um_axis_place(&d->x, d->c->x[i]),
		d->frame.y + d->frame.h * (1 - um_axis_place(&d->y, v)));
}

static void line(const struct drawing *d, const double *y)
{
	cairo_new_path(d->canvas.cr);
	for (int64_t i = 0; i < d->c->n; i++)
		if (um_drawable(y[i]))
			point(d, i, y[i]);
	cairo_stroke(d->canvas.cr);
}

static void draw_curves(struct drawing *d)
{
	const um_lines *c = d->c;
	cairo_t *cr = d->canvas.cr;
	if (c->lo != NULL && c->hi != NULL) {
		cairo_new_path(cr);
		for (int64_t i = 0; i < c->n; i++)
			point(d, i, c->lo[i]);
		for (int64_t i = c->n - 1; i >= 0; i--)
			point(d, i, c->hi[i]);
		um_canvas_colour(&d->canvas, UM_RULE, 0.5);
		cairo_fill(cr);
	}
	um_canvas_colour(&d->canvas, UM_MUTED, 1);
	cairo_set_line_width(cr, 1);
	if (c->expected != NULL)
		line(d, c->expected);
	cairo_set_line_width(cr, 2);
	cairo_set_line_join(cr, CAIRO_LINE_JOIN_ROUND);
	for (int k = 0; k < c->ncurves; k++) {
		um_canvas_colour(&d->canvas, colours[k], 1);
		line(d, c->curve[k].y);
	}
}

static void draw_names(struct drawing *d)
{
	const um_lines *c = d->c;
	um_canvas *canvas = &d->canvas;
	const double x = d->frame.x + d->frame.w + 16, width = RIGHT - 56;
	double y = d->frame.y + 14;
	um_canvas_font(canvas, 13, false);
	for (int k = -1; k < c->ncurves; k++, y += 24) {
		if (k < 0 && (c->lo == NULL || c->hi == NULL))
			continue;
		um_canvas_colour(canvas, k < 0 ? UM_RULE : colours[k], k < 0 ? 0.5 : 1);
		cairo_rectangle(canvas->cr, x, k < 0 ? y - 7 : y - 1.5, 22, k < 0 ? 14 : 3);
		cairo_fill(canvas->cr);
		um_canvas_colour(canvas, UM_INK, 1);
		um_canvas_text(canvas, x + 30, y + 4.5, UM_LEFT, width, k < 0 ? c->band : c->curve[k].name);
	}
	um_canvas_font(canvas, 16, true);
	um_canvas_text(canvas, d->frame.x, d->frame.y - 13, UM_LEFT, d->frame.w + RIGHT - 24, c->title);
	um_canvas_font(canvas, 14, false);
	um_canvas_text(canvas, d->frame.x + d->frame.w / 2, d->frame.y + d->frame.h + 48, UM_CENTRE, d->frame.w - 80, c->xlabel);
	um_canvas_text_up(canvas, 24, d->frame.y + d->frame.h / 2, d->frame.h, c->ylabel);
}

um_status um_lines_write(const char *path, const um_lines *c)
{
	um_status st = UM_OK;
	struct drawing d = { .c = c, .frame = { LEFT, TOP, WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM } };
	if (c->n < 1 || c->ncurves > UM_LINES)
		UM_TRY(um_fail(UM_EARG, "%s: %lld points and %d curves cannot be drawn", path, (long long)c->n, c->ncurves));
	set_axes(&d);
	UM_TRY(um_canvas_open(&d.canvas, WIDTH, HEIGHT));
	um_canvas_axes(&d.canvas, d.frame, &d.x, &d.y);
	draw_curves(&d);
	draw_names(&d);
	st = um_canvas_save(&d.canvas, path);
out:
	um_canvas_close(&d.canvas);
	return st;
}
