/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Samplers that walk a diffusion. With a Gaussian prior and linear data every step is affine, so that the law
 * of what each sampler delivers, bias and all, follows from dense matrices written down here from the papers'
 * formulas; samples are held against it, and it against the posterior where a method is exact. "test_samplers
 * toy" sweeps weights on the two-dimensional toy, "test_samplers gaussian" makes the table of biases:
 * share/results/samplers.md. */
#include <umbra/sampler.h>
#include "mixture.h"
#include "sampled.h"

/* ---- laws of samplers ---------------------------------------------------------------------- */

typedef struct chain {
	const gauss *g;
	um_sde sde;
	double from, to;
	int64_t steps;
	law at;
	double a, b, a1, b1;    /* signal and noise now and next */
	double *mean, *offset;  /* E[u_0 | u] = mean u + offset */
	double *m, *c;          /* the affine map that is being made */
} chain;

static chain chain_new(const gauss *g, um_sde_kind kind, double from, double to, int64_t steps)
{
	const int64_t n = g->n;
	um_sde sde = um_sde_default(kind);
	sde.sigma_max = kind == UM_SDE_VE ? 20 : sde.sigma_max;
	return (chain){ g, sde, from, to, steps, law_new(n), 0, 0, 0, 0, numbers(n * n), numbers(n),
		numbers(n * n), numbers(n) };
}

/* What is delivered; the chain is released. */
static law finish(chain *h)
{
	free(h->mean), free(h->offset), free(h->m), free(h->c);
	return h->at;
}

/* V = (a^2 C + b^2)^-1: mean = (1 - b^2 V) / a, offset = b^2 V mu. */
static void set_time(chain *h, int64_t k)
{
	const int64_t n = h->g->n;
	const double t = h->from + (h->steps > 1 ? 1 - (double)k / (double)(h->steps - 1) : 1) * (h->to - h->from);
	const double next = h->from + (1 - (double)(k + 1) / (double)(h->steps - 1)) * (h->to - h->from);
	const bool last = k + 1 == h->steps;
	double *v = numbers(n * n), *inverse = numbers(n * n);
	h->a = um_sde_alpha(&h->sde, t), h->b = um_sde_sigma(&h->sde, t);
	h->a1 = last ? 1 : um_sde_alpha(&h->sde, next), h->b1 = last ? 0 : um_sde_sigma(&h->sde, next);
	for (int64_t i = 0; i < n * n; i++) {
		v[i] = h->a * h->a * h->g->c[i] + (i % (n + 1) == 0 ? h->b * h->b : 0);
		inverse[i] = i % (n + 1) == 0;
	}
	CHECK_OK(um_cholesky(n, v));
	um_cholesky_solve(n, v, n, inverse);
	um_gemv(false, n, n, inverse, h->g->mu, h->offset);
	for (int64_t i = 0; i < n; i++)
		h->offset[i] *= h->b * h->b;
	for (int64_t i = 0; i < n * n; i++)
		h->mean[i] = ((i % (n + 1) == 0) - h->b * h->b * inverse[i]) / h->a;
	free(v), free(inverse);
}

/* The map becomes x -> f x. */
static void start_map(chain *h, double f)
{
	const int64_t n = h->g->n;
	memset(h->c, 0, sizeof(double) * (size_t)n);
	for (int64_t i = 0; i < n * n; i++)
		h->m[i] = i % (n + 1) == 0 ? f : 0;
}

/* map += f L (w y - A (w' mean(u) + w'' u)), L [n][ny]: what every method adds. */
static void add_match(chain *h, double f, const double *l, double w, double of_mean, double of_u)
{
	const int64_t n = h->g->n, ny = h->g->ny;
	double *la = numbers(n * n), *lam = numbers(n * n), *t = numbers(n);
	um_gemm(false, false, n, n, ny, l, h->g->a, la);
	um_gemm(false, false, n, n, n, la, h->mean, lam);
	for (int64_t i = 0; i < n * n; i++)
		h->m[i] -= f * (of_mean * lam[i] + of_u * la[i]);
	um_gemv(false, n, ny, l, h->g->y, t);
	for (int64_t i = 0; i < n; i++)
		h->c[i] += f * w * t[i];
	um_gemv(false, n, n, la, h->offset, t);
	for (int64_t i = 0; i < n; i++)
		h->c[i] -= f * of_mean * t[i];
	free(la), free(lam), free(t);
}

/* The law goes through the map, and white noise is added. */
static void go(chain *h, double noise)
{
	const int64_t n = h->g->n;
	double *t = numbers(n * n);
	um_gemv(false, n, n, h->m, h->at.m, t);
	for (int64_t i = 0; i < n; i++)
		h->at.m[i] = t[i] + h->c[i];
	um_gemm(false, false, n, n, n, h->m, h->at.p, t);
	um_gemm(false, true, n, n, n, t, h->m, h->at.p);
	for (int64_t i = 0; i < n; i++)
		h->at.p[i * (n + 1)] += noise * noise;
	free(t);
}

/* The step of the prior as a map; the noise that it adds. Its gain is that of a term in the score. */
static double prior_map(chain *h, double eta, bool large, double *gain)
{
	const int64_t n = h->g->n;
	const double ratio = h->a / h->a1, d = sqrt(fmax(0, h->b * h->b - ratio * ratio * h->b1 * h->b1));
	const double small = eta * d * h->b1 / h->b, kept = sqrt(h->b1 * h->b1 - small * small);
	start_map(h, kept / h->b);
	for (int64_t i = 0; i < n * n; i++)
		h->m[i] += (h->a1 - kept / h->b * h->a) * h->mean[i];
	for (int64_t i = 0; i < n; i++)
		h->c[i] += (h->a1 - kept / h->b * h->a) * h->offset[i];
	*gain = h->a1 * h->b * h->b / h->a - kept * h->b;
	return h->b1 > 0 && large ? eta * d : small;
}

/* L = A^T (a2 Sigma + b2 A A^T)^-1, or the pseudo-inverse of A for a2 = 0. */
static double *matching(const gauss *g, double a2, double b2)
{
	const int64_t n = g->n, ny = g->ny;
	double *l = numbers(n * ny), *s = numbers(ny * ny), *w = numbers(ny), *t = numbers(ny * ny), *q = numbers(ny * ny);
	um_gemm(false, true, ny, ny, n, g->a, g->a, s);
	for (int64_t i = 0; i < ny * ny; i++)
		s[i] = b2 * s[i] + (i % (ny + 1) == 0 ? a2 * g->sigma[i / ny] * g->sigma[i / ny] : 0);
	CHECK_OK(um_eigh(ny, s, w));
	for (int64_t k = 0; k < ny; k++)
		for (int64_t i = 0; i < ny; i++)
			t[k * ny + i] = w[k] > 1e-10 * w[ny - 1] ? s[k * ny + i] / w[k] : 0;
	um_gemm(true, false, ny, ny, ny, s, t, q);
	um_gemm(true, false, n, ny, ny, g->a, q, l);
	free(s), free(w), free(t), free(q);
	return l;
}

/* G L with G = d mean / d u. */
static double *pulled(const chain *h, double *l)
{
	double *gl = numbers(h->g->n * h->g->ny);
	um_gemm(true, false, h->g->n, h->g->ny, h->g->n, h->mean, l, gl);
	free(l);
	return gl;
}

static void begin(chain *h)
{
	set_time(h, 0);
	start_map(h, 0);
	go(h, h->b);
}

/* The mean of 1 / sigma^2. */
static double precision(const gauss *g)
{
	double sum = 0;
	for (int64_t i = 0; i < g->ny; i++)
		sum += 1 / (g->sigma[i] * g->sigma[i]) / (double)g->ny;
	return sum;
}

/* The largest singular value of A, or of A / sigma in units of the mean noise. */
static double strength(const gauss *g, bool weighted)
{
	const int64_t n = g->n, ny = g->ny;
	double *b = numbers(ny * n), *s = numbers(ny * ny), *w = numbers(ny);
	const double power = precision(g);
	for (int64_t i = 0; i < ny * n; i++)
		b[i] = g->a[i] / (weighted ? g->sigma[i / n] * sqrt(power) : 1);
	um_gemm(false, true, ny, ny, n, b, b, s);
	CHECK_OK(um_eigh(ny, s, w));
	const double largest = sqrt(w[ny - 1]);
	free(b), free(s), free(w);
	return largest;
}

/* L = A^T (Sigma + more)^-1. */
static double *adjoint(const gauss *g, double more)
{
	double *l = numbers(g->n * g->ny);
	for (int64_t i = 0; i < g->n * g->ny; i++)
		l[i] = g->a[i % g->ny * g->n + i / g->ny] / (g->sigma[i % g->ny] * g->sigma[i % g->ny] + more);
	return l;
}

static double last_time(um_sde_kind kind)
{
	return kind == UM_SDE_FLOW ? 0.999 : 1;
}

