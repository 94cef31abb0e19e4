/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The prior realnvp: learns a correlated Gaussian, whose entropy bounds the bits a pixel; draws have
 * its moments; a weight file gives the same density; broken ones are refused. (umbra test has the
 * gradient, repeatability and the resumed fit.) */
#include <umbra/dataset.h>
#include <umbra/linalg.h>
#include "plug.h"

enum { N = 6 };
static const double RHO = 0.8;

/* An autoregression of unit variance about 2; entropy n/2 log 2 pi e + (n - 1)/2 log(1 - rho^2). */
static um_status draw(void *state, um_rng *rng, um_array *x)
{
	(void)state;
	for (int64_t b = 0; b < x->dim[0]; b++) {
		double last = um_normal(&rng[b]);
		for (int64_t i = 0; i < N; i++) {
			um_row_f(x, b)[i] = (float)(2 + last);
			last = RHO * last + sqrt(1 - RHO * RHO) * um_normal(&rng[b]);
		}
	}
	return UM_OK;
}

static double entropy_bits(void)
{
	return (0.5 * N * log(2 * 3.14159265358979 * exp(1)) + 0.5 * (N - 1) * log(1 - RHO * RHO)) / (N * log(2));
}

static void learn(const char *const *set, int64_t rows, int64_t columns, um_memory *m)
{
	plug g;
	um_dataset *data = NULL;
	um_sink sink = um_memory_sink(m);
	um_dataset_source s = { .name = "test", .key = "test", .seed = 3, .threads = 1,
		.shape = { 1, 1, 1, rows, columns }, .draw = draw, .held_out = 2000 };
	CHECK_OK(plug_try(&g, UM_PRIOR, "realnvp", plug_env(1, rows, columns), set));
	CHECK_OK(um_dataset_new(&s, &data));
	CHECK_OK(g.prior.ops.fit(g.prior.self, data, &sink));
	um_dataset_free(data);
	plug_close(&g);
}

static void open_model(const char *path, const um_memory *m, int64_t rows, int64_t columns, plug *g)
{
	char model[256];
	snprintf(model, sizeof(model), "model=%s", path);
	CHECK_OK(um_tensors_write(path, &m->tensors));
	CHECK_OK(plug_try(g, UM_PRIOR, "realnvp", plug_env(1, rows, columns), SET(model)));
}

static void check_draws(plug *g, int64_t rows, int64_t columns)
{
	enum { COUNT = 4000 };
	const int64_t dim[6] = { COUNT, 1, 1, 1, rows, columns };
	um_array x = { 0 };
	um_rng *rng = calloc(COUNT, sizeof(*rng));
	double mean[N] = { 0 }, c[N][N] = { { 0 } }, *lp = calloc(COUNT, sizeof(double)), sum = 0;
	CHECK_OK(um_array_new(&x, UM_F32, 6, dim));
	for (int64_t b = 0; b < COUNT; b++)
		rng[b] = um_rng_new(4, "draws", (uint64_t)b);
	CHECK_OK(g->prior.ops.sample(g->prior.self, rng, &x));
	CHECK_OK(g->prior.ops.logp(g->prior.self, rng, &x, lp, NULL));
	for (int64_t b = 0; b < COUNT; b++) {
		sum -= lp[b] / COUNT;
		for (int i = 0; i < N; i++) {
			mean[i] += um_row_f(&x, b)[i] / COUNT;
			for (int j = 0; j < N; j++)
				c[i][j] += (um_row_f(&x, b)[i] - 2) * (um_row_f(&x, b)[j] - 2) / COUNT;
		}
	}
	for (int i = 0; i < N; i++) {
		CHECK_NEAR(mean[i], 2, 0.1);
		for (int j = 0; j < N; j++)
			CHECK_NEAR(c[i][j], pow(RHO, abs(i - j)), 0.15);
	}
	CHECK_NEAR(sum / (N * log(2)), entropy_bits(), 0.06);
	um_array_free(&x);
	free(rng);
	free(lp);
}

