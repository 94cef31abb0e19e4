/* SPDX-License-Identifier: GPL-3.0-or-later */
/* (channels): the mean over groups of neighbours, for each of them, times a factor. A symmetric matrix. */
#include "nn/node.h"

typedef struct attr {
	int64_t groups;
	double factor;
} attr;

#define MEAN(name, real) \
	static um_status name(const um_call *c) \
	{ \
		const attr *s = c->node->attr; \
		const int64_t n = um_node_len(c->node), each = n / s->groups; \
		const double factor = s->factor / (double)each; \
		for (int64_t i = 0; i < c->count; i++) { \
			const real *x = (const real *)c->in[0] + i * c->stride[0]; \
			real *o = (real *)c->out + i * n; \
			for (int64_t g = 0; g < n; g += each) { \
				double sum = 0; \
				for (int64_t k = 0; k < each; k++) \
					sum += (double)x[g + k]; \
				for (int64_t k = 0; k < each; k++) \
					o[g + k] = (real)(sum * factor); \
			} \
		} \
		return UM_OK; \
	}
MEAN(run_f32, float)
MEAN(run_f64, double)

static bool shape(um_node *n)
{
	um_node_set(n, 1, n->in[0]->dim);
	return true;
}

static void grad(um_node *n, um_node *dy, const bool want[], um_node *dx[])
{
	const attr *s = n->attr;
	if (want[0])
		dx[0] = um_nn_group_mean(dy, s->groups, s->factor);
}

static const um_op op = { .name = "group_mean", .shape = shape, .grad = grad, .run = { run_f32, run_f64 } };

um_node *um_nn_group_mean(um_node *a, int64_t groups, double factor)
{
	const attr s = { groups, factor };
	if (a == NULL)
		return NULL;
	if (a->rank != 1 || groups < 1 || a->dim[0] % groups != 0)
		return um_graph_fail(a->graph, "group_mean: %s in %lld groups", um_node_shape(a),
			(long long)groups);
	return um_node_1(&op, a, &s, sizeof(s));
}
