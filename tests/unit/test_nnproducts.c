/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Matrix products and convolutions of the engine against loops written here, against each other's
 * adjoints, and their derivatives against differences; float against double, both schedules. */
#include <umbra/graph.h>
#include <umbra/program.h>
#include <umbra/rng.h>
#include "check.h"

enum { BATCH = 3, NAMES = 8 };

/* Named inputs, the same numbers in both precisions. */
typedef struct input {
	const char *name;
	int64_t n;
	double *v;
} input;
static input inputs[NAMES];
static int ninputs;

static double *values(const char *name, int64_t n)
{
	for (int i = 0; i < ninputs; i++)
		if (strcmp(inputs[i].name, name) == 0)
			return inputs[i].v;
	double *v = malloc(sizeof(*v) * (size_t)n);
	um_rng r = um_rng_new(3, name, 0);
	um_normal_fill(&r, v, n);
	for (int64_t i = 0; i < n; i++)
		v[i] = (float)v[i];
	inputs[ninputs++] = (input){ name, n, v };
	return v;
}

static void forget(void)
{
	while (ninputs > 0)
		free(inputs[--ninputs].v);
}

static um_node *make_input(um_graph *g, const char *name, int rank, const int64_t dim[], bool batched)
{
	um_node *x = um_nn_input(g, name, rank, dim, batched);
	CHECK_OK(um_graph_status(g));
	values(name, um_node_len(x) * (batched ? um_graph_batch(g) : 1));
	return x;
}

static int64_t length(const um_node *y)
{
	return um_node_len(y) * (um_node_batched(y) ? um_graph_batch(um_node_graph(y)) : 1);
}

/* y, as new doubles. */
static double *compute(um_node *y, um_schedule schedule, um_precision precision)
{
	const um_compile_options how = { .schedule = schedule, .precision = precision, .threads = 2 };
	um_program *p = NULL;
	CHECK_FATAL(y != NULL);
	CHECK_OK(um_compile(1, &y, &how, &p));
	for (int i = 0; i < ninputs; i++) {
		const um_array a = um_program_input(p, inputs[i].name);
		for (int64_t k = 0; a.data != NULL && k < inputs[i].n; k++)
			if (precision == UM_FLOAT32)
				((float *)a.data)[k] = (float)inputs[i].v[k];
			else
				((double *)a.data)[k] = inputs[i].v[k];
	}
	CHECK_OK(um_program_run(p, 1));
	const um_array o = um_program_output(p, 0);
	const int64_t n = length(y);
	double *v = malloc(sizeof(*v) * (size_t)n);
	for (int64_t k = 0; k < n; k++)
		v[k] = precision == UM_FLOAT32 ? (double)((float *)o.data)[k] : ((double *)o.data)[k];
	um_program_free(p);
	return v;
}

static double distance(const double *a, const double *b, int64_t n)
{
	double d = 0, s = 0;
	for (int64_t i = 0; i < n; i++) {
		d += (a[i] - b[i]) * (a[i] - b[i]);
		s += b[i] * b[i];
	}
	return sqrt(d / s);
}

static double dot(const double *a, const double *b, int64_t n)
{
	double s = 0;
	for (int64_t i = 0; i < n; i++)
		s += a[i] * b[i];
	return s;
}

/* Every way to compute y gives want. */
static void check_values(um_node *y, const double *want, const char *what)
{
	for (int k = 0; k < 4; k++) {
		const um_precision precision = k % 2 ? UM_FLOAT64 : UM_FLOAT32;
		double *got = compute(y, k / 2 ? UM_PER_IMAGE : UM_PER_BATCH, precision);
		const double d = distance(got, want, length(y)), most = k % 2 ? 1e-14 : 2e-6;
		if (!(d <= most))
			fprintf(stderr, "%s: %s, %s: off by %g\n", what, k / 2 ? "per image" : "per batch",
				k % 2 ? "double" : "float", d);
		CHECK(d <= most);
		free(got);
	}
}

/* ---- convolutions --------------------------------------------------------------------- */

