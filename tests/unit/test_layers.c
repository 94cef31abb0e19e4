/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Layers against closed forms and central differences; a U-Net's shapes, names and mistakes. */
#include <umbra/layers.h>
#include <umbra/unet.h>
#include "nnprogram.h"

/* ---- small tools ------------------------------------------------------------------- */

static void fill(um_program *p, const char *name, const double *v)
{
	um_array a = um_program_input(p, name);
	for (int64_t i = 0; a.data != NULL && i < um_array_len(&a); i++)
		put(&a, i, v[i]);
}

static double dot(const um_array *a, const double *b)
{
	double sum = 0;
	for (int64_t i = 0; i < um_array_len(a); i++)
		sum += at(a, i) * b[i];
	return sum;
}

/* Weights of a graph, moved off their initial values so that nothing hides behind 0 and 1. */
static um_weights *moved(const um_graph *g)
{
	um_weights *w = NULL;
	um_rng r = um_rng_new(3, "layers", 0);
	CHECK_OK(um_weights_new(g, &r, &w));
	for (int k = 0; k < w->n; k++)
		for (int64_t i = 0; i < um_array_len(&w->array[k]); i++)
			((float *)w->array[k].data)[i] += (float)(0.3 * um_normal(&r));
	um_weights_touch(w);
	return w;
}

/* ---- derivatives of every layer ----------------------------------------------------- */

typedef um_node *(*builder)(um_node *x, um_node *t);

static um_node *dense(um_node *x, um_node *t) { (void)t; return um_layer_dense(x, "a", 5, 1); }
static um_node *dense_vector(um_node *x, um_node *t)
{
	x = um_nn_sum(x, 3);
	return um_nn_add(um_layer_dense(um_nn_reshape(x, 1, um_node_dim(x) + 2), "a", 5, 1), t);
}
static um_node *conv(um_node *x, um_node *t) { (void)t; return um_layer_conv(x, "a", 3, 3, 1, 1); }
static um_node *strided(um_node *x, um_node *t) { (void)t; return um_layer_conv(x, "a", 3, 3, 2, 1); }
static um_node *upward(um_node *x, um_node *t) { (void)t; return um_layer_conv_up(x, "a", 3, 1); }
static um_node *group(um_node *x, um_node *t) { (void)t; return um_layer_group_norm(x, "a", 2); }
static um_node *each(um_node *x, um_node *t) { (void)t; return um_layer_norm(x, "a"); }
static um_node *attend(um_node *x, um_node *t) { (void)t; return um_layer_attention(x, "a", 3, 0.5); }
static um_node *nearest(um_node *x, um_node *t) { (void)t; return um_layer_nearest(x, 3); }
static um_node *wider(um_node *x, um_node *t) { (void)t; return um_layer_fir_up(x); }
static um_node *narrower(um_node *x, um_node *t) { (void)t; return um_layer_fir_down(x); }
static um_node *block(um_node *x, um_node *t)
{
	return um_layer_residual(x, um_layer_time(t, 6), "a", &(um_residual){ .channels = 8 });
}
static um_node *same(um_node *x, um_node *t)
{
	return um_layer_residual(x, um_layer_time(t, 6), "a", &(um_residual){ .channels = 6, .groups = 3, .dropout = 0.2, .careful = true });
}

enum { BATCH = 2, ROWS = 5, COLUMNS = 4, CHANNELS = 6, LEN = ROWS * COLUMNS * CHANNELS };

