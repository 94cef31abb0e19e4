/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a run would cost, from the first seconds of each of its tasks. */
#ifndef UMBRA_PIPELINE_ESTIMATE_H
#define UMBRA_PIPELINE_ESTIMATE_H

#include <stdio.h>
#include "pipeline/run.h"

/* Begins every simulation, fit and cell of a checked pipeline (of o: file, sets, only, program, threads, jobs) in a folder of
 * its own that is removed afterwards, ends it after a few seconds of steps, and prints a table of time and
 * memory to out. Times of those that did not end by themselves are steps left times seconds a step; steps that a plugin
 * may leave out, and what it does after the last, are not known, so that they are rough. The exit status: 0, 1 where
 * one failed, 75 interrupted. */
UM_API int um_estimate(const um_run_options *o, FILE *out);

#endif