typedef struct conv_case {
	int64_t rows, columns, ci, co, kr, kc;
	um_conv spec;
} conv_case;

static const conv_case convs[] = {
	{ 9, 7, 3, 5, 3, 3, { 1, 1, 1, 1, 1 } },
	{ 9, 8, 3, 5, 3, 3, { 2, 1, 0, 0, 2 } },   /* rows and columns left over */
	{ 8, 8, 1, 4, 5, 5, { 1, 2, 2, 2, 2 } },
	{ 7, 6, 4, 1, 5, 3, { 2, 0, 1, 2, 1 } },
	{ 5, 5, 16, 32, 1, 1, { 0, 0, 0, 0, 0 } },
	{ 6, 6, 16, 16, 1, 1, { 2, 0, 0, 0, 0 } },
	{ 4, 9, 17, 33, 3, 3, { 1, 0, 2, 2, 1 } },
	{ 8, 6, 2, 3, 3, 2, { 1, 3, 3, 4, 2 } },    /* padding beyond the kernel */
	{ 1, 1, 3, 2, 1, 1, { 1, 0, 0, 0, 0 } },
};
enum { CONVS = sizeof(convs) / sizeof(*convs) };

/* One image of T (see core/nn/conv.h); what is NULL is not there, to what is "into" is added. */
static void trilinear(const conv_case *c, int64_t rows, int64_t columns, double *x, double *w, double *y,
	const double *into)
{
	const int64_t s = c->spec.stride > 0 ? c->spec.stride : 1;
	for (int64_t i = 0; i < rows; i++)
	for (int64_t j = 0; j < columns; j++)
	for (int64_t p = 0; p < c->kr; p++)
	for (int64_t q = 0; q < c->kc; q++) {
		const int64_t r = s * i + p - c->spec.top, k = s * j + q - c->spec.left;
		if (r < 0 || r >= c->rows || k < 0 || k >= c->columns)
			continue;
		for (int64_t a = 0; a < c->ci; a++)
		for (int64_t b = 0; b < c->co; b++) {
			double *px = x + (r * c->columns + k) * c->ci + a, *py = y + (i * columns + j) * c->co + b;
			double *pw = w + ((p * c->kc + q) * c->ci + a) * c->co + b;
			if (into == x)
				*px += *pw * *py;
			else if (into == w)
				*pw += *px * *py;
			else
				*py += *px * *pw;
		}
	}
}

typedef struct conv_nodes {
	um_graph *g;
	um_node *x, *w, *y; /* inputs */
	um_node *of_x, *of_y, *of_w; /* conv of x, its adjoint of y, the weights from x and y */
} conv_nodes;

static conv_nodes conv_make(const conv_case *c, int64_t batch, bool fixed)
{
	conv_nodes n = { .g = um_graph_new(batch) };
	const int64_t wd[] = { c->kr, c->kc, c->ci, c->co };
	n.x = make_input(n.g, "x", 3, (int64_t[]){ c->rows, c->columns, c->ci }, true);
	n.w = make_input(n.g, "w", 4, wd, false);
	if (fixed)
		n.w = um_nn_constant(n.g, 4, wd, values("w", 0));
	n.of_x = um_nn_conv(n.x, n.w, &c->spec);
	CHECK_OK(um_graph_status(n.g));
	n.y = make_input(n.g, "y", 3, um_node_dim(n.of_x), true);
	n.of_y = um_nn_conv_transposed(n.y, n.w, &c->spec, c->rows, c->columns);
	n.of_w = um_nn_conv_weight(n.x, n.y, &c->spec, c->kr, c->kc);
	CHECK_OK(um_graph_status(n.g));
	return n;
}

/* The result of T in place of node k, by loops over images. */
static double *conv_want(const conv_case *c, const conv_nodes *n, um_node *result)
{
	const int64_t batch = um_graph_batch(n->g), *out = um_node_dim(n->of_x);
	double *o = calloc((size_t)length(result), sizeof(*o));
	for (int64_t b = 0; b < batch; b++) {
		double *x = values("x", 0) + b * um_node_len(n->x), *w = values("w", 0);
		double *y = values("y", 0) + b * um_node_len(n->y);
		double *to = o + (result == n->of_w ? 0 : b * um_node_len(result));
		trilinear(c, out[0], out[1], result == n->of_y ? to : x, result == n->of_w ? to : w,
			result == n->of_x ? to : y, to);
	}
	return o;
}

