/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The density of a diffusion with a score that is known: two Gaussians in the plane, with numbers of an
 * independent program (numpy: Runge-Kutta of order 4, 4000 steps uniform in sqrt t; quadrature for the
 * bound), and Gaussians of up to 256 dimensions in closed form. "test_probflow tables" prints errors and
 * evaluations of every solver and spreads against probes (make validate). */
#include <umbra/probflow.h>
#include "plug.h"

/* ---- two Gaussians in the plane --------------------------------------------------------- */

enum { POINTS = 6 };
static const struct {
	double x[2], density, lp, gradient[2]; /* of the data; at time 1e-3, by the equation */
	double bound, with_offset; /* of the lower bound, eps = 1e-3; 0: not known */
} toy[POINTS] = {
	{ { -0.5, -0.5 }, 2.074146, 2.063293, { 0.00265604, 0.00265604 }, 2.052444, 2.073968 },
	{ { 0.0, 0.0 }, -22.232707, -21.971664, { 0, 0 }, -21.75934, -22.19470 },
	{ { 0.3, -0.2 }, -24.425809, -24.148617, { 19.77797, 69.23750 }, -24.159193, -24.422921 },
	{ { -0.527548, -0.476584 }, 2.008786, 1.998629, { 2.72768412, -2.31362609 }, 1.987795, 2.008616 },
	{ { 1.0, -1.0 }, -122.232707, -120.890709, { -98.91904505, 98.91904505 }, 0, 0 },
	{ { 0.45, 0.6 }, 1.449146, 1.444914, { 4.94322388, -9.89463287 }, 1.434242, 1.449042 },
};

static um_probflow flow_of(const plug *g, double from)
{
	um_probflow f = { .score = g->prior.ops.score, .self = g->prior.self, .sde = um_sde_default(UM_SDE_VP),
		.from = from, .to = 1, .method = UM_ODE_DOPRI5, .rtol = 1e-8, .atol = 1e-8, .n = 1 };
	for (int i = 0; i < 5; i++) {
		f.shape[i] = g->env.shape[i];
		f.n *= f.shape[i];
	}
	return f;
}

static void toy_points(um_array *x, um_array *dx)
{
	const int64_t dim[6] = { POINTS, 1, 1, 1, 1, 2 };
	CHECK_OK(um_array_new(x, UM_F32, 6, dim));
	CHECK_OK(um_array_new(dx, UM_F32, 6, dim));
	for (int i = 0; i < 2 * POINTS; i++)
		((float *)x->data)[i] = (float)toy[i / 2].x[i % 2];
}

/* Points are rounded to float: their densities move by the gradient times that. */
static void toy_values(void)
{
	static const um_ode_method methods[] = { UM_ODE_BOSH3, UM_ODE_TSIT5, UM_ODE_DOPRI5, UM_ODE_DOPRI8 };
	plug g;
	um_array x, dx;
	double lp[POINTS];
	um_probflow_count count;
	CHECK_OK(plug_try(&g, UM_PRIOR, "gmm", plug_env(1, 1, 2), NULL));
	toy_points(&x, &dx);
	um_probflow f = flow_of(&g, 1e-3);
	for (int m = 0; m < 4; m++)
		for (int way = 0; way < 2; way++) {
			f.method = methods[m];
			f.rtol = f.atol = 1e-8;
			f.gradient = way == 0 ? UM_GRADIENT_ADJOINT : UM_GRADIENT_STEPS;
			CHECK_OK(um_probflow_logp(&f, NULL, &x, lp, &dx, &count));
			printf("method %d, gradient %d: %lld and %lld calls\n", (int)methods[m], way,
				(long long)count.forward, (long long)count.backward);
			for (int i = 0; i < POINTS; i++) {
				CHECK_NEAR(lp[i], toy[i].lp, 1e-4);
				for (int k = 0; k < 2; k++)
					CHECK_NEAR(((float *)dx.data)[2 * i + k], toy[i].gradient[k],
						1e-4 * (1 + fabs(toy[i].gradient[k])));
			}
		}
	um_array_free(&x);
	um_array_free(&dx);
	plug_close(&g);
}

