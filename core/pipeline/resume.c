/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Taking a run directory, and going on with what lies in it. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>
#include "base/file.h"
#include "base/mem.h"
#include "pipeline/calibrate.h"
#include "pipeline/resume.h"
#include "pipeline/task.h"

bool um_rundir_empty(const char *dir)
{
	DIR *d = opendir(dir);
	if (d == NULL)
		return errno == ENOENT;
	int n = 0;
	for (struct dirent *e; (e = readdir(d)) != NULL;)
		n += strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0;
	closedir(d);
	return n == 0;
}

um_status um_rundir_take(const char *dir, int *fd)
{
	um_status st = um_file_mkdirs(dir);
	if (st != UM_OK)
		return st;
	enum { CLEAR = 16 }; /* of the descriptors that tasks are started with */
	int low = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	*fd = low < 0 ? -1 : fcntl(low, F_DUPFD, CLEAR);
	if (*fd < 0)
		return um_fail(UM_EIO, "%s: %s", dir, strerror(errno));
	close(low);
	if (flock(*fd, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK)
		return um_fail(UM_EPARAM, "%s: another run is at work in this folder; wait for it, or choose "
			"another with -o", dir);
	return UM_OK;
}

static char *plan_text(const um_plan *p)
{
	char *text = NULL;
	size_t n = 0;
	FILE *f = open_memstream(&text, &n);
	um_config_write(p->root, f);
	fclose(f);
	return text;
}

/* The first line in which two texts differ. */
static int differing_line(const char *a, const char *b)
{
	int line = 1;
	for (; *a && *a == *b; a++, b++)
		line += *a == '\n';
	return line;
}

/* Whether two texts say the same but for the time budgets of train stages. */
static bool same_but_budgets(const char *old, const char *now)
{
	um_node *root[2] = { NULL, NULL };
	char *text[2] = { NULL, NULL };
	for (int k = 0; k < 2; k++) {
		if (um_config_parse(k == 0 ? old : now, "pipeline.cfg", &root[k]) != UM_OK)
			break;
		const um_node *run = um_node_get(root[k], "run");
		for (int i = 0; run != NULL && i < run->n; i++) {
			const um_node *stage = um_node_get(run->child[i], "stage");
			um_node *budget = um_node_get(run->child[i], "seconds");
			if (stage != NULL && stage->text != NULL && strcmp(stage->text, "train") == 0 && budget != NULL) {
				budget->type = UM_NODE_INT;
				budget->integer = 0;
				budget->filled = false;
			}
		}
		size_t n = 0;
		FILE *f = open_memstream(&text[k], &n);
		um_config_write(root[k], f);
		fclose(f);
	}
	const bool same = text[0] != NULL && text[1] != NULL && strcmp(text[0], text[1]) == 0;
	for (int k = 0; k < 2; k++) {
		um_node_free(root[k]);
		free(text[k]);
	}
	return same;
}

um_status um_rundir_plan(const char *dir, const um_plan *plan, bool resume)
{
	um_status st = UM_OK;
	char *text = plan_text(plan), *path = um_format("%s/pipeline.cfg", dir), *old = NULL;
	if (!resume || !um_file_exists(path)) {
		UM_TRY(um_file_put(path, text, strlen(text)));
		goto out;
	}
	UM_TRY(um_file_get(path, &old, NULL));
	if (strcmp(old, text) == 0)
		goto out;
	if (!same_but_budgets(old, text))
		UM_TRY(um_fail(UM_EPARAM, "%s:%d: the pipeline has changed since this run began, so that it "
			"cannot be resumed; choose another folder with -o", path, differing_line(old, text)));
	UM_TRY(um_file_put(path, text, strlen(text)));
out:
	free(old);
	free(path);
	free(text);
	return st;
}

um_status um_rundir_write(const char *dir, const json_t *record)
{
	char *path = um_format("%s/run.json", dir), *text = json_dumps(record, JSON_INDENT(2));
	um_status st = text != NULL ? um_file_put(path, text, strlen(text)) :
		um_fail(UM_EIO, "%s: cannot be written", path);
	free(text);
	free(path);
	return st;
}

/* ---- an earlier run ------------------------------------------------------------------ */

/* Refuses where the members of a group (hashes of inputs, versions of plugins) have changed. */
static um_status compare(const char *path, const json_t *old, const json_t *now, const char *group,
	const char *what)
{
	const char *key;
	json_t *value;
	json_object_foreach(json_object_get(now, group), key, value) {
		const json_t *before = json_object_get(json_object_get(old, group), key);
		const json_t *a = json_is_object(value) ? json_object_get(value, "sha256") : value;
		const json_t *b = json_is_object(before) ? json_object_get(before, "sha256") : before;
		if (before != NULL && !json_equal(a, b))
			return um_fail(UM_EPARAM, "%s: %s %s has changed since this run began, so that it cannot be "
				"resumed; choose another folder with -o", path, what, key);
	}
	return UM_OK;
}

static bool there(const char *dir, const char *task, const char *file)
{
	char *path = um_format("%s/%s/%s", dir, task, file);
	bool is = um_file_exists(path);
	free(path);
	return is;
}

/* The weight file of a train task, "train/NAME". */
static bool there_weights(const char *dir, const um_plan *plan, int t)
{
	char *file = um_format("%s.safetensors", strchr(plan->task[t].name, '/') + 1);
	bool is = there(dir, plan->task[t].name, file);
	free(file);
	return is;
}

/* Whether a fit that its budget ended has more time now. */
static bool may_go_on(const char *dir, const um_plan *plan, int t)
{
	const double all = plan->stage[plan->task[t].stage].set.seconds;
	char *path = um_format("%s/%s", dir, plan->task[t].name);
	const double used = um_checkpoint_seconds(path);
	free(path);
	return used > 0 && (all == 0 || all > used);
}

/* What rests on a fit that goes on is done again from its beginning, whether it was finished or not. */
static void undo(const char *dir, const um_plan *plan, int t, bool *done, bool *undone)
{
	for (int i = 0; i < plan->ntask; i++) {
		if (i == t || undone[i] || !um_plan_needs(plan, &plan->task[i], &plan->task[t]))
			continue;
		char *folder = um_format("%s/%s", dir, plan->task[i].name);
		um_checkpoint_remove(folder);
		free(folder);
		if (um_plan_kind(plan, &plan->task[i]) == UM_CALIBRATE)
			um_calibrate_forget(plan, i, dir);
		done[i] = false;
		undone[i] = true;
		undo(dir, plan, i, done, undone);
	}
}

/* Fits that their budget ended and that have more time now go on. */
static void go_on(const char *dir, const um_plan *plan, bool *done)
{
	bool *undone = um_new(sizeof(*undone) * (size_t)plan->ntask);
	for (int i = 0; i < plan->ntask; i++) {
		if (!done[i] || um_plan_kind(plan, &plan->task[i]) != UM_TRAIN || !may_go_on(dir, plan, i))
			continue;
		done[i] = false;
		undo(dir, plan, i, done, undone);
	}
	free(undone);
}

/* The record goes on: how the run began stays, every resumption is added. */
static void continue_record(const json_t *old, json_t *record)
{
	static const char *const kept[] = { "started", "command", "host" };
	json_t *list = json_deep_copy(json_object_get(old, "resumed"));
	if (!json_is_array(list)) {
		json_decref(list);
		list = json_array();
	}
	json_array_append_new(list, json_pack("{s:O?, s:O?}", "started", json_object_get(record, "started"),
		"command", json_object_get(record, "command")));
	json_object_set_new(record, "resumed", list);
	for (size_t i = 0; i < sizeof(kept) / sizeof(*kept); i++)
		if (json_object_get(old, kept[i]) != NULL)
			json_object_set(record, kept[i], json_object_get(old, kept[i]));
}

um_status um_rundir_resume(const char *dir, const um_plan *plan, json_t *record, bool *done)
{
	um_status st = UM_OK;
	char *path = um_format("%s/run.json", dir);
	json_error_t error;
	json_t *old = NULL;
	if (!um_file_exists(path))
		goto out; /* ended before it was written */
	old = json_load_file(path, 0, &error);
	if (old == NULL)
		UM_TRY(um_fail(UM_EDATA, "%s: %s", path, error.text));
	UM_TRY(compare(path, old, record, "inputs", "the input"));
	UM_TRY(compare(path, old, record, "plugins", "the version of"));
	continue_record(old, record);
	if (json_object_get(old, "training") != NULL)
		json_object_set(record, "training", json_object_get(old, "training"));
	for (int i = 0; i < plan->ntask; i++) {
		const char *name = plan->task[i].name;
		const um_stage_kind kind = um_plan_kind(plan, &plan->task[i]);
		json_t *entry = json_object_get(json_object_get(old, "cells"), name);
		const char *status = json_string_value(json_object_get(entry, "status"));
		if (um_plan_is_cell(plan, &plan->task[i]))
			done[i] = status != NULL && strcmp(status, "done") == 0 && there(dir, name, "metrics.json") &&
				there(dir, name, "samples.fits");
		else if (kind == UM_SIMULATE)
			done[i] = there(dir, name, "measurements.fits") && there(dir, name, "truth.fits");
		else if (kind == UM_TRAIN)
			done[i] = there(dir, name, "metrics.json") && there_weights(dir, plan, i);
		else if (kind == UM_CALIBRATE && plan->task[i].part > 0) /* a verdict is given again */
			done[i] = um_calibrate_done(plan, i, dir);
	}
	go_on(dir, plan, done);
	for (int i = 0; i < plan->ntask; i++) {
		const char *name = plan->task[i].name;
		json_t *entry = json_object_get(json_object_get(old, "cells"), name);
		const char *status = json_string_value(json_object_get(entry, "status"));
		if (entry != NULL && (done[i] || strcmp(status ? status : "", "done") != 0))
			json_object_set(json_object_get(record, "cells"), name, entry);
	}
out:
	json_decref(old);
	free(path);
	return st;
}