static void convolutions(void)
{
	for (int i = 0; i < CONVS; i++)
		for (int k = 0; k < 4; k++) {
			const conv_nodes n = conv_make(&convs[i], k % 2 ? 1 : BATCH, k / 2);
			um_node *all[] = { n.of_x, n.of_y, n.of_w };
			for (int j = 0; j < 3; j++) {
				char what[80];
				snprintf(what, sizeof(what), "convolution %d, operation %d, batch %d, %s weights", i, j,
					k % 2 ? 1 : BATCH, k / 2 ? "constant" : "given");
				double *want = conv_want(&convs[i], &n, all[j]);
				check_values(all[j], want, what);
				free(want);
			}
			um_graph_free(n.g);
			forget();
		}
}

static void conv_adjoints(void)
{
	for (int i = 0; i < CONVS; i++) {
		const conv_nodes n = conv_make(&convs[i], BATCH, false);
		double *of_x = compute(n.of_x, UM_PER_IMAGE, UM_FLOAT64);
		double *of_y = compute(n.of_y, UM_PER_IMAGE, UM_FLOAT64);
		double *of_w = compute(n.of_w, UM_PER_IMAGE, UM_FLOAT64);
		const int64_t len = length(n.of_x);
		const double *y = values("y", 0), t = dot(of_x, y, len);
		const double size = sqrt(dot(of_x, of_x, len) * dot(y, y, len));
		CHECK_NEAR(dot(of_y, values("x", 0), length(n.of_y)), t, 1e-13 * size);
		CHECK_NEAR(dot(of_w, values("w", 0), length(n.of_w)), t, 1e-13 * size);
		free(of_x);
		free(of_y);
		free(of_w);
		um_graph_free(n.g);
		forget();
	}
}

/* ---- matrix products ------------------------------------------------------------------- */

typedef struct product_case {
	int64_t m, k, n, a_leads, b_leads; /* 0: no leading axis */
	bool ta, tb, a_batched, b_batched, sum;
} product_case;

static const int64_t sizes[][3] = { { 3, 7, 5 }, { 1, 1, 1 }, { 70, 3, 2 }, { 65, 83, 71 } };
static const int64_t stacks[][2] = { { 0, 0 }, { 4, 4 }, { 4, 0 }, { 0, 4 } };

/* (a, b) of all combinations by number; false where there is no such case. */
static bool product_at(int i, product_case *p)
{
	const int64_t *s = sizes[i / 128], *l = stacks[i / 32 % 4];
	*p = (product_case){ s[0], s[1], s[2], l[0], l[1], i & 1, i & 2, i & 4, i & 8, i & 16 };
	return !p->sum || (p->a_batched && p->b_batched);
}

static um_node *operand(um_graph *g, const char *name, int64_t leads, int64_t rows, int64_t columns, bool t,
	bool batched)
{
	const int64_t d[] = { leads, t ? columns : rows, t ? rows : columns };
	return make_input(g, name, leads > 0 ? 3 : 2, leads > 0 ? d : d + 1, batched);
}

static um_node *product_make(const product_case *p, int64_t batch)
{
	um_graph *g = um_graph_new(batch);
	um_node *a = operand(g, "a", p->a_leads, p->m, p->k, p->ta, p->a_batched);
	um_node *b = operand(g, "b", p->b_leads, p->k, p->n, p->tb, p->b_batched);
	um_node *c = p->sum ? um_nn_matmul_sum(a, b, p->ta, p->tb) : um_nn_matmul(a, b, p->ta, p->tb);
	CHECK_OK(um_graph_status(g));
	return c;
}

