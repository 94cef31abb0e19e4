/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Draws one image, one vector, one colour bar. Values are interpolated before they become
 * colours (Catmull-Rom, clipped to the scale), so that a smooth picture has no false hues. */
#include <math.h>
#include <string.h>
#include "panel.h"

bool um_panel_is_line(const um_panel *p)
{
	return p->data && p->mesh == NULL && p->channels <= 1 && (p->rows == 1) != (p->columns == 1);
}

/* One plane of an image and the size it is drawn at. */
struct plane {
	const double *v;
	int64_t rows, columns;
	int h, w;
};

static int64_t clamp(int64_t i, int64_t n)
{
	return i < 0 ? 0 : i >= n ? n - 1 : i;
}

/* The mean of the pixels below one drawn pixel: nearest neighbour where the image grows. */
static double boxed(const struct plane *p, int y, int x)
{
	int64_t r0 = y * p->rows / p->h, r1 = (y + 1) * p->rows / p->h;
	int64_t c0 = x * p->columns / p->w, c1 = (x + 1) * p->columns / p->w;
	double sum = 0;
	r1 = r1 > r0 ? r1 : r0 + 1;
	c1 = c1 > c0 ? c1 : c0 + 1;
	for (int64_t r = r0; r < r1; r++)
		for (int64_t c = c0; c < c1; c++)
			sum += p->v[r * p->columns + c];
	return sum / (double)((r1 - r0) * (c1 - c0));
}

static void cubic_weights(double f, double w[4])
{
	w[0] = 0.5 * f * (f * (2 - f) - 1);
	w[1] = 0.5 * (f * f * (3 * f - 5) + 2);
	w[2] = 0.5 * f * (f * (4 - 3 * f) + 1);
	w[3] = 0.5 * f * f * (f - 1);
}

static double cubic(const struct plane *p, int y, int x)
{
	double fy = (y + 0.5) * (double)p->rows / p->h - 0.5, fx = (x + 0.5) * (double)p->columns / p->w - 0.5;
	int64_t r = (int64_t)floor(fy), c = (int64_t)floor(fx);
	double wr[4], wc[4], sum = 0;
	cubic_weights(fy - (double)r, wr);
	cubic_weights(fx - (double)c, wc);
	for (int i = 0; i < 4; i++)
		for (int j = 0; j < 4; j++)
			sum += wr[i] * wc[j] * p->v[clamp(r + i - 1, p->rows) * p->columns
				+ clamp(c + j - 1, p->columns)];
	return isfinite(sum) ? sum : boxed(p, y, x);
}

static uint32_t byte_of(double v)
{
	return (uint32_t)lround(255 * (v > 0 ? v < 1 ? v : 1 : 0));
}

/* The colour of one drawn pixel, 0xRRGGBB. */
static uint32_t colour(const double v[3], int64_t channels, um_cmap map, double lo, double hi)
{
	double rgb[3] = { 0 };
	for (int64_t k = 0; k < channels; k++) {
		if (!um_drawable(v[k]))
			return 0x9aa0a6;
		rgb[k] = (v[k] - lo) / (hi - lo);
	}
	if (channels == 1)
		um_cmap_rgb(map, rgb[0], rgb);
	return byte_of(rgb[0]) << 16 | byte_of(rgb[1]) << 8 | byte_of(rgb[2]);
}

um_status um_panel_image(um_canvas *c, um_box b, const um_panel *p, um_cmap map, double lo, double hi,
	bool smooth)
{
	struct plane plane = { .rows = p->rows, .columns = p->columns, .h = (int)b.h, .w = (int)b.w };
	bool grows = plane.h >= p->rows && plane.w >= p->columns;
	int64_t channels = p->channels > 1 ? p->channels : 1;
	cairo_surface_t *s = cairo_image_surface_create(CAIRO_FORMAT_RGB24, plane.w, plane.h);
	unsigned char *pixels = cairo_image_surface_get_data(s);
	if (pixels == NULL) {
		cairo_surface_destroy(s);
		return um_fail(UM_ENOMEM, "no memory for a picture of %d x %d pixels", plane.w, plane.h);
	}
	cairo_surface_flush(s);
	for (int y = 0; y < plane.h; y++)
		for (int x = 0; x < plane.w; x++) {
			double v[3] = { 0 };
			for (int64_t k = 0; k < channels; k++) {
				plane.v = p->data + k * p->rows * p->columns;
				v[k] = smooth && grows ? cubic(&plane, y, x) : boxed(&plane, y, x);
			}
			uint32_t rgb = colour(v, channels, map, lo, hi);
			memcpy(pixels + (size_t)y * (size_t)cairo_image_surface_get_stride(s) + 4 * (size_t)x,
				&rgb, 4);
		}
	cairo_surface_mark_dirty(s);
	cairo_set_source_surface(c->cr, s, b.x, b.y);
	cairo_paint(c->cr);
	cairo_surface_destroy(s);
	return UM_OK;
}

