/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The planes of an image, one for each frame, band and channel, for plugins that treat each on its own. Versioned
 * with libumbra; not part of the plugin ABI. */
#ifndef UMBRA_PLANES_H
#define UMBRA_PLANES_H

#include <umbra/plugin.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Adds the log density of a plane x [rows][columns] to *lp; g is NULL or [rows][columns] zeros, which become the gradient
 * of what was added. self is the instance. */
typedef um_status um_plane_density(const void *self, const float *x, double *lp, double *g);

/* What the instance of a prior begins with whose log density is a sum over planes. */
typedef struct um_planes {
	int64_t count, rows, columns;
	um_plane_density *density;
} um_planes;

UM_API um_planes um_planes_of(const um_env *env, um_plane_density *density);

/* um_prior_ops.logp for such instances. */
UM_API UM_USED um_status um_planes_logp(void *self, um_rng *rng, const um_array *x, double *lp, um_array *dx);

/* Flux F = sum_i x_i and centroid sum_i x_i r_i / F of a plane, as column and row. UM_ENUM where F is not positive. */
UM_API UM_USED um_status um_planes_centroid(const um_planes *p, const float *x, double *flux, double *column, double *row);

/* How many pixels a micro-arcsecond is. UM_EPARAM where the image is not of the sky, which says what is in
 * micro-arcseconds and what to do instead of giving the image a size. */
UM_API UM_USED um_status um_env_uas(const um_env *env, const char *what, const char *instead, double *pixels);

#ifdef __cplusplus
}
#endif
#endif
