/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Tables of stations: where the antennas of an array are and how sensitive. Versioned with
 * libumbra; not part of the plugin ABI. */
#ifndef UMBRA_STATIONS_H
#define UMBRA_STATIONS_H

#include <umbra/uvdata.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct um_stations {
	int n;
	um_station *s; /* in the order of the file */
} um_stations;

/* Reads a text file of lines "name x y z SEFD [SEFD of the left hand] [more numbers]", metres
 * from the Earth's centre and Jy; # begins a comment. eht-imaging's array files are of this
 * kind. What is wrong with the file is UM_EDATA as file:line. Release with um_stations_free. */
UM_API UM_USED um_status um_stations_read(const char *path, um_stations *out);
UM_API void um_stations_free(um_stations *a);

#ifdef __cplusplus
}
#endif
#endif
