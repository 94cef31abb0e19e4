/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Element-wise functions in single precision against libm, special values, dropout masks, and two
 * programs at once. */
#include <float.h>
#include <pthread.h>
#include "nnops.h"

/* ---- accuracy ------------------------------------------------------------------------------ */

static double sigmoid(double a)
{
	return 1 / (1 + exp(-a));
}

static double silu(double a)
{
	return a / (1 + exp(-a));
}

static double softplus(double a)
{
	return fmax(a, 0) + log1p(exp(-fabs(a)));
}

typedef struct function {
	const char *name;
	um_node *(*build)(um_node *a);
	double (*exact)(double a);
	double low, high;
	double ulps;
	double most;      /* of numbers whose size is spread evenly in the logarithm */
	double absolute;  /* allowed besides */
} function;

static const function functions[] = {
	{ "exp", um_nn_exp, exp, -87, 88.7, 2, 80, 0 },
	{ "log", um_nn_log, log, 0, 4, 2, 1e38, 0 },
	{ "sqrt", um_nn_sqrt, sqrt, 0, 4, 1, 1e38, 0 },
	{ "tanh", um_nn_tanh, tanh, -10, 10, 3, 1e38, 0 },
	{ "sigmoid", um_nn_sigmoid, sigmoid, -80, 80, 3, 80, 0 },
	{ "silu", um_nn_silu, silu, -80, 80, 4, 80, 0 },
	{ "softplus", um_nn_softplus, softplus, -80, 80, 3, 80, 0 },
	/* beside multiples of pi the reduction's error of 1e-11 counts */
	{ "sin", um_nn_sin, sin, -20, 20, 3, 8000, 1e-10 },
	{ "cos", um_nn_cos, cos, -20, 20, 3, 8000, 1e-10 },
	{ "sin, large", um_nn_sin, sin, 8000, 3e6, 3, 1e30, 1e-10 },
	{ "cos, large", um_nn_cos, cos, -3e6, 100, 3, 1e30, 1e-10 },
};
enum { EVEN = 60000, SPREAD = 60000, POINTS = EVEN + SPREAD };

/* y = f(x) for n numbers by a program in single precision. */
static void run_f32(um_node *(*build)(um_node *a), int64_t n, const float *x, float *y)
{
	um_graph *g = um_graph_new(1);
	um_program *p = NULL;
	um_node *out = build(um_nn_input(g, "x", 1, &n, false));
	CHECK_OK(um_compile(1, &out, &(um_compile_options){ .precision = UM_FLOAT32, .threads = 1 }, &p));
	memcpy(um_program_input(p, "x").data, x, sizeof(*x) * (size_t)n);
	CHECK_OK(um_program_run(p, 0));
	memcpy(y, um_program_output(p, 0).data, sizeof(*y) * (size_t)n);
	um_program_free(p);
	um_graph_free(g);
}

static void check_accuracy(const function *f)
{
	float *x = calloc(POINTS, sizeof(*x)), *y = calloc(POINTS, sizeof(*y));
	double worst = 0, at = 0;
	for (int i = 0; i < EVEN; i++)
		x[i] = (float)(f->low + (f->high - f->low) * (i + 0.5) / EVEN);
	for (int i = 0; i < SPREAD; i++) {
		double size = exp(log(1e-30) + (log(f->most) - log(1e-30)) * i / SPREAD);
		x[EVEN + i] = (float)(f->low < 0 && i % 2 ? -size : size);
	}
	run_f32(f->build, POINTS, x, y);
	for (int i = 0; i < POINTS; i++) {
		int e;
		const double want = f->exact((double)x[i]);
		frexp(want, &e);
		const double ulp = ldexp(1, (e > -125 ? e : -125) - 24);
		const double off = (fabs((double)y[i] - want) - f->absolute) / ulp;
		if (!(off <= worst)) {
			worst = off;
			at = (double)x[i];
		}
	}
	if (!(worst <= f->ulps))
		fprintf(stderr, "%s: %.2f units in the last place at %.9g\n", f->name, worst, at);
	CHECK(worst <= f->ulps);
	free(x);
	free(y);
}

static void accuracy(void)
{
	for (size_t i = 0; i < sizeof(functions) / sizeof(*functions); i++)
		check_accuracy(&functions[i]);
}

