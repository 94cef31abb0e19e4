/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Which task of a run is next, and which cannot be done. */
#include <stdlib.h>
#include <string.h>
#include "base/mem.h"
#include "pipeline/run_parts.h"

/* Cells and replicates; other tasks are alone in their stage. */
static bool beside_others(const um_plan *p, const um_task *t)
{
	return um_plan_is_cell(p, t) || t->part > 0;
}

/* The next task that may start: everything of earlier stages has ended. */
static struct child *next(struct run *r)
{
	for (int i = 0; i < r->plan->ntask; i++) {
		struct child *c = &r->child[i];
		if (c->state == RUNNING && !beside_others(r->plan, &r->plan->task[i]))
			return NULL;
		if (c->state != WAITING)
			continue;
		for (int k = 0; k < i; k++)
			if (r->child[k].state == RUNNING && (r->plan->task[k].stage != r->plan->task[i].stage ||
				um_plan_needs(r->plan, &r->plan->task[i], &r->plan->task[k])))
				return NULL;
		return c;
	}
	return NULL;
}

/* A task that needs what a failed one should have made fails with it. */
static bool lost_its_data(struct run *r, struct child *c)
{
	const um_task *t = &r->plan->task[c - r->child];
	for (int i = 0; i < r->plan->ntask; i++) {
		const um_task *k = &r->plan->task[i];
		const enum child_state state = r->child[i].state;
		if (!um_plan_needs(r->plan, t, k) || (state != FAILED && state != INTERRUPTED && state != SKIPPED))
			continue;
		c->state = FAILED;
		c->reason = um_plan_kind(r->plan, k) == UM_SIMULATE ? um_format("its measurements could not be simulated") :
			um_plan_kind(r->plan, k) == UM_CALIBRATE ? um_format("replicates of %s have no ranks", k->name) :
			um_plan_kind(r->plan, k) == UM_INFER ? um_format("%s, from which it starts, has no mean image", k->name) :
			um_format("%s.%s could not be trained", k->inference >= 0 ? "inference" : "priors", strchr(k->name, '/') + 1);
		run_record_task(r, c);
		r->done++;
		if (t->part == 0) /* which says it for all */
			fprintf(stderr, "umbra: %s: failed: %s\n", c->name, c->reason);
		return true;
	}
	return false;
}

void run_tasks(struct run *r, const sigset_t *signals)
{
	for (;;) {
		struct child *c = r->stop ? NULL : next(r);
		if (c != NULL && lost_its_data(r, c))
			continue;
		if (c != NULL && run_active(r) < r->o->jobs) {
			um_status st = run_prepare_task(r, c);
			if (st == UM_OK && c->state == DONE)
				continue;
			if (st != UM_OK || run_start_task(r, c) != UM_OK) {
				c->state = FAILED;
				c->reason = um_strdup(um_message());
				run_record_task(r, c);
				fprintf(stderr, "umbra: %s: failed: %s\n", c->name, c->reason);
			}
			continue;
		}
		if (run_active(r) == 0)
			break;
		run_watch(r, signals);
	}
}

um_status run_report(struct run *r, const sigset_t *signals)
{
	um_status st = UM_OK;
	struct child *c = &r->child[r->plan->ntask];
	bool stopped = r->stop;
	r->stop = r->now = false;
	c->name = "report";
	UM_TRY(run_start_task(r, c));
	while (c->state == RUNNING)
		run_watch(r, signals);
	r->stop = r->stop || stopped;
	if (c->state == DONE)
		um_show_line(&r->show, "report: %s/report.html", r->dir);
out:
	return st;
}
