/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a calibration has on disk while it goes on, and how it ends. */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include "base/file.h"
#include "base/mem.h"
#include "pipeline/calibrate.h"

/* ---- places --------------------------------------------------------------------------------- */

char *um_calibrate_folder(const um_plan *p, int task, const char *dir)
{
	const um_task *t = &p->task[task];
	const char *end = t->part > 0 ? strrchr(t->name, '/') : t->name + strlen(t->name);
	return um_format("%s/%.*s", dir, (int)(end - t->name), t->name);
}

static char *ranks_file(const char *folder, int part)
{
	return um_format("%s/work/%d.safetensors", folder, part);
}

/* Where the verdict is. */
static char *verdict_file(const char *folder)
{
	return um_format("%s/verdict.json", folder);
}

void um_calibrate_range(const um_plan *p, int task, int64_t *first, int64_t *end)
{
	const um_task *t = &p->task[task];
	const int64_t n = p->stage[t->stage].set.replicates;
	int64_t parts = 0;
	for (int i = 0; i < p->ntask; i++)
		parts += p->task[i].stage == t->stage && p->task[i].part > 0;
	*first = (t->part - 1) * n / parts;
	*end = t->part * n / parts;
}

static void remove_work(const char *folder)
{
	char *path = um_format("%s/work", folder);
	um_file_remove_tree(path);
	free(path);
}

int64_t um_ranks_columns(const um_env *env)
{
	const int64_t *s = env->shape, n = s[0] * s[1] * s[2] * s[3] * s[4];
	return UM_RANK_PIXELS + (n < UM_RANK_MOST_PIXELS ? n : UM_RANK_MOST_PIXELS);
}

um_status um_ranks_read(const char *folder, int part, int64_t most, um_replicates *r)
{
	um_status st = UM_OK;
	um_tensors t = { 0 };
	char *path = ranks_file(folder, part);
	r->n = 0;
	if (!um_file_exists(path))
		goto out;
	UM_TRY(um_tensors_read(path, &t));
	const um_array *a = um_tensors_get(&t, "ranks");
	if (a == NULL || a->dtype != UM_I64 || a->rank != 2 || a->dim[0] > most || a->dim[1] != r->columns)
		UM_TRY(um_fail(UM_EDATA, "%s: these are no ranks of this calibration; remove the file, and --resume makes it again", path));
	r->n = a->dim[0];
	memcpy(r->rank, a->data, sizeof(int64_t) * (size_t)um_array_len(a));
out:
	um_tensors_free(&t);
	free(path);
	return st;
}

um_status um_ranks_write(const char *folder, int part, const um_replicates *r)
{
	um_status st = UM_OK;
	um_tensors t = { 0 };
	char *path = ranks_file(folder, part), *work = um_format("%s/work", folder);
	const um_array a = um_array_view(r->rank, UM_I64, 2, (const int64_t[]){ r->n, r->columns });
	UM_TRY(um_file_mkdirs(work));
	UM_TRY(um_tensors_add(&t, "ranks", &a));
	UM_TRY(um_tensors_write(path, &t));
out:
	um_tensors_free(&t);
	free(work);
	free(path);
	return st;
}

int64_t *um_ranks_new(int64_t rows, int64_t columns)
{
	return um_new(sizeof(int64_t) * (size_t)(rows * columns));
}

char *um_calibrate_replicate(const char *folder, int64_t i)
{
	return um_format("%s/work/%05lld", folder, (long long)i);
}

void um_calibrate_clean(const char *folder, int64_t first, int64_t end)
{
	for (int64_t i = first; i < end; i++) {
		char *path = um_calibrate_replicate(folder, i);
		um_file_remove_tree(path);
		free(path);
	}
}

bool um_calibrate_done(const um_plan *p, int task, const char *dir)
{
	char *folder = um_calibrate_folder(p, task, dir), *verdict = verdict_file(folder);
	um_replicates r = { .columns = um_ranks_columns(&p->env) };
	int64_t first, end;
	um_calibrate_range(p, task, &first, &end);
	r.rank = um_ranks_new(end - first, r.columns);
	const bool done = um_file_exists(verdict) ||
		(um_ranks_read(folder, p->task[task].part, end - first, &r) == UM_OK && r.n == end - first);
	free(r.rank);
	free(verdict);
	free(folder);
	return done;
}

bool um_calibrate_judged(const um_plan *p, int task, const char *dir)
{
	char *folder = um_calibrate_folder(p, task, dir), *verdict = verdict_file(folder);
	const bool judged = um_file_exists(verdict);
	free(verdict);
	free(folder);
	return judged;
}

/* ---- the verdict --------------------------------------------------------------------------- */

/* Ranks of all parts. */
static um_status gather(const um_plan *p, int task, const char *folder, um_replicates *all)
{
	um_status st = UM_OK;
	int64_t first, end;
	all->rank = um_ranks_new(all->n, all->columns);
	for (int i = 0; i < p->ntask; i++) {
		if (p->task[i].stage != p->task[task].stage || p->task[i].part == 0)
			continue;
		um_calibrate_range(p, i, &first, &end);
		um_replicates part = { .columns = all->columns, .rank = all->rank + first * all->columns };
		UM_TRY(um_ranks_read(folder, p->task[i].part, end - first, &part));
		if (part.n != end - first)
			UM_TRY(um_fail(UM_EDATA, "%s has %lld of %lld replicates; --resume makes the others", p->task[i].name,
				(long long)part.n, (long long)(end - first)));
	}
out:
	return st;
}

/* The outcome that verdict.json has: to the page, and as the status. */
static um_status repeat(const char *path, um_page *page)
{
	um_status st = UM_OK;
	json_error_t error;
	json_t *j = json_load_file(path, 0, &error);
	const char *word = json_string_value(json_object_get(j, "verdict"));
	const char *reason = json_string_value(json_object_get(j, "reason"));
	if (word == NULL || reason == NULL)
		st = um_fail(UM_EDATA, "%s: not a verdict; remove its folder, and --resume makes it again", path);
	else if (strcmp(word, "FAIL") == 0)
		st = um_fail(UM_ENUM, "FAIL: %s", reason);
	else
		snprintf(page->message, sizeof(page->message), "%s: %s", word, reason);
	json_decref(j);
	return st;
}

um_status um_calibrate_verdict(const um_plan *p, int task, const char *dir, um_page *page)
{
	um_status st = UM_OK;
	const um_stage *s = &p->stage[p->task[task].stage];
	const int64_t *shape = p->env.shape;
	char *folder = um_calibrate_folder(p, task, dir), *path = verdict_file(folder);
	um_replicates r = { .n = s->set.replicates, .samples = s->set.samples, .columns = um_ranks_columns(&p->env),
		.image = shape[0] * shape[1] * shape[2] * shape[3] * shape[4] };
	um_rank_law law = { 0 };
	um_verdict v;
	if (!um_file_exists(path)) {
		UM_TRY(gather(p, task, folder, &r));
		UM_TRY(um_rank_law_new(r.n, r.samples, &law));
		UM_TRY(um_verdict_of(&r, &law, &v));
		UM_TRY(um_verdict_write(folder, p, s, &r, &law, &v));
	}
	remove_work(folder);
	st = repeat(path, page);
out:
	um_rank_law_free(&law);
	free(r.rank);
	free(path);
	free(folder);
	return st;
}
