/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Dense linear algebra in double. Matrices are row-major and contiguous; a[i*columns+j].
 * Versioned with libumbra; not part of the plugin ABI. */
#ifndef UMBRA_LINALG_H
#define UMBRA_LINALG_H

#include <stdbool.h>
#include <stdint.h>
#include <umbra/status.h>

#ifdef __cplusplus
extern "C" {
#endif

UM_API double um_dot(int64_t n, const double *a, const double *b);

/* log sum_i exp(v_i), without overflow; -inf for n = 0. */
UM_API double um_log_sum_exp(int64_t n, const double *v);

/* y = A x, or with transpose y = A^T x; A is [rows][columns]. x and y do not overlap. */
UM_API void um_gemv(bool transpose, int64_t rows, int64_t columns, const double *a, const double *x,
	double *y);

/* C = op(A) op(B), C [m][n], k products each; op transposes where asked, so that A is stored
 * as [m][k] or [k][m] and B as [k][n] or [n][k]. C overlaps neither. */
UM_API void um_gemm(bool transpose_a, bool transpose_b, int64_t m, int64_t n, int64_t k,
	const double *a, const double *b, double *c);

/* A = L L^T in place for a symmetric A (its lower half is read); the upper half becomes zero.
 * UM_ENUM where A is not positive definite. */
UM_API UM_USED um_status um_cholesky(int64_t n, double *a);

/* Each of the nrhs rows b_i of b [nrhs][n] becomes A^-1 b_i, given L of um_cholesky. */
UM_API void um_cholesky_solve(int64_t n, const double *l, int64_t nrhs, double *b);

/* log det A, given L of um_cholesky. */
UM_API double um_cholesky_log_det(int64_t n, const double *l);

/* A = sum_k w_k v_k v_k^T for a symmetric A (its lower half is read): w[n] ascending, and row k
 * of a becomes the unit vector v_k. UM_ENUM where A is not finite or nothing converges. */
UM_API UM_USED um_status um_eigh(int64_t n, double *a, double *w);

/* Threads that matrix products and our own parallel loops may use in this process. */
UM_API void um_threads(int n);

/* Sets OPENBLAS_CORETYPE for programs started from here, where OpenBLAS took slow kernels for a
 * processor that it does not know; true if it did. */
UM_API bool um_blas_advise(void);

#ifdef __cplusplus
}
#endif
#endif
