/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Score U-Nets (Ho et al. 2020, Song et al. 2021): residual blocks on a pyramid of resolutions with
 * skips from the way down to the way up. Not plugin ABI. */
#ifndef UMBRA_UNET_H
#define UMBRA_UNET_H

#include <stdbool.h>
#include <umbra/graph.h>

#ifdef __cplusplus
extern "C" {
#endif

#define UM_UNET_LEVELS 8

/* How the number of pixels changes between levels. */
typedef enum um_resample {
	UM_RESAMPLE_CONV, /* convolutions of stride 2, doubled pixels and a convolution (Ho et al. 2020) */
	UM_RESAMPLE_MEAN, /* residual blocks over means of 2 x 2, and over doubled pixels (DDPM++) */
	UM_RESAMPLE_FIR,  /* residual blocks over smoothed pixels (NCSN++) */
} um_resample;
#define UM_RESAMPLES "conv|mean|fir"

/* Sizes of a network, all of which a weight file records. */
typedef struct um_unet_spec {
	int64_t rows, columns, channels; /* of an image; rows and columns halve from level to level */
	int64_t width;                   /* channels at level i: width * multiplier[i] */
	int levels;
	int64_t multiplier[UM_UNET_LEVELS];
	int64_t blocks;                  /* residual blocks a level; one more on the way up */
	bool attention[UM_UNET_LEVELS];  /* attention at this level: after each block on the way down,
	                                    after the last one on the way up; always at the bottom */
	int64_t groups;                  /* of normalisation; 0: um_layer_groups of each layer */
	um_resample resample;
	bool pyramid;                    /* the image itself, smoothed and halved, joins each level (NCSN++) */
	bool plain_sums;                 /* sums of branches as they are, not divided by sqrt 2 */
	double dropout;                  /* in training; outside it care is taken of bfloat16, um_nn_careful */
} um_unet_spec;

/* Checks the numbers; names the key that is wrong. */
UM_API UM_USED um_status um_unet_check(const um_unet_spec *spec);

/* The output, (rows, columns, channels) as x, for the time label t (rank 0, usually 0 to 999).
 * prefix goes before the names of the weights: "" or "score.". */
UM_API um_node *um_unet(const um_unet_spec *spec, const char *prefix, bool training, um_node *x,
	um_node *t);

#ifdef __cplusplus
}
#endif
#endif
