/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Values of a table of comma-separated values, RFC 4180. Private to core/report. */
#ifndef UM_REPORT_CSV_H
#define UM_REPORT_CSV_H

#include <jansson.h>
#include "text.h"

/* Text, in quotes where it needs them. */
void um_csv_text(um_text *t, const char *s);
/* The shortest of 15 to 17 digits that reads back equal; nothing where it is not finite. */
void um_csv_number(um_text *t, double v);
/* A number, text or truth value; nothing for other things. */
void um_csv_json(um_text *t, const json_t *v);

#endif
