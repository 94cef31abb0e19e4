/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Samplers that walk a diffusion backwards, from noise to images that fit the data. A plugin has a function for
 * one step and calls um_sampler_run; what samplers share is here: keys, grids of times, evaluations of the
 * score and the derivative of what it predicts, steps of the prior alone, the data as gradients, batches,
 * checkpoints, delivery. plugins/inference/dps.c is an example. Not plugin ABI.
 *
 * A state is of what diffuses, u = (x - lo) / unit, u_t = a u_0 + b z with the signal a and the noise b of
 * umbra/sde.h. States, gradients and noise are [count][n] doubles of u. The forward model as a function of u_0
 * is f(lo + unit u_0), J its Jacobian. Nothing of a sample depends on the others. */
#ifndef UMBRA_SAMPLER_H
#define UMBRA_SAMPLER_H

#include <umbra/plugin.h>
#include <umbra/sde.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- keys ------------------------------------------------------------------------------- */

/* The first member of the struct of a plugin's parameters. */
typedef struct um_sampling {
	const char *sde, *grid;
	double beta_min, beta_max, sigma_min, sigma_max;
	um_pair times, range, clip;
	int64_t calls, batch;
	const char *variance;
	double tolerance;
	int64_t iterations;
} um_sampling;

/* Their rows, first in the table of the plugin, with the defaults of two of them. */
#define UM_SAMPLING_PARAMS(calls_, times_) \
	UM_PARAM(um_sampling, calls, calls_, 1, 1e9, "", "Evaluations of the score for a sample."), \
	UM_CHOICE(um_sampling, sde, "auto", "auto|" UM_SDE_NAMES, "The diffusion that is walked; every prior with a " \
		"score has it for all of them. auto: variance preserving, for deterministic steps the straight path of " \
		"rectified flows."), \
	UM_PARAM(um_sampling, beta_min, "0.1", 1e-6, 1e3, "", "Rate of noise at the beginning (vp, subvp)."), \
	UM_PARAM(um_sampling, beta_max, "20", 1e-6, 1e4, "", "Rate of noise at the end (vp, subvp)."), \
	UM_PARAM(um_sampling, sigma_min, "0.01", 1e-12, 1e6, "", "Noise at the beginning (ve)."), \
	UM_PARAM(um_sampling, sigma_max, "50", 1e-12, 1e9, "", "Noise at the end (ve)."), \
	UM_PARAM(um_sampling, times, times_, 0, 1, "", "Times of the last and the first evaluation; flow begins at " \
		"0.999 at most."), \
	UM_CHOICE(um_sampling, grid, "uniform", "uniform|logsnr", "Times between these: uniform, or uniform in the " \
		"logarithm of noise to signal."), \
	UM_PARAM(um_sampling, range, "[0.0, 0.0]", -1e12, 1e12, "", "Values of x that are 0 and 1 to the diffusion, " \
		"whose noise they are measured by. Equal: those of a model that learned, else 0 and 1 themselves."), \
	UM_PARAM(um_sampling, clip, "[0.0, 0.0]", -1e12, 1e12, "", "Predicted images are clipped to these values of " \
		"x; equal: they are not."), \
	UM_PARAM(um_sampling, batch, "0", 0, 65536, "", "Samples side by side; 0: as many as are a million numbers, " \
		"between 16 and 1024.")

/* For plugins that call um_sampler_move with eta 1. */
#define UM_VARIANCE_PARAMS \
	UM_CHOICE(um_sampling, variance, "large", "large|small", "Fresh noise of a step (Ho et al. 2020, sec. 3.2): " \
		"as the diffusion adds, which is right where clean images vary much, or less, which is right where they do " \
		"not.")

/* For plugins that call um_sampler_match. */
#define UM_MATCH_PARAMS \
	UM_PARAM(um_sampling, tolerance, "1e-4", 1e-12, 1, "", "Relative residual of the conjugate gradients that " \
		"stand in where a forward model has no solution of its own."), \
	UM_PARAM(um_sampling, iterations, "100", 1, 1000000, "", "Most iterations of these.")

/* ---- a walk ------------------------------------------------------------------------------- */

/* Some samples on their way. Open for reading; u is the plugin's to change. */
typedef struct um_sampler {
	const void *self;         /* parameters of the plugin */
	um_problem *problem;
	const um_problem_info *about;
	um_sde sde;
	int64_t n;                /* numbers of an image */
	int64_t first, count;     /* the first of the samples here, and how many */
	int64_t step, steps;
	double t, a, b;           /* time, signal, noise */
	double t_next, a_next, b_next; /* where the step leads; the last one to 0, 1, 0 */
	double noise;             /* of the data, as one number: 1 / noise^2 is the mean of 1 / sigma^2 */
	double *u;                /* state */
	double *mean;             /* E[u_0 | u], clipped; set by um_sampler_predict and um_sampler_guide */
	double *guide;            /* set by um_sampler_guide */
	double *number;           /* [count]: room for one number a sample */
	struct um_sampler_inside *inside;
} um_sampler;

