/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Random graphs of element-wise operations, sums, views and moves, computed by programs of every
 * schedule, precision and number of threads, against an evaluation of one node after the other that
 * shares nothing with the engine. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <umbra/program.h>
#include <umbra/rng.h>
#include "check.h"

enum { NODES = 50, INPUTS = 3, OUTPUTS = 3, GRAPHS = 150, LONGEST = 200 };

/* A node and its value, [images][shape]. */
typedef struct known {
	um_node *n;
	double *v;
} known;

static int pick(um_rng *r, int64_t n)
{
	return (int)(um_rng_bits(r) % (uint64_t)n);
}

static int64_t images(const um_node *n)
{
	return um_node_batched(n) ? um_graph_batch(um_node_graph(n)) : 1;
}

static known make(um_node *n)
{
	return (known){ n, n == NULL ? NULL : calloc((size_t)(images(n) * um_node_len(n)), sizeof(double)) };
}

/* The element of a that broadcasting (or summing) pairs with element i of n. */
static int64_t pair(const um_node *n, int64_t i, const um_node *a)
{
	int64_t at = 0, step = 1;
	for (int k = um_node_rank(n) - 1, j = um_node_rank(a) - 1; k >= 0; k--, j--) {
		const int64_t d = j >= 0 ? um_node_dim(a)[j] : 1;
		at += d == 1 ? 0 : i % um_node_dim(n)[k] * step;
		step *= d;
		i /= um_node_dim(n)[k];
	}
	return at;
}

static double value(const known *a, const um_node *n, int64_t image, int64_t i)
{
	return a->v[(um_node_batched(a->n) ? image * um_node_len(a->n) : 0) + pair(n, i, a->n)];
}

static bool fit(const um_node *a, const um_node *b)
{
	for (int i = um_node_rank(a) - 1, k = um_node_rank(b) - 1; i >= 0 && k >= 0; i--, k--) {
		const int64_t x = um_node_dim(a)[i], y = um_node_dim(b)[k];
		if (x != y && x != 1 && y != 1)
			return false;
	}
	return true;
}

static int any_shape(um_rng *r, int64_t len, int64_t dim[])
{
	const int64_t factor[] = { 1, 2, 3, 4, 6, len };
	int rank = 0;
	while (rank < UM_NN_RANK - 1 && (len > 1 || pick(r, 4) == 0)) {
		int64_t d = factor[pick(r, 6)];
		d = len % d == 0 ? d : 1;
		dim[rank++] = d;
		len /= d;
	}
	if (len > 1)
		dim[rank++] = len;
	return rank;
}

static known unary(um_rng *r, const known *a)
{
	const int op = pick(r, 4);
	known y = make(op == 0 ? um_nn_tanh(a->n) : op == 1 ? um_nn_scale(a->n, 0.7) :
		op == 2 ? um_nn_silu(a->n) : um_nn_detach(a->n));
	for (int64_t i = 0; i < images(y.n) * um_node_len(y.n); i++) {
		const double x = a->v[i];
		y.v[i] = op == 0 ? tanh(x) : op == 1 ? 0.7 * x : op == 2 ? x / (1 + exp(-x)) : x;
	}
	return y;
}

static known binary(um_rng *r, const known *a, const known *b)
{
	const int op = pick(r, 3);
	known y = make(op == 0 ? um_nn_add(a->n, b->n) : op == 1 ? um_nn_sub(a->n, b->n) :
		um_nn_mul(a->n, um_nn_tanh(b->n)));
	const int64_t len = um_node_len(y.n);
	for (int64_t k = 0; k < images(y.n); k++)
		for (int64_t i = 0; i < len; i++) {
			const double p = value(a, y.n, k, i), q = value(b, y.n, k, i);
			y.v[k * len + i] = op == 0 ? p + q : op == 1 ? p - q : p * tanh(q);
		}
	return y;
}

