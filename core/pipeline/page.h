/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A page of memory that the running program shares with the process of one task: which
 * plugin is at work, how far it is, and how it ended. It survives a crash of the task. */
#ifndef UMBRA_PIPELINE_PAGE_H
#define UMBRA_PIPELINE_PAGE_H

#include <stdint.h>
#include <umbra/sink.h>

enum { UM_PAGE_FD = 3 }; /* where a task finds it */

typedef struct um_page {
	char plugin[64];      /* "dpi", "" outside plugins */
	char kind[16];
	char phase[64];       /* "create", "run", "logp" */
	int64_t done, total, first; /* steps; first: those that an interrupted run had done */
	double loss;
	char message[1024];   /* why the task failed */
	char note[512];       /* what the user should know meanwhile; emptied once it was shown */
} um_page;

/* A page and the descriptor to hand to a task. */
UM_API UM_USED um_status um_page_new(const char *folder, um_page **page, int *fd);
/* The page of this task, or a private one where there is none. */
UM_API um_page *um_page_inherit(void);
UM_API void um_page_free(um_page *page, int fd);

#endif
