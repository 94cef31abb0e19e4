/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Lays panels out on a grid, finds the scales that they share and puts colour bars beside
 * the figure, beside each row or beside each panel, whichever is the fewest. */
#include <math.h>
#include <stdlib.h>
#include <umbra/mesh.h>
#include "panel.h"

enum bars { BARS_NONE, BARS_FIGURE, BARS_ROW, BARS_PANEL };

#define MARGIN 18.0
#define GAP 16.0
#define BAR_ROOM 92.0
#define TICK_ROOM 52.0

struct layout {
	const um_figure *f;
	int columns, rows;
	double cell_w, cell_h;       /* the largest panel */
	double left, below, above;   /* ticks of vectors, titles */
	double top;                  /* the figure's title */
	double right;                /* a bar beside each panel */
	enum bars bars;
	bool lines;
};

/* Widens lo..hi by the numbers of one array; true if a number was found. */
static void take(const double *v, int64_t n, double *lo, double *hi)
{
	for (int64_t i = 0; v && i < n; i++)
		if (um_drawable(v[i])) {
			*lo = fmin(*lo, v[i]);
			*hi = fmax(*hi, v[i]);
		}
}

/* The range of one panel (only >= 0) or of all panels on scale s. */
static void range_of(const um_figure *f, int s, int only, double *lo, double *hi)
{
	bool line = false, rgb = false;
	*lo = f->scales[s].lo;
	*hi = f->scales[s].hi;
	if (um_drawable(*lo) && um_drawable(*hi) && *lo < *hi)
		return;
	*lo = INFINITY;
	*hi = -INFINITY;
	for (int i = 0; i < f->npanels; i++) {
		const um_panel *p = &f->panels[i];
		int64_t n = p->rows * p->columns;
		if (p->data == NULL || p->scale != s || (only >= 0 && i != only))
			continue;
		take(p->data, n * (p->channels > 1 ? p->channels : 1), lo, hi);
		if (um_panel_is_line(p)) {
			take(p->lo, n, lo, hi);
			take(p->hi, n, lo, hi);
			line = true;
		}
		rgb = rgb || p->channels == 3;
	}
	if (rgb && *lo >= 0 && *hi <= 1 && *hi > 0.5)
		*lo = 0, *hi = 1;
	else if (f->scales[s].map == UM_DIVERGING && !line && *hi >= *lo)
		*hi = fmax(fabs(*lo), fabs(*hi)), *lo = -*hi;
	else if (*lo >= 0 && *hi > 0 && !line)
		*lo = 0;
	um_axis a = um_axis_linear(*lo, *hi, 4); /* widens what is empty */
	*lo = a.lo;
	*hi = a.hi;
}

/* The drawn size of a panel: whole multiples of small images, so that pixels are square. */
static void panel_size(const struct layout *l, const um_panel *p, double *w, double *h)
{
	double target = l->columns <= 2 ? 360 : l->columns <= 3 ? 320 : 256;
	if (target > 24000.0 / l->columns)
		target = 24000.0 / l->columns;
	if (um_panel_is_line(p)) {
		*w = target;
		*h = floor(0.62 * target);
		return;
	}
	if (p->mesh != NULL) {
		*w = target;
		*h = floor(target / 2);
		return;
	}
	double longest = (double)(p->rows > p->columns ? p->rows : p->columns);
	double zoom = target / longest;
	if (!l->f->smooth && zoom > 1)
		zoom = floor(zoom) * longest < fmin(256, target) ? floor(zoom) + 1 : floor(zoom);
	else if (zoom < 1 && l->columns <= 4)
		zoom = longest <= 512 ? 1 : 512 / longest;
	*w = fmax(24, floor(zoom * (double)p->columns + 0.5));
	*h = fmax(24, floor(zoom * (double)p->rows + 0.5));
}

static bool has_bar(const um_panel *p)
{
	return p->data && p->channels <= 1 && !um_panel_is_line(p);
}

static enum bars choose_bars(const struct layout *l)
{
	const um_figure *f = l->f;
	int any = -1;
	enum bars kind = BARS_FIGURE;
	for (int r = 0; r < l->rows; r++) {
		int row = -1;
		for (int i = r * l->columns; i < (r + 1) * l->columns && i < f->npanels; i++) {
			if (!has_bar(&f->panels[i]))
				continue;
			if (row >= 0 && f->panels[i].scale != row)
				return BARS_PANEL;
			if (any >= 0 && f->panels[i].scale != any)
				kind = BARS_ROW;
			any = row = f->panels[i].scale;
		}
	}
	if (any < 0)
		return BARS_NONE;
	return f->own ? BARS_PANEL : kind;
}

static um_status check_figure(const um_figure *f)
{
	if (f->npanels < 1 || f->panels == NULL || f->scales == NULL || f->nscales < 1)
		return um_fail(UM_EARG, "a figure needs at least one panel and one scale");
	for (int i = 0; i < f->npanels; i++) {
		const um_panel *p = &f->panels[i];
		if (p->data == NULL)
			continue;
		if (p->rows < 1 || p->columns < 1 || p->scale < 0 || p->scale >= f->nscales)
			return um_fail(UM_EARG, "panel %d is empty or names a scale that is not there", i);
		if (p->mesh != NULL && (p->rows != 1 || p->columns != p->mesh->nvertex))
			return um_fail(UM_EARG, "panel %d has %lld numbers for %lld vertices", i, (long long)(p->rows * p->columns),
				(long long)p->mesh->nvertex);
		if (p->channels != 0 && p->channels != 1 && p->channels != 3)
			return um_fail(UM_EARG, "panel %d has %lld channels; 1 and 3 can be drawn", i,
				(long long)p->channels);
	}
	return UM_OK;
}

