/* SPDX-License-Identifier: GPL-3.0-or-later */
/* umbra test: the conformance battery on one plugin; umbra report: the page again. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <umbra/host.h>
#include "base/mem.h"
#include "cli/cli.h"
#include "report/report.h"

/* What to say if the plugin crashes in what it does now. */
static _Thread_local char last_words[256];

static void on_phase(const um_plugin *p, const char *phase)
{
	if (p != NULL)
		snprintf(last_words, sizeof(last_words), "FAIL %s/%s  %s: it crashed, or read or wrote far outside of its arrays\n",
			um_kind_names[p->kind], p->name, phase);
}

static void on_crash(int s)
{
	const ssize_t put = write(STDOUT_FILENO, last_words, strlen(last_words));
	(void)s, (void)put;
	_exit(1);
}

/* A crash fails the check that is running. */
static void catch_crashes(void)
{
	static const int signals[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT };
	struct sigaction a = { .sa_handler = on_crash };
	sigemptyset(&a.sa_mask);
	um_phase_hook(on_phase);
	for (size_t i = 0; i < sizeof(signals) / sizeof(*signals); i++)
		sigaction(signals[i], &a, NULL);
}

int um_cmd_test(int argc, char *argv[])
{
	const um_plugin *p = NULL;
	const char *name = NULL, **settings = um_new(sizeof(*settings) * (size_t)(argc + 1));
	int n = 0, failed = 0, status = 2;
	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--set") == 0 && i + 1 < argc)
			settings[n++] = argv[++i];
		else if (argv[i][0] != '-' && name == NULL)
			name = argv[i];
		else
			name = NULL, i = argc;
	}
	catch_crashes();
	if (name == NULL) {
		um_usage(stderr, "test");
	} else if (um_plugin_find(0, name, &p) != UM_OK || um_conform(p, settings, stdout, &failed) != UM_OK) {
		fprintf(stderr, "umbra: %s\n", um_message());
		status = p != NULL ? 1 : 2;
	} else {
		printf("%s/%s: %d checks failed\n", um_kind_names[p->kind], p->name, failed);
		status = failed != 0;
	}
	free(settings);
	return status;
}

int um_cmd_report(int argc, char *argv[])
{
	if (argc != 2) {
		um_usage(stderr, "report");
		return 2;
	}
	um_status st = um_report_write(argv[1]);
	if (st != UM_OK) {
		fprintf(stderr, "umbra: %s\n", um_message());
		return st == UM_EDATA ? 3 : 1;
	}
	printf("%s/report.html\n", argv[1]);
	return 0;
}
