/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Programs: fusion and memory change no numbers, late inputs, errors, and no allocation in a run. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <umbra/program.h>
#include <umbra/rng.h>
#include "check.h"

#if !defined(__SANITIZE_ADDRESS__) && defined(__GLIBC__)
#define COUNTS_MALLOC
/* Every allocation of the process passes here. */
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t n, size_t size);
static _Atomic long allocations;
void *malloc(size_t size)
{
	allocations++;
	return __libc_malloc(size);
}
void *calloc(size_t n, size_t size)
{
	allocations++;
	return __libc_calloc(n, size);
}
#endif

enum { BATCH = 3, NODES = 40 };

static const int64_t shapes[][3] = { { 4, 3, 6 }, { 1, 3, 6 }, { 1, 1, 6 }, { 4, 1, 1 }, { 4, 3, 1 },
	{ 4, 1, 6 }, { 1, 1, 1 } };
enum { NSHAPES = sizeof(shapes) / sizeof(*shapes) };

static int pick(um_rng *r, int n)
{
	return (int)(um_rng_bits(r) % (uint64_t)n);
}

/* A node made of earlier ones; numbers stay near 1 in size. */
static um_node *any_node(um_rng *r, um_node *const made[], int n)
{
	um_node *a = made[pick(r, n)], *b = made[pick(r, n)];
	switch (pick(r, 10)) {
	case 0: return um_nn_add(um_nn_tanh(a), b);
	case 1: return um_nn_mul(um_nn_tanh(a), b);
	case 2: return um_nn_sub(a, um_nn_scale(b, 0.5));
	case 3: return um_nn_silu(a);
	case 4: return um_nn_mean(a, (unsigned)pick(r, 8));
	case 5: return um_nn_tanh(um_nn_mean(a, UM_NN_ALL));
	case 6: return um_nn_div(a, um_nn_shift(um_nn_square(b), 1));
	case 7: return um_nn_add(a, um_nn_broadcast(um_nn_scalar(um_node_graph(a), 0.3), 3, shapes[0]));
	case 8: return um_nn_tanh(um_nn_add(a, b));
	default: return um_nn_exp(um_nn_scale(um_nn_tanh(a), -1));
	}
}

/* A random graph; made[] gets its nodes. */
static um_graph *any_graph(um_rng *r, um_node *made[], bool batch_sums)
{
	um_graph *g = um_graph_new(BATCH);
	int n = 0;
	for (int i = 0; i < NSHAPES; i++) {
		char name[2] = { (char)('a' + i), '\0' };
		made[n++] = um_nn_input(g, name, 3, shapes[i], i % 2 == 0);
	}
	while (n < NODES) {
		um_node *a = any_node(r, made, n);
		if (batch_sums && pick(r, 8) == 0)
			a = um_nn_tanh(um_nn_batch_mean(a));
		made[n++] = a;
	}
	CHECK_OK(um_graph_status(g));
	return g;
}

static void fill_inputs(um_program *p)
{
	for (int i = 0; i < NSHAPES; i++) {
		char name[2] = { (char)('a' + i), '\0' };
		um_array in = um_program_input(p, name);
		um_rng r = um_rng_new(5, name, 0);
		for (int64_t k = 0; in.data != NULL && k < um_array_len(&in); k++) {
			if (in.dtype == UM_F64)
				((double *)in.data)[k] = um_normal(&r);
			else
				((float *)in.data)[k] = (float)um_normal(&r);
		}
	}
}

static um_program *program(int n, um_node *const out[], um_schedule schedule, um_precision precision,
	int threads)
{
	const um_compile_options o = { schedule, precision, threads, NULL };
	um_program *p = NULL;
	CHECK_OK(um_compile(n, out, &o, &p));
	fill_inputs(p);
	CHECK_OK(um_program_run(p, 0));
	return p;
}

static double difference(um_program *p, int i, um_program *q, int j)
{
	um_array a = um_program_output(p, i), b = um_program_output(q, j);
	double worst = 0;
	CU_ASSERT_EQUAL(um_array_len(&a), um_array_len(&b));
	for (int64_t k = 0; k < um_array_len(&a); k++) {
		const double x = ((double *)a.data)[k];
		const double y = b.dtype == UM_F64 ? ((double *)b.data)[k] : (double)((float *)b.data)[k];
		worst = fmax(worst, fabs(x - y) / (1 + fabs(x)));
	}
	return worst;
}

