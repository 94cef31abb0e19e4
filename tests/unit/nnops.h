/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What every operation of a network must satisfy. A case builds y from inputs x; with inputs w, e and
 * u of the shapes of y, x and x, one program computes
 *   y,   dy = J e,   dx = J^T w,   ddx = d <u, dx> / dx,
 * and op_check compares, in double precision: dx and ddx with central differences of <w, y> and <u, dx>
 * for every number of every input, dy with differences along e, <w, dy> with <dx, e>. Then every
 * schedule, precision and number of threads must give the same numbers. */
#ifndef TESTS_NNOPS_H
#define TESTS_NNOPS_H

#include <umbra/program.h>
#include "check.h"

enum { OP_INPUTS = 3, OP_BATCH = 3, OP_LEAVES = 3 * OP_INPUTS + 1, OP_OUTPUTS = 2 + 2 * OP_INPUTS };
enum { OP_Y, OP_DY, OP_DX }; /* ddx follows dx */

typedef struct op_input {
	int rank;
	int64_t dim[UM_NN_RANK];
	bool batched;
	double low, high; /* both 0: -1.5 and 1.5 */
} op_input;

typedef struct op_case {
	const char *name;
	um_node *(*build)(um_graph *g, um_node *const x[]);
	int nx;
	op_input x[OP_INPUTS];
	unsigned flags;
} op_case;

enum {
	OP_WHOLE = 1, /* something batched depends on a sum over the batch: per batch alone */
	OP_BIG = 2,   /* too large for differences one by one */
};

#define OP(name, build, nx, ...) { name, build, nx, { __VA_ARGS__ }, 0 }
#define OP_WITH(flags, name, build, nx, ...) { name, build, nx, { __VA_ARGS__ }, flags }
/* Inputs of a rank and dimensions: one an image, or shared; with values between low and high. */
#define IMAGE(rank, ...) { rank, { __VA_ARGS__ }, true, 0, 0 }
#define SHARED(rank, ...) { rank, { __VA_ARGS__ }, false, 0, 0 }
#define IMAGE_IN(low, high, rank, ...) { rank, { __VA_ARGS__ }, true, low, high }
#define SHARED_IN(low, high, rank, ...) { rank, { __VA_ARGS__ }, false, low, high }

typedef struct op_leaf {
	char name[16];
	um_node *node;
	int64_t len;      /* of all images */
	double *value;
} op_leaf;

typedef struct op_net {
	const op_case *c;
	um_graph *g;
	int nleaves, nout;
	op_leaf leaf[OP_LEAVES]; /* x, e, u, w */
	um_node *out[OP_OUTPUTS];
} op_net;

typedef struct op_values {
	int64_t len[OP_OUTPUTS];
	double *v[OP_OUTPUTS];
} op_values;

static inline int64_t op_len(const um_node *n)
{
	return um_node_len(n) * (um_node_batched(n) ? um_graph_batch(um_node_graph(n)) : 1);
}

/* Numbers in [low, high] that single precision holds exactly, and none near a kink at 0. */
static inline void op_fill(int64_t n, double *v, double low, double high, uint64_t seed)
{
	uint64_t s = seed * 0x9e3779b97f4a7c15u + 1;
	for (int64_t i = 0; i < n; i++) {
		s = s * 6364136223846793005u + 1442695040888963407u;
		v[i] = (float)(low + (high - low) * (double)(s >> 40) * 0x1p-24);
		if (fabs(v[i]) < 0.02)
			v[i] += v[i] < 0 ? -0.0625 : 0.0625;
	}
}

static inline um_node *op_leaf_new(op_net *t, char kind, int i, const op_input *like)
{
	op_leaf *l = &t->leaf[t->nleaves++];
	const bool given = like->low != 0 || like->high != 0;
	snprintf(l->name, sizeof l->name, "%c%d", kind, i);
	l->node = um_nn_input(t->g, l->name, like->rank, like->dim, like->batched);
	CHECK_FATAL(l->node != NULL);
	l->len = op_len(l->node);
	l->value = calloc((size_t)l->len, sizeof(double));
	op_fill(l->len, l->value, given ? like->low : -1.5, given ? like->high : 1.5,
		(uint64_t)(kind * 8 + i));
	return l->node;
}

