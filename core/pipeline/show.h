/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The progress of tasks for a person: one changing line on a terminal, a plain line now and
 * then elsewhere. */
#ifndef UMBRA_PIPELINE_SHOW_H
#define UMBRA_PIPELINE_SHOW_H

#include <stdbool.h>
#include "pipeline/page.h"

typedef struct um_show {
	bool quiet, terminal;
	double last;        /* when a line was last written */
	bool open;          /* a changing line is on the screen */
} um_show;

um_show um_show_new(bool quiet);
/* One finished event as a line of its own. */
void um_show_line(um_show *s, const char *fmt, ...) UM_PRINTF(2, 3);
/* Where a task stands; seconds since it started. */
void um_show_progress(um_show *s, const char *task, int done, int total, const um_page *page,
	double seconds);
/* Whether it is time for another um_show_progress. */
bool um_show_due(const um_show *s, double now);

#endif