static law dmps_law(const gauss *g, um_sde_kind kind, double eta, bool at_new, int64_t steps, double weight,
	double limit)
{
	chain h = chain_new(g, kind, 1e-3, last_time(kind), steps);
	begin(&h);
	for (int64_t k = 0; k < steps; k++) {
		double gain;
		set_time(&h, k);
		const double noise = prior_map(&h, eta, true, &gain);
		double *l = matching(g, h.a * h.a, h.b * h.b);
		const double f = fmin(weight * gain, limit * h.b * h.b);
		if (at_new) {
			go(&h, noise);
			start_map(&h, 1);
			add_match(&h, f, l, h.a, 0, 1);
			go(&h, 0);
		} else {
			add_match(&h, f, l, h.a, 0, 1);
			go(&h, noise);
		}
		free(l);
	}
	return finish(&h);
}

/* Steps down |y - A mean|^2. */
static law dps_law(const gauss *g, um_sde_kind kind, double eta, int64_t steps, double weight, bool likelihood)
{
	chain h = chain_new(g, kind, 1e-3, last_time(kind), steps);
	const double largest = strength(g, true);
	begin(&h);
	for (int64_t k = 0; k < steps; k++) {
		double gain;
		set_time(&h, k);
		const double noise = prior_map(&h, eta, true, &gain);
		double *l = pulled(&h, adjoint(g, 0));
		add_match(&h, likelihood ? weight * gain : 2 * weight / precision(g) / (largest * largest), l, 1, 1, 0);
		go(&h, noise);
		free(l);
	}
	return finish(&h);
}

/* What guides by a pseudo-inverse: as the paper weighs it, as the score, or less where there is little signal. */
enum guidance { AS_PAPER, AS_SCORE, FALLING };

static void guide(chain *h, double eta, double v, enum guidance how)
{
	for (int64_t k = 0; k < h->steps; k++) {
		double gain;
		set_time(h, k);
		const double noise = prior_map(h, eta, false, &gain), r2 = h->b * h->b * v / (h->a * h->a * v + h->b * h->b);
		double *l = pulled(h, matching(h->g, 1, r2));
		const double fall = how == FALLING ? sqrt(h->a / (h->a * h->a + h->b * h->b)) : 1;
		add_match(h, how == AS_PAPER ? h->a * r2 : fall * gain, l, 1, 1, 0);
		go(h, noise);
		free(l);
	}
}

static law pigdm_law(const gauss *g, um_sde_kind kind, double eta, int64_t steps, double v, enum guidance how)
{
	chain h = chain_new(g, kind, 1e-3, last_time(kind), steps);
	begin(&h);
	guide(&h, eta, v, how);
	return finish(&h);
}

/* From the mean given the data for a white prior, from the data projected back, or from noise alone. */
static law ot_ode_law(const gauss *g, um_sde_kind kind, int64_t steps, double v, const char *start, enum guidance how)
{
	chain h = chain_new(g, kind, 1e-3, 0.8, steps);
	begin(&h);
	if (strcmp(start, "noise") != 0) {
		const bool inverse = strcmp(start, "inverse") == 0;
		double *l = inverse ? matching(g, 1, v) : adjoint(g, 0);
		start_map(&h, 1);
		add_match(&h, h.a * (inverse ? v : 1 / precision(g)), l, 1, 0, 0);
		go(&h, 0);
		free(l);
	}
	guide(&h, 0, v, how);
	return finish(&h);
}

/* u += f A^+ (a y - A u + b A z). */
static void project(chain *h, double f, double a, double b)
{
	const int64_t n = h->g->n;
	double *l = matching(h->g, 0, 1), *p = numbers(n * n), *q = numbers(n * n);
	start_map(h, 1);
	add_match(h, f, l, a, 0, 1);
	go(h, 0);
	um_gemm(false, false, n, n, h->g->ny, l, h->g->a, p);
	um_gemm(false, true, n, n, n, p, p, q);
	for (int64_t i = 0; i < n * n; i++)
		h->at.p[i] += f * f * b * b * q[i];
	free(l), free(p), free(q);
}

static law projection_law(const gauss *g, um_sde_kind kind, int64_t steps, double weight)
{
	chain h = chain_new(g, kind, 1e-3, last_time(kind), steps);
	begin(&h);
	for (int64_t k = 0; k < steps; k++) {
		double gain;
		set_time(&h, k);
		project(&h, weight, h.a, h.b);
		const double noise = prior_map(&h, 1, true, &gain);
		go(&h, noise);
	}
	project(&h, weight, 1, 0);
	return finish(&h);
}

/* Without its gradient, whose norm is not affine. */
static law mcg_law(const gauss *g, um_sde_kind kind, int64_t steps)
{
	chain h = chain_new(g, kind, 1e-3, last_time(kind), steps);
	begin(&h);
	for (int64_t k = 0; k < steps; k++) {
		double gain;
		set_time(&h, k);
		const double noise = prior_map(&h, 1, true, &gain);
		go(&h, noise);
		project(&h, 1, h.a1, h.b1);
	}
	return finish(&h);
}

static law ald_law(const gauss *g, um_sde_kind kind, int64_t levels, int64_t inner, double snr, double gamma, bool constant)
{
	chain h = chain_new(g, kind, 1e-3, last_time(kind), levels);
	const int64_t n = g->n;
	gamma *= strength(g, false);
	begin(&h);
	for (int64_t k = 0; k < levels; k++) {
		set_time(&h, k);
		const double e = 2 * snr * snr * h.b * h.b;
		double *l = adjoint(g, gamma * gamma * (constant ? 1 : h.b * h.b));
		for (int64_t j = 0; j < inner; j++) {
			start_map(&h, 1 - e / (h.b * h.b));
			for (int64_t i = 0; i < n * n; i++)
				h.m[i] += e * h.a / (h.b * h.b) * h.mean[i];
			for (int64_t i = 0; i < n; i++)
				h.c[i] += e * h.a / (h.b * h.b) * h.offset[i];
			add_match(&h, e, l, 1, 0, 1);
			go(&h, sqrt(2 * e));
		}
		free(l);
	}
	memcpy(h.m, h.mean, sizeof(double) * (size_t)(n * n));
	memcpy(h.c, h.offset, sizeof(double) * (size_t)n);
	go(&h, 0);
	return finish(&h);
}

/* ---- samples against laws ------------------------------------------------------------------ */

/* Means within 5 and covariances within 6 standard errors. */
static void check_law(const char *what, const law *want, const um_array *x, double lo, double unit)
{
	const int64_t n = um_array_rowlen(x), count = x->dim[0];
	law got = law_of_samples(x, lo, unit);
	int bad = 0;
	for (int64_t i = 0; i < n; i++)
		bad += !(fabs(got.m[i] - want->m[i]) <= 5 * sqrt(want->p[i * (n + 1)] / (double)count) + 1e-5);
	for (int64_t i = 0; i < n * n; i++) {
		const double v = want->p[i / n * (n + 1)] * want->p[i % n * (n + 1)] + want->p[i] * want->p[i];
		bad += !(fabs(got.p[i] - want->p[i]) <= 6 * sqrt(v / (double)count) + 1e-6);
	}
	if (bad > 0)
		fprintf(stderr, "%s: %d of %d numbers are off; mean %g want %g, variance %g want %g ...\n", what, bad,
			(int)(n + n * n), got.m[0], want->m[0], got.p[0], want->p[0]);
	CHECK(bad == 0);
	law_free(&got);
}

enum { STEPS = 24, COUNT = 5000 };
#define CALLS "calls=24"

static void run_against(sampled *p, const char *name, const char *const *set, law want, double lo, double unit)
{
	keeper k = { 0 };
	CHECK_OK(sampled_run(p, name, set, COUNT, &k, NULL));
	CHECK(k.memory.samples.dim[0] == COUNT);
	check_law(name, &want, &k.memory.samples, lo, unit);
	keeper_free(&k);
	law_free(&want);
}

/* A prior with correlated pixels, each kind of operator: known and unknown solutions, more noise here and
 * there. */
