/* SPDX-License-Identifier: GPL-3.0-or-later */
/* trace.csv as small pictures inside a page. Private to core/report. */
#ifndef UM_REPORT_TRACE_H
#define UM_REPORT_TRACE_H

#include "text.h"

/* Adds a figure with one inline SVG for each column after the first (the step), at most 8;
 * nothing where the file is missing or has fewer than two rows. A column that is positive and
 * spans more than two decades is drawn on a logarithmic scale, and says so. what names the
 * trace in alternative texts. */
void um_trace_html(um_text *t, const char *path, const char *what);

#endif
