/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Canvas and text on Cairo. Hinting is off, so that text looks alike everywhere. */
#include <math.h>
#include <string.h>
#include "canvas.h"
#include "text.h"

um_status um_canvas_open(um_canvas *c, double w, double h)
{
	*c = (um_canvas){ 0 };
	if (!(w >= 1 && h >= 1 && w <= 32000 && h <= 32000 && w * h <= 4e8))
		return um_fail(UM_EARG, "a picture of %.0f x %.0f pixels is out of bounds; draw fewer panels",
			w, h);
	c->surface = cairo_image_surface_create(CAIRO_FORMAT_RGB24, (int)w, (int)h);
	c->cr = cairo_create(c->surface);
	if (cairo_status(c->cr) != CAIRO_STATUS_SUCCESS)
		return um_fail(UM_ENOMEM, "no memory for a picture of %.0f x %.0f pixels", w, h);
	cairo_set_source_rgb(c->cr, 1, 1, 1);
	cairo_paint(c->cr);
	cairo_font_options_t *o = cairo_font_options_create();
	cairo_font_options_set_antialias(o, CAIRO_ANTIALIAS_GRAY);
	cairo_font_options_set_hint_style(o, CAIRO_HINT_STYLE_NONE);
	cairo_font_options_set_hint_metrics(o, CAIRO_HINT_METRICS_OFF);
	cairo_set_font_options(c->cr, o);
	cairo_font_options_destroy(o);
	cairo_set_line_width(c->cr, 1);
	return UM_OK;
}

static cairo_status_t collect(void *closure, const unsigned char *bytes, unsigned n)
{
	um_text *t = closure;
	um_text_bytes(t, bytes, n);
	return t->failed ? CAIRO_STATUS_NO_MEMORY : CAIRO_STATUS_SUCCESS;
}

um_status um_canvas_save(um_canvas *c, const char *path)
{
	um_text png = { 0 };
	cairo_status_t done = cairo_status(c->cr);
	if (done == CAIRO_STATUS_SUCCESS)
		done = cairo_surface_write_to_png_stream(c->surface, collect, &png);
	um_status st = done == CAIRO_STATUS_SUCCESS ? um_text_write(path, &png)
		: um_fail(UM_EIO, "%s: drawing failed: %s", path, cairo_status_to_string(done));
	um_text_free(&png);
	return st;
}

void um_canvas_close(um_canvas *c)
{
	if (c->cr)
		cairo_destroy(c->cr);
	if (c->surface)
		cairo_surface_destroy(c->surface);
	*c = (um_canvas){ 0 };
}

void um_canvas_colour(um_canvas *c, unsigned rgb, double alpha)
{
	cairo_set_source_rgba(c->cr, (rgb >> 16 & 255) / 255.0, (rgb >> 8 & 255) / 255.0,
		(rgb & 255) / 255.0, alpha);
}

void um_canvas_font(um_canvas *c, double size, bool bold)
{
	cairo_select_font_face(c->cr, "DejaVu Sans", CAIRO_FONT_SLANT_NORMAL,
		bold ? CAIRO_FONT_WEIGHT_BOLD : CAIRO_FONT_WEIGHT_NORMAL);
	cairo_set_font_size(c->cr, size);
}

/* A copy that Cairo accepts: UTF-8 on one line. */
static void clean(const char *s, char out[512])
{
	size_t left = strlen(s), n = 0;
	while (left > 0 && n + 8 < 512) {
		size_t len = um_utf8_length((const unsigned char *)s, left);
		if (len == 0 || (unsigned char)*s < 32)
			out[n++] = len == 0 ? '?' : ' ';
		else
			memcpy(out + n, s, len);
		n += len == 0 || (unsigned char)*s < 32 ? 0 : len;
		s += len ? len : 1;
		left -= len ? len : 1;
	}
	out[n] = '\0';
}

static double width_of(um_canvas *c, const char *s)
{
	cairo_text_extents_t e;
	cairo_text_extents(c->cr, s, &e);
	return e.x_advance;
}

/* Takes characters off the end until the text and an ellipsis fit. */
static void shorten(um_canvas *c, char s[520], double width)
{
	size_t n = strlen(s);
	if (width <= 0 || width_of(c, s) <= width)
		return;
	while (n > 0) {
		while (--n > 0 && ((unsigned char)s[n] >> 6) == 2)
			;
		strcpy(s + n, "\xe2\x80\xa6");
		if (width_of(c, s) <= width)
			return;
	}
}

void um_canvas_text(um_canvas *c, double x, double y, um_align align, double width, const char *s)
{
	char line[520];
	clean(s, line);
	shorten(c, line, width);
	double w = width_of(c, line);
	cairo_move_to(c->cr, x - (align == UM_LEFT ? 0 : align == UM_CENTRE ? w / 2 : w), y);
	cairo_show_text(c->cr, line);
	cairo_new_path(c->cr);
}

void um_canvas_text_up(um_canvas *c, double x, double y, double height, const char *s)
{
	cairo_save(c->cr);
	cairo_translate(c->cr, x, y);
	cairo_rotate(c->cr, -acos(0));
	um_canvas_text(c, 0, 0, UM_CENTRE, height, s);
	cairo_restore(c->cr);
}
