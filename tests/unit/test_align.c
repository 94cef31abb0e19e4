/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Moving samples to a common place: shifts that were put in come out, brightness is kept, and
 * what is measured of closures stays what it is. */
#include "../../core/report/align.h"
#include "plug.h"

enum { S = 12, R = 24, C = 30 };

/* Two blobs of different size about (row, column), nothing far from them. */
static double blobs(double row, double column, int r, int c)
{
	double a = hypot(r - row, c - column), b = hypot(r - row - 3, c - column + 4);
	return (a < 5 ? exp(-0.5 * a * a) : 0) + (b < 5 ? 0.4 * exp(-0.2 * b * b) : 0);
}

static void roll(const float *from, float *to, int rows, int columns, int dr, int dc)
{
	for (int r = 0; r < rows; r++)
		for (int c = 0; c < columns; c++)
			to[(r + dr + 8 * rows) % rows * columns + (c + dc + 8 * columns) % columns] =
				from[r * columns + c];
}

/* S copies of one image, each pixel brighter or fainter by a part, moved by known steps. */
static void scatter(float v[S][R * C], int step[S][2], double noise, double background)
{
	float one[R * C];
	um_rng rng = um_rng_new(11, "align", 0);
	for (int i = 0; i < S; i++) {
		step[i][0] = i * 7 % 11 - 5;
		step[i][1] = i * 5 % 13 - 6;
		for (int k = 0; k < R * C; k++)
			one[k] = (float)(background + blobs(10, 16, k / C, k % C) * (1 + noise * um_normal(&rng)));
		roll(one, v[i], R, C, step[i][0], step[i][1]);
	}
}

static double total(const float *v, int n)
{
	double sum = 0;
	for (int k = 0; k < n; k++)
		sum += v[k];
	return sum;
}

/* Copies of one image end up equal whatever the shifts, with the numbers they had. */
static void copies(void)
{
	static um_status (*const ways[])(um_array *, um_aligned *) = { um_align_centre, um_align_samples };
	static float v[S][R * C];
	int step[S][2];
	int64_t shift[S][2];
	um_array s = um_array_view(v, UM_F32, 3, (const int64_t[]){ S, R, C });
	for (size_t k = 0; k < 2; k++) {
		um_aligned done = { .shift = shift[0] };
		scatter(v, step, 0, 0);
		double before = total(v[3], R * C);
		CHECK_OK(ways[k](&s, &done));
		for (int i = 1; i < S; i++) {
			CHECK(memcmp(v[i], v[0], sizeof(v[0])) == 0);
			CHECK((step[i][0] + shift[i][0] - step[0][0] - shift[0][0]) % R == 0);
			CHECK((step[i][1] + shift[i][1] - step[0][1] - shift[0][1]) % C == 0);
		}
		CHECK_NEAR(total(v[3], R * C), before, 1e-4);
		CHECK(done.wrapped >= 0 && done.wrapped < 1e-3);
		CHECK_OK(ways[k](&s, &done)); /* nothing is left to do */
		for (int i = 0; i < S; i++)
			CHECK(shift[i][0] == 0 && shift[i][1] == 0);
	}
}

/* Where centroids scatter, correlations find the steps exactly. */
static void noisy(void)
{
	static float v[S][R * C];
	int step[S][2];
	int64_t shift[S][2];
	um_array s = um_array_view(v, UM_F32, 3, (const int64_t[]){ S, R, C });
	um_aligned done = { .shift = shift[0] };
	scatter(v, step, 0.3, 0);
	CHECK_OK(um_align_samples(&s, &done));
	for (int i = 1; i < S; i++) {
		CHECK((step[i][0] + shift[i][0] - step[0][0] - shift[0][0]) % R == 0);
		CHECK((step[i][1] + shift[i][1] - step[0][1] - shift[0][1]) % C == 0);
	}
}

static void centred(void)
{
	static float v[S][R * C];
	int step[S][2];
	um_array s = um_array_view(v, UM_F32, 3, (const int64_t[]){ S, R, C });
	scatter(v, step, 0, 0);
	CHECK_OK(um_align_centre(&s, NULL));
	double sum = 0, row = 0, column = 0;
	for (int k = 0; k < R * C; k++) {
		sum += v[5][k];
		row += v[5][k] * (double)(k / C);
		column += v[5][k] * (double)(k % C);
	}
	CHECK_NEAR(row / sum, (R - 1) / 2.0, 0.5 + 1e-5);
	CHECK_NEAR(column / sum, (C - 1) / 2.0, 0.5 + 1e-5);
}

/* To a truth that is not in the centre, in double, and with two planes. */
static void to_truth(void)
{
	static float v[S][R * C];
	static double planes[S][2][R * C], truth[2][R * C];
	int step[S][2];
	int64_t shift[S][2];
	scatter(v, step, 0.05, 0);
	for (int i = 0; i < S; i++)
		for (int k = 0; k < R * C; k++)
			planes[i][0][k] = 0.3 * v[i][k], planes[i][1][k] = 0.7 * v[i][k];
	for (int k = 0; k < R * C; k++)
		truth[0][k] = 0.3 * blobs(10, 16, k / C, k % C), truth[1][k] = truth[0][k] / 0.3 * 0.7;
	um_array s = um_array_view(planes, UM_F64, 4, (const int64_t[]){ S, 2, R, C });
	um_array t = um_array_view(truth, UM_F64, 3, (const int64_t[]){ 2, R, C });
	um_aligned done = { .shift = shift[0] };
	CHECK_OK(um_align_reference(&s, &t, &done));
	for (int i = 0; i < S; i++)
		CHECK(shift[i][0] == -step[i][0] && shift[i][1] == -step[i][1]);
	for (int k = 0; k < R * C; k++)
		CHECK(fabs(planes[4][1][k] - truth[1][k]) < 0.15);
	t = um_array_view(truth, UM_F64, 2, (const int64_t[]){ R, C });
	CHECK_FAILS(um_align_reference(&s, &t, NULL), UM_EARG, "reference");
}

