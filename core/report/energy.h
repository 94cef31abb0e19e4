/* SPDX-License-Identifier: GPL-3.0-or-later */
/* How far two posteriors are apart, by their samples alone: the energy distance of Szekely & Rizzo 2013,
 * doi:10.1016/j.jspi.2013.03.018, with |x - y| the root of the mean square difference of two images over
 * their numbers, in the unit of a pixel:
 *   energy = 2 E|X - Y| - E|X - X'| - E|Y - Y'|  >= 0, and 0 only where X and Y have one law. */
#ifndef UM_REPORT_ENERGY_H
#define UM_REPORT_ENERGY_H

#include <umbra/array.h>
#include "rundir.h"

typedef struct um_energy {
	double between;            /* E|X - Y| */
	double within_x, within_y; /* E|X - X'|, E|Y - Y'| over pairs of different samples: unbiased; 0 for one sample */
	double energy;             /* may be a little below 0, as its estimate is unbiased */
	double coefficient;        /* energy / (2 E|X - Y|), 0 .. 1; 0 where that is 0 */
} um_energy;

/* x, y: double [samples][numbers], contiguous, of equal numbers. UM_ENOMEM is the only failure. */
UM_API UM_USED um_status um_energy_distance(const um_array *x, const um_array *y, um_energy *out);

/* Writes path, a table of each pair of done cells of one forward model: forward, cell_a, cell_b, energy, coefficient,
 * between, within_a, within_b, unit. At most 512 samples of each cell count, evenly chosen, fewer where many cells of
 * large images would take more than 512 MB. Cells whose samples have other sizes are not paired. Nothing is written where
 * there is no pair. */
UM_USED um_status um_energy_write(const um_rundir *r, const char *path);

#endif
