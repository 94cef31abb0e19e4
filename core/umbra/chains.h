/* SPDX-License-Identifier: GPL-3.0-or-later */
/* How far draws of Markov chains can be trusted: rank-normalised split R-hat and effective sample
 * sizes (Vehtari, Gelman, Simpson, Carpenter & Bürkner 2021, doi:10.1214/20-BA1221). Versioned with
 * libumbra; not part of the plugin ABI. */
#ifndef UMBRA_CHAINS_H
#define UMBRA_CHAINS_H

#include <stdbool.h>
#include <umbra/array.h>
#include <umbra/problem.h>
#include <umbra/sink.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Of one number. Where chains agree rhat is 1 but for noise; below 1.01 is usual before means are
 * believed, and both sizes above 400. Everything is NaN with fewer than 4 draws a chain, where a draw
 * is not finite, and where all are equal; rhat is infinite where chains stand still apart. */
typedef struct um_convergence {
	double rhat;     /* the larger one of ranks, which sees chains in different places, and of ranks of
	                    distances from the median, which sees different widths */
	double ess_bulk; /* of ranks: how many independent draws tell the middle of the law as well */
	double ess_tail; /* the smaller one for the 5 % and the 95 % quantile */
	double ess_mean; /* of the numbers themselves: the mean is known to sd / sqrt(ess_mean) */
} um_convergence;

/* x [chains][draws], of which each chain is judged in halves (of an odd number the middle draw is
 * left out). One chain will do. UM_ENOMEM is the only failure. */
UM_API UM_USED um_status um_chains(int64_t chains, int64_t draws, const double *x, um_convergence *out);

/* Each figure at its worst over n numbers: kept is float [chains][draws][n]. Numbers that never change
 * have no say. */
UM_API UM_USED um_status um_chains_worst(const um_array *kept, um_convergence *out);

/* Tells how far draws of an inference plugin can be trusted: metrics rhat, ess_bulk and ess_tail, each at its
 * worst over the numbers of kept and the log densities lp [chains][draws], which must be full, and warnings
 * in words, in which apart says what may help where chains disagree. *good: there is nothing to warn of. */
UM_API UM_USED um_status um_chains_report(um_sink *sink, const um_array *kept, const um_array *lp,
	const char *apart, bool *good);

/* Hands samples to the sink, as many as the problem asks for and there are: from all chains in turn, evenly spread over
 * the first so many draws of each. kept is float [chains][draws or more][n]. */
UM_API UM_USED um_status um_chains_deliver(const um_problem *problem, const um_array *kept, int64_t draws, um_sink *sink);

/* The q quantile (0..1) of n >= 1 ascending numbers, interpolated linearly. */
UM_API double um_quantile(const double *sorted, int64_t n, double q);

#ifdef __cplusplus
}
#endif
#endif
