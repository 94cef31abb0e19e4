/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Pieces of the report's page. Private to core/report. */
#ifndef UM_REPORT_PAGE_H
#define UM_REPORT_PAGE_H

#include "rundir.h"
#include "text.h"

/* Everything between <style> and </style>. */
extern const char um_page_css[];

/* The metrics of all cells, one row a cell. */
void um_page_table(um_text *t, const um_rundir *r);

/* The PNG files of a folder, known ones first, inside the page; returns how many. what is
 * put in front of alternative texts. */
int um_page_pictures(um_text *t, const char *dir, const char *what);

/* One PNG file; false, and nothing added, where there is none. */
bool um_page_picture(um_text *t, const char *path, const char *caption, const char *what);

/* The members of a JSON object that are numbers or text, as a table of names and values. */
void um_page_numbers(um_text *t, const json_t *object);

/* A JSON object as a table of dotted names and values, without the member named skip. */
void um_page_json(um_text *t, const json_t *object, const char *skip);

#endif
