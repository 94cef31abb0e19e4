/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The measurement operators: each against a plain sum of its definition, and every one's adjoint and solve
 * against its own matrix in double. */
#include <umbra/linalg.h>
#include <umbra/mask.h>
#include "plug.h"

static const double PI = 3.14159265358979323846;

static um_array rows(int64_t count, int64_t n)
{
	um_array a = { 0 };
	CHECK_OK(um_array_new(&a, UM_F64, 2, (const int64_t[]){ count, n }));
	return a;
}

static um_array images(plug *f, int64_t count, bool random)
{
	um_array x = { 0 };
	um_rng r = um_rng_new(12, "operators", 0);
	CHECK_OK(um_env_images(&f->env, count, &x));
	for (int64_t i = 0; random && i < um_array_len(&x); i++)
		((float *)x.data)[i] = (float)um_normal(&r);
	return x;
}

static double size(const um_array *a)
{
	return sqrt(um_dot(um_array_len(a), a->data, a->data));
}

/* || a - b || <= tol || b ||. */
#define CHECK_SAME(a, b, tol) do { double off_ = 0; \
	for (int64_t i_ = 0; i_ < um_array_len(b); i_++) \
		off_ += pow(((double *)(a)->data)[i_] - ((double *)(b)->data)[i_], 2); \
	CHECK_NEAR(sqrt(off_) / fmax(size(b), 1e-300), 0, tol); } while (0)

/* sigma and op of one measurement, shared by a batch of count. */
static void typical(plug *f, int64_t count, um_array *sigma, um_array *op)
{
	*sigma = rows(1, f->forward.info.ny);
	*op = rows(1, f->forward.info.nop);
	CHECK_OK(f->forward.ops.noise(f->forward.self, sigma, op));
	sigma->stride[0] = op->stride[0] = 0;
	sigma->dim[0] = op->dim[0] = count;
}

/* A^T [n][ny]: unit images are exact in float, and y is double. */
static um_array matrix(plug *f, um_array *op)
{
	int64_t n = 1;
	for (int i = 0; i < 5; i++)
		n *= f->env.shape[i];
	um_array x = images(f, n, false), at = rows(n, f->forward.info.ny);
	for (int64_t i = 0; i < n; i++)
		um_row_f(&x, i)[i] = 1;
	op->dim[0] = n;
	CHECK_OK(f->forward.ops.apply(f->forward.self, op, &x, NULL, &at, NULL));
	um_array_free(&x);
	return at;
}

static um_array widened(const um_array *x)
{
	um_array w = rows(x->dim[0], um_array_rowlen(x));
	CHECK_OK(um_array_copy(&w, x));
	return w;
}

static void check_adjoint(plug *f, um_array *op, const um_array *at)
{
	const int64_t n = at->dim[0], ny = at->dim[1];
	um_array x = images(f, 2, true), d = images(f, 2, false), j = images(f, 2, false), y = rows(2, ny);
	um_array dy = rows(2, ny), v = rows(2, ny), want = rows(2, ny), back = rows(2, n);
	um_rng r = um_rng_new(3, "v", 0);
	um_normal_fill(&r, v.data, 2 * ny);
	for (int64_t i = 0; i < 2 * n; i++)
		((float *)d.data)[i] = (float)um_normal(&r);
	op->dim[0] = 2;
	CHECK_OK(f->forward.ops.apply(f->forward.self, op, &x, &d, &y, &dy));
	CHECK_OK(f->forward.ops.pullback(f->forward.self, op, &x, &v, &j));
	um_array wx = widened(&x), wd = widened(&d), wj = widened(&j);
	um_gemm(false, false, 2, ny, n, wx.data, at->data, want.data);
	CHECK_SAME(&y, &want, 1e-13);
	um_gemm(false, false, 2, ny, n, wd.data, at->data, want.data);
	CHECK_SAME(&dy, &want, 1e-13);
	um_gemm(false, true, 2, n, ny, v.data, at->data, back.data);
	CHECK_SAME(&wj, &back, 1e-7);
	um_array *all[] = { &x, &d, &j, &y, &dy, &v, &want, &back, &wx, &wd, &wj };
	for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++)
		um_array_free(all[i]);
}

/* (a2 Sigma + b2 A A^T) solve(r) = r, where noise is even and where it is not. */
static void check_solve(plug *f, um_array *op, um_array *sigma, const um_array *at, const um_array *m)
{
	const int64_t ny = m->dim[0];
	um_array r = rows(2, ny), out = rows(2, ny), back = rows(2, ny), s = rows(2, ny);
	um_rng g = um_rng_new(4, "solve", 0);
	um_normal_fill(&g, r.data, 2 * ny);
	const double balance = um_dot(um_array_len(at), at->data, at->data) / (double)ny /
		pow(um_row_d(sigma, 0)[0], 2);
	for (int64_t i = 0; i < 2 * ny; i++)
		((double *)s.data)[i] = um_row_d(sigma, 0)[0] * (i < ny ? 1 : 0.2 + 4 * um_uniform(&g));
	op->dim[0] = 2;
	for (int k = 0; k < 3; k++) {
		const double a2 = balance * pow(10, -2 * k), b2 = 1.3;
		CHECK_OK(f->forward.ops.solve(f->forward.self, op, &s, a2, b2, &r, &out));
		um_gemm(false, false, 2, ny, ny, out.data, m->data, back.data);
		for (int64_t i = 0; i < 2 * ny; i++)
			((double *)back.data)[i] = b2 * ((double *)back.data)[i] +
				a2 * pow(((double *)s.data)[i], 2) * ((double *)out.data)[i];
		CHECK_SAME(&back, &r, 1e-10);
	}
	um_array_free(&r), um_array_free(&out), um_array_free(&back), um_array_free(&s);
}

