/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Minimisers for real vectors: L-BFGS where the function is exact, Adam where its
 * gradient is an estimate. Not plugin ABI. */
#ifndef UMBRA_OPTIM_H
#define UMBRA_OPTIM_H

#include <stdbool.h>
#include <umbra/array.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- L-BFGS ---------------------------------------------------------------- */

/* How a minimisation ended; none of these is an error. */
typedef enum um_lbfgs_end {
	UM_LBFGS_CONVERGED, /* a tolerance was met */
	UM_LBFGS_LIMIT,     /* the iterations ran out */
	UM_LBFGS_STALLED,   /* no line search makes progress: the rounding of f, or a kink, hides it */
	UM_LBFGS_STOPPED,   /* step asked for it */
} um_lbfgs_end;

/* A minimisation of f over n numbers. Set the first group; zeros are sensible in the second. */
typedef struct um_lbfgs_job {
	int64_t n;
	/* f and its gradient g at x. f = INFINITY says that x is outside the domain, and the
	 * line search comes back; a failure ends the minimisation with that status. */
	um_status (*value)(void *context, const double *x, double *f, double *g);
	/* (optional) after each iteration; false stops. */
	bool (*step)(void *context, int64_t iteration, const double *x, double f, double gnorm);
	void *context;

	int memory;          /* pairs kept; 0: 10 */
	int64_t iterations;  /* at most; 0: 1000 */
	double gtol;         /* stop at |g| <= gtol max(1, |x|); 0: never */
	double ftol;         /* stop when 10 iterations gain less than ftol max(1, |f|); 0: never */

	um_lbfgs_end end;    /* results: why it ended, the value, iterations and evaluations */
	double f;
	int64_t done, nfe;
} um_lbfgs_job;

/* Minimises from x, which becomes the best point found. */
UM_API UM_USED um_status um_lbfgs(um_lbfgs_job *job, double *x);

/* ---- Adam ------------------------------------------------------------------- */

typedef enum um_decay { UM_DECAY_NONE, UM_DECAY_COSINE, UM_DECAY_EXPONENTIAL } um_decay;

/* Kingma & Ba 2015; with weight_decay AdamW (Loshchilov & Hutter 2019). moments [2][n] (of the
 * gradient, of its square) and step are all the state: a checkpoint stores them. They have the
 * type of x: float has digits enough, and a step takes as long as its memory. Settings may be
 * changed between steps. Equal inputs give equal bytes whatever the number of threads. */
typedef struct um_adam {
	int64_t n, step;
	um_array moments;
	double rate, beta1, beta2, eps; /* eps > 0 */
	int64_t warmup;      /* the rate grows linearly over so many steps; 0: none */
	double clip;         /* g becomes g clip / max(|g| + 1e-6, clip); 0: never */
	um_decay decay;      /* from rate to floor rate over span steps, constant afterwards */
	int64_t span;
	double floor;        /* in (0, 1] for UM_DECAY_EXPONENTIAL */
	double weight_decay; /* each step x loses so much of itself, times the rate, in all n numbers */
	int64_t skipped;     /* steps that were not made because g was not finite */
} um_adam;

/* For double x, or float x: beta 0.9 and 0.999, eps 1e-8, no warm-up, clipping or decay. */
UM_API UM_USED um_status um_adam_new(um_adam *a, int64_t n, double rate);
UM_API UM_USED um_status um_adam_new_f(um_adam *a, int64_t n, double rate);
UM_API void um_adam_free(um_adam *a);

/* The rate that step (from 1) uses. */
UM_API double um_adam_rate(const um_adam *a, int64_t step);

/* One step of x down the gradient g; returns |g| before clipping. Where that is not finite (or, not
 * clipped, so large that its square is not), nothing changes but skipped. */
UM_API double um_adam_step(um_adam *a, double *x, const double *g);
UM_API double um_adam_step_f(um_adam *a, float *x, const float *g);

#ifdef __cplusplus
}
#endif
#endif
