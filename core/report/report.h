/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The page that shows a run. */
#ifndef UM_REPORT_REPORT_H
#define UM_REPORT_REPORT_H

#include <umbra/status.h>

/* Reads a run directory and writes DIR/report.html: one file of less than 5 MB with its pictures, numbers and
 * script inside, nothing loaded from elsewhere; readable without the script. What is missing is left out, what is
 * too much is thinned and says so; text from files is escaped. UM_EDATA where there is no usable run.json. The file appears whole or not at all. */
UM_API UM_USED um_status um_report_write(const char *dir);

#endif
