/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Counter-based random numbers: Philox 4x64 with 10 rounds (Salmon et al. 2011,
 * doi:10.1145/2063384.2063405). A stream is fixed by (seed, name, index), so that
 * batching, threads and the order of work change nothing. */
#ifndef UMBRA_RNG_H
#define UMBRA_RNG_H

#include <stdint.h>
#include <umbra/status.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A value: copying it forks the stream. 13 words; a checkpoint may store it. */
typedef struct um_rng {
	uint64_t key[2];     /* seed, hash of a name */
	uint64_t counter[4]; /* position, index, stream, 0 */
	uint64_t block[4];   /* numbers made and not used yet */
	uint64_t left;       /* how many of block */
	double spare;        /* the second number of a Box-Muller pair */
	uint64_t has_spare;
} um_rng;

/* The stream number index of a seed and a name (a cell, a stage). */
UM_API um_rng um_rng_new(uint64_t seed, const char *name, uint64_t index);

/* Stream (stream, index) with the key of base; does not depend on base's position. */
UM_API um_rng um_rng_at(const um_rng *base, uint64_t stream, uint64_t index);

UM_API uint64_t um_rng_bits(um_rng *r);
UM_API double um_uniform(um_rng *r);      /* in (0, 1), never 0 or 1 */
UM_API double um_normal(um_rng *r);       /* mean 0, variance 1 */
UM_API double um_rademacher(um_rng *r);   /* -1 or 1 */
UM_API void um_normal_fill(um_rng *r, double *out, int64_t n);

#ifdef __cplusplus
}
#endif
#endif
