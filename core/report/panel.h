/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The parts of an image figure: one panel, its colour bar, what is drawn over the sky.
 * Private to core/report. */
#ifndef UM_REPORT_PANEL_H
#define UM_REPORT_PANEL_H

#include "canvas.h"
#include "figure.h"

/* One row or one column with more than one pixel: drawn as a line. */
bool um_panel_is_line(const um_panel *p);

/* Fills b with the image, values lo..hi mapped to colours; cubic where smooth. */
UM_USED um_status um_panel_image(um_canvas *c, um_box b, const um_panel *p, um_cmap map, double lo,
	double hi, bool smooth);

/* A signal on its mesh, seen from the front and from the back. */
void um_panel_surface(um_canvas *c, um_box b, const um_panel *p, um_cmap map, double lo, double hi);

/* Line with band, and its axes. */
void um_panel_line(um_canvas *c, um_box b, const um_panel *p, double lo, double hi);

void um_panel_bar(um_canvas *c, um_box b, const um_scale *s, double lo, double hi);

/* Scale bar and compass for an image whose columns pixels of that size (radians) fill b. */
void um_panel_sky(um_canvas *c, um_box b, double pixel, int64_t columns);

#endif
