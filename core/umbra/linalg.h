/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Dense linear algebra in double. Matrices are row-major and contiguous; a[i*columns+j].
 * Versioned with libumbra; not part of the plugin ABI. */
#ifndef UMBRA_LINALG_H
#define UMBRA_LINALG_H

#include <stdbool.h>
#include <stdint.h>
#include <umbra/rng.h>
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

/* A = U diag(s) V^T with q = min(rows, columns) singular values s, descending; u [rows][q],
 * vt [q][columns] (row k is v_k). a is destroyed. UM_ENUM where A is not finite or nothing converges. */
UM_API UM_USED um_status um_svd(int64_t rows, int64_t columns, double *a, double *s, double *u,
	double *vt);

/* The count <= n rows of q [count][n] become orthonormal in order (Gram-Schmidt by reflections: row k
 * keeps its side of the span of those before it). Dependent rows become some orthonormal ones. */
UM_API UM_USED um_status um_orthonormal(int64_t count, int64_t n, double *q);

/* The leading singular values and right singular vectors of a matrix that need not fit in memory:
 * Halko, Martinsson & Tropp 2011, doi:10.1137/090771806, algorithm 4.4 on the space of rows. */
typedef struct um_svd_job {
	int64_t rows, columns;
	/* a [count][columns] = rows first .. first + count - 1 of A, equal in every pass; a failure ends
	 * the work with that status. */
	um_status (*read)(void *context, int64_t first, int64_t count, double *a);
	void *context;
	int64_t rank;      /* k singular values wanted, 1 .. min(rows, columns) */
	int64_t extra;     /* the search is in k + extra dimensions; 10 is usual */
	int64_t power;     /* power iterations, one pass over A each; 2 is enough for slow decay */
	int64_t block;     /* rows read at once; 0: a few megabytes */
	const um_rng *rng; /* base of the random directions */
	/* (optional) where work that was cut short goes on: after every pass but the last, after is given
	 * the passes done and the search space [um_svd_dimensions][columns], from which, as basis, a later
	 * call that has done > 0 starts; its result is the same to the last bit. It may lower power. */
	um_status (*after)(void *context, int64_t done, const double *basis);
	int64_t done;
	const double *basis;
} um_svd_job;

/* s [k] descending; vt [k][columns], rows orthonormal to rounding, largest element of each positive.
 * With p = extra, q = power and m = min(rows, columns) the expected error of A V V^T is at most
 *   (1 + sqrt(k/(p-1)) + e sqrt((k+p)(m-k))/p)^(1/(2q+1)) s_k+1
 * and every s is at most the true one. The result is exact to rounding where k + extra >= m or the rank
 * of A is at most k + extra; with power > 0, singular values below 1e-8 s_1 are lost in rounding. */
UM_API UM_USED um_status um_svd_random(const um_svd_job *job, double *s, double *vt);
/* How often that reads A, and in how many dimensions it searches. */
UM_API int64_t um_svd_passes(const um_svd_job *job);
UM_API int64_t um_svd_dimensions(const um_svd_job *job);

/* Threads that matrix products and our own parallel loops may use in this process. */
UM_API void um_threads(int n);

/* Sets the environment of programs started from here, which libraries read once at their start:
 * OPENBLAS_CORETYPE where OpenBLAS took slow kernels for a processor that it does not know, and
 * GOMP_SPINCOUNT, so that threads that wait for others let go of a busy core soon (with cores that
 * others use too, runs take half the time). What is set already stays. True if it set one. */
UM_API bool um_threads_advise(void);

#ifdef __cplusplus
}
#endif
#endif
