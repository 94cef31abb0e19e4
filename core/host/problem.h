/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the parts of a problem share: making one and what is known of it (problem.c), many measurements in place of one
 * (problem_batch.c), transforms and densities (problem_density.c), the forward model (problem_forward.c), draws, scores and
 * closed forms of the prior (problem_prior.c), and checks of what plugins return (problem_check.c). */
#ifndef UMBRA_HOST_PROBLEM_H
#define UMBRA_HOST_PROBLEM_H

#include <umbra/host.h>
#include "host/measurements.h"

struct um_problem {
	um_problem_info info;
	um_forward *forward;
	um_prior *priors;
	int npriors;
	um_array y, sigma; /* borrowed; their one row serves every sample */
	um_array op;       /* the same, but own */
	um_measurements *many; /* of a fit: then y, sigma and op are own, of the rows in use */
	um_array room[3];      /* and views of these */
	um_rng key;
	int64_t calls;
	double scale;
	double *partial; /* values of one factor of a product */
	int64_t npartial;
};

/* What is known without a measurement. */
um_problem_info problem_known(const um_forward *f, const um_prior *priors, int npriors);

/* Rows of u belong to rows of measurements. */
um_status problem_fitting(const um_problem *p, int64_t rows);

/* out = scale x, new. */
um_status problem_scaled(const um_problem *p, const um_array *x, um_array *out);

/* UM_ENUM, with plugin, function and sample, where a number is not finite: of rows of len doubles, or of images. */
um_status problem_check_d(const um_plugin *plugin, const char *function, const double *v, int64_t rows, int64_t len);
um_status problem_check_f(const um_plugin *plugin, const char *function, const um_array *a);

#endif
