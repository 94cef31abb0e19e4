/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Images of a run as FITS files. */
#ifndef UMBRA_PIPELINE_CUBE_H
#define UMBRA_PIPELINE_CUBE_H

#include <umbra/fits.h>

/* Writes x, [lead...][frames][bands][channels][rows][columns], whole or not at all. lead has the name of each axis before
 * frames; one without a name (NULL) has size 1 and is left out, as are frames, bands and channels of size 1. sky NULL:
 * not of the sky. */
UM_API UM_USED um_status um_cube_write(const char *path, const um_array *x, const char *const lead[], const um_sky *sky,
	const char *unit, char *const *history);

#endif
