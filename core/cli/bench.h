/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Benches that have a file of their own. Each fills an object with figures, and with arrays of
 * objects of equal keys, which are shown as tables. */
#ifndef CLI_BENCH_H
#define CLI_BENCH_H

#include <jansson.h>
#include <umbra/status.h>

um_status um_bench_nufft(json_t *out);
/* Appends objects to a list; argv holds options of its own. */
um_status um_bench_nn(json_t *rows, int argc, char *argv[]);
um_status um_bench_samplers(json_t *rows, int argc, char *argv[]);

#endif
