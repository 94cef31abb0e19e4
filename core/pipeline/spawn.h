/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Starting the process of a task. */
#ifndef UMBRA_PIPELINE_SPAWN_H
#define UMBRA_PIPELINE_SPAWN_H

#include <stdbool.h>
#include <sys/types.h>
#include <umbra/status.h>

/* Starts "program task DIR NAME" in a process group of its own: what it says goes to DIR/log.txt, its page, the
 * descriptor fd, to UM_PAGE_FD. */
UM_API UM_USED um_status um_task_spawn(const char *program, const char *dir, const char *name, int threads, bool resume, int fd,
	pid_t *pid);

#endif