/* Central differences along e: of y against J e and (J^T v) e, of J^T v against its derivative. */
static void derivatives_of(builder build)
{
	const double h = 1e-5;
	const int64_t dim[] = { ROWS, COLUMNS, CHANNELS };
	double x[BATCH * LEN], e[BATCH * LEN], moved_x[BATCH * LEN], t[BATCH] = { 3.7, 0.4 };
	double yp[4096], gp[4096], v[4096];
	um_rng r = um_rng_new(5, "layers", 1);
	um_graph *g = um_graph_new(BATCH);
	um_node *nx = um_nn_input(g, "x", 3, dim, true), *ne = um_nn_input(g, "e", 3, dim, true);
	um_node *y = build(nx, um_nn_input(g, "t", 0, NULL, true));
	CHECK_OK(um_graph_status(g));
	um_node *nv = um_nn_input(g, "v", um_node_rank(y), um_node_dim(y), true);
	um_node *out[4] = { y };
	CHECK_OK(um_grad(1, &y, &nv, 1, &nx, &out[1]));
	CHECK_OK(um_tangent(1, &nx, &ne, 1, &y, &out[2]));
	CHECK_OK(um_tangent(1, &nx, &ne, 1, &out[1], &out[3]));
	um_weights *w = moved(g);
	um_program *p = compile(4, out, UM_FLOAT64, UM_PER_BATCH, w);
	um_array a[4];
	for (int k = 0; k < 4; k++)
		a[k] = um_program_output(p, k);
	const int64_t ny = um_array_len(&a[0]), n = BATCH * LEN;
	CHECK_FATAL(ny <= 4096);
	um_normal_fill(&r, x, n);
	um_normal_fill(&r, e, n);
	um_normal_fill(&r, v, ny);
	fill(p, "t", t);
	fill(p, "v", v);
	fill(p, "e", e);
	for (int s = -1; s <= 1; s += 2) {
		for (int64_t i = 0; i < n; i++)
			moved_x[i] = x[i] + s * h * e[i];
		fill(p, "x", moved_x);
		CHECK_OK(um_program_run(p, 1));
		for (int64_t i = 0; i < ny; i++)
			yp[i] = (s < 0 ? 0 : yp[i]) + s * at(&a[0], i);
		for (int64_t i = 0; i < n; i++)
			gp[i] = (s < 0 ? 0 : gp[i]) + s * at(&a[1], i);
	}
	fill(p, "x", x);
	CHECK_OK(um_program_run(p, 1));
	double jv = 0;
	for (int64_t i = 0; i < ny; i++) {
		CHECK_NEAR(at(&a[2], i), yp[i] / (2 * h), 1e-7);
		jv += at(&a[2], i) * v[i];
	}
	CHECK_NEAR(dot(&a[1], e), jv, 1e-11 * (1 + fabs(jv)));
	for (int64_t i = 0; i < n; i++)
		CHECK_NEAR(at(&a[3], i), gp[i] / (2 * h), 1e-6);
	um_program_free(p);
	um_weights_free(w);
	um_graph_free(g);
}

static void derivatives(void)
{
	static const builder builders[] = { dense, dense_vector, conv, strided, upward, group, each, attend, nearest,
		wider, narrower, block, same };
	for (size_t i = 0; i < sizeof(builders) / sizeof(*builders); i++)
		derivatives_of(builders[i]);
}

/* ---- values --------------------------------------------------------------------------- */

/* y of one image x of any shape, weights at their initial values. */
static void value(um_node *y, um_precision precision, const double *x, double *out)
{
	um_weights *w = NULL;
	um_rng r = um_rng_new(3, "layers", 0);
	CHECK_OK(um_graph_status(um_node_graph(y)));
	CHECK_OK(um_weights_new(um_node_graph(y), &r, &w));
	um_program *p = compile(1, &y, precision, UM_PER_BATCH, w);
	fill(p, "x", x);
	CHECK_OK(um_program_run(p, 0));
	um_array a = um_program_output(p, 0);
	for (int64_t i = 0; i < um_array_len(&a); i++)
		out[i] = at(&a, i);
	um_program_free(p);
	um_weights_free(w);
}

static um_node *image(um_graph *g, int64_t rows, int64_t columns, int64_t channels)
{
	return um_nn_input(g, "x", 3, (int64_t[]){ rows, columns, channels }, true);
}

/* Groups and positions come out with mean 0 and variance 1, also far from zero in float32. */
static void normalised(void)
{
	enum { N = 31, C = 6 };
	double x[N * C], y[N * C];
	um_rng r = um_rng_new(9, "layers", 2);
	um_normal_fill(&r, x, N * C);
	for (int i = 0; i < N * C; i++)
		x[i] = (double)(float)(300 + (1 + i % C / 2) * x[i]);
	um_graph *g = um_graph_new(1);
	um_node *in = um_nn_input(g, "x", 2, (int64_t[]){ N, C }, true);
	value(um_layer_group_norm(in, "a", 3), UM_FLOAT32, x, y);
	for (int k = 0; k < 3; k++) {
		double mean = 0, square = 0;
		for (int i = 0; i < N; i++)
			for (int j = 2 * k; j < 2 * k + 2; j++) {
				mean += y[i * C + j] / (2 * N);
				square += y[i * C + j] * y[i * C + j] / (2 * N);
			}
		CHECK_NEAR(mean, 0, 1e-4); /* of 300 in float32 */
		CHECK_NEAR(square, 1, 2e-6);
	}
	value(um_layer_norm(in, "b"), UM_FLOAT64, x, y);
	for (int i = 0; i < N; i++) {
		double mean = 0, square = 0;
		for (int j = 0; j < C; j++) {
			mean += y[i * C + j] / C;
			square += y[i * C + j] * y[i * C + j] / C;
		}
		CHECK_NEAR(mean, 0, 1e-12);
		CHECK_NEAR(square, 1, 1e-4); /* the 1e-6 beside the variance */
	}
	um_graph_free(g);
}

