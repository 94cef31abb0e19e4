/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Named arrays in one file, in the safetensors format (an 8-byte length, a JSON header,
 * little-endian data): weights and checkpoints. Types F32, F64 and I64; F16 and BF16 are read as
 * float. Not plugin ABI. */
#ifndef UMBRA_TENSORS_H
#define UMBRA_TENSORS_H

#include <stdbool.h>
#include <umbra/array.h>

#ifdef __cplusplus
extern "C" {
#endif

/* How float tensors are written. */
typedef enum um_store {
	UM_STORE_SAME, /* as they are */
	UM_STORE_F16,  /* rounded to 10 bits of fraction, range 6e-8 to 65504 */
	UM_STORE_BF16, /* rounded to 7 bits of fraction, the range of float */
} um_store;

typedef struct um_tensors {
	int n;
	char **name;
	um_array *array;
	int nmeta;
	char **key, **value; /* of the header's __metadata__ */
	um_store store;
} um_tensors;

/* Adds a tensor (copied; a name that is there is an error) or a metadata pair (the last value of a
 * key counts) to a set that starts zeroed. */
UM_API UM_USED um_status um_tensors_add(um_tensors *t, const char *name, const um_array *a);
UM_API void um_tensors_note(um_tensors *t, const char *key, const char *value);

/* The array or value of that name, or NULL. */
UM_API const um_array *um_tensors_get(const um_tensors *t, const char *name);
UM_API const char *um_tensors_meta(const um_tensors *t, const char *key);

/* Writes the whole file or nothing; equal sets make equal bytes. A finite number that store makes
 * infinite is UM_ENUM. Reads a file with every size and offset checked: data that overlap, are left
 * over or do not fit their shape are errors that name the tensor. A number alone (rank 0) becomes
 * an array of one. */
UM_API UM_USED um_status um_tensors_write(const char *path, const um_tensors *t);
UM_API UM_USED um_status um_tensors_read(const char *path, um_tensors *t);
UM_API void um_tensors_free(um_tensors *t);

#ifdef __cplusplus
}
#endif
#endif