static void every_law(sampled *p, double lo, double unit, const char *range)
{
	gauss g = gauss_of(p);
	gauss_unit(&g, lo, unit);
	run_against(p, "dmps", SET(CALLS, range, "limit=0"),
		dmps_law(&g, UM_SDE_VP, 1, false, STEPS, 1.75, INFINITY), lo, unit);
	run_against(p, "dmps", SET(CALLS, range, "weight=1", "at=new"),
		dmps_law(&g, UM_SDE_VP, 1, true, STEPS, 1, 1), lo, unit);
	run_against(p, "dmps", SET(CALLS, range, "weight=2", "version=flow"),
		dmps_law(&g, UM_SDE_FLOW, 0, false, STEPS, 2, 1), lo, unit);
	run_against(p, "dmps", SET(CALLS, range, "weight=1", "sde=subvp"),
		dmps_law(&g, UM_SDE_SUBVP, 1, false, STEPS, 1, 1), lo, unit);
	run_against(p, "dps", SET(CALLS, range, "on=square", "weight=0.05"),
		dps_law(&g, UM_SDE_VP, 1, STEPS, 0.05, false), lo, unit);
	run_against(p, "dps", SET(CALLS, range, "on=likelihood", "weight=0.02", "version=flow"),
		dps_law(&g, UM_SDE_FLOW, 0, STEPS, 0.02, true), lo, unit);
	run_against(p, "pigdm", SET(CALLS, range, "eta=0.5"),
		pigdm_law(&g, UM_SDE_VP, 0.5, STEPS, 1, AS_PAPER), lo, unit);
	run_against(p, "pigdm", SET(CALLS, range, "guidance=score", "prior_variance=0.3"),
		pigdm_law(&g, UM_SDE_VP, 1, STEPS, 0.3, AS_SCORE), lo, unit);
	run_against(p, "ot-ode", SET(CALLS, range),
		ot_ode_law(&g, UM_SDE_FLOW, STEPS, 1, "inverse", AS_SCORE), lo, unit);
	run_against(p, "ot-ode", SET(CALLS, range, "prior_variance=0.3"),
		ot_ode_law(&g, UM_SDE_FLOW, STEPS, 0.3, "inverse", AS_SCORE), lo, unit);
	run_against(p, "ot-ode", SET(CALLS, range, "prior_variance=0.3", "start=adjoint", "gamma=falling"),
		ot_ode_law(&g, UM_SDE_FLOW, STEPS, 0.3, "adjoint", FALLING), lo, unit);
	run_against(p, "ot-ode", SET(CALLS, range, "start=noise"),
		ot_ode_law(&g, UM_SDE_FLOW, STEPS, 1, "noise", AS_SCORE), lo, unit);
	run_against(p, "sde-proj", SET(CALLS, range, "weight=0.3"), projection_law(&g, UM_SDE_VP, STEPS, 0.3), lo, unit);
	run_against(p, "mcg", SET(CALLS, range, "weight=0"), mcg_law(&g, UM_SDE_VP, STEPS), lo, unit);
	run_against(p, "ald", SET("calls=73", range, "inner=3", "snr=0.3", "gamma=0.7"),
		ald_law(&g, UM_SDE_VP, STEPS, 3, 0.3, 0.7, false), lo, unit);
	run_against(p, "ald", SET("calls=73", range, "inner=3", "snr=0.3", "gamma=0.7", "schedule=constant"),
		ald_law(&g, UM_SDE_VP, STEPS, 3, 0.3, 0.7, true), lo, unit);
	gauss_free(&g);
}

/* The same methods walk every other diffusion. */
static void every_diffusion(sampled *p, double lo, double unit, const char *range)
{
	static const struct { um_sde_kind kind; const char *set; } all[] = { { UM_SDE_VE, "sde=ve" },
		{ UM_SDE_SUBVP, "sde=subvp" }, { UM_SDE_FLOW, "sde=flow" } };
	gauss g = gauss_of(p);
	gauss_unit(&g, lo, unit);
	for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++) {
		const um_sde_kind kind = all[i].kind;
		const char *sde = all[i].set, *most = "sigma_max=20";
		run_against(p, "dmps", SET(CALLS, range, sde, most, "weight=1"),
			dmps_law(&g, kind, 1, false, STEPS, 1, 1), lo, unit);
		run_against(p, "dps", SET(CALLS, range, sde, most, "on=square", "weight=0.05"),
			dps_law(&g, kind, 1, STEPS, 0.05, false), lo, unit);
		run_against(p, "dps", SET(CALLS, range, sde, most, "on=likelihood", "weight=0.02"),
			dps_law(&g, kind, 1, STEPS, 0.02, true), lo, unit);
		run_against(p, "pigdm", SET(CALLS, range, sde, most, "eta=0.5"),
			pigdm_law(&g, kind, 0.5, STEPS, 1, AS_PAPER), lo, unit);
		run_against(p, "pigdm", SET(CALLS, range, sde, most, "guidance=score", "prior_variance=0.3"),
			pigdm_law(&g, kind, 1, STEPS, 0.3, AS_SCORE), lo, unit);
		run_against(p, "ot-ode", SET(CALLS, range, sde, most, "prior_variance=0.3", "gamma=falling"),
			ot_ode_law(&g, kind, STEPS, 0.3, "inverse", FALLING), lo, unit);
		run_against(p, "sde-proj", SET(CALLS, range, sde, most, "weight=0.3"),
			projection_law(&g, kind, STEPS, 0.3), lo, unit);
		run_against(p, "mcg", SET(CALLS, range, sde, most, "weight=0"), mcg_law(&g, kind, STEPS), lo, unit);
		run_against(p, "ald", SET("calls=73", range, sde, most, "inner=3", "snr=0.3"),
			ald_law(&g, kind, STEPS, 3, 0.3, 1, false), lo, unit);
	}
	gauss_free(&g);
}

#define FIELD SET("mean=0.5", "sigma=0.6", "spectrum=power", "floor=0.2")

static void laws_of_denoising(void)
{
	sampled p;
	CHECK_OK(sampled_try(&p, plug_env(1, 3, 4), "gaussian", FIELD, "denoise", SET("sigma=0.4")));
	every_law(&p, 0, 1, "range=[0,0]");
	sampled_free(&p);
}

static void laws_of_frequencies(void)
{
	sampled p;
	CHECK_OK(sampled_try(&p, plug_env(1, 4, 4), "gaussian", FIELD, "lowfreq", SET("keep=2", "sigma=0.9")));
	every_law(&p, 0, 1, "range=[0,0]");
	every_diffusion(&p, 0, 1, "range=[0,0]");
	sampled_free(&p);
}

/* A range of its own and a scale: the diffusion is of (x + 1) / 3, the instrument sees 2 x. */
static void laws_of_a_range(void)
{
	sampled p;
	um_env env = plug_env(1, 3, 3);
	env.scale = 2;
	CHECK_OK(sampled_try(&p, env, "gaussian", FIELD, "denoise", SET("sigma=1.1")));
	every_law(&p, -1, 3, "range=[-1.0,2.0]");
	every_diffusion(&p, -1, 3, "range=[-1.0,2.0]");
	sampled_free(&p);
}

/* ---- where methods are exact --------------------------------------------------------------- */

/* How far a law is from the posterior: the mean in its standard deviations, and the ratio of variances. */
static void distance(const gauss *g, law l, double *mean, double *ratio)
{
	law z = gauss_posterior(g);
	double off = 0, got = 0, want = 0;
	for (int64_t i = 0; i < g->n; i++) {
		off += (l.m[i] - z.m[i]) * (l.m[i] - z.m[i]);
		got += l.p[i * (g->n + 1)];
		want += z.p[i * (g->n + 1)];
	}
	*mean = sqrt(off / want);
	*ratio = got / want;
	law_free(&z);
	law_free(&l);
}

/* Pseudoinverse guidance that joins the score, for a prior N(m, v): four times the steps, at most a third of
 * the error, whatever diffuses (walks begin without the signal a m of the mean m, which deterministic ones feel as
 * a m / b standard deviations); annealed Langevin dynamics with falling gamma, and the likelihood of DMPS where the prior is wide. */
static void limits(void)
{
	const double v = 0.25;
	double mean[2], ratio[2];
	sampled p;
	CHECK_OK(sampled_try(&p, plug_env(1, 3, 4), "gaussian", SET("mean=0.3", "sigma=0.5"), "denoise",
		SET("sigma=0.4")));
	gauss g = gauss_of(&p);
	static const struct { um_sde_kind kind; double eta; } ways[] = { { UM_SDE_VP, 1 }, { UM_SDE_VP, 0 }, { UM_SDE_FLOW, 0 },
		{ UM_SDE_VE, 1 }, { UM_SDE_VE, 0 }, { UM_SDE_SUBVP, 1 }, { UM_SDE_SUBVP, 0 }, { UM_SDE_VE, -1 } };
	law z = gauss_posterior(&g);
	const double m = sqrt(um_dot(g.n, z.m, z.m) / (double)g.n);
	law_free(&z);
	for (size_t way = 0; way < sizeof(ways) / sizeof(*ways); way++) {
		chain h = chain_new(&g, ways[way].kind, 1e-3, last_time(ways[way].kind), 1);
		const double unseen = m * um_sde_alpha(&h.sde, h.to) / um_sde_sigma(&h.sde, h.to);
		law nowhere = finish(&h);
		law_free(&nowhere);
		for (int k = 0; k < 2; k++) {
			const int64_t steps = k == 0 ? 100 : 400;
			distance(&g, ways[way].eta < 0 ? ald_law(&g, UM_SDE_VE, steps, 5, 0.16, 1, false) :
				pigdm_law(&g, ways[way].kind, ways[way].eta, steps, v, AS_SCORE), &mean[k], &ratio[k]);
		}
		CHECK(fabs(ratio[1] - 1) < fabs(ratio[0] - 1) / 2.9 && fabs(ratio[1] - 1) < 0.06);
		CHECK(mean[1] < 0.015 + unseen);
	}
	gauss_free(&g);
	sampled_free(&p);
	/* the wider the prior, the better */
	const char *const *width[] = { SET("sigma=0.5"), SET("sigma=4"), SET("sigma=64") };
	const double off[] = { 0.35, 0.06, 0.005 };
	for (int k = 0; k < 3; k++) {
		CHECK_OK(sampled_try(&p, plug_env(1, 3, 4), "gaussian", width[k], "denoise", SET("sigma=0.4")));
		g = gauss_of(&p);
		distance(&g, dmps_law(&g, UM_SDE_VP, 1, false, 1000, 1, 1), &mean[0], &ratio[0]);
		CHECK(fabs(ratio[0] - 1) < off[k] && fabs(ratio[0] - 1) > off[k] / 2);
		gauss_free(&g);
		sampled_free(&p);
	}
	CHECK(mean[0] < 0.07);
}

