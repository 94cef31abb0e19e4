/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Matrix products of stacks of matrices: shapes, derivatives, the kernel in double. */
#include <cblas.h>
#include "nn/product.h"

/* Rows and columns of op(x). */
static int64_t rows(const um_node *x, bool t)
{
	return x->dim[x->rank - (t ? 1 : 2)];
}

static int64_t columns(const um_node *x, bool t)
{
	return x->dim[x->rank - (t ? 2 : 1)];
}

um_product um_product_of(const um_node *n, int64_t count)
{
	const um_product_attr *attr = n->attr;
	const um_node *a = n->in[0], *b = n->in[1];
	um_product p = { .ta = attr->ta != 0, .tb = attr->tb != 0, .sum = n->op->sums_batch };
	p.m = rows(a, p.ta);
	p.k = columns(a, p.ta);
	p.n = columns(b, p.tb);
	p.images = count;
	p.leads = um_node_len(n) / (p.m * p.n);
	p.a_lead = a->rank > 2 ? p.m * p.k : 0;
	p.b_lead = b->rank > 2 ? p.k * p.n : 0;
	p.c_lead = p.m * p.n;
	p.a_image = a->batched ? um_node_len(a) : 0;
	p.b_image = b->batched ? um_node_len(b) : 0;
	p.c_image = p.sum ? 0 : um_node_len(n);
	return p;
}

static bool same_leads(const um_node *a, const um_node *b)
{
	if (a->rank == 2 || b->rank == 2)
		return true;
	bool same = a->rank == b->rank;
	for (int i = 0; same && i < a->rank - 2; i++)
		same = a->dim[i] == b->dim[i];
	return same;
}

bool um_product_shape(um_node *n)
{
	const um_product_attr *attr = n->attr;
	const um_node *a = n->in[0], *b = n->in[1], *longer = a->rank > b->rank ? a : b;
	const char *ta = attr->ta ? " transposed" : "", *tb = attr->tb ? " transposed" : "";
	if (a->rank < 2 || b->rank < 2)
		um_graph_fail(n->graph, "%s: %s and %s: both must be matrices", n->op->name, um_node_shape(a),
			um_node_shape(b));
	else if (columns(a, attr->ta) != rows(b, attr->tb))
		um_graph_fail(n->graph, "%s: %s%s has %lld columns, %s%s has %lld rows", n->op->name,
			um_node_shape(a), ta, (long long)columns(a, attr->ta), um_node_shape(b), tb,
			(long long)rows(b, attr->tb));
	else if (!same_leads(a, b))
		um_graph_fail(n->graph, "%s: %s and %s: the axes before the last two must be equal, or one side "
			"without", n->op->name, um_node_shape(a), um_node_shape(b));
	else {
		um_node_set(n, longer->rank, longer->dim);
		n->dim[n->rank - 2] = rows(a, attr->ta);
		n->dim[n->rank - 1] = columns(b, attr->tb);
		return true;
	}
	return false;
}

um_node *um_product_node(const um_op *op, um_node *a, um_node *b, bool ta, bool tb)
{
	const um_product_attr attr = { ta, tb };
	if (a == NULL || b == NULL || a->rank <= 2 || b->rank != 2 || ta || columns(a, ta) != rows(b, tb))
		return um_node_2(op, a, b, &attr, sizeof(attr));
	int64_t dim[UM_NN_RANK];
	const int64_t k = columns(a, ta);
	for (int i = 0; i < a->rank; i++)
		dim[i] = a->dim[i];
	dim[a->rank - 1] = columns(b, tb);
	um_node *flat = um_nn_reshape(a, 2, (int64_t[]){ um_node_len(a) / k, k });
	return um_nn_reshape(um_node_2(op, flat, b, &attr, sizeof(attr)), a->rank, dim);
}

/* op(p) op(q) as the derivative in x, already summed over the batch if it can be. */
static um_node *part(const um_node *x, um_node *p, um_node *q, bool tp, bool tq)
{
	const int rank = p->rank > q->rank ? p->rank : q->rank;
	if (!x->batched && p->batched && q->batched && x->rank == rank)
		return um_nn_matmul_sum(p, q, tp, tq);
	return um_nn_matmul(p, q, tp, tq);
}

/* c = a b: da = dc b^T, db = a^T dc, and the transposes of these. */
void um_product_grad(um_node *n, um_node *dy, const bool want[], um_node *dx[])
{
	const um_product_attr *attr = n->attr;
	um_node *a = n->in[0], *b = n->in[1];
	if (want[0])
		dx[0] = attr->ta ? part(a, b, dy, attr->tb, true) : part(a, dy, b, false, !attr->tb);
	if (want[1])
		dx[1] = attr->tb ? part(b, dy, a, true, attr->ta) : part(b, a, dy, !attr->ta, false);
}

/* A stack in which an operand repeats has no kernel for bfloat16: what one of them is for all images has
 * to become rows of one product (fold in product32.c). */
bool um_product_factors(const um_node *n, int axis[2])
{
	const um_product_attr *attr = n->attr;
	const um_node *a = n->in[0], *b = n->in[1];
	axis[0] = a->rank - (attr->ta ? 2 : 1);
	axis[1] = b->rank - (attr->tb ? 1 : 2);
	if (a->batched == b->batched)
		return a->rank == b->rank;
	return a->rank == 2 && b->rank == 2 && a->batched && !attr->ta;
}

double um_product_flops(const um_node *n)
{
	const um_product p = um_product_of(n, 1);
	return 2.0 * (double)p.leads * (double)(p.m * p.n) * (double)p.k;
}

/* By the definition, one product after the other. */
um_status um_product_run64(const um_call *c)
{
	const um_product p = um_product_of(c->node, c->count);
	const double *a = c->in[0], *b = c->in[1];
	for (int64_t i = 0; i < p.images; i++)
		for (int64_t l = 0; l < p.leads; l++)
			cblas_dgemm(CblasRowMajor, p.ta ? CblasTrans : CblasNoTrans,
				p.tb ? CblasTrans : CblasNoTrans, (blasint)p.m, (blasint)p.n, (blasint)p.k, 1,
				a + i * p.a_image + l * p.a_lead, (blasint)(p.ta ? p.m : p.k),
				b + i * p.b_image + l * p.b_lead, (blasint)(p.tb ? p.k : p.n),
				c->add || (p.sum && i > 0) ? 1 : 0,
				(double *)c->out + i * p.c_image + l * p.c_lead, (blasint)p.n);
	return UM_OK;
}
