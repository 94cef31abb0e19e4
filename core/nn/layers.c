/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Layers (umbra/layers.h). Normalisations are written so that every pass over the activations is
 * one chain of element-wise operations or one sum: statistics become a factor and a term for each
 * channel, which are small nodes. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <umbra/layers.h>

#define EPS 1e-6 /* of normalisations, as in the networks of Song et al. 2021 */

static const um_init zero = { UM_INIT_CONSTANT, 0 }, one = { UM_INIT_CONSTANT, 1 };

/* The weight name.part. */
static um_node *weight(um_graph *g, const char *name, const char *part, int rank,
	const int64_t dim[], um_init init)
{
	char full[160];
	if (snprintf(full, sizeof(full), "%s.%s", name, part) >= (int)sizeof(full))
		return um_graph_fail(g, "weight %.40s...: the name is longer than %d characters", name,
			(int)sizeof(full) - 1);
	return um_nn_weight(g, full, rank, dim, init);
}

/* A layer inside another. */
typedef struct label {
	char text[144];
} label;

static label inner(const char *name, const char *part)
{
	label l;
	snprintf(l.text, sizeof(l.text), "%s.%s", name, part);
	return l;
}

um_node *um_layer_dense(um_node *x, const char *name, int64_t width, double gain)
{
	if (x == NULL)
		return NULL;
	um_graph *g = um_node_graph(x);
	const int rank = um_node_rank(x);
	if (rank == 0 || width < 1)
		return um_graph_fail(g, "dense layer %s: %lld outputs of an input of rank %d", name,
			(long long)width, rank);
	const int64_t before = um_node_dim(x)[rank - 1];
	um_node *w = weight(g, name, "w", 2, (int64_t[]){ before, width }, (um_init){ UM_INIT_FAN, gain });
	um_node *b = weight(g, name, "b", 1, (int64_t[]){ width }, zero);
	um_node *y = x;
	if (rank == 1)
		y = um_nn_reshape(y, 2, (int64_t[]){ 1, before });
	y = um_nn_matmul(y, w, false, false);
	if (rank == 1)
		y = um_nn_reshape(y, 1, (int64_t[]){ width });
	return um_nn_add(y, b);
}

/* Without bias. */
static um_node *convolve(um_node *x, const char *name, int64_t channels, int64_t kernel,
	int64_t stride, double gain)
{
	if (x == NULL)
		return NULL;
	um_graph *g = um_node_graph(x);
	if (um_node_rank(x) != 3 || kernel % 2 == 0 || kernel < 1 || stride < 1 || channels < 1)
		return um_graph_fail(g, "convolution %s: %lld channels, kernel %lld, stride %lld on rank %d: "
			"the kernel must be odd, the rank 3", name, (long long)channels, (long long)kernel,
			(long long)stride, um_node_rank(x));
	const int64_t pad = kernel / 2;
	const int64_t dim[] = { kernel, kernel, um_node_dim(x)[2], channels };
	um_node *w = weight(g, name, "w", 4, dim, (um_init){ UM_INIT_FAN, gain });
	return um_nn_conv(x, w, &(um_conv){ stride, pad, pad, pad, pad });
}

static um_node *bias(um_graph *g, const char *name, int64_t channels)
{
	return weight(g, name, "b", 1, (int64_t[]){ channels }, zero);
}

um_node *um_layer_conv(um_node *x, const char *name, int64_t channels, int64_t kernel, int64_t stride,
	double gain)
{
	um_node *y = convolve(x, name, channels, kernel, stride, gain);
	return y == NULL ? NULL : um_nn_add(y, bias(um_node_graph(y), name, channels));
}

/* A kernel w over doubled pixels meets each pixel in one or two places: output 2m is w0 x[m-1] +
 * (w1 + w2) x[m], output 2m + 1 is (w0 + w1) x[m] + w2 x[m+1]. Both are kernels of two taps, so four
 * times the channels of a 2x2 convolution hold the four pixels that each pixel becomes: 16 products
 * where there were 36. w (3, 3, ci, co) to (2, 2, ci, [parity of row, of column] co). */