static um_node *relu(um_node *a)
{
	return um_nn_relu(a);
}

static um_node *leaky(um_node *a)
{
	return um_nn_leaky_relu(a, 0.5);
}

/* At 0, -0, infinity, -infinity, FLT_MAX, -FLT_MAX, 1e-40; and NaN gives NaN. */
static void special_values(void)
{
	static const struct {
		um_node *(*build)(um_node *a);
		float want[7];
	} at[] = {
		{ um_nn_exp, { 1, 1, INFINITY, 0, INFINITY, 0, 1 } },
		{ um_nn_log, { -INFINITY, -INFINITY, INFINITY, NAN, 88.7228394f, NAN, -92.1034088f } },
		{ um_nn_tanh, { 0, 0, 1, -1, 1, -1, 1e-40f } },
		{ um_nn_sigmoid, { 0.5, 0.5, 1, 0, 1, 0, 0.5 } },
		{ um_nn_softplus, { 0.693147182f, 0.693147182f, INFINITY, 0, FLT_MAX, 0, 0.693147182f } },
		{ um_nn_silu, { 0, 0, INFINITY, 0, FLT_MAX, 0, 5e-41f } },
		{ um_nn_sin, { 0, 0, NAN, NAN, -0.521876454f, 0.521876454f, 1e-40f } },
		{ um_nn_cos, { 1, 1, NAN, NAN, 0.853021085f, 0.853021085f, 1 } },
		{ um_nn_sqrt, { 0, 0, INFINITY, NAN, 1.84467429e19f, NAN, 9.99998e-21f } },
		{ relu, { 0, 0, INFINITY, 0, FLT_MAX, 0, 1e-40f } },
		{ leaky, { 0, 0, INFINITY, -INFINITY, FLT_MAX, -0.5f * FLT_MAX, 1e-40f } },
	};
	const float x[16] = { 0, -0.0f, INFINITY, -INFINITY, FLT_MAX, -FLT_MAX, 1e-40f, NAN };
	for (size_t i = 0; i < sizeof(at) / sizeof(*at); i++) {
		float y[16];
		run_f32(at[i].build, 16, x, y);
		for (int k = 0; k < 7; k++) {
			const float want = at[i].want[k];
			const bool good = isnan(want) ? isnan(y[k]) :
				y[k] == want || fabsf(y[k] - want) <= 1e-6f * fabsf(want) + 1e-34f;
			if (!good)
				fprintf(stderr, "function %d of %g is %g, not %g\n", (int)i, (double)x[k],
					(double)y[k], (double)want);
			CHECK(good);
		}
		CHECK(isnan(y[7]));
	}
}

/* Rows of any size sum to 1, also where exp of the numbers themselves would overflow; equal numbers
 * get equal shares, and a NaN spoils its row alone. */
static void softmax_rows(void)
{
	enum { ROWS = 4, LEN = 37 };
	um_graph *g = um_graph_new(1);
	um_program *p = NULL;
	um_node *x = um_nn_input(g, "x", 2, (const int64_t[]){ ROWS, LEN }, true), *y = um_nn_softmax(x);
	CHECK_OK(um_compile(1, &y, &(um_compile_options){ .precision = UM_FLOAT32, .threads = 2 }, &p));
	float *in = um_program_input(p, "x").data, *out = um_program_output(p, 0).data;
	for (int i = 0; i < LEN; i++) {
		in[i] = 1000;
		in[LEN + i] = (float)(10 * i - 5000);
		in[2 * LEN + i] = i == 5 ? NAN : 1;
		in[3 * LEN + i] = i == 7 ? 0 : -INFINITY;
	}
	CHECK_OK(um_program_run(p, 0));
	double sum = 0;
	for (int i = 0; i < LEN; i++) {
		CHECK_NEAR((double)out[i], 1.0 / LEN, 1e-8);
		sum += (double)out[LEN + i];
		CHECK(isnan(out[2 * LEN + i]));
		CHECK(out[3 * LEN + i] == (i == 7 ? 1 : 0));
	}
	CHECK_NEAR(sum, 1, 1e-6);
	CHECK_NEAR((double)out[2 * LEN - 1], 1 - exp(-10), 1e-6);
	um_program_free(p);
	um_graph_free(g);
}

/* ---- simplifications --------------------------------------------------------------------------- */

