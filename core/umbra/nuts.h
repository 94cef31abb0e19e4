/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Hamiltonian Monte Carlo for chains that move together as one batch: the No-U-Turn sampler (Hoffman &
 * Gelman 2014, jmlr.org/papers/v15/hoffman14a.html) with draws from whole trajectories (Betancourt 2017,
 * arXiv:1701.02434), and the adaptation of its step sizes and scales. Not plugin ABI. */
#ifndef UMBRA_NUTS_H
#define UMBRA_NUTS_H

#include <stdbool.h>
#include <umbra/array.h>
#include <umbra/rng.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What a chain did in the last transition. */
typedef struct um_nuts_move {
	double accept;  /* mean probability to accept a point of the trajectory */
	int64_t leaps;  /* steps along it, each one gradient */
	bool deep;      /* it was cut off at the largest depth */
	bool diverged;  /* the energy was lost: the step is too large for how the density bends there */
} um_nuts_move;

/* A row of step: the step size; what its adaptation knows: log of its average, mean lack of acceptance,
 * what it shrinks towards, updates. */
enum { UM_NUTS_NOW, UM_NUTS_LOG_MEAN, UM_NUTS_LACK, UM_NUTS_CENTRE, UM_NUTS_COUNT, UM_NUTS_STEP };
enum { UM_NUTS_ARRAYS = 7 };

/* Chains of one group share a density, a step size and a scale; chain r is of group r / chains, and
 * its law has the density exp(lp) when the number of transitions is large. */
typedef struct um_nuts {
	/* ---- set these ---- */
	int64_t groups, chains, n;  /* groups x chains = rows; n numbers each */
	int64_t depth;              /* a trajectory has at most 2^depth - 1 steps */
	bool dense;                 /* scales are triangular matrices, not one number for each of n */
	double target;              /* acceptance that step sizes are adapted to */
	/* lp[k] = log density of x[k] [n] for the group of chain row[k], -inf outside its domain, with
	 * gradient dx[k] (finite); part[k] is a number of the caller's own that stays with the point. A
	 * failure ends the transition and leaves the state as it was before it. */
	um_status (*value)(void *context, int64_t count, const int64_t row[], const double *x, double *lp,
		double *part, double *dx);
	void *context;

	/* ---- the state ---- */
	um_array x, dx;    /* [rows][n] where chains stand, and gradients there */
	um_array lp, part; /* [rows] */
	um_array scale;    /* [groups][n] or lower triangular [groups][n][n]: L, where L L^T is the inverse
	                      of the mass matrix and like the covariance of the law; 1 at first */
	um_array step;     /* [groups][UM_NUTS_STEP], 0 at first */
	um_array moments;  /* [groups][..] of points and gradients since the scale last changed */

	um_nuts_move *move; /* [rows] */
	struct um_nuts_work *work;
} um_nuts;

/* Allocates for the settings; x is the caller's to fill. Free it whether or not this works. */
UM_API UM_USED um_status um_nuts_new(um_nuts *s);
UM_API void um_nuts_free(um_nuts *s);

/* All arrays of the state with names for a checkpoint; how many, UM_NUTS_ARRAYS. */
UM_API int um_nuts_state(um_nuts *s, const char *name[], um_array *array[]);

/* lp, part and dx for the x that are there. */
UM_API UM_USED um_status um_nuts_refresh(um_nuts *s);

/* Finds step sizes that are 0, by doubling or halving until a step is accepted about half of the time
 * (algorithm 4); rng [rows]. */
UM_API UM_USED um_status um_nuts_find(um_nuts *s, um_rng *rng);

/* One transition of every chain; rng [rows]. */
UM_API UM_USED um_status um_nuts_step(um_nuts *s, um_rng *rng);

/* Adapts after transition number done of warmup, with 0 before the first. Step sizes follow by dual
 * averaging (section 3.2). Scales are set at the ends of windows, each twice as long as the one before,
 * from the chains of a group together; then step sizes are 0, to be found again. After the last
 * transition of the warm-up step sizes are the averaged ones, and stay. */
UM_API UM_USED um_status um_nuts_adapt(um_nuts *s, int64_t done, int64_t warmup);

#ifdef __cplusplus
}
#endif
#endif
