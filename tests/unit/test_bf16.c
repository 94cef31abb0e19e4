/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Products of bfloat16 against float64: values, tangents, derivatives and derivatives of those, of all
 * shapes of convolutions and matrix products, in every schedule. Without tiles (AMX) programs are
 * float32, and near enough. UMBRA_ISA chooses: tests/pipelines/isa.sh runs this for each. */
#include <umbra/layers.h>
#include "base/isa.h"
#include "nn/bf16.h"
#include "nnops.h"

#define CONV(name, stride, top, bottom, left, right) \
	OP_BUILD(name, um_nn_square(um_nn_conv(x[0], x[1], &(um_conv){ stride, top, bottom, left, right })))
CONV(b_same, 1, 1, 1, 1, 1)
CONV(b_wide, 1, 2, 2, 2, 2)
CONV(b_bare, 1, 0, 0, 0, 0)
CONV(b_left, 1, 0, 2, 2, 0)
CONV(b_right, 1, 2, 0, 0, 2)
CONV(b_halved, 2, 1, 1, 1, 1)
OP_BUILD(b_turned, um_nn_square(um_nn_conv_transposed(x[0], x[1], &(um_conv){ 1, 1, 1, 1, 1 }, 9, 7)))
OP_BUILD(b_doubled, um_nn_square(um_nn_conv_transposed(x[0], x[1], &(um_conv){ 2, 1, 1, 1, 1 }, 16, 12)))
OP_BUILD(b_careful, um_nn_square(um_nn_careful(um_nn_conv(um_nn_careful(x[0]), x[1],
	&(um_conv){ 1, 1, 1, 1, 1 }))))
OP_BUILD(b_nn, um_nn_square(um_nn_matmul(x[0], x[1], false, false)))
OP_BUILD(b_nt, um_nn_square(um_nn_matmul(x[0], x[1], false, true)))
OP_BUILD(b_tn, um_nn_square(um_nn_matmul(x[0], x[1], true, false)))
OP_BUILD(b_tt, um_nn_square(um_nn_matmul(x[0], x[1], true, true)))
OP_BUILD(b_attention, um_nn_matmul(um_nn_softmax(um_nn_scale(um_nn_matmul(x[0], x[1], false, true), 0.2)),
	x[2], false, false))
/* A factor that is stored as float too, and as both factors of a product. */
OP_BUILD(b_twice, um_nn_add(um_nn_matmul(um_nn_silu(x[0]), um_nn_silu(x[0]), false, true),
	um_nn_sum(um_nn_silu(x[0]), 2)))

