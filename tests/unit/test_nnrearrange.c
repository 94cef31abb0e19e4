/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Operations of networks that rearrange numbers, and sparse products: all are linear (nnlinear.h). What
 * changes nothing is left out, and messages name operation and shapes. */
#include "nnlinear.h"

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

/* Where entry i of x[k] goes: numbers of both inputs count through, and with arg[2] the first of each
 * go to the same place. */
static int64_t place_of(const spec *s, int k, int64_t i)
{
	const int64_t n = s->dim[0][0] + s->dim[1][0];
	if (i == 0 && s->arg[2])
		return 3;
	return ((k == 0 ? 0 : s->dim[0][0]) + i) * s->arg[1] % n;
}

static um_node *build_two_scatters(const spec *s, um_node *const x[])
{
	um_node *y[2];
	for (int k = 0; k < 2; k++) {
		int64_t index[32];
		for (int64_t i = 0; i < s->dim[k][0]; i++)
			index[i] = place_of(s, k, i);
		y[k] = um_nn_scatter(x[k], 0, s->dim[0][0] + s->dim[1][0], index);
	}
	return um_nn_add(y[0], y[1]);
}

static void naive_two_scatters(const spec *s, const double *const x[], int rank, const int64_t dim[], double *y)
{
	memset(y, 0, (size_t)length(rank, dim) * sizeof(*y));
	for (int k = 0; k < 2; k++)
		for (int64_t i = 0; i < s->dim[k][0]; i++)
			y[place_of(s, k, i)] += x[k][i];
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
		{ build_two_scatters, naive_two_scatters, { 1, 1 }, { { 6 }, { 10 } }, { 0, 5, 0 }, { 0 } },
		{ build_two_scatters, naive_two_scatters, { 1, 1 }, { { 6 }, { 10 } }, { 0, 5, 1 }, { 0 } },
		{ build_two_scatters, naive_two_scatters, { 1, 1 }, { { 6 }, { 10 } }, { 0, 5, 0 }, { true, false } },
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
	CHECK(um_nn_slice(um_nn_gather(x, 0, 4, index), 0, 1, 2) == um_nn_gather(x, 0, 2, index + 1));
	um_node *a = um_nn_slice(x, 0, 0, 2), *b = um_nn_slice(x, 0, 2, 2);
	CHECK(um_nn_add(um_nn_scatter(a, 0, 4, index), um_nn_scatter(b, 0, 4, index + 2))
		== um_nn_gather(um_nn_concat(a, b, 0), 0, 4, inverse));
	CHECK(um_nn_broadcast(um_nn_broadcast(um_nn_slice(x, 0, 0, 1), 3, dim), 4, wide)
		== um_nn_broadcast(um_nn_slice(x, 0, 0, 1), 4, wide));
	CHECK_OK(um_graph_status(g));
	um_graph_free(g);
}

static um_node *bad(int which, um_node *x, um_node *other)
{
	const int64_t dim[3] = { 8, 8, 6 }, long_index[2] = { 0, 32 };
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
	case 11: return um_nn_concat(x, um_nn_slice(um_nn_reshape(x, 1, (int64_t[]){ 2048 }), 0, 0, 8), 0);
	case 12: return um_nn_broadcast(um_nn_broadcast(um_nn_slice(x, 0, 0, 1), 3,
		(int64_t[]){ 2, 8, 32 }), 3, (int64_t[]){ 3, 8, 32 });
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
	CHECK_CASE(slice_and_place), CHECK_CASE(gather_and_scatter), CHECK_CASE(sparse),
	CHECK_CASE(nothing_is_done_twice), CHECK_CASE(messages))
