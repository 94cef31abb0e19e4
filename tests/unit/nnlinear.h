/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What every linear operation of networks must do: values against loops over indices, adjoints,
 * derivatives of second order through squares, single against double precision, and every schedule
 * and number of threads against the plainest. */
#ifndef TESTS_NNLINEAR_H
#define TESTS_NNLINEAR_H

#include <string.h>
#include <umbra/graph.h>
#include <umbra/program.h>
#include <umbra/rng.h>
#include "check.h"

enum { BATCH = 3, MAX_OUT = 6 };

/* One operation on one or two inputs. */
typedef struct spec spec;
struct spec {
	um_node *(*build)(const spec *s, um_node *const x[]);
	/* y of one image, whose shape is (rank, dim), from x[0] and x[1] */
	void (*naive)(const spec *s, const double *const x[], int rank, const int64_t dim[], double *y);
	int rank[2];
	int64_t dim[2][UM_NN_RANK]; /* rank 0 and dim 0: a scalar; dim[1][0] = 0: one input */
	int64_t arg[UM_NN_RANK + 1];
	bool shared[2];
};

static inline int inputs(const spec *s)
{
	return s->dim[1][0] > 0 ? 2 : 1;
}

static inline int64_t length(int rank, const int64_t dim[])
{
	int64_t n = 1;
	for (int i = 0; i < rank; i++)
		n *= dim[i];
	return n;
}

/* Index of element i along each axis, and back. */
static inline void unravel(int64_t i, int rank, const int64_t dim[], int64_t at[])
{
	for (int k = rank - 1; k >= 0; i /= dim[k], k--)
		at[k] = i % dim[k];
}

static inline int64_t ravel(int rank, const int64_t dim[], const int64_t at[])
{
	int64_t i = 0;
	for (int k = 0; k < rank; k++)
		i = i * dim[k] + at[k];
	return i;
}

/* ---- programs ------------------------------------------------------------------------ */

typedef struct mode {
	um_schedule schedule;
	um_precision precision;
	int threads;
} mode;

static const mode reference = { UM_PER_BATCH, UM_FLOAT64, 1 };

/* Numbers by name, the same in any precision: normal, or those given. */
typedef struct value {
	const char *name;
	const double *data;
} given_value;

static inline void fill(um_array *a, const char *name, const given_value given[])
{
	um_rng rng = um_rng_new(3, name, 0);
	const double *data = NULL;
	for (const given_value *v = given; v != NULL && v->name != NULL; v++)
		if (strcmp(v->name, name) == 0)
			data = v->data;
	for (int64_t i = 0; i < um_array_len(a); i++) {
		double x = data != NULL ? data[i] : um_normal(&rng);
		if (a->dtype == UM_F32)
			((float *)a->data)[i] = (float)x;
		else
			((double *)a->data)[i] = x;
	}
}

/* Runs nodes; out[k] are new arrays, images in turn. */
static inline void compute(const mode *how, int n, um_node *const y[], const given_value given[], double *out[])
{
	static const char *const names[] = { "x0", "x1", "v", "e0", "e1" };
	um_program *p = NULL;
	const um_compile_options options = { how->schedule, how->precision, how->threads, NULL };
	CHECK_OK(um_compile(n, y, &options, &p));
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		um_array a = um_program_input(p, names[i]);
		if (a.data != NULL)
			fill(&a, names[i], given);
	}
	CHECK_OK(um_program_run(p, 1));
	for (int k = 0; k < n; k++) {
		um_array a = um_program_output(p, k);
		out[k] = malloc((size_t)um_array_len(&a) * sizeof(double));
		for (int64_t i = 0; i < um_array_len(&a); i++)
			out[k][i] = a.dtype == UM_F32 ? (double)((float *)a.data)[i] : ((double *)a.data)[i];
	}
	um_program_free(p);
}

static inline void drop(int n, double *out[])
{
	for (int k = 0; k < n; k++)
		free(out[k]);
}

static inline int64_t total(const um_node *n)
{
	return um_node_len(n) * (um_node_batched(n) ? BATCH : 1);
}

static inline double dot(int64_t n, const double *a, const double *b)
{
	double sum = 0;
	for (int64_t i = 0; i < n; i++)
		sum += a[i] * b[i];
	return sum;
}

static inline double norm(int64_t n, const double *a)
{
	return sqrt(dot(n, a, a));
}

/* ---- what every operation must do ------------------------------------------------------- */

typedef struct net {
	um_graph *g;
	int nx;
	um_node *x[2], *e[2], *y, *v, *dx[2];
} net;

static inline net make(const spec *s)
{
	net t = { .g = um_graph_new(BATCH), .nx = inputs(s) };
	static const char *const x[] = { "x0", "x1" }, *const e[] = { "e0", "e1" };
	for (int k = 0; k < t.nx; k++) {
		t.x[k] = um_nn_input(t.g, x[k], s->rank[k], s->dim[k], !s->shared[k]);
		t.e[k] = um_nn_input(t.g, e[k], s->rank[k], s->dim[k], !s->shared[k]);
	}
	t.y = s->build(s, t.x);
	CHECK_OK(um_graph_status(t.g));
	t.v = um_nn_input(t.g, "v", um_node_rank(t.y), um_node_dim(t.y), um_node_batched(t.y));
	CHECK_OK(um_grad(1, &t.y, &t.v, t.nx, t.x, t.dx));
	return t;
}

