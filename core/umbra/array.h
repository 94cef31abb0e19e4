/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Strided arrays of float or double. Row-major: the last axis varies fastest,
 * as NAXIS1 does in FITS. Strides count elements; a stride of 0 repeats one row
 * for every index, so that shared measurements need no copies. */
#ifndef UMBRA_ARRAY_H
#define UMBRA_ARRAY_H

#include <stdint.h>
#include <umbra/status.h>

#ifdef __cplusplus
extern "C" {
#endif

#define UM_MAXRANK 8

typedef enum um_dtype { UM_F32 = 1, UM_F64 = 2, UM_I64 = 3 } um_dtype;

/* An open value type: plugins loop over data directly. Frozen layout. */
typedef struct um_array {
	um_dtype dtype;
	int rank;
	int64_t dim[UM_MAXRANK];
	int64_t stride[UM_MAXRANK];
	void *data;
} um_array;

/* A zeroed array, 64-byte aligned; release it with um_array_free.
 * UM_ENOMEM names the size that did not fit. */
UM_API UM_USED um_status um_array_new(um_array *a, um_dtype type, int rank, const int64_t dim[]);

/* Releases data and zeroes *a; fine on a zeroed array. Never call it on a view. */
UM_API void um_array_free(um_array *a);

/* A contiguous view of memory that somebody else owns. */
UM_API um_array um_array_view(void *data, um_dtype type, int rank, const int64_t dim[]);

/* Rows first .. first+count-1 of the leading axis, as a view. */
UM_API um_array um_array_rows(const um_array *a, int64_t first, int64_t count);

/* Elements in all axes, and in all axes but the first (one sample). */
UM_API int64_t um_array_len(const um_array *a);
UM_API int64_t um_array_rowlen(const um_array *a);

/* Every element of a contiguous array becomes value. */
UM_API void um_array_fill(um_array *a, double value);

/* Copies contiguous src into contiguous dst of the same length, converting the type. */
UM_API UM_USED um_status um_array_copy(um_array *dst, const um_array *src);

/* Row i of the leading axis: one image, one measurement. */
static inline float *um_row_f(const um_array *a, int64_t i)
{
	return (float *)a->data + i * a->stride[0];
}
static inline double *um_row_d(const um_array *a, int64_t i)
{
	return (double *)a->data + i * a->stride[0];
}

#ifdef __cplusplus
}
#endif
#endif
