/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Taking a run directory, and going on with what lies in it. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/file.h"
#include "base/mem.h"
#include "pipeline/calibrate.h"
#include "pipeline/checkpoint.h"
#include "pipeline/recipe.h"
#include "pipeline/resume.h"

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

um_status um_rundir_plan(const char *dir, const um_plan *plan)
{
	char *text = plan_text(plan), *path = um_format("%s/pipeline.cfg", dir);
	um_status st = um_file_put(path, text, strlen(text));
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

/* What a process that was killed had begun to write: "NAME.PID.tmp" and shared pages. */
static bool was_begun(const char *name)
{
	const size_t n = strlen(name);
	return (n > 4 && strcmp(name + n - 4, ".tmp") == 0) || strncmp(name, ".page.", 6) == 0;
}

static void remove_begun(const char *dir)
{
	DIR *d = opendir(dir);
	struct stat s;
	for (struct dirent *e; d != NULL && (e = readdir(d)) != NULL;) {
		if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
			continue;
		char *path = um_format("%s/%s", dir, e->d_name);
		if (lstat(path, &s) == 0 && S_ISDIR(s.st_mode))
			remove_begun(path);
		else if (was_begun(e->d_name))
			unlink(path);
		free(path);
	}
	if (d != NULL)
		closedir(d);
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

um_status um_rundir_resume(const char *dir, const um_plan *plan, json_t *record)
{
	static const char *const groups[] = { "cells", "training", "calibration" };
	um_status st = UM_OK;
	char *path = um_format("%s/run.json", dir);
	json_error_t error;
	json_t *old = NULL;
	remove_begun(dir);
	if (!um_file_exists(path))
		goto out; /* ended before it was written */
	old = json_load_file(path, 0, &error);
	if (old == NULL)
		UM_TRY(um_fail(UM_EDATA, "%s: %s", path, error.text));
	continue_record(old, record);
	for (size_t k = 0; k < sizeof(groups) / sizeof(*groups); k++)
		for (int i = 0; i < plan->ntask; i++) {
			json_t *entry = json_object_get(json_object_get(old, groups[k]), plan->task[i].name);
			if (entry != NULL && json_object_get(record, groups[k]) == NULL)
				json_object_set_new(record, groups[k], json_object());
			if (entry != NULL)
				json_object_set(json_object_get(record, groups[k]), plan->task[i].name, entry);
		}
out:
	json_decref(old);
	free(path);
	return st;
}

/* ---- the folder of a task ------------------------------------------------------------------ */

#define MADE_FROM "made-from.json"

/* What the folder's contents are made from, or NULL; whether they are complete. */
static json_t *made_from(const char *folder, bool *complete)
{
	char *path = um_format("%s/" MADE_FROM, folder);
	json_error_t error;
	json_t *j = um_file_exists(path) ? json_load_file(path, 0, &error) : NULL;
	json_t *recipe = json_incref(json_object_get(j, "recipe"));
	*complete = json_is_true(json_object_get(j, "complete"));
	json_decref(j);
	free(path);
	return recipe;
}

static um_status write_made_from(const char *folder, const json_t *recipe, bool complete)
{
	char *path = um_format("%s/" MADE_FROM, folder);
	json_t *j = json_pack("{s:b, s:O}", "complete", complete, "recipe", recipe);
	char *text = json_dumps(j, JSON_INDENT(2));
	um_status st = um_file_mkdirs(folder);
	if (st == UM_OK)
		st = um_file_put(path, text, strlen(text));
	free(text);
	json_decref(j);
	free(path);
	return st;
}

/* Of a task; the parts of a calibration share one. */
static char *folder_of(const char *dir, const um_plan *plan, int t)
{
	if (um_plan_kind(plan, &plan->task[t]) == UM_CALIBRATE)
		return um_calibrate_folder(plan, t, dir);
	return um_format("%s/%s", dir, plan->task[t].name);
}

static bool results_are_there(const char *dir, const um_plan *plan, int t)
{
	const char *name = plan->task[t].name;
	const um_stage_kind kind = um_plan_kind(plan, &plan->task[t]);
	if (kind == UM_CALIBRATE)
		return um_calibrate_done(plan, t, dir);
	if (um_plan_is_cell(plan, &plan->task[t]))
		return there(dir, name, "metrics.json") && there(dir, name, "samples.fits");
	if (kind == UM_SIMULATE)
		return there(dir, name, "measurements.fits") && there(dir, name, "truth.fits");
	return there(dir, name, "metrics.json") && there_weights(dir, plan, t) && !may_go_on(dir, plan, t);
}

/* A folder whose recipe is no longer asked for makes room; it stays beside until its successor is
 * complete, unless it is itself such a successor. */
static um_status set_aside(const char *folder, const char *aside)
{
	if (um_file_exists(aside))
		um_file_remove_tree(folder);
	else if (rename(folder, aside) != 0)
		return um_fail(UM_EIO, "%s: cannot be moved to %s: %s", folder, aside, strerror(errno));
	return UM_OK;
}

/* Where a change was taken back, what was set aside for it returns. */
static bool take_back(const char *folder, const char *aside, const json_t *recipe)
{
	bool complete;
	json_t *was = made_from(aside, &complete);
	char *differs = was != NULL ? um_recipe_difference(was, recipe) : NULL;
	const bool same = was != NULL && differs == NULL;
	if (same)
		um_file_remove_tree(folder);
	const bool back = same && rename(aside, folder) == 0;
	json_decref(was);
	free(differs);
	return back;
}

um_status um_rundir_begin(const char *dir, const um_plan *plan, int t, bool *done, char **why)
{
	um_status st = UM_OK;
	bool complete = false;
	char *folder = folder_of(dir, plan, t), *aside = um_format("%s.old", folder);
	json_t *now = NULL, *old = NULL;
	*done = false;
	*why = NULL;
	UM_TRY(um_recipe(plan, t, dir, &now));
	old = made_from(folder, &complete);
	if (complete && um_file_exists(aside)) /* ended before it was removed */
		um_file_remove_tree(aside);
	*why = old != NULL ? um_recipe_difference(old, now) : NULL;
	if (*why != NULL && take_back(folder, aside, now)) {
		json_decref(old);
		old = made_from(folder, &complete);
		free(*why);
		*why = NULL;
	}
	if (old == NULL && !um_rundir_empty(folder))
		*why = um_strdup("what it was made from is not known");
	if (*why != NULL)
		UM_TRY(set_aside(folder, aside));
	*done = *why == NULL && (complete || plan->task[t].part > 0) && results_are_there(dir, plan, t);
	if (!*done)
		UM_TRY(write_made_from(folder, now, false));
out:
	json_decref(now);
	json_decref(old);
	free(folder);
	free(aside);
	return st;
}

um_status um_rundir_complete(const char *dir, const um_plan *plan, int t)
{
	bool complete;
	char *folder = folder_of(dir, plan, t), *aside = um_format("%s.old", folder);
	json_t *recipe = made_from(folder, &complete);
	um_status st = recipe != NULL ? write_made_from(folder, recipe, true) :
		um_fail(UM_EIO, "%s/" MADE_FROM ": cannot be read", folder);
	if (st == UM_OK && um_file_exists(aside))
		um_file_remove_tree(aside);
	json_decref(recipe);
	free(aside);
	free(folder);
	return st;
}