/* One of these, sampled. */
static void exact_samples(void)
{
	sampled p;
	CHECK_OK(sampled_try(&p, plug_env(1, 3, 4), "gaussian", SET("mean=0.3", "sigma=0.5"), "denoise",
		SET("sigma=0.4")));
	gauss g = gauss_of(&p);
	law z = gauss_posterior(&g);
	keeper k = { 0 };
	CHECK_OK(sampled_run(&p, "pigdm", SET("calls=400", "guidance=score", "eta=0", "prior_variance=0.25"), COUNT, &k,
		NULL));
	law l = law_of_samples(&k.memory.samples, 0, 1);
	for (int64_t i = 0; i < p.n; i++) {
		CHECK_NEAR(l.m[i], z.m[i], 5 * sqrt(z.p[i * (p.n + 1)] / COUNT) + 1e-3);
		CHECK_REL(l.p[i * (p.n + 1)], z.p[i * (p.n + 1)], 0.03 + 6 * sqrt(2.0 / COUNT));
	}
	law_free(&l), law_free(&z), gauss_free(&g);
	keeper_free(&k);
	sampled_free(&p);
}

/* ---- steps from within ------------------------------------------------------------------------- */

/* A sampler of this test: settings, what its first step does, and the times of all. */
enum { MOST_STEPS = 16 };
typedef struct inner {
	um_sampling set;
	void (*look)(um_sampler *s);
	int64_t steps;
	double t[MOST_STEPS];
} inner;

static um_status inner_step(um_sampler *s)
{
	inner *in = (inner *)s->self;
	in->steps++;
	if (s->step == 0 && in->look != NULL)
		in->look(s);
	if (in->steps <= MOST_STEPS)
		in->t[in->steps - 1] = s->t;
	return um_sampler_predict(s);
}

static inner look_inside(sampled *p, void (*look)(um_sampler *s), um_sampling set)
{
	inner in = { .set = set, .look = look };
	const um_sampler_ops ops = { .step = inner_step, .advice = "" };
	keeper k = { 0 };
	um_sink sink = keeper_sink(&k);
	um_problem *problem = sampled_problem(p, 3, "inner");
	in.set.sde = "vp", in.set.grid = set.grid != NULL ? set.grid : "uniform";
	in.set.beta_min = 0.1, in.set.beta_max = 20;
	in.set.calls = in.set.calls > 0 ? in.set.calls : 2;
	in.set.tolerance = 1e-7, in.set.iterations = 200;
	CHECK_OK(um_sampler_run(&in, &ops, problem, &sink));
	CHECK(in.steps == in.set.calls);
	um_problem_free(problem);
	keeper_free(&k);
	return in;
}

/* Weights of the function sum w mean^2 / 2 of each sample. */
static double weight_of(int64_t i)
{
	return 1 + 0.3 * sin(3.0 * (double)i);
}

static um_status half_square(um_sampler *s, double *v)
{
	for (int64_t i = 0; i < s->count * s->n; i++)
		v[i] = weight_of(s->first * s->n + i) * s->mean[i];
	return UM_OK;
}

/* The derivative through the mean along a direction against central differences. */
static void look_at_guide(um_sampler *s)
{
	const double h = 0.008 / s->a; /* the score is float, and the mean has it by 1 / a */
	const int64_t n = s->n, all = s->count * n;
	double *d = numbers(all), *u = numbers(all), value[3], slope;
	CHECK_OK(um_sampler_guide(s, half_square));
	um_sampler_noise(s, 9, d);
	memcpy(u, s->u, sizeof(double) * (size_t)all);
	double *guide = numbers(all);
	memcpy(guide, s->guide, sizeof(double) * (size_t)all);
	for (int64_t b = 0; b < s->count; b++) {
		for (int side = 0; side < 2; side++) {
			for (int64_t i = 0; i < all; i++)
				s->u[i] = u[i] + (side == 0 ? h : -h) * d[i];
			CHECK_OK(um_sampler_predict(s));
			value[side] = 0;
			for (int64_t i = b * n; i < (b + 1) * n; i++)
				value[side] += weight_of(s->first * n + i) * s->mean[i] * s->mean[i] / 2;
		}
		slope = um_dot(n, guide + b * n, d + b * n);
		value[2] = (value[0] - value[1]) / (2 * h);
		CHECK_NEAR(slope, value[2], 5e-3 * (fabs(slope) + 0.05 * sqrt(um_dot(n, guide + b * n,
			guide + b * n) * (double)n)));
	}
	memcpy(s->u, u, sizeof(double) * (size_t)all);
	free(d), free(u), free(guide);
}

#define TIMES(t) { .times = { 1e-3, t } }

static void derivative_of_the_mean(void)
{
	static const double times[] = { 0.15, 0.4, 0.7 };
	const um_env plane = plug_env(1, 1, 2), image = plug_env(1, 4, 4);
	sampled p;
	for (int k = 0; k < 3; k++) {
		um_sampling set = TIMES(times[k]);
		CHECK_OK(sampled_try(&p, plane, "gmm", SET("means=[-0.5, -0.3, 0.5, 0.4]", "variances=[0.05, 0.2]"), "denoise",
			NULL));
		look_inside(&p, look_at_guide, set);
		set.range = (um_pair){ -2, 1.5 };
		look_inside(&p, look_at_guide, set);
		sampled_free(&p);
		CHECK_OK(sampled_try(&p, image, "gaussian", FIELD, "denoise", NULL));
		look_inside(&p, look_at_guide, set);
		sampled_free(&p);
	}
}

/* Clipped numbers do not move: with everything clipped there is no guide. */
static void look_at_clip(um_sampler *s)
{
	CHECK_OK(um_sampler_guide(s, half_square));
	for (int64_t i = 0; i < s->count * s->n; i++) {
		CHECK_NEAR(fabs(s->mean[i] - 0.5), 1e-9, 1e-9);
		CHECK(s->guide[i] == 0);
	}
}

static void clipped(void)
{
	sampled p;
	um_sampling set = TIMES(0.8);
	CHECK_OK(sampled_try(&p, plug_env(1, 4, 4), "gaussian", SET("mean=7", "sigma=0.1"), "denoise", NULL));
	set.clip = (um_pair){ 0.5 - 1e-9, 0.5 + 1e-9 };
	look_inside(&p, look_at_clip, set);
	sampled_free(&p);
}

/* The example of DMPS, figure 4: x0 ~ N(0, 25^2), x_t = 5, abar from 0.99 down to 0.01 in 500 steps. Means and
 * variances of p(x0 | x_t), exact by the score and its Jacobian, and those of the flat prior by the gradient of
 * the likelihood. */
static void look_at_scalar(um_sampler *s)
{
	static const struct { int t; double mean, flat_mean, variance, flat_variance; } figure[] = {
		{ 1, 5.025108, 5.025189, 0.010101, 0.010101 }, { 100, 7.907983, 7.927134, 1.509922, 1.513578 },
		{ 250, 15.590113, 15.814716, 8.876330, 9.004209 }, { 500, 43.162983, 50.0, 85.462707, 99.0 } };
	for (int k = 0; k < 4; k++) {
		const double abar = 0.99 * pow(0.01 / 0.99, (figure[k].t - 1) / 499.0), noise2 = 0.04;
		double two[3], g[2][3], u[3] = { 5, 5, 5 };
		const double *y = um_problem_y(s->problem);
		s->t = um_sde_time(&s->sde, 0.5 * log((1 - abar) / abar));
		s->a = um_sde_alpha(&s->sde, s->t), s->b = um_sde_sigma(&s->sde, s->t);
		CHECK_NEAR(s->a * s->a, abar, 1e-9);
		memcpy(s->u, u, sizeof(u));
		CHECK_OK(um_sampler_predict(s));
		CHECK_NEAR(s->mean[0], figure[k].mean, 2e-6);
		/* d mean / d u = a v / b^2 */
		for (int i = 0; i < 3; i++)
			two[i] = s->u[i];
		s->u[0] = 6;
		const double before = s->mean[0];
		CHECK_OK(um_sampler_predict(s));
		CHECK_NEAR((s->mean[0] - before) * s->b * s->b / s->a, figure[k].variance, 2e-5);
		memcpy(s->u, two, sizeof(two));
		/* log N(y; m, v + sigma^2) has the gradient (y - m) / (v + sigma^2) / a by u, m = u / a */
		for (int i = 0; i < 2; i++) {
			u[0] = 5 + i;
			CHECK_OK(um_sampler_match(s, s->a * s->a, s->b * s->b, s->a, u, g[i]));
		}
		const double slope = g[0][0] - g[1][0];  /* 1 / (a^2 (v + sigma^2)) */
		CHECK_NEAR(1 / (slope * s->a * s->a) - noise2, figure[k].flat_variance, 1e-5 * (1 + figure[k].flat_variance));
		CHECK_NEAR(y[0] - g[0][0] / (slope * s->a), figure[k].flat_mean, 1e-5 * figure[k].flat_mean);
	}
	s->t = 0.5, s->a = um_sde_alpha(&s->sde, 0.5), s->b = um_sde_sigma(&s->sde, 0.5);
}

