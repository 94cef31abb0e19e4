/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The choice of a transform, and that what follows does not depend on it. */
#include <umbra/rng.h>
#include <umbra/uvop.h>
#include "plug.h"

enum { N = 200, ROWS = 20, COLUMNS = 24, BATCH = 3 };

#define PIXEL 1.2e-11

static um_uvspec spec(um_uvhow how, um_pulse pulse)
{
	return (um_uvspec){ .rows = ROWS, .columns = COLUMNS, .pixel = PIXEL, .pulse = pulse, .how = how,
		.tolerance = 1e-9 };
}

/* Each pulse, both ways through both transforms. */
static void agree(void)
{
	static double uv[2 * N], x[BATCH * ROWS * COLUMNS], back[2][BATCH * ROWS * COLUMNS];
	static double v[2][2 * BATCH * N];
	um_rng r = um_rng_new(1, "uvop", 0);
	for (int i = 0; i < 2 * N; i++)
		uv[i] = (2 * um_uniform(&r) - 1) / PIXEL;
	for (int i = 0; i < BATCH * ROWS * COLUMNS; i++)
		x[i] = um_uniform(&r) / (ROWS * COLUMNS);
	for (int pulse = UM_TRIANGLE; pulse <= UM_DELTA; pulse++) {
		for (int k = 0; k < 2; k++) {
			um_uvop *o = NULL;
			um_uvspec s = spec(k == 0 ? UM_UV_DIRECT : UM_UV_NUFFT, (um_pulse)pulse);
			CHECK_OK(um_uvop_new(uv, uv + N, N, &s, &o));
			CHECK(um_uvop_how(o) == s.how && um_uvop_bytes(o) > 0);
			CHECK_OK(um_uvop_forward(o, BATCH, x, v[k], v[k] + BATCH * N));
			CHECK_OK(um_uvop_adjoint(o, BATCH, v[0], v[0] + BATCH * N, back[k]));
			um_uvop_free(o);
		}
		for (int i = 0; i < 2 * BATCH * N; i++)
			CHECK_NEAR(v[1][i], v[0][i], 1e-9);
		for (int i = 0; i < BATCH * ROWS * COLUMNS; i++)
			CHECK_NEAR(back[1][i], back[0][i], 1e-9 * N);
	}
}

/* Few points of a small image are summed, many points or pixels are gridded; what would need
 * much memory is never summed. */
static void choice(void)
{
	static const double uv[1000];
	static const struct { int64_t n, side; um_uvhow how; } cases[] = {
		{ 1, 8, UM_UV_DIRECT }, { 100, 16, UM_UV_DIRECT }, { 1000, 256, UM_UV_NUFFT },
		{ 1000, 64, UM_UV_NUFFT }, { 10, 512, UM_UV_DIRECT },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		um_uvop *o = NULL;
		um_uvspec s = spec(UM_UV_AUTO, UM_RECT);
		s.rows = s.columns = cases[i].side;
		CHECK_OK(um_uvop_new(uv, uv, cases[i].n, &s, &o));
		CHECK(um_uvop_how(o) == cases[i].how);
		um_uvop_free(o);
	}
	um_uvspec s = spec(UM_UV_AUTO, UM_RECT);
	s.rows = s.columns = 64;
	CHECK(um_uvop_cost(1000000, &s, UM_UV_NUFFT) < um_uvop_cost(1000000, &s, UM_UV_DIRECT));
	um_uvhow how;
	CHECK(um_uvhow_named("nufft", &how) && how == UM_UV_NUFFT && !um_uvhow_named("fast", &how));
}

static void refused(void)
{
	um_uvop *o = NULL;
	const double u = 1e9;
	um_uvspec s = spec(UM_UV_NUFFT, UM_RECT);
	s.tolerance = 1e-16;
	CHECK_FAILS(um_uvop_new(&u, &u, 1, &s, &o), UM_EARG, "tolerance");
	CHECK_FAILS(um_uvop_new(&u, &u, 0, &s, &o), UM_EARG, "points");
	CHECK(o == NULL);
	um_uvop_free(NULL);
}

/* Log likelihoods and gradients of eht, all products. */
static void likelihoods(void)
{
	enum { SIDE = 16, COUNT = 4 };
	static const char *const ways[] = { "transform=direct", "transform=nufft", "tolerance=1e-6" };
	double ll[3][COUNT];
	um_array x = { 0 }, dx[3] = { { 0 } };
	um_rng r = um_rng_new(3, "uvop", 0);
	for (int k = 0; k < 3; k++) {
		plug g;
		um_env e = plug_env(1, SIDE, SIDE);
		e.pixel = PIXEL;
		CHECK_OK(plug_try(&g, UM_FORWARD, "eht", e, SET("uvfits=tests/data/synthetic.uvfits",
			"products=[\"vis\", \"amp\", \"cphase\", \"logcamp\"]", ways[k])));
		const int64_t ny = g.forward.info.ny;
		um_array none = { 0 }, y = { 0 }, sigma = { 0 };
		CHECK_OK(um_array_new(&none, UM_F64, 2, (const int64_t[]){ 1, 0 }));
		CHECK_OK(um_array_new(&y, UM_F64, 2, (const int64_t[]){ 1, ny }));
		CHECK_OK(um_array_new(&sigma, UM_F64, 2, (const int64_t[]){ 1, ny }));
		if (k == 0)
			CHECK_OK(um_env_images(&g.env, COUNT, &x));
		CHECK_OK(um_env_images(&g.env, COUNT, &dx[k]));
		for (int64_t i = 0; k == 0 && i < um_array_len(&x); i++)
			((float *)x.data)[i] = (float)(0.008 * um_uniform(&r));
		CHECK_OK(g.forward.ops.data(g.forward.self, &y, &sigma, &none));
		y.stride[0] = sigma.stride[0] = 0; /* one row for all images */
		CHECK_OK(g.forward.ops.loglike(g.forward.self, &none, &x, &y, &sigma, ll[k], &dx[k]));
		um_array_free(&none), um_array_free(&y), um_array_free(&sigma);
		plug_close(&g);
	}
	for (int b = 0; b < COUNT; b++) {
		CHECK_REL(ll[1][b], ll[0][b], 1e-7);
		CHECK_REL(ll[2][b], ll[0][b], 1e-4);
		for (int64_t i = 0; i < SIDE * SIDE; i++)
			CHECK_NEAR(um_row_f(&dx[1], b)[i], um_row_f(&dx[0], b)[i],
				1e-5 * fabs((double)um_row_f(&dx[0], b)[i]) + 1e-7 * fabs(ll[0][b]));
	}
	um_array_free(&x), um_array_free(&dx[0]), um_array_free(&dx[1]), um_array_free(&dx[2]);
}

CHECK_MAIN(CHECK_CASE(agree), CHECK_CASE(choice), CHECK_CASE(refused), CHECK_CASE(likelihoods))
