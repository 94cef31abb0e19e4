/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Axes: ticks at 1, 2 and 5 times powers of ten, labels with a common power of ten. */
#include <math.h>
#include <stdio.h>
#include <string.h>
#include "canvas.h"

#define MAXTICKS 24

bool um_drawable(double v)
{
	return isfinite(v) && fabs(v) < 1e150;
}

static double power10(int k)
{
	return k < 0 ? 1 / pow(10, -k) : pow(10, k);
}

double um_round_length(double v)
{
	double base = power10((int)floor(log10(v)));
	double m = v / base;
	return base * (m >= 5 ? 5 : m >= 2 ? 2 : 1);
}

/* The smallest round step that gives at most n intervals. */
static double step_of(double range, int n)
{
	double raw = range / n, base = power10((int)floor(log10(raw)));
	double m = raw / base;
	return base * (m <= 1.0001 ? 1 : m <= 2.0001 ? 2 : m <= 5.0001 ? 5 : 10);
}

static void widen(double *lo, double *hi)
{
	if (!um_drawable(*lo) || !um_drawable(*hi)) {
		*lo = 0;
		*hi = 1;
	}
	double size = fmax(fabs(*lo), fabs(*hi));
	if (size < 1e-150) {
		*hi = *lo + 1;
	} else if (*hi - *lo < 1e-9 * size) {
		double mid = 0.5 * (*lo + *hi);
		*lo = mid - 0.1 * size;
		*hi = mid + 0.1 * size;
	}
}

/* The power that all labels share, and the decimals that tell ticks apart. */
static void number_style(um_axis *a, double step)
{
	int top = (int)floor(log10(fmax(fabs(a->lo), fabs(a->hi))) + 1e-9);
	a->power = top >= 5 || top < -2 ? top : 0;
	int digits = a->power - (int)floor(log10(step) + 1e-9);
	a->decimals = digits < 0 ? 0 : digits > 9 ? 9 : digits;
}

um_axis um_axis_linear(double lo, double hi, int n)
{
	widen(&lo, &hi);
	um_axis a = { .lo = lo, .hi = hi };
	double step = step_of(hi - lo, n);
	for (double k = ceil(lo / step - 1e-6); k * step <= hi + 1e-6 * step && a.n < MAXTICKS; k++)
		a.tick[a.n++] = k * step;
	number_style(&a, step);
	return a;
}

um_axis um_axis_log(double lo, double hi)
{
	um_axis a = { .log = true, .lo = lo / 1.25, .hi = hi * 1.25 };
	int first = (int)ceil(log10(a.lo) - 1e-9), last = (int)floor(log10(a.hi) + 1e-9);
	int every = (last - first) / 8 + 1;
	for (int k = first; k <= last && a.n < MAXTICKS; k += every)
		a.tick[a.n++] = power10(k);
	if (a.n >= 4)
		return a;
	a.n = 0; /* few decades: 1, 2 and 5 of each */
	for (int k = first - 1; k <= last; k++)
		for (int i = 0; i < 3; i++) {
			double v = power10(k) * (i == 0 ? 1 : i == 1 ? 2 : 5);
			if (v >= a.lo && v <= a.hi && a.n < MAXTICKS)
				a.tick[a.n++] = v;
		}
	return a;
}

double um_axis_place(const um_axis *a, double v)
{
	if (a->log)
		return log(v / a->lo) / log(a->hi / a->lo);
	return (v - a->lo) / (a->hi - a->lo);
}

static void superscript(int k, char *s)
{
	static const char *const digit[] = { "\xe2\x81\xb0", "\xc2\xb9", "\xc2\xb2", "\xc2\xb3",
		"\xe2\x81\xb4", "\xe2\x81\xb5", "\xe2\x81\xb6", "\xe2\x81\xb7", "\xe2\x81\xb8", "\xe2\x81\xb9" };
	char plain[16];
	snprintf(plain, sizeof(plain), "%d", k);
	*s = '\0';
	for (const char *p = plain; *p; p++)
		strcat(s, *p == '-' ? "\xe2\x81\xbb" : digit[*p - '0']);
}

void um_axis_label(const um_axis *a, int i, char s[32])
{
	double v = a->tick[i];
	if (a->log && (v < 1e-3 || v >= 1e4)) {
		int k = (int)floor(log10(v) + 1e-9);
		int m = (int)lround(v / power10(k));
		char up[24];
		superscript(k, up);
		if (m == 1)
			snprintf(s, 32, "10%s", up);
		else
			snprintf(s, 32, "%d\xc3\x97" "10%s", m, up);
		return;
	}
	if (a->log) {
		snprintf(s, 32, "%g", v);
		return;
	}
	v /= power10(a->power);
	double least = 0.5 * power10(-a->decimals);
	snprintf(s, 32, "%s%.*f", v <= -least ? "\xe2\x88\x92" : "", a->decimals, fabs(v));
}

void um_axis_factor(const um_axis *a, char s[32])
{
	char up[24];
	s[0] = '\0';
	if (a->power == 0 || a->log)
		return;
	superscript(a->power, up);
	snprintf(s, 32, "\xc3\x97" "10%s", up);
}

static void grid_line(um_canvas *c, double x0, double y0, double x1, double y1)
{
	cairo_move_to(c->cr, floor(x0) + 0.5, floor(y0) + 0.5);
	cairo_line_to(c->cr, floor(x1) + 0.5, floor(y1) + 0.5);
}

static void x_axis(um_canvas *c, um_box b, const um_axis *x)
{
	char s[32];
	for (int i = 0; i < x->n; i++) {
		double px = b.x + b.w * um_axis_place(x, x->tick[i]);
		um_canvas_colour(c, UM_GRID, 1);
		grid_line(c, px, b.y, px, b.y + b.h);
		cairo_stroke(c->cr);
		um_canvas_colour(c, UM_MUTED, 1);
		um_axis_label(x, i, s);
		um_canvas_text(c, px, b.y + b.h + 17, UM_CENTRE, 0, s);
	}
	um_axis_factor(x, s);
	um_canvas_text(c, b.x + b.w, b.y + b.h + 33, UM_RIGHT, 0, s);
}

static void y_axis(um_canvas *c, um_box b, const um_axis *y)
{
	char s[32];
	for (int i = 0; i < y->n; i++) {
		double py = b.y + b.h * (1 - um_axis_place(y, y->tick[i]));
		um_canvas_colour(c, UM_GRID, 1);
		grid_line(c, b.x, py, b.x + b.w, py);
		cairo_stroke(c->cr);
		um_canvas_colour(c, UM_MUTED, 1);
		um_axis_label(y, i, s);
		um_canvas_text(c, b.x - 7, py + 4, UM_RIGHT, 0, s);
	}
	um_axis_factor(y, s);
	um_canvas_text(c, b.x + 5, b.y + 14, UM_LEFT, 0, s);
}

void um_canvas_axes(um_canvas *c, um_box b, const um_axis *x, const um_axis *y)
{
	um_canvas_font(c, 12, false);
	cairo_set_line_width(c->cr, 1);
	if (x)
		x_axis(c, b, x);
	if (y)
		y_axis(c, b, y);
	um_canvas_colour(c, UM_RULE, 1);
	cairo_rectangle(c->cr, floor(b.x) + 0.5, floor(b.y) + 0.5, floor(b.w), floor(b.h));
	cairo_stroke(c->cr);
}
