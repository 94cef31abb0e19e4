/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What all figures share: a white PNG canvas, text, axes with round ticks. Private to
 * core/report. Coordinates are pixels from the top left corner. */
#ifndef UM_REPORT_CANVAS_H
#define UM_REPORT_CANVAS_H

#include <cairo.h>
#include <stdbool.h>
#include <umbra/status.h>

typedef struct um_canvas {
	cairo_surface_t *surface;
	cairo_t *cr;
} um_canvas;

typedef struct um_box {
	double x, y, w, h;
} um_box;

/* Colours as 0xRRGGBB. */
enum { UM_INK = 0x1f2328, UM_MUTED = 0x5f6873, UM_RULE = 0xc3c9d1, UM_GRID = 0xe9ecf0,
	UM_BLUE = 0x1f6fb2, UM_ORANGE = 0xd9690f };

typedef enum um_align { UM_LEFT, UM_CENTRE, UM_RIGHT } um_align;

/* A white canvas; UM_EARG where w or h is beyond what a PNG of Cairo can hold. */
UM_USED um_status um_canvas_open(um_canvas *c, double w, double h);
UM_USED um_status um_canvas_save(um_canvas *c, const char *path);
void um_canvas_close(um_canvas *c);

void um_canvas_colour(um_canvas *c, unsigned rgb, double alpha);

/* One line with its baseline at y; shortened with an ellipsis to width where width > 0.
 * Bytes that are not UTF-8 become question marks. */
void um_canvas_text(um_canvas *c, double x, double y, um_align align, double width, const char *s);
/* The same, turned to read upwards, centred on y. */
void um_canvas_text_up(um_canvas *c, double x, double y, double height, const char *s);
void um_canvas_font(um_canvas *c, double size, bool bold);

/* A linear or logarithmic axis from lo to hi with round ticks. */
typedef struct um_axis {
	double lo, hi;
	bool log;
	int n;
	double tick[24];
	int power;    /* labels are tick / 10^power */
	int decimals;
} um_axis;

/* Axis over lo..hi, with about n ticks; a range that is empty, tiny or not finite is
 * widened. */
um_axis um_axis_linear(double lo, double hi, int n);
/* lo > 0; the ends move out a little. */
um_axis um_axis_log(double lo, double hi);

/* Where v lies, 0 at lo and 1 at hi; not clipped. */
double um_axis_place(const um_axis *a, double v);
void um_axis_label(const um_axis *a, int i, char s[32]);
/* "×10⁻³", or an empty text where power is 0. */
void um_axis_factor(const um_axis *a, char s[32]);

/* Frame, grid lines, tick labels below and left. Either axis may be NULL. */
void um_canvas_axes(um_canvas *c, um_box b, const um_axis *x, const um_axis *y);

/* 1, 2 or 5 times a power of ten, the largest that is at most v > 0. */
double um_round_length(double v);

/* A number that a drawing can use. */
bool um_drawable(double v);

#endif