/* tanh of a sum over some axes, of which leading ones may go, and perhaps over the batch. */
static known summed(um_rng *r, const known *a, bool batch)
{
	int64_t shape[UM_NN_RANK], *dim = shape;
	int rank = um_node_rank(a->n);
	for (int k = 0; k < rank; k++)
		dim[k] = pick(r, 2) ? 1 : um_node_dim(a->n)[k];
	for (; rank > 0 && dim[0] == 1 && pick(r, 2); rank--)
		dim++;
	known y = make(um_nn_tanh(um_nn_scale(um_nn_sum_to(a->n, rank, dim, !batch), 0.2)));
	const int64_t len = um_node_len(a->n), all = images(y.n) * um_node_len(y.n);
	for (int64_t i = 0; i < images(a->n) * len; i++)
		y.v[(um_node_batched(y.n) ? i / len * um_node_len(y.n) : 0) + pair(a->n, i % len, y.n)] += a->v[i];
	for (int64_t i = 0; i < all; i++)
		y.v[i] = tanh(0.2 * y.v[i]);
	return y;
}

static known reshaped(um_rng *r, const known *a)
{
	int64_t dim[UM_NN_RANK];
	const int rank = any_shape(r, um_node_len(a->n), dim);
	known y = make(um_nn_reshape(a->n, rank, dim));
	memcpy(y.v, a->v, sizeof(double) * (size_t)(images(y.n) * um_node_len(y.n)));
	return y;
}

static known repeated(um_rng *r, const known *a)
{
	int64_t dim[UM_NN_RANK];
	const int rank = um_node_rank(a->n), lead = rank < UM_NN_RANK ? pick(r, 2) : 0;
	dim[0] = 1 + pick(r, 3);
	for (int k = 0; k < rank; k++)
		dim[k + lead] = um_node_dim(a->n)[k] > 1 ? um_node_dim(a->n)[k] : 1 + pick(r, 3);
	known y = make(um_nn_broadcast(a->n, rank + lead, dim));
	for (int64_t i = 0, len = um_node_len(y.n); i < images(y.n) * len; i++)
		y.v[i] = value(a, y.n, i / len, i % len);
	return y;
}

/* Some entries of an axis, in any order (gather) or as they are (slice). */
static known chosen(um_rng *r, const known *a, int axis)
{
	const int64_t length = um_node_dim(a->n)[axis], first = pick(r, length);
	int64_t index[4], count = 1 + pick(r, 4), inner = 1;
	const bool slice = pick(r, 2) == 0;
	count = slice && count > length - first ? length - first : count;
	for (int k = 0; k < count; k++)
		index[k] = slice ? first + k : pick(r, length);
	for (int k = axis + 1; k < um_node_rank(a->n); k++)
		inner *= um_node_dim(a->n)[k];
	known y = make(slice ? um_nn_slice(a->n, axis, first, count) : um_nn_gather(a->n, axis, count, index));
	for (int64_t i = 0; i < images(y.n) * um_node_len(y.n); i++)
		y.v[i] = a->v[(i / inner / count * length + index[i / inner % count]) * inner + i % inner];
	return y;
}

static known any_node(um_rng *r, const known made[], int n, bool batch_sums)
{
	const known *a = pick(r, 3) ? &made[n - 1 - pick(r, n < 6 ? n : 6)] : &made[pick(r, n)], *b = a;
	for (int t = 0; t < 20 && (b == a || !fit(a->n, b->n)); t++)
		b = &made[pick(r, n)];
	const int rank = um_node_rank(a->n), op = pick(r, 10);
	if (op < 2 || !fit(a->n, b->n))
		return unary(r, a);
	if (op == 6)
		return summed(r, a, batch_sums && pick(r, 3) == 0);
	if (op == 7)
		return reshaped(r, a);
	if (op == 8 && um_node_len(a->n) < LONGEST)
		return repeated(r, a);
	if (op == 9 && rank > 0 && um_node_len(a->n) < LONGEST)
		return chosen(r, a, pick(r, rank));
	return binary(r, a, b);
}

static um_graph *any_graph(um_rng *r, int64_t batch, known made[NODES])
{
	const int64_t len[] = { 24, 24, 12, 6, 1 };
	um_graph *g = um_graph_new(batch);
	const bool batch_sums = pick(r, 2) == 0;
	for (int n = 0; n < INPUTS; n++) {
		int64_t dim[UM_NN_RANK];
		const char name[2] = { (char)('a' + n), '\0' };
		const int rank = any_shape(r, len[pick(r, 5)], dim);
		made[n] = make(pick(r, 6) == 0 ? um_nn_late_input(g, name, rank, dim, pick(r, 3) > 0) :
			um_nn_input(g, name, rank, dim, pick(r, 3) > 0));
		for (int64_t i = 0; i < images(made[n].n) * um_node_len(made[n].n); i++)
			made[n].v[i] = um_normal(r);
	}
	for (int n = INPUTS; n < NODES; n++)
		made[n] = any_node(r, made, n, batch_sums);
	CHECK_OK(um_graph_status(g));
	return g;
}

