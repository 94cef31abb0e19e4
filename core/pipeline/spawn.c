/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Tasks are started by exec, so that none inherits more than a page and a log. */
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/mem.h"
#include "pipeline/page.h"
#include "pipeline/spawn.h"

extern char **environ;

um_status um_task_spawn(const char *program, const char *dir, const char *name, int nthreads, bool resume, int fd, pid_t *pid)
{
	um_status st = UM_OK;
	posix_spawn_file_actions_t files;
	posix_spawnattr_t attr;
	sigset_t none;
	char threads[16], *log = um_format("%s/log.txt", dir);
	snprintf(threads, sizeof(threads), "%d", nthreads);
	char *argv[] = { (char *)program, "task", (char *)dir, (char *)name, threads, resume ? "resume" : "new", NULL };
	posix_spawn_file_actions_init(&files);
	posix_spawnattr_init(&attr);
	sigemptyset(&none);
	posix_spawnattr_setsigmask(&attr, &none);
	posix_spawnattr_setpgroup(&attr, 0); /* Ctrl-C reaches tasks through this process alone */
	posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETPGROUP);
	posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_addopen(&files, 1, log, O_WRONLY | O_CREAT | O_APPEND, 0666);
	posix_spawn_file_actions_adddup2(&files, 1, 2);
	posix_spawn_file_actions_adddup2(&files, fd, UM_PAGE_FD);
	int bad = posix_spawn(pid, argv[0], &files, &attr, argv, environ);
	if (bad)
		st = um_fail(UM_EIO, "%s: cannot be started: %s", argv[0], strerror(bad));
	posix_spawn_file_actions_destroy(&files);
	posix_spawnattr_destroy(&attr);
	free(log);
	return st;
}
