/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <umbra/chains.h>
#include <umbra/host.h>
#include "check.h"

/* Against numbers of tests/data/chains.py, which computes them with numpy from the paper's formulas. */
static void reference(void)
{
	um_tensors t = { 0 };
	int cases = 0;
	CHECK_OK(um_tensors_read("tests/data/chains.safetensors", &t));
	for (char name[2][32];; cases++) {
		snprintf(name[0], sizeof(name[0]), "x%d", cases);
		snprintf(name[1], sizeof(name[1]), "figures%d", cases);
		const um_array *x = um_tensors_get(&t, name[0]), *want = um_tensors_get(&t, name[1]);
		um_convergence c;
		if (x == NULL || want == NULL)
			break;
		CHECK_OK(um_chains(x->dim[0], x->dim[1], x->data, &c));
		CHECK_REL(c.rhat, um_row_d(want, 0)[0], 1e-10);
		CHECK_REL(c.ess_bulk, um_row_d(want, 0)[1], 1e-8);
		CHECK_REL(c.ess_tail, um_row_d(want, 0)[2], 1e-8);
		CHECK_REL(c.ess_mean, um_row_d(want, 0)[3], 1e-8);
	}
	CHECK(cases == 8);
	um_tensors_free(&t);
}

/* Stationary x_i = phi x_i-1 + noise: autocorrelations phi^t, so tau = (1 + phi) / (1 - phi). */
static void fill(double *x, int64_t chains, int64_t draws, double phi, uint64_t seed)
{
	for (int64_t c = 0; c < chains; c++) {
		um_rng r = um_rng_new(seed, "ar1", (uint64_t)c);
		double v = um_normal(&r) / sqrt(1 - phi * phi);
		for (int64_t i = 0; i < draws; i++, v = phi * v + um_normal(&r))
			x[c * draws + i] = v;
	}
}

static void known_correlation(void)
{
	enum { CHAINS = 4, DRAWS = 20000 };
	const double phi[] = { 0, 0.5, 0.9, -0.4 };
	double *x = malloc(sizeof(double) * CHAINS * DRAWS);
	for (int k = 0; k < 4; k++) {
		um_convergence c;
		fill(x, CHAINS, DRAWS, phi[k], 3);
		CHECK_OK(um_chains(CHAINS, DRAWS, x, &c));
		const double want = CHAINS * DRAWS * (1 - phi[k]) / (1 + phi[k]);
		CHECK_REL(c.ess_mean, want, 0.1);
		CHECK_REL(c.ess_bulk, want, 0.1);
		CHECK(c.rhat < 1.002 && c.rhat > 0.9999);
		CHECK(c.ess_tail > 0.5 * fmin(want, CHAINS * DRAWS) && c.ess_tail < 1.5 * fmax(want, CHAINS * DRAWS));
	}
	free(x);
}

/* Ranks make the figures those of any increasing function of the draws: here of Cauchy ones. */
static void ranks(void)
{
	enum { CHAINS = 3, DRAWS = 500 };
	double x[CHAINS * DRAWS];
	um_convergence a, b;
	fill(x, CHAINS, DRAWS, 0.3, 4);
	CHECK_OK(um_chains(CHAINS, DRAWS, x, &a));
	for (int i = 0; i < CHAINS * DRAWS; i++)
		x[i] = exp(3 * x[i]);
	CHECK_OK(um_chains(CHAINS, DRAWS, x, &b));
	CHECK_NEAR(a.ess_bulk, b.ess_bulk, 1e-9);
	CHECK_NEAR(a.ess_tail, b.ess_tail, 1e-9);
	CHECK(fabs(a.ess_mean - b.ess_mean) > 1);
}

