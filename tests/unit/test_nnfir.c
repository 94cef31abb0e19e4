/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Filters that change the number of samples, against their definition. */
#include "nnlinear.h"

/* A filter with its kernel beside it. */
typedef struct filter {
	um_fir fir;
	double kernel[64];
} filter;

static const double blur[4] = { 1, 3, 3, 1 };

/* Kernels are (1, 3, 3, 1) both ways, or numbers that no column times a row makes. */
static filter make_filter(int64_t up, int64_t down, int64_t rows, int64_t columns, bool separable,
	const int64_t pad[4])
{
	filter f = { .fir = { up, down, rows, columns, NULL, pad[0], pad[1], pad[2], pad[3] } };
	for (int64_t i = 0; i < rows * columns; i++)
		f.kernel[i] = separable ? blur[i / columns % 4] * blur[i % columns % 4] / 16
			: cos(1.7 * (double)i);
	return f;
}

static um_node *apply(um_node *x, const filter *f)
{
	um_fir fir = f->fir;
	fir.kernel = f->kernel;
	return um_nn_fir(x, &fir);
}

/* z, the padded array, then every sample of every output by the definition. */
static void naive_fir(const um_fir *f, const double *kernel, const int64_t in[3], const int64_t out[3],
	const double *x, double *y)
{
	memset(y, 0, (size_t)length(3, out) * sizeof(*y));
	for (int64_t i = 0; i < length(3, out); i++)
		for (int64_t k = 0; k < f->kernel_rows * f->kernel_columns; k++) {
			int64_t at[3];
			unravel(i, 3, out, at);
			int64_t r = at[0] * f->down + k / f->kernel_columns - f->top;
			int64_t c = at[1] * f->down + k % f->kernel_columns - f->left;
			bool inside = r >= 0 && c >= 0 && r < in[0] * f->up && c < in[1] * f->up;
			if (inside && r % f->up == 0 && c % f->up == 0)
				y[i] += kernel[k] * x[(r / f->up * in[1] + c / f->up) * in[2] + at[2]];
		}
}

/* Cases of spec.arg: up, down, kernel (0: (1,3,3,1) twice, 1: nearest, 2: no product), padding */
static filter filter_of(const spec *s)
{
	int64_t p = s->arg[3];
	if (s->arg[2] == 0)
		return make_filter(s->arg[0], s->arg[1], 4, 4, true, (int64_t[]){ p, p, p, p });
	if (s->arg[2] == 2)
		return make_filter(s->arg[0], s->arg[1], 3, 5, false, (int64_t[]){ p, 1, p - 1, 2 });
	filter f = make_filter(s->arg[0], s->arg[1], 2, 2, true, (int64_t[]){ p, 0, p, 0 });
	for (int i = 0; i < 4; i++)
		f.kernel[i] = 0.5;
	return f;
}

static um_node *build_fir(const spec *s, um_node *const x[])
{
	filter f = filter_of(s);
	return apply(x[0], &f);
}

static void values_fir(const spec *s, const double *const x[], int rank, const int64_t dim[], double *y)
{
	filter f = filter_of(s);
	(void)rank;
	naive_fir(&f.fir, f.kernel, s->dim[0], dim, x[0], y);
}

static void fir(void)
{
#define ROW build_fir, values_fir
	static const spec cases[] = {
		{ ROW, { 3 }, { { 8, 6, 3 } }, { 2, 1, 0, 2 }, { 0 } },
		{ ROW, { 3 }, { { 8, 6, 3 } }, { 1, 2, 0, 1 }, { 0 } },
		{ ROW, { 3 }, { { 9, 7, 1 } }, { 1, 2, 0, 1 }, { 0 } },
		{ ROW, { 3 }, { { 5, 4, 17 } }, { 1, 1, 0, 2 }, { 0 } },
		{ ROW, { 3 }, { { 5, 4, 2 } }, { 2, 1, 1, 1 }, { 0 } },
		{ ROW, { 3 }, { { 6, 4, 2 } }, { 1, 2, 1, 0 }, { 0 } },
		{ ROW, { 3 }, { { 5, 7, 2 } }, { 3, 2, 2, 2 }, { 0 } },
		{ ROW, { 3 }, { { 5, 7, 2 } }, { 1, 1, 2, 0 }, { true } },
		{ ROW, { 3 }, { { 33, 32, 16 } }, { 2, 1, 0, 2 }, { 0 } },
		{ ROW, { 3 }, { { 33, 32, 16 } }, { 2, 1, 1, 1 }, { 0 } },
		{ ROW, { 3 }, { { 64, 65, 16 } }, { 1, 2, 0, 1 }, { 0 } },
		{ ROW, { 3 }, { { 33, 32, 16 } }, { 2, 1, 2, 2 }, { 0 } },
	};
#undef ROW
	CHECK_ALL(cases);
}

