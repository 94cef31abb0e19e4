/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A mask of 0 (with probability rate) and 1 / (1 - rate), one number an element of each image
 * (Srivastava et al. 2014, JMLR 15, 1929). Bits come from Philox 4x32 with 10 rounds (Salmon et al.
 * 2011, SC11, doi:10.1145/2063384.2063405): the key is that of the run, the counter is (block of
 * elements, image, mask, 0), so a mask does not depend on schedule, threads or batch.
 * Element k of block b is element k * blocks + b, which keeps stores contiguous. */
#include "base/parallel.h"
#include "nn/graph.h"
#include "nn/tile.h"

enum { LANES = 16 };

/* Fields of 64 bits, so that there is no padding. */
typedef struct mask {
	int64_t rank, dim[UM_NN_RANK];
	double rate;
	int64_t ordinal; /* of this mask in its graph: equal masks are different nodes */
} mask;

/* Four words for each of LANES counters; c[0] holds the numbers of blocks. */
static inline void philox(uint32_t c[4][LANES], uint32_t k0, uint32_t k1)
{
	for (int round = 0; round < 10; round++) {
		for (int i = 0; i < LANES; i++) {
			uint64_t p = (uint64_t)0xd2511f53 * c[0][i], q = (uint64_t)0xcd9e8d57 * c[2][i];
			uint32_t a = (uint32_t)(q >> 32) ^ c[1][i] ^ k0;
			uint32_t b = (uint32_t)(p >> 32) ^ c[3][i] ^ k1;
			c[0][i] = a;
			c[1][i] = (uint32_t)q;
			c[2][i] = b;
			c[3][i] = (uint32_t)p;
		}
		k0 += 0x9e3779b9;
		k1 += 0xbb67ae85;
	}
}

#define MASK(name, real) \
	UM_KERNEL(void, name, (int64_t n, real *out, const mask *m, uint64_t key, int64_t image), \
		(n, out, m, key, image)) \
	{ \
		const int64_t blocks = (n + 3) / 4; \
		const uint32_t least = (uint32_t)(m->rate * 0x1p32); \
		const real keep = (real)(1 / (1 - m->rate)); \
		for (int64_t b = 0; b < blocks; b += LANES) { \
			uint32_t c[4][LANES]; \
			for (int i = 0; i < LANES; i++) { \
				c[0][i] = (uint32_t)b + (uint32_t)i; \
				c[1][i] = (uint32_t)image; \
				c[2][i] = (uint32_t)m->ordinal; \
				c[3][i] = 0; \
			} \
			philox(c, (uint32_t)key, (uint32_t)(key >> 32)); \
			for (int k = 0; k < 4; k++) { \
				real *o = out + k * blocks + b; \
				int64_t left = (k + 1) * blocks < n ? blocks - b : n - k * blocks - b; \
				int many = (int)(left < LANES ? left : LANES); \
				for (int i = 0; i < many; i++) \
					o[i] = c[k][i] < least ? 0 : keep; \
			} \
		} \
	}
MASK(dropout_f32, float)
MASK(dropout_f64, double)

static um_status run_f32(const um_call *c)
{
	const int64_t n = um_node_len(c->node);
	const int lanes = c->threads;
	(void)lanes;
	PARALLEL
	for (int64_t i = 0; i < c->count; i++)
		dropout_f32(n, (float *)c->out + i * n, c->node->attr, c->key, c->first + i);
	return UM_OK;
}

static um_status run_f64(const um_call *c)
{
	const int64_t n = um_node_len(c->node);
	const int lanes = c->threads;
	(void)lanes;
	PARALLEL
	for (int64_t i = 0; i < c->count; i++)
		dropout_f64(n, (double *)c->out + i * n, c->node->attr, c->key, c->first + i);
	return UM_OK;
}

static bool shape(um_node *n)
{
	const mask *m = n->attr;
	um_node_set(n, (int)m->rank, m->dim);
	n->batched = true;
	return true;
}

static const um_op op = { .name = "dropout_mask", .shape = shape, .run = { run_f32, run_f64 } };

um_node *um_nn_dropout_mask(um_graph *g, int rank, const int64_t dim[], double rate)
{
	mask m = { .rank = rank, .rate = rate };
	if (!(rate >= 0 && rate < 1))
		return um_graph_fail(g, "dropout_mask: rate %g is not in [0, 1)", rate);
	if (rank < 0 || rank > UM_NN_RANK)
		return um_graph_fail(g, "dropout_mask: %d axes, but at most %d are possible", rank, UM_NN_RANK);
	for (int i = 0; i < rank; i++)
		m.dim[i] = dim[i];
	for (int i = 0; i < um_graph_nodes(g); i++)
		m.ordinal += um_graph_node(g, i)->op == &op;
	return um_node_new(g, &op, 0, NULL, &m, sizeof m);
}