static void apart(void)
{
	enum { CHAINS = 4, DRAWS = 400 };
	double x[CHAINS * DRAWS];
	um_convergence c;
	fill(x, CHAINS, DRAWS, 0, 5);
	for (int i = 0; i < DRAWS; i++)
		x[i] += 10; /* one chain in another mode */
	CHECK_OK(um_chains(CHAINS, DRAWS, x, &c));
	CHECK(c.rhat > 1.5 && c.ess_bulk < 20);
	fill(x, CHAINS, DRAWS, 0, 5);
	for (int i = 0; i < DRAWS; i++)
		x[i] *= 5; /* in the same place, but wider */
	CHECK_OK(um_chains(CHAINS, DRAWS, x, &c));
	CHECK(c.rhat > 1.1);
	fill(x, CHAINS, DRAWS, 0, 5);
	for (int i = 0; i < CHAINS * DRAWS; i++)
		x[i] += 0.01 * (i % DRAWS); /* all drift alike: halves tell */
	CHECK_OK(um_chains(CHAINS, DRAWS, x, &c));
	CHECK(c.rhat > 1.2);
}

static void degenerate(void)
{
	double x[] = { 0.1, 0.1, 0.1, 0.1, 0.1, 0.3, 0.3, 0.3, 0.3, 0.3 };
	um_convergence c;
	CHECK_OK(um_chains(2, 5, x, &c));
	CHECK(isinf(c.rhat) && c.ess_bulk > 0 && c.ess_bulk < 10);
	CHECK_OK(um_chains(1, 5, x, &c));
	CHECK(isnan(c.rhat) && isnan(c.ess_bulk) && isnan(c.ess_tail) && isnan(c.ess_mean));
	CHECK_OK(um_chains(2, 3, x, &c));
	CHECK(isnan(c.rhat));
	x[3] = INFINITY;
	CHECK_OK(um_chains(2, 5, x, &c));
	CHECK(isnan(c.rhat) && isnan(c.ess_mean));
}

/* Of several numbers the worst counts, one that never changes does not; log densities count too. */
static void report(void)
{
	enum { CHAINS = 4, DRAWS = 1000, N = 3 };
	float kept[CHAINS * DRAWS * N];
	double x[CHAINS * DRAWS], lp[CHAINS * DRAWS];
	const um_array k = um_array_view(kept, UM_F32, 3, (const int64_t[]){ CHAINS, DRAWS, N });
	const um_array l = um_array_view(lp, UM_F64, 2, (const int64_t[]){ CHAINS, DRAWS });
	const double phi[] = { 0, 0.6 };
	um_convergence c, one;
	for (int way = 0; way < 3; way++) { /* all well; slow log densities; a chain apart */
		um_memory m = { 0 };
		um_sink sink = um_memory_sink(&m);
		bool good;
		for (int i = 0; i < 2; i++) {
			fill(x, CHAINS, DRAWS, phi[i], 7 + (uint64_t)i);
			for (int t = 0; t < CHAINS * DRAWS; t++)
				kept[t * N + i] = (float)(x[t] + (way == 2 && i == 0 && t < DRAWS ? 3 : 0));
		}
		for (int t = 0; t < CHAINS * DRAWS; t++)
			kept[t * N + 2] = 0.1f;
		fill(lp, CHAINS, DRAWS, way == 1 ? 0.9 : 0, 9);
		CHECK_OK(um_chains_worst(&k, &c));
		CHECK_OK(um_chains(CHAINS, DRAWS, x, &one)); /* the second number */
		CHECK(way == 2 || fabs(c.ess_tail - one.ess_tail) < 1);
		CHECK(way == 2 ? c.rhat > 1.3 && c.ess_bulk < 20 : c.rhat < 1.01 && fabs(c.ess_bulk - one.ess_bulk) < 0.1);
		CHECK_OK(um_chains_report(&sink, &k, &l, "look again", &good));
		CHECK(good == (way == 0));
		CHECK(way != 1 || um_memory_metric(&m, "ess_bulk") < 400);
		CHECK_NEAR(um_memory_metric(&m, "rhat"), c.rhat, way == 1 ? 0.1 : 1e-12);
		um_memory_free(&m);
	}
}

CHECK_MAIN(CHECK_CASE(reference), CHECK_CASE(known_correlation), CHECK_CASE(ranks), CHECK_CASE(apart),
	CHECK_CASE(degenerate), CHECK_CASE(report))
