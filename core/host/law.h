/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The families of laws, and the fit that drives them. */
#ifndef UMBRA_HOST_LAW_H
#define UMBRA_HOST_LAW_H

#include <umbra/variational.h>

#define UM_LOG_2PI 1.8378770664093453

extern const um_law_ops um_law_gaussian, um_law_lowrank, um_law_realnvp;

/* Purposes of random streams of one fit; those of fit number a are a * UM_FIT_STREAMS further. */
enum { UM_FIT_NOISE = 1, UM_FIT_PRIOR, UM_FIT_PROBE, UM_FIT_PROBE_PRIOR, UM_FIT_ELBO, UM_FIT_ELBO_PRIOR,
	UM_FIT_SAMPLE, UM_FIT_LOOK, UM_FIT_START, UM_FIT_WEIGHTS, UM_FIT_MOMENTS, UM_FIT_STREAMS = 64 };

/* Integers of a checkpoint. TAIL is the step where averaging began, or -1; BEST the fit whose law is
 * kept. */
enum { UM_FIT_STEP, UM_FIT_TAIL, UM_FIT_CONVERGED, UM_FIT_AT_REST, UM_FIT_NFE, UM_FIT_ATTEMPT, UM_FIT_BEST,
	UM_FIT_COUNTS };
enum { UM_FIT_SEEDS = 16 }; /* most fits */
/* Numbers of um_fit.trend: steps that count, the loss of the first, sums over them of what losses exceed it by, of its
 * square and of its product with the number of the step, and of squares of the gradient's noise and of the gradient. */
enum { UM_TREND_STEPS, UM_TREND_FIRST, UM_TREND_LOSS, UM_TREND_SQUARE, UM_TREND_TIMES, UM_TREND_NOISE, UM_TREND_GRADIENT,
	UM_TRENDS };

typedef struct um_fit {
	const um_variational *set;
	um_problem *problem;
	const um_problem_info *about;
	um_sink *sink;
	um_law *law;
	int64_t n;
	um_array last;               /* the mean image at the last look, [1][image] */
	um_array count;              /* [UM_FIT_COUNTS] */
	um_array elbo;               /* [UM_FIT_SEEDS][3] of each fit: elbo, standard error, ESS */
	um_array trend;              /* [UM_FIT_SEEDS][UM_TRENDS] of each fit, over the steps that are averaged */
	um_array seen;               /* [seeds][2][n] mean and variance of images of each fit, where there are several */
	um_array best[UM_LAW_ARRAYS]; /* result arrays of the best fit so far, where there are several */
	um_array z;                  /* [batch][noise] */
	um_array u, dl, dp;          /* [batch][image] */
	um_array ll, lp, lq;         /* [batch] */
	um_rng *rng;                 /* [batch] */
	double *share;               /* [batch], or NULL */
	double data, prior, entropy; /* terms of the loss in the last step */
	double seconds;              /* in all steps since the run began or went on, */
	int64_t made;                /* which are so many */
} um_fit;

static inline int64_t *um_fit_count(um_fit *w, int i)
{
	return (int64_t *)w->count.data + i;
}

/* The stream of a purpose in the fit that is going on. */
um_rng um_fit_rng(um_fit *w, uint64_t purpose, int64_t index);

/* u and log q of rows first .. first + count - 1 of a purpose; z of a row is that of its stream, and
 * of odd rows of a step (UM_FIT_NOISE) that of their even neighbour with the opposite sign. */
um_status um_fit_draw(um_fit *w, uint64_t purpose, int64_t first, int64_t count);

/* ll and lp, with gradients where asked, of the first count rows of u; log |dx/du| in lp has the
 * weight volume. */
um_status um_fit_evaluate(um_fit *w, uint64_t purpose, int64_t first, int64_t count, bool gradient,
	double volume);

/* Weights of a step, and the weight that log |dx/du| needs inside a log-prior that counts w_prior
 * times. */
double um_fit_data_weight(const um_fit *w, int64_t step);
double um_fit_entropy_weight(const um_fit *w, int64_t step);
double um_fit_volume(const um_fit *w, int64_t step);
/* Whether weights have come to where they stay. */
bool um_fit_settled(const um_fit *w, int64_t step);

/* Where a fit starts: mean [n] and standard deviation [n] of each number. */
um_status um_fit_start(um_fit *w, double *mean, double *sd);

/* Whether the fit goes by the moments of the prior; then the law is affine (um_law_affine), and um_fit_whiten
 * takes the place of um_fit_start: mean and standard deviation of v. */
bool um_fit_moments(const um_fit *w);
um_status um_fit_whiten(um_fit *w, double *mean, double *sd);

/* The ELBO of the law of now, into row attempt of elbo. */
um_status um_fit_elbo(um_fit *w);
um_status um_fit_report(um_fit *w);

/* A step that is averaged goes into trend; images of the law of now go into seen. */
void um_fit_follow(um_fit *w, int64_t step);
um_status um_fit_see(um_fit *w);
/* Metrics and warnings: whether the ELBO of the fit that is kept was at rest, and whether fits agree on images. */
um_status um_fit_report_trend(um_fit *w);
um_status um_fit_report_seeds(um_fit *w);
um_status um_fit_deliver(um_fit *w);

#endif
