/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Sets of weights: made from the leaves of a graph, filled from files, averaged. UM_INIT_FAN with
 * scale 1 is the law of Glorot & Bengio (2010, AISTATS 9, 249, eq. 16), as DDPM networks use it. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/mem.h"
#include "base/parallel.h"
#include "nn/graph.h"
#include "nn/tile.h"

enum { ALIGN = 16, BLOCK = 1 << 14 }; /* floats */
static const double MOST = 1e15; /* floats of no machine, far from overflow */

/* ---- laws ----------------------------------------------------------------------- */

/* The mean of fan-in and fan-out. A vector fans into itself. */
static double fan(const um_array *a)
{
	if (a->rank < 2)
		return (double)um_array_len(a);
	double n = 0.5 * (double)(a->dim[a->rank - 2] + a->dim[a->rank - 1]);
	for (int i = 0; i < a->rank - 2; i++)
		n *= (double)a->dim[i];
	return n;
}

/* base with the name's own key: a number of a name does not depend on what else there is. */
static void begin(const um_leaf_attr *law, const um_rng *base, const char *name, um_array *a)
{
	um_rng r = um_rng_at(base, um_rng_new(0, name, 0).key[1], 0);
	const double scale = law->law == UM_INIT_FAN && law->scale == 0 ? 1e-10 : law->scale;
	const double bound = sqrt(3 * scale / fan(a));
	float *x = a->data;
	const int64_t n = um_array_len(a);
	for (int64_t i = 0; i < n; i++)
		if (law->law == UM_INIT_NORMAL)
			x[i] = (float)(scale * um_normal(&r));
		else if (law->law == UM_INIT_FAN)
			x[i] = (float)(bound * (2 * um_uniform(&r) - 1));
		else
			x[i] = (float)scale;
}

/* ---- life ------------------------------------------------------------------------ */

static um_status allocate(um_weights *w)
{
	um_array data;
	um_status st = um_array_new(&data, UM_F32, 1, &w->len);
	w->data = data.data;
	for (int64_t i = 0, at = 0; st == UM_OK && i < w->n; i++) {
		w->array[i].data = w->data + at;
		at += (um_array_len(&w->array[i]) + ALIGN - 1) / ALIGN * ALIGN;
	}
	return st;
}

/* A set of n tensors of no size yet. */
static um_weights *make(int n)
{
	um_weights *w = um_new(sizeof(*w));
	w->n = n;
	w->name = um_new(sizeof(*w->name) * (size_t)(n + 1));
	w->array = um_new(sizeof(*w->array) * (size_t)(n + 1));
	w->version = 1;
	return w;
}

/* Shapes and places; the pointers come when there is memory. */
static um_status lay_out(const um_graph *g, um_weights *w)
{
	const um_node *n;
	int k = 0;
	for (int i = 0; i < um_graph_nodes(g); i++) {
		if ((n = um_graph_node(g, i))->op != &um_op_weight)
			continue;
		double len = 1;
		for (int d = 0; d < n->rank; d++)
			len *= (double)n->dim[d];
		if ((double)w->len + len > MOST)
			return um_fail(UM_ENOMEM, "weight %s: no memory for shape %s", n->name, um_node_shape(n));
		w->name[k] = um_strdup(n->name);
		w->array[k++] = um_array_view(NULL, UM_F32, n->rank, n->dim);
		w->len += (um_node_len(n) + ALIGN - 1) / ALIGN * ALIGN;
	}
	return UM_OK;
}

/* A set for the graph, without memory. */
static um_status outline(const um_graph *g, um_weights **w)
{
	const um_status st = um_graph_status(g);
	int n = 0;
	if (st != UM_OK)
		return st;
	for (int i = 0; i < um_graph_nodes(g); i++)
		n += um_graph_node(g, i)->op == &um_op_weight;
	*w = make(n);
	return lay_out(g, *w);
}

um_status um_weights_new(const um_graph *g, const um_rng *base, um_weights **out)
{
	um_status st = UM_OK;
	um_weights *w = NULL;
	UM_TRY(outline(g, &w));
	UM_TRY(allocate(w));
	for (int i = 0; i < w->n; i++)
		begin(um_node_find(g, &um_op_weight, w->name[i])->attr, base, w->name[i], &w->array[i]);
	*out = w;
	return UM_OK;
out:
	um_weights_free(w);
	*out = NULL;
	return st;
}

um_weights *um_weights_copy(const um_weights *w)
{
	um_weights *c = make(w->n);
	c->len = w->len;
	for (int i = 0; i < w->n; i++) {
		c->name[i] = um_strdup(w->name[i]);
		c->array[i] = w->array[i];
	}
	if (allocate(c) != UM_OK) {
		um_weights_free(c);
		return NULL;
	}
	memcpy(c->data, w->data, sizeof(*c->data) * (size_t)c->len);
	return c;
}

void um_weights_free(um_weights *w)
{
	if (w == NULL)
		return;
	for (int i = 0; i < w->n; i++)
		free(w->name[i]);
	free(w->name);
	free(w->array);
	free(w->data);
	free(w);
}

void um_weights_touch(um_weights *w)
{
	w->version++;
}

int um_weights_find(const um_weights *w, const char *name)
{
	for (int i = 0; i < w->n; i++)
		if (strcmp(w->name[i], name) == 0)
			return i;
	return -1;
}