static void scalar_of_the_paper(void)
{
	sampled p;
	um_sampling set = TIMES(0.5);
	set.range = (um_pair){ 0, 1 };
	CHECK_OK(sampled_try(&p, plug_env(1, 1, 1), "gaussian", SET("sigma=25"), "denoise", SET("sigma=0.2")));
	look_inside(&p, look_at_scalar, set);
	sampled_free(&p);
}

static bool same(const um_array *x, const um_array *y, int64_t rows, double tol)
{
	const int64_t n = um_array_rowlen(x) * rows;
	double off = 0, size = 0;
	for (int64_t i = 0; i < n; i++) {
		off += pow((double)((float *)x->data)[i] - (double)((float *)y->data)[i], 2);
		size += pow((double)((float *)x->data)[i], 2);
	}
	return tol > 0 ? sqrt(off) <= tol * sqrt(size) : memcmp(x->data, y->data, sizeof(float) * (size_t)n) == 0;
}

/* ---- data: a model without a solution, straight or bent ------------------------------------------ */

/* f(x) = z + bend z^2, z = A x. */
static dense bent;
static double bend;
static bool turns[4]; /* data that are angles */

static um_status bent_model(void **self, const void *p, const um_env *env, um_forward_info *info)
{
	const um_status st = dense_model(self, p, env, info);
	info->linear = bend == 0;
	info->angles = turns;
	return st;
}

static um_status bent_apply(void *self, const um_array *op, const um_array *x, const um_array *dx, um_array *y,
	um_array *dy)
{
	const um_status st = dense_apply(self, op, x, dx, y, dy);
	for (int64_t i = 0; st == UM_OK && i < um_array_len(y); i++) {
		double *z = (double *)y->data + i;
		if (dx != NULL)
			((double *)dy->data)[i] *= 1 + 2 * bend * *z;
		*z += bend * *z * *z;
	}
	return st;
}

static um_status bent_pullback(void *self, const um_array *op, const um_array *x, const um_array *v, um_array *jtv)
{
	um_array z = { 0 };
	um_status st = UM_OK;
	UM_TRY(um_array_new(&z, UM_F64, 2, (const int64_t[]){ x->dim[0], bent.ny }));
	UM_TRY(dense_apply(self, op, x, NULL, &z, NULL));
	for (int64_t i = 0; i < um_array_len(&z); i++)
		((double *)z.data)[i] = ((double *)v->data)[i] * (1 + 2 * bend * ((double *)z.data)[i]);
	UM_TRY(dense_pullback(self, op, x, &z, jtv));
out:
	um_array_free(&z);
	return st;
}

static const um_forward_ops bent_ops = { .create = bent_model, .destroy = dense_leave, .apply = bent_apply,
	.pullback = bent_pullback };
static const um_plugin bent_plugin = { UM_HEADER, UM_FORWARD, 0, "bent", "0", "Test.", "", sizeof(dense), NULL, 0,
	UM_OPS(bent_ops) };

static const double LO = -1, UNIT = 2.5;

/* z = A x of an image of u, and J [ny][n] by u there. */
static void bent_at(const double *u, double *f, double *j)
{
	for (int64_t k = 0; k < bent.ny; k++) {
		double z = 0;
		for (int64_t i = 0; i < bent.n; i++)
			z += bent.a[k * bent.n + i] * (LO + UNIT * u[i]);
		f[k] = z + bend * z * z;
		for (int64_t i = 0; i < bent.n; i++)
			j[k * bent.n + i] = UNIT * (1 + 2 * bend * z) * bent.a[k * bent.n + i];
	}
}

static void open_bent(sampled *p, double how)
{
	const int64_t n = 6, ny = 4;
	bent = dense_random(n, ny, 5);
	bend = how;
	CHECK_OK(sampled_try(p, plug_env(1, 2, 3), "gaussian", FIELD, "denoise", NULL));
	um_forward_close(&p->forward.forward);
	um_array_free(&p->y), um_array_free(&p->sigma);
	CHECK_OK(um_forward_open(&bent_plugin, &bent, &p->forward.env, &p->forward.forward));
	p->ny = ny;
	CHECK_OK(um_array_new(&p->y, UM_F64, 2, (const int64_t[]){ 1, ny }));
	CHECK_OK(um_array_new(&p->sigma, UM_F64, 2, (const int64_t[]){ 1, ny }));
	um_array x;
	um_rng rng = um_rng_new(8, "bent", 0);
	double u[6], j[24];
	CHECK_OK(um_env_images(&p->forward.env, 1, &x));
	CHECK_OK(p->prior.prior.ops.sample(p->prior.prior.self, &rng, &x));
	for (int64_t i = 0; i < n; i++)
		u[i] = ((double)um_row_f(&x, 0)[i] - LO) / UNIT;
	bent_at(u, bent.y, j);
	for (int64_t i = 0; i < ny; i++)
		bent.y[i] += bent.sigma[i] * um_normal(&rng);
	um_array_free(&x);
	memcpy(p->y.data, bent.y, sizeof(double) * (size_t)ny);
	memcpy(p->sigma.data, bent.sigma, sizeof(double) * (size_t)ny);
}

static void close_bent(sampled *p)
{
	sampled_free(p);
	dense_free(&bent);
}

/* J^T (a2 Sigma + b2 J J^T)^-1 (a (y - f(m)) - J (u - a m)): for linear f the same at every m. */
static void look_at_match(um_sampler *s)
{
	const int64_t n = bent.n, ny = bent.ny;
	const double a2[] = { 1, 0.02, 0 }, b2[] = { 0.3, 1, 1 }, a = 0.7;
	double *f = numbers(ny), *j = numbers(ny * n), *h = numbers(ny * ny), *r = numbers(ny), *out = numbers(n);
	double *got = numbers(s->count * n), *u = numbers(s->count * n);
	CHECK_OK(um_sampler_predict(s));
	um_sampler_noise(s, 3, u);
	for (int k = 0; k < 3; k++) {
		CHECK_OK(um_sampler_match(s, a2[k], b2[k], a, u, got));
		for (int64_t b = 0; b < s->count; b++) {
			bent_at(s->mean + b * n, f, j);
			for (int64_t i = 0; i < ny; i++) {
				r[i] = a * (bent.y[i] - f[i]);
				for (int64_t q = 0; q < n; q++)
					r[i] -= j[i * n + q] * (u[b * n + q] - a * s->mean[b * n + q]);
			}
			um_gemm(false, true, ny, ny, n, j, j, h);
			for (int64_t i = 0; i < ny * ny; i++)
				h[i] = b2[k] * h[i] + (i % (ny + 1) == 0 ? a2[k] * bent.sigma[i / ny] * bent.sigma[i / ny] : 0);
			CHECK_OK(um_cholesky(ny, h));
			um_cholesky_solve(ny, h, 1, r);
			um_gemv(true, ny, n, j, r, out);
			for (int64_t i = 0; i < n; i++)
				CHECK_NEAR(got[b * n + i], out[i], 2e-4 * (1 + fabs(out[i])));
		}
	}
	free(f), free(j), free(h), free(r), free(out), free(got), free(u);
}

/* Likelihoods, with and without more variance, and norms, by central differences. */
static void look_at_likelihood(um_sampler *s)
{
	const double h = 1e-3, more[] = { 0, 0.5 };
	const int64_t n = s->n, all = s->count * n;
	double *u = numbers(all), *v = numbers(all), *g = numbers(3 * all), value[3][3];
	um_sampler_noise(s, 3, u);
	for (int k = 0; k < 3; k++) {
		if (k < 2)
			CHECK_OK(um_sampler_likelihood(s, more[k], u, value[2], g));
		else
			CHECK_OK(um_sampler_misfit(s, u, value[2], g));
		for (int64_t i = 0; i < n; i++) {
			for (int side = 0; side < 2; side++) {
				memcpy(v, u, sizeof(double) * (size_t)all);
				for (int64_t b = 0; b < s->count; b++)
					v[b * n + i] += side == 0 ? h : -h;
				if (k < 2)
					CHECK_OK(um_sampler_likelihood(s, more[k], v, value[side], NULL));
				else
					CHECK_OK(um_sampler_misfit(s, v, value[side], g + all));
			}
			for (int64_t b = 0; b < s->count; b++)
				CHECK_NEAR(g[b * n + i], (value[0][b] - value[1][b]) / (2 * h), 2e-3 * (1 + fabs(g[b * n + i])));
		}
	}
	/* what is descended is the norm of the residual, weighted by the inverse noise */
	double f[8], j[64], sum = 0;
	bent_at(u, f, j);
	for (int64_t i = 0; i < bent.ny; i++)
		sum += pow((bent.y[i] - f[i]) / bent.sigma[i], 2);
	CHECK_REL(value[2][0], s->noise * sqrt(sum), 1e-5);
	free(u), free(v), free(g);
}

