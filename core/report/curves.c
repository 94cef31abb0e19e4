/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Curves as inline SVG; colours come from the page. */
#include <math.h>
#include <string.h>
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
	double x0, x1, y0, y1; /* what the frame shows */
	int lower, upper;      /* columns of the band, 0: none */
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
static bool set_frame(struct frame *f, bool steps)
{
	range(f, 0, 1, &f->x0, &f->x1);
	range(f, 1, f->c->columns, &f->y0, &f->y1);
	if (!(f->x1 > f->x0) || !(f->y1 >= f->y0))
		return false;
	if (steps) {
		double half = 0.5 * (f->x1 - f->x0) / (double)(f->c->rows - 1);
		f->x0 -= half;
		f->x1 += half;
		f->y0 = fmin(f->y0, 0);
	} else if (f->x0 >= 0 && f->x1 <= 1 && f->y0 >= 0 && f->y1 <= 1) {
		f->x0 = f->y0 = 0;
		f->x1 = f->y1 = 1;
		return true;
	}
	double room = f->y1 > f->y0 ? 0.06 * (f->y1 - f->y0) : 1;
	f->y1 += room;
	f->y0 -= steps ? 0 : room;
	return true;
}

static double at_x(const struct frame *f, double x)
{
	return LEFT + (W - LEFT - RIGHT) * (x - f->x0) / (f->x1 - f->x0);
}

static double at_y(const struct frame *f, double y)
{
	return TOP + (H - TOP - BOTTOM) * (f->y1 - y) / (f->y1 - f->y0);
}

static void to(um_text *t, const struct frame *f, bool pen, double x, double y)
{
	um_text_print(t, "%c%.1f %.1f", pen ? 'L' : 'M', at_x(f, x), at_y(f, y));
}

static void add_path(um_text *t, const struct frame *f, int k, bool steps)
{
	bool pen = false;
	const double half = steps ? 0.5 * (f->x1 - f->x0) / (double)f->c->rows : 0;
	for (long r = 0; r < f->c->rows; r++) {
		const double x = value(f, r, 0), y = value(f, r, k);
		if (!isfinite(x) || !isfinite(y)) {
			pen = false;
			continue;
		}
		to(t, f, pen, x - half, y);
		pen = true;
		if (steps)
			to(t, f, true, x + half, y);
	}
}

static void add_band(um_text *t, const struct frame *f)
{
	const long n = f->c->rows;
	um_text_add(t, "<path class=\"band\" d=\"");
	for (long i = 0, drawn = 0; i < 2 * n; i++) {
		const long r = i < n ? i : 2 * n - 1 - i;
		const double x = value(f, r, 0), y = value(f, r, i < n ? f->lower : f->upper);
		if (isfinite(x) && isfinite(y))
			to(t, f, drawn++ > 0, x, y);
	}
	um_text_add(t, "Z\"/>");
}

static void add_axes(um_text *t, const struct frame *f)
{
	um_text_print(t, "<path class=\"axis\" d=\"M%g %gV%gH%g\"/>", LEFT, TOP, H - BOTTOM, W - RIGHT);
	for (int i = 0; i < 3; i++) {
		const double x = f->x0 + 0.5 * i * (f->x1 - f->x0), y = f->y0 + 0.5 * i * (f->y1 - f->y0);
		um_text_print(t, "<text x=\"%.1f\" y=\"%g\" text-anchor=\"%s\">", at_x(f, x), H - 12,
			i == 0 ? "start" : i == 1 ? "middle" : "end");
		um_text_number(t, x);
		um_text_print(t, "</text><text x=\"%g\" y=\"%.1f\" text-anchor=\"end\">", LEFT - 6, at_y(f, y) + 4);
		um_text_number(t, y);
		um_text_add(t, "</text>");
	}
}

void um_curves_html(um_text *t, const char *path, const char *name, bool steps)
{
	um_columns c;
	um_columns_read(path, MOST, &c);
	struct frame f = { .c = &c };
	for (int k = 1; k < c.columns; k++) {
		f.lower = is_called(c.name[k], "lower", "lo") ? k : f.lower;
		f.upper = is_called(c.name[k], "upper", "hi") ? k : f.upper;
	}
	if (c.rows > 1 && c.columns > 1 && set_frame(&f, steps)) {
		um_text_print(t, "<figure class=\"curves\"><svg viewBox=\"0 0 %g %g\" role=\"img\" aria-label=\"", W, H);
		um_text_html(t, name);
		um_text_add(t, "\">");
		if (f.lower > 0 && f.upper > 0)
			add_band(t, &f);
		if (!steps && f.x0 == 0 && f.x1 == 1 && f.y0 == 0 && f.y1 == 1)
			um_text_print(t, "<path class=\"dashed\" d=\"M%g %gL%g %g\"/>", LEFT, H - BOTTOM, W - RIGHT, TOP);
		for (int k = 1, n = 0; k < c.columns; k++) {
			if (k == f.lower || k == f.upper)
				continue;
			const bool ideal = is_called(c.name[k], "expected", "ideal");
			um_text_print(t, ideal ? "<path class=\"dashed\" d=\"" : "<path class=\"curve c%d\" d=\"", n % 6);
			n += !ideal;
			add_path(t, &f, k, steps);
			um_text_add(t, "\"><title>");
			um_text_html(t, c.name[k]);
			um_text_add(t, "</title></path>");
		}
		add_axes(t, &f);
		um_text_add(t, "</svg><figcaption><b>");
		um_text_html(t, name);
		um_text_add(t, "</b> ");
		for (int k = 1, n = 0; k < c.columns; k++) {
			if (k == f.lower || k == f.upper || is_called(c.name[k], "expected", "ideal"))
				continue;
			um_text_print(t, "<span class=\"key c%d\">", n++ % 6);
			um_text_html(t, c.name[k]);
			um_text_add(t, "</span> ");
		}
		um_text_add(t, "<span class=\"against\">against ");
		um_text_html(t, c.name[0]);
		um_text_add(t, "</span></figcaption></figure>\n");
	}
	um_columns_free(&c);
}
