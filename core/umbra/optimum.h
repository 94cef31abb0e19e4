/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Where a posterior peaks: starting images and their ascent by L-BFGS, for inference
 * plugins that optimise or that start from an optimum. Not plugin ABI. */
#ifndef UMBRA_OPTIMUM_H
#define UMBRA_OPTIMUM_H

#include <umbra/optim.h>
#include <umbra/problem.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A constant image, a round Gaussian in the centre on a low floor, or one that is given. */
struct um_env;
typedef struct um_start {
	bool blob;
	double size;    /* full width at half maximum of the blob / the longer side */
	double level;   /* mean of x; 0: the power of 10^1/4 (or 0) that fits best, and 1 where
	                   softplus cannot reach a best of 0 */
	const um_array *image; /* float [1][image] in instrument units, or NULL */
} um_start;

/* The image of a FITS file for um_start: what um_image_onto, smooth, makes of it. */
UM_API UM_USED um_status um_start_read(const char *path, const struct um_env *env, um_array *x);

/* u [1][image] of the start. */
UM_API UM_USED um_status um_optimum_start(um_problem *p, const um_start *start, um_array *u);

/* Draws of the prior as u, one a stream. With softplus the faintest pixels, or those below 0, would have all the
 * variance of u: they are lifted to a hundredth of the mean of these draws. */
UM_API UM_USED um_status um_optimum_draws(um_problem *p, um_rng *rng, um_array *u);

/* Adds factor log |dx/du| of each u [B][image] to lp[B] and its gradient to dp (or NULL). */
UM_API void um_optimum_volume(um_problem *p, double factor, const um_array *u, double *lp, um_array *dp);

/* Maximises weight log p(y | u) + log p(x(u)) + volume log |dx/du|: with volume 1 the density of
 * u, with 0 that of the image x. An estimated log p is made a function by a fixed stream.
 * step (optional) is told the value -objective and its parts after each iteration; false stops.
 * search carries the settings of L-BFGS in and its results out; its functions are set here. */
typedef struct um_optimum {
	um_problem *problem;
	double weight;
	double volume;
	bool calibrate; /* the likelihood times p(op) at its best operator parameters for every u */
	bool (*step)(void *context, int64_t iteration, double f, double ll, double lp, double gnorm);
	void *context;
	um_lbfgs_job search;
} um_optimum;

/* From u, which becomes the optimum; double, n pixels. */
UM_API UM_USED um_status um_optimum_find(um_optimum *o, double *u);

#ifdef __cplusplus
}
#endif
#endif