static void data_terms(void)
{
	um_sampling set = TIMES(0.5);
	set.range = (um_pair){ LO, LO + UNIT };
	for (int k = 0; k < 2; k++) {
		sampled p;
		open_bent(&p, k == 0 ? 0 : 0.15);
		look_inside(&p, look_at_match, set);
		look_inside(&p, look_at_likelihood, set);
		close_bent(&p);
	}
}

/* An angle is the same after a turn. */
static void angles(void)
{
	static const char *const can[] = { "dmps", "pigdm", "ald" };
	sampled p;
	turns[2] = true;
	open_bent(&p, 0.15);
	for (int i = 0; i < 3; i++) {
		keeper k = { 0 }, after = { 0 };
		CHECK_OK(sampled_run(&p, can[i], SET("calls=21", "range=[-2.0,2.0]"), 4, &k, NULL));
		um_row_d(&p.y, 0)[2] += 4 * acos(-1);
		CHECK_OK(sampled_run(&p, can[i], SET("calls=21", "range=[-2.0,2.0]"), 4, &after, NULL));
		CHECK(same(&k.memory.samples, &after.memory.samples, 4, 1e-5));
		keeper_free(&k), keeper_free(&after);
	}
	close_bent(&p);
	turns[2] = false;
}

/* A bent model, run: what dmps and pigdm make of it fits the data; others say that they need a straight one. */
static void bent_models(void)
{
	sampled p;
	keeper k = { 0 };
	open_bent(&p, 0.15);
	static const char *const can[] = { "dmps", "pigdm", "dps", "ald" };
	for (int i = 0; i < 4; i++) {
		const char *const *set = i == 0 ? SET("calls=200", "weight=1") : i == 1 ? SET("calls=200", "guidance=score") :
			i == 2 ? SET("calls=200", "on=likelihood", "weight=0.3") : SET("calls=2001", "gamma=0.3", "grid=logsnr");
		double chi2 = 0;
		CHECK_OK(sampled_run(&p, can[i], set, 64, &k, NULL));
		for (int64_t b = 0; b < 64; b++) {
			double u[6], f[4], j[24];
			for (int64_t q = 0; q < 6; q++)
				u[q] = ((double)um_row_f(&k.memory.samples, b)[q] - LO) / UNIT;
			bent_at(u, f, j);
			for (int64_t q = 0; q < 4; q++)
				chi2 += pow((bent.y[q] - f[q]) / bent.sigma[q], 2) / (4 * 64);
		}
		CHECK(chi2 > 0.2 && chi2 < 3);
		keeper_free(&k);
	}
	CHECK_FAILS(sampled_run(&p, "mcg", NULL, 4, &k, NULL), UM_EPARAM, "linear");
	CHECK_FAILS(sampled_run(&p, "sde-proj", NULL, 4, &k, NULL), UM_EPARAM, "linear");
	CHECK_FAILS(sampled_run(&p, "ot-ode", NULL, 4, &k, NULL), UM_EPARAM, "linear");
	close_bent(&p);
}

/* ---- what all have in common ----------------------------------------------------------------------- */

static const char *const samplers[] = { "dps", "dmps", "pigdm", "ot-ode", "mcg", "sde-proj", "ald" };
enum { SAMPLERS = sizeof(samplers) / sizeof(*samplers) };

/* Settings of a few calls; ald and sde-proj have several a step. */
static const char *const *brief(int k, const char *batch)
{
	static const char *set[8];
	int n = 0;
	set[n++] = "calls=13";
	set[n++] = batch;
	if (strcmp(samplers[k], "ald") == 0)
		set[n++] = "inner=3";
	if (strcmp(samplers[k], "sde-proj") == 0)
		set[n++] = "corrections=1";
	set[n] = NULL;
	return set;
}

/* A sample is the same alone, in small and in large batches; evaluations are those that were asked for. */
static void alone_and_together(sampled *p, int first, double tol)
{
	for (int k = 0; k < first; k++) {
		const int64_t made = strcmp(samplers[k], "sde-proj") == 0 ? 12 : 13;
		keeper all = { 0 }, some = { 0 }, one = { 0 };
		int64_t calls = 0;
		CHECK_OK(sampled_run(p, samplers[k], brief(k, "batch=0"), 5, &all, &calls));
		CHECK(calls == 5 * made);
		CHECK_OK(sampled_run(p, samplers[k], brief(k, "batch=2"), 5, &some, NULL));
		CHECK_OK(sampled_run(p, samplers[k], brief(k, "batch=1"), 1, &one, NULL));
		CHECK(same(&all.memory.samples, &some.memory.samples, 5, tol));
		CHECK(same(&all.memory.samples, &one.memory.samples, 1, tol));
		keeper_free(&all), keeper_free(&some), keeper_free(&one);
	}
}

static void samples_are_independent(void)
{
	sampled p;
	CHECK_OK(sampled_try(&p, plug_env(1, 4, 4), "gaussian", FIELD, "lowfreq", SET("keep=2")));
	alone_and_together(&p, SAMPLERS, 0);
	sampled_free(&p);
	CHECK_OK(sampled_try(&p, plug_env(1, 1, 2), "gmm", NULL, "linear", SET("rows=[-2.0, 1.7]", "values=[0.3]",
		"sigma=0.2")));
	alone_and_together(&p, SAMPLERS, 0);
	sampled_free(&p);
}

static void samples_of_a_network(void)
{
	sampled p;
	um_env env = plug_env(1, 16, 16);
	if (access("share/weights/gauss-16.safetensors", R_OK) != 0) {
		printf("SKIPPED: share/weights/gauss-16.safetensors is not there\n");
		return;
	}
	for (env.threads = 1; env.threads <= 2; env.threads++) {
		CHECK_OK(sampled_try(&p, env, "score", SET("model=share/weights/gauss-16.safetensors", "precision=float32",
			"sample_steps=20"), "lowfreq", NULL));
		alone_and_together(&p, env.threads == 1 ? SAMPLERS : 2, 1e-4);
		sampled_free(&p);
	}
}

/* Stopped at any step and resumed: the same bytes. */
static void resumed(void)
{
	sampled p;
	CHECK_OK(sampled_try(&p, plug_env(1, 4, 4), "gaussian", FIELD, "lowfreq", SET("keep=2")));
	for (int k = 0; k < SAMPLERS; k++)
		for (int64_t stop = 1; stop <= 9; stop += 4) {
			keeper whole = { 0 }, broken = { .stop = stop };
			CHECK_OK(sampled_run(&p, samplers[k], brief(k, "batch=2"), 5, &whole, NULL));
			CHECK_FAILS(sampled_run(&p, samplers[k], brief(k, "batch=2"), 5, &broken, NULL), UM_EINTR, "stopped");
			CHECK(broken.n > 0);
			um_memory_free(&broken.memory);
			broken.room = 0;
			CHECK_OK(sampled_run(&p, samplers[k], brief(k, "batch=2"), 5, &broken, NULL));
			CHECK(same(&whole.memory.samples, &broken.memory.samples, 5, 0));
			keeper_free(&whole), keeper_free(&broken);
		}
	sampled_free(&p);
}

/* A step of annealed Langevin dynamics whose g has the length of the score, times a number, for each sample: what is
 * added to a step without data. The state before is what steps of no size leave. */
static void renormalised(void)
{
	enum { MANY = 7, N = 16 };
	const double snr = 0.3, weight = 0.7;
	keeper before = { 0 }, without = { 0 }, with = { 0 };
	sampled p;
	CHECK_OK(sampled_try(&p, plug_env(1, 4, 4), "gaussian", FIELD, "lowfreq", SET("keep=2", "sigma=0.9")));
	for (int64_t i = 0; i < p.ny; i++)
		um_row_d(&p.sigma, 0)[i] *= 1 + 0.3 * (double)(i % 3);
	gauss g = gauss_of(&p);
	chain h = chain_new(&g, UM_SDE_VP, 1e-3, 0.5, 1);
	set_time(&h, 0);
#define ONE_STEP "calls=1", "inner=1", "denoise=false", "times=[1e-3, 0.5]"
	CHECK_OK(sampled_run(&p, "ald", SET(ONE_STEP, "snr=0"), MANY, &before, NULL));
	CHECK_OK(sampled_run(&p, "ald", SET(ONE_STEP, "snr=0.3", "gamma=1e12"), MANY, &without, NULL));
	CHECK_OK(sampled_run(&p, "ald", SET(ONE_STEP, "snr=0.3", "renormalise=0.7"), MANY, &with, NULL));
	double *l = adjoint(&g, 0), *r = numbers(p.ny), u[N], score[N], slope[N];
	for (int b = 0; b < MANY; b++) {
		for (int i = 0; i < N; i++)
			u[i] = h.a * (double)um_row_f(&before.memory.samples, b)[i];
		um_gemv(false, N, N, h.mean, u, score);
		for (int i = 0; i < N; i++)
			score[i] = (h.a * (score[i] + h.offset[i]) - u[i]) / (h.b * h.b);
		um_gemv(false, p.ny, N, g.a, u, r);
		for (int64_t k = 0; k < p.ny; k++)
			r[k] = g.y[k] - r[k];
		um_gemv(false, N, p.ny, l, r, slope);
		const double length = sqrt(um_dot(N, score, score)), e = 2 * snr * snr * h.b * h.b;
		const double factor = e * weight * length / sqrt(um_dot(N, slope, slope));
		for (int i = 0; i < N; i++)
			CHECK_NEAR(h.a * ((double)um_row_f(&with.memory.samples, b)[i] - (double)um_row_f(&without.memory.samples, b)[i]),
				factor * slope[i], 2e-5 * e * weight * length);
	}
	free(l), free(r), gauss_free(&g);
	law nowhere = finish(&h);
	law_free(&nowhere);
	keeper_free(&before), keeper_free(&without), keeper_free(&with);
#undef ONE_STEP
	sampled_free(&p);
}