static double *product_want(const product_case *p, const um_node *c)
{
	const int64_t images = p->a_batched || p->b_batched ? um_graph_batch(um_node_graph(c)) : 1;
	const int64_t al = p->a_leads > 0 ? p->a_leads : 1, bl = p->b_leads > 0 ? p->b_leads : 1;
	const int64_t leads = al > bl ? al : bl, mn = p->m * p->n;
	double *o = calloc((size_t)length(c), sizeof(*o));
	for (int64_t i = 0; i < images; i++)
		for (int64_t l = 0; l < leads; l++) {
			const int64_t ia = (p->a_batched ? i * al : 0) + (p->a_leads > 0 ? l : 0);
			const int64_t ib = (p->b_batched ? i * bl : 0) + (p->b_leads > 0 ? l : 0);
			const double *a = values("a", 0) + ia * p->m * p->k, *b = values("b", 0) + ib * p->k * p->n;
			double *to = o + (p->sum ? 0 : i * leads * mn) + l * mn;
			for (int64_t r = 0; r < p->m; r++)
				for (int64_t q = 0; q < p->n; q++)
					for (int64_t k = 0; k < p->k; k++)
						to[r * p->n + q] += (p->ta ? a[k * p->m + r] : a[r * p->k + k]) *
							(p->tb ? b[q * p->k + k] : b[k * p->n + q]);
		}
	return o;
}

static void products(void)
{
	product_case p;
	for (int i = 0; i < 128 * (int)(sizeof(sizes) / sizeof(*sizes)); i++) {
		if (!product_at(i, &p))
			continue;
		um_node *c = product_make(&p, BATCH);
		CHECK(um_node_batched(c) == (!p.sum && (p.a_batched || p.b_batched)));
		double *want = product_want(&p, c);
		char what[120];
		snprintf(what, sizeof(what), "product %d: %d x %d x %d, stacks %d %d, t %d%d, batched %d%d, sum %d", i,
			(int)p.m, (int)p.k, (int)p.n, (int)p.a_leads, (int)p.b_leads, p.ta, p.tb, p.a_batched,
			p.b_batched, p.sum);
		check_values(c, want, what);
		free(want);
		um_graph_free(um_node_graph(c));
		forget();
	}
}

/* Constant weights, many rows: the packed layout. */
static void packed(void)
{
	const int64_t bd[] = { 48, 80 };
	um_graph *g = um_graph_new(BATCH);
	um_node *a = make_input(g, "a", 2, (int64_t[]){ 120, 48 }, true);
	make_input(g, "b", 2, bd, false);
	um_node *b = um_nn_constant(g, 2, bd, values("b", 0)), *c = um_nn_matmul(a, b, false, false);
	const product_case p = { 120, 48, 80, 0, 0, false, false, true, false, false };
	double *want = product_want(&p, c);
	check_values(c, want, "packed product");
	free(want);
	um_graph_free(g);
	forget();
}

/* A batched factor and one of all images, summed: the batch is summed first. */
static void sum_of_shared(void)
{
	um_graph *g = um_graph_new(BATCH);
	um_node *a = make_input(g, "a", 2, (int64_t[]){ 4, 3 }, true);
	um_node *b = make_input(g, "b", 2, (int64_t[]){ 4, 5 }, false);
	um_node *c = um_nn_matmul_sum(a, b, true, false), *d = um_nn_batch_sum(um_nn_matmul(a, b, true, false));
	double *got = compute(c, UM_PER_BATCH, UM_FLOAT64), *want = compute(d, UM_PER_BATCH, UM_FLOAT64);
	CHECK(distance(got, want, 15) < 1e-14);
	free(got);
	free(want);
	um_graph_free(g);
	forget();
}

/* ---- derivatives ------------------------------------------------------------------------- */

/* sum over everything of y^2 + y */
static um_node *loss(um_node *y)
{
	return um_nn_batch_sum(um_nn_sum(um_nn_add(um_nn_square(y), y), UM_NN_ALL));
}

