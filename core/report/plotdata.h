/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The plots of a cell for the report's page. Private to core/report. */
#ifndef UM_REPORT_PLOTDATA_H
#define UM_REPORT_PLOTDATA_H

#include <jansson.h>
#include <stddef.h>
#include <umbra/status.h>

/* The plots whose numbers lie in dir (um_plot_numbers) as an array of objects with "name" and, in "of", how many
 * points there were, and labels as "names" and their numbers; thinned to at most 2000 points and to room bytes
 * together, plots that cannot be thinned so far left out. */
UM_API json_t *um_plots_read(const char *dir, size_t room);

#endif
