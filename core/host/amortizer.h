/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The amortized law u = c + d (B w(y) + T x), x = G(z; y): a flow whose couplings see the condition made of y, between white
 * noise and u in coordinates of moments: c and d are the mean and standard deviation of the prior; B is 0 and T is 1, or
 * (regression) B is what u is on average for white numbers w of a measurement, and T T^T what is left. */
#ifndef UMBRA_HOST_AMORTIZER_H
#define UMBRA_HOST_AMORTIZER_H

#include <umbra/flow.h>
#include <umbra/program.h>
#include "host/condition.h"

/* Draws at a time; those that a predictive chi-square is of; the widest embedding. */
enum { UM_AMORTIZER_ROWS = 64, UM_PREDICTIVE = 8, UM_AMORTIZER_EMBEDDING = 65536 };

/* Purposes of random streams, of a fit and of a run. */
enum { UM_AMORTIZED_WEIGHTS = 1, UM_AMORTIZED_MOMENTS, UM_AMORTIZED_NOISE, UM_AMORTIZED_PRIOR, UM_AMORTIZED_HELD,
	UM_AMORTIZED_HELD_PRIOR, UM_AMORTIZED_ALARM, UM_AMORTIZED_SAMPLE, UM_AMORTIZED_SAMPLE_PRIOR, UM_AMORTIZED_CHOICE,
	UM_AMORTIZED_MEASURED };

/* Limits between which 99 % of the measurements of training lie. */
enum { UM_ALARM_DISTANCE, UM_ALARM_CHI2_LO, UM_ALARM_CHI2_HI, UM_ALARMS };

struct um_amortizer {
	um_amortized set;      /* with numbers in place of 0 */
	int64_t n, shape[5];
	int threads;
	um_flow_spec spec;
	um_condition cond;
	bool regression;
	um_array affine;       /* [2][n] c, d */
	um_array slope, axes;  /* float [n][nc] B and [n][n] T, lower triangular; of a regression, else [1] */
	um_array alarm;        /* [UM_ALARMS] */
	um_weights *w;         /* NULL: untrained */
	double log_d;          /* log |det (d T)| */
	float *work;           /* [room][n] */
	int64_t room;
	um_tensors file;       /* the model, which knows what it was trained for */
	um_graph *graph;
	um_program *draw;
};

/* The condition as the couplings see it: inputs "c", embedded. */
um_node *um_amortizer_condition(const um_amortizer *a, um_graph *g);
/* Weights of a file, or where t is NULL at their start, once sizes are known; the program of draws, at weights a->w. */
um_status um_amortizer_weights(um_amortizer *a, const um_rng *rng, const um_tensors *t);
um_status um_amortizer_ready(um_amortizer *a);
/* Room for coordinates, once nc is known; and after they were written. */
um_status um_amortizer_coordinates(um_amortizer *a);
void um_amortizer_changed(um_amortizer *a);

/* u and log q of at most UM_AMORTIZER_ROWS rows from white z [rows][n], conditions c [rows][width] and w [rows][nc]. */
um_status um_amortizer_draw(um_amortizer *a, int64_t rows, const double *z, const float *c, const float *w, um_array *u,
	double *logq);
/* u and log q(u) = log N(z) - log |dx/dz| - log |det (d T)| of rows; v = T^T d g, v and g [rows][n]. */
void um_amortizer_place(um_amortizer *a, int64_t rows, const double *z, const float *x, const float *logdet, const float *w,
	um_array *u, double *logq);
void um_amortizer_pull(um_amortizer *a, int64_t rows, const float *g, float *v);

/* Mean over u and numbers of ((y - f(u)) / sigma)^2, in chi2 [rows]. */
um_status um_amortizer_chi2(um_problem *p, const um_array *u, double *chi2);

/* Whether it starts from a regression, and from how many draws of the prior, once sizes of the condition are known; and the
 * start itself, of the prior and of training measurements. */
void um_amortizer_choose(um_amortizer *a, const um_problem_info *about);
um_status um_amortizer_start(um_amortizer *a, um_problem *p, um_sink *sink);

/* set.tune steps for the one measurement of the problem: variational inference that starts from the amortized law. */
um_status um_amortizer_tune(um_amortizer *a, um_problem *problem, um_sink *sink);

um_status um_amortizer_save(um_amortizer *a, um_sink *sink);

#endif