static void embedding(void)
{
	const double t = 731.25;
	double y[8];
	um_graph *g = um_graph_new(1);
	value(um_layer_time(um_nn_input(g, "x", 0, NULL, true), 8), UM_FLOAT64, &t, y);
	for (int j = 0; j < 4; j++) {
		CHECK_NEAR(y[j], sin(t * pow(10000, -j / 3.0)), 1e-12);
		CHECK_NEAR(y[4 + j], cos(t * pow(10000, -j / 3.0)), 1e-12);
	}
	um_graph_free(g);
}

static void resampled(void)
{
	const double x[] = { 1, 2, 3, 4, 5, 6 }; /* 2 rows, 3 columns */
	double y[54], flat[64];
	um_graph *g = um_graph_new(1);
	um_node *in = image(g, 2, 3, 1);
	value(um_layer_nearest(in, 3), UM_FLOAT64, x, y);
	for (int i = 0; i < 54; i++)
		CHECK(y[i] == x[i / 9 / 3 * 3 + i % 9 / 3]);
	value(um_layer_fir_up(in), UM_FLOAT64, x, y); /* linear interpolation at quarters */
	CHECK_NEAR(y[1 * 6 + 1], 0.75 * (0.75 * 1 + 0.25 * 2) + 0.25 * (0.75 * 4 + 0.25 * 5), 1e-12);
	CHECK_NEAR(y[2 * 6 + 4], 0.75 * (0.75 * 6 + 0.25 * 5) + 0.25 * (0.75 * 3 + 0.25 * 2), 1e-12);
	CHECK_NEAR(y[0], 0.75 * 0.75 * 1, 1e-12); /* zeros outside */
	um_graph_free(g);
	g = um_graph_new(1);
	for (int i = 0; i < 64; i++)
		flat[i] = i / 8;
	value(um_layer_fir_down(image(g, 8, 8, 1)), UM_FLOAT64, flat, y);
	for (int i = 1; i < 3; i++) /* halfway between rows 2i and 2i + 1, rows with zeros left out */
		for (int j = 1; j < 3; j++)
			CHECK_NEAR(y[4 * i + j], 2 * i + 0.5, 1e-12);
	um_graph_free(g);
}

/* Doubling pixels and convolving them, in one step and in two; the weights are the same. */
static void doubled(void)
{
	double x[LEN], y[2][4 * ROWS * COLUMNS * 7];
	um_rng r = um_rng_new(9, "layers", 3);
	um_normal_fill(&r, x, LEN);
	um_graph *g = um_graph_new(1);
	um_node *in = image(g, ROWS, COLUMNS, CHANNELS);
	value(um_layer_conv(um_layer_nearest(in, 2), "a", 7, 3, 1, 1), UM_FLOAT64, x, y[0]);
	value(um_layer_conv_up(in, "a", 7, 1), UM_FLOAT64, x, y[1]);
	for (int i = 0; i < 4 * ROWS * COLUMNS * 7; i++)
		CHECK_NEAR(y[1][i], y[0][i], 1e-13);
	um_graph_free(g);
}

static void dropped(void)
{
	enum { N = 20000 };
	static double x[N], y[N];
	const int64_t n = N;
	double sum = 0;
	um_graph *g = um_graph_new(1);
	um_node *in = um_nn_input(g, "x", 1, &n, true);
	CHECK(um_layer_dropout(in, 0) == in);
	for (int i = 0; i < N; i++)
		x[i] = 1;
	value(um_layer_dropout(in, 0.2), UM_FLOAT64, x, y);
	for (int i = 0; i < N; i++) {
		CHECK(y[i] == 0 || fabs(y[i] - 1.25) < 1e-12);
		sum += y[i] / N;
	}
	CHECK_NEAR(sum, 1, 0.02);
	um_graph_free(g);
}

