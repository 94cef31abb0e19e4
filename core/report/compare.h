/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Cells of a run beside each other: tables and pictures. */
#ifndef UM_REPORT_COMPARE_H
#define UM_REPORT_COMPARE_H

#include <umbra/status.h>

/* Writes DIR/compare/metrics.csv (a row for each cell that is done, the first column its
 * name, then the union of the keys of metrics.json; what is missing or null is empty; RFC
 * 4180 quoting) and DIR/compare/comparison.png (posterior means above, standard deviations
 * below, each row on one scale; before the cells of a forward model its truth, where
 * simulate/FORWARD/truth.fits is there). Of several frames, bands or measurements the first
 * is drawn, on mesh where that is not NULL. The picture is left out where no done cell has images. Beside them
 * what energy.h (distances.csv), agreement.h and rings.h say. UM_EDATA where dir is not a run directory. */
struct um_mesh;
UM_API UM_USED um_status um_compare_write(const char *dir, const struct um_mesh *mesh);

#endif
