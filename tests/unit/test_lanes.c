/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Programs of the per-batch schedule whose threads take shares of the batch, against one thread: sums
 * over the batch, late inputs, runs again, and graphs in which images depend on each other. */
#include <umbra/flow.h>
#include <umbra/program.h>
#include "check.h"

enum { MOST = 64, ROWS = 14, COLUMNS = 16, N = 2 * ROWS * COLUMNS };

typedef struct net {
	um_graph *g;
	um_weights *w;
	int n;
	um_node *out[MOST];
} net;

typedef void (*builder)(net *t);

static um_node *loss_of(um_node *x, um_node *logdet)
{
	return um_nn_batch_mean(um_nn_sub(um_nn_scale(um_nn_sum(um_nn_square(x), UM_NN_ALL), 0.5), logdet));
}

static um_flow_nodes flow(net *t, bool batchnorm, bool images)
{
	const int64_t n = N;
	um_flow_spec spec = { .rows = ROWS, .columns = COLUMNS, .channels = 2, .couplings = 3, .depth = 3,
		.hidden = images ? 4 : 16, .batchnorm = batchnorm, .convolutional = images };
	um_rng r = um_rng_new(2, "lanes", 0);
	CHECK_OK(um_flow_check(&spec));
	const um_flow_nodes f = um_flow_sample(t->g, &spec, "f", true, um_nn_input(t->g, "x", 1, &n, true), NULL);
	CHECK_OK(um_graph_status(t->g));
	CHECK_OK(um_weights_new(t->g, &r, &t->w));
	for (int64_t i = 0; i < t->w->len; i++)
		t->w->data[i] += (float)(0.05 * um_normal(&r));
	return f;
}

static void training_of(net *t, bool batchnorm, bool images)
{
	const um_flow_nodes f = flow(t, batchnorm, images);
	t->out[0] = loss_of(f.out, f.logdet);
	t->out[1] = f.out;
	CHECK_FATAL(t->w->n + 2 <= MOST);
	CHECK_OK(um_weights_grad(t->w, t->out[0], t->out + 2));
	t->n = t->w->n + 2;
}

static void vectors(net *t)
{
	training_of(t, false, false);
}

/* Statistics of the batch in every layer: no shares. */
static void statistics(net *t)
{
	training_of(t, true, false);
}

static void convolutions(net *t)
{
	training_of(t, false, true);
}

/* What early outputs give comes back as late inputs, one of each image and one that all share; sums
 * of both parts meet. */
static void late_gradient(net *t)
{
	const int64_t n = N;
	const um_flow_nodes f = flow(t, false, false);
	um_node *v = um_nn_late_input(t->g, "v", 1, &n, true), *e = um_nn_late_input(t->g, "e", 1, &n, false);
	um_node *mean = um_nn_batch_mean(f.out); /* early, used in the late part */
	um_node *target = um_nn_add(um_nn_mul(mean, um_nn_exp(e)), um_nn_batch_mean(um_nn_mul(v, v)));
	t->out[0] = um_nn_sum(um_nn_mul(f.out, um_nn_mul(v, um_nn_exp(e))), UM_NN_ALL);
	t->out[1] = f.out;
	t->out[2] = um_nn_square(mean);
	t->out[3] = target;
	CHECK_OK(um_weights_grad(t->w, t->out[0], t->out + 4));
	t->n = t->w->n + 4;
}

/* Masks belong to images, not to lanes. */
static void dropout(net *t)
{
	const int64_t n = N, square[2] = { N, N };
	um_rng r = um_rng_new(2, "lanes", 0);
	um_node *x = um_nn_reshape(um_nn_input(t->g, "x", 1, &n, true), 2, (int64_t[]){ 1, N });
	um_node *w = um_nn_weight(t->g, "w", 2, square, (um_init){ UM_INIT_NORMAL, 0.04 });
	um_node *h = um_nn_mul(x, um_nn_dropout_mask(t->g, 2, um_node_dim(x), 0.3));
	t->out[0] = h;
	t->out[1] = um_nn_matmul(h, w, false, false);
	t->out[2] = um_nn_batch_sum(t->out[1]);
	CHECK_OK(um_weights_new(t->g, &r, &t->w));
	t->n = 3;
}

