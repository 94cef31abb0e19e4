/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What of an image the data decide, and what the prior does. Let K priors, believed equally, give a pixel the
 * posterior means m_k and variances v_k. By the law of total variance the pixel then has the variance
 *   total = within + between, within = mean of v_k, between = mean of (m_k - mean of m)^2,
 * and between / total is the part of what is uncertain that comes from the choice of a prior: near 0 the data decide (or
 * all priors say the same), near 1 the prior does. A pixel agrees where the intervals m_k +- 2 sqrt(v_k) of all priors
 * have a point in common. */
#ifndef UM_REPORT_AGREEMENT_H
#define UM_REPORT_AGREEMENT_H

#include "rundir.h"

/* One number of an image over K priors. */
typedef struct um_agreement {
	double between, within, share; /* share = between / total, NaN where total is 0 */
	bool agree;
} um_agreement;
UM_API um_agreement um_agreement_of(int k, const double *mean, const double *sd);

/* For done cells of one forward model and one inference, that differ in the prior (or in a swept parameter of it) and have
 * a spread: two or more make a group. Writes into folder for each group
 *   agreement-FORWARD.INFERENCE.fits: planes (the last FITS axis) share, agree (1 or 0), between and within,
 * and for all together agreement.png, shares and what agrees, and agreement.csv: forward, inference, priors, and over the
 * pixels sum of between / sum of total, and the part that agrees. Nothing where there is no group. */
struct um_mesh;
UM_USED um_status um_agreement_write(const um_rundir *r, const struct um_mesh *mesh, const char *folder);

#endif
