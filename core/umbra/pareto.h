/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Generalised Pareto tails, and importance weights of which the largest are made steady by one:
 * Vehtari, Simpson, Gelman, Yao & Gabry 2024, JMLR 25(72), arXiv:1507.02646. The shape k of the tail says
 * whether importance sampling can work: 1/k is the number of moments that the weights have. Versioned with
 * libumbra; not part of the plugin ABI. */
#ifndef UMBRA_PARETO_H
#define UMBRA_PARETO_H

#include <stdint.h>
#include <umbra/status.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Shape k and scale s of the density (1/s) (1 + k x / s)^(-1/k - 1) on x >= 0, from n >= 2 numbers in
 * ascending order, by the estimator of Zhang & Stephens 2009, doi:10.1198/tech.2009.08017 (their k is -k
 * here). UM_ENUM where they are not positive and finite. */
UM_API UM_USED um_status um_pareto_fit(int64_t n, const double *x, double *k, double *s);

/* Log weights of n draws, up to a constant: the largest min(n / 5, 3 sqrt n) become the quantiles of a
 * Pareto tail fitted to them, none above the largest of before, and their exponentials then sum to 1. *k
 * is the shape with a weak prior of 0.5 (10 draws' worth); 0 where the weights are equal, NaN, with nothing
 * smoothed, where fewer than 21 are there. UM_ENUM where one is NaN or +inf, or none is finite. */
UM_API UM_USED um_status um_pareto_smooth(int64_t n, double *log_weights, double *k);

/* The k up to which n draws can be relied on: min(1 - 1 / log10 n, 0.7). */
UM_API double um_pareto_limit(int64_t n);

/* 1 / sum w^2, as a fraction of n, of weights that sum to 1: how many draws they are worth. */
UM_API double um_pareto_ess(int64_t n, const double *log_weights);

#ifdef __cplusplus
}
#endif
#endif
