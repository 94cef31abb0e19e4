/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Variational inference: fits a law q(u) that can be sampled to a posterior, by minimising over
 * draws u ~ q
 *   E[-w_data log p(y | x) - w_prior log p(x)] - w_entropy H(x), x = x(u),
 * where H(x) = H(q) + E[log |dx/du|] is the entropy of the image. Families are gaussian (independent
 * numbers), lowrank (independent plus few directions) and realnvp (a flow). Not plugin ABI. */
#ifndef UMBRA_VARIATIONAL_H
#define UMBRA_VARIATIONAL_H

#include <umbra/flow.h>
#include <umbra/optimum.h>
#include <umbra/problem.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- laws ------------------------------------------------------------------------ */

/* What a family needs to know. */
typedef struct um_law_spec {
	int64_t n;            /* numbers in u */
	int64_t batch;        /* most draws at a time */
	int threads;
	double rate, clip;    /* of Adam; rate falls as a cosine to floor rate over span steps */
	int64_t warmup, span;
	double floor;         /* 1: it stays */
	int64_t rank;         /* lowrank: directions */
	um_flow_spec flow;    /* realnvp */
	bool balance;         /* realnvp: steps have shares */
	uint64_t seed;        /* of starting weights */
} um_law_spec;

typedef struct um_law um_law;
typedef struct um_law_ops {
	/* Sets the public fields of law and self. */
	um_status (*create)(um_law *law, const um_law_spec *spec);
	void (*destroy)(um_law *law);
	/* The first law of fit number attempt: mean and standard deviation of each number. */
	um_status (*start)(um_law *law, int64_t attempt, const double *mean, const double *sd);
	/* u and log q of count rows from white z [count][noise]; train: a step follows. */
	um_status (*draw)(um_law *law, bool train, int64_t count, const double *z, um_array *u, double *logq);
	/* Entropy: exact where it is known, else the mean of -log q over the last draw. */
	double (*entropy)(um_law *law);
	/* One step of the optimiser from the rows of the last draw, a full batch: down E[du . u] -
	 * entropy H - sum_b share_b log q(u_b) at held u_b; share is NULL without um_law_spec.balance. */
	um_status (*step)(um_law *law, const double *z, const um_array *du, double entropy,
		const double *share);
	/* (optional) mean of u [n]. */
	void (*mean)(um_law *law, double *mean);
	/* Takes the law of now into its average, as number k from 1; then the average becomes the law. */
	void (*average)(um_law *law, int64_t k);
	void (*finish)(um_law *law, int64_t averaged);
	/* The arrays of result or state were written from outside; steps were made. */
	void (*changed)(um_law *law, int64_t steps);
} um_law_ops;

enum { UM_LAW_ARRAYS = 8 };

/* An open struct: families fill it. */
struct um_law {
	const um_law_ops *ops;
	void *self;
	int64_t noise;                    /* white numbers a draw needs */
	int nstate, nresult;              /* all arrays of a checkpoint; the first of them are the law */
	const char *name[UM_LAW_ARRAYS];
	um_array *state[UM_LAW_ARRAYS];
};

/* family: "gaussian", "lowrank" or "realnvp". */
UM_API UM_USED um_status um_law_new(const char *family, const um_law_spec *spec, um_law **law);
UM_API void um_law_free(um_law *law);

/* The law of u = c + T v, v of the law "inner", which becomes its property: c [n] and T [n][n] are the last two
 * arrays of its state, zero until they are written, and start is about v. */
UM_API UM_USED um_status um_law_affine(um_law *inner, const um_law_spec *spec, um_law **law);

/* ---- the fit ------------------------------------------------------------------------ */

/* Settings, in the form of parameters of a plugin (see plugins/inference/dpi.c for what they do);
 * um_variational_fill chooses those that are 0 by family and shape of the image. */
typedef struct um_variational {
	const char *family, *warm, *start, *couplings_of;
	int64_t warm_iterations, warm_draws, warm_starts, starts, steps, batch, warmup, average, check, patience, trace, seeds, elbo_draws;
	int64_t rank, couplings, hidden, depth;
	double level, size, sd, spread, rate, decay, clip, data_weight, prior_weight, entropy_weight;
	double temper, balance, anneal_rate, anneal_pivot, anneal_order, anneal_decay, threshold, disagree, outliers;
	bool batchnorm;
	const char *image;
	um_array from;  /* what um_start_read made of it; empty without one */
} um_variational;

UM_API UM_USED um_status um_variational_fill(um_variational *set, const int64_t shape[5]);
/* The flow of filled settings, but for its seed. */
UM_API um_flow_spec um_variational_flow(const um_variational *set, const int64_t shape[5]);

/* Whether the settings can be followed where so much is to be inferred from so much: see um_inference_ops. */
UM_API UM_USED um_status um_variational_suits(const um_variational *set, const um_problem_info *about);

/* Fits, then delivers samples with log q, and metrics: elbo = E[log p(y | u) + log p(u) - log q(u)]
 * with elbo_se, importance_ess (effective share of draws under weights p / q), ... */
UM_API UM_USED um_status um_variational_run(const um_variational *set, um_problem *problem, um_sink *sink);

#ifdef __cplusplus
}
#endif
#endif