/* ---- gradients and averages --------------------------------------------------------- */

um_status um_weights_grad(const um_weights *w, um_node *loss, um_node *grad[])
{
	um_status st = UM_OK;
	um_node **x = um_new(sizeof(*x) * (size_t)(w->n + 1));
	if (loss == NULL)
		UM_TRY(um_fail(UM_EARG, "um_weights_grad: the loss is NULL: see um_graph_status"));
	if (um_node_len(loss) != 1)
		UM_TRY(um_fail(UM_EARG, "um_weights_grad: the loss has shape %s, not one number",
			um_node_shape(loss)));
	for (int i = 0; i < w->n; i++) {
		x[i] = um_node_find(loss->graph, &um_op_weight, w->name[i]);
		if (x[i] == NULL)
			UM_TRY(um_fail(UM_EARG, "um_weights_grad: the graph has no weight %s", w->name[i]));
	}
	if (w->n > 0)
		UM_TRY(um_grad(1, &loss, NULL, w->n, x, grad));
out:
	free(x);
	return st;
}

UM_KERNEL(void, weights_average, (int64_t n, float *mean, const float *x, float part),
	(n, mean, x, part))
{
	UM_EACH
	for (int64_t i = 0; i < n; i++)
		mean[i] += part * (x[i] - mean[i]);
}

/* By blocks, so that the number of threads changes nothing. */
void um_weights_average(um_weights *mean, const um_weights *w, double rate)
{
	const int64_t blocks = (w->len + BLOCK - 1) / BLOCK;
	const int64_t most = blocks < THREADS() ? blocks : THREADS();
	const int lanes = most > 0 ? (int)most : 1;
	(void)lanes;
	PARALLEL
	for (int64_t b = 0; b < blocks; b++) {
		const int64_t i = b * BLOCK, n = w->len - i < BLOCK ? w->len - i : BLOCK;
		weights_average(n, mean->data + i, w->data + i, (float)(1 - rate));
	}
	um_weights_touch(mean);
}

/* ---- files ------------------------------------------------------------------------------- */

static const char *shape(const um_array *a, char *text, size_t room)
{
	size_t len = (size_t)snprintf(text, room, "(");
	for (int i = 0; i < a->rank && len < room; i++)
		len += (size_t)snprintf(text + len, room - len, "%s%lld", i > 0 ? ", " : "", (long long)a->dim[i]);
	if (len < room)
		snprintf(text + len, room - len, ")");
	return text;
}

/* As files have it: a number alone is an array of one. */
static um_array filed(const um_array *a)
{
	const int64_t one = 1;
	return a->rank > 0 ? *a : um_array_view(a->data, a->dtype, 1, &one);
}

static um_status check(const char *name, const um_array *have, const um_array *a)
{
	char s[2][256];
	const um_array want = filed(have);
	if (a == NULL)
		return um_fail(UM_EDATA, "weight %s is missing", name);
	if (a->dtype != UM_F32 && a->dtype != UM_F64)
		return um_fail(UM_EDATA, "weight %s is not of real numbers", name);
	if (a->rank != want.rank || memcmp(a->dim, want.dim, sizeof(*a->dim) * (size_t)a->rank) != 0)
		return um_fail(UM_EDATA, "weight %s has shape %s, this network needs %s", name,
			shape(a, s[0], sizeof(s[0])), shape(&want, s[1], sizeof(s[1])));
	const int64_t n = um_array_len(a);
	for (int64_t i = 0; i < n; i++) {
		const double x = a->dtype == UM_F32 ? ((const float *)a->data)[i] : ((const double *)a->data)[i];
		if (!isfinite((float)x))
			return um_fail(UM_EDATA, "weight %s: number %lld of %lld is %g", name, (long long)i + 1,
				(long long)n, x);
	}
	return UM_OK;
}

static um_status check_all(const um_weights *w, const um_tensors *t)
{
	um_status st = UM_OK;
	for (int i = 0; i < w->n && st == UM_OK; i++)
		st = check(w->name[i], &w->array[i], um_tensors_get(t, w->name[i]));
	return st;
}

static um_status copy_all(um_weights *w, const um_tensors *t)
{
	um_status st = UM_OK;
	for (int i = 0; i < w->n && st == UM_OK; i++)
		st = um_array_copy(&w->array[i], um_tensors_get(t, w->name[i]));
	um_weights_touch(w);
	return st;
}

um_status um_weights_load(um_weights *w, const um_tensors *t)
{
	const um_status st = check_all(w, t);
	return st == UM_OK ? copy_all(w, t) : st;
}

um_status um_weights_read(const um_graph *g, const um_tensors *t, um_weights **out)
{
	um_status st = UM_OK;
	um_weights *w = NULL;
	UM_TRY(outline(g, &w));
	UM_TRY(check_all(w, t));
	UM_TRY(allocate(w));
	UM_TRY(copy_all(w, t));
	*out = w;
	return UM_OK;
out:
	um_weights_free(w);
	*out = NULL;
	return st;
}

um_status um_weights_sink(const um_weights *w, um_sink *sink)
{
	um_status st = UM_OK;
	for (int i = 0; i < w->n; i++) {
		const um_array a = filed(&w->array[i]);
		UM_TRY(um_sink_tensor(sink, w->name[i], &a));
	}
out:
	return st;
}
