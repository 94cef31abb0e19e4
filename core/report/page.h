/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Pieces of the report's page. Private to core/report. */
#ifndef UM_REPORT_PAGE_H
#define UM_REPORT_PAGE_H

#include "rundir.h"
#include "text.h"

/* A page stays below this many bytes, whatever the run: what is large gets a share of what is left and says so
 * where it had to leave something out. */
#define UM_PAGE_BYTES 4900000

enum { UM_PAGE_CELLS = 200 }; /* cells in tables and sections */

/* report.css and the script, report*.js, as the build packs them (see the Makefile); they end in NUL. */
extern const unsigned char um_report_css[], um_report_js[];

/* How a cell ended, as a label. */
void um_page_badge(um_text *t, const char *status);

/* The metrics of the first UM_PAGE_CELLS cells, one row a cell. */
void um_page_table(um_text *t, const um_rundir *r);

/* The PNG files of a folder, known ones first, inside the page as far as room bytes go; the others are named.
 * Returns how many there are. what is put in front of alternative texts. */
int um_page_pictures(um_text *t, const char *dir, const char *what, size_t room);

/* What a cell has to show, in about room bytes: its pictures, trace and tables, and its images and plots for the
 * script. images: they are images of pixels, not signals on a mesh. */
void um_page_cell(um_text *t, const um_cell *c, int number, bool images, size_t room);

/* The truth of a simulation for the script. */
void um_page_truth(um_text *t, const char *dir, const char *name, size_t room);

/* The members of a JSON object that are numbers or text, as a table of names and values. */
void um_page_numbers(um_text *t, const json_t *object);

/* A JSON object as a table of dotted names and values, without the member named skip. */
void um_page_json(um_text *t, const json_t *object, const char *skip);

#endif
