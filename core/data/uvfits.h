/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The parts of the UVFITS reader. */
#ifndef DATA_UVFITS_H
#define DATA_UVFITS_H

#include <umbra/uvdata.h>

#include "fitsfile.h"

#define UM_STATIONS 1024 /* the most that are read */

/* The antenna table: stations of the data set in file order, their numbers in the file. */
typedef struct um_uvstations {
	int n;
	int *number;      /* NOSTA of station i */
	um_station *s;
	double freq;      /* FREQ of the table, 0 if missing */
	bool found;
} um_uvstations;

/* Reads the first AIPS AN table, wherever it is; found is false where there is none. */
UM_USED um_status um_uvstations_read(const char *path, fitsfile *f, int64_t bytes, um_uvdata *d,
	um_uvstations *out);
void um_uvstations_free(um_uvstations *t);

/* Notes a peculiarity of the file; those that no longer fit are dropped. */
void um_uvdata_note(um_uvdata *d, const char *fmt, ...) UM_PRINTF(2, 3);

/* UM_EPARAM: there is no such station, but these. */
UM_USED um_status um_uvdata_unknown(const um_uvdata *d, const char *name);

/* Turns rows so that t1 < t2, after sorting the stations by SEFD where there is one. */
UM_USED um_status um_uvdata_orient(um_uvdata *d);

#endif
