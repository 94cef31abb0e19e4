/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The processes of tasks: starting, watching and stopping them, and how they ended. */
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include "base/clock.h"
#include "base/mem.h"
#include "pipeline/run_parts.h"
#include "pipeline/spawn.h"
#include "pipeline/task.h"

#define GRACE 5.0 /* seconds between telling a task that its time is over and ending it */

um_status run_start_task(struct run *r, struct child *c)
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
		um_show_line(&r->show, "%s: %s: %s", c->name, run_states[c->state], c->reason);
	r->show.open = r->show.open && c->state != FAILED;
	free(said);
}

static void reap(struct run *r)
{
	int status;
	for (pid_t pid; (pid = waitpid(-1, &status, WNOHANG)) > 0;)
		for (int i = 0; i <= r->plan->ntask; i++)
			if (r->child[i].state == RUNNING && r->child[i].pid == pid) {
				finish(r, &r->child[i], status);
				if (i < r->plan->ntask)
					run_keep_task(r, &r->child[i]);
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

void run_watch(struct run *r, const sigset_t *signals)
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

int run_active(const struct run *r)
{
	int n = 0;
	for (int i = 0; i <= r->plan->ntask; i++)
		n += r->child[i].state == RUNNING;
	return n;
}