static void fill(um_program *p, const known made[])
{
	for (int n = 0; n < INPUTS; n++) {
		const char name[2] = { (char)('a' + n), '\0' };
		um_array in = um_program_input(p, name);
		for (int64_t i = 0; in.data != NULL && i < um_array_len(&in); i++) {
			if (in.dtype == UM_F64)
				((double *)in.data)[i] = made[n].v[i];
			else
				((float *)in.data)[i] = (float)made[n].v[i];
		}
	}
}

static double error(um_program *p, int k, const known *want)
{
	const um_array a = um_program_output(p, k);
	double worst = 0;
	for (int64_t i = 0; i < images(want->n) * um_node_len(want->n); i++) {
		const double y = a.dtype == UM_F64 ? ((double *)a.data)[i] : (double)((float *)a.data)[i];
		worst = fmax(worst, isfinite(y) ? fabs(y - want->v[i]) / (1 + fabs(want->v[i])) : INFINITY);
	}
	return worst;
}

/* Two runs, as memory is used again, the second in two parts where the schedule has them. */
static double run(um_program *p, const known made[], const int which[])
{
	double worst = 0;
	for (int again = 0; again < 2; again++) {
		fill(p, made);
		if (again == 1 && um_program_run_early(p, 0) != UM_OK)
			CU_ASSERT_PTR_NOT_NULL(strstr(um_message(), "image by image"));
		CHECK_OK(um_program_run(p, 0));
		for (int k = 0; k < OUTPUTS; k++)
			worst = fmax(worst, error(p, k, &made[which[k]]));
	}
	return worst;
}

/* The last nodes and any, by a program: the error; -1 where the schedule cannot. */
static double tried(const known made[], const int which[], um_schedule schedule, um_precision precision,
	int threads)
{
	um_node *out[OUTPUTS];
	um_program *p = NULL;
	for (int k = 0; k < OUTPUTS; k++)
		out[k] = made[which[k]].n;
	const um_compile_options o = { schedule, precision, threads, NULL };
	if (um_compile(OUTPUTS, out, &o, &p) != UM_OK) {
		CU_ASSERT_EQUAL(schedule, UM_PER_IMAGE);
		return -1;
	}
	const double worst = run(p, made, which);
	um_program_free(p);
	return worst;
}

/* Every eighth graph has so many images that threads take shares of them. */
static void programs_compute_graphs(void)
{
	double worst[2] = { 0 };
	int programs = 0;
	for (uint64_t seed = 0; seed < GRAPHS; seed++) {
		um_rng r = um_rng_new(seed, "random graph", 0);
		known made[NODES];
		um_graph *g = any_graph(&r, seed % 8 == 7 ? 256 : 1 + pick(&r, 4), made);
		const int which[OUTPUTS] = { NODES - 1, NODES - 2, pick(&r, NODES) };
		for (int way = 0; way < 8; way++) {
			const int wide = way >> 1 & 1;
			const double e = tried(made, which, way & 1 ? UM_PER_IMAGE : UM_PER_BATCH,
				wide ? UM_FLOAT64 : UM_FLOAT32, way & 4 ? 2 : 1);
			if (e > (wide ? 1e-11 : 1e-4))
				printf("graph %d, way %d: error %.1e\n", (int)seed, way, e);
			worst[wide] = fmax(worst[wide], e);
			programs += e >= 0;
		}
		for (int n = 0; n < NODES; n++)
			free(made[n].v);
		um_graph_free(g);
	}
	printf("\n%d programs: errors at most %.1e in double, %.1e in float\n", programs, worst[1], worst[0]);
	CU_ASSERT(worst[1] <= 1e-11);
	CU_ASSERT(worst[0] <= 1e-4);
}

CHECK_MAIN(CHECK_CASE(programs_compute_graphs))
