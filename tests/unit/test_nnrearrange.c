/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Operations of networks that rearrange numbers or mix neighbours with fixed weights. All are linear:
 * values against loops over indices, adjoints, derivatives of second order through squares, single
 * against double precision, and every schedule and number of threads against the plainest. */
#include <string.h>
#include <umbra/graph.h>
#include <umbra/linalg.h>
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

static int inputs(const spec *s)
{
	return s->dim[1][0] > 0 ? 2 : 1;
}

static int64_t length(int rank, const int64_t dim[])
{
	int64_t n = 1;
	for (int i = 0; i < rank; i++)
		n *= dim[i];
	return n;
}

/* Index of element i along each axis, and back. */
static void unravel(int64_t i, int rank, const int64_t dim[], int64_t at[])
{
	for (int k = rank - 1; k >= 0; i /= dim[k], k--)
		at[k] = i % dim[k];
}

static int64_t ravel(int rank, const int64_t dim[], const int64_t at[])
{
	int64_t i = 0;
	for (int k = 0; k < rank; k++)
		i = i * dim[k] + at[k];
	return i;
}

/* ---- operations, and the same by index ------------------------------------------------ */

static um_node *build_broadcast(const spec *s, um_node *const x[])
{
	return um_nn_broadcast(x[0], (int)s->arg[0], s->arg + 1);
}

static void naive_broadcast(const spec *s, const double *const x[], int rank, const int64_t dim[], double *y)
{
	for (int64_t i = 0; i < length(rank, dim); i++) {
		int64_t at[UM_NN_RANK] = { 0 }, from[UM_NN_RANK] = { 0 };
		unravel(i, rank, dim, at);
		for (int k = 0; k < s->rank[0]; k++)
			from[k] = s->dim[0][k] == 1 ? 0 : at[rank - s->rank[0] + k];
		y[i] = x[0][ravel(s->rank[0], s->dim[0], from)];
	}
}

static um_node *build_reshape(const spec *s, um_node *const x[])
{
	return um_nn_reshape(x[0], (int)s->arg[0], s->arg + 1);
}

static void naive_reshape(const spec *s, const double *const x[], int rank, const int64_t dim[], double *y)
{
	(void)s;
	memcpy(y, x[0], (size_t)length(rank, dim) * sizeof(*y));
}

static um_node *build_permute(const spec *s, um_node *const x[])
{
	int order[UM_NN_RANK];
	for (int i = 0; i < s->rank[0]; i++)
		order[i] = (int)s->arg[i];
	return um_nn_permute(x[0], order);
}

static void naive_permute(const spec *s, const double *const x[], int rank, const int64_t dim[], double *y)
{
	for (int64_t i = 0; i < length(rank, dim); i++) {
		int64_t at[UM_NN_RANK] = { 0 }, from[UM_NN_RANK] = { 0 };
		unravel(i, rank, dim, at);
		for (int k = 0; k < rank; k++)
			from[s->arg[k]] = at[k];
		y[i] = x[0][ravel(rank, s->dim[0], from)];
	}
}

static um_node *build_concat(const spec *s, um_node *const x[])
{
	return um_nn_concat(x[0], x[1], (int)s->arg[0]);
}

static void naive_concat(const spec *s, const double *const x[], int rank, const int64_t dim[], double *y)
{
	for (int64_t i = 0; i < length(rank, dim); i++) {
		int64_t at[UM_NN_RANK] = { 0 }, axis = s->arg[0];
		unravel(i, rank, dim, at);
		int k = at[axis] >= s->dim[0][axis];
		at[axis] -= k ? s->dim[0][axis] : 0;
		y[i] = x[k][ravel(rank, s->dim[k], at)];
	}
}

static um_node *build_slice(const spec *s, um_node *const x[])
{
	return um_nn_slice(x[0], (int)s->arg[0], s->arg[1], s->arg[2]);
}

static void naive_slice(const spec *s, const double *const x[], int rank, const int64_t dim[], double *y)
{
	for (int64_t i = 0; i < length(rank, dim); i++) {
		int64_t at[UM_NN_RANK] = { 0 };
		unravel(i, rank, dim, at);
		at[s->arg[0]] += s->arg[1];
		y[i] = x[0][ravel(rank, s->dim[0], at)];
	}
}

