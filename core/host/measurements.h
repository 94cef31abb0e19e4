/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The measurements that an inference learns from: made of truths by the forward model, or read by it. */
#ifndef UMBRA_HOST_MEASUREMENTS_H
#define UMBRA_HOST_MEASUREMENTS_H

#include <umbra/dataset.h>
#include <umbra/host.h>

typedef struct um_measurements um_measurements;

/* forward and truths are borrowed; see um_problem_new_fit. name keys the random numbers. */
um_status um_measurements_new(um_forward *f, um_dataset *truths, const char *name, um_measurements **out);
void um_measurements_free(um_measurements *m);
/* How many to learn from (0: fresh ones for ever) and to judge by. */
void um_measurements_count(const um_measurements *m, int64_t *train, int64_t *held);

/* Rows of y, sigma and op, as many as y has: of a step, or first .. of the training or held-out ones. */
um_status um_measurements_batch(um_measurements *m, int64_t step, um_array *y, um_array *sigma, um_array *op);
um_status um_measurements_rows(um_measurements *m, bool held, int64_t first, um_array *y, um_array *sigma,
	um_array *op);

#endif