/* From the very beginning it is the density of the data, to what N(0, 1) is away from the end. */
static void from_zero(void)
{
	plug g;
	um_array x, dx;
	double lp[POINTS], exact[POINTS];
	CHECK_OK(plug_try(&g, UM_PRIOR, "gmm", plug_env(1, 1, 2), NULL));
	toy_points(&x, &dx);
	const um_sde_kind kinds[] = { UM_SDE_VP, UM_SDE_SUBVP, UM_SDE_VE, UM_SDE_FLOW };
	for (int k = 0; k < 4; k++) {
		um_probflow f = flow_of(&g, k == 2 ? 0 : 1e-12);
		f.sde = um_sde_default(kinds[k]);
		f.sde.sigma_min = 1e-6;
		f.to = kinds[k] == UM_SDE_FLOW ? 0.9999 : 1;
		CHECK_OK(um_probflow_logp(&f, NULL, &x, lp, NULL, NULL));
		CHECK_OK(g.prior.ops.logp(g.prior.self, NULL, &x, exact, NULL));
		for (int i = 0; i < POINTS; i++)
			CHECK_NEAR(exact[i], toy[i].density, 1e-4);
		for (int i = 0; i < POINTS; i++)
			CHECK_NEAR(lp[i], exact[i], kinds[k] == UM_SDE_VP ? 5e-3 : 5e-2);
	}
	um_array_free(&x);
	um_array_free(&dx);
	plug_close(&g);
}

/* The bound over 10^5 draws. */
static void bounds(void)
{
	enum { COPIES = 1000, DRAWS = 100 };
	plug g;
	um_array x;
	um_rng *rng = malloc(sizeof(*rng) * COPIES);
	double *b = malloc(sizeof(*b) * COPIES);
	CHECK_OK(plug_try(&g, UM_PRIOR, "gmm", plug_env(1, 1, 2), NULL));
	CHECK_OK(um_array_new(&x, UM_F32, 6, (const int64_t[]){ COPIES, 1, 1, 1, 1, 2 }));
	const um_probflow f = flow_of(&g, 1e-3);
	for (int i = 0; i < POINTS; i++)
		for (int way = 0; toy[i].bound != 0 && way < 4; way++) {
			const um_elbo e = { .times = DRAWS, .noises = 1, .stratified = way & 1, .offset = way & 2,
				.variance = way == 1 ? 0.26 : way == 3 ? 5 : 0 };
			double mean = 0, var = 0;
			for (int k = 0; k < COPIES; k++) {
				rng[k] = um_rng_new(5, "bound", (uint64_t)(k + COPIES * way));
				((float *)x.data)[2 * k] = (float)toy[i].x[0];
				((float *)x.data)[2 * k + 1] = (float)toy[i].x[1];
			}
			CHECK_OK(um_elbo_bound(&f, &e, rng, &x, b, NULL));
			for (int k = 0; k < COPIES; k++)
				mean += b[k] / COPIES;
			for (int k = 0; k < COPIES; k++)
				var += (b[k] - mean) * (b[k] - mean) / (COPIES - 1);
			CHECK_NEAR(mean, way & 2 ? toy[i].with_offset : toy[i].bound, 4 * sqrt(var / COPIES));
		}
	um_array_free(&x);
	free(rng);
	free(b);
	plug_close(&g);
}