/* P = solve at a2 = 0 is symmetric, M P M = M and P M P = P. */
static void check_pseudo(plug *f, um_array *op, um_array *sigma, const um_array *m)
{
	const int64_t ny = m->dim[0];
	um_array e = rows(ny, ny), p = rows(ny, ny), pm = rows(ny, ny), out = rows(ny, ny);
	for (int64_t i = 0; i < ny; i++)
		um_row_d(&e, i)[i] = 1;
	op->dim[0] = sigma->dim[0] = ny;
	CHECK_OK(f->forward.ops.solve(f->forward.self, op, sigma, 0, 1, &e, &p));
	um_gemm(true, false, ny, ny, ny, p.data, e.data, out.data);
	CHECK_SAME(&out, &p, 1e-10);
	um_gemm(false, false, ny, ny, ny, p.data, m->data, pm.data);
	um_gemm(false, false, ny, ny, ny, m->data, pm.data, out.data);
	CHECK_SAME(&out, m, 1e-8); /* rounding times a condition of up to 1e8 */
	um_gemm(false, false, ny, ny, ny, pm.data, p.data, out.data);
	CHECK_SAME(&out, &p, 1e-7);
	um_array_free(&e), um_array_free(&p), um_array_free(&pm), um_array_free(&out);
}

typedef struct {
	const char *name;
	const char *set[4];
	int channels, rows, columns;
} operator;

static const operator operators[] = {
	{ "denoise", { NULL }, 3, 3, 2 },
	{ "lowfreq", { "keep=4" }, 3, 6, 8 }, { "lowfreq", { "keep=5" }, 1, 7, 5 }, { "lowfreq", { "keep=6" }, 1, 6, 6 },
	{ "lowfreq", { "keep=1" }, 1, 1, 2 },
	{ "linear", { "matrix=tests/data/matrix.npy" }, 1, 6, 8 }, { "linear", { "rows=[-2.0, 1.7]" }, 1, 1, 2 },
	{ "mri", { "acceleration=2" }, 1, 6, 8 }, { "mri", { "acceleration=2", "seed=1" }, 3, 7, 5 },
	{ "mri", { "acceleration=1" }, 1, 6, 8 }, { "mri", { "acceleration=1" }, 3, 5, 7 },
	{ "mri", { "pattern=equispaced", "acceleration=3" }, 3, 9, 8 },
	{ "mri", { "pattern=poisson", "acceleration=4" }, 1, 12, 10 },
	{ "mri", { "pattern=poisson", "acceleration=3" }, 3, 9, 7 },
	{ "mri", { "pattern=radial", "acceleration=4" }, 1, 12, 10 },
	{ "mri", { "pattern=radial", "acceleration=3" }, 3, 7, 9 },
	{ "mri", { "acceleration=2" }, 1, 1, 6 },
	{ "blur", { "boundary=circular", "width=0.7" }, 1, 6, 8 },
	{ "blur", { "boundary=circular", "width=0.7" }, 3, 5, 7 },
	{ "blur", { "boundary=circular", "kernel=uniform", "size=3" }, 1, 9, 6 }, /* singular */
	{ "blur", { "boundary=reflecting", "width=0.7" }, 1, 6, 8 },
	{ "blur", { "boundary=reflecting", "width=0.7" }, 3, 5, 7 },
	{ "blur", { "boundary=reflecting", "kernel=uniform", "size=3" }, 1, 9, 8 },
	{ "blur", { "boundary=zero", "width=0.7" }, 1, 6, 8 },
	{ "blur", { "boundary=zero", "width=0.7" }, 3, 5, 7 },
	{ "blur", { "boundary=zero", "kernel=uniform", "size=3" }, 1, 8, 9 },
	{ "blur", { "boundary=zero", "kernel=uniform", "size=9" }, 1, 4, 5 },
	{ "blur", { "boundary=reflecting" }, 1, 1, 12 },
	{ "blur", { "boundary=reflecting", "width=0.7", "widths=[0.5, 1.5]" }, 3, 5, 7 },
	{ "blur", { "boundary=circular", "width=0.7", "widths=[0.5, 1.5]" }, 1, 6, 8 },
	{ "superres", { "factor=2" }, 1, 6, 8 }, { "superres", { "factor=3" }, 3, 9, 6 },
	{ "superres", { "factor=2", "method=bicubic" }, 3, 6, 8 },
	{ "superres", { "factor=3", "method=bicubic" }, 1, 9, 15 },
	{ "superres", { "factor=4", "method=bicubic" }, 1, 16, 12 },
	{ "superres", { "factor=1", "method=bicubic" }, 1, 3, 4 },
	{ "superres", { "factor=5", "method=bicubic" }, 1, 5, 5 },
	{ "colorize", { NULL }, 3, 6, 8 }, { "colorize", { "weights=[1,-2,0]" }, 3, 5, 3 },
	{ "inpaint", { NULL }, 1, 6, 8 }, { "inpaint", { "seen=0.3" }, 3, 5, 7 },
	{ "inpaint", { "pattern=box" }, 3, 5, 7 }, { "inpaint", { NULL }, 2, 1, 15 },
};

static void check_identities(const char *name, um_env env, const char *const *set)
{
	plug f;
	CHECK_OK(plug_try(&f, UM_FORWARD, name, env, set));
	CHECK(f.forward.info.linear);
	um_array sigma, op;
	typical(&f, 1, &sigma, &op);
	for (int64_t k = 0; k < f.forward.info.nop; k++) /* op need not be 0 or 1 */
		um_row_d(&op, 0)[k] *= 1 + 0.1 * (double)(k % 3);
	um_array at = matrix(&f, &op), m = rows(at.dim[1], at.dim[1]);
	um_gemm(true, false, at.dim[1], at.dim[1], at.dim[0], at.data, at.data, m.data);
	check_adjoint(&f, &op, &at);
	check_solve(&f, &op, &sigma, &at, &m);
	check_pseudo(&f, &op, &sigma, &m);
	um_array_free(&at), um_array_free(&m), um_array_free(&sigma), um_array_free(&op);
	plug_close(&f);
}

static void identities(void)
{
	for (size_t i = 0; i < sizeof(operators) / sizeof(*operators); i++) {
		const operator *o = &operators[i];
		const char *set[5] = { NULL };
		um_env env = plug_env(o->channels, o->rows, o->columns);
		int many = 0;
		for (int k = 0; k < 4 && o->set[k] != NULL; k++)
			if (strcmp(o->set[k], "seed=1") == 0)
				env.seed = 2;
			else
				set[many++] = o->set[k];
		check_identities(o->name, env, set);
	}
}

