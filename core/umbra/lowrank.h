/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The Gaussian N(mu, Sigma), Sigma = D^2 + U U^T with D = diag(exp d) and a U of few columns, as a law
 * for variational inference: u = mu + D z1 + U z2 with white z1, z2. In double; rows of a batch are
 * independent of each other to the last bit. Versioned with libumbra; not part of the plugin ABI.
 *
 * A step on E[f(u)] + H: um_lowrank_set, um_lowrank_draw, the gradient du of f at each u,
 * um_lowrank_pull, um_lowrank_entropy. U = 0 is a saddle: start from small random numbers. */
#ifndef UMBRA_LOWRANK_H
#define UMBRA_LOWRANK_H

#include <stdint.h>
#include <umbra/status.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Open for reading. For one thread at a time. */
typedef struct um_lowrank {
	int64_t n, r;
	double *d;          /* exp d [n] */
	double *v;          /* D^-1 U [n][r] */
	double *l;          /* Cholesky factor of M = I + V^T V [r][r] */
	double log_det;     /* of Sigma */
	double *work;       /* [2n + n r + r] */
} um_lowrank;

/* Room for n numbers and a U of r columns; r = 0 is an independent Gaussian a number. */
UM_API UM_USED um_status um_lowrank_new(int64_t n, int64_t r, um_lowrank *out);
/* Releases all and zeroes *q; fine on a zeroed one. */
UM_API void um_lowrank_free(um_lowrank *q);

/* Takes d [n] and U [n][r], which are copied. UM_ENUM where Sigma is not finite and positive. */
UM_API UM_USED um_status um_lowrank_set(um_lowrank *q, const double *d, const double *u);

/* x_b = mu + D z1_b + U z2_b for count rows; z1, x [count][n], z2 [count][r]. */
UM_API void um_lowrank_draw(const um_lowrank *q, const double *mu, int64_t count, const double *z1,
	const double *z2, double *x);

/* log q(x_b) of count rows; where dx [count][n] is given also its gradient -Sigma^-1 (x_b - mu). */
UM_API void um_lowrank_logq(um_lowrank *q, const double *mu, int64_t count, const double *x,
	double *logq, double *dx);

/* H = 1/2 log det(2 pi e Sigma); weight times its gradient is added to dd [n] and du [n][r] where
 * these are given. */
UM_API double um_lowrank_entropy(um_lowrank *q, double weight, double *dd, double *du);

/* Adds to dmu [n], dd [n] and du [n][r] the gradient of sum_b f_b(x_b), x_b those of
 * um_lowrank_draw and dx [count][n] the gradients of f_b there. */
UM_API void um_lowrank_pull(const um_lowrank *q, int64_t count, const double *z1, const double *z2,
	const double *dx, double *dmu, double *dd, double *du);

#ifdef __cplusplus
}
#endif
#endif