/* The mean of gradients is the gradient of the mean: the same draws at moved points. */
static void bound_gradient(void)
{
	const double h = 4e-4;
	plug g;
	um_array x, dx;
	double b[2][POINTS];
	um_rng rng[POINTS];
	CHECK_OK(plug_try(&g, UM_PRIOR, "gmm", plug_env(1, 1, 2), NULL));
	toy_points(&x, &dx);
	const um_probflow f = flow_of(&g, 1e-3);
	const um_elbo e = { .times = 20, .noises = 2, .stratified = true, .offset = true, .variance = 0.26 };
	for (int k = 0; k < 2; k++) {
		for (int s = 0; s < 2; s++) {
			for (int i = 0; i < POINTS; i++) {
				rng[i] = um_rng_new(6, "gradient", (uint64_t)i);
				((float *)x.data)[2 * i + k] = (float)(toy[i].x[k] + (s ? h : -h));
			}
			CHECK_OK(um_elbo_bound(&f, &e, rng, &x, b[s], NULL));
		}
		for (int i = 0; i < POINTS; i++) {
			rng[i] = um_rng_new(6, "gradient", (uint64_t)i);
			((float *)x.data)[2 * i + k] = (float)toy[i].x[k];
		}
		double ignored[POINTS];
		CHECK_OK(um_elbo_bound(&f, &e, rng, &x, ignored, &dx));
		for (int i = 0; i < POINTS; i++) {
			const double slope = (b[1][i] - b[0][i]) / (2 * h), got = (double)((float *)dx.data)[2 * i + k];
			CHECK_NEAR(got, slope, 5e-3 * (1 + fabs(slope)));
		}
	}
	um_array_free(&x);
	um_array_free(&dx);
	plug_close(&g);
}

/* ---- Gaussians in closed form ---------------------------------------------------------------- */

/* N(m, Q diag(v) Q), Q = 1 - 2 u u^T. */
typedef struct normal {
	int64_t n;
	double *u, *v, *m;
} normal;

static void reflect(const normal *g, double *x)
{
	double s = 0;
	for (int64_t i = 0; i < g->n; i++)
		s += g->u[i] * x[i];
	for (int64_t i = 0; i < g->n; i++)
		x[i] -= 2 * s * g->u[i];
}

/* x = Q diag(1 / (alpha^2 v + sigma^2)) Q x. */
static void precision(const normal *g, double alpha, double sigma, double *x)
{
	reflect(g, x);
	for (int64_t i = 0; i < g->n; i++)
		x[i] /= alpha * alpha * g->v[i] + sigma * sigma;
	reflect(g, x);
}

static um_status normal_score(void *self, const um_score_job *job)
{
	const normal *g = self;
	double *w = malloc(sizeof(*w) * (size_t)g->n);
	for (int64_t b = 0; b < job->x->dim[0]; b++) {
		const double al = job->alpha[b], si = job->sigma[b];
		for (int64_t i = 0; i < g->n; i++)
			w[i] = (double)um_row_f(job->x, b)[i] - al * g->m[i];
		precision(g, al, si, w);
		for (int64_t i = 0; job->s != NULL && i < g->n; i++)
			um_row_f(job->s, b)[i] = (float)-w[i];
		for (int64_t i = 0; job->jtv != NULL && i < g->n; i++)
			w[i] = (double)um_row_f(job->v, b)[i];
		if (job->jtv != NULL)
			precision(g, al, si, w);
		for (int64_t i = 0; job->jtv != NULL && i < g->n; i++)
			um_row_f(job->jtv, b)[i] = (float)-w[i];
		for (int64_t i = 0; job->ddiv != NULL && i < g->n; i++)
			um_row_f(job->ddiv, b)[i] = 0;
		double div = 0;
		for (int64_t i = 0; job->probes == 0 && i < g->n; i++)
			div -= 1 / (al * al * g->v[i] + si * si);
		for (int64_t k = 0; k < job->probes; k++) {
			const float *e = um_row_f(job->e, b * job->probes + k);
			for (int64_t i = 0; i < g->n; i++)
				w[i] = (double)e[i];
			precision(g, al, si, w);
			for (int64_t i = 0; i < g->n; i++)
				div -= (double)e[i] * w[i] / (double)job->probes;
		}
		if (job->div != NULL)
			job->div[b] = div;
	}
	free(w);
	return UM_OK;
}

static normal normal_new(int64_t n)
{
	normal g = { n, calloc((size_t)n, 8), calloc((size_t)n, 8), calloc((size_t)n, 8) };
	um_rng r = um_rng_new(3, "normal", 0);
	double size = 0;
	for (int64_t i = 0; i < n; i++) {
		g.u[i] = um_normal(&r);
		size += g.u[i] * g.u[i];
		g.m[i] = 0.5 + 0.1 * um_normal(&r);
		g.v[i] = 0.01 + 0.5 / (double)((i + 1) * (i + 1));
	}
	for (int64_t i = 0; i < n; i++)
		g.u[i] /= sqrt(size);
	return g;
}