/* Those that take every image: one and three channels, even and odd sides. */
static const struct { const char *name, *set[4]; } everywhere[] = {
	{ "denoise", { NULL } }, { "lowfreq", { "keep=4" } }, { "lowfreq", { "keep=5" } },
	{ "mri", { "acceleration=2" } }, { "mri", { "pattern=equispaced", "acceleration=3" } },
	{ "mri", { "pattern=poisson", "acceleration=4" } }, { "mri", { "pattern=radial", "acceleration=3" } },
	{ "blur", { "boundary=circular", "width=0.7" } }, { "blur", { "boundary=circular", "kernel=uniform", "size=3" } },
	{ "blur", { "boundary=reflecting", "width=0.7" } }, { "blur", { "boundary=reflecting", "kernel=uniform", "size=3" } },
	{ "blur", { "boundary=zero", "width=0.7" } }, { "blur", { "boundary=zero", "kernel=uniform", "size=3" } },
	{ "superres", { "factor=3" } }, { "superres", { "factor=3", "method=bicubic" } },
	{ "inpaint", { "seen=0.3" } }, { "inpaint", { "pattern=box" } },
};
static const int shapes[][3] = { { 1, 6, 12 }, { 1, 9, 15 }, { 3, 6, 12 }, { 3, 9, 15 } };
enum { SHAPES = sizeof(shapes) / sizeof(*shapes) };

static void identities_everywhere(void)
{
	for (size_t i = 0; i < sizeof(everywhere) / sizeof(*everywhere); i++)
		for (int k = 0; k < SHAPES; k++)
			check_identities(everywhere[i].name, plug_env(shapes[k][0], shapes[k][1], shapes[k][2]), everywhere[i].set);
}

/* Noise of ten thousand to one is more than conjugate gradients manage: a message, not an answer. */
static void uneven(void)
{
	plug f;
	CHECK_OK(plug_try(&f, UM_FORWARD, "blur", plug_env(1, 16, 16), SET("boundary=circular")));
	um_array r = rows(1, 256), out = rows(1, 256), s = rows(1, 256), none = rows(1, 0);
	um_rng g = um_rng_new(6, "uneven", 0);
	um_normal_fill(&g, r.data, 256);
	for (int k = 0; k < 256; k++)
		um_row_d(&s, 0)[k] = 0.01 * pow(1e4, um_uniform(&g));
	CHECK_FAILS(f.forward.ops.solve(f.forward.self, &none, &s, 1, 1, &r, &out), UM_ENUM, "too uneven");
	um_array_free(&r), um_array_free(&out), um_array_free(&s), um_array_free(&none);
	plug_close(&f);
}

/* ---- definitions -------------------------------------------------------------------- */

/* Opens f with two random images of it in x and what it makes of them in y. */
static void look(plug *f, const char *name, um_env env, const char *const *set, um_array *x, um_array *y)
{
	um_array sigma, op;
	CHECK_OK(plug_try(f, UM_FORWARD, name, env, set));
	typical(f, 2, &sigma, &op);
	*x = images(f, 2, true);
	*y = rows(2, f->forward.info.ny);
	CHECK_OK(f->forward.ops.apply(f->forward.self, &op, x, NULL, y, NULL));
	um_array_free(&sigma), um_array_free(&op);
}

/* The pixel that stands at position i of an axis of n, -1 where there is none. */
static int beyond(char boundary, int i, int n)
{
	if (boundary == 'z')
		return i >= 0 && i < n ? i : -1;
	if (boundary == 'c')
		return (i % n + n) % n;
	while (i < 0 || i >= n)
		i = i < 0 ? -1 - i : 2 * n - 1 - i;
	return i;
}

static double weight(bool uniform, int reach, double width, int i, int j)
{
	double sum = 0;
	for (int a = -reach; a <= reach; a++)
		sum += uniform ? 1 : exp(-a * a / (2 * width * width));
	return (uniform ? 1 : exp(-(i * i + j * j) / (2 * width * width))) / (sum * sum);
}

static void check_blur(bool uniform, int reach, double width, char boundary, int channels, int high, int wide)
{
	plug f;
	um_array x, y;
	char kernel[64], side[64], edge[64];
	snprintf(kernel, sizeof(kernel), "kernel=%s", uniform ? "uniform" : "gaussian");
	if (uniform)
		snprintf(side, sizeof(side), "size=%d", 2 * reach + 1);
	else
		snprintf(side, sizeof(side), "width=%g", width);
	snprintf(edge, sizeof(edge), "boundary=%s", boundary == 'z' ? "zero" : boundary == 'c' ? "circular" : "reflecting");
	look(&f, "blur", plug_env(channels, high, wide), SET(kernel, side, edge), &x, &y);
	CHECK(f.forward.info.ny == channels * high * wide);
	for (int at = 0; at < 2 * channels * high * wide; at++) {
		const int plane = at / (high * wide), r = at / wide % high, c = at % wide;
		double sum = 0;
		for (int i = -reach; i <= reach; i++)
			for (int j = -reach; j <= reach; j++) {
				const int p = beyond(boundary, r + i, high), q = beyond(boundary, c + j, wide);
				if (p >= 0 && q >= 0)
					sum += weight(uniform, reach, width, i, j) * ((float *)x.data)[(plane * high + p) * wide + q];
			}
		CHECK_NEAR(((double *)y.data)[at], sum, 1e-13);
	}
	um_array_free(&x), um_array_free(&y);
	plug_close(&f);
}

static void blurs(void)
{
	for (const char *b = "zcr"; *b; b++) {
		check_blur(true, 1, 0, *b, 1, 6, 8);
		check_blur(true, 4, 0, *b, 3, 5, 9);
		check_blur(true, 7, 0, *b, 1, 4, 3); /* wider than the image */
		check_blur(false, 4, 0.8, *b, 3, 7, 6);
		check_blur(false, 8, 1.5, *b, 1, 9, 12);
	}
}

