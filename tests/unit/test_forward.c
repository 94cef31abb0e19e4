/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "plug.h"

static void random_images(um_array *x, uint64_t index)
{
	um_rng r = um_rng_new(11, "forward", index);
	for (int64_t i = 0; i < um_array_len(x); i++)
		((float *)x->data)[i] = (float)um_normal(&r);
}

static um_array rows(int64_t count, int64_t n)
{
	um_array a = { 0 };
	CHECK_OK(um_array_new(&a, UM_F64, 2, (const int64_t[]){ count, n }));
	return a;
}

/* The block of the Fourier transform as a plain sum over pixels. */
static void lowfreq_sum(void)
{
	plug f;
	CHECK_OK(plug_try(&f, UM_FORWARD, "lowfreq", plug_env(2, 6, 8), SET("keep=4", "sigma=0.5")));
	CHECK(f.forward.info.ny == 2 * 2 * 16 && f.forward.info.linear);
	um_array x = { 0 }, y = rows(1, 64), none = rows(1, 0), s = rows(1, 64);
	CHECK_OK(um_env_images(&f.env, 1, &x));
	random_images(&x, 0);
	CHECK_OK(f.forward.ops.apply(f.forward.self, &none, &x, NULL, &y, NULL));
	for (int i = 0; i < 32; i++) {
		double re = 0, im = 0;
		int k1 = i % 16 / 4, k2 = i % 4;
		for (int p = 0; p < 48; p++) {
			double phase = 2 * 3.14159265358979323846 * (k1 * (p / 8) / 6.0 + k2 * (p % 8) / 8.0);
			re += um_row_f(&x, 0)[i / 16 * 48 + p] * cos(phase);
			im -= um_row_f(&x, 0)[i / 16 * 48 + p] * sin(phase);
		}
		CHECK_NEAR(um_row_d(&y, 0)[i], re, 1e-12);
		CHECK_NEAR(um_row_d(&y, 0)[32 + i], im, 1e-12);
	}
	CHECK_OK(f.forward.ops.noise(f.forward.self, &s, &none));
	CHECK_NEAR(um_row_d(&s, 0)[40], 0.5 / sqrt(2), 1e-15);
	um_array_free(&x), um_array_free(&y), um_array_free(&none), um_array_free(&s);
	plug_close(&f);
}

/* A A^T, column by column, as a dense matrix [ny][ny]. */
static um_array normal_matrix(plug *f)
{
	const int64_t ny = f->forward.info.ny;
	um_array e = rows(ny, ny), out = rows(ny, ny), x = { 0 }, none = rows(ny, 0);
	CHECK_OK(um_env_images(&f->env, ny, &x));
	for (int64_t i = 0; i < ny; i++)
		um_row_d(&e, i)[i] = 1;
	CHECK_OK(f->forward.ops.pullback(f->forward.self, &none, &x, &e, &x));
	CHECK_OK(f->forward.ops.apply(f->forward.self, &none, &x, NULL, &out, NULL));
	um_array_free(&e), um_array_free(&x), um_array_free(&none);
	return out;
}

/* The diagonal of methods: N^2 for Re DC, 0 for Im DC, N^2/2 for the rest; N^2 = 64 here. */
static void lowfreq_diagonal(void)
{
	plug f;
	CHECK_OK(plug_try(&f, UM_FORWARD, "lowfreq", plug_env(1, 8, 8), SET("keep=4")));
	um_array m = normal_matrix(&f);
	for (int i = 0; i < 32; i++)
		for (int j = 0; j < 32; j++) {
			double want = i != j ? 0 : i == 0 ? 64 : i == 16 ? 0 : 32;
			CHECK_NEAR(um_row_d(&m, i)[j], want, 1e-5);
		}
	um_array_free(&m);
	plug_close(&f);
}

static void linear_toy(void)
{
	plug f;
	CHECK_OK(plug_try(&f, UM_FORWARD, "linear", plug_env(1, 1, 2), SET("matrix=tests/data/toy_matrix.npy",
		"y=tests/data/toy_y.npy", "sigma=0.2")));
	CHECK(f.forward.info.ny == 1 && f.forward.info.measurements == 2);
	um_array x = { 0 }, y = rows(2, 1), s = rows(2, 1), none = rows(2, 0);
	CHECK_OK(um_env_images(&f.env, 2, &x));
	um_row_f(&x, 0)[0] = 0.5f;
	um_row_f(&x, 1)[1] = 2;
	CHECK_OK(f.forward.ops.apply(f.forward.self, &none, &x, NULL, &y, NULL));
	CHECK_NEAR(um_row_d(&y, 0)[0], -1, 1e-15);
	CHECK_NEAR(um_row_d(&y, 1)[0], 3.4, 1e-15);
	CHECK_OK(f.forward.ops.data(f.forward.self, &y, &s, &none));
	CHECK(um_row_d(&y, 0)[0] == 0.3 && um_row_d(&y, 1)[0] == -0.1 && um_row_d(&s, 1)[0] == 0.2);
	um_array_free(&x), um_array_free(&y), um_array_free(&s), um_array_free(&none);
	plug_close(&f);
}

static void refused(void)
{
	plug f;
	CHECK_FAILS(plug_try(&f, UM_FORWARD, "lowfreq", plug_env(1, 6, 8), SET("keep=7")), UM_EPARAM, "keep = 7");
	plug_close(&f);
	CHECK_FAILS(plug_try(&f, UM_FORWARD, "linear", plug_env(1, 3, 3), SET("matrix=tests/data/matrix.npy")),
		UM_EDATA, "9 pixels");
	plug_close(&f);
	CHECK_FAILS(plug_try(&f, UM_FORWARD, "linear", plug_env(1, 6, 8), SET("matrix=tests/data/matrix.npy",
		"y=tests/data/toy_y.npy")), UM_EDATA, "rows of 5");
	plug_close(&f);
}

CHECK_MAIN(CHECK_CASE(lowfreq_sum), CHECK_CASE(lowfreq_diagonal), CHECK_CASE(linear_toy),
	CHECK_CASE(refused))