/* Values, and <v, A x> = <A' v, x>, with padding and cropping in every combination. */
static void check_filter(const filter *f)
{
	const int64_t in[3] = { 5, 4, 2 };
	um_graph *g = um_graph_new(BATCH);
	um_node *x = um_nn_input(g, "x0", 3, in, true), *y = apply(x, f);
	um_node *dx = NULL, *again = NULL, *v;
	CHECK_FATAL(y != NULL);
	const int64_t *dim = um_node_dim(y);
	int64_t n = um_node_len(y);
	const um_fir *s = &f->fir;
	CHECK(dim[0] == (in[0] * s->up + s->top + s->bottom - s->kernel_rows) / s->down + 1);
	CHECK(dim[1] == (in[1] * s->up + s->left + s->right - s->kernel_columns) / s->down + 1);
	v = um_nn_input(g, "v", 3, dim, true);
	CHECK_OK(um_grad(1, &y, &v, 1, &x, &dx));
	CHECK_OK(um_grad(1, &dx, &x, 1, &v, &again)); /* the adjoint of the adjoint */
	double *out[5], *want = malloc((size_t)n * sizeof(*want)), worst = 0;
	compute(&reference, 5, (um_node *[]){ y, v, x, dx, again }, NULL, out);
	for (int b = 0; b < BATCH; b++) {
		naive_fir(&f->fir, f->kernel, in, dim, out[2] + b * um_node_len(x), want);
		for (int64_t i = 0; i < n; i++)
			worst = fmax(worst, fmax(fabs(out[0][b * n + i] - want[i]),
				fabs(out[4][b * n + i] - want[i])));
	}
	CHECK_NEAR(worst, 0, 1e-13);
	CHECK_NEAR(dot(BATCH * n, out[0], out[1]), dot(total(x), out[2], out[3]),
		1e-14 * (1 + norm(total(x), out[2]) * norm(BATCH * n, out[1])) * 16);
	free(want);
	drop(5, out);
	um_graph_free(g);
}

static void fir_everywhere(void)
{
	for (int64_t up = 1; up <= 3; up++)
		for (int64_t down = 1; down <= 3; down++)
			for (int64_t top = -2; top <= 3; top++)
				for (int64_t bottom = -1; bottom <= 3; bottom += 2)
					for (int k = 0; k < 2; k++) {
						const int64_t pad[4] = { top, bottom, bottom + 1, top + 1 };
						filter f = make_filter(up, down, k ? 2 : 4, k ? 3 : 4, k == 0, pad);
						if (5 * up + top + bottom >= 4 && 4 * up + top + bottom + 2 >= 4)
							check_filter(&f);
					}
}

static void messages(void)
{
	static const struct {
		int rank;
		int64_t up, top;
		const char *text;
	} cases[] = {
		{ 3, 1, -4, "fir: a kernel of 1 x 1, up 1, down 1, padding -4, -4, 0, 0 does not fit (8, 8, 32)" },
		{ 3, 0, 0, "fir: a kernel of 1 x 1, up 0, down 1" },
		{ 2, 1, 0, "fir: (8, 8) is not (rows, columns, channels)" },
	};
	const double one = 1;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		um_graph *g = um_graph_new(1);
		um_node *x = um_nn_input(g, "x", cases[i].rank, (int64_t[]){ 8, 8, 32 }, true);
		const um_fir f = { cases[i].up, 1, 1, 1, &one, cases[i].top, cases[i].top, 0, 0 };
		CHECK(um_nn_fir(NULL, &f) == NULL);
		CHECK_OK(um_graph_status(g));
		CHECK(um_nn_fir(x, &f) == NULL);
		CHECK_FAILS(um_graph_status(g), UM_EARG, cases[i].text);
		um_graph_free(g);
	}
}

CHECK_MAIN(CHECK_CASE(fir), CHECK_CASE(fir_everywhere), CHECK_CASE(messages))
