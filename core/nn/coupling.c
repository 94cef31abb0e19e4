/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Affine couplings (Dinh et al. 2017, eq. 7-8): y_a = x_a, y_b = x_b e^s(x_a) + t(x_a), with
 * s = bound tanh(s0 / bound) and nets of leaky ReLU layers whose last layer starts at zero. The
 * log-determinant is the sum of s. A condition is concatenated to x_a, the half that stays. */
#include <math.h>
#include <stdio.h>
#include "nn/coupling.h"

/* Slope of the leaky ReLU, and what BatchNorm adds to a variance; as in DPI. */
static const double SLOPE = 0.01, BN_EPS = 1e-2;

static um_node *weight(um_coupling *c, const char *name, int64_t layer, int rank, const int64_t dim[],
	um_init init)
{
	char full[256];
	if (layer < 0)
		snprintf(full, sizeof(full), "%s.%lld.%s", c->prefix, (long long)c->k, name);
	else
		snprintf(full, sizeof(full), "%s.%lld.%s%lld", c->prefix, (long long)c->k, name, (long long)layer);
	return um_nn_weight(c->graph, full, rank, dim, init);
}

static int64_t width(const um_node *x)
{
	return um_node_dim(x)[um_node_rank(x) - 1];
}

static void count(um_coupling *c, um_node *logdet)
{
	if (c->inverse)
		logdet = um_nn_neg(logdet);
	c->logdet = c->logdet == NULL ? logdet : um_nn_add(c->logdet, logdet);
}

um_node *um_couple_scale(um_coupling *c, const char *name, um_node *x)
{
	const um_init zero = { UM_INIT_CONSTANT, 0 };
	char scale[32], shift[32];
	if (x == NULL)
		return NULL;
	const int64_t n = width(x), each = um_node_len(x) / n;
	snprintf(scale, sizeof(scale), "scale%s", name);
	snprintf(shift, sizeof(shift), "shift%s", name);
	um_node *s = weight(c, scale, -1, 1, &n, zero), *b = weight(c, shift, -1, 1, &n, zero);
	count(c, um_nn_scale(um_nn_sum(s, UM_NN_ALL), (double)each));
	if (c->inverse)
		return um_nn_mul(um_nn_sub(x, b), um_nn_exp(um_nn_neg(s)));
	return um_nn_add(um_nn_mul(x, um_nn_exp(s)), b);
}

/* ---- nets ------------------------------------------------------------------------ */

/* A layer with n outputs: a product, or a 3 x 3 convolution that keeps the size. */
static um_node *layer(um_coupling *c, const char *w, const char *b, int64_t number, um_node *x, int64_t n,
	bool zero)
{
	static const um_conv same = { 1, 1, 1, 1, 1 };
	if (x == NULL)
		return NULL;
	const int64_t ci = width(x), fan = c->spec->convolutional ? 9 * ci : ci;
	const int64_t dense[2] = { ci, n }, conv[4] = { 3, 3, ci, n };
	const um_init he = { UM_INIT_NORMAL, zero ? 0 : sqrt(2 / (double)fan) };
	const um_init some = { UM_INIT_NORMAL, zero ? 0 : sqrt(1 / (3 * (double)fan)) };
	um_node *kernel = c->spec->convolutional ? weight(c, w, number, 4, conv, he) : weight(c, w, number, 2, dense, he);
	um_node *y = c->spec->convolutional ? um_nn_conv(x, kernel, &same) : um_nn_matmul(x, kernel, false, false);
	return um_nn_add(y, weight(c, b, number, 1, &n, some));
}

/* All statistics of a flow are one vector; this layer's are a piece of it. */
static um_node *frozen(um_coupling *c, const char *name, double start, int64_t number)
{
	const int64_t n = c->spec->hidden, each = c->spec->depth - 1, all = c->spec->couplings * each * n;
	char full[256];
	snprintf(full, sizeof(full), "%s.%s", c->prefix, name);
	um_node *w = um_nn_weight(c->graph, full, 1, &all, (um_init){ UM_INIT_CONSTANT, start });
	return um_nn_slice(w, 0, (c->k * each + number) * n, n);
}

/* The next piece of statistics; couplings are visited backwards where the flow is inverted. */
static um_node *piece(um_node *all, um_node *next, bool before)
{
	return all == NULL ? next : before ? um_nn_concat(next, all, 0) : um_nn_concat(all, next, 0);
}

/* (x - mean) / sqrt(var + eps), then scale and shift; Ioffe & Szegedy 2015. Statistics of the batch,
 * where they are taken, are added to those of the coupling. */
static um_node *normalise(um_coupling *c, int64_t number, um_node *x, um_node *batch[2])
{
	const int64_t n = c->spec->hidden;
	um_node *mean = frozen(c, "running_mean", 0, number), *var = frozen(c, "running_var", 1, number);
	if (x == NULL)
		return NULL;
	if (c->training) {
		const unsigned axes = (1u << (um_node_rank(x) - 1)) - 1;
		mean = um_nn_reshape(um_nn_batch_mean(um_nn_mean(x, axes)), 1, &n);
		um_node *square = um_nn_square(um_nn_sub(x, mean));
		var = um_nn_reshape(um_nn_batch_mean(um_nn_mean(square, axes)), 1, &n);
		batch[0] = piece(batch[0], mean, false);
		batch[1] = piece(batch[1], var, false);
	}
	um_node *gain = weight(c, "gain", number, 1, &n, (um_init){ UM_INIT_CONSTANT, 1 });
	um_node *bias = weight(c, "offset", number, 1, &n, (um_init){ UM_INIT_CONSTANT, 0 });
	um_node *unit = um_nn_div(um_nn_sub(x, mean), um_nn_sqrt(um_nn_shift(var, BN_EPS)));
	return um_nn_add(um_nn_mul(unit, gain), bias);
}

/* The hidden layers at a and the condition. */
static um_node *hidden(um_coupling *c, um_node *a)
{
	um_node *h = c->condition == NULL ? a : um_nn_concat(a, c->condition, um_node_rank(a) - 1);
	um_node *batch[2] = { NULL, NULL };
	for (int64_t i = 0; i < c->spec->depth - 1; i++) {
		h = um_nn_leaky_relu(layer(c, "w", "b", i, h, c->spec->hidden, false), SLOPE);
		if (c->spec->batchnorm)
			h = normalise(c, i, h, batch);
	}
	if (batch[0] != NULL) {
		c->mean = piece(c->mean, batch[0], c->inverse);
		c->var = piece(c->var, batch[1], c->inverse);
	}
	return h;
}

um_node *um_couple(um_coupling *c, um_node *a, um_node *b, um_node *mask)
{
	const double bound = c->spec->bound;
	if (a == NULL || b == NULL)
		return NULL;
	um_node *h = hidden(c, a);
	um_node *s = layer(c, "ws", "bs", -1, h, width(b), true), *t = layer(c, "wt", "bt", -1, h, width(b), true);
	s = um_nn_scale(um_nn_tanh(um_nn_scale(s, 1 / bound)), bound);
	if (mask != NULL) {
		s = um_nn_mul(s, mask);
		t = um_nn_mul(t, mask);
	}
	count(c, um_nn_sum(s, UM_NN_ALL));
	if (c->inverse)
		return um_nn_mul(um_nn_sub(b, t), um_nn_exp(um_nn_neg(s)));
	return um_nn_add(um_nn_mul(b, um_nn_exp(s)), t);
}