static void normal_free(normal *g)
{
	free(g->u);
	free(g->v);
	free(g->m);
}

static um_probflow normal_flow(normal *g)
{
	return (um_probflow){ .score = normal_score, .self = g, .shape = { 1, 1, 1, 1, g->n }, .n = g->n,
		.sde = um_sde_default(UM_SDE_VP), .from = 1e-3, .to = 1, .method = UM_ODE_DOPRI5, .rtol = 1e-7,
		.atol = 1e-7 };
}

/* What the equation gives: each principal number keeps its place, in units of the standard deviation. */
static double closed_form(const normal *g, const um_probflow *f, const float *x)
{
	const double a0 = um_sde_alpha(&f->sde, f->from), s0 = um_sde_sigma(&f->sde, f->from);
	const double a1 = um_sde_alpha(&f->sde, f->to), s1 = um_sde_sigma(&f->sde, f->to);
	double *w = malloc(sizeof(*w) * (size_t)g->n), *m = malloc(sizeof(*m) * (size_t)g->n), lp = 0;
	for (int64_t i = 0; i < g->n; i++) {
		w[i] = (double)x[i] - a0 * g->m[i];
		m[i] = a1 * g->m[i];
	}
	reflect(g, w);
	reflect(g, m);
	for (int64_t i = 0; i < g->n; i++) {
		const double c0 = a0 * a0 * g->v[i] + s0 * s0, c1 = a1 * a1 * g->v[i] + s1 * s1;
		const double end = m[i] + w[i] * sqrt(c1 / c0);
		lp += -0.5 * (end * end + log(6.283185307179586)) + 0.5 * log(c1 / c0);
	}
	free(w);
	free(m);
	return lp;
}

static void gaussians(void)
{
	for (int64_t n = 64; n <= 256; n *= 2) {
		enum { BATCH = 4 };
		normal g = normal_new(n);
		um_array x, dx;
		double lp[BATCH];
		um_rng r = um_rng_new(4, "x", 0);
		const um_probflow f = normal_flow(&g);
		CHECK_OK(um_array_new(&x, UM_F32, 6, (const int64_t[]){ BATCH, 1, 1, 1, 1, n }));
		CHECK_OK(um_array_new(&dx, UM_F32, 6, (const int64_t[]){ BATCH, 1, 1, 1, 1, n }));
		for (int64_t i = 0; i < BATCH * n; i++)
			((float *)x.data)[i] = (float)(0.5 + 0.2 * um_normal(&r));
		CHECK_OK(um_probflow_logp(&f, NULL, &x, lp, &dx, NULL));
		for (int b = 0; b < BATCH; b++)
			CHECK_NEAR(lp[b], closed_form(&g, &f, um_row_f(&x, b)), 1e-3);
		for (int64_t i = 0; i < n; i += n / 8) { /* the gradient, by differences of the closed form */
			const double h = 1e-2;
			float *at = um_row_f(&x, 1) + i, was = *at;
			*at = (float)(was + h);
			const double up = closed_form(&g, &f, um_row_f(&x, 1));
			*at = (float)(was - h);
			const double down = closed_form(&g, &f, um_row_f(&x, 1));
			*at = was;
			CHECK_NEAR((double)um_row_f(&dx, 1)[i], (up - down) / (2 * h), 2e-3 * (1 + fabs(up - down) / h));
		}
		um_array_free(&x);
		um_array_free(&dx);
		normal_free(&g);
	}
}

/* With probes the estimate varies as 2 sum_{i != j} M_ij^2 / K, or 2 |M|^2 / K for Gaussian ones, where
 * M = int g^2/2 P_t dt has the eigenvalues (log(c1 / c0) - 2 log(a1 / a0)) / 2. */
