/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Curves over one axis with a band that they should stay in, as PNG. Equal input gives equal bytes. */
#ifndef UM_REPORT_LINES_H
#define UM_REPORT_LINES_H

#include <stdint.h>
#include <umbra/status.h>

enum { UM_LINES = 6 }; /* at most */

typedef struct um_line {
	const char *name; /* in the legend */
	const double *y;  /* [n] */
} um_line;

typedef struct um_lines {
	const char *title, *xlabel, *ylabel;
	int64_t n;
	const double *x;        /* ascending */
	const double *lo, *hi;  /* the band, or NULL */
	const char *band;       /* its name */
	const double *expected; /* a thin line within it, or NULL */
	int ncurves;
	um_line curve[UM_LINES];
} um_lines;

/* UM_EARG without points or with too many curves, UM_EIO where the file cannot be written. */
UM_API UM_USED um_status um_lines_write(const char *path, const um_lines *c);

#endif
