/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The check of a pipeline: in this process, or in one of its own before a run. */
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include "base/mem.h"
#include "pipeline/run_parts.h"

extern char **environ;

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

int run_check(const um_run_options *o)
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