static void probes(void)
{
	enum { COPIES = 4000, N = 64, K = 4 };
	normal g = normal_new(N);
	um_probflow f = normal_flow(&g);
	const double a0 = um_sde_alpha(&f.sde, f.from), s0 = um_sde_sigma(&f.sde, f.from);
	const double a1 = um_sde_alpha(&f.sde, f.to), s1 = um_sde_sigma(&f.sde, f.to);
	um_array x;
	um_rng *rng = malloc(sizeof(*rng) * COPIES);
	double *lp = malloc(sizeof(*lp) * COPIES), all = 0, diagonal = 0;
	double *row = malloc(sizeof(*row) * N), *eigen = malloc(sizeof(*eigen) * N);
	for (int i = 0; i < N; i++) {
		const double c0 = a0 * a0 * g.v[i] + s0 * s0, c1 = a1 * a1 * g.v[i] + s1 * s1;
		eigen[i] = 0.5 * (log(c1 / c0) - 2 * log(a1 / a0));
		all += eigen[i] * eigen[i];
	}
	for (int i = 0; i < N; i++) {
		for (int k = 0; k < N; k++)
			row[k] = k == i;
		reflect(&g, row);
		double m = 0;
		for (int k = 0; k < N; k++)
			m += row[k] * row[k] * eigen[k];
		diagonal += m * m;
	}
	CHECK_OK(um_array_new(&x, UM_F32, 6, (const int64_t[]){ COPIES, 1, 1, 1, 1, N }));
	f.probes = K;
	f.rtol = f.atol = 1e-4;
	for (int way = 0; way < 2; way++) {
		double mean = 0, var = 0;
		for (int64_t i = 0; i < COPIES * N; i++)
			((float *)x.data)[i] = (float)g.m[i % N];
		for (int i = 0; i < COPIES; i++)
			rng[i] = um_rng_new(9, "probes", (uint64_t)i);
		f.gaussian = way == 1;
		CHECK_OK(um_probflow_logp(&f, rng, &x, lp, NULL, NULL));
		for (int i = 0; i < COPIES; i++)
			mean += lp[i] / COPIES;
		for (int i = 0; i < COPIES; i++)
			var += (lp[i] - mean) * (lp[i] - mean) / (COPIES - 1);
		const double want = 2 * (way == 1 ? all : all - diagonal) / K;
		printf("variance %.4g, %.4g wanted\n", var, want);
		CHECK_REL(var, want, 0.1);
		CHECK_NEAR(mean, closed_form(&g, &f, um_row_f(&x, 0)), 5 * sqrt(want / COPIES) + 5e-3);
	}
	um_array_free(&x);
	free(rng);
	free(lp);
	free(row);
	free(eigen);
	normal_free(&g);
}

/* A value is that of its image alone; probes stay with their stream. */
static void alone(void)
{
	plug g;
	um_array x, dx, one, done;
	double lp[POINTS], single;
	um_rng rng[POINTS];
	CHECK_OK(plug_try(&g, UM_PRIOR, "gmm", plug_env(1, 1, 2), NULL));
	toy_points(&x, &dx);
	um_probflow f = flow_of(&g, 1e-3);
	f.probes = 3;
	f.rtol = 1e-3;
	f.atol = 1e-5;
	for (int i = 0; i < POINTS; i++)
		rng[i] = um_rng_new(2, "alone", (uint64_t)i);
	CHECK_OK(um_probflow_logp(&f, rng, &x, lp, &dx, NULL));
	for (int i = 0; i < POINTS; i++) {
		um_rng r = um_rng_new(2, "alone", (uint64_t)i);
		CHECK_OK(um_array_new(&one, UM_F32, 6, (const int64_t[]){ 1, 1, 1, 1, 1, 2 }));
		CHECK_OK(um_array_new(&done, UM_F32, 6, (const int64_t[]){ 1, 1, 1, 1, 1, 2 }));
		memcpy(one.data, um_row_f(&x, i), 2 * sizeof(float));
		CHECK_OK(um_probflow_logp(&f, &r, &one, &single, &done, NULL));
		CHECK(single == lp[i] && memcmp(done.data, um_row_f(&dx, i), 2 * sizeof(float)) == 0);
		um_array_free(&one);
		um_array_free(&done);
	}
	um_array_free(&x);
	um_array_free(&dx);
	plug_close(&g);
}

