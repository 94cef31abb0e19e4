/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Draws of chains: in words, what is wrong with them and what to do, and as samples. */
#include <math.h>
#include <string.h>
#include <umbra/chains.h>

enum { FEW = 100, ENOUGH = 400, USUAL = 1000 }; /* draws a chain, independent ones, draws a chain */
static const double AGREE = 1.01, DISAGREE = 1.05;

static bool chains(int64_t count, int64_t draws, const um_convergence *c, const char *apart)
{
	const double all = (double)(count * draws), ess = fmin(c->ess_bulk, c->ess_tail);
	if (draws < FEW) {
		um_log(UM_WARN, "%lld draws a chain are too few to tell whether chains agree: draws = %d would do",
			(long long)draws, USUAL);
		return false;
	}
	if (c->rhat > DISAGREE)
		um_log(UM_WARN, "the chains disagree: R-hat is %.3g and should be below %g. They sit in different parts of the "
			"posterior, whose weights are then wrong, or have not arrived: %s", c->rhat, AGREE, apart);
	else if (c->rhat > AGREE)
		um_log(UM_WARN, "R-hat is %.3f, and only below %g do chains agree well enough: draws = %lld may do",
			c->rhat, AGREE, (long long)(4 * draws));
	if (ess < ENOUGH)
		um_log(UM_WARN, "%.0f draws are worth only %.0f independent ones, below %d, so means and quantiles are "
			"rough: draws = %.0f may do", all, ess, ENOUGH, ceil(ENOUGH / ess) * (double)draws);
	return c->rhat <= AGREE && ess >= ENOUGH;
}

um_status um_chains_report(um_sink *sink, const um_array *kept, const um_array *lp, const char *apart, bool *good)
{
	um_status st = UM_OK;
	const int64_t count = kept->dim[0], draws = kept->dim[1];
	um_convergence c, density;
	UM_TRY(um_chains_worst(kept, &c));
	UM_TRY(um_chains(count, draws, lp->data, &density));
	c.rhat = fmax(c.rhat, density.rhat);
	c.ess_bulk = fmin(c.ess_bulk, density.ess_bulk);
	c.ess_tail = fmin(c.ess_tail, density.ess_tail);
	UM_TRY(um_sink_metric(sink, "rhat", c.rhat));
	UM_TRY(um_sink_metric(sink, "ess_bulk", c.ess_bulk));
	UM_TRY(um_sink_metric(sink, "ess_tail", c.ess_tail));
	*good = chains(count, draws, &c, apart);
out:
	return st;
}

um_status um_chains_deliver(const um_problem *problem, const um_array *kept, int64_t draws, um_sink *sink)
{
	enum { BATCH = 64 };
	um_status st = UM_OK;
	um_array u = { 0 };
	const int64_t chains = kept->dim[0], n = kept->dim[2], wanted = um_problem_about(problem)->samples;
	const int64_t each = (wanted + chains - 1) / chains < draws ? (wanted + chains - 1) / chains : draws;
	const int64_t all = each * chains < wanted ? each * chains : wanted;
	for (int64_t first = 0; first < all; first += BATCH) {
		const int64_t many = all - first < BATCH ? all - first : BATCH;
		UM_TRY(um_problem_images(problem, many, &u));
		for (int64_t k = 0; k < many; k++) {
			const int64_t draw = ((first + k) / chains + 1) * draws / each - 1;
			memcpy(um_row_f(&u, k), um_row_f(kept, (first + k) % chains) + draw * n, sizeof(float) * (size_t)n);
		}
		UM_TRY(um_sink_samples(sink, &u, NULL));
		um_array_free(&u);
	}
out:
	um_array_free(&u);
	return st;
}
