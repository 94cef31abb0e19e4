/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Shapes of convolutions: which go together, and what to say where they do not. */
#include "nn/conv.h"

enum { MOST = 1 << 30 }; /* oneDNN counts in int */

bool um_conv_attr_make(um_graph *g, const char *name, const um_conv *spec, int64_t rows, int64_t columns,
	um_conv_attr *attr)
{
	*attr = (um_conv_attr){ *spec, rows, columns };
	um_conv *s = &attr->spec;
	s->stride = s->stride == 0 ? 1 : s->stride;
	if (s->stride < 1)
		um_graph_fail(g, "%s: stride %lld: at least 1", name, (long long)s->stride);
	else if (s->top < 0 || s->bottom < 0 || s->left < 0 || s->right < 0)
		um_graph_fail(g, "%s: negative padding (slice the image instead)", name);
	else if (s->top > MOST || s->bottom > MOST || s->left > MOST || s->right > MOST || s->stride > MOST ||
		rows > MOST || columns > MOST)
		um_graph_fail(g, "%s: a padding, stride or size above %d", name, MOST);
	else
		return true;
	return false;
}

/* How often a kernel fits; 0: never. */
static int64_t places(int64_t length, int64_t before, int64_t after, int64_t kernel, int64_t stride)
{
	const int64_t room = length + before + after - kernel;
	return room < 0 ? 0 : room / stride + 1;
}

um_conv_form um_conv_form_of(const um_node *n, um_conv_side side)
{
	const um_conv_attr *attr = n->attr;
	const um_node *a = n->in[0], *b = n->in[1];
	um_conv_form f = { .side = side, .spec = attr->spec };
	if (side != UM_CONV_X)
		f.rows = a->dim[0], f.columns = a->dim[1], f.ci = a->dim[2];
	else
		f.rows = attr->rows, f.columns = attr->columns, f.ci = b->dim[2];
	if (side != UM_CONV_W)
		f.kr = b->dim[0], f.kc = b->dim[1], f.co = b->dim[3];
	else
		f.kr = attr->rows, f.kc = attr->columns, f.co = b->dim[2];
	f.out_rows = places(f.rows, f.spec.top, f.spec.bottom, f.kr, f.spec.stride);
	f.out_columns = places(f.columns, f.spec.left, f.spec.right, f.kc, f.spec.stride);
	return f;
}

static bool ranks(um_node *n, um_conv_side side)
{
	const um_node *a = n->in[0], *b = n->in[1];
	const char *op = n->op->name, *first = side == UM_CONV_X ? "y" : "x";
	if (a->rank != 3)
		um_graph_fail(n->graph, "%s: %s %s is not (rows, columns, channels)", op, first, um_node_shape(a));
	else if (side == UM_CONV_W && b->rank != 3)
		um_graph_fail(n->graph, "%s: y %s is not (rows, columns, channels)", op, um_node_shape(b));
	else if (side != UM_CONV_W && b->rank != 4)
		um_graph_fail(n->graph, "%s: the weights %s are not (rows, columns, channels in, channels out)",
			op, um_node_shape(b));
	else if (side != UM_CONV_W && b->batched)
		um_graph_fail(n->graph, "%s: the weights %s are batched, one set for all images is wanted", op,
			um_node_shape(b));
	else
		return true;
	return false;
}

static bool sizes(um_node *n, const um_conv_form *f)
{
	const um_node *a = n->in[0], *b = n->in[1];
	const um_node *y = f->side == UM_CONV_X ? a : b;
	const char *op = n->op->name;
	if (f->side == UM_CONV_Y && a->dim[2] != b->dim[2])
		um_graph_fail(n->graph, "%s: x %s has %lld channels, the weights %s want %lld", op,
			um_node_shape(a), (long long)a->dim[2], um_node_shape(b), (long long)b->dim[2]);
	else if (f->side == UM_CONV_X && a->dim[2] != b->dim[3])
		um_graph_fail(n->graph, "%s: y %s has %lld channels, the weights %s give %lld", op,
			um_node_shape(a), (long long)a->dim[2], um_node_shape(b), (long long)b->dim[3]);
	else if (f->out_rows < 1 || f->out_columns < 1)
		um_graph_fail(n->graph, "%s: a kernel of %lld x %lld does not fit into x (%lld, %lld, %lld) with "
			"its padding", op, (long long)f->kr, (long long)f->kc, (long long)f->rows,
			(long long)f->columns, (long long)f->ci);
	else if (f->side != UM_CONV_Y && (y->dim[0] != f->out_rows || y->dim[1] != f->out_columns))
		um_graph_fail(n->graph, "%s: y is %s, the convolution of x (%lld, %lld, %lld) with a kernel of "
			"%lld x %lld has (%lld, %lld, %lld)", op, um_node_shape(y), (long long)f->rows,
			(long long)f->columns, (long long)f->ci, (long long)f->kr, (long long)f->kc,
			(long long)f->out_rows, (long long)f->out_columns, (long long)f->co);
	else
		return true;
	return false;
}

bool um_conv_shape(um_node *n, um_conv_side side)
{
	if (!ranks(n, side))
		return false;
	const um_conv_form f = um_conv_form_of(n, side);
	if (!sizes(n, &f))
		return false;
	if (side == UM_CONV_Y)
		um_node_set(n, 3, (int64_t[]){ f.out_rows, f.out_columns, f.co });
	else if (side == UM_CONV_X)
		um_node_set(n, 3, (int64_t[]){ f.rows, f.columns, f.ci });
	else
		um_node_set(n, 4, (int64_t[]){ f.kr, f.kc, f.ci, f.co });
	return true;
}

/* With few channels the tiles of a processor stay empty. */
bool um_conv_factors(const um_node *n, um_conv_side side, int axis[2])
{
	enum { LEAST = 8 };
	const um_conv_form f = um_conv_form_of(n, side);
	axis[0] = side == UM_CONV_W ? -1 : 2;
	axis[1] = side == UM_CONV_W ? -1 : side == UM_CONV_X ? 3 : 2;
	return (side == UM_CONV_Y || f.co >= LEAST) && (side == UM_CONV_X || f.ci >= LEAST);
}

/* As usual, taps on the padding are counted too. */
double um_conv_flops(const um_node *n, um_conv_side side)
{
	const um_conv_form f = um_conv_form_of(n, side);
	return 2.0 * (double)(f.out_rows * f.out_columns) * (double)(f.ci * f.co) * (double)(f.kr * f.kc);
}
