/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Leaves: inputs, weights, constants. */
#include <string.h>
#include "nn/node.h"

static bool take_shape(um_graph *g, const char *what, const char *name, int rank, const int64_t dim[],
	um_leaf_attr *attr)
{
	attr->rank = rank;
	if (rank < 0 || rank > UM_NN_RANK)
		return um_graph_fail(g, "%s %s: %d axes, at most %d are possible", what, name, rank,
			UM_NN_RANK) != NULL;
	for (int i = 0; i < rank; i++)
		attr->dim[i] = dim[i];
	return true;
}

static bool leaf_shape(um_node *n)
{
	const um_leaf_attr *attr = n->attr;
	um_node_set(n, (int)attr->rank, attr->dim);
	n->batched = attr->batched != 0;
	n->late = attr->late != 0;
	return true;
}

const um_op um_op_input = { .name = "input", .shape = leaf_shape };
const um_op um_op_weight = { .name = "weight", .shape = leaf_shape };
const um_op um_op_constant = { .name = "constant", .shape = leaf_shape };

/* A leaf of that name; another shape under the same name is a mistake. */
static um_node *named(um_graph *g, const um_op *op, const char *name, const um_leaf_attr *attr)
{
	um_node *n = um_node_find(g, op, name);
	if (n != NULL && memcmp(n->attr, attr, sizeof(*attr)) != 0)
		return um_graph_fail(g, "%s %s has shape %s and, asked for again, another shape or law",
			op->name, name, um_node_shape(n));
	return n != NULL ? n : um_node_new_named(g, op, name, attr, sizeof(*attr));
}

static um_node *input(um_graph *g, const char *name, int rank, const int64_t dim[], bool batched,
	bool late)
{
	um_leaf_attr attr = { .batched = batched, .late = late };
	if (!take_shape(g, "input", name, rank, dim, &attr))
		return NULL;
	return named(g, &um_op_input, name, &attr);
}

um_node *um_nn_input(um_graph *g, const char *name, int rank, const int64_t dim[], bool batched)
{
	return input(g, name, rank, dim, batched, false);
}

um_node *um_nn_late_input(um_graph *g, const char *name, int rank, const int64_t dim[], bool batched)
{
	return input(g, name, rank, dim, batched, true);
}

um_node *um_nn_weight(um_graph *g, const char *name, int rank, const int64_t dim[], um_init init)
{
	um_leaf_attr attr = { .scale = init.scale, .law = init.law };
	if (!take_shape(g, "weight", name, rank, dim, &attr))
		return NULL;
	return named(g, &um_op_weight, name, &attr);
}

um_node *um_nn_constant(um_graph *g, int rank, const int64_t dim[], const double *values)
{
	um_leaf_attr attr = { 0 };
	int64_t len = 1;
	if (!take_shape(g, "constant", "", rank, dim, &attr))
		return NULL;
	for (int i = 0; i < rank; i++)
		len *= dim[i] > 0 ? dim[i] : 0; /* then the shape is refused */
	return um_node_new_blob(g, &um_op_constant, 0, NULL, &attr, sizeof(attr), values,
		sizeof(*values) * (size_t)len);
}

um_node *um_nn_scalar(um_graph *g, double value)
{
	return um_nn_constant(g, 0, NULL, &value);
}

bool um_node_is(const um_node *n, double value)
{
	if (n->op != &um_op_constant)
		return false;
	const double *v = n->blob->data;
	for (int64_t i = 0; i < um_node_len(n); i++)
		if (v[i] != value)
			return false;
	return true;
}
