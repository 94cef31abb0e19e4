/* SPDX-License-Identifier: GPL-3.0-or-later */
/* One process of a run: what it is told, how it is stopped, what it says. */
#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>
#include <umbra/linalg.h>
#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "pipeline/calibrate.h"
#include "pipeline/checkpoint.h"
#include "pipeline/provenance.h"
#include "pipeline/task.h"
#include "report/compare.h"
#include "report/figure.h"
#include "report/report.h"

static volatile sig_atomic_t stopping;
static pid_t parent; /* a task whose parent is gone stops */
static um_page *page;
static const um_plugin *worker; /* the inference plugin that calls made for it return to, */
static const char *working;     /* and what it does */

static void on_signal(int s)
{
	(void)s;
	stopping = 1;
}

bool um_task_stopping(void)
{
	return stopping != 0 || getppid() != parent;
}

static void on_phase(const um_plugin *p, const char *phase)
{
	if (p == NULL) {
		p = worker;
		phase = working;
	}
	snprintf(page->plugin, sizeof(page->plugin), "%s", p != NULL ? p->name : "");
	snprintf(page->kind, sizeof(page->kind), "%s", p != NULL ? um_kind_names[p->kind] : "");
	snprintf(page->phase, sizeof(page->phase), "%s", p != NULL ? phase : "");
}

void um_task_worker(const um_plugin *p, const char *phase)
{
	worker = p;
	working = phase;
	um_phase(p, phase);
}

static um_cell_out *hearing; /* the cell whose warnings are kept */

void um_task_hear(um_cell_out *c)
{
	hearing = c;
}

static void on_log(um_level level, const char *text)
{
	if (level == UM_WARN && hearing != NULL)
		um_results_warn(&hearing->results, text);
}

/* What a task holds. */
struct task {
	const char *dir;
	um_plan *plan;
	const um_task *t;
	int index;
	um_env env;
	bool impossible; /* the parts of the cell do not go together */
};

/* ---- the process --------------------------------------------------------------------- */

static um_status load(struct task *k)
{
	um_status st = UM_OK;
	um_problems problems = { 0 };
	char *file = um_format("%s/pipeline.cfg", k->dir);
	UM_TRY(um_plan_load(file, NULL, &problems, &k->plan));
	if (problems.config || problems.data)
		st = um_fail(problems.config ? UM_EPARAM : UM_EDATA, "%s", problems.line[0]);
	um_plan_set_dir(k->plan, k->dir);
out:
	um_problems_free(&problems);
	free(file);
	return st;
}

/* Allocations beyond the limit of the stage fail. */
static um_status limit_memory(const struct task *k)
{
	const double mb = k->plan->stage[k->t->stage].set.memory_limit;
	const rlim_t bytes = (rlim_t)(mb * 1e6);
	if (mb > 0 && setrlimit(RLIMIT_DATA, &(struct rlimit){ bytes, bytes }) != 0)
		return um_fail(UM_EIO, "memory_limit = %g cannot be set", mb);
	return UM_OK;
}

static um_status do_task(struct task *k, const char *name, bool resume)
{
	um_status st = UM_OK;
	if (strcmp(name, "report") == 0)
		return um_report_write(k->dir);
	UM_TRY(load(k));
	if (strcmp(name, "compare") == 0)
		return um_compare_write(k->dir, k->plan->env.mesh);
	k->index = um_plan_task(k->plan, name);
	if (k->index < 0)
		UM_TRY(um_fail(UM_EPARAM, "there is no task %s in %s", name, k->dir));
	k->t = &k->plan->task[k->index];
	int threads = k->env.threads;
	k->env = k->plan->env;
	k->env.threads = threads;
	const um_stage_kind kind = um_plan_kind(k->plan, k->t);
	UM_TRY(limit_memory(k));
	if (kind == UM_CALIBRATE)
		return k->t->part > 0 ? um_calibrate_part(k->plan, k->index, k->dir, &k->env, page, resume) :
			um_calibrate_verdict(k->plan, k->index, k->dir, page);
	if (kind == UM_INFER)
		return um_infer(k->plan, k->index, k->dir, &k->env, page, resume, &k->impossible);
	if (kind == UM_TRAIN)
		return um_train(k->plan, k->index, k->dir, &k->env, page, resume);
	return kind == UM_SIMULATE ? um_simulate(k->plan, k->index, k->dir, &k->env, page) :
		um_import(k->plan, k->index, k->dir, &k->env, page);
out:
	return st;
}

static void catch_signals(void)
{
	struct sigaction a = { .sa_handler = on_signal };
	sigemptyset(&a.sa_mask);
	sigaction(SIGINT, &a, NULL);
	sigaction(SIGTERM, &a, NULL);
	sigaction(SIGUSR1, &a, NULL);
}

int um_task_main(const char *dir, const char *name, int threads, bool resume)
{
	struct task k = { .dir = dir, .env = { .threads = threads } };
	parent = getppid();
	page = um_page_inherit();
	catch_signals();
	um_phase_hook(on_phase);
	um_log_hook(on_log);
	um_threads(threads);
	um_status st = do_task(&k, name, resume);
	if (st != UM_OK)
		snprintf(page->message, sizeof(page->message), "%s", um_message());
	bool skip = k.impossible && k.plan->stage[k.t->stage].set.skip_impossible;
	if (st != UM_OK)
		um_log(st == UM_EINTR || skip ? UM_INFO : UM_ERROR, "%s: %s", name, um_message());
	um_plan_free(k.plan);
	return st == UM_OK ? 0 : st == UM_EINTR ? 75 : skip ? UM_EXIT_SKIPPED : 1;
}
