/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the pictures and tables of interferometric data share. */
#ifndef DATA_UVSCENE_H
#define DATA_UVSCENE_H

#include <umbra/uvplot.h>

typedef struct um_scene {
	const um_uvview *v;
	int64_t samples;
	const um_array *x;       /* at least so many images */
	const double *y, *sigma; /* one measurement */
	um_array f;              /* [samples][ny]: what the images would give */
	um_sink *sink;
} um_scene;

UM_USED um_status um_scene_plots(const um_scene *s);
UM_USED um_status um_scene_beams(const um_scene *s);
UM_USED um_status um_scene_tables(const um_scene *s);

/* A difference in the unit of sigma's datum; of closure phases the one on the circle. */
double um_scene_difference(um_product p, double datum, double model);

#endif
