/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What an interferometer sees of a point, and images blurred to that. Every visibility has the
 * same weight, as in eht-imaging, since weights 1/sigma^2 would leave little but the baselines of
 * the most sensitive stations; those so short that the field is one point to them (length times
 * field below 0.05) do not count, since all they add is a constant. Versioned with libumbra; not part of
 * the plugin ABI. */
#ifndef UMBRA_UVBEAM_H
#define UMBRA_UVBEAM_H

#include <umbra/uvdata.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct um_uvfield {
	int64_t rows, columns;
	double pixel; /* radians */
} um_uvfield;

/* The dirty image, the mean of Re(V exp(-2 pi i (u l + v m))) in Jy a beam, of the visibilities
 * re, im at the rows of d; re = NULL stands for ones: the dirty beam. UM_EDATA where no baseline
 * counts. */
UM_API UM_USED um_status um_uvbeam_image(const um_uvdata *d, const double *re, const double *im,
	const um_uvfield *field, double *out);

/* A Gaussian: full widths at half maximum in radians, and where its long axis points, in radians
 * from north to east, from -pi/2 to pi/2. */
typedef struct um_beam {
	double major, minor, angle;
} um_beam;

/* The clean beam: the Gaussian whose half-power ellipse fits that of the dirty beam's main lobe.
 * Widths stop at the field's where the dirty beam does not fall to one half within it. */
UM_API UM_USED um_status um_uvbeam_fit(const um_uvdata *d, const um_uvfield *field, um_beam *out);

/* Image in Jy a pixel, convolved with the beam, in Jy a beam. */
UM_API UM_USED um_status um_beam_restore(const um_beam *b, const double *image, const um_uvfield *field,
	double *out);

#ifdef __cplusplus
}
#endif
#endif
