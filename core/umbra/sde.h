/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Diffusions, and paths of flows: x_t = alpha(t) x0 + sigma(t) z, z ~ N(0, I), t from 0 (data) to 1
 * (noise), and the linear equations that have these laws:
 *   dx = f x dt + g dw,   f = alpha' / alpha,   g^2 = (sigma^2)' - 2 f sigma^2,
 *   dx/dt = f x - g^2 s / 2   (Song et al. 2021, arXiv:2011.13456, eq. 13),  s = grad log p_t.
 * Not plugin ABI. */
#ifndef UMBRA_SDE_H
#define UMBRA_SDE_H

#include <umbra/status.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum um_sde_kind {
	UM_SDE_VP,    /* f = -beta/2, beta = beta_min + t (beta_max - beta_min) */
	UM_SDE_SUBVP, /* the same alpha, sigma = 1 - alpha^2 */
	UM_SDE_VE,    /* alpha = 1, sigma = sigma_min (sigma_max / sigma_min)^t */
	UM_SDE_FLOW,  /* alpha = 1 - t, sigma = t: rectified flow */
} um_sde_kind;

typedef struct um_sde {
	um_sde_kind kind;
	double beta_min, beta_max;   /* of the first two */
	double sigma_min, sigma_max; /* of the third */
} um_sde;

/* By name, one of UM_SDE_NAMES. */
#define UM_SDE_NAMES "vp|subvp|ve|flow"
UM_API um_sde_kind um_sde_named(const char *name);
/* VP with 0.1 and 20, and 0.01 and 50 for VE. */
UM_API um_sde um_sde_default(um_sde_kind kind);

/* Exact to rounding at every t, near 0 too. f and g^2 of the flow are infinite at t = 1. */
UM_API double um_sde_alpha(const um_sde *s, double t);
UM_API double um_sde_sigma(const um_sde *s, double t);
UM_API double um_sde_drift(const um_sde *s, double t);      /* f */
UM_API double um_sde_diffusion2(const um_sde *s, double t); /* g^2 */
/* Standard deviation of what x_1 is close to, N(0, this^2 I). */
UM_API double um_sde_noise(const um_sde *s);

/* log(sigma / alpha), which grows with t, and its inverse; -infinity at t = 0 but for VE. */
UM_API double um_sde_log_ratio(const um_sde *s, double t);
UM_API double um_sde_time(const um_sde *s, double log_ratio);

/* The law of t that makes log(sigma/alpha) uniform between two times: density g^2 / (sigma^2 Z), since
 * d log(sigma/alpha) / dt = g^2 / (2 sigma^2). um_sde_importance is Z = integral of g^2 / sigma^2, um_sde_draw the t
 * whose integral from "from" on is the fraction u of Z (Song et al. 2021, arXiv:2101.09258, sec. 5.1,
 * in closed form). */
UM_API double um_sde_importance(const um_sde *s, double from, double to);
UM_API double um_sde_draw(const um_sde *s, double from, double to, double u);

/* What networks predict, as numbers a and b of a x + b s: noise eps = -sigma s; Tweedie's mean of x0,
 * (x + sigma^2 s) / alpha; velocity f x - g^2 s / 2; score itself. From a prediction p the score is
 * (p - a x) / b. */
typedef enum um_prediction { UM_PREDICT_SCORE, UM_PREDICT_NOISE, UM_PREDICT_MEAN, UM_PREDICT_VELOCITY } um_prediction;
UM_API void um_sde_predict(const um_sde *s, um_prediction what, double t, double *a, double *b);

/* A point of diffusion "from" at the same ratio of noise to signal: the time, and the factor by which x
 * of s at t has to be multiplied to be one of "from". Its score there, times the factor, is that of
 * s at (x, t). So a VP model is used as a flow. */
UM_API void um_sde_translate(const um_sde *s, double t, const um_sde *from, double *time, double *factor);

#ifdef __cplusplus
}
#endif
#endif
