/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <umbra/linalg.h>
#include <umbra/optim.h>
#include "check.h"

/* ---- L-BFGS ---------------------------------------------------------------------- */

typedef struct { int64_t n, steps, stop; double wall; um_status fail; } quirks;

static um_status rosenbrock(void *context, const double *x, double *f, double *g)
{
	const quirks *q = context;
	*f = 0;
	for (int64_t i = 0; i < q->n; i++)
		g[i] = 0;
	for (int64_t i = 0; i + 1 < q->n; i++) {
		double a = 1 - x[i], b = x[i + 1] - x[i] * x[i];
		*f += a * a + 100 * b * b;
		g[i] -= 2 * a + 400 * x[i] * b;
		g[i + 1] += 200 * b;
	}
	return UM_OK;
}

/* sum k x_k^2 / 2 - x_k with condition n; outside |x_0| < wall there is nothing. */
static um_status quadratic(void *context, const double *x, double *f, double *g)
{
	const quirks *q = context;
	*f = 0;
	for (int64_t i = 0; i < q->n; i++) {
		*f += 0.5 * (double)(i + 1) * x[i] * x[i] - x[i];
		g[i] = (double)(i + 1) * x[i] - 1;
	}
	if (q->wall > 0 && fabs(x[0]) > q->wall)
		*f = INFINITY;
	if (q->fail != UM_OK)
		return um_fail(q->fail, "the value fails");
	return UM_OK;
}

/* A kink that no gradient tolerance is ever met on. */
static um_status absolute(void *context, const double *x, double *f, double *g)
{
	const quirks *q = context;
	*f = 0;
	for (int64_t i = 0; i < q->n; i++) {
		*f += fabs(x[i] - 1);
		g[i] = x[i] > 1 ? 1 : -1;
	}
	return UM_OK;
}

static bool count(void *context, int64_t iteration, const double *x, double f, double gnorm)
{
	quirks *q = context;
	CHECK(iteration == q->steps + 1 && isfinite(f) && gnorm >= 0 && isfinite(x[0]));
	q->steps = iteration;
	return q->stop == 0 || iteration < q->stop;
}

static void valley(void)
{
	for (int64_t n = 2; n <= 37; n += 5) { /* also sizes that SSE does not divide */
		quirks q = { .n = n };
		double x[37];
		um_lbfgs_job job = { .n = n, .value = rosenbrock, .step = count, .context = &q, .gtol = 1e-9 };
		for (int64_t i = 0; i < n; i++)
			x[i] = i % 2 ? 1 : -1.2;
		CHECK_OK(um_lbfgs(&job, x));
		CHECK(job.end == UM_LBFGS_CONVERGED);
		CHECK(job.done == q.steps && job.nfe >= job.done);
		CHECK(n > 2 || job.nfe < 80);
		if (n == 2) /* longer ones have a second minimum */
			for (int64_t i = 0; i < n; i++)
				CHECK_NEAR(x[i], 1, 1e-7);
	}
}

static void quadratic_cases(void)
{
	static const struct { quirks q; um_lbfgs_job job; um_lbfgs_end end; double tol; } cases[] = {
		{ { .n = 100 }, { .gtol = 1e-10 }, UM_LBFGS_CONVERGED, 1e-9 },
		{ { .n = 100 }, { .ftol = 1e-14 }, UM_LBFGS_CONVERGED, 1e-5 },
		{ { .n = 100 }, { .memory = 3, .gtol = 1e-8 }, UM_LBFGS_CONVERGED, 1e-7 },
		{ { .n = 100 }, { .iterations = 3 }, UM_LBFGS_LIMIT, 10 },
		{ { .n = 100, .stop = 4 }, { .gtol = 1e-9 }, UM_LBFGS_STOPPED, 10 },
		{ { .n = 100, .wall = 1.01 }, { .gtol = 1e-8 }, UM_LBFGS_CONVERGED, 1e-7 },
	};
	for (size_t c = 0; c < sizeof(cases) / sizeof(*cases); c++) {
		quirks q = cases[c].q;
		um_lbfgs_job job = cases[c].job;
		double x[100] = { 0 };
		job.n = q.n, job.value = quadratic, job.step = count, job.context = &q;
		CHECK_OK(um_lbfgs(&job, x));
		CHECK(job.end == cases[c].end && job.done == q.steps);
		for (int64_t i = 0; i < q.n; i++)
			CHECK_NEAR(x[i], 1 / (double)(i + 1), cases[c].tol);
	}
}