static bool next_point(um_box b, const um_axis *x, const um_axis *y, const double *v, int64_t i,
	double *px, double *py)
{
	if (!um_drawable(v[i]))
		return false;
	*px = b.x + b.w * um_axis_place(x, (double)i);
	*py = b.y + b.h * (1 - um_axis_place(y, v[i]));
	return true;
}

/* A line with gaps where numbers are missing, and dots where it is short. */
static void draw_line(um_canvas *c, um_box b, const um_axis *x, const um_axis *y, const double *v,
	int64_t n, double width)
{
	double px, py;
	for (int64_t i = 0; i < n; i++) {
		if (!next_point(b, x, y, v, i, &px, &py))
			cairo_new_sub_path(c->cr);
		else if (cairo_has_current_point(c->cr))
			cairo_line_to(c->cr, px, py);
		else
			cairo_move_to(c->cr, px, py);
	}
	cairo_set_line_width(c->cr, width);
	cairo_set_line_join(c->cr, CAIRO_LINE_JOIN_ROUND);
	cairo_stroke(c->cr);
	for (int64_t i = 0; n <= 48 && i < n; i++)
		if (next_point(b, x, y, v, i, &px, &py)) {
			cairo_arc(c->cr, px, py, 2.6, 0, 4 * acos(0));
			cairo_fill(c->cr);
		}
}

static void draw_band(um_canvas *c, um_box b, const um_axis *x, const um_axis *y, const um_panel *p,
	int64_t n)
{
	double px, py;
	for (int64_t i = 0; i < n; i++)
		if (um_drawable(p->hi[i]) && um_drawable(p->lo[i]) && next_point(b, x, y, p->lo, i, &px, &py))
			cairo_line_to(c->cr, px, py);
	for (int64_t i = n - 1; i >= 0; i--)
		if (um_drawable(p->lo[i]) && next_point(b, x, y, p->hi, i, &px, &py))
			cairo_line_to(c->cr, px, py);
	cairo_close_path(c->cr);
	um_canvas_colour(c, UM_BLUE, 0.22);
	cairo_fill(c->cr);
}

void um_panel_line(um_canvas *c, um_box b, const um_panel *p, double lo, double hi)
{
	int64_t n = p->rows * p->columns;
	double room = (hi - lo) * 0.05;
	um_axis x = um_axis_linear(-0.02 * (double)(n - 1), 1.02 * (double)(n - 1), n < 8 ? (int)n : 6);
	um_axis y = um_axis_linear(lo - room, hi + room, 6);
	um_canvas_axes(c, b, &x, &y);
	cairo_save(c->cr);
	cairo_rectangle(c->cr, b.x, b.y, b.w, b.h);
	cairo_clip(c->cr);
	if (p->lo && p->hi)
		draw_band(c, b, &x, &y, p, n);
	um_canvas_colour(c, UM_BLUE, 1);
	draw_line(c, b, &x, &y, p->data, n, 1.8);
	cairo_restore(c->cr);
}

void um_panel_bar(um_canvas *c, um_box b, const um_scale *s, double lo, double hi)
{
	um_axis a = um_axis_linear(lo, hi, b.h > 180 ? 6 : 4);
	char text[32];
	for (int y = 0; y < (int)b.h; y++) {
		double rgb[3];
		um_cmap_rgb(s->map, 1 - (y + 0.5) / b.h, rgb);
		cairo_set_source_rgb(c->cr, rgb[0], rgb[1], rgb[2]);
		cairo_rectangle(c->cr, b.x, b.y + y, b.w, 1);
		cairo_fill(c->cr);
	}
	um_canvas_colour(c, UM_RULE, 1);
	cairo_set_line_width(c->cr, 1);
	cairo_rectangle(c->cr, b.x - 0.5, b.y - 0.5, b.w + 1, b.h + 1);
	cairo_stroke(c->cr);
	um_canvas_font(c, 12, false);
	double widest = 0;
	for (int i = 0; i < a.n; i++) {
		double y = floor(b.y + b.h * (1 - um_axis_place(&a, a.tick[i]))) + 0.5;
		cairo_text_extents_t e;
		um_axis_label(&a, i, text);
		um_canvas_colour(c, UM_MUTED, 1);
		cairo_move_to(c->cr, b.x + b.w + 1, y);
		cairo_line_to(c->cr, b.x + b.w + 5, y);
		cairo_stroke(c->cr);
		um_canvas_text(c, b.x + b.w + 8, y + 4, UM_LEFT, 0, text);
		cairo_text_extents(c->cr, text, &e);
		widest = fmax(widest, e.x_advance);
	}
	um_axis_factor(&a, text);
	um_canvas_text(c, b.x + b.w, b.y - 8, UM_LEFT, 0, text);
	um_canvas_colour(c, UM_INK, 1);
	if (s->label)
		um_canvas_text_up(c, b.x + b.w + 24 + widest, b.y + b.h / 2, b.h, s->label);
}
