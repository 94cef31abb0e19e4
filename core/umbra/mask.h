/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Masks: which pixels or frequencies are seen (1) and which are not (0), as doubles [rows][columns].
 * Masks of frequencies are centred: zero frequency is in row rows / 2 and column columns / 2 (rounded
 * down), lower ones above and to the left. Versioned with libumbra; not part of the plugin ABI. */
#ifndef UMBRA_MASK_H
#define UMBRA_MASK_H

#include <stdbool.h>
#include <umbra/rng.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Reads a mask from .npy or FITS. An image's is turned to umbra's orientation, one of frequencies is
 * taken as it is stored. UM_EDATA, naming the pixel or both sizes, where it has other numbers than 0
 * and 1, another size, or no 1 at all. */
UM_API UM_USED um_status um_mask_read(const char *path, bool image, int64_t rows, int64_t columns,
	double *mask);

/* How many of n are seen. */
UM_API int64_t um_mask_count(int64_t n, const double *mask);

/* Turns many of the zeros of mask [n] into ones, every choice equally likely; many is at most
 * their number. */
UM_API void um_mask_choose(um_rng *rng, int64_t n, int64_t many, double *mask);

/* Columns of a mask: centre <= many of them about zero frequency, the rest of many chosen with rng or,
 * where rng is NULL, evenly spaced over what is left. */
UM_API UM_USED um_status um_mask_lines(um_rng *rng, int64_t rows, int64_t columns, int64_t many,
	int64_t centre, double *mask);

/* many points of a Poisson disc, sparser outwards: a square of centre x centre about zero frequency
 * (centre^2 <= many, at most the sides), then points in random order, each at least 1 + slope d from all
 * before it, d its distance from zero frequency in half sides; slope is the largest for which there are
 * many. (Variable density as in Lustig & Pauly 2010, doi:10.1002/mrm.22428, by dart throwing.) */
UM_API UM_USED um_status um_mask_poisson(um_rng *rng, int64_t rows, int64_t columns, int64_t many,
	int64_t centre, double *mask);

/* The fewest spokes through zero frequency, at equal angles from the first column up, of which the
 * nearest points are at least many; many <= rows columns. */
UM_API void um_mask_radial(int64_t rows, int64_t columns, int64_t many, double *mask);

#ifdef __cplusplus
}
#endif
#endif
