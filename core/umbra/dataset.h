/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Images to learn from: files (idx, also gzip, FITS cubes, npy, folders of FITS or PNG) or draws
 * from a prior that samples; split into training and held-out images. Not plugin ABI, except that
 * um_prior_ops.fit is handed one.
 *
 * Everything here is a pure function of the source, the seed and the arguments: what was asked
 * before changes nothing, so that a fit that is resumed sees the same images. */
#ifndef UMBRA_DATASET_H
#define UMBRA_DATASET_H

#include <stdbool.h>
#include <umbra/array.h>
#include <umbra/rng.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct um_dataset um_dataset;

/* What a fit needs to know, and its orders. Grows at the end. */
typedef struct um_dataset_info {
	uint32_t size;
	int64_t train, held;     /* images; train = 0: endless fresh draws */
	int64_t shape[5];        /* of an image, as in um_env */
	int threads;
	uint64_t seed;
	double seconds;          /* budget: begin no step after so many; 0: none */
	const char *source;      /* for messages */
	const um_rng *rng;       /* base of every random number of the fit, by um_rng_at */
	double step;             /* width of the uniform noise that hides the rounding of integers and is
	                            in the images already, in units of x; 0: none. Densities of the
	                            integers themselves: add log(step) a pixel */
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

/* ---- for the host ---------------------------------------------------------------- */

typedef enum um_augment {
	UM_AUGMENT_NONE,
	UM_AUGMENT_FLIPS,    /* left and right, top and bottom, by chance */
	UM_AUGMENT_DIHEDRAL, /* and turned by quarters: square images */
} um_augment;

/* Where images come from: an array, or draw, which makes one image a stream. */
typedef struct um_dataset_source {
	const char *name;    /* of it, for messages; copied */
	const char *key;     /* with seed the key of all random numbers, e.g. "train/digits"; copied */
	uint64_t seed;       /* of the pipeline */
	int64_t order;       /* another order, split and noise for equal data */
	int threads;
	int64_t shape[5];
	um_array images;     /* float [n][shape], borrowed; data NULL: draws */
	um_status (*draw)(void *state, um_rng *rng, um_array *x);
	void *state;
	int64_t count;       /* of draws, made once and kept; 0: fresh ones for ever */
	double held_out;     /* a fraction below 1 (of endless draws: of 10000) or a number of images */
	um_augment augment;
	double step;         /* step times noise uniform in (0, 1) is added: fresh in batches, fixed in rows */
	double seconds;
} um_dataset_source;

/* UM_EPARAM where the split leaves nothing to learn from or the image cannot be turned. */
UM_API UM_USED um_status um_dataset_new(const um_dataset_source *s, um_dataset **out);
UM_API void um_dataset_free(um_dataset *d);

#ifdef __cplusplus
}
#endif
#endif
