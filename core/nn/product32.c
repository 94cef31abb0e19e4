/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Matrix products in float, of float or bfloat16: few large ones instead of many small ones where the memory allows, by
 * oneDNN, or by OpenBLAS where products are so small or thin that calls dominate. */
#include <cblas.h>
#include <stdlib.h>
#include <string.h>
#include "base/mem.h"
#include "nn/dnnl.h"
#include "nn/product.h"

typedef struct product32 {
	um_product p;             /* folded */
	dnnl_data_type_t type;    /* of a and b; c is float */
	bool blas;
	um_dnnl *set, *add;       /* arrays a, b, c: c = a b, c += a b; or NULL */
	um_dnnl *reorder;         /* of b into packed, or NULL */
	void *packed;
} product32;

/* Images and leads become rows where b is the same for all, and terms of the inner sum where it is
 * over images; images and leads become one where both operands step evenly. */
static um_product fold(um_product p)
{
	const bool one_b = (p.b_image == 0 || p.images == 1) && (p.b_lead == 0 || p.leads == 1);
	const bool all_a = (p.a_image != 0 || p.images == 1) && (p.a_lead != 0 || p.leads == 1);
	if (p.sum && p.ta && !p.tb && p.leads == 1 && p.a_image != 0 && p.b_image != 0) {
		p.k *= p.images;
		p.images = 1;
	} else if (one_b && all_a && !p.ta && (!p.sum || p.images == 1)) {
		p.m *= p.images * p.leads;
		p.images = p.leads = 1;
	} else if (p.images == 1) {
	} else if (!p.sum && p.leads == 1) {
		p.leads = p.images;
		p.a_lead = p.a_image, p.b_lead = p.b_image, p.c_lead = p.c_image;
		p.images = 1;
	} else if (!p.sum && p.a_image == p.leads * p.a_lead && p.b_image == p.leads * p.b_lead) {
		p.leads *= p.images;
		p.images = 1;
	}
	return p;
}

/* Measured on two cores with AVX-512, OpenBLAS 0.3.21 against oneDNN 2.6.3, which takes 0.4 us
 * for a call, 2 us with two threads: (64, 64, 64) is a draw, (32, 32, 32) 0.4 against 1.8 us, thin
 * ones like (2560, 2, 64) 9 against 18 us; inner sums of a few terms are the other way round,
 * (2560, 64, 2) 14 against 9 us. Large ones are 1.3 to 3 times faster by oneDNN. */
static bool small(const um_product *p)
{
	const double mnk = (double)p->m * (double)p->n * (double)p->k;
	return mnk <= 32768 || (p->k >= 8 && (mnk <= 262144 || p->m < 8 || p->n < 8));
}

/* A stack of so many matrices (r, c) that are stored transposed with t. */
static dnnl_memory_desc_t stack(dnnl_data_type_t type, int64_t count, int64_t step, int64_t r, int64_t c,
	bool t)
{
	const dnnl_dims_t dim = { count, r, c }, stride = { step, t ? 1 : c, t ? r : 1 };
	return count > 1 ? um_dnnl_strided(type, 3, dim, stride) :
		um_dnnl_strided(type, 2, dim + 1, stride + 1);
}

/* All leads at once; with packed, b is in the layout that oneDNN likes best. */
static um_status describe(const product32 *s, bool packed, bool add, dnnl_primitive_desc_t *pd)
{
	um_status st = UM_OK;
	const um_product *p = &s->p;
	const dnnl_memory_desc_t a = stack(s->type, p->leads, p->a_lead, p->m, p->k, p->ta);
	const dnnl_memory_desc_t c = stack(dnnl_f32, p->leads, p->c_lead, p->m, p->n, false);
	const dnnl_memory_desc_t b = packed ?
		um_dnnl_md(s->type, 2, (int64_t[]){ p->k, p->n }, dnnl_format_tag_any) : stack(s->type, p->leads, p->b_lead, p->k, p->n, p->tb);
	dnnl_matmul_desc_t d;
	*pd = NULL;
	UM_TRY(um_dnnl_check(dnnl_matmul_desc_init(&d, &a, &b, NULL, &c), "matrix product"));
	UM_TRY(um_dnnl_pd(&d, add, NULL, pd));
out:
	return st;
}

/* Packing reads and writes b once, as long as 10 to 30 rows of the product take, and gains 3 to 15 %. */
static bool pays(const product32 *s, const um_node *n, const um_prepare *how)
{
	const int64_t batch = n->batched ? um_graph_batch(n->graph) : 1;
	return how->fixed[1] && s->p.images * s->p.leads == 1 && !s->p.sum &&
		s->p.m / how->count * batch >= 256;
}

