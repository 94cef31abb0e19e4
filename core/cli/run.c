/* SPDX-License-Identifier: GPL-3.0-or-later */
/* umbra run, check and task. */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/mem.h"
#include "cli/cli.h"
#include "pipeline/estimate.h"
#include "pipeline/run.h"
#include "pipeline/task.h"

/* A whole number from 1, or -1 with a message. */
static int count(const char *option, const char *text)
{
	char *end;
	long v = strtol(text, &end, 10);
	if (*text && *end == '\0' && v >= 1 && v <= 4096)
		return (int)v;
	fprintf(stderr, "umbra: %s %s: expected a whole number from 1 to 4096\n", option, text);
	return -1;
}

static char *join(int argc, char *argv[])
{
	char *all = um_strdup("umbra");
	for (int i = 0; i < argc; i++) {
		char *more = um_format("%s %s", all, argv[i]);
		free(all);
		all = more;
	}
	return all;
}

/* The path of this program, so that tasks are the same binary. */
static const char *self(char path[PATH_MAX])
{
	ssize_t n = readlink("/proc/self/exe", path, PATH_MAX - 1);
	if (n <= 0)
		return "umbra";
	path[n] = '\0';
	return path;
}

struct options {
	um_run_options o;
	const char **sets;
	int nsets;
	const char **files;
	int nfiles;
	bool estimate;
};

/* The value of an option that needs one. */
static const char *value(int argc, char *argv[], int *i)
{
	if (*i + 1 < argc)
		return argv[++*i];
	fprintf(stderr, "umbra: %s needs a value\n", argv[*i]);
	return NULL;
}

static int parse_one(struct options *p, int argc, char *argv[], int *i)
{
	const char *a = argv[*i], *v = NULL;
	static const char *const with_value[] = { "-o", "--set", "--jobs", "--threads", "--only", NULL };
	static const char *const words[] = { "-o", "--set", "--jobs", "--threads", "--only", "--resume",
		"--quiet", "--estimate", NULL };
	for (int k = 0; with_value[k] != NULL; k++)
		if (strcmp(a, with_value[k]) == 0 && (v = value(argc, argv, i)) == NULL)
			return 2;
	if (strcmp(a, "-o") == 0)
		p->o.dir = v;
	else if (strcmp(a, "--set") == 0)
		p->sets[p->nsets++] = v;
	else if (strcmp(a, "--jobs") == 0)
		p->o.jobs = count(a, v);
	else if (strcmp(a, "--threads") == 0)
		p->o.threads = count(a, v);
	else if (strcmp(a, "--only") == 0)
		p->o.only = v;
	else if (strcmp(a, "--resume") == 0)
		p->o.resume = true;
	else if (strcmp(a, "--quiet") == 0)
		p->o.quiet = true;
	else if (strcmp(a, "--estimate") == 0 && strcmp(argv[0], "check") == 0)
		p->estimate = true;
	else if (a[0] == '-' && a[1] != '\0') {
		const char *near = um_nearest(a, words);
		fprintf(stderr, "umbra: there is no option %s%s%s%s\n", a, near ? "; did you mean " : "",
			near ? near : "", near ? "?" : "");
		return 2;
	} else {
		p->files[p->nfiles++] = a;
	}
	return p->o.jobs < 0 || p->o.threads < 0 ? 2 : 0;
}

static int parse(struct options *p, int argc, char *argv[])
{
	*p = (struct options){ .o = { .jobs = 1 } };
	p->sets = um_new(sizeof(*p->sets) * (size_t)(argc + 1));
	p->files = um_new(sizeof(*p->files) * (size_t)(argc + 1));
	for (int i = 1; i < argc; i++)
		if (parse_one(p, argc, argv, &i) != 0)
			return 2;
	p->o.sets = p->sets;
	if (p->o.dir != NULL && *p->o.dir == '\0') {
		fprintf(stderr, "umbra: -o needs the name of a folder\n");
		return 2;
	}
	if (p->nfiles == 0) {
		fprintf(stderr, "umbra: name a pipeline file\n");
		um_usage(stderr, argv[0]);
		return 2;
	}
	return 0;
}

static void release(struct options *p)
{
	free(p->sets);
	free(p->files);
}

int um_cmd_run(int argc, char *argv[])
{
	struct options p;
	char path[PATH_MAX], *command = join(argc, argv);
	int status = parse(&p, argc, argv);
	if (status == 0 && p.nfiles > 1) {
		fprintf(stderr, "umbra: run takes one pipeline file, not %s and %s\n", p.files[0], p.files[1]);
		status = 2;
	}
	if (status == 0) {
		p.o.file = p.files[0];
		p.o.program = self(path);
		p.o.command = command;
		status = um_run(&p.o);
	}
	release(&p);
	free(command);
	return status;
}

int um_cmd_check(int argc, char *argv[])
{
	struct options p;
	char path[PATH_MAX];
	int worst = parse(&p, argc, argv), nfiles = worst == 0 ? p.nfiles : 0;
	for (int i = 0; i < nfiles; i++) {
		int status = um_check_file(p.files[i], p.sets);
		if (status == 2 || (status != 0 && worst == 0))
			worst = status;
		if (status == 0 && p.estimate) {
			p.o.file = p.files[i];
			p.o.program = self(path);
			worst = um_estimate(&p.o, stdout);
		} else if (status == 0 && isatty(STDOUT_FILENO)) {
			printf("%s: ok\n", p.files[i]);
		}
	}
	release(&p);
	return worst;
}

/* umbra task DIR NAME THREADS new|resume: one process of a run. */
int um_cmd_task(int argc, char *argv[])
{
	if (argc != 5) {
		fprintf(stderr, "umbra: task is started by umbra run\n");
		return 2;
	}
	return um_task_main(argv[1], argv[2], atoi(argv[3]), strcmp(argv[4], "resume") == 0);
}
