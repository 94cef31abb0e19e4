/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The commands of umbra: each takes its own name as argv[0] and returns the exit status. */
#ifndef CLI_CLI_H
#define CLI_CLI_H

int um_cmd_chi2(int argc, char *argv[]);
int um_cmd_info(int argc, char *argv[]);
int um_cmd_bench(int argc, char *argv[]);

#endif
