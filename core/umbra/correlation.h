/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Closures of one time share visibilities, so that their errors are correlated: closure phases
 * and log closure amplitudes have the covariance T diag(r) T^T, r_i = sigma_i^2/|V_i|^2 of the
 * visibilities and T their signs in the closures (Blackburn et al. 2020,
 * doi:10.3847/1538-4357/ab8469), as long as signals are well above the noise. Versioned with
 * libumbra; not part of the plugin ABI. */
#ifndef UMBRA_CORRELATION_H
#define UMBRA_CORRELATION_H

#include <umbra/observable.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct um_correlation um_correlation; /* for one thread at a time */

/* For UM_CPHASE or UM_LOGCAMP, else UM_EARG; o is borrowed. */
UM_API UM_USED um_status um_correlation_new(const um_observable *o, um_correlation **out);
UM_API void um_correlation_free(um_correlation *c);

/* Takes the relative variances of the visibilities; nothing is done where they are those of the
 * last call. UM_ENUM where the closures are not independent, as in a maximal set. */
UM_API UM_USED um_status um_correlation_set(um_correlation *c, const double *r);

/* As um_observable_chi2, with the correlations of the last set and the standard deviations sigma:
 * e^T S^-1 e for amplitudes, e = f - y; z^H S^-1 z for phases, z = exp(i(f - y)) - 1. Since
 * |z|^2 = 2 - 2 cos(f - y), both are the sums of um_observable_chi2 where S is diagonal. */
UM_API double um_correlation_chi2(um_correlation *c, const double *y, const double *sigma,
	const double *f, double *df);

#ifdef __cplusplus
}
#endif
#endif
