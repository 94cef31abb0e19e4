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

/* Writes pipeline.cfg with every default filled in. */
UM_API UM_USED um_status um_rundir_plan(const char *dir, const um_plan *plan);

/* Takes over from an old run.json into record when and how the run began and the states of its cells and fits,
 * and removes what a killed process had begun to write. */
UM_API UM_USED um_status um_rundir_resume(const char *dir, const um_plan *plan, json_t *record);

/* Makes the folder of task t ready, which is not one that puts others together, and whose predecessors have ended. *done: its
 * results are there, made from what they would be made from now. Where the folder was made from something
 * else, *why says what differs (free it), and NAME.old keeps it until um_rundir_complete; a change that was
 * taken back brings it back. What is unfinished and has not changed stays, to go on. */
UM_API UM_USED um_status um_rundir_begin(const char *dir, const um_plan *plan, int t, bool *done, char **why);

/* Task t has finished: its folder is complete, and what it replaces is removed. */
UM_API UM_USED um_status um_rundir_complete(const char *dir, const um_plan *plan, int t);

UM_API UM_USED um_status um_rundir_write(const char *dir, const json_t *record);

#endif
