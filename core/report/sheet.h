/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Small tables of a cell inside a page. Private to core/report. */
#ifndef UM_REPORT_SHEET_H
#define UM_REPORT_SHEET_H

#include "text.h"

/* Adds each file of dir that ends in .csv, but for trace.csv and metrics.csv, which a page shows as pictures and in
 * its own table, as a folded table: the first line heads the columns, order and text stay as they are, the first 100
 * rows are shown. Files beyond 256 KiB and files of one line are left out. what names the tables for screen readers. */
void um_sheets_html(um_text *t, const char *dir, const char *what);

#endif