static inline void check_values(const spec *s, const net *t, const double *y, double *const x[])
{
	int64_t n = um_node_len(t->y);
	double *want = malloc((size_t)n * sizeof(*want));
	for (int b = 0; b < (um_node_batched(t->y) ? BATCH : 1); b++) {
		const double *from[2] = { NULL };
		for (int k = 0; k < t->nx; k++)
			from[k] = x[k] + (s->shared[k] ? 0 : b) * um_node_len(t->x[k]);
		s->naive(s, from, um_node_rank(t->y), um_node_dim(t->y), want);
		double worst = 0;
		for (int64_t i = 0; i < n; i++)
			worst = fmax(worst, fabs(want[i] - y[b * n + i]));
		CHECK_NEAR(worst, 0, 1e-13);
	}
	free(want);
}

/* y, dx and their adjointness in double precision, then the same numbers in all other ways. */
static inline void check_linear(const spec *s)
{
	net t = make(s);
	um_node *all[MAX_OUT] = { t.y, t.v, t.x[0], t.dx[0], t.x[1], t.dx[1] };
	int n = 2 + 2 * t.nx;
	double *out[MAX_OUT], *other[MAX_OUT];
	compute(&reference, n, all, NULL, out);
	check_values(s, &t, out[0], (double *[]){ out[2], out[4] });
	double left = dot(total(t.y), out[0], out[1]), right = 0;
	for (int k = 0; k < t.nx; k++)
		right += dot(total(t.x[k]), out[2 + 2 * k], out[3 + 2 * k]);
	CHECK_NEAR(left, right, 1e-13 * norm(total(t.y), out[0]) * norm(total(t.y), out[1]));
	for (int m = 1; m < 8; m++) {
		const mode how = { m & 1 ? UM_PER_IMAGE : UM_PER_BATCH, m & 2 ? UM_FLOAT32 : UM_FLOAT64,
			m & 4 ? 2 : 1 };
		/* Sums over the batch have no place in the schedule per image. */
		if ((m & 1) && (s->shared[0] || s->shared[1]))
			continue;
		compute(&how, n, all, NULL, other);
		for (int k = 0; k < n; k++) {
			int64_t len = total(all[k]);
			for (int64_t i = 0; i < len; i++)
				other[k][i] -= out[k][i];
			CHECK_NEAR(norm(len, other[k]), 0, (m & 2 ? 2e-6 : 0) * norm(len, out[k]));
		}
		drop(n, other);
	}
	drop(n, out);
	um_graph_free(t.g);
}

/* L = sum v op(x^2)^2: its gradient in the direction e, and the gradient of that, against central
 * differences along e. */
static inline void check_second(const spec *s)
{
	net t = make(s);
	um_node *squares[2] = { NULL }, *d[2], *de = NULL, *dd[2];
	for (int k = 0; k < t.nx; k++)
		squares[k] = um_nn_square(t.x[k]);
	um_node *y = um_nn_square(s->build(s, squares));
	um_node *loss = um_nn_sum_to(um_nn_mul(t.v, y), 0, NULL, false);
	CHECK_OK(um_grad(1, &loss, NULL, t.nx, t.x, d));
	for (int k = 0; k < t.nx; k++) {
		um_node *term = um_nn_sum_to(um_nn_mul(d[k], t.e[k]), 0, NULL, false);
		de = de == NULL ? term : um_nn_add(de, term);
	}
	CHECK_OK(um_grad(1, &de, NULL, t.nx, t.x, dd));
	um_node *all[MAX_OUT] = { loss, de, t.x[0], dd[0], t.x[1], dd[1] }, *e[2] = { t.e[0], t.e[1] };
	double *out[MAX_OUT], *dir[2], *near[2][MAX_OUT], slope = 0;
	compute(&reference, 2 + 2 * t.nx, all, NULL, out);
	compute(&reference, t.nx, e, NULL, dir);
	const double h = 1e-5;
	for (int side = 0; side < 2; side++) {
		double *x[2] = { NULL };
		for (int k = 0; k < t.nx; k++) {
			x[k] = malloc((size_t)total(t.x[k]) * sizeof(double));
			for (int64_t i = 0; i < total(t.x[k]); i++)
				x[k][i] = out[2 + 2 * k][i] + (side ? -h : h) * dir[k][i];
		}
		const given_value given[3] = { { "x0", x[0] }, { x[1] != NULL ? "x1" : NULL, x[1] } };
		compute(&reference, 2, all, given, near[side]);
		drop(t.nx, x);
	}
	for (int k = 0; k < t.nx; k++)
		slope += dot(total(t.x[k]), out[3 + 2 * k], dir[k]);
	double scale = fabs(out[0][0]) + norm(total(t.x[0]), out[3]) * norm(total(t.x[0]), dir[0]);
	CHECK(norm(total(t.x[0]), out[3]) > 0);
	CHECK_NEAR((near[0][0][0] - near[1][0][0]) / (2 * h), out[1][0], 1e-7 * scale);
	CHECK_NEAR((near[0][1][0] - near[1][1][0]) / (2 * h), slope, 1e-7 * scale);
	drop(2, near[0]);
	drop(2, near[1]);
	drop(t.nx, dir);
	drop(2 + 2 * t.nx, out);
	um_graph_free(t.g);
}

static inline void check_all(const spec *s, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		unsigned before = CU_get_number_of_failures();
		check_linear(&s[i]);
		check_second(&s[i]);
		if (CU_get_number_of_failures() > before)
			fprintf(stderr, "   ... in case %zu\n", i);
	}
}
#define CHECK_ALL(table) check_all(table, sizeof(table) / sizeof(*(table)))

#endif
