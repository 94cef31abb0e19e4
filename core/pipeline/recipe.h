/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the results of a task are made from: the keys of the pipeline that it depends on, hashes of the
 * files that it reads, versions. Equal recipes give equal results, and a difference says why not. */
#ifndef UMBRA_PIPELINE_RECIPE_H
#define UMBRA_PIPELINE_RECIPE_H

#include <jansson.h>
#include "pipeline/plan.h"

/* A flat object of keys. Files that earlier tasks make in dir are there by then, so that a task is made
 * again only where those have changed. */
UM_API UM_USED um_status um_recipe(const um_plan *p, int task, const char *dir, json_t **out);

/* The first difference as text, "inference.dpi.steps was 400 and is 800", or NULL; free it. */
UM_API char *um_recipe_difference(const json_t *old, const json_t *now);

#endif
