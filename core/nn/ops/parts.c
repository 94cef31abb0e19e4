/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Numbers as sums of two bfloat16 numbers, along an axis of a product: with ah = bf16(a), al = bf16(a - ah)
 *   sum_i a_i b_i = sum_i ah_i bh_i + al_i bh_i + ah_i bl_i + al_i bl_i + O(2^-17 |a| |b|)
 * is one product of bfloat16 whose inner axis is four times as long, [ah, al, ah, al] . [bh, bh, bl, bl].
 * Three terms take 15 to 20 % less time in networks, with errors a third larger; one is the product of
 * the rounded numbers. Such nodes come from um_lower alone, and have no derivative. */
#include "nn/bf16.h"
#include "nn/tile.h"

typedef struct attr {
	int64_t axis, terms, right;
} attr;

/* Whether term k is the low part. */
static inline bool is_low(const attr *s, int k)
{
	return s->right ? k >= 2 : k % 2 == 1;
}

static bool shape(um_node *n)
{
	const attr *s = n->attr;
	um_node_set(n, n->in[0]->rank, n->in[0]->dim);
	n->dim[s->axis] *= s->terms;
	n->number = UM_NUMBER_BF16;
	return true;
}

#ifdef __x86_64__
#include <immintrin.h>

/* Processors with tiles have these; um_lower makes no such nodes for others. */
#define WIDE __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,avx512bf16")))

WIDE static inline __m256i round_16(__m512 x)
{
	return (__m256i)_mm512_cvtneps_pbh(x);
}

WIDE static inline __m512 value_16(__m256i h)
{
	return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(h), 16));
}

WIDE static inline __mmask16 first_of(int64_t n)
{
	return (__mmask16)(n >= 16 ? 0xffff : (1 << n) - 1);
}

WIDE static void parts_high(int64_t n, const float *x, uint16_t *o)
{
	for (int64_t i = 0; i < n; i += 16) {
		const __mmask16 m = first_of(n - i);
		_mm256_mask_storeu_epi16(o + i, m, round_16(_mm512_maskz_loadu_ps(m, x + i)));
	}
}

/* The terms of n numbers, each so far behind the one before. */
WIDE static void parts_all(const attr *s, int64_t n, const float *x, uint16_t *o, int64_t step)
{
	for (int64_t i = 0; i < n; i += 16) {
		const __mmask16 m = first_of(n - i);
		const __m512 v = _mm512_maskz_loadu_ps(m, x + i);
		const __m256i h = round_16(v), l = round_16(_mm512_sub_ps(v, value_16(h)));
		for (int k = 0; k < s->terms; k++)
			_mm256_mask_storeu_epi16(o + i + k * step, m, is_low(s, k) ? l : h);
	}
}
#else
static void parts_high(int64_t n, const float *x, uint16_t *o)
{
	for (int64_t i = 0; i < n; i++)
		o[i] = um_bf16_round(x[i]);
}

static void parts_all(const attr *s, int64_t n, const float *x, uint16_t *o, int64_t step)
{
	for (int64_t i = 0; i < n; i++) {
		const uint16_t h = um_bf16_round(x[i]), l = um_bf16_round(x[i] - um_bf16_value(h));
		for (int k = 0; k < s->terms; k++)
			o[i + k * step] = is_low(s, k) ? l : h;
	}
}
#endif

/* Entries along the axis and after it follow each other; parts of such a block do too. */
static void store(const um_node *n, int64_t first, int64_t count, const float *x, void *out)
{
	const attr *s = n->attr;
	int64_t block = 1;
	for (int i = (int)s->axis; i < n->rank; i++)
		block *= n->in[0]->dim[i];
	if (s->terms == 1) {
		parts_high(count, x, (uint16_t *)out + first);
		return;
	}
	while (count > 0) {
		const int64_t at = first % block, many = block - at < count ? block - at : count;
		parts_all(s, many, x, (uint16_t *)out + (first - at) * s->terms + at, block);
		x += many;
		first += many;
		count -= many;
	}
}

static const um_op op = { .name = "parts", .shape = shape, .store = store };

/* Of another shape of the same numbers it is the parts in that shape, so that one loop makes them and
 * what else is made of the numbers. */
um_node *um_node_parts(um_node *a, int axis, int terms, bool right)
{
	const bool one = terms == 1; /* the axis and the side mean nothing then */
	const attr s = { one && a != NULL ? a->rank - 1 : axis, terms, right && !one };
	const um_node *b = a != NULL && a->op->view ? a->in[0] : NULL;
	const bool same = b != NULL && b->rank > 0 && (one || (axis == a->rank - 1 &&
		b->dim[b->rank - 1] == a->dim[axis]));
	if (!same)
		return um_node_1(&op, a, &s, sizeof(s));
	int64_t dim[UM_NN_RANK];
	for (int i = 0; i < a->rank; i++)
		dim[i] = a->dim[i];
	dim[axis] *= terms;
	return um_nn_reshape(um_node_parts(a->in[0], b->rank - 1, terms, right), a->rank, dim);
}

int um_node_terms(const um_node *n)
{
	while (n->op->view)
		n = n->in[0];
	return n->op == &op ? (int)((const attr *)n->attr)->terms : 1;
}
