/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Layers of networks, as nodes of umbra/graph.h. The channel is the last axis. name begins the
 * names of the weights: um_layer_conv(x, "down.0.res.conv1", ..) makes "down.0.res.conv1.w" and
 * ".b". gain is that of UM_INIT_FAN (1: variance 1 / mean of fans; 0: almost zero); biases begin
 * at 0. Builders fail as those of graph.h do. Not plugin ABI. */
#ifndef UMBRA_LAYERS_H
#define UMBRA_LAYERS_H

#include <umbra/graph.h>

#ifdef __cplusplus
extern "C" {
#endif

/* x w + b over the last axis, which becomes width long; w is (before, width). On (rows, columns,
 * channels) that is a 1x1 convolution. */
UM_API um_node *um_layer_dense(um_node *x, const char *name, int64_t width, double gain);

/* Convolution of (rows, columns, channels) with bias; kernel is odd, w (kernel, kernel, before,
 * channels). Zeros around keep the size, or divide it by stride, rounding up. */
UM_API um_node *um_layer_conv(um_node *x, const char *name, int64_t channels, int64_t kernel,
	int64_t stride, double gain);

/* Each pixel twice in rows and columns, then um_layer_conv with kernel 3, in fewer operations. */
UM_API um_node *um_layer_conv_up(um_node *x, const char *name, int64_t channels, double gain);

/* Normalises groups of neighbouring channels over all positions (Wu & He 2018, arXiv:1803.08494),
 * then scales by ".gamma" and shifts by ".beta", which begin at 1 and 0. */
UM_API um_node *um_layer_group_norm(um_node *x, const char *name, int64_t groups);
/* The groups of a layer of so many channels where a network gives none: min(channels / 4, 32), or the most below
 * that divide them. */
UM_API int64_t um_layer_groups(int64_t channels);

/* Normalises each position over its channels (Ba et al. 2016, arXiv:1607.06450). */
UM_API um_node *um_layer_norm(um_node *x, const char *name);

/* sin(t w_j), then cos(t w_j), w_j = 10000^(-j / (width / 2 - 1)), of a rank 0 node. */
UM_API um_node *um_layer_time(um_node *t, int64_t width);

/* x, or with a rate > 0 dropout of it. */
UM_API um_node *um_layer_dropout(um_node *x, double rate);

/* Attention of one head over all pixels of (rows, columns, channels), normalised in groups:
 * factor (x + out(softmax(q k^T / sqrt channels) v)). */
UM_API um_node *um_layer_attention(um_node *x, const char *name, int64_t groups, double factor);

/* A residual block with pre-activation (Ho et al. 2020, arXiv:2006.11239):
 *   h = conv1(resampled(silu(norm1(x)))) + time(silu(temb)),  h = conv2(dropout(silu(norm2(h)))),
 *   factor (skip(resampled(x)) + h),
 * where skip is a 1x1 convolution if the number of channels changes or the size does (Brock et al.
 * 2019, arXiv:1809.11096). temb has rank 1. */
typedef struct um_residual {
	int64_t channels;
	int64_t groups;   /* 0: um_layer_groups */
	double dropout;
	double factor;    /* of the sum; 0: 1 / sqrt 2 */
	um_node *(*resampled)(um_node *x); /* another number of pixels; NULL: as many */
	bool careful;     /* um_nn_careful for the skip convolution, which the whole stream goes through */
} um_residual;
UM_API um_node *um_layer_residual(um_node *x, um_node *temb, const char *name, const um_residual *r);

/* Each pixel twice in rows and columns, and means of 2 x 2 pixels. */
UM_API um_node *um_layer_double(um_node *x);
UM_API um_node *um_layer_halve(um_node *x);
/* Each pixel factor x factor times. */
UM_API um_node *um_layer_nearest(um_node *x, int64_t factor);
/* Twice or half the pixels through the smoothing kernel (1, 3, 3, 1) / 8 on both axes, as StyleGAN
 * 2 does (Karras et al. 2020, arXiv:1912.04958); means stay. */
UM_API um_node *um_layer_fir_up(um_node *x);
UM_API um_node *um_layer_fir_down(um_node *x);

#ifdef __cplusplus
}
#endif
#endif
