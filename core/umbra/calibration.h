/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Ranks of truths among posterior samples (simulation-based calibration: Talts et al. 2018, arXiv:1804.06788). A
 * truth drawn from the prior and L samples of the posterior of its data are L + 1 draws of one law, so that a
 * posterior that is right makes every rank 0 .. L as likely. Any number that can be computed of an image has
 * ranks: a pixel, a sum, the distance from a point (TARP: Lemos et al. 2023, arXiv:2302.03026). Bands about the
 * distribution function of ranks hold at all points at once (Säilynoja, Bürkner & Vehtari 2022,
 * doi:10.1007/s11222-022-10090-6, whose recursion this is). Versioned with libumbra; not part of the plugin ABI. */
#ifndef UMBRA_CALIBRATION_H
#define UMBRA_CALIBRATION_H

#include <stdint.h>
#include <umbra/rng.h>
#include <umbra/status.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { UM_RANK_POINTS = 100 }; /* at most so many points are looked at */

/* The law of n independent ranks, each uniform on 0 .. most. Open for reading. */
typedef struct um_rank_law {
	int64_t n, most;
	int points;
	int64_t edge[UM_RANK_POINTS]; /* ascending; a rank is below edge[k] with probability edge[k] / (most + 1) */
	double *lower, *upper;        /* [points][n + 1]: probabilities of at most, and at least, m ranks below */
	double *factorial;            /* [n + 1] logarithms */
} um_rank_law;

/* n, most >= 1. */
UM_API UM_USED um_status um_rank_law_new(int64_t n, int64_t most, um_rank_law *law);
UM_API void um_rank_law_free(um_rank_law *law);

/* The rank of a truth among L samples: how many are below it, and, of those that equal it, so many as chance says. */
UM_API int64_t um_rank(um_rng *rng, double truth, int64_t samples, const double *value);

/* count[k] ranks of n, stride numbers apart, are below edge[k]. */
UM_API void um_rank_counts(const um_rank_law *law, const int64_t *rank, int64_t stride, int64_t *count);

/* The smallest of the two-sided tail probabilities of these counts, each for itself; *at (or NULL): where. */
UM_API double um_rank_tail(const um_rank_law *law, const int64_t *count, int *at);

/* The probability that uniform ranks have such a tail or a smaller one, at whatever point. */
UM_API UM_USED um_status um_rank_p(const um_rank_law *law, double tail, double *p);

/* lo[k] .. hi[k]: within these all counts of uniform ranks are with probability level, or as little more as whole
 * numbers allow. */
UM_API UM_USED um_status um_rank_band(const um_rank_law *law, double level, int64_t *lo, int64_t *hi);

/* A rank r is anywhere in r / (most + 1) .. (r + 1) / (most + 1): how much of that is between a and b. Its mean over
 * uniform ranks is b - a exactly. */
UM_API double um_rank_share(int64_t rank, int64_t most, double a, double b);

/* Whether numbers v [n] have an expected mean, by Student's t; sd of one of them is taken as least at least. */
typedef struct um_mean_test {
	double mean, error; /* its standard error */
	double p;           /* two-sided */
} um_mean_test;
UM_API um_mean_test um_test_mean(const double *v, int64_t n, double expected, double least);

#ifdef __cplusplus
}
#endif
#endif
