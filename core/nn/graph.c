/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Graphs and their nodes. A node that equals an existing one (operation, inputs, attributes) is that
 * one: derivatives repeat much of what the network computes, and so share it. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/mem.h"
#include "nn/graph.h"

um_graph *um_graph_new(int64_t batch)
{
	um_graph *g = um_new(sizeof(*g));
	g->batch = batch > 0 ? batch : 1;
	g->nbuckets = 1024;
	g->bucket = um_new(sizeof(*g->bucket) * (size_t)g->nbuckets);
	return g;
}

void um_graph_free(um_graph *g)
{
	if (g == NULL)
		return;
	for (int i = 0; i < g->n; i++) {
		free((void *)g->node[i]->attr);
		free((void *)g->node[i]->name);
		free(g->node[i]);
	}
	for (int i = 0; i < g->nblobs; i++) {
		free(g->blob[i]->data);
		free(g->blob[i]);
	}
	free(g->blob);
	free(g->node);
	free(g->bucket);
	free(g);
}

int64_t um_graph_batch(const um_graph *g)
{
	return g->batch;
}

int um_graph_nodes(const um_graph *g)
{
	return g->n;
}

um_node *um_graph_node(const um_graph *g, int i)
{
	return g->node[i];
}

um_status um_graph_status(const um_graph *g)
{
	return g->error[0] != '\0' ? um_fail(UM_EARG, "%s", g->error) : UM_OK;
}

um_node *um_graph_fail(um_graph *g, const char *fmt, ...)
{
	va_list args;
	if (g->error[0] == '\0') {
		va_start(args, fmt);
		vsnprintf(g->error, sizeof(g->error), fmt, args);
		va_end(args);
	}
	return NULL;
}

/* ---- nodes ---------------------------------------------------------------------- */

um_graph *um_node_graph(const um_node *x)
{
	return x->graph;
}

int um_node_rank(const um_node *x)
{
	return x->rank;
}

const int64_t *um_node_dim(const um_node *x)
{
	return x->dim;
}

int64_t um_node_len(const um_node *x)
{
	int64_t n = 1;
	for (int i = 0; i < x->rank; i++)
		n *= x->dim[i];
	return n;
}

bool um_node_batched(const um_node *x)
{
	return x->batched;
}

const char *um_node_shape(const um_node *n)
{
	static _Thread_local char text[4][128];
	static _Thread_local int turn;
	char *t = text[turn = (turn + 1) % 4];
	int len = snprintf(t, sizeof(*text), "(");
	for (int i = 0; i < n->rank; i++)
		len += snprintf(t + len, sizeof(*text) - (size_t)len, "%s%lld", i > 0 ? ", " : "",
			(long long)n->dim[i]);
	snprintf(t + len, sizeof(*text) - (size_t)len, ")");
	return t;
}

bool um_node_same_shape(const um_node *a, const um_node *b)
{
	return a->rank == b->rank && memcmp(a->dim, b->dim, sizeof(*a->dim) * (size_t)a->rank) == 0;
}

void um_node_set(um_node *n, int rank, const int64_t dim[])
{
	n->rank = rank;
	for (int i = 0; i < rank; i++)
		n->dim[i] = dim[i];
}

/* The shape of a broadcast with b; false where they do not fit. */
static bool broadcast(um_node *n, const um_node *a, const um_node *b)
{
	const int rank = a->rank > b->rank ? a->rank : b->rank;
	n->rank = rank;
	for (int i = 0; i < rank; i++) {
		const int ia = i - (rank - a->rank), ib = i - (rank - b->rank);
		const int64_t da = ia >= 0 ? a->dim[ia] : 1, db = ib >= 0 ? b->dim[ib] : 1;
		if (da != db && da != 1 && db != 1)
			return false;
		n->dim[i] = da == 1 ? db : da;
	}
	return true;
}

static bool spread_shape(um_node *n)
{
	if (n->nin == 1)
		um_node_set(n, n->in[0]->rank, n->in[0]->dim);
	else if (!broadcast(n, n->in[0], n->in[1]))
		return um_graph_fail(n->graph, "%s: shapes %s and %s do not fit together", n->op->name,
			um_node_shape(n->in[0]), um_node_shape(n->in[1])) != NULL;
	return true;
}

/* ---- making ----------------------------------------------------------------------- */

static uint64_t mix(uint64_t h, const void *data, size_t size)
{
	const unsigned char *p = data;
	for (size_t i = 0; i < size; i++)
		h = (h ^ p[i]) * 1099511628211u;
	return h;
}

static uint64_t hash(const um_node *n)
{
	uint64_t h = mix(14695981039346656037u, n->op->name, strlen(n->op->name));
	for (int i = 0; i < n->nin; i++)
		h = mix(h, &n->in[i]->id, sizeof(n->in[i]->id));
	h = mix(h, n->attr, n->attr_size);
	h = n->name != NULL ? mix(h, n->name, strlen(n->name)) : h;
	h = n->blob != NULL ? mix(h, &n->blob->hash, sizeof(n->blob->hash)) : h;
	return h ^ h >> 29;
}

static bool equal(const um_node *a, const um_node *b)
{
	if (a->op != b->op || a->nin != b->nin || a->attr_size != b->attr_size || a->blob != b->blob)
		return false;
	for (int i = 0; i < a->nin; i++)
		if (a->in[i] != b->in[i])
			return false;
	if ((a->name == NULL) != (b->name == NULL) || (a->name != NULL && strcmp(a->name, b->name) != 0))
		return false;
	return a->attr_size == 0 || memcmp(a->attr, b->attr, a->attr_size) == 0;
}