static void kink_and_failures(void)
{
	quirks q = { .n = 5 }, bad = { .n = 5, .fail = UM_EDATA }, wall = { .n = 5, .wall = 1e-3 };
	double x[5] = { 3, -2, 0.5, 7, 1.5 }, y[5] = { 1 };
	um_lbfgs_job job = { .n = 5, .value = absolute, .context = &q, .iterations = 200 };
	CHECK_OK(um_lbfgs(&job, x));
	CHECK(job.end == UM_LBFGS_STALLED || job.end == UM_LBFGS_LIMIT);
	CHECK(job.f < 1);
	job = (um_lbfgs_job){ .n = 5, .value = quadratic, .context = &bad };
	CHECK_FAILS(um_lbfgs(&job, y), UM_EDATA, "the value fails");
	job = (um_lbfgs_job){ .n = 5, .value = quadratic, .context = &wall };
	CHECK_FAILS(um_lbfgs(&job, y), UM_ENUM, "starting point");
	job = (um_lbfgs_job){ .n = 0, .value = quadratic, .context = &wall };
	CHECK_FAILS(um_lbfgs(&job, y), UM_EARG, "0 numbers");
}

/* ---- Adam ------------------------------------------------------------------------- */

/* Two steps on constant gradients by hand: unbiased moments are g and g^2 in both, so that each
 * step is rate g / (|g| + eps); then a third with g = 0: m = .081, v = .000998001 (g = 1). */
static void by_hand(void)
{
	um_adam a;
	double x[2] = { 1, -1 };
	CHECK_OK(um_adam_new(&a, 2, 0.1));
	for (int i = 0; i < 2; i++) {
		double g[2] = { 1, -4 };
		CHECK_NEAR(um_adam_step(&a, x, g), sqrt(17), 1e-15);
	}
	CHECK_NEAR(x[0], 1 - 0.2 / (1 + 1e-8), 1e-14);
	CHECK_NEAR(x[1], -1 + 0.8 / (4 + 1e-8), 1e-14);
	double g[2] = { 0, 0 }, before = x[0];
	um_adam_step(&a, x, g);
	CHECK_NEAR(um_row_d(&a.moments, 0)[0], 0.9 * 0.19, 1e-15);
	CHECK_NEAR(um_row_d(&a.moments, 1)[0], 0.999 * 0.001999, 1e-15);
	double m = 0.171 / (1 - 0.729), v = 0.001997001 / (1 - 0.997002999);
	CHECK_NEAR(x[0], before - 0.1 * m / (sqrt(v) + 1e-8), 1e-12);
	CHECK(a.step == 3);
	um_adam_free(&a);
}

/* Algorithm 2 of the AdamW paper as it is written, in double; without decay algorithm 1 of Adam's. */
static void reference(int64_t n, double *x, const double *g, double *m, double *v, int step, double rate,
	double decay)
{
	for (int64_t i = 0; i < n; i++) {
		m[i] = 0.9 * m[i] + 0.1 * g[i];
		v[i] = 0.999 * v[i] + 0.001 * g[i] * g[i];
		double mhat = m[i] / (1 - pow(0.9, step)), vhat = v[i] / (1 - pow(0.999, step));
		x[i] = x[i] - rate * (mhat / (sqrt(vhat) + 1e-8) + decay * x[i]);
	}
}