static um_status pack_b(product32 *s, const dnnl_memory_desc_t *theirs, um_prepare *how)
{
	um_status st = UM_OK;
	const dnnl_memory_desc_t ours = stack(s->type, 1, 0, s->p.k, s->p.n, s->p.tb);
	if (um_dnnl_same(theirs, &ours))
		return UM_OK;
	UM_TRY(um_dnnl_reorder(&ours, theirs, false, how->lanes, &s->reorder));
	how->packed = ((int64_t)dnnl_memory_desc_get_size(theirs) + 63) / 64 * 64;
	s->packed = aligned_alloc(64, (size_t)how->packed);
	if (s->packed == NULL)
		return um_fail(UM_ENOMEM, "matmul: no memory for %lld bytes of weights", (long long)how->packed);
	UM_TRY(um_dnnl_fix(s->set, 1, s->packed));
out:
	return st;
}

static um_status make(product32 *s, const um_node *n, um_prepare *how)
{
	static const int args[] = { DNNL_ARG_SRC, DNNL_ARG_WEIGHTS, DNNL_ARG_DST };
	um_status st = UM_OK;
	dnnl_primitive_desc_t pd = NULL, more = NULL;
	const bool packed = pays(s, n, how);
	UM_TRY(describe(s, packed, false, &pd));
	UM_TRY(um_dnnl_new(pd, how->lanes, 3, args, &s->set));
	if (packed) {
		const dnnl_memory_desc_t theirs = um_dnnl_pd_md(pd, DNNL_ARG_WEIGHTS);
		UM_TRY(pack_b(s, &theirs, how));
	}
	if (s->p.sum) {
		UM_TRY(describe(s, false, true, &more));
		UM_TRY(um_dnnl_new(more, how->lanes, 3, args, &s->add));
	}
	const int64_t size[] = { um_dnnl_scratch(s->set), um_dnnl_scratch(s->add), um_dnnl_scratch(s->reorder) };
	for (int i = 0; i < 3; i++)
		how->scratch = size[i] > how->scratch ? size[i] : how->scratch;
out:
	dnnl_primitive_desc_destroy(pd);
	dnnl_primitive_desc_destroy(more);
	return st;
}

um_status um_product_prepare(const um_node *n, um_prepare *how)
{
	um_status st = UM_OK;
	if (how->precision != UM_FLOAT32)
		return UM_OK;
	product32 *s = um_new(sizeof(*s));
	const int before = um_dnnl_plan_threads(how->threads);
	s->p = fold(um_product_of(n, how->count));
	s->type = um_dnnl_type(n->in[0]);
	s->blas = s->type == dnnl_f32 && s->p.leads == 1 && small(&s->p);
	/* a stack in which an operand repeats is a loop over products */
	if (s->p.leads > 1 && (s->p.a_lead == 0 || s->p.b_lead == 0))
		s->blas = true;
	if (s->blas && s->type != dnnl_f32)
		UM_TRY(um_fail(UM_EARG, "there is no product of bfloat16 in which one factor repeats"));
	if (!s->blas)
		UM_TRY(make(s, n, how));
	how->state = s;
	s = NULL;
out:
	um_dnnl_plan_threads(before);
	um_product_release(s);
	return st;
}

um_status um_product_pack(const um_call *c)
{
	const product32 *s = c->state;
	if (s == NULL || s->reorder == NULL)
		return UM_OK;
	return um_dnnl_run(s->reorder, c->lane, (const void *[]){ c->in[1], s->packed }, c->scratch);
}

static void blas(const um_product *p, const float *a, const float *b, bool add, float *c)
{
	for (int64_t l = 0; l < p->leads; l++)
		cblas_sgemm(CblasRowMajor, p->ta ? CblasTrans : CblasNoTrans,
			p->tb ? CblasTrans : CblasNoTrans, (blasint)p->m, (blasint)p->n, (blasint)p->k, 1,
			a + l * p->a_lead, (blasint)(p->ta ? p->m : p->k), b + l * p->b_lead,
			(blasint)(p->tb ? p->k : p->n), add ? 1 : 0, c + l * p->c_lead, (blasint)p->n);
}

um_status um_product_run32(const um_call *c)
{
	const product32 *s = c->state;
	const um_product *p = &s->p;
	const int64_t size = (int64_t)dnnl_data_type_size(s->type);
	for (int64_t i = 0; i < p->images; i++) {
		const void *a = (const char *)c->in[0] + i * p->a_image * size;
		const void *b = (const char *)c->in[1] + i * p->b_image * size;
		float *out = (float *)c->out + i * p->c_image;
		const bool add = p->sum && (c->add || i > 0);
		if (s->blas) {
			blas(p, a, b, add, out);
			continue;
		}
		um_status st = um_dnnl_run(add ? s->add : s->set, c->lane,
			(const void *[]){ a, s->packed != NULL ? NULL : b, out }, c->scratch);
		if (st != UM_OK)
			return st;
	}
	return UM_OK;
}

void um_product_release(void *state)
{
	product32 *s = state;
	if (s == NULL)
		return;
	um_dnnl_free(s->set);
	um_dnnl_free(s->add);
	um_dnnl_free(s->reorder);
	free(s->packed);
	free(s);
}

const char *um_product_kernel(const void *state)
{
	const product32 *s = state;
	return s == NULL || s->blas ? "openblas" : um_dnnl_name(s->set);
}
