/* SPDX-License-Identifier: GPL-3.0-or-later */
/* umbra bench nn: a residual block; the score U-Net of torch_unet.py (32 x 32 pixels, multipliers
 * 1, 2, 2, two blocks a level, attention at 16 x 16): forward, input VJP, second-order gradient,
 * training step; RealNVP of 1024 dimensions: training step and sampling. Medians; every row can be
 * asked for alone, which tests/bench/compare_torch does. Shares are of what this machine does now:
 * of the rate of a product of 1024 x 1024 matrices, and of the rate at which large arrays are
 * added (above 1 where steps find in cache what they read). */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <umbra/flow.h>
#include <umbra/layers.h>
#include <umbra/optim.h>
#include <umbra/program.h>
#include <umbra/unet.h>

#include "base/clock.h"
#include "base/isa.h"
#include "base/parallel.h"
#include "bench.h"

enum { SIZE = 32, LABELS = 1000, FLOW_DIM = 1024, FLOW_DEPTH = 3, MOST_RUNS = 400 };

typedef struct options {
	const char *what;
	int64_t width, batch, couplings; /* 0: those of the table */
	double seconds;                  /* for each row */
	um_precision precision;
	double peak[2];                  /* GFLOP/s of a large product, by float32 and bfloat16 */
	double bandwidth;                /* GB/s of a sum of arrays beyond any cache */
} options;

static const char *const precisions[] = { UM_PRECISIONS };
enum { NPRECISIONS = sizeof(precisions) / sizeof(*precisions) };

typedef struct job job;

/* One kind of row. */
typedef struct kind {
	const char *what;
	int64_t width;             /* unless options say another */
	int64_t batch[3];
	um_schedule schedule;
	bool flow;
	const char *noise;         /* an input drawn anew before each run */
	bool train;
	um_node *(*build)(job *j); /* what is computed: the loss in training */
} kind;

struct job {
	const kind *kind;
	int64_t width, batch, couplings;
	um_graph *g;
	um_weights *w;
	um_program *p;
	um_rng rng;
	um_adam adam;
	float *grad;               /* as the data of w */
};

/* ---- what is computed ------------------------------------------------------------ */

static um_node *image(job *j, const char *name)
{
	return um_nn_input(j->g, name, 3, (int64_t[]){ SIZE, SIZE, 1 }, true);
}

static um_node *score(job *j, um_node *x)
{
	const um_unet_spec spec = { .rows = SIZE, .columns = SIZE, .channels = 1, .width = j->width,
		.levels = 3, .multiplier = { 1, 2, 2 }, .blocks = 2, .attention = { false, true, false } };
	return um_unet(&spec, "score.", j->kind->train, x, um_nn_input(j->g, "t", 0, NULL, true));
}

static um_node *block(job *j)
{
	const int64_t te = 4 * j->width;
	um_node *x = um_nn_input(j->g, "x", 3, (int64_t[]){ SIZE, SIZE, j->width }, true);
	return um_layer_residual(x, um_nn_input(j->g, "t", 1, &te, true), "block",
		&(um_residual){ .channels = j->width });
}

static um_node *forward(job *j)
{
	return score(j, image(j, "x"));
}

static um_node *gradient(int n, um_node *const y[], um_node *const v[], um_node *x)
{
	um_node *dx = NULL;
	return x != NULL && um_grad(n, y, v, 1, &x, &dx) == UM_OK ? dx : NULL;
}

/* y(x)^T J. */
static um_node *vjp(job *j)
{
	um_node *x = image(j, "x");
	um_node *y = score(j, x);
	um_node *v = um_nn_detach(y);
	return gradient(1, &y, &v, x);
}

/* The gradient of e^T J e + |y|^2 / 2, a step of the adjoint of exact log-probabilities. */
static um_node *second(job *j)
{
	um_node *x = image(j, "x");
	um_node *e = image(j, "e");
	um_node *y = score(j, x);
	um_node *ej = gradient(1, &y, &e, x);
	um_node *sums[] = { um_nn_mul(ej, e), um_nn_scale(um_nn_square(y), 0.5) };
	return gradient(2, sums, NULL, x);
}