static um_node *doubled(um_graph *g, um_node *w, int64_t ci, int64_t co)
{
	static const double tap[2][2][3] = { { { 1, 0, 0 }, { 0, 1, 1 } }, { { 1, 1, 0 }, { 0, 0, 1 } } };
	double both[16][9]; /* [tap of rows, of columns, parity of row, of column] */
	for (int i = 0; i < 16; i++)
		for (int j = 0; j < 9; j++)
			both[i][j] = tap[i / 2 % 2][i / 8][j / 3] * tap[i % 2][i / 4 % 2][j % 3];
	um_node *sums = um_nn_constant(g, 2, (int64_t[]){ 16, 9 }, both[0]);
	w = um_nn_matmul(sums, um_nn_reshape(w, 2, (int64_t[]){ 9, ci * co }), false, false);
	w = um_nn_permute(um_nn_reshape(w, 4, (int64_t[]){ 4, 4, ci, co }), (int[]){ 0, 2, 1, 3 });
	return um_nn_reshape(w, 4, (int64_t[]){ 2, 2, ci, 4 * co });
}

/* (rows + 1, columns + 1, [parities] channels) to (2 rows, 2 columns, channels): pixel 2m + a is parity
 * a of position m + a. */
static um_node *spread_pixels(um_node *z, int64_t rows, int64_t columns, int64_t channels)
{
	const int64_t count = 4 * rows * columns;
	int64_t *index = malloc(sizeof(*index) * (size_t)count);
	if (index == NULL || z == NULL) {
		free(index);
		return z == NULL ? NULL : um_graph_fail(um_node_graph(z), "convolution: out of memory");
	}
	for (int64_t k = 0; k < count; k++) {
		const int64_t r = k / (2 * columns), s = k % (2 * columns), a = r % 2, b = s % 2;
		index[k] = ((r / 2 + a) * (columns + 1) + s / 2 + b) * 4 + 2 * a + b;
	}
	z = um_nn_reshape(z, 2, (int64_t[]){ 4 * (rows + 1) * (columns + 1), channels });
	z = um_nn_gather(z, 0, count, index);
	free(index);
	return um_nn_reshape(z, 3, (int64_t[]){ 2 * rows, 2 * columns, channels });
}

um_node *um_layer_conv_up(um_node *x, const char *name, int64_t channels, double gain)
{
	if (x == NULL)
		return NULL;
	um_graph *g = um_node_graph(x);
	if (um_node_rank(x) != 3 || channels < 1)
		return um_graph_fail(g, "convolution %s: %lld channels on rank %d: the rank must be 3", name,
			(long long)channels, um_node_rank(x));
	const int64_t *d = um_node_dim(x);
	const int64_t dim[] = { 3, 3, d[2], channels };
	um_node *w = weight(g, name, "w", 4, dim, (um_init){ UM_INIT_FAN, gain });
	x = um_nn_conv(x, doubled(g, w, d[2], channels), &(um_conv){ 1, 1, 1, 1, 1 });
	return um_nn_add(spread_pixels(x, d[0], d[1], channels), bias(g, name, channels));
}

/* ---- normalisation ----------------------------------------------------------------- */

int64_t um_layer_groups(int64_t channels)
{
	int64_t groups = channels / 4;
	groups = groups < 1 ? 1 : groups > 32 ? 32 : groups;
	while (channels % groups != 0)
		groups--;
	return groups;
}

/* (.., C) -> (C): means over all positions and over the channels of a group. */
static um_node *group_mean(um_node *x, int64_t groups)
{
	if (x == NULL)
		return NULL;
	const int rank = um_node_rank(x);
	const int64_t channels = um_node_dim(x)[rank - 1], positions = um_node_len(x) / channels;
	um_node *sum = um_nn_sum(x, (1u << (rank - 1)) - 1);
	return um_nn_group_mean(um_nn_reshape(sum, 1, &channels), groups, 1 / (double)positions);
}

/* var = E[(x - c)^2] - (E[x] - c)^2 for any c. Both sums come from one pass over x where c is known
 * before; little cancels where c is about as far from the mean as other numbers of the group are,
 * such as the mean of its first pixel. As the identity holds for every c, c is held fixed in
 * derivatives. */
