/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Numbers for plugins from a file that the user names: .npy, else FITS. Versioned with
 * libumbra; not plugin ABI. */
#ifndef UMBRA_TABLE_H
#define UMBRA_TABLE_H

#include <umbra/array.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A list, matrix or cube as double: a .npy file, or the first HDU of a FITS file as stored
 * (last axis = NAXIS1). Release it with um_array_free. */
UM_API UM_USED um_status um_table_read(const char *path, um_array *out);

/* The same for an image of count numbers; FITS is turned to umbra's orientation (row 0 north,
 * column 0 east), a .npy is taken as it is. UM_EDATA names both sizes where they differ. */
UM_API UM_USED um_status um_table_image(const char *path, int64_t count, um_array *out);

/* What stands beside it: the image extension of that name of a FITS file as stored; empty (data NULL) where there is none. */
UM_API UM_USED um_status um_table_extension(const char *path, const char *name, um_array *out);

#ifdef __cplusplus
}
#endif
#endif