static um_node *denoising(job *j)
{
	um_node *n = image(j, "n");
	um_node *y = score(j, um_nn_add(image(j, "x"), n));
	return um_nn_batch_mean(um_nn_mean(um_nn_square(um_nn_add(y, n)), UM_NN_ALL));
}

static um_flow_nodes flow(job *j)
{
	um_flow_spec spec = { .rows = 1, .columns = FLOW_DIM, .channels = 1, .couplings = j->couplings,
		.hidden = j->width, .depth = FLOW_DEPTH };
	um_node *z = um_nn_input(j->g, "x", 1, (int64_t[]){ FLOW_DIM }, true);
	if (um_flow_check(&spec) != UM_OK)
		return (um_flow_nodes){ .out = um_graph_fail(j->g, "%s", um_message()) };
	return um_flow_sample(j->g, &spec, "flow", true, z, NULL);
}

static um_node *flow_sample(job *j)
{
	return flow(j).out;
}

static um_node *flow_loss(job *j)
{
	um_flow_nodes f = flow(j);
	um_node *half = um_nn_scale(um_nn_sum(um_nn_square(f.out), UM_NN_ALL), 0.5);
	return um_nn_batch_mean(um_nn_sub(half, f.logdet));
}

static const kind kinds[] = {
	{ "block", 32, { 1, 16, 64 }, UM_PER_IMAGE, .build = block },
	{ "forward", 32, { 1, 16, 64 }, UM_PER_IMAGE, .build = forward },
	{ "vjp", 32, { 1, 16, 64 }, UM_PER_IMAGE, .build = vjp },
	{ "second", 32, { 1, 16, 64 }, UM_PER_IMAGE, .noise = "e", .build = second },
	{ "train", 32, { 1, 16, 64 }, UM_PER_IMAGE, .noise = "n", .train = true, .build = denoising },
	{ "flow_train", 128, { 64 }, UM_PER_BATCH, .flow = true, .train = true, .build = flow_loss },
	{ "flow_sample", 128, { 128 }, UM_PER_BATCH, .flow = true, .build = flow_sample },
};
#define KINDS (sizeof(kinds) / sizeof(*kinds))

/* ---- running it -------------------------------------------------------------------- */

static void put(um_array *a, int64_t i, double v)
{
	if (a->dtype == UM_F64)
		((double *)a->data)[i] = v;
	else
		((float *)a->data)[i] = (float)v;
}

/* "t" uniform to LABELS, "e" of signs, others normal. */
static void draw(job *j, const char *name)
{
	um_array a = um_program_input(j->p, name);
	const int64_t n = a.data != NULL ? um_array_len(&a) : 0;
	for (int64_t i = 0; i < n; i++)
		put(&a, i, *name == 't' ? LABELS * um_uniform(&j->rng) :
			*name == 'e' ? um_rademacher(&j->rng) : um_normal(&j->rng));
}

/* Off the initial law, where some layers are zero. */
static um_status weights(job *j)
{
	um_status st = um_weights_new(j->g, &j->rng, &j->w);
	if (st != UM_OK)
		return st;
	for (int k = 0; k < j->w->n; k++)
		for (int64_t i = 0; i < um_array_len(&j->w->array[k]); i++)
			((float *)j->w->array[k].data)[i] += (float)(0.02 * um_normal(&j->rng));
	um_weights_touch(j->w);
	return UM_OK;
}

/* The loss and the gradient of all weights, each where its weight is in grad. */
static um_status compile_training(job *j, um_node *loss, const um_compile_options *o)
{
	um_status st = UM_OK;
	um_node **out = calloc((size_t)j->w->n + 1, sizeof(*out));
	j->grad = aligned_alloc(64, (size_t)(j->w->len + 15) / 16 * 64);
	if (out == NULL || j->grad == NULL)
		UM_TRY(um_fail(UM_ENOMEM, "no memory for the bench"));
	memset(j->grad, 0, (size_t)j->w->len * sizeof(float));
	out[0] = loss;
	UM_TRY(um_weights_grad(j->w, loss, out + 1));
	UM_TRY(um_compile(j->w->n + 1, out, o, &j->p));
	for (int k = 0; k < j->w->n; k++)
		um_program_output_to(j->p, k + 1, j->grad + ((float *)j->w->array[k].data - j->w->data));
	UM_TRY(um_adam_new_f(&j->adam, j->w->len, 2e-4));
out:
	free(out);
	return st;
}