static void trivial_nodes(void)
{
	um_graph *g = um_graph_new(2);
	um_node *x = um_nn_input(g, "x", 2, (const int64_t[]){ 3, 5 }, true);
	um_node *zero = um_nn_scalar(g, 0), *one = um_nn_scalar(g, 1);
	um_node *larger = um_nn_constant(g, 3, (const int64_t[]){ 2, 1, 1 }, (const double[]){ 0, 0 });
	CHECK(um_nn_add(x, zero) == x && um_nn_add(zero, x) == x && um_nn_sub(x, zero) == x);
	CHECK(um_nn_mul(x, one) == x && um_nn_mul(one, x) == x && um_nn_div(x, one) == x);
	CHECK(um_nn_scale(x, 1) == x && um_nn_shift(x, 0) == x && um_nn_neg(um_nn_neg(x)) == x);
	CHECK(um_nn_scale(um_nn_scale(x, 3), 0.5) == um_nn_scale(x, 1.5));
	CHECK(um_nn_sub(zero, x) == um_nn_neg(x));
	CHECK(um_nn_tanh(x) == um_nn_tanh(x) && um_nn_tanh(x) != um_nn_exp(x));
	/* a zero that changes the shape is added, and no product of images becomes shared */
	CHECK(um_node_rank(um_nn_add(x, larger)) == 3);
	CHECK(um_node_batched(um_nn_mul(x, zero)));
	CHECK(um_nn_tanh(NULL) == NULL && um_nn_add(x, NULL) == NULL && um_nn_scale(NULL, 2) == NULL);
	CHECK_OK(um_graph_status(g));
	um_graph_free(g);
}

/* ---- dropout ----------------------------------------------------------------------------- */

enum { MASK = 4099 };

/* The masks a and b of one graph, [batch][MASK] each, in double. */
static void masks(int64_t batch, um_schedule schedule, um_precision precision, int threads,
	uint64_t key, double *a, double *b)
{
	um_graph *g = um_graph_new(batch);
	um_program *p = NULL;
	const int64_t len = MASK;
	um_node *out[] = { um_nn_dropout_mask(g, 1, &len, 0.3), um_nn_dropout_mask(g, 1, &len, 0.3) };
	CHECK_OK(um_compile(2, out, &(um_compile_options){ .schedule = schedule, .precision = precision,
		.threads = threads }, &p));
	for (int run = 0; run < 2; run++) /* the second run makes the same masks again */
		CHECK_OK(um_program_run(p, key + 1 - (uint64_t)run));
	for (int k = 0; k < 2; k++) {
		um_array y = um_program_output(p, k);
		for (int64_t i = 0; i < batch * MASK; i++)
			(k == 0 ? a : b)[i] = y.dtype == UM_F32 ? (double)((float *)y.data)[i] :
				((double *)y.data)[i];
	}
	um_program_free(p);
	um_graph_free(g);
}

static double dropped(int64_t n, const double *m)
{
	int64_t zeros = 0;
	for (int64_t i = 0; i < n; i++)
		zeros += m[i] == 0;
	return (double)zeros / (double)n;
}

/* Where both are zero, as a fraction: 0.09 if they are independent. */
static double together(int64_t n, const double *a, const double *b)
{
	int64_t zeros = 0;
	for (int64_t i = 0; i < n; i++)
		zeros += a[i] == 0 && b[i] == 0;
	return (double)zeros / (double)n;
}