static inline void op_build(op_net *t, const op_case *c)
{
	um_node *x[OP_INPUTS], *e[OP_INPUTS], *u[OP_INPUTS], **dx = &t->out[OP_DX];
	*t = (op_net){ .c = c, .g = um_graph_new(OP_BATCH), .nout = OP_DX + 2 * c->nx };
	for (int i = 0; i < c->nx; i++)
		x[i] = op_leaf_new(t, 'x', i, &c->x[i]);
	for (int k = 0; k < 2; k++)
		for (int i = 0; i < c->nx; i++) {
			op_input like = c->x[i];
			like.low = like.high = 0;
			*(k == 0 ? &e[i] : &u[i]) = op_leaf_new(t, "eu"[k], i, &like);
		}
	um_node *y = c->build(t->g, x);
	CHECK_OK(um_graph_status(t->g));
	CHECK_FATAL(y != NULL);
	op_input like = { .rank = um_node_rank(y), .batched = um_node_batched(y) };
	memcpy(like.dim, um_node_dim(y), sizeof(int64_t) * (size_t)like.rank);
	um_node *w = op_leaf_new(t, 'w', 0, &like);
	t->out[OP_Y] = y;
	CHECK_OK(um_tangent(c->nx, x, e, 1, &y, &t->out[OP_DY]));
	CHECK_OK(um_grad(1, &y, &w, c->nx, x, dx));
	CHECK_OK(um_grad(c->nx, dx, u, c->nx, x, dx + c->nx));
}

static inline void op_net_free(op_net *t)
{
	for (int i = 0; i < t->nleaves; i++)
		free(t->leaf[i].value);
	um_graph_free(t->g);
}

static inline um_program *op_compile(const op_net *t, um_schedule schedule, um_precision precision,
	int threads)
{
	um_program *p = NULL;
	CHECK_OK(um_compile(t->nout, t->out, &(um_compile_options){ .schedule = schedule,
		.precision = precision, .threads = threads }, &p));
	return p;
}

static inline void op_values_new(const op_net *t, op_values *r)
{
	for (int k = 0; k < t->nout; k++) {
		r->len[k] = op_len(t->out[k]);
		r->v[k] = calloc((size_t)r->len[k], sizeof(double));
	}
}

static inline void op_values_free(const op_net *t, op_values *r)
{
	for (int k = 0; k < t->nout; k++)
		free(r->v[k]);
}

/* What the last run of p left. */
static inline void op_take(const op_net *t, um_program *p, op_values *r)
{
	for (int k = 0; k < t->nout; k++) {
		um_array a = um_program_output(p, k);
		CHECK_FATAL(um_array_len(&a) == r->len[k]);
		for (int64_t j = 0; j < r->len[k]; j++)
			r->v[k][j] = a.dtype == UM_F32 ? (double)((float *)a.data)[j] : ((double *)a.data)[j];
	}
}

/* Runs p on the leaves of t. */
static inline void op_run(const op_net *t, um_program *p, op_values *r)
{
	for (int i = 0; i < t->nleaves; i++) {
		um_array a = um_program_input(p, t->leaf[i].name);
		for (int64_t j = 0; a.data != NULL && j < t->leaf[i].len; j++)
			if (a.dtype == UM_F32)
				((float *)a.data)[j] = (float)t->leaf[i].value[j];
			else
				((double *)a.data)[j] = t->leaf[i].value[j];
	}
	CHECK_OK(um_program_run(p, 7));
	op_take(t, p, r);
}

static inline double op_dot(int64_t n, const double *a, const double *b, double *size)
{
	double sum = 0;
	for (int64_t i = 0; i < n; i++) {
		sum += a[i] * b[i];
		*size += fabs(a[i] * b[i]);
	}
	return sum;
}

/* |got - want| <= tol (floor + max |want|) everywhere. */
static inline void op_near(const char *name, const char *what, int64_t n, const double *got,
	const double *want, double tol, double floor)
{
	double size = floor, worst = 0;
	for (int64_t i = 0; i < n; i++) {
		size = fmax(size, fabs(want[i]) + floor);
		worst = fabs(got[i] - want[i]) <= worst ? worst : fabs(got[i] - want[i]);
	}
	if (!(worst <= tol * size))
		fprintf(stderr, "%s: %s differs by %g of %g\n", name, what, worst, size);
	CHECK(worst <= tol * size);
}

/* <w, y>, and <u, dx>. */
static inline void op_scalars(const op_net *t, const op_values *r, double *f, double *g)
{
	const op_leaf *u = t->leaf + 2 * t->c->nx, *w = t->leaf + 3 * t->c->nx;
	double size = 0;
	*f = op_dot(r->len[OP_Y], r->v[OP_Y], w->value, &size);
	*g = 0;
	for (int i = 0; i < t->c->nx; i++)
		*g += op_dot(u[i].len, r->v[OP_DX + i], u[i].value, &size);
}

