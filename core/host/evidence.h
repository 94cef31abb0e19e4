/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Estimates of log p(y) from samples u whose density q(u) is known: with log weights
 *   w = log p(y | u) + log p(u) - log q(u),
 * log p(y) is at least E w (Jensen), and is log E exp(w) where q reaches whatever the posterior reaches. */
#ifndef UMBRA_HOST_EVIDENCE_H
#define UMBRA_HOST_EVIDENCE_H

#include <umbra/problem.h>

/* Zero it before use. */
typedef struct um_evidence {
	int64_t n;
	double *log_weight;
	bool unknown;       /* of some samples: no estimate */
	int64_t calls;      /* evaluations of the prior that were spent here, as um_problem_calls counts them */
} um_evidence;

typedef struct um_evidence_figures {
	double lower, lower_se; /* mean of w, and its standard error */
	double is, is_se;       /* log of the mean of exp(w), and its standard error by the delta method */
	double k;               /* Pareto shape of the tail of exp(w): above um_pareto_limit the two before mean nothing;
	                           NaN for fewer than 21 samples */
} um_evidence_figures;

/* Weighs samples, of all at most the first 1024; logq NULL, or a density of which the prior only has an estimate (whose
 * noise would count as evidence), make it unknown, and so does one that fails. */
UM_API void um_evidence_add(um_evidence *e, um_problem *p, const um_array *u, const double *logq);

/* False where there is no estimate. The likelihood counts as the normal density of y of standard deviations sigma;
 * that of a forward model with one of its own may be off by a constant of the data, the same for all cells of
 * the forward model. All but k are NaN where the prior is not normalised. */
UM_API bool um_evidence_estimate(const um_evidence *e, um_problem *p, um_evidence_figures *out);

UM_API void um_evidence_free(um_evidence *e);

#endif