static struct layout lay_out(const um_figure *f)
{
	struct layout l = { .f = f, .columns = f->columns };
	if (l.columns < 1)
		l.columns = f->npanels <= 4 ? f->npanels : (int)ceil(sqrt(f->npanels));
	l.rows = (f->npanels + l.columns - 1) / l.columns;
	for (int i = 0; i < f->npanels; i++) {
		double w = 256, h = 24;
		if (f->panels[i].data)
			panel_size(&l, &f->panels[i], &w, &h);
		l.cell_w = fmax(l.cell_w, w);
		l.cell_h = fmax(l.cell_h, h);
		l.above = f->panels[i].title ? 27 : fmax(l.above, 0);
		l.lines = l.lines || um_panel_is_line(&f->panels[i]);
	}
	l.bars = choose_bars(&l);
	l.left = l.lines ? TICK_ROOM : 0;
	l.below = l.lines ? 24 : 0;
	l.right = l.bars == BARS_PANEL ? BAR_ROOM : 0;
	l.top = f->title ? 34 : 0;
	if (l.above == 0 && l.bars != BARS_NONE)
		l.top = fmax(l.top, 8); /* the factor above a bar */
	return l;
}

static um_box cell(const struct layout *l, int r, int c)
{
	return (um_box){
		MARGIN + l->left + c * (l->left + l->cell_w + l->right + GAP),
		MARGIN + l->top + l->above + r * (l->above + l->cell_h + l->below + GAP),
		l->cell_w, l->cell_h,
	};
}

static um_status draw_panel(um_canvas *c, const struct layout *l, int i)
{
	const um_panel *p = &l->f->panels[i];
	um_box b = cell(l, i / l->columns, i % l->columns);
	double lo, hi, w, h;
	um_canvas_font(c, 14, true);
	um_canvas_colour(c, UM_INK, 1);
	if (p->title)
		um_canvas_text(c, b.x + b.w / 2, b.y - 10, UM_CENTRE, b.w, p->title);
	if (p->data == NULL)
		return UM_OK;
	range_of(l->f, p->scale, l->f->own ? i : -1, &lo, &hi);
	panel_size(l, p, &w, &h);
	b.x += floor((b.w - w) / 2);
	b.y += floor((b.h - h) / 2);
	b.w = w;
	b.h = h;
	if (um_panel_is_line(p)) {
		um_panel_line(c, b, p, lo, hi);
		return UM_OK;
	}
	if (l->bars == BARS_PANEL && has_bar(p))
		um_panel_bar(c, (um_box){ b.x + b.w + 10, b.y, 14, b.h }, &l->f->scales[p->scale], lo, hi);
	if (p->mesh != NULL) {
		um_panel_surface(c, b, p, l->f->scales[p->scale].map, lo, hi);
		return UM_OK;
	}
	return um_panel_image(c, b, p, l->f->scales[p->scale].map, lo, hi, l->f->smooth);
}

/* Bars that belong to a row or to the whole figure. */
static void draw_bars(um_canvas *c, const struct layout *l)
{
	int last = -1;
	for (int i = 0; i < l->f->npanels; i++) {
		int r = i / l->columns;
		if (!has_bar(&l->f->panels[i]) || last == r || (l->bars == BARS_FIGURE && last >= 0))
			continue;
		um_box top = cell(l, r, l->columns - 1), end = top;
		if (l->bars == BARS_FIGURE)
			end = cell(l, l->rows - 1, l->columns - 1);
		double lo, hi;
		int s = l->f->panels[i].scale;
		range_of(l->f, s, -1, &lo, &hi);
		um_panel_bar(c, (um_box){ top.x + top.w + 12, top.y, 16, end.y + end.h - top.y },
			&l->f->scales[s], lo, hi);
		last = r;
	}
}

/* Once a figure: the first image carries the scale bar and the compass. */
static void draw_sky(um_canvas *c, const struct layout *l)
{
	for (int i = 0; l->f->pixel > 0 && i < l->f->npanels; i++) {
		const um_panel *p = &l->f->panels[i];
		if (p->data == NULL || um_panel_is_line(p))
			continue;
		um_box b = cell(l, i / l->columns, i % l->columns);
		double w, h;
		panel_size(l, p, &w, &h);
		b = (um_box){ b.x + floor((b.w - w) / 2), b.y + floor((b.h - h) / 2), w, h };
		um_panel_sky(c, b, l->f->pixel, p->columns);
		return;
	}
}

um_status um_figure_write(const char *path, const um_figure *figure)
{
	um_status st = UM_OK;
	um_canvas c = { 0 };
	UM_TRY(check_figure(figure));
	struct layout l = lay_out(figure);
	um_box end = cell(&l, l.rows - 1, l.columns - 1);
	double beside = l.bars == BARS_FIGURE || l.bars == BARS_ROW ? BAR_ROOM : 0;
	UM_TRY(um_canvas_open(&c, end.x + end.w + l.right + beside + MARGIN, end.y + end.h + l.below + MARGIN));
	um_canvas_colour(&c, UM_INK, 1);
	um_canvas_font(&c, 17, true);
	if (figure->title)
		um_canvas_text(&c, MARGIN, MARGIN + 15, UM_LEFT, end.x + end.w - MARGIN, figure->title);
	for (int i = 0; i < figure->npanels; i++)
		UM_TRY(draw_panel(&c, &l, i));
	if (l.bars == BARS_FIGURE || l.bars == BARS_ROW)
		draw_bars(&c, &l);
	draw_sky(&c, &l);
	st = um_canvas_save(&c, path);
out:
	um_canvas_close(&c);
	return st;
}
