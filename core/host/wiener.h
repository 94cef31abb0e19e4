/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What x would be on average for a measurement if the prior were the Gaussian N(m, V V^T) with the moments of its draws
 * (Wiener 1949): m + V z, where z is the least of |z|^2 + |S^-1/2 (y - f(m) - J V z)|^2, J the derivative at m and S the
 * variances of the noise. Blind, operator and noise are those that are usual: f of the mean operator parameters over the
 * share of measurements in which a number is there, which for masks is f of all that can be seen; numbers of y that are
 * exactly 0 where others are not are missing. */
#ifndef UMBRA_HOST_WIENER_H
#define UMBRA_HOST_WIENER_H

#include <umbra/problem.h>

typedef struct um_wiener {
	bool blind, fixed; /* fixed: one operator */
	int64_t n, ny, nop, modes;
	um_array v;        /* float [modes][n]: V^T; rows beyond the rank of the draws are 0 */
	um_array jv;       /* float [modes][ny]: (J V)^T, where J is the same for all; else [1][1] */
	um_array usual;    /* [ny + nop + modes]: the share of measurements in which each number is there; mean operator
	                      parameters; what a unit of weight adds to the diagonal of a mode */
	int64_t rows;      /* room in */
	um_array at;       /* [rows] images, all m */
	um_array y, dy;    /* [rows][ny] */
	double *weight;    /* [rows][ny] 1 / (sigma share)^2, 0: missing */
	double *z, *r, *p, *q, *d; /* [rows][modes] */
	double *op;        /* [rows][nop] those of the measurements, kept while the usual ones are used */
	float *small, *wide; /* [rows][modes], [rows][ny] */
} um_wiener;

/* Whether there is one operator, for which the derivatives of all modes are kept. */
bool um_wiener_fixed(bool blind, int64_t nop, int64_t modes);
um_status um_wiener_new(um_wiener *w, bool blind, int64_t n, int64_t ny, int64_t nop, int64_t modes);
void um_wiener_free(um_wiener *w);

/* Modes of draws x of the prior [draws][image], and of their mean, which goes to m [1][image]. */
um_status um_wiener_modes(um_wiener *w, um_problem *p, const um_array *x, um_array *m);
/* The standard deviation that the modes give a number of the image, root mean square. */
double um_wiener_sd(const um_wiener *w);
/* Looks at measurements, those that p has taken: the first of all rows, of which count are here. */
void um_wiener_see(um_wiener *w, const um_problem *p, int64_t first, int64_t count, int64_t all);
/* Then what makes guesses quick, from the first rows measurements of training. */
um_status um_wiener_quicken(um_wiener *w, um_problem *p, const um_array *m, const double *sigma, int64_t rows);

/* The guesses for all rows that p has taken, to x [rows][image]; sigma [ny] is the usual noise. */
um_status um_wiener_guess(um_wiener *w, um_problem *p, const um_array *m, const double *sigma, um_array *x);
/* One operator: the covariance that the Gaussian posterior has with usual noise, to c [n][n]. */
um_status um_wiener_covariance(const um_wiener *w, const double *sigma, double *c);

#endif
