/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What an amortized law is told of a measurement: numbers made of it (the summary), and the operator parameters and the
 * level of the noise or, where it works blind, how many numbers are there (those that are exactly 0 are missing); whitened
 * by what training measurements have. And how far a measurement is from those. */
#ifndef UMBRA_HOST_CONDITION_H
#define UMBRA_HOST_CONDITION_H

#include <umbra/amortized.h>
#include <umbra/tensors.h>
#include "host/wiener.h"

typedef enum um_summary {
	UM_SUMMARY_RAW,     /* y */
	UM_SUMMARY_ADJOINT, /* J^T W (y - f), J and f of an image of the middle (0 where f is linear), W the usual 1 / sigma^2 */
	UM_SUMMARY_PSEUDO,  /* A^+ y */
	UM_SUMMARY_WIENER,  /* the mean of the posterior, were the prior Gaussian: wiener.h */
	UM_SUMMARY_RESTORED, /* that, and then a few rounds of the prior's own denoiser: restore.h */
} um_summary;

enum { UM_CONDITION_ARRAYS = 8 };

/* An open struct; the arrays are what a checkpoint or a weight file keeps of it. */
typedef struct um_condition {
	um_summary summary;
	bool blind, planes;        /* planes: images for convolutional couplings */
	int64_t shape[5], n, plane, ny, nop;
	int64_t nsummary, nf, nc;  /* numbers of a summary; with what is told besides; principal directions of these */
	um_array moments;          /* [2][nf] mean, standard deviation (0: it never varies) */
	um_array basis;            /* float [nc][nf], of standardised numbers; rows beyond their rank are 0 */
	um_array noise;            /* [3][ny] mean, least and largest sigma */
	um_array rest;             /* [3] variance of what the basis leaves, in how many directions, and the largest sd */
	um_array origin;           /* float [1][image] x, the middle */
	um_wiener wiener;          /* where the summary is a guess, else of one mode */
	double *b;                 /* [nc][nf] the basis in double */
	double *variance;          /* [nc] of standardised numbers in each direction; 0: none */
	double *middle;            /* [2][planes] mean and standard deviation of each plane */
	int64_t rows;              /* room in */
	um_array x, jtv, r;        /* [rows] images, [rows][ny] */
	um_array f, v, white;      /* [rows][nf] numbers, the same standardised, [rows][nc] in the basis */
} um_condition;

/* Whether the settings suit a problem. */
um_status um_condition_suits(const um_amortized *set, const um_problem_info *about);
/* Whether the summary is a guess of the image, which begins as a Wiener filter's. */
bool um_condition_guesses(const um_condition *c);
/* Sizes from settings and the problem, or from a weight file. */
um_status um_condition_new(const um_amortized *set, const um_problem *p, um_condition *c);
um_status um_condition_read(const um_tensors *t, const int64_t shape[5], um_condition *c);
void um_condition_free(um_condition *c);
/* The arrays and their names. */
extern const char *const um_condition_names[UM_CONDITION_ARRAYS];
void um_condition_arrays(um_condition *c, um_array *arrays[UM_CONDITION_ARRAYS]);
um_status um_condition_save(const um_condition *c, um_sink *sink);

/* Learns mean, directions and noise from training measurements; origin is set before, and modes where a Wiener filter
 * has them. sink may stop it, before step 0 of
 * steps. */
um_status um_condition_learn(um_condition *c, um_problem *p, um_sink *sink, int64_t steps);
/* Of how many measurements it does. */
int64_t um_condition_sample(const um_condition *c, const um_problem_info *about);
/* After the arrays were written from outside. */
void um_condition_changed(um_condition *c);

/* What may be told of the rows that the problem has taken, into c->f. */
um_status um_condition_numbers(um_condition *c, um_problem *p, int64_t rows);
/* How many numbers a network is given, and those of the rows that the problem has taken: to [rows][width]; in principal
 * directions, white [rows][nc] or NULL; and in distance [rows] (or NULL) how far each is from what was seen in
 * training; 1 is usual. */
int64_t um_condition_width(const um_condition *c);
um_status um_condition_put(um_condition *c, um_problem *p, int64_t rows, float *to, float *white, double *distance);

/* The fraction of sigma [ny] that is outside what training saw; refuses noise that is another altogether. */
um_status um_condition_noise(const um_condition *c, const double *sigma, double *outside);

#endif
