/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A flow is a chain of couplings. Couplings come in pairs that change one half of the numbers each,
 * between pairs the numbers are shuffled in a fixed order, before each coupling they are scaled and
 * shifted (ActNorm). Half a is ceil(n/2) numbers. Inverse and log-determinant are exact. */
#include <stdio.h>
#include <stdlib.h>
#include "nn/coupling.h"

static int64_t size_of(const um_flow_spec *s)
{
	return s->rows * s->columns * s->channels;
}

um_status um_flow_check(um_flow_spec *s)
{
	const int64_t most = INT64_C(1) << 24;
	if (s->rows < 1 || s->columns < 1 || s->channels < 1 || s->rows > most || s->columns > most ||
		s->channels > most || s->rows * s->columns > most || size_of(s) > most)
		return um_fail(UM_EPARAM, "flow: images of %lld x %lld x %lld are beyond 2^24 numbers",
			(long long)s->channels, (long long)s->rows, (long long)s->columns);
	if (size_of(s) < 2)
		return um_fail(UM_EPARAM, "flow: couplings need at least two numbers");
	if (s->convolutional && (s->rows < 2 || s->columns < 2))
		return um_fail(UM_EPARAM, "flow: convolutional couplings need images, not %lld x %lld; use dense ones",
			(long long)s->rows, (long long)s->columns);
	if (s->couplings < 1 || s->couplings > 4096)
		return um_fail(UM_EPARAM, "couplings = %lld is not in 1 .. 4096", (long long)s->couplings);
	if (s->depth < 2 || s->depth > 64)
		return um_fail(UM_EPARAM, "depth = %lld is not in 2 .. 64", (long long)s->depth);
	if (s->hidden < 0 || s->hidden > 65536)
		return um_fail(UM_EPARAM, "hidden = %lld is not in 0 .. 65536", (long long)s->hidden);
	if (!(s->bound >= 0 && s->bound <= 100))
		return um_fail(UM_EPARAM, "bound = %g is not in 0 .. 100", s->bound);
	const int64_t eighth = size_of(s) / 8;
	if (s->hidden == 0)
		s->hidden = s->convolutional ? 32 : eighth < 32 ? 32 : eighth > 1024 ? 1024 : eighth;
	if (s->bound == 0)
		s->bound = 2;
	return UM_OK;
}

void um_couple_shuffle(const um_flow_spec *spec, int64_t k, int64_t n, int64_t *index)
{
	um_rng rng = um_rng_new(spec->seed, "order of a flow", (uint64_t)k);
	for (int64_t i = 0; i < n; i++)
		index[i] = i;
	for (int64_t i = n - 1; i > 0; i--) {
		int64_t j = (int64_t)(um_uniform(&rng) * (double)(i + 1)), old = index[i];
		index[i] = index[j];
		index[j] = old;
	}
}

/* ---- dense flows --------------------------------------------------------------------- */

typedef struct halves {
	um_node *a, *b;
	int64_t na, nb;
} halves;

/* Halves of a vector whose number i is number index[i] of the pair. */
static void take(halves *h, um_node *all, const int64_t *index)
{
	h->a = um_nn_gather(all, 1, h->na, index);
	h->b = um_nn_gather(all, 1, h->nb, index + h->na);
}

static void shuffle(um_coupling *c, halves *h, int64_t *index)
{
	const int64_t n = h->na + h->nb;
	int64_t *inverse = index + n;
	um_couple_shuffle(c->spec, c->k / 2, n, index);
	for (int64_t i = 0; i < n; i++)
		inverse[index[i]] = i;
	take(h, um_nn_concat(h->a, h->b, 1), c->inverse ? inverse : index);
}

static void scale(um_coupling *c, halves *h)
{
	h->a = um_couple_scale(c, "_a", h->a);
	h->b = um_couple_scale(c, "_b", h->b);
}

static void couple(um_coupling *c, halves *h)
{
	if (c->k % 2 == 0)
		h->b = um_couple(c, h->a, h->b, NULL);
	else
		h->a = um_couple(c, h->b, h->a, NULL);
}

