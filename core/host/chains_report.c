/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Draws of chains in words: what is wrong with them and what to do. */
#include <math.h>
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