/* The last node and a gradient, computed with everything between stored, and fused in every way. */
static void fusion_changes_nothing(void)
{
	double worst = 0, worst32 = 0;
	for (uint64_t seed = 0; seed < 60; seed++) {
		um_rng r = um_rng_new(seed, "graph", 0);
		um_node *made[NODES], *out[NODES + 1];
		const bool batch_sums = seed % 2 == 1;
		um_graph *g = any_graph(&r, made, batch_sums);
		um_node *last = made[NODES - 1], *dx;
		CHECK_OK(um_grad(1, &last, NULL, 1, &made[0], &dx));
		memcpy(out, made, sizeof(made));
		out[NODES] = dx;
		um_node *both[2] = { last, dx };
		um_program *all = program(NODES + 1, out, UM_PER_BATCH, UM_FLOAT64, 1);
		for (int way = 0; way < 4; way++) {
			if (way % 2 == 1 && batch_sums)
				continue;
			um_program *p = program(2, both, way % 2 == 0 ? UM_PER_BATCH : UM_PER_IMAGE,
				UM_FLOAT64, way < 2 ? 1 : 2);
			worst = fmax(worst, difference(all, NODES - 1, p, 0));
			worst = fmax(worst, difference(all, NODES, p, 1));
			um_program_free(p);
		}
		um_program *p = program(2, both, UM_PER_BATCH, UM_FLOAT32, 2);
		worst32 = fmax(worst32, difference(all, NODES - 1, p, 0));
		um_program_free(p);
		um_program_free(all);
		um_graph_free(g);
	}
	printf("fused against stored: %.1e, float32 %.1e\n", worst, worst32);
	CU_ASSERT(worst < 1e-12);
	CU_ASSERT(worst32 < 2e-5);
}

/* A chain that is wide, long and alive in many places. */
static um_node *deep(um_graph *g, um_node *x)
{
	um_node *h[12];
	for (int i = 0; i < 12; i++) {
		h[i] = um_nn_sum(um_nn_tanh(um_nn_scale(x, 0.1 * (i + 1))), 1);
		x = um_nn_tanh(um_nn_sub(x, um_nn_broadcast(h[i], 2, um_node_dim(x))));
	}
	for (int i = 11; i >= 0; i--)
		x = um_nn_add(x, um_nn_mul(h[i], um_nn_broadcast(um_nn_scalar(g, 0.1), 2, um_node_dim(x))));
	return um_nn_sum(um_nn_square(x), UM_NN_ALL);
}

static void memory_is_planned(void)
{
	um_graph *g = um_graph_new(4);
	um_node *x = um_nn_input(g, "x", 2, (const int64_t[]){ 32, 48 }, true), *y = deep(g, x), *dx, *q, *ddx;
	CHECK_OK(um_grad(1, &y, NULL, 1, &x, &dx));
	q = um_nn_sum(um_nn_square(dx), UM_NN_ALL);
	CHECK_OK(um_grad(1, &q, NULL, 1, &x, &ddx));
	for (int s = 0; s < 2; s++) {
		const um_compile_options o = { s == 0 ? UM_PER_BATCH : UM_PER_IMAGE, UM_FLOAT32, 2, NULL };
		um_program *p = NULL;
		CHECK_OK(um_compile(1, &ddx, &o, &p));
		const um_program_info about = um_program_about(p);
		printf("%lld nodes in %lld steps, arena %lld bytes, %.3f of the least\n",
			(long long)about.nodes, (long long)about.steps, (long long)about.arena_bytes,
			(double)about.arena_bytes / (double)about.live_bytes);
		CU_ASSERT((double)about.arena_bytes <= 1.3 * (double)about.live_bytes);
		CU_ASSERT(about.steps < about.nodes / 2);
		um_program_free(p);
	}
	um_graph_free(g);
}

/* One loop makes v + c and c - t, where v is t under another shape: the first must not be written
 * over v. */
