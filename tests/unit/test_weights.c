/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <sys/resource.h>
#include <umbra/host.h>
#include <umbra/linalg.h>
#include <umbra/optim.h>
#include <umbra/program.h>
#include <umbra/weights.h>
#include "check.h"

static const int64_t kernel[] = { 3, 3, 16, 48 }, dense[] = { 300, 100 }, vector[] = { 7 };

/* Five weights, in this order or the other. */
static um_graph *net(bool backwards)
{
	um_graph *g = um_graph_new(4);
	for (int k = 0; k < 5; k++)
		switch (backwards ? 4 - k : k) {
		case 0: um_nn_weight(g, "conv.w", 4, kernel, (um_init){ UM_INIT_FAN, 1 }); break;
		case 1: um_nn_weight(g, "dense.w", 2, dense, (um_init){ UM_INIT_NORMAL, 0.1 }); break;
		case 2: um_nn_weight(g, "dense.b", 1, vector, (um_init){ UM_INIT_CONSTANT, 0.25 }); break;
		case 3: um_nn_weight(g, "gain", 0, NULL, (um_init){ UM_INIT_CONSTANT, 1 }); break;
		case 4: um_nn_weight(g, "last.w", 2, dense, (um_init){ UM_INIT_FAN, 0 }); break;
		}
	return g;
}

static um_weights *fresh(uint64_t seed)
{
	um_graph *g = net(false);
	const um_rng base = um_rng_new(seed, "fit", 0);
	um_weights *w = NULL;
	CHECK_OK(um_weights_new(g, &base, &w));
	um_graph_free(g);
	return w;
}

/* ---- the start ---------------------------------------------------------------------- */

static void layout(void)
{
	um_weights *w = fresh(1);
	int64_t at = 0;
	CHECK_FATAL(w->n == 5 && um_weights_find(w, "last.w") == 4 && um_weights_find(w, "w") == -1);
	for (int i = 0; i < w->n; i++) {
		const um_array *a = &w->array[i];
		int64_t n = um_array_len(a), end = (n + 15) / 16 * 16;
		CHECK((float *)a->data == w->data + at && (uintptr_t)a->data % 64 == 0);
		for (; n < end; n++)
			CHECK(w->data[at + n] == 0);
		at += end;
	}
	CHECK(at == w->len);
	CHECK(w->array[0].rank == 4 && w->array[0].dim[3] == 48);
	CHECK(w->array[3].rank == 0 && *(float *)w->array[3].data == 1);
	for (int i = 0; i < 7; i++)
		CHECK(um_row_f(&w->array[2], 0)[i] == 0.25f);
	um_weights_free(w);
	um_graph *g = um_graph_new(1);
	const um_rng base = um_rng_new(1, "fit", 0);
	CHECK_OK(um_weights_new(g, &base, &w));
	CHECK(w->n == 0 && w->len == 0);
	um_weights_average(w, w, 0.5);
	um_weights_free(w);
	um_graph_fail(g, "a mistake");
	CHECK_FAILS(um_weights_new(g, &base, &w), UM_EARG, "a mistake");
	CHECK(w == NULL);
	um_graph_free(g);
}

/* Mean, variance and range of a tensor: five standard errors for n numbers. */
static void law_of(const um_array *a, double variance, double kurtosis, double bound)
{
	const float *x = a->data;
	const int64_t n = um_array_len(a);
	double mean = 0, square = 0, most = 0;
	for (int64_t i = 0; i < n; i++) {
		mean += x[i];
		square += (double)x[i] * x[i];
		most = fmax(most, fabs(x[i]));
	}
	mean /= (double)n;
	CHECK_NEAR(mean, 0, 5 * sqrt(variance / (double)n));
	CHECK_NEAR(square / (double)n / variance, 1, 5 * sqrt((kurtosis - 1) / (double)n));
	CHECK(most <= bound * (1 + 1e-6) && most > 0.99 * fmin(bound, 3.5 * sqrt(variance)));
}

