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

/* What datum i of product k is: its stations, "AA-LM" or "AA-LM-SM". A triangle has the same name in any
 * order of its stations; a quadrangle has not. */
enum { UM_SCENE_NAME = 112 };
void um_scene_name(const um_scene *s, int k, int64_t i, char name[UM_SCENE_NAME]);

/* A difference in the unit of sigma's datum; of closure phases the one on the circle. */
double um_scene_difference(um_product p, double datum, double model);

#endif
