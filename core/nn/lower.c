/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Products of bfloat16: a copy of the graph in which both factors of each product that is large
 * enough are rounded, or split, by nodes of their own (core/nn/ops/parts.c). Everything else, sums
 * inside products included, stays in float. Splitting is part of the loop that makes a factor, so
 * factors that only products read are never stored in float. um_nn_careful asks for products of the next
 * better kind. */
#include <stdlib.h>
#include "base/isa.h"
#include "base/mem.h"
#include "nn/dnnl.h"
#include "nn/graph.h"
#include "nn/lower.h"

um_precision um_lower_precision(um_precision asked, um_schedule schedule)
{
	if (asked == UM_FLOAT32 || asked == UM_FLOAT64)
		return asked;
	if (um_isa_now() < UM_ISA_AMX || !um_dnnl_has_tiles())
		return UM_FLOAT32;
	if (asked == UM_AUTO)
		return schedule == UM_PER_IMAGE ? UM_BFLOAT16X3 : UM_FLOAT32;
	return asked;
}

/* Below this many multiplications an image, conversions cost more than products. */
static bool is_large(const um_node *n)
{
	enum { LEAST = 1 << 15 };
	return n->op->flops != NULL && n->op->flops(n) >= 2.0 * LEAST;
}

/* How many terms of bfloat16 a product is made of; 0: it stays float32. Products of weights alone are made
 * once, and are not worth an error. */
static int terms_of(const um_node *n, um_care care, um_precision precision, int axis[2])
{
	enum { ROUNDED = 1, CAREFUL = 3, SPLIT = 4 };
	if (precision != UM_BFLOAT16 && precision != UM_BFLOAT16X3)
		return 0;
	if (n->op->factors == NULL || !(n->in[0]->batched || n->in[1]->batched) || !is_large(n) ||
		!n->op->factors(n, axis))
		return 0;
	if (precision == UM_BFLOAT16X3)
		return axis[0] < 0 || (care != UM_CARE_NONE && !n->op->sums_batch) ? 0 : SPLIT;
	/* gradients of weights are noisy anyway */
	return care == UM_CARE && !n->op->sums_batch ? CAREFUL : ROUNDED;
}

static um_node *lower(um_graph *g, const um_node *n, um_node *const in[], um_care care,
	um_precision precision)
{
	int axis[2];
	const int terms = terms_of(n, care, precision, axis);
	um_node *factor[UM_NN_INPUTS] = { NULL };
	for (int k = 0; terms > 0 && k < 2; k++)
		factor[k] = um_node_parts(in[k], axis[k] >= 0 ? axis[k] : 0, terms, k == 1);
	return um_node_copy(g, n, terms > 0 ? factor : in);
}

bool um_lower_changes(const um_graph *g, um_precision precision)
{
	bool wish = precision == UM_BFLOAT16 || precision == UM_BFLOAT16X3;
	for (int i = 0; i < g->n && !wish; i++)
		wish = um_node_care(g->node[i]) != UM_CARE_NONE;
	return wish;
}

static bool *needed(const um_graph *g, int n, um_node *const outputs[])
{
	bool *live = um_new(sizeof(*live) * (size_t)(g->n + 1));
	for (int i = 0; i < n; i++)
		live[outputs[i]->id] = true;
	for (int i = g->n - 1; i >= 0; i--)
		for (int k = 0; live[i] && k < g->node[i]->nin; k++)
			live[g->node[i]->in[k]->id] = true;
	return live;
}

um_status um_lower(int n, um_node *const outputs[], um_precision precision, um_graph **lowered_graph,
	um_node *lowered[])
{
	um_graph *from = outputs[0]->graph, *g = um_graph_new(from->batch);
	bool *live = needed(from, n, outputs);
	um_node **map = um_new(sizeof(*map) * (size_t)(from->n + 1));
	um_care *care = um_new(sizeof(*care) * (size_t)(from->n + 1)); /* behind reshapes too */
	for (int i = 0; i < from->n; i++) {
		const um_node *old = from->node[i];
		um_node *in[UM_NN_INPUTS] = { NULL };
		um_care wish = um_node_care(old);
		if (!live[i])
			continue;
		for (int k = 0; k < old->nin; k++) {
			in[k] = map[old->in[k]->id];
			wish = wish > care[old->in[k]->id] ? wish : care[old->in[k]->id];
		}
		care[i] = old->op->view ? wish : UM_CARE_NONE;
		map[i] = um_node_care(old) != UM_CARE_NONE ? in[0] : lower(g, old, in, wish, precision);
	}
	for (int i = 0; i < n; i++)
		lowered[i] = map[outputs[i]->id];
	const um_status st = um_graph_status(g);
	free(live);
	free(care);
	free(map);
	*lowered_graph = g;
	return st;
}
