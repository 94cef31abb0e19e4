/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Images to learn from: files (idx, also gzip, FITS cubes, npy, folders of FITS or PNG) or draws
 * from a prior that samples; split into training and held-out images. Not plugin ABI, except that
 * um_prior_ops.fit is handed one. */
#ifndef UMBRA_DATASET_H
#define UMBRA_DATASET_H

#include <stdbool.h>
#include <umbra/array.h>
#include <umbra/rng.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct um_dataset um_dataset;

/* What a fit needs to know, and its orders. */
typedef struct um_dataset_info {
	uint32_t size;
	int64_t train, held;     /* images; train = 0: endless fresh draws */
	int64_t shape[5];        /* of an image, as in um_env */
	int threads;
	uint64_t seed;
	double seconds;          /* budget: begin no step after so many; 0: none */
	const char *source;      /* for messages */
	const um_rng *rng;       /* base of every random number of the fit, by um_rng_at */
} um_dataset_info;

UM_API const um_dataset_info *um_dataset_about(const um_dataset *d);

/* count images for one step, x float [count][shape]: the numbers step * count .. of a stream that
 * runs through all training images, shuffled anew each time, augmented where the pipeline says so;
 * the same for equal step and count whatever came before. */
UM_API UM_USED um_status um_dataset_batch(um_dataset *d, int64_t step, int64_t count, um_array *x);
/* Training images (or held-out ones) first .. first + count - 1, in the order of the source, not
 * augmented. Of endless draws, training images are draws first ... */
UM_API UM_USED um_status um_dataset_rows(um_dataset *d, bool held, int64_t first, int64_t count,
	um_array *x);

#ifdef __cplusplus
}
#endif
#endif