static void laws(void)
{
	um_weights *w = fresh(2);
	double n = 9 * 0.5 * (16 + 48);
	law_of(&w->array[0], 1 / n, 1.8, sqrt(3 / n));
	law_of(&w->array[1], 0.01, 3, INFINITY);
	law_of(&w->array[4], 1e-10 / 200, 1.8, sqrt(3e-10 / 200));
	um_weights_free(w);
}

/* A tensor's numbers go by its name and the seed, not by its place. */
static void order(void)
{
	um_graph *g = net(true);
	const um_rng base = um_rng_new(1, "fit", 0);
	um_weights *back, *w = fresh(1), *other = fresh(2);
	CHECK_OK(um_weights_new(g, &base, &back));
	CHECK(strcmp(back->name[0], "last.w") == 0 && back->len == w->len);
	for (int i = 0; i < 5; i++)
		CHECK(memcmp(w->array[i].data, back->array[4 - i].data,
			sizeof(float) * (size_t)um_array_len(&w->array[i])) == 0);
	CHECK(um_row_f(&w->array[0], 0)[0] != um_row_f(&other->array[0], 0)[0]);
	float ratio = um_row_f(&w->array[0], 0)[0] / um_row_f(&w->array[4], 0)[0];
	CHECK(fabs(ratio - um_row_f(&w->array[0], 0)[1] / um_row_f(&w->array[4], 0)[1]) > 1e-3f);
	um_weights_free(w);
	um_weights_free(back);
	um_weights_free(other);
	um_graph_free(g);
}

static void too_large(void)
{
	um_graph *g = um_graph_new(1);
	const int64_t huge[] = { 1 << 30, 900000 }, impossible[] = { 1 << 30, 1 << 30, 1 << 30 };
	const um_rng base = um_rng_new(1, "fit", 0);
	um_weights *w;
	um_nn_weight(g, "small", 1, vector, (um_init){ UM_INIT_NORMAL, 1 });
	um_nn_weight(g, "large", 2, huge, (um_init){ UM_INIT_NORMAL, 1 });
	um_nn_weight(g, "huge", 2, huge, (um_init){ UM_INIT_NORMAL, 1 });
	CHECK_FAILS(um_weights_new(g, &base, &w), UM_ENOMEM, "weight huge: no memory for shape (1073741824, ");
	CHECK(w == NULL);
	CHECK(um_nn_weight(g, "impossible", 3, impossible, (um_init){ UM_INIT_NORMAL, 1 }) == NULL);
	CHECK_FAILS(um_graph_status(g), UM_EARG, "too large");
	um_graph_free(g);
}

/* ---- gradients ------------------------------------------------------------------------- */

/* The nodes are those of um_grad, in the order of the set whatever the order of the graph. */
static void gradient(void)
{
	um_graph *g = net(true);
	um_weights *w = fresh(1);
	um_node *b = um_nn_weight(g, "dense.b", 1, vector, (um_init){ UM_INIT_CONSTANT, 0.25 });
	um_node *k = um_nn_weight(g, "gain", 0, NULL, (um_init){ UM_INIT_CONSTANT, 1 });
	um_node *loss = um_nn_sum(um_nn_mul(k, um_nn_square(b)), UM_NN_ALL);
	um_node *grad[5], *want[2], *const by[2] = { b, k };
	CHECK_OK(um_weights_grad(w, loss, grad));
	CHECK_OK(um_grad(1, &loss, NULL, 2, by, want));
	CHECK(grad[2] == want[0] && grad[3] == want[1]);
	for (int i = 0; i < 5; i++)
		CHECK(grad[i] != NULL && um_node_len(grad[i]) == um_array_len(&w->array[i]));
	CHECK_FAILS(um_weights_grad(w, b, grad), UM_EARG, "shape (7), not one number");
	CHECK_FAILS(um_weights_grad(w, NULL, grad), UM_EARG, "NULL");
	um_graph *other = um_graph_new(1);
	CHECK_FAILS(um_weights_grad(w, um_nn_scalar(other, 1), grad), UM_EARG, "no weight conv.w");
	um_graph_free(other);
	um_graph_free(g);
	um_weights_free(w);
}

/* ---- moving ------------------------------------------------------------------------------ */

