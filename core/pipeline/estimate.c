/* SPDX-License-Identifier: GPL-3.0-or-later */
/* umbra check --estimate: tasks run as in any run, but not to their end. Time comes from their pages, memory from the
 * high-water mark that the system keeps of a process. */
#include <errno.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <umbra/linalg.h>
#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "pipeline/estimate.h"
#include "pipeline/page.h"
#include "pipeline/plan.h"
#include "pipeline/resume.h"
#include "pipeline/spawn.h"

#define STEPS 3.0     /* seconds of steps that are looked at; the later half is timed, as the first are often others */
#define FEW 4         /* steps that should be among them, within 3 times that time */
#define PATIENCE 60.0 /* seconds until the first step, and for what follows the last */

struct timed {
	const char *name;
	bool ended, failed;
	double seconds, mb;    /* of the whole; seconds is NaN where it is not known */
	int64_t done, total;
	double each;           /* seconds a step */
	char *why;             /* why it is not known, or how it failed */
};

struct estimate {
	const um_run_options *o;
	um_plan *plan;
	char *dir;
	sigset_t signals;
	int threads;
	bool stop;
	struct timed *task;    /* one a task of the plan */
	FILE *out;
};

/* MB that a process has held at most, where /proc tells; else 0. */
static double peak_mb(pid_t pid)
{
	char line[256];
	long kb = 0;
	char *path = um_format("/proc/%ld/status", (long)pid);
	FILE *f = fopen(path, "r");
	while (f != NULL && kb == 0 && fgets(line, sizeof(line), f) != NULL)
		if (strncmp(line, "VmHWM:", 6) == 0)
			kb = strtol(line + 6, NULL, 10);
	if (f != NULL)
		fclose(f);
	free(path);
	return (double)kb / 1024;
}

/* Follows a task until it ends or enough is known; true where it ended. */
static bool follow(struct estimate *e, pid_t pid, const um_page *page, struct timed *t, int *status)
{
	const struct timespec tick = { 0, 10 * 1000 * 1000 };
	const double begun = um_clock();
	double first = 0, half = 0, last = 0; /* when the first step was there, that from which time is taken, the last */
	int64_t from = 0;
	for (;;) {
		const int got = sigtimedwait(&e->signals, NULL, &tick);
		const double now = um_clock();
		t->mb = fmax(t->mb, peak_mb(pid));
		e->stop |= got > 0 && got != SIGCHLD;
		if (waitpid(pid, status, WNOHANG) == pid) {
			t->seconds = now - begun;
			return true;
		}
		if (page->done > 0 && (page->done != t->done || page->total != t->total)) {
			if (first == 0 || page->done < t->done || page->total != t->total) { /* or a part with steps of its own begins */
				first = now;
				half = 0;
				from = page->done;
			} else if (half == 0 && now - first > STEPS / 2) {
				half = now;
				from = page->done;
			}
			last = now;
			t->done = page->done;
			t->total = page->total;
		}
		const bool at_end = first > 0 && t->done >= t->total;
		const bool some = (half > 0 && t->done >= from + FEW) || (t->done > from && now - first > 3 * STEPS);
		const bool enough = first > 0 && some && now - first > STEPS && !at_end;
		const bool late = now - (first > 0 ? last : begun) > PATIENCE;
		if (!enough && !late && !e->stop)
			continue;
		t->seconds = NAN;
		if (t->done > from && !at_end) {
			t->each = (last - (half > 0 ? half : first)) / (double)(t->done - from);
			t->seconds = last - begun + t->each * (double)(t->total - t->done);
		} else {
			t->why = um_format(at_end ? "not ready %.0f s after its last step" : first > 0 ? "one step in %.0f s" :
				"no step in %.0f s", PATIENCE);
		}
		return false;
	}
}

