/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The gridded transform against the direct one, against its own transpose, and for what it
 * promises of batches, repeats and wrong arguments. */
#include <stdbool.h>
#include <umbra/dft.h>
#include <umbra/nufft.h>
#include <umbra/rng.h>
#include "check.h"

#define PIXEL 1.2e-11

struct shape {
	int64_t n, rows, columns, batch;
	double reach; /* of u and v, in units of the Nyquist frequency 1/(2 pixel) */
};

static const struct shape shapes[] = {
	{ 1, 1, 1, 1, 1 }, { 50, 8, 8, 3, 1 }, { 130, 9, 6, 2, 0.5 }, { 128, 5, 7, 1, 3 },
	{ 300, 32, 31, 11, 1 }, { 50, 1, 12, 2, 2 }, { 20, 12, 1, 2, 1 }, { 1000, 64, 64, 9, 0.2 },
	{ 700, 33, 100, 3, 20 }, { 200, 48, 48, 2, 1e-3 },
};
#define SHAPES (sizeof(shapes) / sizeof(*shapes))

static const double tolerances[] = { 1e-2, 1e-3, 1e-4, 1e-6, 1e-7, 1e-9, 1e-10, 1e-12, 1e-13 };
#define TOLERANCES (sizeof(tolerances) / sizeof(*tolerances))

/* Points and images of one shape, data of its transpose, and results. */
struct problem {
	const struct shape *s;
	int64_t pixels, points;  /* of all the batch */
	double *u, *v;
	double *x, *back, *re, *im, *wre, *wim;
};

static double *randoms(um_rng *r, int64_t n)
{
	double *p = malloc((size_t)n * sizeof(*p));
	for (int64_t i = 0; i < n; i++)
		p[i] = um_normal(r);
	return p;
}

/* Among the points: the origin, both Nyquist edges, a corner, and just outside. */
static struct problem problem_new(const struct shape *s, uint64_t seed)
{
	static const double edges[][2] = { { 0, 0 }, { 1, 0 }, { -1, 0 }, { 0, 1 }, { 0, -1 }, { 1, 1 },
		{ -1, 1 }, { 1 + 1e-9, -1 - 1e-9 }, { -1e-17, 1e-17 }, { 0, -1e-17 }, { -3, 2 } };
	const double nyquist = 0.5 / PIXEL;
	um_rng r = um_rng_new(seed, "nufft", (uint64_t)(s - shapes));
	struct problem p = { s, s->batch * s->rows * s->columns, s->batch * s->n, NULL, NULL, NULL,
		NULL, NULL, NULL, NULL, NULL };
	p.u = randoms(&r, s->n);
	p.v = randoms(&r, s->n);
	for (int64_t i = 0; i < s->n; i++) {
		p.u[i] = s->reach * nyquist * (2 * um_uniform(&r) - 1);
		p.v[i] = s->reach * nyquist * (2 * um_uniform(&r) - 1);
	}
	for (int64_t i = 0; i < 11 && i < s->n && s->reach >= 1; i++) {
		p.u[i] = nyquist * edges[i][0];
		p.v[i] = nyquist * edges[i][1];
	}
	p.x = randoms(&r, p.pixels);
	p.back = randoms(&r, p.pixels);
	p.re = randoms(&r, p.points);
	p.im = randoms(&r, p.points);
	p.wre = randoms(&r, p.points);
	p.wim = randoms(&r, p.points);
	return p;
}

static void problem_free(struct problem *p)
{
	free(p->u), free(p->v), free(p->x), free(p->back);
	free(p->re), free(p->im), free(p->wre), free(p->wim);
}

static um_nufft *make(const struct problem *p, double tolerance)
{
	um_nufft *f = NULL;
	CHECK_OK(um_nufft_new(p->u, p->v, NULL, p->s->n, p->s->rows, p->s->columns, PIXEL, tolerance, &f));
	return f;
}

static double norm1(const double *x, int64_t n)
{
	double sum = 0;
	for (int64_t i = 0; i < n; i++)
		sum += fabs(x[i]);
	return sum;
}