um_node *um_layer_group_norm(um_node *x, const char *name, int64_t groups)
{
	if (x == NULL)
		return NULL;
	um_graph *g = um_node_graph(x);
	const int rank = um_node_rank(x);
	const int64_t channels = rank > 0 ? um_node_dim(x)[rank - 1] : 0;
	if (rank == 0 || groups < 1 || channels % groups != 0)
		return um_graph_fail(g, "normalisation %s: %lld channels cannot be split into %lld groups",
			name, (long long)channels, (long long)groups);
	um_node *gamma = weight(g, name, "gamma", 1, &channels, one);
	um_node *beta = weight(g, name, "beta", 1, &channels, zero);
	um_node *rest = um_nn_sub(x, um_nn_group_mean(um_nn_sample(x), groups, 1));
	um_node *mean = group_mean(rest, groups);
	um_node *var = um_nn_relu(um_nn_sub(group_mean(um_nn_square(rest), groups), um_nn_square(mean)));
	um_node *factor = um_nn_div(gamma, um_nn_sqrt(um_nn_shift(var, EPS)));
	return um_nn_add(um_nn_mul(rest, factor), um_nn_sub(beta, um_nn_mul(mean, factor)));
}

um_node *um_layer_norm(um_node *x, const char *name)
{
	if (x == NULL)
		return NULL;
	um_graph *g = um_node_graph(x);
	const int rank = um_node_rank(x);
	if (rank == 0)
		return um_graph_fail(g, "normalisation %s: the input is a single number", name);
	const int64_t *channels = um_node_dim(x) + rank - 1;
	const unsigned last = 1u << (rank - 1);
	um_node *mean = um_nn_mean(x, last);
	um_node *fixed = um_nn_detach(mean);
	um_node *off = um_nn_sub(mean, fixed);
	um_node *centred = um_nn_sub(x, fixed);
	um_node *var = um_nn_sub(um_nn_mean(um_nn_square(centred), last), um_nn_square(off));
	um_node *y = um_nn_div(um_nn_sub(centred, off), um_nn_sqrt(um_nn_shift(var, EPS)));
	y = um_nn_mul(y, weight(g, name, "gamma", 1, channels, one));
	return um_nn_add(y, weight(g, name, "beta", 1, channels, zero));
}

/* ---- time, dropout ------------------------------------------------------------------- */

um_node *um_layer_time(um_node *t, int64_t width)
{
	enum { MOST = 2048 };
	double w[MOST];
	if (t == NULL)
		return NULL;
	um_graph *g = um_node_graph(t);
	const int64_t half = width / 2;
	if (um_node_rank(t) != 0 || width % 2 != 0 || half < 2 || half > MOST)
		return um_graph_fail(g, "time embedding: width %lld of a time of rank %d: the width must be "
			"even, 4 to %d, the rank 0", (long long)width, um_node_rank(t), 2 * MOST);
	for (int64_t j = 0; j < half; j++)
		w[j] = exp(-log(10000.0) * (double)j / (double)(half - 1));
	um_node *phase = um_nn_mul(t, um_nn_constant(g, 1, &half, w));
	return um_nn_concat(um_nn_sin(phase), um_nn_cos(phase), 0);
}

um_node *um_layer_dropout(um_node *x, double rate)
{
	if (x == NULL || rate == 0)
		return x;
	return um_nn_mul(x, um_nn_dropout_mask(um_node_graph(x), um_node_rank(x), um_node_dim(x), rate));
}

/* ---- blocks ---------------------------------------------------------------------------- */

um_node *um_layer_attention(um_node *x, const char *name, int64_t groups, double factor)
{
	if (x == NULL)
		return NULL;
	if (um_node_rank(x) != 3)
		return um_graph_fail(um_node_graph(x), "attention %s: the input has rank %d, not 3", name,
			um_node_rank(x));
	const int64_t *dim = um_node_dim(x);
	const int64_t c = dim[2];
	um_node *h = um_layer_group_norm(x, inner(name, "norm").text, groups);
	h = um_nn_reshape(h, 2, (int64_t[]){ dim[0] * dim[1], c });
	um_node *q = um_nn_scale(um_layer_dense(h, inner(name, "q").text, c, 0.1), 1 / sqrt((double)c));
	um_node *k = um_layer_dense(h, inner(name, "k").text, c, 0.1);
	um_node *v = um_layer_dense(h, inner(name, "v").text, c, 0.1);
	h = um_nn_matmul(um_nn_softmax(um_nn_matmul(q, k, false, true)), v, false, false);
	h = um_nn_reshape(um_layer_dense(h, inner(name, "out").text, c, 0), 3, dim);
	return um_nn_scale(um_nn_add(x, h), factor);
}