/* Means of blocks, and bicubic by four with its taps in decimals (they are multiples of 2^-14). */
static void superres_sums(void)
{
	static const double taps[8] = { -.001708984375, -.010986328125, -.018310546875, -.011962890625, .022705078125,
		.097412109375, .181884765625, .240966796875 };
	plug f;
	um_array x, y;
	look(&f, "superres", plug_env(2, 6, 9), SET("factor=3"), &x, &y);
	CHECK(f.forward.info.ny == 2 * 2 * 3);
	for (int i = 0; i < 24; i++) {
		double sum = 0;
		for (int p = 0; p < 9; p++)
			sum += ((float *)x.data)[(i / 3 * 3 + p / 3) * 9 + i % 3 * 3 + p % 3] / 9.0;
		CHECK_NEAR(((double *)y.data)[i], sum, 1e-14);
	}
	um_array_free(&x), um_array_free(&y);
	plug_close(&f);
	look(&f, "superres", plug_env(1, 32, 24), SET("factor=4", "method=bicubic"), &x, &y);
	for (int i = 0; i < 8 * 6; i++) {
		double sum = 0;
		for (int p = 0; p < 256; p++) {
			const int a = p / 16, b = p % 16, r = beyond('r', i / 6 * 4 + 2 - 8 + a, 32);
			const int c = beyond('r', i % 6 * 4 + 2 - 8 + b, 24);
			sum += taps[a < 8 ? a : 15 - a] * taps[b < 8 ? b : 15 - b] * ((float *)x.data)[r * 24 + c];
		}
		CHECK_NEAR(((double *)y.data)[i], sum, 1e-14);
	}
	um_array_free(&x), um_array_free(&y);
	plug_close(&f);
	look(&f, "superres", plug_env(1, 1, 2), SET("factor=1", "method=bicubic"), &x, &y);
	CHECK(um_row_d(&y, 0)[1] == um_row_f(&x, 0)[1]);
	um_array_free(&x), um_array_free(&y);
	plug_close(&f);
}

/* Three pixels become one: offsets -5/3 .. 5/3, k(0) = 1, k(1/3) = 7/9... by the formula of Keys. */
static void bicubic_odd(void)
{
	plug f;
	um_array x, y;
	double k[6], whole;
	for (int i = 0; i < 6; i++) {
		const double t = i / 3.0;
		k[i] = t < 1 ? 1.5 * t * t * t - 2.5 * t * t + 1 : -0.5 * t * t * t + 2.5 * t * t - 4 * t + 2;
	}
	whole = k[0] + 2 * (k[1] + k[2] + k[3] + k[4] + k[5]);
	look(&f, "superres", plug_env(1, 9, 3), SET("factor=3", "method=bicubic"), &x, &y);
	for (int i = 0; i < 3; i++) {
		double sum = 0;
		for (int a = -5; a <= 5; a++)
			for (int b = -5; b <= 5; b++)
				sum += k[abs(a)] * k[abs(b)] / (whole * whole) *
					um_row_f(&x, 0)[beyond('r', 3 * i + 1 + a, 9) * 3 + beyond('r', 1 + b, 3)];
		CHECK_NEAR(um_row_d(&y, 0)[i], sum, 1e-14);
	}
	um_array_free(&x), um_array_free(&y);
	plug_close(&f);
}

static void colorize_sum(void)
{
	plug f;
	um_array x, y;
	um_env env = plug_env(3, 5, 4);
	env.shape[0] = 2;
	look(&f, "colorize", env, SET("weights=[0.2126,0.7152,0.0722]"), &x, &y);
	CHECK(f.forward.info.ny == 40);
	for (int i = 0; i < 80; i++) {
		const float *p = (float *)x.data + i / 20 * 60 + i % 20;
		CHECK_NEAR(((double *)y.data)[i], 0.2126 * p[0] + 0.7152 * p[20] + 0.0722 * p[40], 1e-15);
	}
	um_array_free(&x), um_array_free(&y);
	plug_close(&f);
}

/* ---- matrices and masks ---------------------------------------------------------------------------- */

/* v [high][wide] as a .npy in a folder of its own, by its path. */
static void write_npy(char *path, size_t room, const double *v, int high, int wide)
{
	char folder[] = "/tmp/umbra-mask-XXXXXX", text[118];
	CHECK_FATAL(mkdtemp(folder) != NULL);
	snprintf(path, room, "%s/mask.npy", folder);
	FILE *out = fopen(path, "wb");
	CHECK_FATAL(out != NULL);
	snprintf(text, sizeof(text), "{'descr': '<f8', 'fortran_order': False, 'shape': (%d, %d), }", high, wide);
	fwrite("\x93NUMPY\1\0\x76", 1, 10, out);
	fprintf(out, "%-117s\n", text);
	fwrite(v, sizeof(*v), (size_t)(high * wide), out);
	fclose(out);
}

static void remove_npy(char *path)
{
	unlink(path);
	*strrchr(path, '/') = '\0';
	rmdir(path);
}

/* A matrix from a file, of fewer rows than columns and of more. */
static void matrices(void)
{
	for (int k = 0; k < 2 * SHAPES; k++) {
		const int *s = shapes[k / 2], n = s[0] * s[1] * s[2], ny = k % 2 ? n + 3 : n / 2;
		um_array a = rows(ny, n);
		um_rng r = um_rng_new(9, "matrix", (uint64_t)k);
		char path[64], set[80];
		um_normal_fill(&r, a.data, um_array_len(&a));
		write_npy(path, sizeof(path), a.data, ny, n);
		snprintf(set, sizeof(set), "matrix=%s", path);
		check_identities("linear", plug_env(s[0], s[1], s[2]), SET(set));
		remove_npy(path);
		um_array_free(&a);
	}
}

static void draw_mask(double *mask, int n)
{
	um_rng r = um_rng_new(8, "mask", 0);
	for (int i = 0; i < n; i++)
		mask[i] = um_uniform(&r) < 0.4;
}