/* Largest error of a visibility over the sum of |x|, over the batch. */
static double error_of(const struct problem *p, double tolerance)
{
	const int64_t n = p->s->n;
	const int64_t each = p->s->rows * p->s->columns;
	um_dft *d = NULL;
	um_nufft *f = make(p, tolerance);
	double worst = 0;
	CHECK_OK(um_dft_new(p->u, p->v, n, p->s->rows, p->s->columns, PIXEL, UM_DELTA, &d));
	CHECK_OK(um_dft_forward(d, p->s->batch, p->x, p->wre, p->wim));
	CHECK_OK(um_nufft_forward(f, p->s->batch, p->x, p->re, p->im));
	for (int64_t b = 0; b < p->s->batch; b++)
		for (int64_t i = b * n; i < (b + 1) * n; i++)
			worst = fmax(worst, hypot(p->re[i] - p->wre[i], p->im[i] - p->wim[i])
				/ norm1(p->x + b * each, each));
	um_dft_free(d);
	um_nufft_free(f);
	return worst;
}

static void forward(void)
{
	for (size_t i = 0; i < SHAPES; i++)
		for (size_t j = 0; j < TOLERANCES; j++) {
			struct problem p = problem_new(&shapes[i], 1);
			double worst = error_of(&p, tolerances[j]);
			CHECK_NEAR(worst, 0, fmax(tolerances[j], 5e-13)); /* rounding */
			problem_free(&p);
		}
}

static double dot(const double *a, const double *b, int64_t n)
{
	double sum = 0;
	for (int64_t i = 0; i < n; i++)
		sum += a[i] * b[i];
	return sum;
}

/* <Ax, y> = <x, A'y>, relative to |Ax| |y|. */
static void adjoint(void)
{
	for (size_t i = 0; i < SHAPES; i++)
		for (size_t j = 0; j < TOLERANCES; j++) {
			struct problem p = problem_new(&shapes[i], 2);
			um_nufft *f = make(&p, tolerances[j]);
			CHECK_OK(um_nufft_forward(f, p.s->batch, p.x, p.re, p.im));
			CHECK_OK(um_nufft_adjoint(f, p.s->batch, p.wre, p.wim, p.back));
			double left = dot(p.re, p.wre, p.points) + dot(p.im, p.wim, p.points);
			double right = dot(p.x, p.back, p.pixels);
			double size = sqrt(dot(p.re, p.re, p.points) + dot(p.im, p.im, p.points))
				* sqrt(dot(p.wre, p.wre, p.points) + dot(p.wim, p.wim, p.points));
			CHECK_NEAR(left, right, 1e-12 * size);
			um_nufft_free(f);
			problem_free(&p);
		}
}

/* A(2 x - 3 z) = 2 A x - 3 A z. */
static void linear(void)
{
	struct problem p = problem_new(&shapes[4], 3);
	struct problem q = problem_new(&shapes[4], 4);
	um_nufft *f = make(&p, 1e-9);
	CHECK_OK(um_nufft_forward(f, p.s->batch, p.x, p.re, p.im));
	CHECK_OK(um_nufft_forward(f, p.s->batch, q.x, q.re, q.im));
	for (int64_t i = 0; i < p.pixels; i++)
		p.x[i] = 2 * p.x[i] - 3 * q.x[i];
	CHECK_OK(um_nufft_forward(f, p.s->batch, p.x, p.wre, p.wim));
	for (int64_t i = 0; i < p.points; i++) {
		CHECK_NEAR(p.wre[i], 2 * p.re[i] - 3 * q.re[i], 1e-11);
		CHECK_NEAR(p.wim[i], 2 * p.im[i] - 3 * q.im[i], 1e-11);
	}
	um_nufft_free(f);
	problem_free(&p);
	problem_free(&q);
}

