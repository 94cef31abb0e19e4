/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Amortized posterior sampling (Mammadov, Chung & Ye 2024, arXiv:2407.17907): one law q(u | y), a flow whose
 * couplings see the measurement y, is fitted to the posteriors of many measurements at once, by minimising
 *   E_y E_{u ~ q(u | y)} [ -log p(y | u) - log p(u) + log q(u | y) ],
 * where y runs over training measurements and nothing else is known of them; then one pass of it is a sample of
 * the posterior of a new one. Not plugin ABI. */
#ifndef UMBRA_AMORTIZED_H
#define UMBRA_AMORTIZED_H

#include <umbra/plugin.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Settings, in the form of parameters of a plugin (see plugins/inference/cnf.c for what they do);
 * um_amortized_open chooses those that are 0 or negative where that says so. */
typedef struct um_amortized {
	const char *model, *summary, *couplings_of, *start;
	bool blind, resample;
	int64_t features, embedding, couplings, hidden, depth;
	int64_t steps, batch, draws, warmup, check, prior_draws, refine, tune;
	double bound, rate, decay, clip, average, temper, balance, level, sd, spread;
} um_amortized;

/* The law, untrained, or that of the weight file that set->model names; set and what it points to is lent. */
typedef struct um_amortizer um_amortizer;
UM_API UM_USED um_status um_amortized_open(const um_amortized *set, const um_env *env, um_amortizer **out);
UM_API void um_amortized_close(um_amortizer *a);
/* Whether it calls the score of the prior (summary = "restored"). */
UM_API bool um_amortized_restores(const um_amortizer *a);

/* Whether it can learn a problem of which so much is known; a trained one belongs to its own (um_problem_suits). */
UM_API UM_USED um_status um_amortized_suits(const um_amortizer *a, const um_problem_info *about);

/* Learns from the measurements of a fit; what a weight file needs goes to the sink. */
UM_API UM_USED um_status um_amortized_fit(um_amortizer *a, um_problem *problem, um_sink *sink);

/* After set->tune steps of learning from it alone, samples with log q of the one measurement of problem, and metrics: how far it is from those of training
 * (condition_distance, predictive_chi2, noise_outside: a fraction of sigma; alarm is 1, with a warning, where one is beyond
 * 99 % of these), and how good the law is for it (pareto_k, importance_ess, elbo). Refuses another problem than that of
 * the training, and noise of which most is off by more than a factor of 1.5. */
UM_API UM_USED um_status um_amortized_run(um_amortizer *a, um_problem *problem, um_sink *sink);

#ifdef __cplusplus
}
#endif
#endif
