/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The parent of a run. It checks the pipeline in a process of its own, owns run.json,
 * starts one process a task (by exec), watches them through shared pages and signals,
 * and computes nothing itself. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <umbra/linalg.h>
#include "base/mem.h"
#include "pipeline/provenance.h"
#include "pipeline/resume.h"
#include "pipeline/run_parts.h"

static char *default_dir(const char *file)
{
	const char *base = strrchr(file, '/');
	base = base != NULL ? base + 1 : file;
	const char *dot = strrchr(base, '.');
	int n = dot != NULL && dot != base ? (int)(dot - base) : (int)strlen(base);
	return um_format("runs/%.*s", n, base);
}

/* A task and whatever it needs, which comes before it. */
static void keep_task(struct run *r, int want)
{
	r->child[want].state = WAITING;
	for (int i = 0; i < want; i++)
		if (um_plan_needs(r->plan, &r->plan->task[want], &r->plan->task[i]))
			keep_task(r, i);
}

static um_status choose_tasks(struct run *r)
{
	int want = -1;
	for (int i = 0; i < r->plan->ntask; i++) {
		r->child[i].name = r->plan->task[i].name;
		r->child[i].fd = -1;
		r->child[i].limit = r->plan->stage[r->plan->task[i].stage].set.time_limit;
		r->child[i].memory = r->plan->stage[r->plan->task[i].stage].set.memory_limit;
	}
	r->child[r->plan->ntask].fd = -1;
	if (r->o->only == NULL)
		return UM_OK;
	want = um_plan_task(r->plan, r->o->only);
	if (want < 0 || um_plan_kind(r->plan, &r->plan->task[want]) == UM_COMPARE) {
		const char **words = um_new(sizeof(*words) * (size_t)(r->plan->ntask + 1));
		for (int i = 0; i < r->plan->ntask; i++)
			words[i] = r->plan->task[i].name;
		const char *near = um_nearest(r->o->only, words);
		um_status st = um_fail(UM_EPARAM, "--only %s: there is no such cell%s%s%s", r->o->only,
			near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
		free(words);
		return st;
	}
	for (int i = 0; i < r->plan->ntask; i++)
		r->child[i].state = LEFT_OUT;
	keep_task(r, want);
	return UM_OK;
}

static um_status load_plan(struct run *r)
{
	um_problems problems = { 0 };
	um_status st = um_plan_load(r->o->file, r->o->sets, &problems, &r->plan);
	if (st == UM_OK && (problems.config || problems.data))
		st = um_fail(UM_EPARAM, "%s", problems.line[0]);
	um_problems_free(&problems);
	return st;
}

static int outcome(const struct run *r)
{
	bool failed = false, interrupted = r->stop;
	for (int i = 0; i <= r->plan->ntask; i++) {
		failed = failed || r->child[i].state == FAILED;
		interrupted = interrupted || r->child[i].state == INTERRUPTED;
	}
	return interrupted ? 75 : failed ? 1 : 0;
}

static int cores(void)
{
	long n = sysconf(_SC_NPROCESSORS_ONLN);
	return n > 0 ? (int)n : 1;
}

static void free_run(struct run *r)
{
	for (int i = 0; r->child != NULL && i <= r->plan->ntask; i++) {
		um_page_free(r->child[i].page, r->child[i].fd);
		free(r->child[i].reason);
	}
	free(r->child);
	json_decref(r->record);
	um_plan_free(r->plan);
	if (r->lock >= 0)
		close(r->lock);
	free(r->dir);
}

static um_status prepare_dir(struct run *r)
{
	um_status st = UM_OK;
	UM_TRY(um_rundir_plan(r->dir, r->plan));
	if (r->o->resume)
		UM_TRY(um_rundir_resume(r->dir, r->plan, r->record));
	UM_TRY(um_rundir_write(r->dir, r->record));
out:
	return st;
}

static um_status start(struct run *r)
{
	um_status st = UM_OK;
	UM_TRY(load_plan(r));
	if (r->plan->ntask == 0)
		UM_TRY(um_fail(UM_EPARAM, "%s: there is nothing to do: the file has no run list with stages",
			r->o->file));
	r->child = um_new(sizeof(*r->child) * (size_t)(r->plan->ntask + 1));
	UM_TRY(choose_tasks(r));
	UM_TRY(um_rundir_take(r->dir, &r->lock));
	UM_TRY(um_run_record(r->plan, r->o->command, r->threads, &r->record));
	UM_TRY(prepare_dir(r));
out:
	return st;
}

/* Signals come to sigtimedwait alone, also where whoever started us ignores them. */
static void take_signals(sigset_t *signals)
{
	static const int wanted[] = { SIGINT, SIGTERM, SIGUSR1, SIGHUP, SIGQUIT, SIGCHLD };
	sigemptyset(signals);
	for (size_t i = 0; i < sizeof(wanted) / sizeof(*wanted); i++) {
		signal(wanted[i], SIG_DFL);
		sigaddset(signals, wanted[i]);
	}
	sigprocmask(SIG_BLOCK, signals, NULL);
}

int um_run(const um_run_options *o)
{
	struct run r = { .o = o, .lock = -1, .dir = o->dir ? um_strdup(o->dir) : default_dir(o->file) };
	int status = 2;
	sigset_t signals;
	r.threads = o->threads > 0 ? o->threads : cores() / o->jobs > 0 ? cores() / o->jobs : 1;
	r.show = um_show_new(o->quiet);
	if (!o->resume && !um_rundir_empty(r.dir)) {
		fprintf(stderr, "umbra: %s is not empty: use --resume to go on with it, or -o for another folder\n",
			r.dir);
		goto out;
	}
	um_threads_advise();
	take_signals(&signals);
	status = run_check(o);
	if (status != 0)
		goto out;
	um_status st = start(&r);
	status = st == UM_EPARAM ? 2 : st == UM_EDATA ? 3 : 1;
	if (st == UM_OK) {
		run_tasks(&r, &signals);
		st = um_rundir_write(r.dir, r.record);
	}
	if (st == UM_OK)
		st = run_report(&r, &signals);
	if (st != UM_OK)
		fprintf(stderr, "umbra: %s\n", um_message());
	else
		status = outcome(&r);
out:
	if (r.plan != NULL)
		free_run(&r);
	else
		free(r.dir);
	return status;
}