static um_node *build_place(const spec *s, um_node *const x[])
{
	return um_nn_place(x[0], (int)s->arg[0], s->arg[1], s->arg[2]);
}

static void naive_place(const spec *s, const double *const x[], int rank, const int64_t dim[], double *y)
{
	memset(y, 0, (size_t)length(rank, dim) * sizeof(*y));
	for (int64_t i = 0; i < length(rank, s->dim[0]); i++) {
		int64_t at[UM_NN_RANK] = { 0 };
		unravel(i, rank, s->dim[0], at);
		at[s->arg[0]] += s->arg[1];
		y[ravel(rank, dim, at)] = x[0][i];
	}
}

/* Numbers from 0 to n - 1: entry i is (i step + 3) mod n, a permutation for steps prime to n. */
static void make_index(int64_t count, int64_t step, int64_t n, int64_t *index)
{
	for (int64_t i = 0; i < count; i++)
		index[i] = (i * step + 3) % n;
}

/* arg: axis, count, step */
static um_node *build_gather(const spec *s, um_node *const x[])
{
	int64_t *index = malloc((size_t)s->arg[1] * sizeof(*index));
	make_index(s->arg[1], s->arg[2], s->dim[0][s->arg[0]], index);
	um_node *y = um_nn_gather(x[0], (int)s->arg[0], s->arg[1], index);
	free(index);
	return y;
}

static void naive_gather(const spec *s, const double *const x[], int rank, const int64_t dim[], double *y)
{
	for (int64_t i = 0; i < length(rank, dim); i++) {
		int64_t at[UM_NN_RANK] = { 0 }, axis = s->arg[0];
		unravel(i, rank, dim, at);
		at[axis] = (at[axis] * s->arg[2] + 3) % s->dim[0][axis];
		y[i] = x[0][ravel(rank, s->dim[0], at)];
	}
}

/* arg: axis, length, step */
static um_node *build_scatter(const spec *s, um_node *const x[])
{
	int64_t count = s->dim[0][s->arg[0]], *index = malloc((size_t)count * sizeof(*index));
	make_index(count, s->arg[2], s->arg[1], index);
	um_node *y = um_nn_scatter(x[0], (int)s->arg[0], s->arg[1], index);
	free(index);
	return y;
}

static void naive_scatter(const spec *s, const double *const x[], int rank, const int64_t dim[], double *y)
{
	memset(y, 0, (size_t)length(rank, dim) * sizeof(*y));
	for (int64_t i = 0; i < length(rank, s->dim[0]); i++) {
		int64_t at[UM_NN_RANK] = { 0 }, axis = s->arg[0];
		unravel(i, rank, s->dim[0], at);
		at[axis] = (at[axis] * s->arg[2] + 3) % s->arg[1];
		y[ravel(rank, dim, at)] += x[0][i];
	}
}

/* arg: rows, columns, entries a row, transpose. Every fifth row is empty, columns come in no order,
 * and some twice. */
static um_csr make_csr(const spec *s)
{
	int64_t rows = s->arg[0], columns = s->arg[1], each = s->arg[2], k = 0;
	int64_t *start = malloc((size_t)(rows + 1) * sizeof(*start));
	int64_t *column = malloc((size_t)(rows * each) * sizeof(*column));
	double *value = malloc((size_t)(rows * each) * sizeof(*value));
	for (int64_t i = 0; i < rows; i++) {
		start[i] = k;
		for (int64_t e = 0; e < each && i % 5 != 4; e++, k++) {
			column[k] = (i * 11 + e * e * 7) % columns;
			value[k] = sin(1.0 + (double)k);
		}
	}
	start[rows] = k;
	return (um_csr){ rows, columns, start, column, value };
}

static void free_csr(um_csr *a)
{
	free((void *)a->start);
	free((void *)a->column);
	free((void *)a->value);
}

static um_node *build_sparse(const spec *s, um_node *const x[])
{
	um_csr a = make_csr(s);
	um_node *y = um_nn_sparse(x[0], &a, s->arg[3] != 0);
	free_csr(&a);
	return y;
}