/* Both types, with and without decay, on numbers that blocks and vectors do not divide. */
static void written_out(void)
{
	enum { N = 20011 };
	static double x[N], y[N], g[N], m[N], v[N];
	static float xf[N], gf[N];
	for (int decays = 0; decays < 2; decays++) {
		um_adam a, f;
		double worst = 0, worst_f = 0, decay = decays ? 0.3 : 0;
		CHECK_OK(um_adam_new(&a, N, 0.02));
		CHECK_OK(um_adam_new_f(&f, N, 0.02));
		a.weight_decay = f.weight_decay = decay;
		memset(m, 0, sizeof(m));
		memset(v, 0, sizeof(v));
		for (int i = 0; i < N; i++)
			x[i] = y[i] = xf[i] = (float)cos(i);
		for (int k = 1; k <= 3; k++) {
			double size = 0;
			for (int i = 0; i < N; i++) {
				g[i] = gf[i] = (float)(sin(i * k) * pow(10, i % 7 - 4));
				size += g[i] * g[i];
			}
			CHECK_REL(um_adam_step(&a, x, g), sqrt(size), 1e-13);
			CHECK_REL(um_adam_step_f(&f, xf, gf), sqrt(size), 1e-13);
			reference(N, y, g, m, v, k, 0.02, decay);
		}
		for (int i = 0; i < N; i++) {
			worst = fmax(worst, fabs(x[i] - y[i]));
			worst_f = fmax(worst_f, fabs((double)xf[i] - y[i]));
		}
		CHECK_NEAR(worst, 0, 1e-14);
		CHECK_NEAR(worst_f, 0, 3e-7);
		CHECK(a.skipped == 0 && f.step == 3);
		um_adam_free(&a);
		um_adam_free(&f);
	}
}

static void clipping(void)
{
	um_adam a, f;
	double x[2] = { 0 };
	const double g[2] = { 3, 4 }, small[2] = { 0.3, 0.4 };
	float xf[2] = { 0 };
	const float gf[2] = { 3, 4 };
	CHECK_OK(um_adam_new(&a, 2, 0.1));
	CHECK_OK(um_adam_new_f(&f, 2, 0.1));
	a.clip = f.clip = 1;
	CHECK_NEAR(um_adam_step(&a, x, g), 5, 1e-15);
	CHECK_NEAR(um_row_d(&a.moments, 0)[0], 0.1 * 3 / 5.000001, 1e-15);
	CHECK_NEAR(um_row_d(&a.moments, 1)[1], 0.001 * 16 / (5.000001 * 5.000001), 1e-15);
	CHECK_NEAR(um_adam_step_f(&f, xf, gf), 5, 1e-15);
	CHECK_NEAR(um_row_f(&f.moments, 0)[0], 0.1 * 3 / 5.000001, 1e-8);
	CHECK_NEAR(um_adam_step(&a, x, small), 0.5, 1e-15);
	CHECK_NEAR(um_row_d(&a.moments, 0)[0], 0.09 * 3 / 5.000001 + 0.1 * 0.3, 1e-15);
	um_adam_free(&a);
	um_adam_free(&f);
}

/* A gradient that is not finite, or whose square is not, changes nothing and is counted. */
static void skipping(void)
{
	static const struct { float g; double clip; bool skips; } cases[] = {
		{ NAN, 0, true }, { NAN, 1, true }, { INFINITY, 0, true }, { -INFINITY, 1, true },
		{ 1e30f, 0, true }, { 1e30f, 1, false }, { 1e-30f, 1, false },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		um_adam a, d;
		float x[3] = { 1, 2, 3 }, g[3] = { 1, cases[i].g, 1 };
		double xd[3] = { 1, 2, 3 }, gd[3] = { 1, cases[i].g, 1 };
		const float zero[6] = { 0 };
		CHECK_OK(um_adam_new_f(&a, 3, 0.1));
		CHECK_OK(um_adam_new(&d, 3, 0.1));
		a.clip = d.clip = cases[i].clip;
		a.weight_decay = d.weight_decay = 0.1;
		double size = um_adam_step_f(&a, x, g), same = um_adam_step(&d, xd, gd);
		CHECK((isnan(size) && isnan(same)) || size == same);
		CHECK(isfinite(size) == isfinite(cases[i].g));
		CHECK(a.skipped == cases[i].skips && a.step == !cases[i].skips);
		CHECK(d.skipped == !isfinite(cases[i].g));
		if (cases[i].skips)
			CHECK(x[0] == 1 && x[1] == 2 && x[2] == 3 && memcmp(a.moments.data, zero, sizeof(zero)) == 0);
		for (int k = 0; k < 3; k++)
			CHECK(isfinite(x[k]) && isfinite(xd[k]) && isfinite(um_row_f(&a.moments, 1)[k]));
		um_adam_free(&a);
		um_adam_free(&d);
	}
}

