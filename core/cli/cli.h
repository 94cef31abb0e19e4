/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Commands of the program. Each takes the words from its own name on and returns the exit
 * status: 0 done, 1 failed, 2 wrong command line, 3 missing or invalid data file. */
#ifndef UMBRA_CLI_CLI_H
#define UMBRA_CLI_CLI_H

#include <stdbool.h>
#include <stdio.h>

int um_cmd_run(int argc, char *argv[]);
int um_cmd_check(int argc, char *argv[]);
int um_cmd_task(int argc, char *argv[]);
int um_cmd_list(int argc, char *argv[]);
int um_cmd_help(int argc, char *argv[]);
int um_cmd_template(int argc, char *argv[]);
int um_cmd_info(int argc, char *argv[]);
int um_cmd_chi2(int argc, char *argv[]);
int um_cmd_report(int argc, char *argv[]);
int um_cmd_new(int argc, char *argv[]);
int um_cmd_test(int argc, char *argv[]);
int um_cmd_bench(int argc, char *argv[]);

/* How a command is used; of all commands where command is NULL. */
void um_usage(FILE *out, const char *command);
bool um_is_command(const char *name);

#endif
