/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Parallel tempering: chains at several temperatures T, in which those next to each other on the ladder swap places with
 * the probability that leaves all laws as they are (Geyer 1991), so that what crosses between modes at the top comes down to
 * T = 1. Pairs from even and odd rungs swap in turn, which climbs faster than at random (Syed et al. 2022,
 * doi:10.1111/rssb.12464). Not plugin ABI. */
#ifndef UMBRA_LADDER_H
#define UMBRA_LADDER_H

#include <umbra/nuts.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { UM_LADDER_ARRAYS = 3 };

/* Row g chains + c of all arrays is chain c of rung g. */
typedef struct um_ladder {
	/* ---- set these ---- */
	int64_t rungs, chains;
	const double *temperature; /* [rungs], ascending from 1 */

	/* ---- the state, of swaps that count ---- */
	um_array swaps; /* [rungs][2] how likely swaps from a rung to the next were, added up, and how many could have been */
	um_array trips; /* [1] see um_ladder_trips */
	um_array hot;   /* [rows] whether what is there was at the top since it was last at T = 1 */
} um_ladder;

/* Allocates for the settings. Free it whether or not this works. */
UM_API UM_USED um_status um_ladder_new(um_ladder *l);
UM_API void um_ladder_free(um_ladder *l);

/* All arrays of the state with names for a checkpoint; how many, UM_LADDER_ARRAYS. */
UM_API int um_ladder_state(um_ladder *l, const char *name[], um_array *array[]);

/* 1 / T of a rung. */
UM_API double um_ladder_beta(const um_ladder *l, int64_t rung);

/* Swaps after transition number t of chains whose groups are the rungs and whose part is the derivative of lp by 1 / T;
 * rng [rows], a stream for the lower chain of each pair. Whether any did: then gradients of s are stale. */
UM_API bool um_ladder_swap(um_ladder *l, um_nuts *s, int64_t t, bool counts, um_rng *rng);

/* The share of swaps between the two rungs that do so least, of which *rung is the lower one; NaN before any could. */
UM_API double um_ladder_least(const um_ladder *l, int64_t *rung);

/* How often what is at T = 1 came down from the top. */
UM_API int64_t um_ladder_trips(const um_ladder *l);

#ifdef __cplusplus
}
#endif
#endif
