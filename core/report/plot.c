/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Measurements with error bars and, at each of them, the quantiles of the model: a soft bar
 * for the band and a tick for the middle. x need not be sorted, so nothing is joined. */
#include <math.h>
#include <stddef.h>
#include "canvas.h"
#include "figure.h"

#define WIDTH 860
#define HEIGHT 500

#define LEFT 88
#define RIGHT 24
#define TOP 50
#define BOTTOM 66
#define SIDE 560 /* of a square frame */

static bool shown(const um_plot *p, double v)
{
	return um_drawable(v) && (!p->log_y || v > 0);
}

static void take(const um_plot *p, double v, double *lo, double *hi)
{
	if (shown(p, v)) {
		*lo = fmin(*lo, v);
		*hi = fmax(*hi, v);
	}
}

/* On a log axis error bars that reach zero would stretch it without end: they are cut. */
static um_axis y_axis(const um_plot *p)
{
	double lo = INFINITY, hi = -INFINITY;
	for (int64_t i = 0; i < p->n; i++) {
		double s = p->sigma && um_drawable(p->sigma[i]) ? p->sigma[i] : 0;
		take(p, p->y[i], &lo, &hi);
		take(p, p->y[i] + s, &lo, &hi);
		if (!p->log_y)
			take(p, p->y[i] - s, &lo, &hi);
		if (p->lo && p->hi) {
			take(p, p->hi[i], &lo, &hi);
			if (!p->log_y)
				take(p, p->lo[i], &lo, &hi);
		}
		if (p->mid)
			take(p, p->mid[i], &lo, &hi);
	}
	if (p->log_y)
		return hi > 0 ? um_axis_log(fmax(lo, hi * 1e-12), hi) : um_axis_log(0.1, 1);
	double room = 0.04 * (hi - lo);
	return um_axis_linear(lo - room, hi + room, 8);
}

static um_axis x_axis(const um_plot *p)
{
	double lo = INFINITY, hi = -INFINITY;
	for (int64_t i = 0; i < p->n; i++)
		if (um_drawable(p->x[i])) {
			lo = fmin(lo, p->x[i]);
			hi = fmax(hi, p->x[i]);
		}
	double room = hi > lo ? 0.025 * (hi - lo) : 0;
	return um_axis_linear(lo >= 0 && lo < 0.25 * hi ? -0.01 * hi : lo - room, hi + room, 8);
}

struct drawing {
	um_canvas *c;
	const um_plot *p;
	um_axis x, y;
	um_box frame;
	double size; /* of marks: smaller where there are many */
};

static double at_x(const struct drawing *d, int64_t i)
{
	return d->frame.x + d->frame.w * um_axis_place(&d->x, d->p->x[i]);
}

static double at_y(const struct drawing *d, double v)
{
	if (d->p->log_y && v <= d->y.lo)
		v = d->y.lo;
	return d->frame.y + d->frame.h * (1 - um_axis_place(&d->y, v));
}

/* A bar at each point; bars that overlap are darker. */
static void draw_band(const struct drawing *d, const double *lo, const double *hi, double half)
{
	const um_plot *p = d->p;
	for (int64_t i = 0; lo && hi && i < p->n; i++) {
		if (!um_drawable(p->x[i]) || !shown(p, hi[i]) || !um_drawable(lo[i]))
			continue;
		double top = at_y(d, hi[i]), h = fmax(at_y(d, lo[i]) - top, 1.5);
		cairo_rectangle(d->c->cr, at_x(d, i) - half, top, 2 * half, h);
		um_canvas_colour(d->c, UM_ORANGE, p->n > 500 ? 0.18 : 0.32);
		cairo_fill(d->c->cr);
	}
}

static void draw_model(const struct drawing *d)
{
	const um_plot *p = d->p;
	cairo_t *cr = d->c->cr;
	double half = 1.5 * d->size;
	draw_band(d, p->lo, p->hi, half);
	draw_band(d, p->inner_lo, p->inner_hi, half);
	um_canvas_colour(d->c, UM_ORANGE, 1);
	cairo_set_line_width(cr, fmax(1.2, 0.6 * d->size));
	for (int64_t i = 0; p->mid && i < p->n; i++) {
		if (!um_drawable(p->x[i]) || !shown(p, p->mid[i]))
			continue;
		double x = at_x(d, i), y = at_y(d, p->mid[i]);
		cairo_move_to(cr, x - half - 0.5, y);
		cairo_line_to(cr, x + half + 0.5, y);
	}
	cairo_stroke(cr);
}