static const um_blob *find_blob(um_graph *g, const void *data, size_t size)
{
	const uint64_t h = mix(14695981039346656037u, data, size);
	for (int i = 0; i < g->nblobs; i++)
		if (g->blob[i]->hash == h && g->blob[i]->size == size &&
			memcmp(g->blob[i]->data, data, size) == 0)
			return g->blob[i];
	um_blob *b = um_new(sizeof(*b));
	*b = (um_blob){ size, h, um_new(size) };
	memcpy(b->data, data, size);
	g->blob = um_grow(g->blob, sizeof(*g->blob) * (size_t)(g->nblobs + 1));
	return g->blob[g->nblobs++] = b;
}

static void rehash(um_graph *g)
{
	free(g->bucket);
	g->nbuckets *= 4;
	g->bucket = um_new(sizeof(*g->bucket) * (size_t)g->nbuckets);
	for (int i = 0; i < g->n; i++) {
		um_node **head = &g->bucket[hash(g->node[i]) & (uint64_t)(g->nbuckets - 1)];
		g->node[i]->next = *head;
		*head = g->node[i];
	}
}

static um_node *keep(um_graph *g, const um_node *like, um_node **head)
{
	um_node *n = um_new(sizeof(*n));
	*n = *like;
	n->attr = NULL;
	if (like->attr_size > 0)
		n->attr = memcpy(um_new(like->attr_size), like->attr, like->attr_size);
	n->name = like->name != NULL ? um_strdup(like->name) : NULL;
	n->id = g->n;
	n->next = *head;
	*head = n;
	if (g->n == g->room) {
		g->room = g->room > 0 ? 2 * g->room : 256;
		g->node = um_grow(g->node, sizeof(*g->node) * (size_t)g->room);
	}
	g->node[g->n++] = n;
	if (g->n > g->nbuckets)
		rehash(g);
	return n;
}

/* Numbers of no machine, far from overflow. */
static const double MOST = 1e15;

static bool sane(const um_node *n)
{
	double len = n->batched ? (double)n->graph->batch : 1;
	for (int i = 0; i < n->rank; i++) {
		if (n->dim[i] < 1)
			return um_graph_fail(n->graph, "%s: shape %s has an empty axis", n->op->name,
				um_node_shape(n)) != NULL;
		len *= (double)n->dim[i];
	}
	return len <= MOST || um_graph_fail(n->graph, "%s: shape %s%s is too large", n->op->name,
		um_node_shape(n), n->batched ? " of each image" : "") != NULL;
}

/* The node that like describes: an equal one, or a new one with its shape. */
static um_node *make(um_graph *g, um_node *like)
{
	um_node **head = &g->bucket[hash(like) & (uint64_t)(g->nbuckets - 1)];
	for (um_node *n = *head; n != NULL; n = n->next)
		if (equal(n, like))
			return n;
	for (int i = 0; i < like->nin; i++) {
		like->batched |= like->in[i]->batched;
		like->late |= like->in[i]->late;
	}
	like->batched &= !like->op->sums_batch;
	like->number = like->op->view ? like->in[0]->number : UM_NUMBER_REAL;
	const bool ok = like->op->shape != NULL ? like->op->shape(like) : spread_shape(like);
	return ok && sane(like) ? keep(g, like, head) : NULL;
}

um_node *um_node_new_named(um_graph *g, const um_op *op, const char *name, const void *attr,
	size_t attr_size)
{
	um_node like = { .graph = g, .op = op, .name = name, .attr = attr, .attr_size = attr_size };
	return make(g, &like);
}

um_node *um_node_find(const um_graph *g, const um_op *op, const char *name)
{
	for (int i = 0; i < g->n; i++)
		if (g->node[i]->op == op && strcmp(g->node[i]->name, name) == 0)
			return g->node[i];
	return NULL;
}

um_node *um_node_new_blob(um_graph *g, const um_op *op, int nin, um_node *const in[], const void *attr,
	size_t attr_size, const void *data, size_t data_size)
{
	um_node like = { .graph = g, .op = op, .nin = nin, .attr = attr, .attr_size = attr_size };
	for (int i = 0; i < nin; i++) {
		if (in[i] == NULL)
			return NULL;
		if (in[i]->graph != g)
			return um_graph_fail(g, "%s: its inputs belong to different graphs", op->name);
		like.in[i] = in[i];
	}
	if (data != NULL)
		like.blob = find_blob(g, data, data_size);
	return make(g, &like);
}

um_node *um_node_new(um_graph *g, const um_op *op, int nin, um_node *const in[], const void *attr,
	size_t attr_size)
{
	return um_node_new_blob(g, op, nin, in, attr, attr_size, NULL, 0);
}

um_node *um_node_copy(um_graph *g, const um_node *n, um_node *const in[])
{
	um_node like = { .graph = g, .op = n->op, .nin = n->nin, .attr = n->attr, .attr_size = n->attr_size,
		.name = n->name };
	for (int i = 0; i < n->nin; i++) {
		if (in[i] == NULL)
			return NULL;
		like.in[i] = in[i];
	}
	if (n->blob != NULL)
		like.blob = find_blob(g, n->blob->data, n->blob->size);
	return make(g, &like);
}

um_node *um_node_1(const um_op *op, um_node *a, const void *attr, size_t attr_size)
{
	return a != NULL ? um_node_new(a->graph, op, 1, &a, attr, attr_size) : NULL;
}

um_node *um_node_2(const um_op *op, um_node *a, um_node *b, const void *attr, size_t attr_size)
{
	if (a == NULL || b == NULL)
		return NULL;
	return um_node_new(a->graph, op, 2, (um_node *const[]){ a, b }, attr, attr_size);
}