static um_status measure(struct estimate *e, int i)
{
	um_status st = UM_OK;
	struct timed *t = &e->task[i];
	um_page *page = NULL;
	int fd = -1, status = 0;
	pid_t pid;
	UM_TRY(um_page_new(e->dir, &page, &fd));
	UM_TRY(um_task_spawn(e->o->program, e->dir, t->name, e->threads, false, fd, &pid));
	t->ended = follow(e, pid, page, t, &status);
	if (!t->ended) {
		kill(pid, SIGKILL);
		waitpid(pid, &status, 0);
	}
	t->failed = t->ended && !(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	if (t->failed)
		t->why = um_format("fails: %s", *page->message ? page->message : WIFSIGNALED(status) ? strsignal(WTERMSIG(status)) :
			"without a message");
	const double budget = e->plan->stage[e->plan->task[i].stage].set.seconds;
	if (budget > 0 && t->seconds > budget)
		t->seconds = budget;
out:
	um_page_free(page, fd);
	return st;
}

/* The name of a task that this one needs and that was not run to its end, or NULL. */
static const char *missing(const struct estimate *e, int i)
{
	for (int k = 0; k < i; k++)
		if (um_plan_needs(e->plan, &e->plan->task[i], &e->plan->task[k]) && (!e->task[k].ended || e->task[k].failed))
			return e->task[k].name;
	return NULL;
}

/* ---- the table --------------------------------------------------------------------------- */

static void show_time(double s, char text[32])
{
	if (!isfinite(s))
		snprintf(text, 32, "?");
	else if (s < 100)
		snprintf(text, 32, "%.1f s", s);
	else if (s < 6000)
		snprintf(text, 32, "%.0f min", s / 60);
	else
		snprintf(text, 32, "%.1f h", s / 3600);
}

static void show(const struct estimate *e, const struct timed *t, int width)
{
	char time[32], memory[32] = "?";
	show_time(t->failed ? NAN : t->seconds, time);
	if (t->mb > 0)
		snprintf(memory, sizeof(memory), "%.0f MB", t->mb);
	fprintf(e->out, "%-*s  %10s  %10s  ", width, t->name, time, memory);
	if (t->why != NULL)
		fprintf(e->out, "%s\n", t->why);
	else if (t->ended)
		fprintf(e->out, "ran to its end\n");
	else
		fprintf(e->out, "%lld of %lld steps, %.3g s each\n", (long long)t->done, (long long)t->total, t->each);
	fflush(e->out);
}

static void show_all(const struct estimate *e)
{
	double sum = 0, most = 0;
	int unknown = 0;
	char time[32];
	for (int i = 0; i < e->plan->ntask; i++) {
		const struct timed *t = &e->task[i];
		if (um_plan_kind(e->plan, &e->plan->task[i]) == UM_COMPARE)
			continue;
		unknown += !isfinite(t->seconds) || t->failed;
		sum += isfinite(t->seconds) && !t->failed ? t->seconds : 0;
		most = fmax(most, t->mb);
	}
	show_time(sum, time);
	fprintf(e->out, "one after another: about %s, at most %.0f MB at a time; figures and reports not counted", time, most);
	if (unknown > 0)
		fprintf(e->out, "; without %d that are not known", unknown);
	fprintf(e->out, "\n");
}

/* ---- the whole -------------------------------------------------------------------------------- */

static um_status prepare(struct estimate *e)
{
	um_status st = UM_OK;
	um_problems problems = { 0 };
	const char *tmp = getenv("TMPDIR");
	static const int wanted[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGCHLD };
	UM_TRY(um_plan_load(e->o->file, e->o->sets, &problems, &e->plan));
	if (problems.config || problems.data)
		UM_TRY(um_fail(UM_EPARAM, "%s", problems.line[0]));
	if (e->plan->ntask == 0)
		UM_TRY(um_fail(UM_EPARAM, "%s: there is nothing to estimate: the file has no run list with stages", e->o->file));
	e->dir = um_format("%s/umbra-estimate-XXXXXX", tmp != NULL && *tmp ? tmp : "/tmp");
	if (mkdtemp(e->dir) == NULL) {
		st = um_fail(UM_EIO, "%s: %s", e->dir, strerror(errno));
		free(e->dir);
		e->dir = NULL;
		goto out;
	}
	UM_TRY(um_rundir_plan(e->dir, e->plan));
	e->task = um_new(sizeof(*e->task) * (size_t)e->plan->ntask);
	sigemptyset(&e->signals);
	for (size_t i = 0; i < sizeof(wanted) / sizeof(*wanted); i++)
		sigaddset(&e->signals, wanted[i]);
	sigprocmask(SIG_BLOCK, &e->signals, NULL);
out:
	um_problems_free(&problems);
	return st;
}

static um_status measure_all(struct estimate *e)
{
	um_status st = UM_OK;
	int width = 4;
	for (int i = 0; i < e->plan->ntask; i++) {
		e->task[i].name = e->plan->task[i].name;
		if ((int)strlen(e->task[i].name) > width)
			width = (int)strlen(e->task[i].name);
	}
	fprintf(e->out, "%-*s  %10s  %10s  from\n", width, "", "time", "memory");
	for (int i = 0; i < e->plan->ntask && !e->stop; i++) {
		struct timed *t = &e->task[i];
		const char *first = missing(e, i);
		if (um_plan_kind(e->plan, &e->plan->task[i]) == UM_COMPARE)
			continue;
		if (first != NULL) {
			t->seconds = NAN;
			t->why = um_format("not before %s is done", first);
		} else {
			UM_TRY(measure(e, i));
		}
		if (!e->stop)
			show(e, t, width);
	}
	if (!e->stop)
		show_all(e);
out:
	return st;
}

int um_estimate(const um_run_options *o, FILE *out)
{
	struct estimate e = { .o = o, .out = out };
	const long cores = sysconf(_SC_NPROCESSORS_ONLN);
	e.threads = o->threads > 0 ? o->threads : cores / o->jobs > 0 ? (int)(cores / o->jobs) : 1;
	um_threads_advise();
	um_status st = prepare(&e);
	bool failed = false;
	if (st == UM_OK)
		st = measure_all(&e);
	if (st != UM_OK)
		fprintf(stderr, "umbra: %s\n", um_message());
	for (int i = 0; e.task != NULL && i < e.plan->ntask; i++) {
		failed |= e.task[i].failed;
		free(e.task[i].why);
	}
	if (e.dir != NULL)
		um_file_remove_tree(e.dir);
	free(e.dir);
	free(e.task);
	um_plan_free(e.plan);
	return e.stop ? 75 : st == UM_OK && !failed ? 0 : 1;
}
