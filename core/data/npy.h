/* SPDX-License-Identifier: GPL-3.0-or-later */
/* As um_npy_read, with the largest value of the file's integer type, 0 for reals. */
#ifndef UMBRA_DATA_NPY_H
#define UMBRA_DATA_NPY_H

#include <umbra/array.h>

UM_USED um_status um_npy_read_typed(const char *path, um_array *out, double *top);

#endif
