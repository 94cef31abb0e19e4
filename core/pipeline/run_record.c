/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What is kept of tasks: their states in run.json, and their folders for --resume. */
#include <stdlib.h>
#include "base/file.h"
#include "base/mem.h"
#include "pipeline/calibrate.h"
#include "pipeline/provenance.h"
#include "pipeline/resume.h"
#include "pipeline/run_parts.h"

const char *const run_states[] = { "waiting", "running", "done", "failed", "interrupted", "skipped", "left out" };

/* Puts the tasks of a group into the order of the plan, also where some of them were done by an earlier run. */
static void in_order(const struct run *r, json_t *group)
{
	for (int t = 0; t < r->plan->ntask; t++) {
		json_t *entry = json_object_get(group, r->child[t].name);
		if (entry == NULL)
			continue;
		json_incref(entry);
		json_object_del(group, r->child[t].name);
		json_object_set_new(group, r->child[t].name, entry);
	}
}

/* The states of cells are under "cells", of those that cannot work under "skipped", of fits under
 * "training", and of calibrations under "calibration". */
void run_record_task(struct run *r, const struct child *c)
{
	const um_stage_kind kind = um_plan_kind(r->plan, &r->plan->task[c - r->child]);
	const char *group = um_plan_is_cell(r->plan, &r->plan->task[c - r->child]) ? "cells" : kind == UM_TRAIN ? "training" :
		"calibration";
	if (kind == UM_SIMULATE || kind == UM_COMPARE || (r->plan->task[c - r->child].part > 0 && c->state == DONE))
		return;
	if (json_object_get(r->record, group) == NULL)
		json_object_set_new(r->record, group, json_object());
	json_t *cells = json_object_get(r->record, group);
	json_t *skipped = json_object_get(r->record, "skipped");
	if (c->state == LEFT_OUT || c->state == WAITING)
		return;
	if (c->state == SKIPPED) {
		if (skipped == NULL)
			json_object_set_new(r->record, "skipped", skipped = json_object());
		json_object_set_new(skipped, c->name, um_json_text(c->reason));
		return;
	}
	const bool fresh = json_object_get(cells, c->name) == NULL;
	json_object_set_new(cells, c->name, json_pack("{s:s, s:o}", "status", run_states[c->state], "reason",
		c->reason != NULL ? um_json_text(c->reason) : json_null()));
	if (fresh)
		in_order(r, cells);
}

/* Whether the results of a task are kept for --resume; what puts others together is always done again. */
static bool kept(const struct run *r, const struct child *c)
{
	const um_task *t = &r->plan->task[c - r->child];
	const um_stage_kind kind = um_plan_kind(r->plan, t);
	return kind == UM_SIMULATE || kind == UM_TRAIN || um_plan_is_cell(r->plan, t) || t->part > 0;
}

/* Whether a task that ended has left its folder complete: a calibration also where its verdict is FAIL. */
static bool completes(const struct run *r, const struct child *c)
{
	const um_task *t = &r->plan->task[c - r->child];
	if (um_plan_kind(r->plan, t) == UM_CALIBRATE)
		return t->part == 0 && um_calibrate_judged(r->plan, (int)(c - r->child), r->dir);
	return c->state == DONE && kept(r, c);
}

um_status run_prepare_task(struct run *r, struct child *c)
{
	static const char *const groups[] = { "cells", "training", "calibration" };
	const int t = (int)(c - r->child);
	char *why = NULL;
	bool done = false;
	if (!kept(r, c))
		return UM_OK;
	um_status st = um_rundir_begin(r->dir, r->plan, t, &done, &why);
	if (why != NULL)
		um_show_line(&r->show, "%s: %s: %s again", c->name, why,
			um_plan_kind(r->plan, &r->plan->task[t]) == UM_TRAIN ? "trained" : "run");
	free(why);
	if (!done) {
		for (size_t i = 0; i < sizeof(groups) / sizeof(*groups); i++)
			json_object_del(json_object_get(r->record, groups[i]), c->name);
		return st;
	}
	if (r->plan->task[t].part == 0)
		um_show_line(&r->show, "%s: done before, nothing has changed", c->name);
	c->state = DONE;
	r->done++;
	run_record_task(r, c);
	return st;
}

void run_keep_task(struct run *r, struct child *c)
{
	run_record_task(r, c);
	um_status st = um_rundir_write(r->dir, r->record);
	if (c->state == SKIPPED) { /* nothing but its recipe is in its folder */
		char *folder = um_format("%s/%s", r->dir, c->name);
		um_file_remove_tree(folder);
		free(folder);
	}
	if (st == UM_OK && completes(r, c))
		st = um_rundir_complete(r->dir, r->plan, (int)(c - r->child));
	if (st != UM_OK)
		um_log(UM_ERROR, "%s", um_message());
}
