/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The images of a cell as numbers inside the page, for its script. Private to core/report. */
#ifndef UM_REPORT_VIEWER_H
#define UM_REPORT_VIEWER_H

#include <jansson.h>
#include <stddef.h>
#include <umbra/status.h>

/* Mean, standard deviation and samples (or a truth: the mean alone) of the FITS files in dir in about room bytes of
 * text: { rows, columns, planes, colours, unit, uas, block, full: [rows, columns, planes], samples, shown, mean, sd, draws }.
 * Pixels are averaged over block x block where the room asks for it, then samples are left out evenly, then planes.
 * An image set is { lo, hi, data }: base64 of little-endian 16-bit (mean, sd) or 8-bit (draws) q, v = lo + (hi - lo)
 * (q / max)^2, so that faint pixels keep their digits. uas: microarcseconds between the pixels that are shown, 0: not
 * the sky. NULL where there is nothing to show or the room is too small. */
UM_API json_t *um_viewer_images(const char *dir, const char *mean, const char *std, const char *samples, size_t room);

#endif