um_node *um_layer_residual(um_node *x, um_node *temb, const char *name, const um_residual *r)
{
	if (x == NULL || temb == NULL)
		return NULL;
	um_graph *g = um_node_graph(x);
	const int64_t co = r->channels;
	const int64_t ci = um_node_rank(x) == 3 ? um_node_dim(x)[2] : 0;
	um_node *h = um_layer_group_norm(x, inner(name, "norm1").text, r->groups ? r->groups : um_layer_groups(ci));
	h = um_nn_silu(h);
	if (r->resampled != NULL) {
		h = r->resampled(h);
		x = r->resampled(x);
	}
	h = convolve(h, inner(name, "conv1").text, co, 3, 1, 1);
	um_node *t = um_layer_dense(um_nn_silu(temb), inner(name, "time").text, co, 1);
	/* The bias and the time make one term a channel. */
	h = um_nn_add(h, um_nn_add(t, bias(g, inner(name, "conv1").text, co)));
	h = um_layer_group_norm(h, inner(name, "norm2").text, r->groups ? r->groups : um_layer_groups(co));
	h = um_layer_dropout(um_nn_silu(h), r->dropout);
	h = um_layer_conv(h, inner(name, "conv2").text, co, 3, 1, 0);
	const bool skip = ci != co || r->resampled != NULL;
	if (skip)
		x = um_layer_dense(r->careful ? um_nn_careful(x) : x, inner(name, "skip").text, co, 1);
	if (skip && r->careful)
		x = um_nn_careful(x);
	return um_nn_scale(um_nn_add(x, h), r->factor != 0 ? r->factor : sqrt(0.5));
}

/* ---- resampling ------------------------------------------------------------------------ */

um_node *um_layer_nearest(um_node *x, int64_t factor)
{
	if (x == NULL)
		return NULL;
	if (um_node_rank(x) != 3 || factor < 1)
		return um_graph_fail(um_node_graph(x), "nearest neighbours: factor %lld on rank %d, not 3",
			(long long)factor, um_node_rank(x));
	double ones[16];
	if (factor > 4)
		return um_graph_fail(um_node_graph(x), "nearest neighbours: factor %lld, at most 4",
			(long long)factor);
	for (int i = 0; i < 16; i++)
		ones[i] = 1;
	return um_nn_fir(x, &(um_fir){ .up = factor, .down = 1, .kernel_rows = factor,
		.kernel_columns = factor, .kernel = ones, .top = factor - 1, .left = factor - 1 });
}

um_node *um_layer_double(um_node *x)
{
	return um_layer_nearest(x, 2);
}

um_node *um_layer_halve(um_node *x)
{
	static const double quarter[4] = { 0.25, 0.25, 0.25, 0.25 };
	return um_nn_fir(x, &(um_fir){ .up = 1, .down = 2, .kernel_rows = 2, .kernel_columns = 2, .kernel = quarter });
}

/* gain^2 times the kernel of unit sum on both axes. */
static um_node *fir(um_node *x, int64_t up, int64_t down, double gain, int64_t before, int64_t after)
{
	static const double tap[4] = { 0.125, 0.375, 0.375, 0.125 };
	double kernel[4][4];
	for (int i = 0; i < 4; i++)
		for (int j = 0; j < 4; j++)
			kernel[i][j] = gain * gain * tap[i] * tap[j];
	return um_nn_fir(x, &(um_fir){ .up = up, .down = down, .kernel_rows = 4, .kernel_columns = 4,
		.kernel = kernel[0], .top = before, .bottom = after, .left = before, .right = after });
}

um_node *um_layer_fir_up(um_node *x)
{
	return fir(x, 2, 1, 2, 2, 1);
}

um_node *um_layer_fir_down(um_node *x)
{
	return fir(x, 1, 2, 1, 1, 1);
}