/* Bytes do not depend on the batch, on earlier calls, or on which of two equal operators. */
static void repeatable(void)
{
	for (size_t i = 0; i < SHAPES; i++) {
		struct problem p = problem_new(&shapes[i], 5);
		struct problem q = problem_new(&shapes[i], 5);
		const int64_t each = p.s->rows * p.s->columns;
		um_nufft *f = make(&p, 1e-6);
		um_nufft *g = make(&q, 1e-6);
		CHECK_OK(um_nufft_forward(f, p.s->batch, p.x, p.re, p.im));
		CHECK_OK(um_nufft_adjoint(f, p.s->batch, p.wre, p.wim, p.back));
		for (int64_t b = 0; b < p.s->batch; b++) {
			CHECK_OK(um_nufft_forward(g, 1, q.x + b * each, q.re + b * p.s->n, q.im + b * p.s->n));
			CHECK_OK(um_nufft_adjoint(g, 1, q.wre + b * p.s->n, q.wim + b * p.s->n, q.back + b * each));
		}
		CHECK(memcmp(p.re, q.re, (size_t)p.points * sizeof(double)) == 0);
		CHECK(memcmp(p.im, q.im, (size_t)p.points * sizeof(double)) == 0);
		CHECK(memcmp(p.back, q.back, (size_t)p.pixels * sizeof(double)) == 0);
		um_nufft_free(f);
		um_nufft_free(g);
		problem_free(&p);
		problem_free(&q);
	}
}

/* Factors multiply visibilities; a batch of none is no work. */
static void factors(void)
{
	struct problem p = problem_new(&shapes[1], 6);
	um_nufft *f = make(&p, 1e-6);
	um_nufft *g = NULL;
	CHECK_OK(um_nufft_new(p.u, p.v, p.wre, p.s->n, p.s->rows, p.s->columns, PIXEL, 1e-6, &g));
	CHECK_OK(um_nufft_forward(f, 1, p.x, p.re, p.im));
	CHECK_OK(um_nufft_forward(g, 1, p.x, p.re + p.s->n, p.im + p.s->n));
	for (int64_t i = 0; i < p.s->n; i++) {
		CHECK_NEAR(p.re[p.s->n + i], p.wre[i] * p.re[i], 1e-12);
		CHECK_NEAR(p.im[p.s->n + i], p.wre[i] * p.im[i], 1e-12);
	}
	CHECK_OK(um_nufft_forward(f, 0, p.x, p.re, p.im));
	CHECK(um_nufft_bytes(f) < 1e5 && um_nufft_work_bytes(f) < 1e7);
	um_nufft_free(f);
	um_nufft_free(g);
	problem_free(&p);
}

/* Many points on a large grid keep little more than the points. */
static void large(void)
{
	static const struct shape s = { 100000, 512, 512, 1, 0.9 };
	um_rng r = um_rng_new(7, "nufft", 0);
	um_nufft *f = NULL;
	double *u = randoms(&r, s.n);
	double *v = randoms(&r, s.n);
	for (int64_t i = 0; i < s.n; i++) {
		u[i] *= 0.1 / PIXEL;
		v[i] *= 0.1 / PIXEL;
	}
	CHECK_OK(um_nufft_new(u, v, NULL, s.n, s.rows, s.columns, PIXEL, 1e-9, &f));
	CHECK(um_nufft_bytes(f) < 5e6);
	CHECK(um_nufft_work_bytes(f) < 10e6);
	um_nufft_free(f);
	free(u), free(v);
}

static void refused(void)
{
	um_nufft *f = NULL;
	const double u = 1e9;
	const double bad = (double)INFINITY;
	CHECK_FAILS(um_nufft_new(&u, &u, NULL, 1, 3, 3, 0, 1e-6, &f), UM_EARG, "pixel");
	CHECK_FAILS(um_nufft_new(&u, &u, NULL, 1, 3, 3, PIXEL, 1e-15, &f), UM_EARG, "tolerance");
	CHECK_FAILS(um_nufft_new(&u, &u, NULL, 1, 3, 3, PIXEL, (double)NAN, &f), UM_EARG, "tolerance");
	CHECK_FAILS(um_nufft_new(&u, &bad, NULL, 1, 3, 3, PIXEL, 1e-6, &f), UM_EARG, "point 0");
	CHECK(f == NULL);
	um_nufft_free(NULL);
}

CHECK_MAIN(CHECK_CASE(forward), CHECK_CASE(adjoint), CHECK_CASE(linear), CHECK_CASE(repeatable),
	CHECK_CASE(factors), CHECK_CASE(large), CHECK_CASE(refused))