/* Blocks begin as the identity over sqrt 2: their last layer is almost zero. */
static void beginning(void)
{
	double x[LEN], y[LEN];
	um_rng r = um_rng_new(9, "layers", 4);
	um_normal_fill(&r, x, LEN);
	um_graph *g = um_graph_new(1);
	um_node *in = image(g, ROWS, COLUMNS, CHANNELS);
	um_node *h = um_layer_residual(in, um_layer_time(um_nn_scalar(g, 12), 8), "a", &(um_residual){ .channels = CHANNELS });
	value(um_layer_attention(h, "b", 3, sqrt(0.5)), UM_FLOAT64, x, y);
	for (int i = 0; i < LEN; i++)
		CHECK_NEAR(y[i], 0.5 * x[i], 1e-3);
	um_graph_free(g);
}

/* ---- mistakes ------------------------------------------------------------------------ */

static const um_unet_spec small = { .rows = 8, .columns = 12, .channels = 2, .width = 8, .levels = 2,
	.multiplier = { 1, 2 }, .blocks = 1, .attention = { false, true } };

static void mistakes(void)
{
	um_graph *g = um_graph_new(1);
	CHECK(um_layer_group_norm(image(g, 4, 4, 6), "n", 4) == NULL);
	CHECK_FAILS(um_graph_status(g), UM_EARG, "normalisation n: 6 channels cannot be split into 4 groups");
	um_graph_free(g);
	g = um_graph_new(1);
	CHECK(um_layer_conv(image(g, 4, 4, 6), "c", 3, 4, 1, 1) == NULL);
	CHECK_FAILS(um_graph_status(g), UM_EARG, "kernel must be odd");
	um_graph_free(g);
	g = um_graph_new(1);
	CHECK(um_unet(&small, "", false, image(g, 8, 8, 2), um_nn_scalar(g, 1)) == NULL);
	CHECK_FAILS(um_graph_status(g), UM_EARG, "not 8 x 12 x 2");
	um_graph_free(g);
	static const struct { um_unet_spec spec; const char *text; } cases[] = {
		{ { .rows = 6, .columns = 12, .channels = 1, .width = 8, .levels = 3, .multiplier = { 1, 1, 1 },
			.blocks = 1 }, "multiples of 4, not 6 x 12" },
		{ { .rows = 8, .columns = 8, .channels = 1, .width = 7, .levels = 1, .multiplier = { 1 },
			.blocks = 1 }, "width: 7" },
		{ { .rows = 8, .columns = 8, .channels = 1, .width = 8, .levels = 1, .blocks = 1 }, "number 1 is 0" },
		{ { .rows = 8, .columns = 8, .channels = 1, .width = 8, .levels = 9, .blocks = 1 }, "1 to 8 levels" },
		{ { .rows = 8, .columns = 8, .channels = 1, .width = 8, .levels = 1, .multiplier = { 1 } }, "blocks: 0" },
		{ { .rows = 8, .columns = 8, .width = 8, .levels = 1 }, "8 x 8 x 0" },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		CHECK_FAILS(um_unet_check(&cases[i].spec), UM_EPARAM, cases[i].text);
}

/* Not square, two channels, a prefix: the shape stays, and t matters. */
static void shapes(void)
{
	double x[8 * 12 * 2], y[2][8 * 12 * 2], difference = 0;
	um_rng r = um_rng_new(9, "layers", 5);
	um_normal_fill(&r, x, 192);
	um_graph *g = um_graph_new(1);
	for (int k = 0; k < 2; k++) {
		um_node *out = um_unet(&small, "score.", false, image(g, 8, 12, 2), um_nn_scalar(g, 1 + 500 * k));
		um_weights *w = moved(g);
		CHECK(um_weights_find(w, "score.up.0.res.skip.w") >= 0 && um_weights_find(w, "score.out.conv.b") >= 0);
		um_program *p = compile(1, &out, UM_FLOAT32, UM_PER_IMAGE, w);
		fill(p, "x", x);
		CHECK_OK(um_program_run(p, 0));
		um_array a = um_program_output(p, 0);
		CHECK_FATAL(um_array_len(&a) == 192);
		for (int i = 0; i < 192; i++)
			y[k][i] = at(&a, i);
		um_program_free(p);
		um_weights_free(w);
	}
	for (int i = 0; i < 192; i++)
		difference += fabs(y[0][i] - y[1][i]) / 192;
	CHECK(difference > 1e-4);
	um_graph_free(g);
}

CHECK_MAIN(CHECK_CASE(derivatives), CHECK_CASE(normalised), CHECK_CASE(embedding), CHECK_CASE(resampled),
	CHECK_CASE(doubled), CHECK_CASE(dropped), CHECK_CASE(beginning), CHECK_CASE(mistakes), CHECK_CASE(shapes))
