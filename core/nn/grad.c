/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Derivatives as nodes: reverse accumulation over the order in which nodes were made. Tangents come
 * from the derivative of v -> J^T v, which is linear in v, so that v drops out. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/mem.h"
#include "nn/graph.h"

/* Which nodes depend on one of x. */
static bool *dependents(const um_graph *g, int count, int nx, um_node *const x[])
{
	bool *dep = um_new((size_t)count * sizeof(*dep) + 1);
	for (int j = 0; j < nx; j++)
		if (x[j]->id < count)
			dep[x[j]->id] = true;
	for (int i = 0; i < count; i++)
		for (int k = 0; k < g->node[i]->nin; k++)
			dep[i] |= dep[g->node[i]->in[k]->id];
	return dep;
}

/* adjoint of n += d, brought to the shape of n. */
static um_status add(um_node **adjoint, um_node *n, um_node *d)
{
	if (n->batched)
		d = um_nn_spread(d);
	else if (!um_node_same_shape(d, n) || d->batched)
		d = um_nn_sum_to(d, n->rank, n->dim, false);
	if (d != NULL && !um_node_same_shape(d, n))
		d = um_nn_sum_to(d, n->rank, n->dim, n->batched);
	adjoint[n->id] = adjoint[n->id] != NULL ? um_nn_add(adjoint[n->id], d) : d;
	return adjoint[n->id] != NULL ? UM_OK : um_graph_status(n->graph);
}

static um_status check(int n, um_node *const x[])
{
	if (n < 1)
		return um_fail(UM_EARG, "um_grad: nothing to differentiate");
	for (int i = 0; i < n; i++)
		if (x[i] == NULL)
			return um_fail(UM_EARG, "um_grad: a node is NULL: see um_graph_status");
	return UM_OK;
}

/* The adjoint of n goes on to its inputs. */
static um_status pass(um_node **adjoint, const bool *dep, um_node *n)
{
	um_status st = UM_OK;
	um_node *dx[UM_NN_INPUTS] = { NULL };
	bool want[UM_NN_INPUTS] = { false };
	for (int k = 0; k < n->nin; k++)
		want[k] = dep[n->in[k]->id];
	if (n->op->grad == NULL)
		return n->nin == 0 ? UM_OK : um_fail(UM_EARG, "um_grad: %s has no derivative", n->op->name);
	n->op->grad(n, adjoint[n->id], want, dx);
	UM_TRY(um_graph_status(n->graph));
	for (int k = 0; k < n->nin; k++)
		if (want[k] && dx[k] != NULL)
			UM_TRY(add(adjoint, n->in[k], dx[k]));
out:
	return st;
}

static um_status seed(um_node **adjoint, um_node *y, um_node *v)
{
	um_node *one = v;
	if (v == NULL)
		one = um_nn_broadcast(um_nn_scalar(y->graph, 1), y->rank, y->dim);
	else if (!um_node_same_shape(y, v) || (v->batched && !y->batched))
		return um_fail(UM_EARG, "um_grad: v is %s%s, y %s%s", v->batched ? "batched " : "shared ",
			um_node_shape(v), y->batched ? "batched " : "shared ", um_node_shape(y));
	return one == NULL ? um_graph_status(y->graph) : add(adjoint, y, one);
}

um_status um_grad(int ny, um_node *const y[], um_node *const v[], int nx, um_node *const x[],
	um_node *dx[])
{
	um_status st = UM_OK;
	bool *dep = NULL;
	um_node **adjoint = NULL;
	int last = 0;
	UM_TRY(check(ny, y));
	UM_TRY(check(nx, x));
	um_graph *g = y[0]->graph;
	for (int i = 0; i < ny; i++)
		last = y[i]->id > last ? y[i]->id : last;
	for (int j = 0; j < nx; j++)
		last = x[j]->id > last ? x[j]->id : last;
	dep = dependents(g, last + 1, nx, x);
	adjoint = um_new(sizeof(*adjoint) * (size_t)(last + 1));
	for (int i = 0; i < ny; i++)
		if (dep[y[i]->id])
			UM_TRY(seed(adjoint, y[i], v != NULL ? v[i] : NULL));
	for (int i = last; i >= 0; i--)
		if (adjoint[i] != NULL && dep[i])
			UM_TRY(pass(adjoint, dep, g->node[i]));
	for (int j = 0; j < nx; j++) {
		um_node *d = adjoint[x[j]->id];
		if (d == NULL)
			d = um_nn_broadcast(um_nn_scalar(g, 0), x[j]->rank, x[j]->dim);
		dx[j] = x[j]->batched ? um_nn_spread(d) : d;
	}
	st = um_graph_status(g);
out:
	free(dep);
	free(adjoint);
	return st;
}

um_status um_tangent(int nx, um_node *const x[], um_node *const e[], int ny, um_node *const y[],
	um_node *dy[])
{
	um_status st = UM_OK;
	um_node **u = NULL, **jtu = NULL;
	UM_TRY(check(ny, y));
	UM_TRY(check(nx, x));
	UM_TRY(check(nx, e));
	u = um_new(sizeof(*u) * (size_t)ny);
	jtu = um_new(sizeof(*jtu) * (size_t)nx);
	for (int i = 0; i < ny; i++) {
		char name[64];
		snprintf(name, sizeof(name), "(adjoint of node %d)", y[i]->id);
		u[i] = um_nn_input(y[i]->graph, name, y[i]->rank, y[i]->dim, y[i]->batched);
	}
	UM_TRY(um_grad(ny, y, u, nx, x, jtu));
	UM_TRY(um_grad(nx, jtu, e, ny, u, dy));
out:
	free(u);
	free(jtu);
	return st;
}