/* And the whole way: a sample is the same alone and in batches, and neither gamma nor the level of the noise counts. */
static void renormalised_all_the_way(void)
{
#define WALK "calls=31", "inner=3", "renormalise=0.5"
	keeper all = { 0 }, some = { 0 }, one = { 0 }, noisy = { 0 };
	sampled p;
	CHECK_OK(sampled_try(&p, plug_env(1, 4, 4), "gaussian", FIELD, "lowfreq", SET("keep=2", "sigma=0.9")));
	CHECK_OK(sampled_run(&p, "ald", SET(WALK, "batch=0"), 5, &all, NULL));
	CHECK_OK(sampled_run(&p, "ald", SET(WALK, "batch=2"), 5, &some, NULL));
	CHECK_OK(sampled_run(&p, "ald", SET(WALK, "batch=1"), 1, &one, NULL));
	CHECK(same(&all.memory.samples, &some.memory.samples, 5, 0));
	CHECK(same(&all.memory.samples, &one.memory.samples, 1, 0));
	for (int64_t i = 0; i < p.ny; i++)
		um_row_d(&p.sigma, 0)[i] *= 3;
	CHECK_OK(sampled_run(&p, "ald", SET(WALK, "gamma=5"), 5, &noisy, NULL));
	CHECK(same(&all.memory.samples, &noisy.memory.samples, 5, 1e-4));
	keeper_free(&all), keeper_free(&some), keeper_free(&one), keeper_free(&noisy);
	sampled_free(&p);
#undef WALK
}

static void times_of_grids(void)
{
	sampled p;
	um_sampling set = { .times = { 1e-3, 0.9 }, .calls = 10, .grid = "uniform" };
	const um_sde sde = um_sde_default(UM_SDE_VP);
	CHECK_OK(sampled_try(&p, plug_env(1, 1, 2), "gmm", NULL, "denoise", NULL));
	inner in = look_inside(&p, NULL, set);
	for (int i = 0; i < 10; i++)
		CHECK_NEAR(in.t[i], 0.9 - i * 0.899 / 9, 1e-12);
	set.grid = "logsnr";
	in = look_inside(&p, NULL, set);
	const double first = um_sde_log_ratio(&sde, 0.9), last = um_sde_log_ratio(&sde, 1e-3);
	for (int i = 0; i < 10; i++)
		CHECK_NEAR(um_sde_log_ratio(&sde, in.t[i]), first + i * (last - first) / 9, 1e-9);
	sampled_free(&p);
}

/* Too much weight ends in a message, never in numbers that are none; so do units that do not suit the noise,
 * and keys that contradict each other. */
static void refusals(void)
{
	sampled p;
	keeper k = { 0 };
	const char *const *line = SET("rows=[-2.0, 1.7]", "values=[0.3]", "sigma=0.2");
	CHECK_OK(sampled_try(&p, plug_env(1, 1, 2), "gmm", NULL, "linear", line));
	CHECK_FAILS(sampled_run(&p, "ald", SET("gamma=0.1", "calls=1001"), 4, &k, NULL), UM_ENUM, "raise gamma");
	CHECK_FAILS(sampled_run(&p, "dps", SET("on=square", "weight=100", "calls=100"), 4, &k, NULL), UM_ENUM,
		"grew without bounds by step");
	CHECK_FAILS(sampled_run(&p, "dmps", SET("weight=1e9", "limit=0", "calls=50"), 4, &k, NULL), UM_ENUM,
		"lower weight");
	CHECK_FAILS(sampled_run(&p, "pigdm", SET("weight=1e4", "calls=50"), 4, &k, NULL), UM_ENUM, "give clip");
	CHECK(k.memory.samples.data == NULL);
	CHECK_FAILS(sampled_run(&p, "dmps", SET("times=[0.5, 0.5]"), 4, &k, NULL), UM_EPARAM, "no length");
	CHECK_FAILS(sampled_run(&p, "dmps", SET("times=[0.0, 0.5]", "grid=logsnr"), 4, &k, NULL), UM_EPARAM,
		"begin later");
	CHECK_FAILS(sampled_run(&p, "ald", SET("calls=3"), 4, &k, NULL), UM_EPARAM, "takes 6 at least");
	sampled_free(&p);
	CHECK_OK(sampled_try(&p, plug_env(1, 1, 2), "gmm", SET("variances=[1e-8]"), "linear", line));
	CHECK_OK(sampled_run(&p, "dmps", SET("calls=10"), 4, &k, NULL)); /* narrow modes are far apart */
	keeper_free(&k);
	sampled_free(&p);
	CHECK_OK(sampled_try(&p, plug_env(1, 2, 2), "gaussian", SET("sigma=1e-3"), "denoise", NULL));
	CHECK_FAILS(sampled_run(&p, "dps", NULL, 4, &k, NULL), UM_EPARAM, "range: x is");
	CHECK_OK(sampled_run(&p, "dps", SET("calls=10", "range=[-2e-3, 2e-3]"), 4, &k, NULL));
	sampled_free(&p);
	keeper_free(&k);
}

static void denoised_at_once(void)
{
	sampled p;
	keeper k = { 0 };
	um_env env = plug_env(1, 3, 4);
	env.scale = 2;
	CHECK_OK(sampled_try(&p, env, "gaussian", FIELD, "denoise", SET("sigma=0.8")));
	gauss g = gauss_of(&p);
	law z = gauss_posterior(&g);
	int64_t calls = 0;
	CHECK_OK(sampled_run(&p, "noise2score", NULL, 16, &k, &calls));
	CHECK(k.memory.samples.dim[0] == 1 && calls == 1);
	for (int64_t i = 0; i < p.n; i++)
		CHECK_NEAR(um_row_f(&k.memory.samples, 0)[i], z.m[i], 1e-6);
	um_row_d(&p.sigma, 0)[3] *= 2;
	CHECK_FAILS(sampled_run(&p, "noise2score", NULL, 16, &k, NULL), UM_EPARAM, "from pixel to pixel");
	law_free(&z), gauss_free(&g);
	sampled_free(&p);
	CHECK_OK(sampled_try(&p, plug_env(1, 4, 4), "gaussian", FIELD, "lowfreq", SET("keep=2")));
	CHECK_FAILS(sampled_run(&p, "noise2score", NULL, 16, &k, NULL), UM_EPARAM, "sees the image itself");
	sampled_free(&p);
	keeper_free(&k);
}

/* ---- tables ------------------------------------------------------------------------------------------ */

enum { MOST_SET = 10, MOST_WEIGHTS = 6 };

/* A sampler, its settings, and the values of one key that are tried. */
typedef struct variant {
	const char *label, *name;
	const char *set[MOST_SET];
	const char *key;
	double value[MOST_WEIGHTS]; /* 0 ends */
} variant;

/* The settings with value number i; text is room for one. */
static const char *const *settings_of(const variant *v, int i, char text[64])
{
	static const char *all[MOST_SET + 1];
	int n = 0;
	for (; v->set[n] != NULL; n++)
		all[n] = v->set[n];
	if (v->key != NULL) {
		snprintf(text, 64, "%s=%g", v->key, v->value[i]);
		all[n++] = text;
	}
	all[n] = NULL;
	return all;
}

/* KL of 10^4 samples of the toy, averaged over seeds, for each weight: table 2 of Feng & Bouman 2023. */
static uint64_t seeds = 5;

