/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Images of the sky on another grid of pixels. */
#ifndef UMBRA_DATA_REGRID_H
#define UMBRA_DATA_REGRID_H

#include <stdbool.h>
#include <stdint.h>
#include <umbra/status.h>

/* from [rows][columns] of pixels ratio times as large as those of to [to_rows][to_columns], both about one centre: each new
 * pixel gets the part of the brightness of each old one that it covers, so that the sum stays as it is where
 * the new grid covers the old one; outside the old one there is nothing. Smooth, where ratio > 1: an old pixel is not a
 * square but the triangle of linear interpolation in each direction, which reaches half a pixel further. */
UM_API void um_regrid(int64_t rows, int64_t columns, const double *from, double ratio, bool smooth, int64_t to_rows,
	int64_t to_columns, double *to);

#endif