static void naive_sparse(const spec *s, const double *const x[], int rank, const int64_t dim[], double *y)
{
	um_csr a = make_csr(s);
	int64_t n = dim[1];
	memset(y, 0, (size_t)length(rank, dim) * sizeof(*y));
	for (int64_t i = 0; i < a.rows; i++)
		for (int64_t k = a.start[i]; k < a.start[i + 1]; k++) {
			int64_t to = s->arg[3] ? a.column[k] : i, from = s->arg[3] ? i : a.column[k];
			for (int64_t c = 0; c < n; c++)
				y[to * n + c] += a.value[k] * x[0][from * n + c];
		}
	free_csr(&a);
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
} value;

static void fill(um_array *a, const char *name, const value given[])
{
	um_rng rng = um_rng_new(3, name, 0);
	const double *data = NULL;
	for (const value *v = given; v != NULL && v->name != NULL; v++)
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
static void compute(const mode *how, int n, um_node *const y[], const value given[], double *out[])
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

static void drop(int n, double *out[])
{
	for (int k = 0; k < n; k++)
		free(out[k]);
}

static int64_t total(const um_node *n)
{
	return um_node_len(n) * (um_node_batched(n) ? BATCH : 1);
}

static double dot(int64_t n, const double *a, const double *b)
{
	double sum = 0;
	for (int64_t i = 0; i < n; i++)
		sum += a[i] * b[i];
	return sum;
}

static double norm(int64_t n, const double *a)
{
	return sqrt(dot(n, a, a));
}

/* ---- what every operation must do ------------------------------------------------------- */

typedef struct net {
	um_graph *g;
	int nx;
	um_node *x[2], *e[2], *y, *v, *dx[2];
} net;

static net make(const spec *s)
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

static void check_values(const spec *s, const net *t, const double *y, double *const x[])
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
static void check_linear(const spec *s)
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
static void check_second(const spec *s)
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
		const value given[3] = { { "x0", x[0] }, { x[1] != NULL ? "x1" : NULL, x[1] } };
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

static void check_all(const spec *s, size_t n)
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

/* ---- cases --------------------------------------------------------------------------------- */

static void broadcast(void)
{
#define ROW build_broadcast, naive_broadcast
	static const spec cases[] = {
		{ ROW, { 1 }, { { 5 } }, { 3, 4, 3, 5 }, { 0 } },
		{ ROW, { 3 }, { { 4, 1, 1 } }, { 3, 4, 3, 5 }, { 0 } },
		{ ROW, { 3 }, { { 4, 3, 1 } }, { 3, 4, 3, 9 }, { 0 } },
		{ ROW, { 3 }, { { 3, 1, 5 } }, { 4, 2, 3, 4, 5 }, { 0 } },
		{ ROW, { 5 }, { { 2, 1, 3, 1, 2 } }, { 5, 2, 3, 3, 4, 2 }, { 0 } },
		{ ROW, { 1 }, { { 1 } }, { 1, 7 }, { 0 } },
		{ ROW, { 0 }, { { 0 } }, { 2, 2, 3 }, { 0 } },
		{ ROW, { 2 }, { { 1, 6 } }, { 2, 5, 6 }, { true } },
		{ ROW, { 2 }, { { 1, 33 } }, { 3, 31, 29, 33 }, { 0 } },
	};
#undef ROW
	CHECK_ALL(cases);
}

static void reshape(void)
{
#define ROW build_reshape, naive_reshape
	static const spec cases[] = {
		{ ROW, { 3 }, { { 4, 3, 5 } }, { 1, 60 }, { 0 } },
		{ ROW, { 2 }, { { 4, 6 } }, { 4, 2, 2, 3, 2 }, { 0 } },
		{ ROW, { 2 }, { { 1, 1 } }, { 0 }, { 0 } },
		{ ROW, { 2 }, { { 4, 6 } }, { 2, 6, 4 }, { true } },
	};
#undef ROW
	CHECK_ALL(cases);
}

static void permute(void)
{
#define ROW build_permute, naive_permute
	static const spec cases[] = {
		{ ROW, { 2 }, { { 4, 5 } }, { 1, 0 }, { 0 } },
		{ ROW, { 3 }, { { 3, 4, 5 } }, { 0, 2, 1 }, { 0 } },
		{ ROW, { 3 }, { { 3, 4, 5 } }, { 1, 0, 2 }, { 0 } },
		{ ROW, { 3 }, { { 3, 4, 5 } }, { 1, 2, 0 }, { 0 } },
		{ ROW, { 3 }, { { 3, 4, 5 } }, { 2, 0, 1 }, { 0 } },
		{ ROW, { 3 }, { { 3, 1, 5 } }, { 2, 1, 0 }, { true } },
		{ ROW, { 5 }, { { 2, 3, 4, 5, 3 } }, { 4, 2, 0, 3, 1 }, { 0 } },
		{ ROW, { 5 }, { { 2, 3, 4, 5, 3 } }, { 3, 0, 4, 1, 2 }, { 0 } },
		{ ROW, { 5 }, { { 2, 3, 4, 5, 3 } }, { 2, 3, 0, 1, 4 }, { 0 } },
		{ ROW, { 2 }, { { 65, 33 } }, { 1, 0 }, { 0 } },
		{ ROW, { 3 }, { { 48, 31, 40 } }, { 2, 1, 0 }, { 0 } },
	};
#undef ROW
	CHECK_ALL(cases);
}

static void concat(void)
{
#define ROW build_concat, naive_concat
	static const spec cases[] = {
		{ ROW, { 1, 1 }, { { 5 }, { 3 } }, { 0 }, { 0 } },
		{ ROW, { 3, 3 }, { { 3, 4, 2 }, { 3, 4, 7 } }, { 2 }, { 0 } },
		{ ROW, { 3, 3 }, { { 3, 4, 2 }, { 1, 4, 2 } }, { 0 }, { 0 } },
		{ ROW, { 3, 3 }, { { 3, 4, 2 }, { 3, 3, 2 } }, { 1 }, { 0 } },
		{ ROW, { 3, 3 }, { { 3, 4, 2 }, { 3, 4, 1 } }, { 2 }, { false, true } },
		{ ROW, { 3, 3 }, { { 3, 4, 2 }, { 3, 4, 1 } }, { 2 }, { true, true } },
		{ ROW, { 3, 3 }, { { 31, 32, 16 }, { 31, 32, 17 } }, { 2 }, { 0 } },
	};
#undef ROW
	CHECK_ALL(cases);
}

static void slice_and_place(void)
{
	static const spec cases[] = {
		{ build_slice, naive_slice, { 1 }, { { 9 } }, { 0, 3, 4 }, { 0 } },
		{ build_slice, naive_slice, { 3 }, { { 3, 4, 7 } }, { 2, 0, 3 }, { 0 } },
		{ build_slice, naive_slice, { 3 }, { { 3, 4, 7 } }, { 1, 3, 1 }, { 0 } },
		{ build_slice, naive_slice, { 3 }, { { 3, 4, 7 } }, { 0, 1, 2 }, { true } },
		{ build_slice, naive_slice, { 3 }, { { 33, 32, 40 } }, { 2, 5, 31 }, { 0 } },
		{ build_place, naive_place, { 1 }, { { 4 } }, { 0, 3, 9 }, { 0 } },
		{ build_place, naive_place, { 3 }, { { 3, 4, 3 } }, { 2, 0, 7 }, { 0 } },
		{ build_place, naive_place, { 3 }, { { 3, 1, 7 } }, { 1, 3, 4 }, { 0 } },
		{ build_place, naive_place, { 3 }, { { 2, 4, 7 } }, { 0, 1, 3 }, { true } },
		{ build_place, naive_place, { 3 }, { { 33, 32, 31 } }, { 2, 5, 40 }, { 0 } },
	};
	CHECK_ALL(cases);
}

static void gather_and_scatter(void)
{
	static const spec cases[] = {
		{ build_gather, naive_gather, { 1 }, { { 16 } }, { 0, 16, 5 }, { 0 } },
		{ build_gather, naive_gather, { 1 }, { { 7 } }, { 0, 11, 3 }, { 0 } },
		{ build_gather, naive_gather, { 2 }, { { 4, 9 } }, { 1, 5, 2 }, { 0 } },
		{ build_gather, naive_gather, { 3 }, { { 5, 4, 3 } }, { 0, 5, 2 }, { 0 } },
		{ build_gather, naive_gather, { 3 }, { { 5, 4, 2 } }, { 1, 9, 3 }, { true } },
		{ build_gather, naive_gather, { 2 }, { { 24, 1024 } }, { 1, 1024, 389 }, { 0 } },
		{ build_scatter, naive_scatter, { 1 }, { { 16 } }, { 0, 16, 5 }, { 0 } },
		{ build_scatter, naive_scatter, { 1 }, { { 11 } }, { 0, 7, 3 }, { 0 } },
		{ build_scatter, naive_scatter, { 2 }, { { 4, 5 } }, { 1, 9, 2 }, { 0 } },
		{ build_scatter, naive_scatter, { 3 }, { { 9, 4, 3 } }, { 0, 4, 2 }, { 0 } },
		{ build_scatter, naive_scatter, { 3 }, { { 5, 9, 2 } }, { 1, 4, 3 }, { true } },
		{ build_scatter, naive_scatter, { 2 }, { { 24, 1024 } }, { 1, 513, 389 }, { 0 } },
	};
	CHECK_ALL(cases);
}

static void sparse(void)
{
#define ROW build_sparse, naive_sparse
	static const spec cases[] = {
		{ ROW, { 2 }, { { 6, 1 } }, { 7, 6, 3, 0 }, { 0 } },
		{ ROW, { 2 }, { { 7, 1 } }, { 7, 6, 3, 1 }, { 0 } },
		{ ROW, { 2 }, { { 11, 5 } }, { 9, 11, 9, 0 }, { 0 } },
		{ ROW, { 2 }, { { 9, 5 } }, { 9, 11, 9, 1 }, { true } },
		{ ROW, { 2 }, { { 431, 40 } }, { 433, 431, 6, 0 }, { 0 } },
		{ ROW, { 2 }, { { 433, 40 } }, { 433, 431, 6, 1 }, { 0 } },
	};
#undef ROW
	CHECK_ALL(cases);
}

/* ---- filters --------------------------------------------------------------------------------- */

/* A kernel and paddings; kernel NULL: numbers that no column times a row makes. */
typedef struct filter {
	um_fir fir;
	double kernel[64];
} filter;

static const double blur[4] = { 1, 3, 3, 1 };

static filter make_filter(int64_t up, int64_t down, int64_t rows, int64_t columns, bool separable,
	const int64_t pad[4])
{
	filter f = { .fir = { up, down, rows, columns, NULL, pad[0], pad[1], pad[2], pad[3] } };
	for (int64_t i = 0; i < rows * columns; i++)
		f.kernel[i] = separable ? blur[i / columns % 4] * blur[i % columns % 4] / 16
			: cos(1.7 * (double)i);
	return f;
}

static um_node *apply(um_node *x, const filter *f)
{
	um_fir fir = f->fir;
	fir.kernel = f->kernel;
	return um_nn_fir(x, &fir);
}

/* z, the padded array, then every sample of every output by the definition. */
static void naive_fir(const um_fir *f, const double *kernel, const int64_t in[3], const int64_t out[3],
	const double *x, double *y)
{
	memset(y, 0, (size_t)length(3, out) * sizeof(*y));
	for (int64_t i = 0; i < length(3, out); i++)
		for (int64_t k = 0; k < f->kernel_rows * f->kernel_columns; k++) {
			int64_t at[3];
			unravel(i, 3, out, at);
			int64_t r = at[0] * f->down + k / f->kernel_columns - f->top;
			int64_t c = at[1] * f->down + k % f->kernel_columns - f->left;
			bool inside = r >= 0 && c >= 0 && r < in[0] * f->up && c < in[1] * f->up;
			if (inside && r % f->up == 0 && c % f->up == 0)
				y[i] += kernel[k] * x[(r / f->up * in[1] + c / f->up) * in[2] + at[2]];
		}
}

/* Cases of spec.arg: up, down, kernel (0: (1,3,3,1) twice, 1: nearest, 2: no product), padding */
static filter filter_of(const spec *s)
{
	int64_t p = s->arg[3];
	if (s->arg[2] == 0)
		return make_filter(s->arg[0], s->arg[1], 4, 4, true, (int64_t[]){ p, p, p, p });
	if (s->arg[2] == 2)
		return make_filter(s->arg[0], s->arg[1], 3, 5, false, (int64_t[]){ p, 1, p - 1, 2 });
	filter f = make_filter(s->arg[0], s->arg[1], 2, 2, true, (int64_t[]){ p, 0, p, 0 });
	for (int i = 0; i < 4; i++)
		f.kernel[i] = 0.5;
	return f;
}

static um_node *build_fir(const spec *s, um_node *const x[])
{
	filter f = filter_of(s);
	return apply(x[0], &f);
}

static void values_fir(const spec *s, const double *const x[], int rank, const int64_t dim[], double *y)
{
	filter f = filter_of(s);
	(void)rank;
	naive_fir(&f.fir, f.kernel, s->dim[0], dim, x[0], y);
}

static void fir(void)
{
#define ROW build_fir, values_fir
	static const spec cases[] = {
		{ ROW, { 3 }, { { 8, 6, 3 } }, { 2, 1, 0, 2 }, { 0 } },
		{ ROW, { 3 }, { { 8, 6, 3 } }, { 1, 2, 0, 1 }, { 0 } },
		{ ROW, { 3 }, { { 9, 7, 1 } }, { 1, 2, 0, 1 }, { 0 } },
		{ ROW, { 3 }, { { 5, 4, 17 } }, { 1, 1, 0, 2 }, { 0 } },
		{ ROW, { 3 }, { { 5, 4, 2 } }, { 2, 1, 1, 1 }, { 0 } },
		{ ROW, { 3 }, { { 6, 4, 2 } }, { 1, 2, 1, 0 }, { 0 } },
		{ ROW, { 3 }, { { 5, 7, 2 } }, { 3, 2, 2, 2 }, { 0 } },
		{ ROW, { 3 }, { { 5, 7, 2 } }, { 1, 1, 2, 0 }, { true } },
		{ ROW, { 3 }, { { 33, 32, 16 } }, { 2, 1, 0, 2 }, { 0 } },
		{ ROW, { 3 }, { { 33, 32, 16 } }, { 2, 1, 1, 1 }, { 0 } },
		{ ROW, { 3 }, { { 64, 65, 16 } }, { 1, 2, 0, 1 }, { 0 } },
		{ ROW, { 3 }, { { 33, 32, 16 } }, { 2, 1, 2, 2 }, { 0 } },
	};
#undef ROW
	CHECK_ALL(cases);
}

/* Values, and <v, A x> = <A' v, x>, with padding and cropping in every combination. */
static void check_filter(const filter *f)
{
	const int64_t in[3] = { 5, 4, 2 };
	um_graph *g = um_graph_new(BATCH);
	um_node *x = um_nn_input(g, "x0", 3, in, true), *y = apply(x, f), *dx = NULL, *again = NULL, *v;
	CHECK_FATAL(y != NULL);
	const int64_t *dim = um_node_dim(y);
	int64_t n = um_node_len(y);
	CHECK(dim[0] == (in[0] * f->fir.up + f->fir.top + f->fir.bottom - f->fir.kernel_rows) / f->fir.down + 1);
	CHECK(dim[1] == (in[1] * f->fir.up + f->fir.left + f->fir.right - f->fir.kernel_columns) / f->fir.down + 1);
	v = um_nn_input(g, "v", 3, dim, true);
	CHECK_OK(um_grad(1, &y, &v, 1, &x, &dx));
	CHECK_OK(um_grad(1, &dx, &x, 1, &v, &again)); /* the adjoint of the adjoint */
	double *out[5], *want = malloc((size_t)n * sizeof(*want)), worst = 0;
	compute(&reference, 5, (um_node *[]){ y, v, x, dx, again }, NULL, out);
	for (int b = 0; b < BATCH; b++) {
		naive_fir(&f->fir, f->kernel, in, dim, out[2] + b * um_node_len(x), want);
		for (int64_t i = 0; i < n; i++)
			worst = fmax(worst, fmax(fabs(out[0][b * n + i] - want[i]), fabs(out[4][b * n + i] - want[i])));
	}
	CHECK_NEAR(worst, 0, 1e-13);
	CHECK_NEAR(dot(BATCH * n, out[0], out[1]), dot(total(x), out[2], out[3]),
		1e-14 * (1 + norm(total(x), out[2]) * norm(BATCH * n, out[1])) * 16);
	free(want);
	drop(5, out);
	um_graph_free(g);
}

static void fir_everywhere(void)
{
	for (int64_t up = 1; up <= 3; up++)
		for (int64_t down = 1; down <= 3; down++)
			for (int64_t top = -2; top <= 3; top++)
				for (int64_t bottom = -1; bottom <= 3; bottom += 2)
					for (int k = 0; k < 2; k++) {
						const int64_t pad[4] = { top, bottom, bottom + 1, top + 1 };
						filter f = make_filter(up, down, k ? 2 : 4, k ? 3 : 4, k == 0, pad);
						if (5 * up + top + bottom >= 4 && 4 * up + top + bottom + 2 >= 4)
							check_filter(&f);
					}
}

/* ---- simplifications and messages ------------------------------------------------------------ */

static void nothing_is_done_twice(void)
{
	um_graph *g = um_graph_new(2);
	const int64_t dim[3] = { 4, 5, 6 }, flat[1] = { 120 }, wide[4] = { 2, 4, 5, 6 };
	um_node *x = um_nn_input(g, "x", 3, dim, true);
	CHECK(um_nn_broadcast(x, 3, dim) == x);
	CHECK(um_nn_reshape(x, 3, dim) == x);
	CHECK(um_nn_reshape(um_nn_reshape(x, 1, flat), 3, dim) == x);
	CHECK(um_nn_permute(x, (int[]){ 0, 1, 2 }) == x);
	CHECK(um_nn_permute(um_nn_permute(x, (int[]){ 1, 2, 0 }), (int[]){ 2, 0, 1 }) == x);
	CHECK(um_nn_permute(um_nn_permute(x, (int[]){ 1, 2, 0 }), (int[]){ 1, 0, 2 })
		== um_nn_permute(x, (int[]){ 2, 1, 0 }));
	CHECK(um_nn_slice(x, 1, 0, 5) == x);
	CHECK(um_nn_slice(um_nn_slice(x, 1, 1, 4), 1, 2, 1) == um_nn_slice(x, 1, 3, 1));
	CHECK(um_nn_place(x, 2, 0, 6) == x);
	const int64_t index[4] = { 2, 0, 3, 1 }, inverse[4] = { 1, 3, 0, 2 }, same[4] = { 0, 1, 2, 3 };
	CHECK(um_nn_gather(x, 0, 4, same) == x);
	CHECK(um_nn_gather(x, 0, 2, same + 1) == um_nn_slice(x, 0, 1, 2));
	CHECK(um_nn_gather(um_nn_gather(x, 0, 4, index), 0, 4, inverse) == x);
	CHECK(um_nn_scatter(x, 0, 4, index) == um_nn_gather(x, 0, 4, inverse));
	CHECK(um_nn_broadcast(um_nn_broadcast(um_nn_slice(x, 0, 0, 1), 3, dim), 4, wide)
		== um_nn_broadcast(um_nn_slice(x, 0, 0, 1), 4, wide));
	CHECK_OK(um_graph_status(g));
	um_graph_free(g);
}

static um_node *bad(int which, um_node *x, um_node *other)
{
	const int64_t dim[3] = { 8, 8, 6 }, long_index[2] = { 0, 32 };
	const double one = 1;
	const um_csr a = { 2, 5, (int64_t[]){ 0, 1, 2 }, (int64_t[]){ 0, 5 }, (double[]){ 1, 1 } };
	const um_csr good = { 2, 5, (int64_t[]){ 0, 1, 2 }, (int64_t[]){ 0, 4 }, (double[]){ 1, 1 } };
	switch (which) {
	case 0: return um_nn_concat(x, other, 2);
	case 1: return um_nn_concat(x, other, 3);
	case 2: return um_nn_slice(x, 2, 4, 29);
	case 3: return um_nn_place(x, 2, 4, 34);
	case 4: return um_nn_permute(x, (int[]){ 0, 2, 2 });
	case 5: return um_nn_reshape(x, 3, dim);
	case 6: return um_nn_broadcast(x, 3, dim);
	case 7: return um_nn_gather(x, 2, 2, long_index);
	case 8: return um_nn_scatter(um_nn_slice(x, 2, 0, 2), 2, 32, long_index);
	case 9: return um_nn_sparse(x, &a, false);
	case 10: return um_nn_sparse(x, &good, false);
	case 11: return um_nn_fir(x, &(um_fir){ 1, 1, 1, 1, &one, -4, -4, 0, 0 });
	case 12: return um_nn_fir(x, &(um_fir){ 0, 1, 1, 1, &one, 0, 0, 0, 0 });
	case 13: return um_nn_fir(um_nn_reshape(x, 1, (int64_t[]){ 2048 }), &(um_fir){ 1, 1, 1, 1, &one, 0, 0, 0, 0 });
	case 14: return um_nn_concat(x, um_nn_slice(um_nn_reshape(x, 1, (int64_t[]){ 2048 }), 0, 0, 8), 0);
	case 15: return um_nn_broadcast(um_nn_broadcast(um_nn_slice(x, 0, 0, 1), 3, (int64_t[]){ 2, 8, 32 }), 3,
		(int64_t[]){ 3, 8, 32 });
	default: return NULL;
	}
}

static void messages(void)
{
	static const char *const text[] = { "concat: (8, 8, 32) and (8, 4, 32) differ on axis 1",
		"concat: (8, 8, 32) has no axis 3", "slice: 29 entries from 4 are not in axis 2 of (8, 8, 32)",
		"place: axis 2 of (8, 8, 32) from entry 4 on does not fit into 34",
		"permute: axis 2 as number 2 of (8, 8, 32)",
		"reshape: (8, 8, 6) has not as many elements as (8, 8, 32)",
		"broadcast: (8, 8, 32) does not become (8, 8, 6)",
		"gather: entry 1 is number 32 of axis 2 of (8, 8, 32)",
		"scatter: entry 1 of axis 2 of (8, 8, 2) to number 32 of 32",
		"sparse: entry 1 is in column 5 of a matrix of 2 x 5",
		"sparse: a matrix of 2 x 5 times (8, 8, 32)",
		"fir: a kernel of 1 x 1, up 1, down 1, padding -4, -4, 0, 0 does not fit (8, 8, 32)",
		"fir: a kernel of 1 x 1, up 0, down 1", "fir: (2048) is not (rows, columns, channels)",
		"concat: (8, 8, 32) and (8) have different numbers of axes",
		"broadcast: (2, 8, 32) does not become (3, 8, 32)" };
	for (int i = 0; i < (int)(sizeof(text) / sizeof(*text)); i++) {
		um_graph *g = um_graph_new(1);
		um_node *x = um_nn_input(g, "x", 3, (int64_t[]){ 8, 8, 32 }, true);
		um_node *other = um_nn_input(g, "other", 3, (int64_t[]){ 8, 4, 32 }, true);
		CHECK_OK(um_graph_status(g));
		CHECK(bad(i, x, other) == NULL);
		CHECK_FAILS(um_graph_status(g), UM_EARG, text[i]);
		CHECK(bad(i, NULL, other) == NULL);
		um_graph_free(g);
	}
}

CHECK_MAIN(CHECK_CASE(broadcast), CHECK_CASE(reshape), CHECK_CASE(permute), CHECK_CASE(concat),
	CHECK_CASE(slice_and_place), CHECK_CASE(gather_and_scatter), CHECK_CASE(sparse), CHECK_CASE(fir),
	CHECK_CASE(fir_everywhere), CHECK_CASE(nothing_is_done_twice), CHECK_CASE(messages))