static void learns(void)
{
	static const struct { const char *of; int64_t rows, columns; } cases[] = {
		{ "couplings_of=vectors", 1, 6 }, { "couplings_of=images", 2, 3 } };
	for (int k = 0; k < 2; k++) {
		um_memory m = { 0 };
		plug g;
		char path[64];
		snprintf(path, sizeof(path), "/tmp/umbra-test-realnvp-%d", (int)getpid());
		learn(SET(cases[k].of, "noise=0", "couplings=6", "hidden=16", "steps=700", "check=100", "rate=0.003"),
			cases[k].rows, cases[k].columns, &m);
		const double bits = um_memory_metric(&m, "held_out_bits_per_dim");
		CHECK(bits > entropy_bits() - 0.03 && bits < entropy_bits() + 0.06);
		open_model(path, &m, cases[k].rows, cases[k].columns, &g);
		check_draws(&g, cases[k].rows, cases[k].columns);
		plug_close(&g);
		um_memory_free(&m);
		unlink(path);
	}
}

static void refusals(void)
{
	um_memory m = { 0 };
	plug g;
	char path[64], model[256];
	double lp;
	snprintf(path, sizeof(path), "/tmp/umbra-test-realnvp-%d", (int)getpid());
	snprintf(model, sizeof(model), "model=%s", path);
	const int64_t dim[6] = { 1, 1, 1, 1, 1, 6 };
	um_array x = { 0 };
	um_rng rng = um_rng_new(1, "x", 0);
	CHECK_OK(um_array_new(&x, UM_F32, 6, dim));
	CHECK_OK(plug_try(&g, UM_PRIOR, "realnvp", plug_env(1, 1, 6), NULL));
	CHECK_FAILS(g.prior.ops.logp(g.prior.self, &rng, &x, &lp, NULL), UM_EPARAM, "give a model");
	plug_close(&g);
	learn(SET("couplings=2", "hidden=4", "steps=2"), 1, 6, &m);
	CHECK_OK(um_tensors_write(path, &m.tensors));
	CHECK_FAILS(plug_try(&g, UM_PRIOR, "realnvp", plug_env(1, 1, 8), SET(model)), UM_EDATA, "train another");
	plug_close(&g);
	/* sizes of metadata that the tensors do not have */
	static const char *const sizes[][3] = { { "flow.couplings", "two", "is not an integer" },
		{ "flow.couplings", "4096", "4096 couplings of 3 layers, and the file has" }, { "flow.couplings", "2", NULL },
		{ "flow.depth", "64", "2 couplings of 64 layers, and the file has" }, { "flow.depth", "3", NULL },
		{ "flow.hidden", "65536", "this network needs (3, 65536)" } };
	for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
		um_tensors_note(&m.tensors, sizes[i][0], sizes[i][1]);
		CHECK_OK(um_tensors_write(path, &m.tensors));
		if (sizes[i][2] == NULL)
			CHECK_OK(plug_try(&g, UM_PRIOR, "realnvp", plug_env(1, 1, 6), SET(model)));
		else
			CHECK_FAILS(plug_try(&g, UM_PRIOR, "realnvp", plug_env(1, 1, 6), SET(model)), UM_EDATA, sizes[i][2]);
		plug_close(&g);
	}
	um_tensors other = { 0 };
	CHECK_OK(um_tensors_add(&other, "mean", um_tensors_get(&m.tensors, "mean")));
	CHECK_OK(um_tensors_write(path, &other));
	CHECK_FAILS(plug_try(&g, UM_PRIOR, "realnvp", plug_env(1, 1, 6), SET(model)), UM_EDATA, "no weights of a flow");
	plug_close(&g);
	um_tensors_free(&other);
	um_memory_free(&m);
	um_array_free(&x);
	unlink(path);
}

CHECK_MAIN(CHECK_CASE(learns), CHECK_CASE(refusals))
