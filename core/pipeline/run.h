/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Running a pipeline: one process a task, watched by a parent that computes nothing. */
#ifndef UMBRA_PIPELINE_RUN_H
#define UMBRA_PIPELINE_RUN_H

#include <stdbool.h>
#include <umbra/status.h>

typedef struct um_run_options {
	const char *file;         /* the pipeline */
	const char *dir;          /* NULL: runs/NAME-OF-FILE */
	const char *const *sets;  /* ended by NULL */
	const char *only;         /* one cell, or NULL */
	const char *command;      /* as typed, for run.json */
	const char *program;      /* path of the umbra binary, started for every task */
	int jobs, threads;        /* threads 0: cores divided by jobs */
	bool resume, quiet;
} um_run_options;

/* The exit status of the program: 0 done, 1 a cell, stage or calibration failed, 2 or 3 refused before
 * anything ran, 75 interrupted. Prints problems and progress to stderr. */
UM_API int um_run(const um_run_options *o);

/* Checks a file completely, in this process: prints every problem as a line to stderr and
 * returns the exit status 0, 2 or 3. */
UM_API int um_check_file(const char *file, const char *const *sets);

#endif
