/* SPDX-License-Identifier: GPL-3.0-or-later */
/* umbra list, help, template: what plugins say of themselves. */
#include <stdio.h>
#include <string.h>
#include <umbra/host.h>
#include "cli/cli.h"
#include "pipeline/plan.h"

static int complain(void)
{
	fprintf(stderr, "umbra: %s\n", um_message());
	return 2;
}

int um_cmd_list(int argc, char *argv[])
{
	um_plugin_entry *list = NULL;
	int n = 0, status = 0;
	um_kind only = 0;
	for (um_kind k = UM_FORWARD; argc == 2 && k <= UM_INFERENCE; k++)
		if (strcmp(argv[1], um_kind_names[k]) == 0)
			only = k;
	if (argc > 2 || (argc == 2 && only == 0)) {
		fprintf(stderr, "umbra: list takes one of forward, priors and inference\n");
		return 2;
	}
	if (um_plugin_list(&list, &n) != UM_OK)
		return complain();
	for (int i = 0; i < n; i++) {
		const um_plugin *p;
		if (only != 0 && list[i].kind != only)
			continue;
		if (um_plugin_open(list[i].path, &p) == UM_OK) {
			char name[96];
			snprintf(name, sizeof(name), "%s/%s", um_kind_names[list[i].kind], list[i].name);
			printf("%-22s %s%s\n", name, p->doc ? p->doc : "", um_plugin_model(p) != NULL ? " It learns." : "");
		} else {
			fprintf(stderr, "umbra: %s\n", um_message());
			status = 1;
		}
	}
	um_plugin_list_free(list, n);
	return status;
}

int um_cmd_help(int argc, char *argv[])
{
	const um_plugin *p;
	if (argc < 2 || strcmp(argv[0], "help") != 0) {
		printf("umbra turns measurements into a posterior over images.\n\n");
		um_usage(stdout, NULL);
		printf("\nA plugin is named kind/name or by its bare name: umbra help priors/tv.\n"
			"umbra help pipeline explains the groups and stages of a pipeline file.\n"
			"Exit status: 0 done; 1 a cell or stage failed, or a calibration; 2 the command line or pipeline file is\n"
			"wrong; 3 a data file is missing or invalid; 75 interrupted, --resume goes on.\n");
		return 0;
	}
	if (strcmp(argv[1], "pipeline") == 0) {
		um_plan_help(stdout);
		return 0;
	}
	if (um_is_command(argv[1])) {
		um_usage(stdout, argv[1]);
		return 0;
	}
	if (um_plugin_find(0, argv[1], &p) != UM_OK)
		return complain();
	um_plugin_help(p, stdout);
	return 0;
}

int um_cmd_template(int argc, char *argv[])
{
	const um_plugin *p;
	if (argc != 2) {
		um_usage(stderr, "template");
		return 2;
	}
	if (um_plugin_find(0, argv[1], &p) != UM_OK)
		return complain();
	um_plugin_template(p, stdout);
	return 0;
}