/* k-space of a mask from a file as a plain sum, zero frequency in its middle. */
static void check_mri(int channels, int high, int wide)
{
	double mask[100];
	char path[64], set[80];
	plug f;
	um_array x, y;
	draw_mask(mask, high * wide);
	write_npy(path, sizeof(path), mask, high, wide);
	snprintf(set, sizeof(set), "mask=%s", path);
	look(&f, "mri", plug_env(channels, high, wide), SET(set, "sigma=0.3"), &x, &y);
	const int64_t n = um_mask_count(high * wide, mask);
	CHECK(f.forward.info.ny == 2 * channels * n);
	for (int row = 0; row < 2 * channels; row++) {
		const int b = row / channels, p = row % channels;
		const double *re = um_row_d(&y, b) + p * n, *im = re + channels * n;
		for (int k = 0; k < high * wide; k++) {
			double a = 0, c = 0;
			for (int i = 0; i < high * wide; i++) {
				const double t = 2 * PI * ((k / wide - high / 2) * (i / wide) / (double)high +
					(k % wide - wide / 2) * (i % wide) / (double)wide);
				a += um_row_f(&x, b)[p * high * wide + i] * cos(t) / sqrt(high * wide);
				c -= um_row_f(&x, b)[p * high * wide + i] * sin(t) / sqrt(high * wide);
			}
			if (mask[k] == 0)
				continue;
			CHECK_NEAR(*re++, a, 1e-12);
			CHECK_NEAR(*im++, c, 1e-12);
		}
	}
	um_array sigma, op;
	typical(&f, 1, &sigma, &op);
	CHECK(um_row_d(&sigma, 0)[0] == 0.3 && um_row_d(&sigma, 0)[n] == 0.3);
	um_array_free(&x), um_array_free(&y), um_array_free(&sigma), um_array_free(&op);
	plug_close(&f);
	remove_npy(path);
}

static void mri_sum(void)
{
	check_mri(1, 6, 8);
	check_mri(3, 7, 5);
	check_mri(1, 5, 8);
	check_mri(1, 1, 9);
}

static int64_t samples(const char *pattern, double acceleration, int high, int wide, uint64_t seed)
{
	char a[64], b[64];
	um_env env = plug_env(1, high, wide);
	plug f;
	env.seed = seed;
	snprintf(a, sizeof(a), "pattern=%s", pattern);
	snprintf(b, sizeof(b), "acceleration=%g", acceleration);
	CHECK_OK(plug_try(&f, UM_FORWARD, "mri", env, SET(a, b)));
	const int64_t n = f.forward.info.ny / 2;
	plug_close(&f);
	return n;
}

static void accelerations(void)
{
	for (int a = 1; a <= 16; a *= 2) {
		CHECK(samples("random", a, 30, 32, 1) == 30 * 32 / a);
		CHECK(samples("equispaced", a, 30, 32, 1) == 30 * 32 / a);
		CHECK(samples("poisson", a, 32, 30, 1) == 32 * 30 / a);
		const int64_t n = samples("radial", a, 33, 32, 1);
		CHECK(n >= 33 * 32 / a && n <= 33 * 32 / a + 33 * a);
	}
	CHECK(samples("random", 2.5, 8, 20, 1) == 64);
	CHECK(samples("poisson", 7.3, 64, 64, 3) == 561);
}

static void lines(void)
{
	double mask[3 * 33], again[3 * 33] = { 0 };
	um_rng r = um_rng_new(1, "lines", 0), s = um_rng_new(2, "lines", 0);
	CHECK_OK(um_mask_lines(NULL, 3, 33, 9, 4, mask));
	CHECK(um_mask_count(99, mask) == 27);
	for (int i = 0; i < 33; i++)
		CHECK(mask[i] == mask[33 + i] && mask[i] == mask[66 + i]);
	CHECK(mask[14] == 1 && mask[15] == 1 && mask[16] == 1 && mask[17] == 1);
	/* Of 29 others number 2, 8, 14, 20 and 26. */
	CHECK(mask[2] == 1 && mask[8] == 1 && mask[18] == 1 && mask[24] == 1 && mask[30] == 1);
	CHECK_OK(um_mask_lines(&r, 3, 33, 9, 4, mask));
	CHECK_OK(um_mask_lines(&s, 3, 33, 9, 4, again));
	CHECK(um_mask_count(33, mask) == 9 && um_mask_count(33, again) == 9);
	CHECK(mask[14] == 1 && mask[17] == 1 && memcmp(mask, again, sizeof(mask)) != 0);
}

/* Every choice is equally likely. */
static void chosen(void)
{
	double sum[10] = { 0 }, mask[10];
	for (uint64_t k = 0; k < 4000; k++) {
		um_rng r = um_rng_new(1, "chosen", k);
		memset(mask, 0, sizeof(mask));
		mask[3] = 1;
		um_mask_choose(&r, 10, 3, mask);
		CHECK(um_mask_count(10, mask) == 4);
		for (int i = 0; i < 10; i++)
			sum[i] += mask[i] / 4000;
	}
	for (int i = 0; i < 10; i++)
		CHECK_NEAR(sum[i], i == 3 ? 1 : 1 / 3.0, 0.03);
}

/* The centre is whole, and points are the farther apart the farther out they are. */
static void poisson(void)
{
	enum { N = 48 };
	static double mask[N * N];
	um_rng r = um_rng_new(1, "poisson", 0);
	double apart[2] = { 0 }, many[2] = { 0 };
	CHECK_OK(um_mask_poisson(&r, N, N, N * N / 8, 6, mask));
	CHECK(um_mask_count(N * N, mask) == N * N / 8);
	for (int i = 0; i < 36; i++)
		CHECK(mask[(N / 2 - 3 + i / 6) * N + N / 2 - 3 + i % 6] == 1);
	for (int i = 0; i < N * N; i++) {
		const double d = hypot(i / N - N / 2, i % N - N / 2);
		double nearest = N;
		for (int j = 0; j < N * N; j++)
			if (mask[j] == 1 && j != i)
				nearest = fmin(nearest, hypot(i / N - j / N, i % N - j % N));
		if (mask[i] == 1 && d > 5) {
			apart[d > 14] += nearest;
			many[d > 14]++;
			CHECK(nearest >= 1 + (d > 14));
		}
	}
	CHECK(apart[1] / many[1] > 1.3 * apart[0] / many[0]);
}