/* Moments end at zero, where they would stay subnormal and slow. */
static void fading(void)
{
	um_adam a;
	float x[40], g[40];
	int64_t live = 0;
	CHECK_OK(um_adam_new_f(&a, 40, 1e-3));
	for (int i = 0; i < 40; i++)
		x[i] = 1, g[i] = 1e-6f;
	um_adam_step_f(&a, x, g);
	memset(g, 0, sizeof(g));
	for (int k = 0; k < 900; k++)
		um_adam_step_f(&a, x, g);
	for (int i = 0; i < 40; i++)
		live += um_row_f(&a.moments, 0)[i] != 0;
	CHECK(live == 0 && um_row_f(&a.moments, 1)[0] > 1e-16f);
	um_adam_free(&a);
}

/* Equal bytes for any number of threads. */
static void threads(void)
{
	enum { N = 100003 };
	static float x[2][N], g[N];
	um_adam a[2];
	double size[2];
	for (int k = 0; k < 2; k++) {
		um_threads(k + 1);
		CHECK_OK(um_adam_new_f(&a[k], N, 0.01));
		a[k].clip = 1;
		a[k].weight_decay = 0.01;
		for (int s = 0; s < 5; s++) {
			for (int i = 0; i < N; i++)
				g[i] = sinf((float)(i * (s + 1))) + 0.1f * x[k][i];
			size[k] = um_adam_step_f(&a[k], x[k], g);
		}
	}
	CHECK(size[0] == size[1] && memcmp(x[0], x[1], sizeof(x[0])) == 0);
	CHECK(memcmp(a[0].moments.data, a[1].moments.data, 2 * sizeof(x[0])) == 0);
	um_adam_free(&a[0]);
	um_adam_free(&a[1]);
}

static void rates(void)
{
	um_adam a = { .rate = 2, .warmup = 10, .span = 100, .floor = 0.01 };
	static const struct { um_decay decay; int64_t step; double rate; } cases[] = {
		{ UM_DECAY_NONE, 1, 0.2 }, { UM_DECAY_NONE, 5, 1 }, { UM_DECAY_NONE, 10, 2 },
		{ UM_DECAY_NONE, 1000, 2 }, { UM_DECAY_COSINE, 5, 2 * 0.5 * (0.01 + 0.99 * 0.5 * 1.98768834059514) }, { UM_DECAY_COSINE, 50, 2 * 0.505 }, { UM_DECAY_COSINE, 100, 0.02 },
		{ UM_DECAY_COSINE, 500, 0.02 }, { UM_DECAY_EXPONENTIAL, 50, 0.2 },
		{ UM_DECAY_EXPONENTIAL, 100, 0.02 }, { UM_DECAY_EXPONENTIAL, 300, 0.02 },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		a.decay = cases[i].decay;
		CHECK_NEAR(um_adam_rate(&a, cases[i].step), cases[i].rate, 1e-14);
	}
}

/* Moments and step are the whole state. */
static void restored(void)
{
	um_adam a, b;
	double x[3] = { 1, 2, 3 }, y[3];
	CHECK_OK(um_adam_new(&a, 3, 0.05));
	CHECK_OK(um_adam_new(&b, 3, 0.05));
	for (int i = 0; i < 40; i++) {
		double g[3] = { x[0], 2 * x[1], sin(x[2]) };
		um_adam_step(&a, x, g);
		if (i == 19) {
			CHECK_OK(um_array_copy(&b.moments, &a.moments));
			b.step = a.step;
			memcpy(y, x, sizeof(y));
		}
	}
	for (int i = 0; i < 20; i++) {
		double g[3] = { y[0], 2 * y[1], sin(y[2]) };
		um_adam_step(&b, y, g);
	}
	CHECK(memcmp(x, y, sizeof(x)) == 0);
	um_adam_free(&a);
	um_adam_free(&b);
}

CHECK_MAIN(CHECK_CASE(valley), CHECK_CASE(quadratic_cases), CHECK_CASE(kink_and_failures),
	CHECK_CASE(by_hand), CHECK_CASE(written_out), CHECK_CASE(clipping), CHECK_CASE(skipping),
	CHECK_CASE(fading), CHECK_CASE(threads), CHECK_CASE(rates), CHECK_CASE(restored))
