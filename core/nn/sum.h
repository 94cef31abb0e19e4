/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The sum, which the fusion of element-wise operations knows. */
#ifndef UMBRA_NN_SUM_H
#define UMBRA_NN_SUM_H

#include "nn/node.h"

extern const um_op um_op_sum;

#endif