typedef struct um_sampler_ops {
	um_sde_kind usual;        /* the sde of "auto" */
	int64_t each;             /* evaluations of the score in a step (0: 1), so that calls / each steps are made */
	int64_t after;            /* and after the last */
	um_status (*begin)(um_sampler *s); /* (optional) where walks begin; u is white noise times b until then */
	um_status (*step)(um_sampler *s);  /* u at t becomes u at t_next */
	um_status (*end)(um_sampler *s);   /* (optional) u of the last time becomes u_0, where steps do not lead there */
	const char *advice;       /* what to try where numbers grow without bounds */
} um_sampler_ops;

/* Walks all samples of the problem and delivers them; params begins with um_sampling. UM_ENUM, saying when,
 * where numbers are no longer finite or beyond all reason. */
UM_API UM_USED um_status um_sampler_run(const void *params, const um_sampler_ops *ops, um_problem *problem,
	um_sink *sink);

/* For create of a plugin, whose destroy is free: *self is a copy of params, size bytes; wrong keys, and fewer calls
 * than a walk takes at least (each + after of its um_sampler_ops), are UM_EPARAM. */
UM_API UM_USED um_status um_sampler_create(const void *params, size_t size, int64_t least, void **self);

/* ---- for steps ------------------------------------------------------------------------------- */

/* One evaluation of the score s: mean = (u + b^2 s) / a (Tweedie). */
UM_API UM_USED um_status um_sampler_predict(um_sampler *s);

/* The same, and in the same pass guide = (d mean / d u)^T v, where slope sets v [count][n] from mean: with v
 * the gradient of a function of mean, guide is its gradient by u. It is called for some of the samples at a
 * time, as a sampler of their own. */
UM_API UM_USED um_status um_sampler_guide(um_sampler *s, um_status (*slope)(um_sampler *part, double *v));

/* The prior alone: u = a_next mean + c z_u + eta d b_next / b z with z_u = (u - a mean) / b, d^2 = b^2 - (a /
 * a_next)^2 b_next^2 the noise that the diffusion adds, and c^2 = b_next^2 - (eta d b_next / b)^2 (Song et al.
 * 2021, arXiv:2010.02502, eq. 12): with eta 1 the step of DDPM, with 0 a deterministic one, for the straight
 * path that of Euler. With the key variance, large, z has eta d. */
UM_API void um_sampler_move(um_sampler *s, double eta);

/* d u_next / d s of that: a term added to the score, times this, is added to u. */
UM_API double um_sampler_gain(const um_sampler *s, double eta);

/* A step of Langevin's equation at this time: u += e (s + g) + (2 e)^1/2 z with e = 2 (snr b)^2, s the score
 * that mean stands for, g NULL: none. For stream see um_sampler_noise. */
UM_API void um_sampler_langevin(um_sampler *s, double snr, const double *g, int64_t stream);

/* u += factor x. */
UM_API void um_sampler_add(um_sampler *s, double factor, const double *x);

/* White noise of this step; stream is a number below a million, and 0 is that of um_sampler_move. */
UM_API void um_sampler_noise(const um_sampler *s, int64_t stream, double *z);

/* Room for [count][n] numbers, k from 0 to 2; um_sampler_move uses that of 0. */
UM_API double *um_sampler_room(um_sampler *s, int k);

/* ---- data ------------------------------------------------------------------------------------- */

/* ll [count] = log p(y | u_0) at the images u0 and its gradient (either may be NULL). more is added to the
 * variance of each datum, which then is taken as Gaussian. */
UM_API UM_USED um_status um_sampler_likelihood(um_sampler *s, double more, const double *u0, double *ll,
	double *gradient);

/* norm [count] (or NULL) of the residual y - f(u_0), weighted by noise / sigma, which is 1 where all sigma are
 * equal, and its gradient. Of a likelihood that is not Gaussian: noise (-2 log p)^1/2. */
UM_API UM_USED um_status um_sampler_misfit(um_sampler *s, const double *u0, double *norm, double *gradient);

/* The largest singular value of J, or, weighted, of (noise / sigma) J, as power iterations find it; of f that
 * is not linear at some noise about the middle of the range. What is made relative to it suits data of any
 * units. */
UM_API UM_USED um_status um_sampler_strength(um_sampler *s, bool weighted, double *largest);

/* out = J^T (a2 Sigma + b2 J J^T)^-1 (a y - f_a(u)), the gradient of log N(a y; f_a(u), a2 Sigma + b2 J J^T):
 * f_a(u) is what a signal a of u shows, J u for linear f (plus what lo shows), and a f(mean) + J (u - a mean),
 * linearised at mean, for others. a2 = 0 and b2 = 1: the pseudo-inverse instead, J^+ (a y - f_a(u)). By
 * conjugate gradients where the forward model has no solution. out may be u. */
UM_API UM_USED um_status um_sampler_match(um_sampler *s, double a2, double b2, double a, const double *u,
	double *out);

#ifdef __cplusplus
}
#endif
#endif