/* sum over j of <a_j, b_j>, over the batch too */
static um_node *pairing(int n, um_node *const a[], um_node *const b[])
{
	um_node *s = NULL;
	for (int j = 0; j < n; j++) {
		um_node *t = um_nn_batch_sum(um_nn_sum(um_nn_mul(a[j], b[j]), UM_NN_ALL));
		s = s == NULL ? t : um_nn_add(s, t);
	}
	return s;
}

static double scalar(um_node *y)
{
	double *v = compute(y, UM_PER_BATCH, UM_FLOAT64), r = v[0];
	free(v);
	return r;
}

/* (f(x + h e) - f(x - h e)) / 2h over inputs 0 and 1, whose directions are inputs 2 and 3. */
static double difference(um_node *f)
{
	const double h = 1e-5;
	double at[2];
	for (int side = 0; side < 2; side++) {
		for (int j = 0; j < 2; j++)
			for (int64_t i = 0; i < inputs[j].n; i++)
				inputs[j].v[i] += (side ? -2 * h : h) * inputs[j + 2].v[i];
		at[side] = scalar(f);
	}
	for (int j = 0; j < 2; j++)
		for (int64_t i = 0; i < inputs[j].n; i++)
			inputs[j].v[i] += h * inputs[j + 2].v[i];
	return (at[0] - at[1]) / (2 * h);
}

/* First and second derivatives of y in its inputs x0 and x1 (the only ones so far). */
static void check_derivatives(um_node *y, um_node *x0, um_node *x1)
{
	um_graph *g = um_node_graph(y);
	um_node *x[] = { x0, x1 }, *e[2], *u[2], *dx[2], *he[2], *f = loss(y);
	const char *en[] = { "e0", "e1" }, *un[] = { "u0", "u1" };
	for (int j = 0; j < 2; j++)
		e[j] = make_input(g, en[j], um_node_rank(x[j]), um_node_dim(x[j]), um_node_batched(x[j]));
	for (int j = 0; j < 2; j++)
		u[j] = make_input(g, un[j], um_node_rank(x[j]), um_node_dim(x[j]), um_node_batched(x[j]));
	CHECK_OK(um_grad(1, &f, NULL, 2, x, dx));
	const double first = difference(f);
	CHECK_REL(scalar(pairing(2, dx, e)), first, 1e-6);
	um_node *along = pairing(2, dx, u);
	const double second = difference(along);
	CHECK_OK(um_grad(1, &along, NULL, 2, x, he));
	CHECK_REL(scalar(pairing(2, he, e)), second, 1e-6);
	CHECK_OK(um_tangent(2, x, e, 2, dx, he));
	CHECK_REL(scalar(pairing(2, he, u)), second, 1e-6);
}

static void conv_derivatives(void)
{
	for (int i = 0; i < CONVS; i++)
		for (int k = 0; k < 3; k++) {
			const conv_case *c = &convs[i];
			um_graph *g = um_graph_new(BATCH);
			const int64_t xd[] = { c->rows, c->columns, c->ci }, wd[] = { c->kr, c->kc, c->ci, c->co };
			um_node *probe = um_nn_conv(um_nn_input(g, "p", 3, xd, true), um_nn_input(g, "q", 4, wd, false),
				&c->spec);
			um_node *x = k == 1 ? NULL : make_input(g, "x", 3, xd, true);
			um_node *y = k == 0 ? NULL : make_input(g, "y", 3, um_node_dim(probe), true);
			um_node *w = k == 2 ? NULL : make_input(g, "w", 4, wd, false);
			if (k == 0)
				check_derivatives(um_nn_conv(x, w, &c->spec), x, w);
			else if (k == 1)
				check_derivatives(um_nn_conv_transposed(y, w, &c->spec, xd[0], xd[1]), y, w);
			else
				check_derivatives(um_nn_conv_weight(x, y, &c->spec, wd[0], wd[1]), x, y);
			um_graph_free(g);
			forget();
		}
}