static um_status job_new(job *j, um_precision precision)
{
	um_status st = UM_OK;
	um_compile_options o = { .schedule = j->kind->schedule, .precision = precision };
	j->rng = um_rng_new(1, "bench", 0);
	j->g = um_graph_new(j->batch);
	um_node *out = j->kind->build(j);
	UM_TRY(um_graph_status(j->g));
	UM_TRY(weights(j));
	o.weights = j->w;
	UM_TRY(j->kind->train ? compile_training(j, out, &o) : um_compile(1, &out, &o, &j->p));
	draw(j, "x");
	if (!j->kind->flow)
		draw(j, "t");
out:
	return st;
}

static void job_free(job *j)
{
	um_program_free(j->p);
	um_weights_free(j->w);
	um_graph_free(j->g);
	um_adam_free(&j->adam);
	free(j->grad);
}

static um_status once(job *j, uint64_t key)
{
	if (j->kind->noise != NULL)
		draw(j, j->kind->noise);
	um_status st = um_program_run(j->p, key);
	if (st != UM_OK || !j->kind->train)
		return st;
	um_adam_step_f(&j->adam, j->w->data, j->grad);
	um_weights_touch(j->w);
	return UM_OK;
}

static int compare(const void *a, const void *b)
{
	const double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

/* Median seconds of runs, at least 3 after a first one that does not count. */
static um_status time_of(job *j, double seconds, double *median)
{
	double t[MOST_RUNS];
	int n = 0;
	um_status st = UM_OK;
	UM_TRY(once(j, 0));
	for (double start = um_clock(); n < 3 || (n < MOST_RUNS && um_clock() - start < seconds); n++) {
		double begin = um_clock();
		UM_TRY(once(j, (uint64_t)n + 1));
		t[n] = um_clock() - begin;
	}
	qsort(t, (size_t)n, sizeof(*t), compare);
	*median = t[n / 2];
out:
	return st;
}

/* ---- what the machine can do --------------------------------------------------------- */

static um_node *square(job *j)
{
	const int64_t n[2] = { 1024, 1024 };
	um_node *w = um_nn_weight(j->g, "w", 2, n, (um_init){ UM_INIT_NORMAL, 1 });
	return um_nn_matmul(um_nn_input(j->g, "x", 2, n, true), w, false, false);
}

/* GFLOP/s of a large product. */
static um_status product_rate(um_precision precision, double *rate)
{
	static const kind product = { "product", 0, { 1 }, UM_PER_BATCH, .flow = true, .build = square };
	job j = { .kind = &product, .batch = 1 };
	double seconds = 0;
	um_status st = UM_OK;
	UM_TRY(job_new(&j, precision));
	UM_TRY(time_of(&j, 0.2, &seconds));
	*rate = 1e-9 * um_program_about(j.p).flops / seconds;
out:
	job_free(&j);
	return st;
}

/* GB/s of a = b + c, 96 MB each. */
static double add_rate(void)
{
	enum { N = 24 << 20, TIMES = 4 };
	double best = 0;
	const int lanes = THREADS();
	float *a = calloc(3 * (size_t)N, sizeof(*a)), *b = a + N, *c = b + N;
	(void)lanes;
	for (int k = 0; a != NULL && k < TIMES; k++) {
		const double begin = um_clock();
		PARALLEL
		for (int i = 0; i < N; i++)
			a[i] = b[i] + c[i];
		const double rate = 3e-9 * N * sizeof(*a) / (um_clock() - begin);
		best = k > 0 && rate > best ? rate : best; /* the first touches the memory */
	}
	free(a);
	return best;
}

static um_status measure_machine(options *o)
{
	um_status st = UM_OK;
	UM_TRY(product_rate(UM_FLOAT32, &o->peak[0]));
	UM_TRY(product_rate(UM_BFLOAT16, &o->peak[1]));
	o->bandwidth = add_rate();
out:
	return st;
}

static um_status row(const kind *k, const options *o, int64_t batch, json_t *rows)
{
	job j = { .kind = k, .width = o->width ? o->width : k->width, .batch = batch,
		.couplings = o->couplings ? o->couplings : 16 };
	double seconds = 0;
	um_status st = UM_OK;
	UM_TRY(job_new(&j, o->precision));
	UM_TRY(time_of(&j, o->seconds, &seconds));
	um_program_info info = um_program_about(j.p);
	const double gflops = 1e-9 * info.flops / seconds, gbytes = 1e-9 * info.bytes / seconds;
	const bool half = info.precision == UM_BFLOAT16 || info.precision == UM_BFLOAT16X3;
	json_array_append_new(rows, json_pack("{s:s, s:I, s:I, s:s, s:f, s:f, s:o, s:f, s:I, s:o, s:f, s:f, s:s, s:s}",
		"what", k->what, "width", (json_int_t)j.width, "batch", (json_int_t)batch,
		"precision", precisions[info.precision], "seconds", seconds,
		"gflops", gflops, "of_peak",
		info.precision == UM_FLOAT64 ? json_null() : json_real(gflops / o->peak[half]),
		"of_bandwidth", gbytes / o->bandwidth, "arena_bytes", (json_int_t)info.arena_bytes,
		"couplings", k->flow ? json_integer(j.couplings) : json_null(),
		"peak_gflops", o->peak[half], "gb_a_second", o->bandwidth,
		"isa", um_isa_name(um_isa_now()), "kernel", info.kernel));
	const char *profile = um_program_profile(j.p);
	if (*profile != '\0')
		fprintf(stderr, "%s, width %lld, batch %lld:\n%s\n", k->what, (long long)j.width,
			(long long)batch, profile);
out:
	job_free(&j);
	return st;
}

/* ---- the command line ---------------------------------------------------------------- */

static um_status usage(const char *word)
{
	return um_fail(UM_EPARAM, "%s: options of umbra bench nn: --what block|forward|vjp|second|train|"
		"flow_train|flow_sample --width N --batch N --couplings N --seconds S --precision float32|float64|"
		"bfloat16|bfloat16x3|auto",
		word);
}

static bool number(const char *text, int64_t *n)
{
	char *end;
	long long v = strtoll(text, &end, 10);
	*n = v;
	return *end == '\0' && v >= 1 && v <= 65536;
}

static bool is_kind(const char *what)
{
	for (size_t i = 0; i < KINDS; i++)
		if (strcmp(kinds[i].what, what) == 0)
			return true;
	return false;
}

static bool set(options *o, const char *key, const char *value)
{
	char *end;
	if (strcmp(key, "--what") == 0)
		return is_kind(o->what = value);
	if (strcmp(key, "--width") == 0)
		return number(value, &o->width);
	if (strcmp(key, "--batch") == 0)
		return number(value, &o->batch);
	if (strcmp(key, "--couplings") == 0)
		return number(value, &o->couplings);
	if (strcmp(key, "--seconds") == 0)
		return (o->seconds = strtod(value, &end)) >= 0 && *end == '\0' && end != value;
	if (strcmp(key, "--precision") != 0)
		return false;
	for (int i = 0; i < NPRECISIONS; i++)
		if (strcmp(value, precisions[i]) == 0) {
			o->precision = (um_precision)i;
			return true;
		}
	return false;
}

um_status um_bench_nn(json_t *rows, int argc, char *argv[])
{
	um_status st = UM_OK;
	options o = { .seconds = 1 };
	for (int i = 0; i < argc; i += 2)
		if (i + 1 == argc || !set(&o, argv[i], argv[i + 1]))
			return usage(argv[i]);
	UM_TRY(measure_machine(&o));
	for (size_t i = 0; i < KINDS; i++) {
		if (o.what != NULL && strcmp(o.what, kinds[i].what) != 0)
			continue;
		for (int b = 0; b < 3; b++)
			if (o.batch != 0 ? b == 0 : kinds[i].batch[b] != 0)
				UM_TRY(row(&kinds[i], &o, o.batch ? o.batch : kinds[i].batch[b], rows));
	}
out:
	return st;
}
