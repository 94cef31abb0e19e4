/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The parent of a run. It checks the pipeline in a process of its own, owns run.json,
 * starts one process a task (by exec), watches them through shared pages and signals,
 * and computes nothing itself. */
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <umbra/linalg.h>
#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "pipeline/provenance.h"
#include "pipeline/calibrate.h"
#include "pipeline/resume.h"
#include "pipeline/run.h"
#include "pipeline/show.h"
#include "pipeline/spawn.h"
#include "pipeline/task.h"

extern char **environ;

typedef enum { WAITING, RUNNING, DONE, FAILED, INTERRUPTED, SKIPPED, LEFT_OUT } state;
static const char *const state_names[] = { "waiting", "running", "done", "failed", "interrupted", "skipped",
	"left out" };

struct child {
	const char *name;
	state state;
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
	struct child *child;     /* one a task of the plan */
	um_show show;
	int threads, done;
	int lock;                /* the folder, taken */
	bool stop, now;          /* asked to stop; asked again: end the tasks at once */
};

#define GRACE 5.0 /* seconds between telling a task that its time is over and ending it */

/* ---- checking -------------------------------------------------------------------- */

static int report_problems(um_problems *problems)
{
	for (int i = 0; i < problems->n; i++)
		fprintf(stderr, "umbra: %s\n", problems->line[i]);
	return problems->config ? 2 : problems->data ? 3 : 0;
}

int um_check_file(const char *file, const char *const *sets)
{
	um_problems problems = { 0 };
	um_plan *plan = NULL;
	if (um_plan_load(file, sets, &problems, &plan) != UM_OK)
		um_problems_add(&problems, UM_EPARAM, NULL, "%s", um_message());
	else if (problems.n == 0 && plan->image_params != NULL)
		um_plan_check(plan, &problems);
	int status = report_problems(&problems);
	um_problems_free(&problems);
	um_plan_free(plan);
	return status;
}

/* ---- the run directory -------------------------------------------------------------- */

static char *default_dir(const char *file)
{
	const char *base = strrchr(file, '/');
	base = base != NULL ? base + 1 : file;
	const char *dot = strrchr(base, '.');
	int n = dot != NULL && dot != base ? (int)(dot - base) : (int)strlen(base);
	return um_format("runs/%.*s", n, base);
}

static um_status write_record(struct run *r)
{
	return um_rundir_write(r->dir, r->record);
}

/* The states of cells are under "cells", of those that cannot work under "skipped", of fits under
 * "training", and of calibrations under "calibration". */
static void record_task(struct run *r, const struct child *c)
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
	json_object_set_new(cells, c->name, json_pack("{s:s, s:o}", "status", state_names[c->state], "reason",
		c->reason != NULL ? um_json_text(c->reason) : json_null()));
}

static um_status prepare_dir(struct run *r)
{
	um_status st = UM_OK;
	UM_TRY(um_rundir_plan(r->dir, r->plan));
	if (r->o->resume)
		UM_TRY(um_rundir_resume(r->dir, r->plan, r->record));
	UM_TRY(write_record(r));
out:
	return st;
}

/* ---- tasks -------------------------------------------------------------------------- */

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

/* A task whose results are there is done; one that was made from something else says what. */
static um_status begin(struct run *r, struct child *c)
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
	record_task(r, c);
	return st;
}

static um_status spawn_task(struct run *r, struct child *c)
{
	um_status st = UM_OK;
	UM_TRY(um_page_new(r->dir, &c->page, &c->fd));
	UM_TRY(um_task_spawn(r->o->program, r->dir, c->name, r->threads, r->o->resume, c->fd, &c->pid));
	c->state = RUNNING;
	c->started = um_clock();
out:
	return st;
}

/* "inference/dpi in run", or where no plugin was at work just that. */
static char *where_it_was(const um_page *p)
{
	if (*p->plugin == '\0')
		return um_strdup("the host");
	return um_format("%s/%s in %s", p->kind, p->plugin, p->phase);
}