static void dropout_masks(void)
{
	enum { BATCH = 5, ALL = BATCH * MASK };
	double *m = calloc(6 * ALL, sizeof(*m)), *a = m, *b = m + ALL, *c = m + 2 * ALL, *d = m + 3 * ALL;
	masks(BATCH, UM_PER_BATCH, UM_FLOAT64, 1, 11, a, b);
	for (int64_t i = 0; i < ALL; i++)
		CHECK(a[i] == 0 || a[i] == 1 / 0.7);
	/* five standard deviations of a binomial fraction */
	const double sd = sqrt(0.3 * 0.7 / ALL), sd2 = sqrt(0.09 * 0.91 / (ALL - MASK));
	CHECK_NEAR(dropped(ALL, a), 0.3, 5 * sd);
	CHECK_NEAR(dropped(ALL, b), 0.3, 5 * sd);
	CHECK_NEAR(together(ALL, a, b), 0.09, 5 * sd2);
	CHECK_NEAR(together(ALL - MASK, a, a + MASK), 0.09, 5 * sd2); /* images */
	CHECK_NEAR(together(ALL - 1, a, a + 1), 0.09, 5 * sd2);       /* neighbours */
	for (int way = 0; way < 8; way++) {
		const bool wide = way & 4;
		masks(BATCH, way & 2 ? UM_PER_IMAGE : UM_PER_BATCH, wide ? UM_FLOAT64 : UM_FLOAT32,
			1 + (way & 1), 11, c, d);
		bool same = true;
		for (int64_t i = 0; i < ALL; i++)
			same = same && fabs(c[i] - a[i]) < 1e-6 && fabs(d[i] - b[i]) < 1e-6;
		CHECK(same);
	}
	masks(2, UM_PER_BATCH, UM_FLOAT64, 1, 11, c, d);
	CHECK(memcmp(c, a, sizeof(*a) * 2 * MASK) == 0);
	masks(BATCH, UM_PER_BATCH, UM_FLOAT64, 1, 12, c, d);
	CHECK_NEAR(together(ALL, a, c), 0.09, 5 * sd2);
	masks(BATCH, UM_PER_BATCH, UM_FLOAT64, 1, 11 + ((uint64_t)1 << 32), c, d);
	CHECK_NEAR(together(ALL, a, c), 0.09, 5 * sd2);
	free(m);
}

/* ---- two programs at once ---------------------------------------------------------------- */

OP_BUILD(b_net, um_nn_softmax(um_nn_matmul(um_nn_silu(um_nn_conv(x[0], x[1], &(um_conv){ 1, 1, 1, 1, 1 })),
	x[2], false, false)))

typedef struct runner {
	const op_net *net;
	um_program *program;
	op_values values;
	int bad;
} runner;

static void *run_often(void *data)
{
	runner *r = data;
	for (int i = 0; i < 40; i++)
		r->bad += um_program_run(r->program, 7) != UM_OK;
	return NULL;
}

static void two_threads(void)
{
	static const op_case c = OP("net", b_net, 3, IMAGE(3, 9, 7, 5), SHARED(4, 3, 3, 5, 6),
		SHARED(2, 6, 11));
	op_net t;
	op_values ref;
	runner r[4];
	pthread_t thread[4];
	op_build(&t, &c);
	op_values_new(&t, &ref);
	um_program *p = op_compile(&t, UM_PER_BATCH, UM_FLOAT64, 1);
	op_run(&t, p, &ref);
	um_program_free(p);
	for (int i = 0; i < 4; i++) {
		r[i] = (runner){ .net = &t, .program = op_compile(&t, i & 1 ? UM_PER_IMAGE : UM_PER_BATCH,
			i & 2 ? UM_FLOAT64 : UM_FLOAT32, 1 + (i & 1)) };
		op_values_new(&t, &r[i].values);
		op_run(&t, r[i].program, &r[i].values);
		for (int k = 0; k < t.nout; k++) { /* so that what is seen below was computed there */
			um_array y = um_program_output(r[i].program, k);
			memset(y.data, 0, (y.dtype == UM_F32 ? 4 : 8) * (size_t)um_array_len(&y));
		}
	}
	for (int i = 0; i < 4; i++)
		CHECK_FATAL(pthread_create(&thread[i], NULL, run_often, &r[i]) == 0);
	for (int i = 0; i < 4; i++)
		pthread_join(thread[i], NULL);
	for (int i = 0; i < 4; i++) {
		CHECK(r[i].bad == 0);
		op_take(&t, r[i].program, &r[i].values);
		for (int k = 0; k < t.nout; k++)
			op_near("net", "result in a thread", ref.len[k], r[i].values.v[k], ref.v[k],
				i & 2 ? 1e-12 : 1e-5, 0.01);
		um_program_free(r[i].program);
		op_values_free(&t, &r[i].values);
	}
	op_values_free(&t, &ref);
	op_net_free(&t);
}

CHECK_MAIN(CHECK_CASE(accuracy), CHECK_CASE(special_values), CHECK_CASE(softmax_rows),
	CHECK_CASE(trivial_nodes), CHECK_CASE(dropout_masks), CHECK_CASE(two_threads))
