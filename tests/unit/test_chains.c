/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <umbra/chains.h>
#include <umbra/rng.h>
#include <umbra/tensors.h>
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
	double x[] = { 1, 1, 1, 1, 1, 2, 2, 2, 2, 2 };
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

CHECK_MAIN(CHECK_CASE(reference), CHECK_CASE(known_correlation), CHECK_CASE(ranks), CHECK_CASE(apart),
	CHECK_CASE(degenerate))