static double get(const um_array *a, int64_t i)
{
	return a->dtype == UM_F64 ? ((const double *)a->data)[i] : (double)((const float *)a->data)[i];
}

static void put(const um_array *a, int64_t i, double v)
{
	if (a->dtype == UM_F64)
		((double *)a->data)[i] = v;
	else
		((float *)a->data)[i] = (float)v;
}

/* Two runs with inputs of their own; late ones are made of output 1, as it is then. */
static void run(um_program *p, int turn)
{
	um_array x = um_program_input(p, "x"), v = um_program_input(p, "v"), e = um_program_input(p, "e");
	const um_array y = um_program_output(p, 1);
	um_rng r = um_rng_new(7, "x", (uint64_t)turn);
	for (int64_t i = 0; i < um_array_len(&x); i++)
		put(&x, i, um_normal(&r));
	if (v.data != NULL) {
		CHECK_OK(um_program_run_early(p, 5));
		for (int64_t i = 0; i < um_array_len(&v); i++)
			put(&v, i, sin(get(&y, i)));
		for (int64_t i = 0; i < N; i++)
			put(&e, i, 0.1 * sin((double)i));
	}
	CHECK_OK(um_program_run(p, 5));
}

/* |a - b| / |b| of all outputs, at most tol. */
static void same(um_program *p, um_program *q, int n, double tol)
{
	for (int k = 0; k < n; k++) {
		const um_array a = um_program_output(p, k), b = um_program_output(q, k);
		double d = 0, all = 0;
		for (int64_t i = 0; i < um_array_len(&b); i++) {
			d += pow(get(&a, i) - get(&b, i), 2);
			all += pow(get(&b, i), 2);
		}
		if (!(d <= tol * tol * all))
			fprintf(stderr, "output %d: %g\n", k, sqrt(d / all));
		CHECK(d <= tol * tol * all && isfinite(all));
	}
}

static void compare(builder build, int64_t batch, um_precision precision)
{
	net t = { .g = um_graph_new(batch) };
	build(&t);
	CHECK_OK(um_graph_status(t.g));
	for (int threads = 2; threads <= 3; threads++) {
		um_program *one = NULL, *many = NULL, *again = NULL;
		um_compile_options how = { UM_PER_BATCH, precision, 1, t.w };
		CHECK_OK(um_compile(t.n, t.out, &how, &one));
		how.threads = threads;
		CHECK_OK(um_compile(t.n, t.out, &how, &many));
		CHECK_OK(um_compile(t.n, t.out, &how, &again));
		for (int turn = 0; turn < 2; turn++) {
			run(one, turn);
			run(many, turn);
			same(many, one, t.n, precision == UM_FLOAT64 ? 1e-13 : 1e-5);
		}
		run(again, 1);
		same(many, again, t.n, 0);
		const um_program_info info = um_program_about(many);
		CHECK((double)info.arena_bytes <= 1.3 * (double)info.live_bytes);
		um_program_free(one);
		um_program_free(many);
		um_program_free(again);
	}
	um_weights_free(t.w);
	um_graph_free(t.g);
}

static void shares(void)
{
	static const builder builders[] = { vectors, statistics, convolutions, late_gradient, dropout };
	for (size_t i = 0; i < sizeof(builders) / sizeof(*builders); i++)
		for (int64_t batch = 48; batch <= 64; batch += 16) { /* threads share 48 evenly, and 64 if two */
			compare(builders[i], batch, UM_FLOAT64);
			compare(builders[i], batch, UM_FLOAT32);
		}
}

CHECK_MAIN(CHECK_CASE(shares))
