/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Restoration with the denoiser of a prior that has a score, for linear forward models. */
#ifndef UMBRA_HOST_RESTORE_H
#define UMBRA_HOST_RESTORE_H

#include <umbra/problem.h>

/* As weight files say how what they were told was made. */
#define UM_RESTORE "4 rounds, 2 to 0.2 sd, 0.23"

/* Plug and play (half-quadratic splitting, Zhang et al. 2021, arXiv:2008.13751): from a guess in x [rows][image], for all
 * rows that p has taken, a few rounds of
 *   v = z + t^2 A^T (Sigma + t^2 A A^T)^-1 (y - A z), the mean given y and N(z, t^2), t^2 = s^2 / 0.23,
 *   z = v + s^2 grad log p_s(v), the mean of the image given it with white noise of s (Tweedie),
 * as s falls from 2 to 0.2 of sd, the prior's standard deviation. x becomes the last z. Units are those of the prior. */
UM_API UM_USED um_status um_restore(um_problem *p, double sd, um_array *x);

#endif