static void copies(void)
{
	um_weights *w = fresh(3), *c = um_weights_copy(w);
	CHECK_FATAL(c != NULL && c->n == w->n && c->len == w->len && c->data != w->data);
	CHECK(memcmp(c->data, w->data, sizeof(float) * (size_t)w->len) == 0);
	CHECK(strcmp(c->name[4], "last.w") == 0 && c->name[4] != w->name[4]);
	CHECK((float *)c->array[4].data - c->data == (float *)w->array[4].data - w->data);
	uint64_t before = c->version;
	um_weights_touch(c);
	CHECK(c->version != before && w->version == before);
	um_weights_free(w);
	CHECK(*(float *)c->array[3].data == 1);
	um_weights_free(c);
	um_weights_free(NULL);
}

/* mean <- rate mean + (1 - rate) w, the same bytes for any number of threads. */
static void averages(void)
{
	um_weights *w = fresh(3), *start = fresh(4), *mean[2];
	for (int t = 0; t < 2; t++) {
		um_threads(t + 1);
		mean[t] = um_weights_copy(start);
		um_weights_average(mean[t], w, 0.9);
		um_weights_average(mean[t], w, 0.99);
	}
	CHECK(mean[0]->version == start->version + 2);
	CHECK(memcmp(mean[0]->data, mean[1]->data, sizeof(float) * (size_t)w->len) == 0);
	double worst = 0;
	for (int64_t i = 0; i < w->len; i++) {
		double once = 0.9 * start->data[i] + 0.1 * w->data[i];
		worst = fmax(worst, fabs(mean[0]->data[i] - (0.99 * once + 0.01 * w->data[i])));
	}
	CHECK_NEAR(worst, 0, 1e-7);
	um_weights_average(mean[0], w, 1);
	CHECK(memcmp(mean[0]->data, mean[1]->data, sizeof(float) * (size_t)w->len) == 0);
	um_weights_average(mean[1], mean[1], 0.5);
	CHECK(memcmp(mean[0]->data, mean[1]->data, sizeof(float) * (size_t)w->len) == 0);
	um_weights_free(w);
	um_weights_free(start);
	um_weights_free(mean[0]);
	um_weights_free(mean[1]);
}

/* An optimiser moves the whole block; what lies between tensors stays zero. */
static void one_vector(void)
{
	um_weights *w = fresh(3), *g = um_weights_copy(w);
	um_adam a;
	double first = 0, last = 0;
	CHECK_OK(um_adam_new_f(&a, w->len, 0.01));
	a.weight_decay = 0.1;
	a.clip = 10;
	for (int k = 0; k < 50; k++) { /* |w|^2 / 2 */
		memcpy(g->data, w->data, sizeof(float) * (size_t)w->len);
		last = um_adam_step_f(&a, w->data, g->data);
		first = k == 0 ? last : first;
	}
	CHECK(last < 0.3 * first);
	const float *gap = (float *)w->array[2].data + 7;
	for (int i = 0; i < 9; i++)
		CHECK(gap[i] == 0);
	um_adam_free(&a);
	um_weights_free(w);
	um_weights_free(g);
}

/* The line through 16 points, found by what training is made of: gradients written into a set of the
 * same layout, moved as one vector. */
