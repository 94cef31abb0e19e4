/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Curves as inline SVG; colours come from the page. */
#include <math.h>
#include <string.h>
#include "canvas.h"
#include "columns.h"
#include "curves.h"

#define MOST 12
#define W 360.0
#define H 250.0
#define LEFT 46.0
#define BOTTOM 30.0
#define TOP 10.0
#define RIGHT 12.0

struct frame {
	const um_columns *c;
	um_axis x, y;
	bool unit;        /* 0..1 on both axes */
	int lower, upper; /* columns of the band, 0: none */
};

static bool is_called(const char *s, const char *a, const char *b)
{
	return strcmp(s, a) == 0 || strcmp(s, b) == 0;
}

static double value(const struct frame *f, long row, int column)
{
	return f->c->v[row * f->c->columns + column];
}

static void range(const struct frame *f, int from, int to, double *lo, double *hi)
{
	*lo = INFINITY;
	*hi = -INFINITY;
	for (long r = 0; r < f->c->rows; r++)
		for (int k = from; k < to; k++)
			if (isfinite(value(f, r, k))) {
				*lo = fmin(*lo, value(f, r, k));
				*hi = fmax(*hi, value(f, r, k));
			}
}

/* False where there is nothing to draw. */
static bool set_frame(struct frame *f)
{
	double x0, x1, y0, y1;
	range(f, 0, 1, &x0, &x1);
	range(f, 1, f->c->columns, &y0, &y1);
	if (!(x1 > x0) || !(y1 >= y0))
		return false;
	f->unit = x0 >= 0 && x1 <= 1 && y0 >= 0 && y1 <= 1;
	const double room = f->unit ? 0 : 0.06 * (y1 - y0);
	if (f->unit)
		x0 = y0 = 0, x1 = y1 = 1;
	f->x = um_axis_linear(x0, x1, 5);
	f->y = um_axis_linear(y0 - room, y1 + room, 5);
	return true;
}

static double at_x(const struct frame *f, double x)
{
	return LEFT + (W - LEFT - RIGHT) * um_axis_place(&f->x, x);
}

static double at_y(const struct frame *f, double y)
{
	return TOP + (H - TOP - BOTTOM) * (1 - um_axis_place(&f->y, y));
}

static void to(um_text *t, const struct frame *f, bool pen, double x, double y)
{
	um_text_print(t, "%c%.1f %.1f", pen ? 'L' : 'M', at_x(f, x), at_y(f, y));
}

static void add_path(um_text *t, const struct frame *f, int k)
{
	bool pen = false;
	for (long r = 0; r < f->c->rows; r++) {
		const double x = value(f, r, 0), y = value(f, r, k);
		if (!isfinite(x) || !isfinite(y)) {
			pen = false;
			continue;
		}
		to(t, f, pen, x, y);
		pen = true;
	}
}

/* There along the lower edge, back along the upper one. */
static void add_band(um_text *t, const struct frame *f)
{
	const long n = f->c->rows;
	bool pen = false;
	um_text_add(t, "<path class=\"band\" d=\"");
	for (long i = 0; i < 2 * n; i++) {
		const bool back = i >= n;
		const long r = back ? 2 * n - 1 - i : i;
		const double x = value(f, r, 0), y = value(f, r, back ? f->upper : f->lower);
		if (!isfinite(x) || !isfinite(y))
			continue;
		to(t, f, pen, x, y);
		pen = true;
	}
	um_text_add(t, "Z\"/>");
}

static void add_axes(um_text *t, const struct frame *f)
{
	um_text_print(t, "<path class=\"axis\" d=\"M%g %gV%gH%g\"/>", LEFT, TOP, H - BOTTOM, W - RIGHT);
	for (int i = 0; i < f->x.n; i++) {
		um_text_print(t, "<text x=\"%.1f\" y=\"%g\" text-anchor=\"middle\">", at_x(f, f->x.tick[i]), H - 12);
		um_text_number(t, f->x.tick[i]);
		um_text_add(t, "</text>");
	}
	for (int i = 0; i < f->y.n; i++) {
		um_text_print(t, "<text x=\"%g\" y=\"%.1f\" text-anchor=\"end\">", LEFT - 6, at_y(f, f->y.tick[i]) + 4);
		um_text_number(t, f->y.tick[i]);
		um_text_add(t, "</text>");
	}
}

static bool is_ideal(const char *name)
{
	return is_called(name, "expected", "ideal");
}

static bool is_curve(const struct frame *f, int k)
{
	return k != f->lower && k != f->upper && !is_ideal(f->c->name[k]);
}

static void add_curves(um_text *t, const struct frame *f)
{
	for (int k = 1, n = 0; k < f->c->columns; k++) {
		if (k == f->lower || k == f->upper)
			continue;
		um_text_print(t, is_curve(f, k) ? "<path class=\"curve c%d\" d=\"" : "<path class=\"dashed\" d=\"", n % 6);
		n += is_curve(f, k);
		add_path(t, f, k);
		um_text_add(t, "\"><title>");
		um_text_html(t, f->c->name[k]);
		um_text_add(t, "</title></path>");
	}
}

static void add_caption(um_text *t, const struct frame *f, const char *name)
{
	um_text_add(t, "<figcaption><b>");
	um_text_html(t, name);
	um_text_add(t, "</b> ");
	for (int k = 1, n = 0; k < f->c->columns; k++) {
		if (!is_curve(f, k))
			continue;
		um_text_print(t, "<span class=\"key c%d\">", n++ % 6);
		um_text_html(t, f->c->name[k]);
		um_text_add(t, "</span> ");
	}
	um_text_add(t, "<span>against ");
	um_text_html(t, f->c->name[0]);
	um_text_add(t, "</span></figcaption>");
}

void um_curves_html(um_text *t, const char *path, const char *name)
{
	um_columns c;
	um_columns_read(path, MOST, &c);
	struct frame f = { .c = &c };
	for (int k = 1; k < c.columns; k++) {
		f.lower = is_called(c.name[k], "lower", "lo") ? k : f.lower;
		f.upper = is_called(c.name[k], "upper", "hi") ? k : f.upper;
	}
	if (c.rows > 1 && c.columns > 1 && set_frame(&f)) {
		um_text_print(t, "<figure class=\"curves\"><svg viewBox=\"0 0 %g %g\" role=\"img\" aria-label=\"", W, H);
		um_text_html(t, name);
		um_text_add(t, "\">");
		if (f.lower > 0 && f.upper > 0)
			add_band(t, &f);
		add_curves(t, &f);
		add_axes(t, &f);
		um_text_add(t, "</svg>");
		add_caption(t, &f, name);
		um_text_add(t, "</figure>\n");
	}
	um_columns_free(&c);
}