/* What fills the field is moved as little as it takes over the edge. */
static void full_field(void)
{
	static float v[S][R * C];
	int step[S][2];
	int64_t shift[S][2];
	um_array s = um_array_view(v, UM_F32, 3, (const int64_t[]){ S, R, C });
	um_array first = um_array_rows(&s, 0, 1);
	um_aligned done = { .shift = shift[0] };
	for (int way = 0; way < 3; way++) {
		scatter(v, step, 0.01, 2e-4);
		CHECK_OK(way == 0 ? um_align_centre(&s, &done) : way == 1 ? um_align_samples(&s, &done) :
			um_align_reference(&s, &first, &done));
		CHECK(done.wrapped > 0 && done.wrapped <= UM_ALIGN_MOST);
		for (int i = 0; i < S; i++)
			CHECK(abs((int)shift[i][0]) <= 5 && abs((int)shift[i][1]) <= 5);
		scatter(v, step, 0.01, 0.05);
		CHECK_OK(way == 0 ? um_align_centre(&s, &done) : way == 1 ? um_align_samples(&s, &done) :
			um_align_reference(&s, &first, &done));
		CHECK(done.wrapped == 0);
	}
}

/* Images that cannot be placed stay where they are; odd and tiny sizes work. */
static void nothing_to_align(void)
{
	static float v[3][5 * 7];
	int64_t shift[3][2];
	um_aligned done = { .shift = shift[0] };
	static const double level[] = { 0, 1, -1, 0.1 };
	for (size_t l = 0; l < sizeof(level) / sizeof(*level); l++) {
		for (int k = 0; k < 3 * 35; k++)
			v[k / 35][k % 35] = (float)level[l];
		um_array s = um_array_view(v, UM_F32, 3, (const int64_t[]){ 3, 5, 7 });
		um_array t = um_array_rows(&s, 0, 1);
		CHECK_OK(um_align_centre(&s, &done));
		CHECK_OK(um_align_samples(&s, &done));
		CHECK_OK(um_align_reference(&s, &t, &done));
		for (int i = 0; i < 3; i++)
			CHECK(shift[i][0] == 0 && shift[i][1] == 0);
		CHECK(done.wrapped == 0);
	}
	for (int rows = 1; rows < 5; rows++) {
		um_array s = um_array_view(v, UM_F32, 3, (const int64_t[]){ 3, rows, 7 });
		v[0][3] = v[1][6] = v[2][0] = 2;
		CHECK_OK(um_align_samples(&s, &done));
	}
	um_array flat = um_array_view(v, UM_F32, 2, (const int64_t[]){ 3, 35 });
	CHECK_FAILS(um_align_centre(&flat, NULL), UM_EARG, "rows and columns");
}

/* What eht calls shift free does not change when an image with empty margins is aligned; what it
 * does not call so does. */
static void closures(void)
{
	enum { N = 24 };
	static const struct { const char *products; bool free; } cases[] = {
		{ "products=[\"cphase\"]", true }, { "products=[\"amp\", \"cphase\", \"logcamp\"]", true },
		{ "products=[\"vis\"]", false }, { "products=[\"cphase\", \"vis\"]", false },
	};
	static float x[2][N * N];
	um_env env = plug_env(1, N, N);
	for (int k = 0; k < N * N; k++)
		x[0][k] = x[1][k] = (float)(0.02 * blobs(7, 16, k / N, k % N));
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		plug g;
		um_array y = { 0 }, op = { 0 };
		double worst = 0;
		CHECK_OK(plug_try(&g, UM_FORWARD, "eht", env, SET("uvfits=tests/data/synthetic.uvfits",
			cases[i].products, "flux=0.9")));
		CHECK(g.forward.info.shift_free == cases[i].free);
		CHECK_OK(um_array_new(&y, UM_F64, 2, (const int64_t[]){ 2, g.forward.info.ny }));
		CHECK_OK(um_array_new(&op, UM_F64, 2, (const int64_t[]){ 2, 0 }));
		um_array both = um_array_view(x, UM_F32, 6, (const int64_t[]){ 2, 1, 1, 1, N, N });
		um_array second = um_array_rows(&both, 1, 1);
		um_aligned done = { .shift = NULL };
		CHECK_OK(um_align_centre(&second, &done));
		CHECK(memcmp(x[0], x[1], sizeof(x[0])) != 0 && done.wrapped == 0);
		CHECK_OK(g.forward.ops.apply(g.forward.self, &op, &both, NULL, &y, NULL));
		for (int64_t k = 0; k < g.forward.info.ny; k++)
			worst = fmax(worst, fabs(remainder(um_row_d(&y, 1)[k] - um_row_d(&y, 0)[k], 2 * acos(-1))));
		CHECK(cases[i].free ? worst < 1e-4 : worst > 1e-2);
		um_array_free(&y), um_array_free(&op);
		plug_close(&g);
	}
}

CHECK_MAIN(CHECK_CASE(copies), CHECK_CASE(noisy), CHECK_CASE(centred), CHECK_CASE(to_truth), CHECK_CASE(full_field),
	CHECK_CASE(nothing_to_align), CHECK_CASE(closures))