static const op_case large[] = {
	OP_WITH(OP_BIG, "conv", b_same, 2, IMAGE(3, 8, 8, 16), SHARED(4, 3, 3, 16, 32)),
	OP_WITH(OP_BIG, "conv, three tiles wide", b_same, 2, IMAGE(3, 9, 7, 48), SHARED(4, 3, 3, 48, 16)),
	OP_WITH(OP_BIG, "conv, odd channels", b_same, 2, IMAGE(3, 9, 7, 24), SHARED(4, 3, 3, 24, 40)),
	OP_WITH(OP_BIG, "conv, long image", b_same, 2, IMAGE(3, 40, 13, 16), SHARED(4, 3, 3, 16, 16)),
	OP_WITH(OP_BIG, "conv 5x5", b_wide, 2, IMAGE(3, 7, 9, 16), SHARED(4, 5, 5, 16, 16)),
	OP_WITH(OP_BIG, "conv, no padding", b_bare, 2, IMAGE(3, 9, 11, 16), SHARED(4, 3, 3, 16, 16)),
	OP_WITH(OP_BIG, "conv, padding on the left", b_left, 2, IMAGE(3, 9, 11, 16), SHARED(4, 3, 3, 16, 16)),
	OP_WITH(OP_BIG, "conv, padding on the right", b_right, 2, IMAGE(3, 9, 11, 16), SHARED(4, 3, 3, 16, 16)),
	OP_WITH(OP_BIG, "conv 2x2, larger than the image", b_same, 2, IMAGE(3, 9, 8, 32), SHARED(4, 2, 2, 32, 32)),
	OP_WITH(OP_BIG, "conv, stride 2", b_halved, 2, IMAGE(3, 12, 16, 16), SHARED(4, 3, 3, 16, 32)),
	OP_WITH(OP_BIG, "conv, one channel in", b_same, 2, IMAGE(3, 16, 16, 1), SHARED(4, 3, 3, 1, 32)),
	OP_WITH(OP_BIG, "conv, one channel out", b_same, 2, IMAGE(3, 16, 16, 32), SHARED(4, 3, 3, 32, 1)),
	OP_WITH(OP_BIG, "conv with care", b_careful, 2, IMAGE(3, 8, 8, 16), SHARED(4, 3, 3, 16, 32)),
	OP_WITH(OP_BIG, "conv_transposed", b_turned, 2, IMAGE(3, 9, 7, 16), SHARED(4, 3, 3, 32, 16)),
	OP_WITH(OP_BIG, "conv_transposed, stride 2", b_doubled, 2, IMAGE(3, 8, 6, 16), SHARED(4, 4, 4, 32, 16)),
	OP_WITH(OP_BIG, "matmul", b_nn, 2, IMAGE(2, 40, 48), IMAGE(2, 48, 33)),
	OP_WITH(OP_BIG, "matmul, b transposed", b_nt, 2, IMAGE(2, 40, 48), IMAGE(2, 33, 48)),
	OP_WITH(OP_BIG, "matmul, a transposed", b_tn, 2, IMAGE(2, 48, 40), IMAGE(2, 48, 33)),
	OP_WITH(OP_BIG, "matmul, both", b_tt, 2, IMAGE(2, 48, 40), IMAGE(2, 33, 48)),
	OP_WITH(OP_BIG, "matmul, weights", b_nn, 2, IMAGE(2, 64, 48), SHARED(2, 48, 32)),
	OP_WITH(OP_BIG, "matmul, weights transposed", b_nt, 2, IMAGE(2, 64, 48), SHARED(2, 32, 48)),
	OP_WITH(OP_BIG, "matmul, weights first", b_nn, 2, SHARED(2, 64, 48), IMAGE(2, 48, 33)),
	OP_WITH(OP_BIG, "matmul, a transposed, weights", b_tn, 2, IMAGE(2, 48, 64), SHARED(2, 48, 32)),
	OP_WITH(OP_BIG, "matmul, leading axes", b_nn, 2, IMAGE(3, 2, 40, 48), IMAGE(3, 2, 48, 33)),
	OP_WITH(OP_BIG, "attention", b_attention, 3, IMAGE(2, 64, 32), IMAGE(2, 64, 32), IMAGE(2, 64, 32)),
	OP_WITH(OP_BIG, "a factor twice", b_twice, 1, IMAGE(2, 64, 32)),
};

/* |got - want| <= tol |want|, as vectors; the distance. */
static double apart(const char *name, const char *what, int64_t n, const double *got, const double *want,
	double tol)
{
	double d = 0, size = 0;
	for (int64_t i = 0; i < n; i++) {
		d += (got[i] - want[i]) * (got[i] - want[i]);
		size += want[i] * want[i];
	}
	if (!(d <= tol * tol * size))
		fprintf(stderr, "%s: %s: relative error %g\n", name, what, sqrt(d / size));
	CHECK(d <= tol * tol * size);
	return sqrt(d / size);
}

static void ways(const op_net *t, const op_values *ref, um_precision precision, double tol)
{
	static const char *const names[] = { UM_PRECISIONS };
	op_values r;
	op_values_new(t, &r);
	for (int way = 0; way < 4; way++) {
		um_program *p = op_compile(t, way & 2 ? UM_PER_IMAGE : UM_PER_BATCH, precision, 1 + (way & 1));
		const um_precision got = um_program_about(p).precision;
		CHECK(got == (um_isa_now() >= UM_ISA_AMX ? precision : UM_FLOAT32));
		op_run(t, p, &r);
		op_run(t, p, &r);
		um_program_free(p);
		for (int k = 0; k < t->nout; k++) {
			char what[80];
			snprintf(what, sizeof(what), "output %d, %s, %s, %d threads", k, names[precision],
				way & 2 ? "per image" : "per batch", 1 + (way & 1));
			const double error = apart(t->c->name, what, r.len[k], r.v[k], ref->v[k],
				got == UM_FLOAT32 ? 1e-6 : tol);
			/* the values themselves show that the precision is not better than it says */
			if (k == OP_Y && got == UM_BFLOAT16 && strstr(t->c->name, "one channel in") == NULL &&
				strstr(t->c->name, "with care") == NULL && strstr(t->c->name, "weights first") == NULL &&
				strstr(t->c->name, "a transposed, weights") == NULL)
				CHECK(error > 1e-4);
		}
	}
	op_values_free(t, &r);
}