static void product_derivatives(void)
{
	product_case p;
	for (int i = 0; i < 128; i++) {
		if (!product_at(i, &p))
			continue;
		um_graph *g = um_graph_new(BATCH);
		um_node *a = operand(g, "a", p.a_leads, p.m, p.k, p.ta, p.a_batched);
		um_node *b = operand(g, "b", p.b_leads, p.k, p.n, p.tb, p.b_batched);
		check_derivatives(p.sum ? um_nn_matmul_sum(a, b, p.ta, p.tb) : um_nn_matmul(a, b, p.ta, p.tb), a, b);
		um_graph_free(g);
		forget();
	}
}

/* ---- mistakes ------------------------------------------------------------------------------ */

#define CHECK_MISTAKE(expr, text) do { um_graph *g = um_graph_new(1); \
	CHECK((expr) == NULL); \
	CHECK_FAILS(um_graph_status(g), UM_EARG, text); \
	um_graph_free(g); } while (0)
#define IN(rank, ...) um_nn_input(g, #__VA_ARGS__, rank, (const int64_t[]){ __VA_ARGS__ }, true)
#define SHARED(rank, ...) um_nn_input(g, "shared " #__VA_ARGS__, rank, (const int64_t[]){ __VA_ARGS__ }, false)

static void mistakes(void)
{
	const um_conv one = { 1, 1, 1, 1, 1 }, two = { 2, 0, 0, 0, 0 }, bad = { 1, -1, 0, 0, 0 }, none = { 0 };
	CHECK_MISTAKE(um_nn_conv(IN(3, 32, 32, 3), SHARED(4, 3, 3, 64, 64), &one),
		"conv: x (32, 32, 3) has 3 channels, the weights (3, 3, 64, 64) want 64");
	CHECK_MISTAKE(um_nn_conv(IN(2, 32, 32), SHARED(4, 3, 3, 1, 1), &one), "conv: x (32, 32) is not (rows,");
	CHECK_MISTAKE(um_nn_conv(IN(3, 8, 8, 1), SHARED(3, 3, 3, 1), &one), "the weights (3, 3, 1) are not");
	CHECK_MISTAKE(um_nn_conv(IN(3, 8, 8, 1), IN(4, 3, 3, 1, 1), &one),
		"conv: the weights (3, 3, 1, 1) are batched");
	CHECK_MISTAKE(um_nn_conv(IN(3, 2, 8, 1), SHARED(4, 3, 3, 1, 1), &none), "a kernel of 3 x 3 does not fit");
	CHECK_MISTAKE(um_nn_conv(IN(3, 8, 8, 1), SHARED(4, 3, 3, 1, 1), &bad), "conv: negative padding");
	CHECK_MISTAKE(um_nn_conv_transposed(IN(3, 4, 4, 2), SHARED(4, 1, 1, 1, 2), &two, 9, 8),
		"conv_transposed: y is (4, 4, 2), the convolution of x (9, 8, 1) with a kernel of 1 x 1 has (5, 4, 2)");
	CHECK_MISTAKE(um_nn_conv_weight(IN(3, 8, 8, 1), IN(3, 8, 8, 2), &none, 3, 3), "conv_weight: y is (8, 8, 2)");
	CHECK_MISTAKE(um_nn_matmul(IN(2, 4, 5), SHARED(2, 4, 6), false, false),
		"matmul: (4, 5) has 5 columns, (4, 6) has 4 rows");
	CHECK_MISTAKE(um_nn_matmul(IN(3, 2, 4, 5), SHARED(2, 6, 4), false, true),
		"matmul: (2, 4, 5) has 5 columns, (6, 4) transposed has 4 rows");
	CHECK_MISTAKE(um_nn_matmul(IN(3, 2, 4, 5), IN(3, 3, 5, 4), false, false), "the axes before the last two");
	CHECK_MISTAKE(um_nn_matmul_sum(IN(1, 4), IN(2, 4, 4), false, false), "matmul_sum: (4) and (4, 4): both must");
}

CHECK_MAIN(CHECK_CASE(convolutions), CHECK_CASE(conv_adjoints), CHECK_CASE(products), CHECK_CASE(packed),
	CHECK_CASE(sum_of_shared), CHECK_CASE(conv_derivatives), CHECK_CASE(product_derivatives),
	CHECK_CASE(mistakes))