/* Of two spokes the first row and column through the middle; all spokes together are everything. */
static void spokes(void)
{
	double mask[72];
	um_mask_radial(8, 9, 16, mask);
	for (int i = 0; i < 72; i++)
		CHECK(mask[i] == (i / 9 == 4 || i % 9 == 4));
	um_mask_radial(8, 9, 72, mask);
	CHECK(um_mask_count(72, mask) == 72);
}

/* ---- inpainting and phases -------------------------------------------------------------- */

/* Each measurement has its own mask in op, and what it does not see is 0. */
static void inpaint_masks(void)
{
	plug f;
	CHECK_OK(plug_try(&f, UM_FORWARD, "inpaint", plug_env(2, 1, 200), SET("seen=0.3", "sigma=0.1")));
	CHECK(f.forward.info.nop == 200 && f.forward.info.ny == 400);
	um_array x = images(&f, 2, true), op = rows(2, 200), y = rows(2, 400), s = rows(2, 400), mean = rows(2, 400);
	um_rng r[2] = { um_rng_new(1, "a", 0), um_rng_new(1, "a", 1) };
	double chi2[2], other[2], sum = 0;
	CHECK_OK(um_forward_simulate(&f.forward, r, &x, &op, &y, &s, NULL));
	CHECK(memcmp(um_row_d(&op, 0), um_row_d(&op, 1), 200 * sizeof(double)) != 0);
	CHECK_OK(f.forward.ops.apply(f.forward.self, &op, &x, NULL, &mean, NULL));
	for (int b = 0; b < 2; b++) {
		CHECK(um_mask_count(200, um_row_d(&op, b)) == 60);
		other[b] = 0;
		for (int i = 0; i < 400; i++) {
			const double m = um_row_d(&op, b)[i % 200], d = um_row_d(&y, b)[i] - m * um_row_f(&x, b)[i];
			CHECK(um_row_d(&mean, b)[i] == m * um_row_f(&x, b)[i] && um_row_d(&s, b)[i] == 0.1);
			CHECK(m == 1 ? d != 0 : um_row_d(&y, b)[i] == 0);
			other[b] += d * d / 0.01 / 120;
		}
		sum += other[b] / 2;
	}
	CHECK_NEAR(sum, 1, 0.3);
	CHECK_OK(um_forward_stats(&f.forward, &op, &x, &y, &s, chi2));
	CHECK_NEAR(chi2[0], other[0], 1e-12);
	CHECK_NEAR(chi2[1], other[1], 1e-12);
	um_array_free(&x), um_array_free(&op), um_array_free(&y), um_array_free(&s), um_array_free(&mean);
	plug_close(&f);
}

/* With fractions every measurement sees another one, between them. */
/* Two measurements see the same pixels, which are those of a measurement that only has noise. */
static void inpaint_same(void)
{
	plug f;
	CHECK_OK(plug_try(&f, UM_FORWARD, "inpaint", plug_env(1, 1, 200), SET("seen=0.4", "same=true")));
	um_array x, op, y, sigma, one;
	CHECK_OK(um_array_new(&x, UM_F32, 6, (const int64_t[]){ 2, 1, 1, 1, 1, 200 }));
	CHECK_OK(um_array_new(&op, UM_F64, 2, (const int64_t[]){ 2, 200 }));
	CHECK_OK(um_array_new(&y, UM_F64, 2, (const int64_t[]){ 2, 200 }));
	CHECK_OK(um_array_new(&sigma, UM_F64, 2, (const int64_t[]){ 2, 200 }));
	CHECK_OK(um_array_new(&one, UM_F64, 2, (const int64_t[]){ 1, 200 }));
	um_rng rng[2] = { um_rng_new(1, "a", 0), um_rng_new(1, "a", 1) };
	CHECK_OK(f.forward.ops.simulate(f.forward.self, rng, &x, &op, &y, &sigma, NULL));
	CHECK_OK(f.forward.ops.noise(f.forward.self, &sigma, &one));
	double seen = 0;
	for (int i = 0; i < 200; i++) {
		CHECK(um_row_d(&op, 0)[i] == um_row_d(&op, 1)[i] && um_row_d(&op, 0)[i] == um_row_d(&one, 0)[i]);
		seen += um_row_d(&op, 0)[i];
	}
	CHECK(seen == 80);
	um_array_free(&x), um_array_free(&op), um_array_free(&y), um_array_free(&sigma), um_array_free(&one);
	plug_close(&f);
	CHECK(plug_try(&f, UM_FORWARD, "inpaint", plug_env(1, 1, 200), SET("same=true", "fractions=[0.2, 0.7]")) == UM_EPARAM);
	plug_close(&f);
}

static void inpaint_fractions(void)
{
	plug f;
	CHECK_OK(plug_try(&f, UM_FORWARD, "inpaint", plug_env(1, 1, 200), SET("seen=0.5", "fractions=[0.2, 0.7]")));
	um_array x = images(&f, 200, true), op = rows(200, 200), y = rows(200, 200), s = rows(200, 200), sigma, usual;
	um_rng r[200];
	double least = 1, most = 0, mean = 0;
	for (int b = 0; b < 200; b++)
		r[b] = um_rng_new(1, "fractions", (uint64_t)b);
	CHECK_OK(um_forward_simulate(&f.forward, r, &x, &op, &y, &s, NULL));
	for (int b = 0; b < 200; b++) {
		const double seen = (double)um_mask_count(200, um_row_d(&op, b)) / 200;
		least = fmin(least, seen), most = fmax(most, seen), mean += seen / 200;
	}
	CHECK(least >= 0.2 && least < 0.23 && most <= 0.7 && most > 0.67);
	CHECK_NEAR(mean, 0.45, 0.04);
	typical(&f, 1, &sigma, &usual);
	CHECK(um_mask_count(200, um_row_d(&usual, 0)) == 100);
	um_array_free(&x), um_array_free(&op), um_array_free(&y), um_array_free(&s), um_array_free(&sigma), um_array_free(&usual);
	plug_close(&f);
}

