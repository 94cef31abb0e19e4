/* SPDX-License-Identifier: GPL-3.0-or-later */
/* umbra COMMAND ...: finds the command and runs it. */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <umbra/config.h>
#include <umbra/linalg.h>
#include "base/isa.h"
#include "cli/cli.h"

static const struct {
	const char *name;
	int (*run)(int argc, char *argv[]);
	const char *usage, *doc; /* NULL: not for people */
} commands[] = {
	{ "run", um_cmd_run, "FILE [-o DIR] [--set K=V]... [--resume] [--jobs N] [--threads N] [--only CELL] [--quiet]",
		"Run a pipeline." },
	{ "check", um_cmd_check, "[--set K=V]... [--estimate [--threads N]] FILE...", "Check pipeline files without running them; with "
		"--estimate say what time and memory they take, from a few steps of each cell." },
	{ "list", um_cmd_list, "[forward|priors|inference]", "List the plugins." },
	{ "help", um_cmd_help, "[PLUGIN|COMMAND|pipeline]", "Explain a plugin and its parameters, or the pipeline file." },
	{ "template", um_cmd_template, "PLUGIN", "Print a commented block for a pipeline file." },
	{ "info", um_cmd_info, "FILE [--json]", "Say what is in a UVFITS or FITS file." },
	{ "chi2", um_cmd_chi2, "IMAGE.fits OBS.uvfits [--json] [--pulse triangle|rect|delta] [--debias]",
		"Reduced chi-square of an image per data product." },
	{ "report", um_cmd_report, "DIR", "Write the HTML report of a run again." },
	{ "new", um_cmd_new, "forward|priors|inference NAME", "Begin a plugin: a folder with one that works, its test and a pipeline." },
	{ "test", um_cmd_test, "PLUGIN[.so] [--set K=V]...", "Test a plugin: gradients, adjoints, repeatability." },
	{ "bench", um_cmd_bench, "[eht|nufft|nn [OPTIONS]|samplers [OPTIONS]] [--json]", "Measure speeds on this machine." },
	{ "task", um_cmd_task, NULL, NULL },
};
enum { NCOMMANDS = sizeof(commands) / sizeof(*commands) };

void um_usage(FILE *out, const char *command)
{
	for (int i = 0; i < NCOMMANDS; i++)
		if (commands[i].usage != NULL && (command == NULL || strcmp(commands[i].name, command) == 0))
			fprintf(out, command ? "usage: umbra %s %s\n%s\n" : "  umbra %s %s\n      %s\n",
				commands[i].name, commands[i].usage, commands[i].doc);
}

bool um_is_command(const char *name)
{
	for (int i = 0; i < NCOMMANDS; i++)
		if (commands[i].usage != NULL && strcmp(commands[i].name, name) == 0)
			return true;
	return false;
}

static int unknown(const char *name)
{
	const char *words[NCOMMANDS + 1] = { NULL };
	int n = 0;
	for (int i = 0; i < NCOMMANDS; i++)
		if (commands[i].usage != NULL)
			words[n++] = commands[i].name;
	const char *near = um_nearest(name, words);
	fprintf(stderr, "umbra: there is no command '%s'%s%s%s\n", name,
		near ? "; did you mean '" : "; 'umbra help' lists all", near ? near : "", near ? "'?" : "");
	return 2;
}

int main(int argc, char *argv[])
{
	const char *name = argc > 1 ? argv[1] : "help";
	signal(SIGXFSZ, SIG_IGN); /* a file that may not grow is an error with a message, as a full disk is */
	if (strcmp(name, "--version") == 0) {
		printf("umbra %s\n", UM_VERSION);
		return 0;
	}
	if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0)
		name = "help";
	for (int i = 0; i < NCOMMANDS; i++) {
		if (strcmp(commands[i].name, name) != 0)
			continue;
		for (int k = 2; k < argc && commands[i].usage != NULL; k++)
			if (strcmp(argv[k], "--help") == 0 || strcmp(argv[k], "-h") == 0) {
				um_usage(stdout, name);
				return 0;
			}
		if (um_isa_check() != UM_OK) {
			fprintf(stderr, "umbra: %s\n", um_message());
			return 2;
		}
		if (commands[i].run == um_cmd_bench && um_threads_advise())
			execv("/proc/self/exe", argv); /* libraries look at the environment once */
		return commands[i].run(argc > 1 ? argc - 1 : argc, argc > 1 ? argv + 1 : argv);
	}
	return unknown(name);
}
