/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Ring features (ring.h) of all cells side by side, from their metrics. Private to core/report. */
#ifndef UM_REPORT_RINGS_H
#define UM_REPORT_RINGS_H

#include "rundir.h"

/* Writes FOLDER/ring.csv, a row for each done cell and feature: cell, feature, of_mean, p16, p50, p84; and FOLDER/ring.png,
 * a panel for each feature in which a line from p16 to p84 and a dot at p50 stand for the samples of a cell, an open diamond for
 * its mean image. Nothing where no cell has ring features. */
UM_USED um_status um_rings_write(const um_rundir *r, const char *folder);

#endif