/* With widths every measurement has its own, in op, and is what a blur of that width makes. */
static void blur_widths(void)
{
	plug f;
	CHECK_OK(plug_try(&f, UM_FORWARD, "blur", plug_env(2, 6, 8), SET("boundary=reflecting", "widths=[0.5, 2.0]", "sigma=1e-9")));
	CHECK(f.forward.info.nop == 1);
	um_array x = images(&f, 20, true), op = rows(20, 1), y = rows(20, 96), s = rows(20, 96), one = rows(1, 96);
	um_rng r[20];
	for (int b = 0; b < 20; b++)
		r[b] = um_rng_new(1, "widths", (uint64_t)b);
	CHECK_OK(um_forward_simulate(&f.forward, r, &x, &op, &y, &s, NULL));
	for (int b = 0; b < 20; b++) {
		const double width = *um_row_d(&op, b);
		char set[40];
		plug g;
		snprintf(set, sizeof(set), "width=%.17g", width);
		CHECK(width >= 0.5 && width <= 2 && (b == 0 || width != *um_row_d(&op, 0)));
		CHECK_OK(plug_try(&g, UM_FORWARD, "blur", plug_env(2, 6, 8), SET("boundary=reflecting", set)));
		const um_array own = um_array_rows(&x, b, 1);
		CHECK_OK(g.forward.ops.apply(g.forward.self, &one, &own, NULL, &one, NULL));
		for (int i = 0; i < 96; i++)
			CHECK_NEAR(um_row_d(&y, b)[i], um_row_d(&one, 0)[i], 1e-7);
		plug_close(&g);
	}
	um_array_free(&x), um_array_free(&op), um_array_free(&y), um_array_free(&s), um_array_free(&one);
	plug_close(&f);
}

static void inpaint_boxes(void)
{
	plug f;
	um_array sigma, op;
	CHECK_OK(plug_try(&f, UM_FORWARD, "inpaint", plug_env(1, 6, 8), SET("pattern=box", "width=3", "height=2")));
	typical(&f, 1, &sigma, &op);
	for (int i = 0; i < 48; i++)
		CHECK(um_row_d(&op, 0)[i] == !(i / 8 >= 2 && i / 8 < 4 && i % 8 >= 2 && i % 8 < 5));
	um_array_free(&sigma), um_array_free(&op);
	plug_close(&f);
	CHECK_OK(plug_try(&f, UM_FORWARD, "inpaint", plug_env(1, 4, 4), SET("pattern=box", "width=3", "height=4",
		"place=random")));
	um_array x = images(&f, 40, true), y = rows(40, 16), s = rows(40, 16), o = rows(40, 16);
	um_rng r[40];
	int left = 0;
	for (int b = 0; b < 40; b++)
		r[b] = um_rng_new(1, "box", (uint64_t)b);
	CHECK_OK(um_forward_simulate(&f.forward, r, &x, &o, &y, &s, NULL));
	for (int b = 0; b < 40; b++) {
		CHECK(um_mask_count(16, um_row_d(&o, b)) == 4 && um_row_d(&o, b)[0] + um_row_d(&o, b)[3] == 1);
		left += um_row_d(&o, b)[0] == 1;
	}
	CHECK(left > 8 && left < 32);
	um_array_free(&x), um_array_free(&y), um_array_free(&s), um_array_free(&o);
	plug_close(&f);
}

static void inpaint_file(void)
{
	double mask[15];
	char path[64], set[80];
	plug f;
	um_array sigma, op;
	draw_mask(mask, 15);
	write_npy(path, sizeof(path), mask, 3, 5);
	snprintf(set, sizeof(set), "mask=%s", path);
	CHECK_OK(plug_try(&f, UM_FORWARD, "inpaint", plug_env(1, 3, 5), SET(set)));
	typical(&f, 1, &sigma, &op);
	CHECK(memcmp(op.data, mask, sizeof(mask)) == 0);
	um_array_free(&sigma), um_array_free(&op);
	plug_close(&f);
	remove_npy(path);
}

/* Magnitudes as plain sums; what is turned by half a turn has the same. */
static void check_phase(int channels, int high, int wide, const char *set, int tall, int broad)
{
	plug f;
	um_array x, y, sigma, op;
	look(&f, "phase", plug_env(channels, high, wide), SET(set), &x, &y);
	CHECK(f.forward.info.ny == channels * tall * broad && !f.forward.info.linear && f.forward.info.shift_free);
	for (int i = 0; i < channels * tall * broad; i++) {
		double re = 0, im = 0;
		for (int p = 0; p < high * wide; p++) {
			const double t = 2 * PI * ((double)(i / broad % tall) * (p / wide) / tall +
				(double)(i % broad) * (p % wide) / broad);
			re += um_row_f(&x, 0)[i / (tall * broad) * high * wide + p] * cos(t);
			im += um_row_f(&x, 0)[i / (tall * broad) * high * wide + p] * sin(t);
		}
		CHECK_NEAR(um_row_d(&y, 0)[i], hypot(re, im) / sqrt(tall * broad), 1e-12);
	}
	um_array turned = images(&f, 2, false), again = rows(2, f.forward.info.ny);
	for (int i = 0; i < 2 * channels * high * wide; i++)
		((float *)turned.data)[i] = ((float *)x.data)[(i / (high * wide) + 1) * high * wide - 1 - i % (high * wide)];
	typical(&f, 2, &sigma, &op);
	CHECK_OK(f.forward.ops.apply(f.forward.self, &op, &turned, NULL, &again, NULL));
	CHECK_SAME(&again, &y, 1e-13);
	um_array *all[] = { &x, &y, &sigma, &op, &turned, &again };
	for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++)
		um_array_free(all[i]);
	plug_close(&f);
}

/* <J d, v> = <d, J^T v>, J d by differences elsewhere (umbra test). */
static void check_phase_adjoint(int channels, int high, int wide, const char *set)
{
	plug f;
	um_array x, y, sigma, op;
	look(&f, "phase", plug_env(channels, high, wide), SET(set), &x, &y);
	typical(&f, 2, &sigma, &op);
	um_array d = images(&f, 2, true), j = images(&f, 2, false), dy = rows(2, f.forward.info.ny);
	um_array v = rows(2, f.forward.info.ny);
	um_rng r = um_rng_new(5, "v", 0);
	um_normal_fill(&r, v.data, um_array_len(&v));
	for (int64_t i = 0; i < um_array_len(&d); i++)
		((float *)d.data)[i] = (float)um_normal(&r);
	CHECK_OK(f.forward.ops.apply(f.forward.self, &op, &x, &d, &y, &dy));
	CHECK_OK(f.forward.ops.pullback(f.forward.self, &op, &x, &v, &j));
	um_array wd = widened(&d), wj = widened(&j);
	CHECK_NEAR(um_dot(um_array_len(&wd), wd.data, wj.data), um_dot(um_array_len(&v), v.data, dy.data),
		1e-6 * size(&wd) * size(&v));
	um_array *all[] = { &x, &y, &sigma, &op, &d, &j, &dy, &v, &wd, &wj };
	for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++)
		um_array_free(all[i]);
	plug_close(&f);
}

