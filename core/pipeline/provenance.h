/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a result was made from: versions, inputs and their hashes, and the states of the
 * cells, in run.json. */
#ifndef UMBRA_PIPELINE_PROVENANCE_H
#define UMBRA_PIPELINE_PROVENANCE_H

#include <jansson.h>
#include "pipeline/plan.h"

/* SHA-256 of a file, or of the images in a folder and their names, as 64 hexadecimal digits. */
UM_API UM_USED um_status um_sha256_file(const char *path, char hex[65]);

/* Foreign text as a JSON string: bytes that are not UTF-8 become U+FFFD. */
UM_API json_t *um_json_text(const char *s);

/* The input files of a plan: "forward.eht.uvfits" and its path. A task of index t has those
 * of its own plugins, t < 0 all. The caller frees name, path and the list. */
typedef struct um_input { char *name, *path; } um_input;
UM_API int um_plan_inputs(const um_plan *p, int t, um_input **list);
UM_API void um_inputs_free(um_input *list, int n);

/* HISTORY cards of the products of a task, ended by NULL: version, seed, task, inputs.
 * No time, host or path. Free with um_history_free. */
UM_API UM_USED um_status um_history(const um_plan *p, int t, char ***cards);
UM_API void um_history_free(char **cards);

/* run.json of a new run: program, plugins, host, threads, seed, command, inputs. */
UM_API UM_USED um_status um_run_record(const um_plan *p, const char *command, int threads, json_t **out);

#endif
