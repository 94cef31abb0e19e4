/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Columns of numbers in comma-separated text. Private to core/report. */
#ifndef UM_REPORT_COLUMNS_H
#define UM_REPORT_COLUMNS_H

/* The first line names the columns; what follows are rows. A comma always separates. */
typedef struct um_columns {
	int columns;
	char **name;
	long rows;
	double *v; /* [rows][columns], NaN where a number is missing */
	char *text; /* what the names point into */
} um_columns;

/* Reads a file, at most so many columns of it; no rows where there is none, or, with a warning, where it cannot be
 * read. Release it with um_columns_free. */
void um_columns_read(const char *path, int most, um_columns *c);
void um_columns_free(um_columns *c);

#endif
