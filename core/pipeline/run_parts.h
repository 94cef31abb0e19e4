/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the parts of the parent of a run share: the whole (run.c), the check before it (run_check.c), which task is next
 * (run_tasks.c), the processes of tasks (run_process.c), and what is kept of them (run_record.c). */
#ifndef UMBRA_PIPELINE_RUN_PARTS_H
#define UMBRA_PIPELINE_RUN_PARTS_H

#include <jansson.h>
#include <signal.h>
#include "pipeline/page.h"
#include "pipeline/plan.h"
#include "pipeline/run.h"
#include "pipeline/show.h"

enum child_state { WAITING, RUNNING, DONE, FAILED, INTERRUPTED, SKIPPED, LEFT_OUT };
extern const char *const run_states[]; /* their names */

/* The process of a task. */
struct child {
	const char *name;
	enum child_state state;
	pid_t pid;
	um_page *page;
	int fd;
	double started, asked;   /* asked: when it was told to stop, 0 before */
	double limit, memory;    /* seconds, MB; 0: none */
	bool too_long;
	char *reason;
};

struct run {
	const um_run_options *o;
	um_plan *plan;
	char *dir;
	json_t *record;
	struct child *child;     /* one a task of the plan, then the report */
	um_show show;
	int threads, done;
	int lock;                /* the folder, taken */
	bool stop, now;          /* asked to stop; asked again: end the tasks at once */
};

/* Runs "umbra check" in a process of its own, so that no plugin's code runs in this one; its exit status. */
int run_check(const um_run_options *o);

/* Does the tasks of the plan in their order, until all have ended or the user stops them. */
void run_tasks(struct run *r, const sigset_t *signals);
/* The report, also of a run that failed or was stopped. */
um_status run_report(struct run *r, const sigset_t *signals);

/* Starts the process of a task. */
um_status run_start_task(struct run *r, struct child *c);
/* How many are at work. */
int run_active(const struct run *r);
/* Waits a moment for signals and ends of processes; asks tasks to stop, and shows where they are. */
void run_watch(struct run *r, const sigset_t *signals);

/* Makes the folder of a task ready: one whose results are there is done, one that was made from something else says
 * what. */
um_status run_prepare_task(struct run *r, struct child *c);
/* Puts the state of a task into r->record. */
void run_record_task(struct run *r, const struct child *c);
/* Writes down the state of a task that has ended, and marks its folder complete where it is. */
void run_keep_task(struct run *r, struct child *c);

#endif