static void finish(struct run *r, struct child *c, int status)
{
	char *where = where_it_was(c->page), *said = *c->page->message ? um_strdup(c->page->message) : NULL;
	int code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
	if (c->too_long)
		c->reason = um_format("%s went on past the time limit of %g s", where, c->limit);
	else if (WIFSIGNALED(status) && r->stop)
		c->reason = um_format("%s did not stop when asked and was ended", where);
	else if (WIFSIGNALED(status))
		c->reason = um_format("%s crashed: %s%s", where, strsignal(WTERMSIG(status)),
			WTERMSIG(status) == SIGKILL ? ", as a system does that runs out of memory" : "");
	else if (code != 0)
		c->reason = *c->page->message ? um_strdup(c->page->message) :
			um_format("%s ended the process with status %d", where, code);
	if (c->memory > 0 && c->reason != NULL && !c->too_long && code != 75 && code != UM_EXIT_SKIPPED) {
		char *more = um_format("%s (memory_limit = %g MB)", c->reason, c->memory);
		free(c->reason);
		c->reason = more;
	}
	c->state = c->too_long ? FAILED : code == 0 ? DONE : code == 75 ? INTERRUPTED :
		code == UM_EXIT_SKIPPED ? SKIPPED : WIFSIGNALED(status) && r->stop ? INTERRUPTED : FAILED;
	free(where);
	r->done++;
	um_page_free(c->page, c->fd);
	c->page = NULL;
	c->fd = -1;
	double seconds = um_clock() - c->started;
	const bool part = c < &r->child[r->plan->ntask] && r->plan->task[c - r->child].part > 0;
	if (c->state == DONE && !part)
		um_show_line(&r->show, "%s: done in %.1f s%s%s", c->name, seconds, said != NULL ? ": " : "", said != NULL ? said : "");
	else if (c->state == FAILED)
		fprintf(stderr, "%sumbra: %s: failed: %s\n", r->show.open ? "\r\033[K" : "", c->name, c->reason);
	else if (c->state != DONE)
		um_show_line(&r->show, "%s: %s: %s", c->name, state_names[c->state], c->reason);
	r->show.open = r->show.open && c->state != FAILED;
	free(said);
}

/* A state lasts once it is written. */
static void keep_state(struct run *r, struct child *c)
{
	record_task(r, c);
	um_status st = write_record(r);
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

static void reap(struct run *r)
{
	int status;
	for (pid_t pid; (pid = waitpid(-1, &status, WNOHANG)) > 0;)
		for (int i = 0; i <= r->plan->ntask; i++)
			if (r->child[i].state == RUNNING && r->child[i].pid == pid) {
				finish(r, &r->child[i], status);
				if (i < r->plan->ntask)
					keep_state(r, &r->child[i]);
			}
}

/* Asks tasks to stop. A task that is over its time is ended after the grace; one that the user
 * stops may take as long as its step, its checkpoint and its files need, unless asked again. */
static void enforce(struct run *r)
{
	double now = um_clock();
	for (int i = 0; i <= r->plan->ntask; i++) {
		struct child *c = &r->child[i];
		if (c->state != RUNNING)
			continue;
		if (c->asked == 0 && (r->stop || (c->limit > 0 && now - c->started > c->limit))) {
			c->too_long = !r->stop;
			c->asked = now;
			kill(c->pid, SIGTERM);
		} else if (c->asked > 0 && (r->now || (c->too_long && now - c->asked > GRACE))) {
			kill(c->pid, SIGKILL);
		}
	}
}

static void watch(struct run *r, const sigset_t *signals)
{
	const struct timespec tick = { 0, 50 * 1000 * 1000 };
	int got = sigtimedwait(signals, NULL, &tick);
	if (got > 0 && got != SIGCHLD) {
		if (!r->stop)
			um_show_line(&r->show, "stopping: finishing the step, writing checkpoints and samples; once more "
				"ends at once");
		r->now = r->stop;
		r->stop = true;
	}
	for (int i = 0; i < r->plan->ntask; i++)
		if (r->child[i].state == RUNNING && *r->child[i].page->note) {
			um_show_line(&r->show, "%s: %s", r->child[i].name, r->child[i].page->note);
			*r->child[i].page->note = '\0';
		}
	reap(r);
	enforce(r);
	double now = um_clock();
	for (int i = 0; i < r->plan->ntask; i++)
		if (r->child[i].state == RUNNING && um_show_due(&r->show, now)) {
			um_show_progress(&r->show, r->child[i].name, r->done, r->plan->ntask, r->child[i].page,
				now - r->child[i].started);
			break;
		}
}

static int running(const struct run *r)
{
	int n = 0;
	for (int i = 0; i <= r->plan->ntask; i++)
		n += r->child[i].state == RUNNING;
	return n;
}

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
		if (!um_plan_needs(r->plan, t, k) || (r->child[i].state != FAILED && r->child[i].state != INTERRUPTED))
			continue;
		c->state = FAILED;
		c->reason = um_plan_kind(r->plan, k) == UM_SIMULATE ? um_format("its measurements could not be simulated") :
			um_plan_kind(r->plan, k) == UM_CALIBRATE ? um_format("replicates of %s have no ranks", k->name) :
			um_plan_kind(r->plan, k) == UM_INFER ? um_format("%s, from which it starts, has no mean image", k->name) :
			um_format("%s.%s could not be trained", k->inference >= 0 ? "inference" : "priors", strchr(k->name, '/') + 1);
		record_task(r, c);
		r->done++;
		if (t->part == 0) /* which says it for all */
			fprintf(stderr, "umbra: %s: failed: %s\n", c->name, c->reason);
		return true;
	}
	return false;
}

