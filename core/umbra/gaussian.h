/* SPDX-License-Identifier: GPL-3.0-or-later */
/* N(mean, C) with C in its eigenbasis, as a closed-form prior is asked for it: the functions below do
 * what those of um_prior_ops of the same names must. The law of alpha x0 + sigma z is
 * N(alpha mean, alpha^2 C + sigma^2 I), so every one is a pass v -> U g(c) U^T v. Versioned with
 * libumbra; not part of the plugin ABI. */
#ifndef UMBRA_GAUSSIAN_H
#define UMBRA_GAUSSIAN_H

#include <umbra/problem.h>
#include <umbra/spectral.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Open for reading. For one thread at a time (it holds work space). */
typedef struct um_gaussian {
	int64_t n;         /* pixels of an image; each block of c.n of them is independent */
	um_spectral c;
	double *mean;      /* [n] */
	double *v;         /* [n] */
	double *gain;      /* [c.count] a function of the eigenvalues */
	double log_norm;
} um_gaussian;

/* mean [n] is copied, c is taken, also on failure; n is a multiple of c->n. */
UM_API UM_USED um_status um_gaussian_new(int64_t n, const double *mean, um_spectral *c, um_gaussian *out);
/* Releases all and zeroes *g; fine on a zeroed one. */
UM_API void um_gaussian_free(um_gaussian *g);

UM_API UM_USED um_status um_gaussian_logp(um_gaussian *g, const um_array *x, double *lp, um_array *dx);
UM_API UM_USED um_status um_gaussian_score(um_gaussian *g, const um_score_job *job);
UM_API void um_gaussian_sample(um_gaussian *g, um_rng *rng, um_array *x);
UM_API void um_gaussian_component(const um_gaussian *g, double *log_weight, double *mean);
UM_API void um_gaussian_covariance(um_gaussian *g, bool root, const um_array *v, um_array *out);

#ifdef __cplusplus
}
#endif
#endif
