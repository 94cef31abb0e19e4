/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A score as a probability: the log density of images through the probability-flow equation of a
 * diffusion (Song et al. 2021, arXiv:2011.13456, sec. 4.3), its gradient, its lower bound (Song et al.
 * 2021, arXiv:2101.09258), and samples. Not plugin ABI. */
#ifndef UMBRA_PROBFLOW_H
#define UMBRA_PROBFLOW_H

#include <umbra/ode.h>
#include <umbra/plugin.h>
#include <umbra/sde.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum um_probflow_gradient {
	UM_GRADIENT_ADJOINT, /* the adjoint equation, backwards from each step that was stored */
	UM_GRADIENT_STEPS,   /* the derivative of the steps themselves */
} um_probflow_gradient;

/* How a diffusion is used. */
typedef struct um_probflow {
	um_status (*score)(void *self, const um_score_job *job);
	um_status (*residual)(void *self, const um_score_job *job); /* as score, but jtv = J^T (sigma s + v), in one
	                                                               pass; NULL: there is none */
	void *self;
	int64_t shape[5];     /* of an image, n numbers */
	int64_t n;
	um_sde sde;
	double from, to;      /* times; the density is that of x_t at t = from */
	double lo, unit;      /* what diffuses is (x - lo) / unit; unit 0: x itself. The score is that of x. */
	um_ode_method method;
	double rtol, atol;
	int64_t steps;        /* > 0: so many equal steps */
	int64_t probes;       /* of the trace; 0: the exact trace */
	bool gaussian;        /* probes N(0, I) instead of signs */
	um_probflow_gradient gradient;
} um_probflow;

/* Whether the numbers make sense together; names the key of the plugin that is wrong. */
UM_API UM_USED um_status um_probflow_check(const um_probflow *f);

/* Evaluations of the score, all samples together. */
typedef struct um_probflow_count {
	int64_t forward, backward;
} um_probflow_count;

/* lp [B] = log p_from(x), gradients in dx where given. With probes it is an estimate; stream b of rng
 * draws the probes of sample b, which stay the same over the solution. Nothing depends on what else
 * is in the batch. count may be NULL. */
UM_API UM_USED um_status um_probflow_logp(const um_probflow *f, um_rng *rng, const um_array *x, double *lp,
	um_array *dx, um_probflow_count *count);

typedef enum um_diffusion_sampler {
	UM_SAMPLE_SDE, /* Euler and Maruyama, the last step without noise */
	UM_SAMPLE_PC,  /* with a step of Langevin's equation after each (ibid., algorithm 3 and 5) */
	UM_SAMPLE_ODE, /* the probability-flow equation */
} um_diffusion_sampler;

/* x[b] drawn with rng[b], by so many steps (of the equation's own choice for UM_SAMPLE_ODE where f has
 * tolerances). snr is that of the Langevin step. */
UM_API UM_USED um_status um_probflow_sample(const um_probflow *f, um_diffusion_sampler how, int64_t steps,
	double snr, um_rng *rng, um_array *x, um_probflow_count *count);

/* The evidence lower bound. */
typedef struct um_elbo {
	int64_t times, noises; /* draws of t, and of z for each t, every second one the opposite of the one before */
	bool stratified;       /* t by equal shares of the law that they are drawn from */
	bool offset;           /* count what happens below "from": see um_elbo_bound */
	double variance;       /* of a pixel of the data, about: for control variates; 0: none */
} um_elbo;

/* b [B], an estimate of
 *   E log N(x_T; 0, 1) - 1/2 int g^2 E |s(x_t, t) + z / sigma|^2 dt + D log(sigma_T / sigma_from) - offset,
 * a lower bound of log p_from averaged over what noise makes of x (with the exact score it is that average
 * less what p_T is away from N(0, 1)), and its gradient, the Jacobian of the score kept. The offset
 * |z + sigma s|^2 / 2 - D / 2 - D log alpha at "from" turns it into a bound of the density of images that
 * are Tweedie's mean at "from" plus what noise is left. Draws of sample b come from rng[b]. */
UM_API UM_USED um_status um_elbo_bound(const um_probflow *f, const um_elbo *e, um_rng *rng, const um_array *x,
	double *b, um_array *dx);

#ifdef __cplusplus
}
#endif
#endif
