/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Couplings of images (Dinh et al. 2017, §3.4-3.6): first on checkerboards at full resolution; then,
 * while both sides are even and large enough, four neighbours become four channels (squeeze) and
 * couplings change one half of the channels each, shuffled between pairs. Nothing is factored out. */
#include <stdlib.h>
#include "nn/coupling.h"

enum { SIDE = 7, SQUEEZES = 8 }; /* smallest side that a squeeze leaves */

/* How often images are squeezed. */
static int64_t depth(const um_flow_spec *s)
{
	int64_t n = 0, rows = s->rows, columns = s->columns;
	while (n < SQUEEZES && rows % 2 == 0 && columns % 2 == 0 && rows / 2 >= SIDE && columns / 2 >= SIDE) {
		rows /= 2;
		columns /= 2;
		n++;
	}
	return n;
}

/* (rows, columns, c) -> (rows / 2, columns / 2, 4 c). */
static um_node *squeeze(um_node *x)
{
	static const int order[] = { 0, 2, 1, 3, 4 };
	if (x == NULL)
		return NULL;
	const int64_t *d = um_node_dim(x), r = d[0] / 2, c = d[1] / 2, n = d[2];
	const int64_t five[5] = { r, 2, c, 2, n }, three[3] = { r, c, 4 * n };
	return um_nn_reshape(um_nn_permute(um_nn_reshape(x, 5, five), order), 3, three);
}

static um_node *unsqueeze(um_node *x)
{
	static const int order[] = { 0, 2, 1, 3, 4 };
	if (x == NULL)
		return NULL;
	const int64_t *d = um_node_dim(x), r = d[0], c = d[1], n = d[2] / 4;
	const int64_t five[5] = { r, c, 2, 2, n }, three[3] = { 2 * r, 2 * c, n };
	return um_nn_reshape(um_nn_permute(um_nn_reshape(x, 5, five), order), 3, three);
}

/* 1 where row + column has this parity. */
static um_node *checkerboard(um_coupling *c, int64_t parity)
{
	const um_flow_spec *s = c->spec;
	const int64_t dim[3] = { s->rows, s->columns, 1 };
	double *v = calloc((size_t)(s->rows * s->columns), sizeof(double));
	if (v == NULL)
		return um_graph_fail(c->graph, "flow: out of memory");
	for (int64_t i = 0; i < s->rows * s->columns; i++)
		v[i] = (i / s->columns + i % s->columns) % 2 == parity;
	um_node *mask = um_nn_constant(c->graph, 3, dim, v);
	free(v);
	return mask;
}

static um_node *couple_pixels(um_coupling *c, um_node *x)
{
	um_node *change = checkerboard(c, c->k % 2), *keep = checkerboard(c, 1 - c->k % 2);
	if (x == NULL || keep == NULL)
		return NULL;
	if (!c->inverse)
		x = um_couple_scale(c, "", x);
	x = um_couple(c, um_nn_mul(x, keep), x, change);
	return c->inverse ? um_couple_scale(c, "", x) : x;
}

static um_node *shuffle_channels(um_coupling *c, um_node *x)
{
	const int64_t n = um_node_dim(x)[2];
	int64_t *index = malloc(sizeof(int64_t) * 2 * (size_t)n), *inverse = index + n;
	if (index == NULL)
		return um_graph_fail(c->graph, "flow: out of memory");
	um_couple_shuffle(c->spec, c->k, n, index);
	for (int64_t i = 0; i < n; i++)
		inverse[index[i]] = i;
	x = um_nn_gather(x, 2, n, c->inverse ? inverse : index);
	free(index);
	return x;
}

static um_node *couple_channels(um_coupling *c, um_node *x)
{
	if (x == NULL)
		return NULL;
	const int64_t n = um_node_dim(x)[2], half = n / 2;
	if (!c->inverse)
		x = um_couple_scale(c, "", c->k % 2 == 0 ? shuffle_channels(c, x) : x);
	um_node *a = um_nn_slice(x, 2, 0, half), *b = um_nn_slice(x, 2, half, n - half);
	if (c->k % 2 == 0)
		b = um_couple(c, a, b, NULL);
	else
		a = um_couple(c, b, a, NULL);
	x = um_nn_concat(a, b, 2);
	if (c->inverse)
		x = um_couple_scale(c, "", x);
	return c->inverse && c->k % 2 == 0 && x != NULL ? shuffle_channels(c, x) : x;
}

/* The condition at level l, given at level 0. */
static um_node *condition_at(um_node *condition, int64_t l)
{
	for (int64_t i = 0; i < l; i++)
		condition = squeeze(condition);
	return condition;
}

/* Level l, from 0 at full resolution to levels, has an equal share of the couplings. */
um_node *um_couple_images(um_coupling *c, um_node *x)
{
	const int64_t levels = depth(c->spec), many = c->spec->couplings;
	um_node *condition = c->condition;
	for (int64_t i = 0; c->inverse && i < levels; i++)
		x = squeeze(x);
	for (int64_t j = 0; j <= levels; j++) {
		const int64_t l = c->inverse ? levels - j : j;
		const int64_t first = many * l / (levels + 1), end = many * (l + 1) / (levels + 1);
		if (!c->inverse && l > 0)
			x = squeeze(x);
		c->condition = condition_at(condition, l);
		for (int64_t i = first; i < end; i++) {
			c->k = c->inverse ? first + end - 1 - i : i;
			x = l == 0 ? couple_pixels(c, x) : couple_channels(c, x);
		}
		if (c->inverse && l > 0)
			x = unsqueeze(x);
	}
	for (int64_t i = 0; !c->inverse && i < levels; i++)
		x = unsqueeze(x);
	return x;
}
