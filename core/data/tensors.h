/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What reading and writing of weight files share. */
#ifndef UMBRA_DATA_TENSORS_H
#define UMBRA_DATA_TENSORS_H

#include <umbra/tensors.h>

/* A type of the format: the type in memory, and conversions where they differ. */
typedef struct um_stored {
	const char *name;
	um_dtype type;
	int64_t size;
	float (*to)(uint16_t h);
	uint16_t (*from)(float x);
} um_stored;

/* UM_TENSORS_HEADER: the longest header that the format allows. */
enum { UM_STORED_TYPES = 5, UM_TENSORS_HEADER = 100000000 };
#define UM_TENSORS_META "__metadata__"
extern const um_stored um_stored_types[UM_STORED_TYPES];

/* Appends a, which t then owns, under a name that is not there yet. */
void um_tensors_take(um_tensors *t, const char *name, um_array a);
/* Appends a note whose key is not there yet. */
void um_tensors_push_note(um_tensors *t, const char *key, const char *value);

#endif
