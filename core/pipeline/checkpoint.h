/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The checkpoints of a folder of a run: the last one, and the one before it. */
#ifndef UMBRA_PIPELINE_CHECKPOINT_H
#define UMBRA_PIPELINE_CHECKPOINT_H

#include <stdbool.h>
#include <umbra/tensors.h>

/* Adds a checksum and writes the set whole or not at all; what was the last one is kept beside it. */
UM_API UM_USED um_status um_checkpoint_write(const char *folder, um_tensors *t);

/* The last checkpoint that is whole and whose trace.csv is there; false, with t empty, where there is
 * none. Where one was damaged, *complaint becomes a line that says so; free it. */
UM_API bool um_checkpoint_read(const char *folder, um_tensors *t, char **complaint);

/* A note of a checkpoint as a number, 0 without it. */
UM_API double um_checkpoint_number(const um_tensors *t, const char *key);

/* How long interrupted runs worked on a folder, in seconds; 0 without a checkpoint. */
UM_API double um_checkpoint_seconds(const char *folder);

UM_API void um_checkpoint_remove(const char *folder);

#endif