static void fitted(void)
{
	enum { N = 16, STEPS = 1500 };
	static const int64_t three[] = { 3 };
	um_graph *g = um_graph_new(N);
	const um_rng base = um_rng_new(9, "fit", 0);
	um_rng r = um_rng_at(&base, 1, 0);
	um_node *x = um_nn_input(g, "x", 1, three, true), *y = um_nn_input(g, "y", 0, NULL, true);
	um_node *w = um_nn_weight(g, "slope", 1, three, (um_init){ UM_INIT_FAN, 1 });
	um_node *b = um_nn_weight(g, "level", 0, NULL, (um_init){ UM_INIT_CONSTANT, 0 });
	um_node *line = um_nn_add(um_nn_reshape(um_nn_sum(um_nn_mul(w, x), UM_NN_ALL), 0, NULL), b);
	um_node *out[3] = { um_nn_batch_mean(um_nn_square(um_nn_sub(line, y))) };
	um_weights *set = NULL, *grad;
	um_program *p = NULL;
	um_adam a;
	CHECK_OK(um_weights_new(g, &base, &set));
	CHECK_OK(um_weights_grad(set, out[0], &out[1]));
	CHECK_OK(um_compile(3, out, &(um_compile_options){ .schedule = UM_PER_BATCH, .weights = set }, &p));
	grad = um_weights_copy(set);
	for (int i = 0; i < 2; i++)
		um_program_output_to(p, i + 1, grad->array[i].data);
	CHECK_OK(um_adam_new_f(&a, set->len, 0.05));
	a.decay = UM_DECAY_COSINE;
	a.span = STEPS;
	float *px = um_program_input(p, "x").data, *py = um_program_input(p, "y").data;
	for (int i = 0; i < N; i++) {
		for (int k = 0; k < 3; k++)
			px[3 * i + k] = (float)um_normal(&r);
		py[i] = 0.5f * px[3 * i] - px[3 * i + 1] + 2 * px[3 * i + 2] + 0.75f;
	}
	for (int k = 0; k < STEPS; k++) {
		CHECK_OK(um_program_run(p, 0));
		um_adam_step_f(&a, set->data, grad->data);
		um_weights_touch(set);
	}
	const float *slope = set->array[0].data, *level = set->array[1].data;
	CHECK_NEAR(slope[0], 0.5, 1e-3);
	CHECK_NEAR(slope[1], -1, 1e-3);
	CHECK_NEAR(slope[2], 2, 1e-3);
	CHECK_NEAR(*level, 0.75, 1e-3);
	CHECK(*(float *)um_program_output(p, 0).data < 1e-6f);
	um_adam_free(&a);
	um_program_free(p);
	um_weights_free(set);
	um_weights_free(grad);
	um_graph_free(g);
}

/* ---- files ---------------------------------------------------------------------------------- */

static void through_a_file(void)
{
	char path[] = "/tmp/umbra-weights-XXXXXX";
	int fd = mkstemp(path);
	um_weights *w = fresh(5), *v = fresh(6);
	um_memory kept = { 0 };
	um_sink sink = um_memory_sink(&kept);
	um_tensors t;
	CHECK_FATAL(fd >= 0 && close(fd) == 0);
	CHECK_OK(um_weights_sink(w, &sink));
	CHECK_OK(um_sink_note(&sink, "couplings", "16"));
	CHECK(kept.tensors.n == 5 && strcmp(um_tensors_meta(&kept.tensors, "couplings"), "16") == 0);
	CHECK_FAILS(um_weights_sink(w, &sink), UM_EARG, "'conv.w'");
	CHECK_OK(um_tensors_write(path, &kept.tensors));
	CHECK_OK(um_tensors_read(path, &t));
	CHECK(strcmp(um_tensors_meta(&t, "couplings"), "16") == 0);
	uint64_t before = v->version;
	CHECK_OK(um_weights_load(v, &t));
	CHECK(v->version != before && memcmp(v->data, w->data, sizeof(float) * (size_t)w->len) == 0);
	CHECK_OK(um_weights_sink(w, NULL)); /* nobody listens */
	CHECK_OK(um_sink_note(NULL, "couplings", "16"));
	um_tensors_free(&t);
	um_memory_free(&kept);
	um_weights_free(w);
	um_weights_free(v);
	unlink(path);
}

/* All tensors of w but the one of this name, which is a instead (or nothing). */
static um_tensors without(const um_weights *w, const char *name, const um_array *a)
{
	um_tensors t = { 0 };
	for (int i = 0; i < w->n; i++) {
		const um_array one = um_array_view(w->array[i].data, UM_F32, 1, (const int64_t[]){ 1 });
		const um_array *is = strcmp(w->name[i], name) == 0 ? a : w->array[i].rank > 0 ? &w->array[i] : &one;
		if (is != NULL)
			CHECK_OK(um_tensors_add(&t, w->name[i], is));
	}
	CHECK_OK(um_tensors_add(&t, "something else", &w->array[0]));
	return t;
}

