/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Named curves and verdicts of a calibration inside a page. Private to core/report. */
#ifndef UM_REPORT_CURVES_H
#define UM_REPORT_CURVES_H

#include "text.h"

/* Adds a figure with an inline SVG of a CSV file: the first column is x, every other one a curve under its name, at
 * most 11. Columns "lower" and "upper" (or "lo" and "hi") are a band behind them; "expected" and "ideal" are drawn
 * dashed. Nothing where there are fewer than two rows. */
void um_curves_html(um_text *t, const char *path, const char *name);

/* Adds what is found below DIR/calibrate: for each folder there (three levels deep) with CSV files or a
 * verdict.json, its verdict and its curves; replicates.csv has none. */
void um_calibration_html(um_text *t, const char *dir);

#endif