static inline void op_differences(const op_net *t, um_program *p, const op_values *ref)
{
	const double h = 1e-5;
	const int nx = t->c->nx;
	op_values r;
	op_values_new(t, &r);
	for (int i = 0; i < nx; i++) {
		const op_leaf *x = &t->leaf[i];
		double *first = calloc((size_t)x->len, sizeof(double));
		double *second = calloc((size_t)x->len, sizeof(double));
		for (int64_t j = 0; j < x->len; j++) {
			double f[2], g[2], was = x->value[j];
			for (int k = 0; k < 2; k++) {
				x->value[j] = was + (k == 0 ? h : -h);
				op_run(t, p, &r);
				op_scalars(t, &r, &f[k], &g[k]);
			}
			x->value[j] = was;
			first[j] = (f[0] - f[1]) / (2 * h);
			second[j] = (g[0] - g[1]) / (2 * h);
		}
		op_near(t->c->name, "first derivative", x->len, ref->v[OP_DX + i], first, 2e-7, 1);
		op_near(t->c->name, "second derivative", x->len, ref->v[OP_DX + nx + i], second, 2e-7, 1);
		free(first);
		free(second);
	}
	op_values_free(t, &r);
}

static inline void op_move(const op_net *t, double h)
{
	for (int i = 0; i < t->c->nx; i++)
		for (int64_t j = 0; j < t->leaf[i].len; j++)
			t->leaf[i].value[j] += h * t->leaf[t->c->nx + i].value[j];
}

static inline void op_along(const op_net *t, um_program *p, const op_values *ref)
{
	const double h = 1e-5;
	op_values a, b;
	op_values_new(t, &a);
	op_values_new(t, &b);
	op_move(t, h);
	op_run(t, p, &a);
	op_move(t, -2 * h);
	op_run(t, p, &b);
	op_move(t, h);
	for (int64_t j = 0; j < a.len[OP_Y]; j++)
		a.v[OP_Y][j] = (a.v[OP_Y][j] - b.v[OP_Y][j]) / (2 * h);
	op_near(t->c->name, "tangent", a.len[OP_Y], ref->v[OP_DY], a.v[OP_Y], 2e-7, 1);
	op_values_free(t, &a);
	op_values_free(t, &b);
}

static inline void op_adjoint(const op_net *t, const op_values *r)
{
	const double *w = t->leaf[3 * t->c->nx].value;
	double size = 0, left = op_dot(r->len[OP_DY], r->v[OP_DY], w, &size), right = 0;
	for (int i = 0; i < t->c->nx; i++)
		right += op_dot(t->leaf[i].len, r->v[OP_DX + i], t->leaf[t->c->nx + i].value, &size);
	op_near(t->c->name, "<w, J e>", 1, &left, &right, 1e-12 * (1 + size), 1);
}

/* Every way to run gives the numbers of ref, and in single precision those of the first such way. */
static inline void op_ways(const op_net *t, const op_values *ref)
{
	op_values single, r;
	op_values_new(t, &single);
	op_values_new(t, &r);
	for (int way = 0; way < 8; way++) {
		const um_schedule schedule = way & 2 ? UM_PER_IMAGE : UM_PER_BATCH;
		const um_precision precision = way & 4 ? UM_FLOAT64 : UM_FLOAT32;
		char what[64];
		if ((t->c->flags & OP_WHOLE) && schedule == UM_PER_IMAGE)
			continue;
		um_program *p = op_compile(t, schedule, precision, 1 + (way & 1));
		op_run(t, p, way == 0 ? &single : &r);
		op_run(t, p, way == 0 ? &single : &r);
		um_program_free(p);
		for (int k = 0; k < t->nout; k++) {
			const double *got = way == 0 ? single.v[k] : r.v[k];
			snprintf(what, sizeof what, "output %d, %s, float%d, %d threads", k,
				way & 2 ? "per image" : "per batch", way & 4 ? 64 : 32, 1 + (way & 1));
			op_near(t->c->name, what, r.len[k], got, ref->v[k],
				precision == UM_FLOAT64 ? 1e-12 : 1e-5, 0.01);
			if (precision == UM_FLOAT32)
				op_near(t->c->name, what, r.len[k], got, single.v[k], 1e-6, 0.01);
		}
	}
	op_values_free(t, &single);
	op_values_free(t, &r);
}

static inline void op_check(const op_case *c)
{
	op_net t;
	op_values ref;
	op_build(&t, c);
	um_program *p = op_compile(&t, UM_PER_BATCH, UM_FLOAT64, 1);
	op_values_new(&t, &ref);
	op_run(&t, p, &ref);
	op_adjoint(&t, &ref);
	if (!(c->flags & OP_BIG)) {
		op_differences(&t, p, &ref);
		op_along(&t, p, &ref);
	}
	um_program_free(p);
	op_ways(&t, &ref);
	op_values_free(&t, &ref);
	op_net_free(&t);
}

#define OP_CHECK_ALL(cases) do { \
	for (size_t i_ = 0; i_ < sizeof(cases) / sizeof(*(cases)); i_++) \
		op_check(&(cases)[i_]); \
} while (0)

/* A builder: an expression in g and x. */
#define OP_BUILD(name, expr) \
	static um_node *name(um_graph *g, um_node *const x[]) \
	{ \
		(void)g, (void)x; \
		return (expr); \
	}

#endif