static um_node *dense(um_coupling *c, um_node *x)
{
	const int64_t n = size_of(c->spec), row[2] = { 1, n }, last = c->spec->couplings - 1;
	halves h = { .na = (n + 1) / 2, .nb = n / 2 };
	int64_t *index = malloc(sizeof(int64_t) * 2 * (size_t)n);
	if (index == NULL)
		return um_graph_fail(c->graph, "flow: out of memory");
	x = um_nn_reshape(x, 2, row);
	h.a = um_nn_slice(x, 1, 0, h.na);
	h.b = um_nn_slice(x, 1, h.na, h.nb);
	for (int64_t i = 0; i <= last; i++) {
		c->k = c->inverse ? last - i : i;
		if (c->inverse)
			couple(c, &h), scale(c, &h);
		if (c->k % 2 == 0)
			shuffle(c, &h, index);
		if (!c->inverse)
			scale(c, &h), couple(c, &h);
	}
	free(index);
	return um_nn_reshape(um_nn_concat(h.a, h.b, 1), 1, &n);
}

/* ---- both ------------------------------------------------------------------------------- */

/* [count][rows][columns], also as one vector, to (rows, columns, count). */
static um_node *planes(const um_flow_spec *s, int64_t count, um_node *x)
{
	static const int last[] = { 1, 2, 0 };
	const int64_t dim[3] = { count, s->rows, s->columns };
	return um_nn_permute(um_nn_reshape(x, 3, dim), last);
}

/* [channels][rows][columns] to (rows, columns, channels) and back. */
static um_node *images(um_coupling *c, um_node *x)
{
	static const int first[] = { 2, 0, 1 };
	const int64_t n = size_of(c->spec);
	x = um_couple_images(c, planes(c->spec, c->spec->channels, x));
	return um_nn_reshape(um_nn_permute(x, first), 1, &n);
}

/* The condition as the state is; NULL, and a mistake in the graph, where it does not fit. */
static um_node *fitted(um_graph *g, const um_flow_spec *s, um_node *condition)
{
	const int64_t all = um_node_len(condition), plane = s->rows * s->columns, row[2] = { 1, all };
	if (s->convolutional && all % plane == 0)
		return planes(s, all / plane, condition);
	if (s->convolutional || um_node_rank(condition) != 1)
		return um_graph_fail(g, "flow: a condition of %lld numbers is not %s", (long long)all, s->convolutional ?
			"planes of the image, as convolutional couplings want it" : "a vector");
	return um_nn_reshape(condition, 2, row);
}

static um_flow_nodes build(um_graph *g, const um_flow_spec *spec, const char *prefix, bool training,
	bool inverse, um_node *x, um_node *condition)
{
	um_coupling c = { .graph = g, .spec = spec, .prefix = prefix, .training = training, .inverse = inverse };
	um_flow_nodes nodes = { 0 };
	if (x == NULL)
		return nodes;
	if (um_node_rank(x) != 1 || um_node_len(x) != size_of(spec)) {
		um_graph_fail(g, "flow: %lld numbers come to a flow of %lld", (long long)um_node_len(x),
			(long long)size_of(spec));
		return nodes;
	}
	if (condition != NULL && (c.condition = fitted(g, spec, condition)) == NULL)
		return nodes;
	nodes.out = spec->convolutional ? images(&c, x) : dense(&c, x);
	nodes.logdet = c.logdet;
	nodes.mean = c.mean;
	nodes.var = c.var;
	return nodes;
}

um_flow_nodes um_flow_sample(um_graph *g, const um_flow_spec *spec, const char *prefix, bool training,
	um_node *z, um_node *condition)
{
	return build(g, spec, prefix, training, false, z, condition);
}

um_flow_nodes um_flow_invert(um_graph *g, const um_flow_spec *spec, const char *prefix, bool training,
	um_node *x, um_node *condition)
{
	return build(g, spec, prefix, training, true, x, condition);
}

static void follow(um_weights *w, const char *prefix, const char *name, const um_array *now)
{
	char full[256];
	snprintf(full, sizeof(full), "%s.%s", prefix, name);
	const int i = um_weights_find(w, full);
	if (i < 0)
		return;
	float *old = w->array[i].data;
	for (int64_t j = 0; j < um_array_len(&w->array[i]); j++) {
		double new = now->dtype == UM_F64 ? ((double *)now->data)[j] : ((float *)now->data)[j];
		old[j] = (float)(0.9 * old[j] + 0.1 * new);
	}
	um_weights_touch(w);
}

void um_flow_follow(um_weights *w, const char *prefix, const um_array *mean, const um_array *var)
{
	follow(w, prefix, "running_mean", mean);
	follow(w, prefix, "running_var", var);
}