/* Samples of each kind: moments of the two Gaussians, mean 0, variance 0.26, correlation 0.25. */
static void samples(void)
{
	enum { COUNT = 3000 };
	plug g;
	um_array x;
	um_rng *rng = malloc(sizeof(*rng) * COUNT);
	CHECK_OK(plug_try(&g, UM_PRIOR, "gmm", plug_env(1, 1, 2), NULL));
	CHECK_OK(um_array_new(&x, UM_F32, 6, (const int64_t[]){ COUNT, 1, 1, 1, 1, 2 }));
	for (int way = 0; way < 6; way++) {
		um_probflow f = flow_of(&g, 1e-3);
		double m[2] = { 0 }, c[3] = { 0 };
		f.sde = um_sde_default(way < 3 ? UM_SDE_VP : way == 3 ? UM_SDE_SUBVP : way == 4 ? UM_SDE_VE : UM_SDE_FLOW);
		f.rtol = f.atol = 1e-4;
		f.to = way == 5 ? 0.9999 : 1;
		for (int i = 0; i < COUNT; i++)
			rng[i] = um_rng_new(8, "samples", (uint64_t)i);
		CHECK_OK(um_probflow_sample(&f, way == 1 ? UM_SAMPLE_PC : way == 2 || way == 5 ? UM_SAMPLE_ODE :
			UM_SAMPLE_SDE, 400, 0.16, rng, &x, NULL));
		for (int i = 0; i < COUNT; i++) {
			const float *p = um_row_f(&x, i);
			m[0] += (double)p[0] / COUNT;
			m[1] += (double)p[1] / COUNT;
			c[0] += (double)p[0] * (double)p[0] / COUNT;
			c[1] += (double)p[1] * (double)p[1] / COUNT;
			c[2] += (double)p[0] * (double)p[1] / COUNT;
		}
		printf("way %d: mean %.3f %.3f, moments %.4f %.4f %.4f\n", way, m[0], m[1], c[0], c[1], c[2]);
		for (int k = 0; k < 2; k++) {
			CHECK_NEAR(m[k], 0, 0.04);
			CHECK_NEAR(c[k], 0.26, 0.01);
		}
		CHECK_NEAR(c[2], 0.25, 0.01);
	}
	um_array_free(&x);
	free(rng);
	plug_close(&g);
}

/* ---- tables (make validate) ------------------------------------------------------------------ */

enum { IMAGES = 16, SIDE = 16 };

/* Sixteen by sixteen pixels of a power-law spectrum and 0.01 on the diagonal, as in Feng et al. 2023,
 * arXiv:2304.11751, sec. 3.2; draws of it, and their densities by dopri8 with errors of 1e-7. */
typedef struct field {
	plug g;
	um_array x;
	double lp[IMAGES];
} field;

static field field_new(void)
{
	field f = { 0 };
	um_rng rng[IMAGES];
	CHECK_OK(plug_try(&f.g, UM_PRIOR, "gaussian", plug_env(1, SIDE, SIDE), SET("spectrum=power", "mean=0.5",
		"sigma=0.2", "floor=0.1")));
	CHECK_OK(um_array_new(&f.x, UM_F32, 6, (const int64_t[]){ IMAGES, 1, 1, 1, SIDE, SIDE }));
	for (int i = 0; i < IMAGES; i++)
		rng[i] = um_rng_new(3, "field", (uint64_t)i);
	CHECK_OK(f.g.prior.ops.sample(f.g.prior.self, rng, &f.x));
	um_probflow exact = flow_of(&f.g, 1e-3);
	exact.method = UM_ODE_DOPRI8;
	exact.rtol = exact.atol = 1e-7;
	CHECK_OK(um_probflow_logp(&exact, NULL, &f.x, f.lp, NULL, NULL));
	return f;
}

