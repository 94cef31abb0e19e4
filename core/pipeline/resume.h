/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A run directory on disk: its pipeline.cfg, its run.json, and what of an earlier run counts. */
#ifndef UMBRA_PIPELINE_RESUME_H
#define UMBRA_PIPELINE_RESUME_H

#include <jansson.h>
#include "pipeline/plan.h"

/* Makes the folder and takes it for this process and its tasks (an flock that tasks inherit);
 * UM_EPARAM where another run works in it. *fd keeps it until it is closed. */
UM_API UM_USED um_status um_rundir_take(const char *dir, int *fd);

/* True where there is nothing at that path, or an empty folder. A path that is something
 * else, or cannot be read, is not empty. */
UM_API bool um_rundir_empty(const char *dir);

/* Writes pipeline.cfg with every default filled in, or, where resuming, compares it with the
 * one that is there and refuses a pipeline that has changed. */
UM_API UM_USED um_status um_rundir_plan(const char *dir, const um_plan *plan, bool resume);

/* Takes over from an old run.json into record: when and how the run began, and the states of its
 * cells; done[t] tells which tasks have their results. Refuses inputs or versions that have
 * changed since. Without an old run.json nothing is done. */
UM_API UM_USED um_status um_rundir_resume(const char *dir, const um_plan *plan, json_t *record, bool *done);

UM_API UM_USED um_status um_rundir_write(const char *dir, const json_t *record);

#endif
