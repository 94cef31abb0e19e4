/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The planes of an image, one for each frame, band and channel, for plugins that treat each on its own. Versioned
 * with libumbra; not part of the plugin ABI. */
#ifndef UMBRA_PLANES_H
#define UMBRA_PLANES_H

#include <umbra/plugin.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct um_planes {
	int64_t count, rows, columns;
} um_planes;

UM_API um_planes um_planes_of(const um_env *env);

/* For um_prior_ops.logp: lp[b] is the sum of what plane adds to *lp for each plane x [rows][columns] of image b. g is
 * NULL or [rows][columns] zeros, which plane turns into the gradient of what it adds. */
UM_API UM_USED um_status um_planes_logp(const um_planes *p, const um_array *x, double *lp, um_array *dx,
	um_status (*plane)(const void *self, const float *x, double *lp, double *g), const void *self);

/* Flux F = sum_i x_i and centroid sum_i x_i r_i / F of a plane, as column and row. UM_ENUM where F is not positive. */
UM_API UM_USED um_status um_planes_centroid(const um_planes *p, const float *x, double *flux, double *column, double *row);

/* How many pixels a micro-arcsecond is. UM_EPARAM where the image is not of the sky: what is measured in them, and what
 * to do instead of giving the image a size. */
UM_API UM_USED um_status um_env_uas(const um_env *env, const char *what, const char *instead, double *pixels);

#ifdef __cplusplus
}
#endif
#endif