static void field_free(field *f)
{
	um_array_free(&f->x);
	plug_close(&f->g);
}

/* Error of log p and evaluations of each solver, with the exact trace. */
static void solvers(void)
{
	static const char *const names[] = { "euler", "heun", "bosh3", "tsit5", "dopri5", "dopri8" };
	field g = field_new();
	printf("| solver | rtol, atol | error of log p (nats) | evaluations an image |\n| --- | --- | --- | --- |\n");
	for (int m = 0; m < 6; m++)
		for (int way = 0; way < (m == 0 ? 1 : 2); way++) {
			um_probflow f = flow_of(&g.g, 1e-3);
			um_probflow_count count;
			double error = 0, lp[IMAGES];
			char what[40] = "4092 steps";
			f.method = um_ode_named(names[m]);
			f.rtol = way == 0 ? 1e-3 : 1e-5;
			f.atol = f.rtol / 100;
			f.steps = m == 0 ? 4092 : 0;
			if (m > 0)
				snprintf(what, sizeof(what), "%.0e, %.0e", f.rtol, f.atol);
			CHECK_OK(um_probflow_logp(&f, NULL, &g.x, lp, NULL, &count));
			for (int b = 0; b < IMAGES; b++)
				error += fabs(lp[b] - g.lp[b]) / IMAGES;
			printf("| %s | %s | %.2g | %.0f |\n", names[m], what, error, (double)count.forward / IMAGES);
		}
	field_free(&g);
}

/* Mean and spread of log p of one image against the number of probes. */
static void by_probes(void)
{
	enum { COPIES = 200 };
	field g = field_new();
	um_array x;
	um_rng *rng = malloc(sizeof(*rng) * COPIES);
	double *lp = malloc(sizeof(*lp) * COPIES);
	um_probflow f = flow_of(&g.g, 1e-3);
	f.rtol = 1e-3;
	f.atol = 1e-5;
	CHECK_OK(um_array_new(&x, UM_F32, 6, (const int64_t[]){ COPIES, 1, 1, 1, SIDE, SIDE }));
	for (int i = 0; i < COPIES; i++)
		memcpy(um_row_f(&x, i), g.x.data, sizeof(float) * SIDE * SIDE);
	printf("log p with the exact trace: %.2f\n\n| probes | mean | spread, signs | spread, Gaussian |\n"
		"| --- | --- | --- | --- |\n", g.lp[0]);
	for (int64_t k = 1; k <= 128; k *= 2) {
		double mean[2] = { 0 }, sd[2] = { 0 };
		for (int way = 0; way < 2; way++) {
			f.probes = k;
			f.gaussian = way == 1;
			for (int i = 0; i < COPIES; i++)
				rng[i] = um_rng_new(9, "table", (uint64_t)i);
			CHECK_OK(um_probflow_logp(&f, rng, &x, lp, NULL, NULL));
			for (int i = 0; i < COPIES; i++)
				mean[way] += lp[i] / COPIES;
			for (int i = 0; i < COPIES; i++)
				sd[way] += (lp[i] - mean[way]) * (lp[i] - mean[way]) / (COPIES - 1);
		}
		printf("| %d | %.2f | %.2f | %.2f |\n", (int)k, mean[0], sqrt(sd[0]), sqrt(sd[1]));
	}
	um_array_free(&x);
	free(rng);
	free(lp);
	field_free(&g);
}

#define CASES CHECK_CASE(toy_values), CHECK_CASE(from_zero), CHECK_CASE(bounds), CHECK_CASE(bound_gradient), \
	CHECK_CASE(gaussians), CHECK_CASE(probes), CHECK_CASE(alone), CHECK_CASE(samples)

int main(int argc, char **argv)
{
	const check_case cases[] = { CASES }, tables[] = { CHECK_CASE(solvers), CHECK_CASE(by_probes) };
	if (argc > 1 && strcmp(argv[1], "tables") == 0)
		return check_run("tables", tables, 2);
	return check_run(__FILE__, cases, sizeof(cases) / sizeof(*cases));
}