static void toy(void)
{
	enum { SAMPLES = 10000 };
	static const variant rows[] = {
		{ "exact", "exact", { NULL }, NULL, { 1 } },
		{ "dps, squared norm", "dps", { "on=square" }, "weight", { 0.019, 0.021, 0.023, 0.025 } },
		{ "dps, norm", "dps", { "on=norm" }, "weight", { 0.003, 0.005, 0.007, 0.01 } },
		{ "ald", "ald", { NULL }, "gamma", { 0.1, 0.2, 0.3, 0.5, 1 } },
		{ "sde-proj", "sde-proj", { "last=0" }, "weight", { 0.02, 0.025, 0.03, 0.035, 0.05 } },
		{ "dmps", "dmps", { NULL }, "weight", { 0.5, 0.75, 1, 1.75 } },
		{ "dmps, after the step", "dmps", { "at=new" }, "weight", { 0.5, 0.75, 1, 1.75 } },
		{ "dmps, flow, 50 calls", "dmps", { "version=flow", "calls=50" }, "weight", { 1, 2 } },
		{ "dps, flow, 50 calls", "dps", { "version=flow", "calls=50", "on=likelihood" }, "weight", { 0.1, 0.3, 1 } },
		{ "pigdm, as the score", "pigdm", { "guidance=score", "calls=1000" }, "weight", { 0.5, 1 } },
		{ "pigdm, as in the paper", "pigdm", { "calls=100" }, "weight", { 0.5, 1 } },
		{ "ot-ode", "ot-ode", { NULL }, "weight", { 0.5, 1 } },
		{ "mcg", "mcg", { NULL }, "weight", { 0.001, 0.01 } },
	};
	const mixture truth = mixture_truth();
	sampled p;
	CHECK_OK(sampled_try(&p, plug_env(1, 1, 2), "gmm", NULL, "linear", SET("rows=[-2.0, 1.7]", "values=[0.3]",
		"sigma=0.2")));
	printf("| sampler | weight | KL | weight of a mode (0.696) |\n| --- | --- | --- | --- |\n");
	for (size_t r = 0; r < sizeof(rows) / sizeof(*rows); r++)
		for (int i = 0; i < MOST_WEIGHTS && rows[r].value[i] > 0; i++) {
			double kl = 0, weight = 0;
			um_status st = UM_OK;
			for (uint64_t seed = 1; seed <= seeds && st == UM_OK; seed++) {
				char text[64];
				keeper k = { 0 };
				p.forward.forward.env.seed = seed;
				st = sampled_run(&p, rows[r].name, settings_of(&rows[r], i, text), SAMPLES, &k, NULL);
				if (st == UM_OK) {
					const mixture fit = mixture_fit(SAMPLES, k.memory.samples.data);
					kl += mixture_kl(&fit, &truth) / (double)seeds;
					weight += fit.w[0] / (double)seeds;
				}
				keeper_free(&k);
			}
			char what[64] = "-";
			if (rows[r].key != NULL)
				snprintf(what, sizeof(what), "%s %g", rows[r].key, rows[r].value[i]);
			if (st == UM_OK)
				printf("| %s | %s | %.4f | %.3f |\n", rows[r].label, what, kl, weight);
			else
				printf("| %s | %s | fails: %.60s... | - |\n", rows[r].label, what, um_message());
			fflush(stdout);
		}
	sampled_free(&p);
}

/* Two smooth images of 8 x 8 pixels and what lies about them, as a setting of gmm. */
static const char *two_images(void)
{
	static char text[4096] = "means=[";
	for (int k = 0; k < 2 && strlen(text) < 2000; k++)
		for (int i = 0; i < 64; i++) {
			const double r = i / 8 - (k == 0 ? 2.5 : 5), c = i % 8 - (k == 0 ? 3 : 4.5),
			v = 0.2 + 0.7 * exp(-(r * r + c * c) / 6);
			snprintf(text + strlen(text), 16, "%s%.3f", k + i > 0 ? ", " : "", v);
		}
	strcat(text, "]");
	return text;
}

/* The mean, in standard deviations of the posterior, and variances of samples against those of exact ones. */
static void judge(const law *exact, const um_array *x, double *mean, double *ratio)
{
	law l = law_of_samples(x, 0, 1);
	const int64_t n = um_array_rowlen(x);
	double off = 0, got = 0, want = 0;
	for (int64_t i = 0; i < n; i++) {
		off += (l.m[i] - exact->m[i]) * (l.m[i] - exact->m[i]);
		got += l.p[i * (n + 1)];
		want += exact->p[i * (n + 1)];
	}
	*mean = sqrt(off / want);
	*ratio = got / want;
	law_free(&l);
}

static const variant table[] = {
	{ "dmps", "dmps", { "calls=200" }, "weight", { 0.5, 1, 1.75 } },
	{ "dmps, flow", "dmps", { "version=flow", "calls=50" }, "weight", { 1, 2 } },
	{ "dps", "dps", { "calls=200" }, "weight", { 0.03, 0.1, 0.3, 1 } },
	{ "dps, squared norm", "dps", { "calls=200", "on=square" }, "weight", { 0.03, 0.1, 0.3 } },
	{ "dps, likelihood", "dps", { "calls=200", "on=likelihood" }, "weight", { 0.3, 1 } },
	{ "dps, flow", "dps", { "calls=50", "version=flow", "on=likelihood" }, "weight", { 0.3, 1 } },
	{ "pigdm, as in the paper", "pigdm", { "calls=100" }, "weight", { 0.5, 1 } },
	{ "pigdm, as the score", "pigdm", { "calls=200", "guidance=score" }, "prior_variance", { 0.06, 1 } },
	{ "ot-ode", "ot-ode", { "calls=80" }, "weight", { 1 } },
	{ "mcg", "mcg", { "calls=200" }, "weight", { 0.01, 0.1, 0.3 } },
	{ "sde-proj", "sde-proj", { "calls=200" }, "weight", { 0.03, 0.1, 0.3, 1 } },
	{ "ald", "ald", { "calls=1001", "sde=ve", "sigma_max=10" }, "gamma", { 0.3, 1 } },
	{ "noise2score", "noise2score", { NULL }, NULL, { 1 } },
};

/* One row of the table of biases: the best of the weights. */
static void table_row(sampled *p, const law *exact, const variant *v, const char *problem)
{
	enum { SAMPLES = 1000 };
	double best = INFINITY, mean = 0, ratio = 0, weight = 0;
	for (int i = 0; i < MOST_WEIGHTS && v->value[i] > 0; i++) {
		char text[64];
		keeper k = { 0 };
		double m, r;
		if (sampled_run(p, v->name, settings_of(v, i, text), SAMPLES, &k, NULL) == UM_OK) {
			judge(exact, &k.memory.samples, &m, &r);
			const bool point = k.memory.samples.dim[0] == 1;
			const double bad = point ? m : m + fabs(log(fmax(r, 1e-6)));
			if (bad < best) {
				best = bad, mean = m, ratio = point ? 0 : r, weight = v->value[i];
			}
		}
		keeper_free(&k);
	}
	if (best < INFINITY && v->key != NULL)
		printf("| %s | %s | %s %g | %.2f | %.2f |\n", problem, v->label, v->key, weight, mean, ratio);
	else if (best < INFINITY)
		printf("| %s | %s | - | %.2f | - |\n", problem, v->label, mean);
	fflush(stdout);
}

/* 64 numbers, two priors, those forward models that are there, or the one of the command line. */
static const char *only_model;

static void gaussian(void)
{
	static const char *const models[] = { "denoise", "lowfreq", "inpaint", "superres", "blur" };
	const char *const *priors[] = { SET("spectrum=power", "mean=0.5", "sigma=0.25", "floor=0.05"),
		SET(two_images(), "variances=[0.02]") };
	printf("| problem | sampler | best weight | mean off by (posterior sd) | variance ratio |\n| --- | --- | --- | --- | --- |\n");
	for (int q = 0; q < 2; q++)
		for (size_t f = 0; f < sizeof(models) / sizeof(*models); f++) {
			char problem[64];
			const char *const *set = f == 0 ? SET("sigma=0.2") : f == 1 ? SET("keep=3", "sigma=1") : NULL;
			sampled p = { 0 };
			keeper k = { 0 };
			const um_plugin *there = NULL;
			if ((only_model != NULL && strcmp(only_model, models[f]) != 0) ||
				um_plugin_find(UM_FORWARD, models[f], &there) != UM_OK)
				continue;
			CHECK_OK(sampled_try(&p, plug_env(1, 8, 8), q == 0 ? "gaussian" : "gmm", priors[q], models[f], set));
			CHECK_OK(sampled_run(&p, "exact", NULL, 20000, &k, NULL));
			law exact = law_of_samples(&k.memory.samples, 0, 1);
			snprintf(problem, sizeof(problem), "%s, %s", models[f], q == 0 ? "Gaussian" : "mixture");
			for (size_t r = 0; r < sizeof(table) / sizeof(*table); r++)
				table_row(&p, &exact, &table[r], problem);
			law_free(&exact);
			keeper_free(&k);
			sampled_free(&p);
		}
}

int main(int argc, char **argv)
{
	const check_case all[] = { CHECK_CASE(laws_of_denoising), CHECK_CASE(laws_of_frequencies),
	CHECK_CASE(laws_of_a_range),
		CHECK_CASE(limits), CHECK_CASE(exact_samples), CHECK_CASE(derivative_of_the_mean), CHECK_CASE(clipped),
		CHECK_CASE(scalar_of_the_paper), CHECK_CASE(data_terms), CHECK_CASE(angles),
		CHECK_CASE(bent_models),
			CHECK_CASE(samples_are_independent),
		CHECK_CASE(samples_of_a_network), CHECK_CASE(resumed), CHECK_CASE(renormalised),
		CHECK_CASE(renormalised_all_the_way), CHECK_CASE(times_of_grids), CHECK_CASE(refusals),
		CHECK_CASE(denoised_at_once) };
	const check_case tables[] = { CHECK_CASE(toy), CHECK_CASE(gaussian) };
	only_model = argc > 2 ? argv[2] : NULL;
	seeds = argc > 2 ? strtoull(argv[2], NULL, 10) : seeds;
	if (argc > 1)
		return check_run("tables", &tables[strcmp(argv[1], "toy") != 0], 1);
	return check_run(__FILE__, all, sizeof(all) / sizeof(*all));
}