static void phases(void)
{
	check_phase(1, 3, 4, "oversample=2", 6, 8);
	check_phase(3, 5, 4, "oversample=1.4", 7, 6);
	check_phase(1, 4, 5, "oversample=1", 4, 5);
	check_phase_adjoint(1, 6, 8, "oversample=2");
	check_phase_adjoint(3, 5, 7, "oversample=1.4");
}

/* An image of zeros has no phases: the derivative is 0 and finite. */
static void phase_of_nothing(void)
{
	plug f;
	CHECK_OK(plug_try(&f, UM_FORWARD, "phase", plug_env(1, 3, 3), SET("oversample=2")));
	um_array x = images(&f, 1, false), d = images(&f, 1, true), y = rows(1, 36), dy = rows(1, 36), none = rows(1, 0);
	CHECK_OK(f.forward.ops.apply(f.forward.self, &none, &x, &d, &y, &dy));
	CHECK(size(&y) == 0 && size(&dy) == 0);
	CHECK_OK(f.forward.ops.pullback(f.forward.self, &none, &x, &y, &d));
	CHECK(um_row_f(&d, 0)[4] == 0);
	um_array_free(&x), um_array_free(&d), um_array_free(&y), um_array_free(&dy), um_array_free(&none);
	plug_close(&f);
}

/* ---- refusals ---------------------------------------------------------------------------- */

static void refuse(const char *name, um_env env, const char *const *set, um_status code, const char *text)
{
	plug f;
	CHECK_FAILS(plug_try(&f, UM_FORWARD, name, env, set), code, text);
	plug_close(&f);
}

static void refused(void)
{
	refuse("superres", plug_env(1, 8, 6), SET("factor=4"), UM_EPARAM, "factor = 4 does not divide");
	refuse("superres", plug_env(1, 1, 6), SET("factor=2"), UM_EPARAM, "6 x 1 pixels");
	refuse("blur", plug_env(1, 8, 8), SET("kernel=uniform", "size=4"), UM_EPARAM, "take 3 or 5");
	refuse("blur", plug_env(1, 8, 8), SET("widths=[0.5, 1.0]"), UM_EPARAM, "widths: are for kernel");
	refuse("blur", plug_env(1, 8, 8), SET("widths=[0.0, 1.0]", "boundary=circular"), UM_EPARAM, "0.1 at least");
	refuse("colorize", plug_env(1, 8, 8), NULL, UM_EPARAM, "image.channels = 3");
	refuse("colorize", plug_env(3, 8, 8), SET("weights=[1,2]"), UM_EPARAM, "weights: 2 numbers");
	refuse("colorize", plug_env(3, 8, 8), SET("weights=[0,0,0]"), UM_EPARAM, "all are 0");
	refuse("inpaint", plug_env(1, 8, 8), SET("pattern=box", "width=9"), UM_EPARAM, "make it smaller");
	refuse("inpaint", plug_env(1, 8, 8), SET("pattern=box", "width=8", "height=8"), UM_EPARAM, "width 8");
	refuse("mri", plug_env(1, 8, 8), SET("acceleration=20"), UM_EPARAM, "none of the 8 columns; make it at most 8");
	refuse("mri", plug_env(1, 8, 8), SET("centre=3"), UM_EPARAM, "2 of 8 columns");
	refuse("mri", plug_env(1, 8, 8), SET("pattern=poisson", "centre=5"), UM_EPARAM, "16 of 64 frequencies");
}

static void refused_masks(void)
{
	double mask[12] = { 0 };
	char path[64], set[80];
	for (int k = 0; k < 3; k++) {
		mask[0] = k == 0;
		mask[5] = k == 1 ? 0.5 : 0;
		write_npy(path, sizeof(path), mask, 3, 4);
		snprintf(set, sizeof(set), "mask=%s", path);
		static const char *const say[] = { "a mask of 4 x 3, but the image has 3 x 4 pixels",
			"row 1, column 1, counted from 0, is 0.5", "0 everywhere" };
		refuse("mri", plug_env(1, k ? 3 : 4, k ? 4 : 3), SET(set), UM_EDATA, say[k]);
		refuse("inpaint", plug_env(1, k ? 3 : 4, k ? 4 : 3), SET(set), UM_EDATA, say[k]);
		refuse("inpaint", plug_env(1, 8, 8), SET(set), UM_EDATA, "12 pixels, but 64");
		refuse("mri", plug_env(1, 8, 8), SET(set), UM_EDATA, "4 x 3, but the image has 8 x 8");
		remove_npy(path);
	}
}

CHECK_MAIN(CHECK_CASE(identities), CHECK_CASE(identities_everywhere), CHECK_CASE(matrices), CHECK_CASE(uneven), CHECK_CASE(blurs), CHECK_CASE(superres_sums),
	CHECK_CASE(bicubic_odd), CHECK_CASE(colorize_sum), CHECK_CASE(mri_sum), CHECK_CASE(accelerations),
	CHECK_CASE(lines), CHECK_CASE(chosen), CHECK_CASE(poisson), CHECK_CASE(spokes), CHECK_CASE(inpaint_masks), CHECK_CASE(inpaint_same), CHECK_CASE(inpaint_fractions), CHECK_CASE(blur_widths),
	CHECK_CASE(inpaint_boxes), CHECK_CASE(inpaint_file), CHECK_CASE(phases), CHECK_CASE(phase_of_nothing),
	CHECK_CASE(refused), CHECK_CASE(refused_masks))
