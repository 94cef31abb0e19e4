/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What sine and cosine share. */
#ifndef UMBRA_NN_OPS_SIN_H
#define UMBRA_NN_OPS_SIN_H

#include "nn/tile.h"

/* Whether the vector kernels are accurate for all of x: no NaN, nothing beyond UM_SIN_MOST. */
bool um_sin_is_near(int64_t n, const float *x);

#endif
