/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Drawing smooth shapes on a plane of pixels: rings, discs and crescents, Gaussians, jets,
 * random fields. Every edge is at least as wide as a Gaussian of UM_PIXEL_FWHM, so that
 * nothing is jagged; brightness never is negative. Lengths are in pixels. Versioned with
 * libumbra; not part of the plugin ABI. */
#ifndef UMBRA_SHAPES_H
#define UMBRA_SHAPES_H

#include <umbra/rng.h>

#ifdef __cplusplus
extern "C" {
#endif

#define UM_PIXEL_FWHM 1.1774100225154747 /* standard deviation of half a pixel */
#define UM_RING_MODES 16
#define UM_FIELD_CYCLES 8

/* Brightness [rows][columns], borrowed. Shapes are added to what is there. */
typedef struct um_plane {
	int64_t rows, columns;
	double *v;
} um_plane;

/* Where a shape lies: its centre, x to the right and y down from the centre of the plane, and
 * the direction of its axis in radians from up towards the left (on the sky from north through
 * east). Lengths across the axis are multiplied by ratio, 0 < ratio <= 1 as a rule. */
typedef struct um_pose {
	double x, y, angle, ratio;
} um_pose;

/* The place that is along pixels forward on the axis of p and across pixels to its left. */
UM_API um_pose um_pose_move(um_pose p, double along, double across);

/* A Gaussian of total flux (on an infinite plane); fwhm is that along the axis. */
UM_API void um_draw_gaussian(um_plane *p, um_pose at, double fwhm, double flux);

/* An infinitely thin ring of brightness 1 + sum_m a[m-1] cos(m phi) + b[m-1] sin(m phi), m = 1
 * to modes <= UM_RING_MODES, phi from the axis to the left, convolved with a round Gaussian;
 * of total flux. The sum must not be below -1. */
UM_API UM_USED um_status um_draw_ring(um_plane *p, um_pose at, double diameter, double fwhm, int modes,
	const double *a, const double *b, double flux);

/* A disc, or with a hole a crescent that is thick where the axis points. */
typedef struct um_disc {
	double diameter;
	double edge;   /* FWHM of the Gaussian that softens edges */
	double slope;  /* brightness is 1 - slope at the back, 1 at the centre, 1 + slope at the front */
	double hole;   /* diameter of the hole, or 0 */
	double shift;  /* of the hole, to the back */
	double floor;  /* brightness in the hole, 0 to 1 */
} um_disc;
UM_API void um_draw_disc(um_plane *p, um_pose at, const um_disc *d);

/* A stream along the axis, brightest (about 1) at its base, fading towards its end. */
typedef struct um_jet {
	double length;
	double width;    /* FWHM at the base */
	double opening;  /* tangent of half the opening angle */
	double bend;     /* displacement to the left at the end, in units of length */
	double counter;  /* brightness of its mirror image, 0 to 1 */
	double limb;     /* 0: brightest in the middle, 1: at its borders */
} um_jet;
UM_API void um_draw_jet(um_plane *p, um_pose at, const um_jet *j);

/* Fills p with a Gaussian random field of mean 0 and variance 1, from waves of 1 to cycles <=
 * UM_FIELD_CYCLES periods across 5/4 of the longer side; their power goes with k^-slope. */
UM_API UM_USED um_status um_random_field(um_plane *p, um_rng *rng, int cycles, double slope);

/* Convolves with a round Gaussian, as if the plane went on as its mirror image; total flux and
 * a constant plane stay as they are. */
UM_API UM_USED um_status um_blur(um_plane *p, double fwhm);

#ifdef __cplusplus
}
#endif
#endif