static void products(void)
{
	for (size_t i = 0; i < sizeof(large) / sizeof(*large); i++) {
		op_net t;
		op_values ref;
		op_build(&t, &large[i]);
		um_program *p = op_compile(&t, UM_PER_BATCH, UM_FLOAT64, 1);
		op_values_new(&t, &ref);
		op_run(&t, p, &ref);
		um_program_free(p);
		ways(&t, &ref, UM_BFLOAT16, 2e-2);
		ways(&t, &ref, UM_BFLOAT16X3, 3e-5);
		op_values_free(&t, &ref);
		op_net_free(&t);
	}
}

/* The fastest that is as good as float32. */
static void automatic(void)
{
	um_graph *g = um_graph_new(2);
	um_node *x = um_nn_input(g, "x", 2, (int64_t[]){ 64, 64 }, true), *y = um_nn_matmul(x, x, false, false);
	for (int schedule = UM_PER_BATCH; schedule <= UM_PER_IMAGE; schedule++) {
		um_program *p = NULL;
		CHECK_OK(um_compile(1, &y, &(um_compile_options){ .schedule = (um_schedule)schedule,
			.precision = UM_AUTO }, &p));
		const bool split = schedule == UM_PER_IMAGE && um_isa_now() >= UM_ISA_AMX;
		CHECK(um_program_about(p).precision == (split ? UM_BFLOAT16X3 : UM_FLOAT32));
		um_program_free(p);
	}
	um_graph_free(g);
}

/* What is not finite spoils its image alone. */
static void not_finite(void)
{
	um_graph *g = um_graph_new(2);
	um_node *x = um_nn_input(g, "x", 2, (int64_t[]){ 32, 64 }, true);
	um_node *w = um_nn_input(g, "w", 2, (int64_t[]){ 64, 32 }, false);
	um_node *y = um_nn_matmul(um_nn_scale(x, 1), w, false, false);
	um_program *p = NULL;
	CHECK_OK(um_compile(1, &y, &(um_compile_options){ .schedule = UM_PER_IMAGE, .precision = UM_BFLOAT16 }, &p));
	um_array a = um_program_input(p, "x"), b = um_program_input(p, "w"), o = um_program_output(p, 0);
	for (int i = 0; i < 2 * 32 * 64; i++)
		((float *)a.data)[i] = 1;
	for (int i = 0; i < 64 * 32; i++)
		((float *)b.data)[i] = 1;
	((float *)a.data)[5] = NAN;
	((float *)a.data)[64 + 5] = INFINITY;
	CHECK_OK(um_program_run(p, 0));
	CHECK(isnan(((float *)o.data)[0]));
	CHECK(isinf(((float *)o.data)[32]));
	for (int i = 64; i < 2 * 32 * 32; i++)
		CHECK(((float *)o.data)[i] == 64);
	um_program_free(p);
	um_graph_free(g);
}

/* Halves of the last place go to even, and what is not finite stays so. */
static void rounding(void)
{
	CHECK(um_bf16_round(1) == 0x3f80 && um_bf16_round(-2) == 0xc000);
	CHECK(um_bf16_round(0x1.01p0f) == 0x3f80);
	CHECK(um_bf16_round(0x1.03p0f) == 0x3f82);
	CHECK(um_bf16_round(0x1.0100001p0f) == 0x3f80 && um_bf16_round(0x1.010002p0f) == 0x3f81);
	CHECK(um_bf16_round(0x1.fffp127f) == 0x7f80);
	CHECK(isnan(um_bf16_value(um_bf16_round(NAN))) && um_bf16_value(um_bf16_round(-INFINITY)) == -INFINITY);
	for (uint32_t h = 0; h < 0x10000; h++)
		if (!isnan(um_bf16_value((uint16_t)h)))
			CHECK(um_bf16_round(um_bf16_value((uint16_t)h)) == h);
}

CHECK_MAIN(CHECK_CASE(products), CHECK_CASE(automatic), CHECK_CASE(not_finite), CHECK_CASE(rounding))