static void run_tasks(struct run *r, const sigset_t *signals)
{
	for (;;) {
		struct child *c = r->stop ? NULL : next(r);
		if (c != NULL && lost_its_data(r, c))
			continue;
		if (c != NULL && running(r) < r->o->jobs) {
			um_status st = begin(r, c);
			if (st == UM_OK && c->state == DONE)
				continue;
			if (st != UM_OK || spawn_task(r, c) != UM_OK) {
				c->state = FAILED;
				c->reason = um_strdup(um_message());
				record_task(r, c);
				fprintf(stderr, "umbra: %s: failed: %s\n", c->name, c->reason);
			}
			continue;
		}
		if (running(r) == 0)
			break;
		watch(r, signals);
	}
}

/* The report, also of a run that failed or was stopped. */
static um_status write_report(struct run *r, const sigset_t *signals)
{
	um_status st = UM_OK;
	struct child *c = &r->child[r->plan->ntask];
	bool stopped = r->stop;
	r->stop = r->now = false;
	c->name = "report";
	UM_TRY(spawn_task(r, c));
	while (c->state == RUNNING)
		watch(r, signals);
	r->stop = r->stop || stopped;
	if (c->state == DONE)
		um_show_line(&r->show, "report: %s/report.html", r->dir);
out:
	return st;
}

/* ---- the whole ------------------------------------------------------------------------- */

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

/* Runs "umbra check" in a process of its own, so that no plugin's code runs in this one. */
static int check_apart(const um_run_options *o)
{
	int n = 0, status = 0;
	while (o->sets[n] != NULL)
		n++;
	char **argv = um_new(sizeof(*argv) * (size_t)(2 * n + 4));
	int k = 0;
	argv[k++] = (char *)o->program;
	argv[k++] = "check";
	for (int i = 0; i < n; i++) {
		argv[k++] = "--set";
		argv[k++] = (char *)o->sets[i];
	}
	argv[k++] = (char *)o->file;
	pid_t pid;
	sigset_t none;
	posix_spawnattr_t attr;
	posix_spawn_file_actions_t files;
	sigemptyset(&none);
	posix_spawnattr_init(&attr);
	posix_spawnattr_setsigmask(&attr, &none);
	posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK);
	posix_spawn_file_actions_init(&files);
	posix_spawn_file_actions_addopen(&files, 1, "/dev/null", O_WRONLY, 0);
	int bad = posix_spawn(&pid, argv[0], &files, &attr, argv, environ);
	posix_spawn_file_actions_destroy(&files);
	posix_spawnattr_destroy(&attr);
	free(argv);
	if (bad) {
		fprintf(stderr, "umbra: %s: cannot be started: %s\n", o->program, strerror(bad));
		return 1;
	}
	pid_t got;
	while ((got = waitpid(pid, &status, 0)) < 0 && errno == EINTR)
		continue;
	if (got < 0)
		return 1;
	if (WIFEXITED(status))
		return WEXITSTATUS(status);
	if (WTERMSIG(status) == SIGINT || WTERMSIG(status) == SIGTERM)
		return 75;
	fprintf(stderr, "umbra: %s: a plugin crashed while it was created (%s); 'umbra test PLUGIN' finds it\n",
		o->file, strsignal(WTERMSIG(status)));
	return 2;
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
	status = check_apart(o);
	if (status != 0)
		goto out;
	um_status st = start(&r);
	status = st == UM_EPARAM ? 2 : st == UM_EDATA ? 3 : 1;
	if (st == UM_OK) {
		run_tasks(&r, &signals);
		st = write_record(&r);
	}
	if (st == UM_OK)
		st = write_report(&r, &signals);
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