static void bad_files(void)
{
	um_weights *w = fresh(7), *v = fresh(8), *same = fresh(8);
	float f[7] = { 1, 2, 3, 4, 5, NAN, 7 };
	double d[7] = { 1, 2, 1e300, 4, 5, 6, 7 };
	int64_t k[7] = { 0 };
	const um_array nan = um_array_view(f, UM_F32, 1, vector), wide = um_array_view(d, UM_F64, 1, vector);
	const um_array whole = um_array_view(k, UM_I64, 1, vector);
	const um_array other = um_array_view(f, UM_F32, 2, (const int64_t[]){ 1, 7 });
	const um_array shorter = um_array_view(f, UM_F32, 1, (const int64_t[]){ 5 });
	const struct { const um_array *a; const char *says; } cases[] = {
		{ NULL, "weight dense.b is missing" },
		{ &other, "weight dense.b has shape (1, 7), this network needs (7)" },
		{ &shorter, "weight dense.b has shape (5), this network needs (7)" },
		{ &nan, "weight dense.b: number 6 of 7 is nan" },
		{ &wide, "weight dense.b: number 3 of 7 is 1e+300" },
		{ &whole, "weight dense.b is not of real numbers" },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		um_tensors t = without(w, "dense.b", cases[i].a);
		CHECK_FAILS(um_weights_load(v, &t), UM_EDATA, cases[i].says);
		CHECK(memcmp(v->data, same->data, sizeof(float) * (size_t)v->len) == 0 && v->version == same->version);
		um_tensors_free(&t);
	}
	d[2] = 0.1;
	um_tensors t = without(w, "dense.b", &wide); /* double is fine, and so are others */
	CHECK_OK(um_weights_load(v, &t));
	CHECK(um_row_f(&v->array[2], 0)[2] == 0.1f);
	CHECK(um_row_f(&v->array[4], 0)[9] == um_row_f(&w->array[4], 0)[9]);
	um_tensors_free(&t);
	um_weights_free(w);
	um_weights_free(v);
	um_weights_free(same);
}

static long peak_kb(void)
{
	struct rusage u;
	CHECK(getrusage(RUSAGE_SELF, &u) == 0);
	return u.ru_maxrss;
}

/* A set made from a file; of a file that lacks what a network of half a gigabyte needs, nothing is made. */
static void from_a_file(void)
{
	const int64_t large[] = { 8192, 16384 };
	um_weights *w = fresh(5), *v = NULL;
	um_graph *g = net(true);
	um_tensors t = without(w, "", NULL);
	CHECK_OK(um_weights_read(g, &t, &v));
	for (int i = 0; i < w->n; i++) {
		const int k = um_weights_find(v, w->name[i]);
		CHECK_FATAL(k == w->n - 1 - i);
		CHECK(memcmp(v->array[k].data, w->array[i].data, sizeof(float) * (size_t)um_array_len(&w->array[i])) == 0);
	}
	um_weights_free(v);
	um_nn_weight(g, "something else", 2, large, (um_init){ UM_INIT_CONSTANT, 1 });
	const long before = peak_kb();
	CHECK_FAILS(um_weights_read(g, &t, &v), UM_EDATA, "weight something else has shape (3, 3, 16, 48), this network needs "
		"(8192, 16384)");
	CHECK(v == NULL && peak_kb() - before < 100000);
	um_graph_fail(g, "a mistake");
	CHECK_FAILS(um_weights_read(g, &t, &v), UM_EARG, "a mistake");
	um_tensors_free(&t);
	um_graph_free(g);
	um_weights_free(w);
}

CHECK_MAIN(CHECK_CASE(layout), CHECK_CASE(laws), CHECK_CASE(order), CHECK_CASE(too_large),
	CHECK_CASE(gradient), CHECK_CASE(copies), CHECK_CASE(averages), CHECK_CASE(one_vector),
	CHECK_CASE(fitted), CHECK_CASE(through_a_file), CHECK_CASE(bad_files), CHECK_CASE(from_a_file))