static void reshapes_share_memory(void)
{
	um_graph *g = um_graph_new(1);
	um_node *t = um_nn_softmax(um_nn_input(g, "x", 1, (const int64_t[]){ 4 }, true));
	um_node *v = um_nn_reshape(t, 2, (const int64_t[]){ 1, 4 });
	um_node *c = um_nn_softmax(um_nn_scale(v, 3));
	um_node *sum = um_nn_softmax(um_nn_add(v, c)), *less = um_nn_softmax(um_nn_sub(c, t));
	um_node *out[2] = { um_nn_exp(sum), um_nn_exp(less) };
	for (int s = 0; s < 2; s++) {
		const um_compile_options o = { s == 0 ? UM_PER_BATCH : UM_PER_IMAGE, UM_FLOAT64, 1, NULL };
		um_program *p = NULL;
		CHECK_OK(um_compile(2, out, &o, &p));
		double *x = um_program_input(p, "x").data;
		for (int i = 0; i < 4; i++)
			x[i] = log(i + 1);
		CHECK_OK(um_program_run(p, 0));
		double all[3] = { 0 };
		for (int i = 0; i < 4; i++)
			all[0] += exp(0.3 * (i + 1));
		for (int k = 0; k < 2; k++)
			for (int i = 0; i < 4; i++)
				all[k + 1] += exp(exp(0.3 * (i + 1)) / all[0] + (k == 0 ? 0.1 : -0.1) * (i + 1));
		for (int k = 0; k < 2; k++)
			for (int i = 0; i < 4; i++) {
				const double e = exp(0.3 * (i + 1)) / all[0] + (k == 0 ? 0.1 : -0.1) * (i + 1);
				CU_ASSERT_DOUBLE_EQUAL(((double *)um_program_output(p, k).data)[i],
					exp(exp(e) / all[k + 1]), 1e-13);
			}
		um_program_free(p);
	}
	um_graph_free(g);
}

/* A sum that only drops axes of length 1 keeps every number. */
static void sums_that_keep_all(void)
{
	const um_compile_options o = { UM_PER_BATCH, UM_FLOAT64, 1, NULL };
	const int64_t row[] = { 1, 4 };
	for (int batched = 0; batched < 2; batched++) {
		um_graph *g = um_graph_new(2);
		um_node *x = um_nn_input(g, "x", 2, row, batched), *y = um_nn_sum_to(um_nn_scale(x, 3), 1, row + 1, true);
		um_program *p = NULL;
		CHECK_OK(um_compile(1, &y, &o, &p));
		double *in = um_program_input(p, "x").data;
		for (int i = 0; i < 4 + 4 * batched; i++)
			in[i] = i + 1;
		CHECK_OK(um_program_run(p, 0));
		for (int i = 0; i < 4 + 4 * batched; i++)
			CU_ASSERT_EQUAL(((double *)um_program_output(p, 0).data)[i], 3 * (i + 1));
		um_program_free(p);
		um_graph_free(g);
	}
}

static void late_inputs(void)
{
	um_graph *g = um_graph_new(BATCH);
	um_node *x = um_nn_input(g, "x", 1, (const int64_t[]){ 5 }, true);
	um_node *v = um_nn_late_input(g, "v", 1, (const int64_t[]){ 5 }, true);
	um_node *y = um_nn_silu(um_nn_mul(x, um_nn_sum(x, 1))), *dx, *whole;
	um_node *loss = um_nn_scale(um_nn_sum(um_nn_square(y), UM_NN_ALL), 0.5);
	CHECK_OK(um_grad(1, &y, &v, 1, &x, &dx));
	CHECK_OK(um_grad(1, &loss, NULL, 1, &x, &whole));
	um_node *out[3] = { y, dx, whole };
	/* image by image with any number of threads, too: whether they share the batch evenly or not */
	for (int k = 0; k <= BATCH; k++) {
		const um_compile_options o = { k > 0 ? UM_PER_IMAGE : UM_PER_BATCH, UM_FLOAT64, k > 0 ? k : 1, NULL };
		um_program *p = NULL;
		CHECK_OK(um_compile(3, out, &o, &p));
		um_array in = um_program_input(p, "x"), seed = um_program_input(p, "v"), a = um_program_output(p, 0);
		for (int i = 0; i < 5 * BATCH; i++)
			((double *)in.data)[i] = sin(i);
		CHECK_OK(um_program_run_early(p, 0));
		memcpy(seed.data, a.data, sizeof(double) * 5 * BATCH);
		CHECK_OK(um_program_run(p, 0));
		um_array b = um_program_output(p, 1), c = um_program_output(p, 2);
		for (int i = 0; i < 5 * BATCH; i++)
			CU_ASSERT_DOUBLE_EQUAL(((double *)b.data)[i], ((double *)c.data)[i], 1e-13);
		um_program_free(p);
	}
	um_graph_free(g);
}