static void draw_data(const struct drawing *d)
{
	const um_plot *p = d->p;
	cairo_t *cr = d->c->cr;
	um_canvas_colour(d->c, UM_BLUE, p->n > 500 ? 0.35 : 0.7);
	cairo_set_line_width(cr, 1);
	for (int64_t i = 0; p->sigma && i < p->n; i++) {
		if (!um_drawable(p->x[i]) || !shown(p, p->y[i]) || !um_drawable(p->sigma[i]))
			continue;
		cairo_move_to(cr, at_x(d, i), at_y(d, p->y[i] - p->sigma[i]));
		cairo_line_to(cr, at_x(d, i), at_y(d, p->y[i] + p->sigma[i]));
	}
	cairo_stroke(cr);
	um_canvas_colour(d->c, UM_BLUE, p->n > 500 ? 0.75 : 1);
	for (int64_t i = 0; i < p->n; i++) {
		if (!um_drawable(p->x[i]) || !shown(p, p->y[i]))
			continue;
		cairo_arc(cr, at_x(d, i), at_y(d, p->y[i]), d->size, 0, 4 * acos(0));
		cairo_fill(cr);
	}
}

/* One row above the frame, right to left, so that it never hides data. */
static void draw_legend(const struct drawing *d)
{
	const bool band = d->p->lo && d->p->hi, middle = d->p->mid != NULL, inner = d->p->inner_lo && d->p->inner_hi;
	const char *const names[3] = { inner ? "68 % and 95 % of samples" : "95 % of samples", "median of samples", "data" };
	const bool there[3] = { band, middle, band || middle };
	const um_box frame = d->frame;
	cairo_t *cr = d->c->cr;
	double x = frame.x + frame.w, y = frame.y - 18;
	um_canvas_font(d->c, 13, false);
	for (int k = 0; k < 3; k++) {
		if (!there[k])
			continue;
		cairo_text_extents_t e;
		cairo_text_extents(cr, names[k], &e);
		um_canvas_colour(d->c, UM_INK, 1);
		um_canvas_text(d->c, x, y + 4.5, UM_RIGHT, 0, names[k]);
		x -= e.x_advance + 14;
		um_canvas_colour(d->c, k == 2 ? UM_BLUE : UM_ORANGE, k == 0 ? 0.32 : 1);
		if (k == 0)
			cairo_rectangle(cr, x - 5, y - 8, 10, 16);
		else if (k == 1)
			cairo_rectangle(cr, x - 7, y - 1, 14, 2.2);
		else
			cairo_arc(cr, x, y, 3.6, 0, 4 * acos(0));
		cairo_fill(cr);
		x -= 26;
	}
	um_canvas_font(d->c, 16, true);
	um_canvas_colour(d->c, UM_INK, 1);
	if (d->p->title)
		um_canvas_text(d->c, frame.x, frame.y - 13, UM_LEFT, x - frame.x, d->p->title);
}

static void draw_labels(const struct drawing *d)
{
	const um_box frame = d->frame;
	um_canvas_font(d->c, 14, false);
	um_canvas_colour(d->c, UM_INK, 1);
	if (d->p->xlabel)
		um_canvas_text(d->c, frame.x + frame.w / 2, frame.y + frame.h + 48, UM_CENTRE, frame.w - 80, d->p->xlabel);
	if (d->p->ylabel)
		um_canvas_text_up(d->c, 24, frame.y + frame.h / 2, frame.h, d->p->ylabel);
}

/* The longer of both ranges for both axes, about the middle of each. */
static void make_square(um_axis *x, um_axis *y)
{
	double half = 0.5 * fmax(x->hi - x->lo, y->hi - y->lo);
	double cx = 0.5 * (x->lo + x->hi), cy = 0.5 * (y->lo + y->hi);
	*x = um_axis_linear(cx - half, cx + half, 10);
	*y = um_axis_linear(cy - half, cy + half, 10);
}

um_status um_plot_write(const char *path, const um_plot *plot)
{
	um_status st = UM_OK;
	um_canvas c = { 0 };
	if (plot->n < 0 || (plot->n > 0 && (plot->x == NULL || plot->y == NULL)))
		UM_TRY(um_fail(UM_EARG, "%s: a plot needs x and y", path));
	struct drawing d = { .c = &c, .p = plot, .x = x_axis(plot), .y = y_axis(plot) };
	d.frame = (um_box){ LEFT, TOP, WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM };
	if (plot->square) {
		make_square(&d.x, &d.y);
		d.frame.w = d.frame.h = SIDE;
	}
	UM_TRY(um_canvas_open(&c, (int)d.frame.w + LEFT + RIGHT, (int)d.frame.h + TOP + BOTTOM));
	d.size = plot->n <= 60 ? 3.6 : plot->n <= 500 ? 2.8 : 1.8;
	um_canvas_axes(&c, d.frame, &d.x, &d.y);
	cairo_save(c.cr);
	cairo_rectangle(c.cr, d.frame.x, d.frame.y, d.frame.w, d.frame.h);
	cairo_clip(c.cr);
	draw_model(&d);
	draw_data(&d);
	cairo_restore(c.cr);
	draw_legend(&d);
	draw_labels(&d);
	st = um_canvas_save(&c, path);
out:
	um_canvas_close(&c);
	return st;
}