static void mistakes_are_named(void)
{
	um_graph *g = um_graph_new(2);
	um_node *x = um_nn_input(g, "x", 2, (const int64_t[]){ 4, 3 }, true);
	um_node *y = um_nn_input(g, "y", 2, (const int64_t[]){ 5, 3 }, true);
	um_node *z = um_nn_exp(um_nn_add(x, y));
	CU_ASSERT_PTR_NULL(z);
	CU_ASSERT_EQUAL(um_graph_status(g), UM_EARG);
	CU_ASSERT_PTR_NOT_NULL(strstr(um_message(), "add: shapes (4, 3) and (5, 3)"));
	um_graph_free(g);
	g = um_graph_new(2);
	x = um_nn_input(g, "x", 1, (const int64_t[]){ 4 }, true);
	y = um_nn_sub(x, um_nn_batch_mean(x));
	const um_compile_options o = { UM_PER_IMAGE, UM_FLOAT32, 1, NULL };
	um_program *p = NULL;
	CU_ASSERT_EQUAL(um_compile(1, &y, &o, &p), UM_EARG);
	CU_ASSERT_PTR_NOT_NULL(strstr(um_message(), "use the per-batch schedule"));
	y = um_nn_weight(g, "w", 1, (const int64_t[]){ 4 }, (um_init){ UM_INIT_CONSTANT, 1 });
	CU_ASSERT_EQUAL(um_compile(1, &y, &o, &p), UM_EARG);
	CU_ASSERT_PTR_NOT_NULL(strstr(um_message(), "weight w"));
	um_graph_free(g);
}

/* Sizes that no machine has, or no array, are refused before anybody multiplies them. */
static void sizes_are_checked(void)
{
	const int64_t large = (int64_t)1 << 40;
	const double number = 1;
	for (int i = 0; i < 5; i++) {
		um_graph *g = um_graph_new(2);
		um_node *x = um_nn_input(g, "x", 3, (const int64_t[]){ 1, 1, 1 }, true), *y = NULL;
		um_node *w = um_nn_input(g, "w", 4, (const int64_t[]){ 1, 1, 1, 1 }, false);
		if (i == 0)
			y = um_nn_constant(g, 1, (const int64_t[]){ -1 }, &number);
		else if (i == 1)
			y = um_nn_input(g, "y", 2, (const int64_t[]){ large, large }, false);
		else if (i == 2)
			y = um_nn_place(x, 0, 0, INT64_MAX);
		else if (i == 3)
			y = um_nn_broadcast(x, 3, (const int64_t[]){ large, 1, large });
		else
			y = um_nn_conv(x, w, &(um_conv){ .top = INT64_MAX, .bottom = INT64_MAX });
		CU_ASSERT_PTR_NULL(y);
		CU_ASSERT_EQUAL(um_graph_status(g), UM_EARG);
		um_graph_free(g);
	}
}

/* Kernels for two threads would leave out half of their work where there is one. */
static void regions_are_seen(void)
{
#ifdef _OPENMP
	um_graph *g = um_graph_new(2);
	um_node *x = um_nn_input(g, "x", 1, (const int64_t[]){ 4 }, true), *y = um_nn_exp(x);
	for (int threads = 1; threads < 3; threads++) {
		um_program *p = NULL;
		CHECK_OK(um_compile(1, &y, &(um_compile_options){ .threads = threads }, &p));
		um_status st[2];
#pragma omp parallel for num_threads(2)
		for (int i = 0; i < 2; i++)
			st[i] = i == 0 ? um_program_run(p, 0) : UM_OK;
		CU_ASSERT_EQUAL(st[0], threads == 1 ? UM_OK : UM_EARG);
		CHECK_OK(um_program_run(p, 0));
		um_program_free(p);
	}
	um_graph_free(g);
#endif
}

static void runs_allocate_nothing(void)
{
#ifdef COUNTS_MALLOC
	um_rng r = um_rng_new(3, "graph", 0);
	um_node *made[NODES], *dx;
	um_graph *g = any_graph(&r, made, false);
	CHECK_OK(um_grad(1, &made[NODES - 1], NULL, 1, &made[0], &dx));
	for (int s = 0; s < 2; s++) {
		um_program *p = program(1, &dx, s == 0 ? UM_PER_BATCH : UM_PER_IMAGE, UM_FLOAT32, 2);
		const long before = allocations;
		for (int i = 0; i < 3; i++)
			CHECK_OK(um_program_run(p, 0));
		CU_ASSERT_EQUAL(allocations, before);
		um_program_free(p);
	}
	um_graph_free(g);
#else
	printf("SKIPPED: allocations are not counted in this build\n");
#endif
}

CHECK_MAIN(CHECK_CASE(fusion_changes_nothing), CHECK_CASE(memory_is_planned),
	CHECK_CASE(reshapes_share_memory), CHECK_CASE(sums_that_keep_all), CHECK_CASE(late_inputs),
	CHECK_CASE(mistakes_are_named), CHECK_CASE(sizes_are_checked), CHECK_CASE(regions_are_seen),
	CHECK_CASE(runs_allocate_nothing))
