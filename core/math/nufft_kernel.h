/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The kernel that spreads a point over grid cells, and the sums over cells that take the time.
 * Private to core/math. */
#ifndef MATH_NUFFT_KERNEL_H
#define MATH_NUFFT_KERNEL_H

#include <stdint.h>

#define UM_KERNEL_WIDTH 16  /* cells, at most */
#define UM_KERNEL_DEGREE 15 /* of its polynomials, at most */
#define UM_KERNEL_BLOCK 32  /* points whose weights are kept at a time */

/* Weight i of a point is sum_k c[k][i] t^k, with t in [-1, 1) its place in a cell. */
typedef struct um_kernel {
	int width;              /* even, 4 to UM_KERNEL_WIDTH */
	int degree;             /* odd */
	double beta;
	double c[UM_KERNEL_DEGREE + 1][UM_KERNEL_WIDTH];
} um_kernel;

/* A point: its place in its cell, the first grid cell that it touches (an index of doubles),
 * the factor of its visibility, and its index i; ~i where the visibility is to be conjugated,
 * which is how the left half of the plane is stored. */
typedef struct um_nupoint {
	double tx, ty;
	double zr, zi;
	int64_t cell;
	int64_t at;
} um_nupoint;

/* Weights of a block of points; those along a row are there twice, for (re, im) pairs. */
typedef struct um_nuweights {
	double x[UM_KERNEL_BLOCK][2 * UM_KERNEL_WIDTH];
	double y[UM_KERNEL_BLOCK][UM_KERNEL_WIDTH];
} um_nuweights;

/* The loops for one width. grid is an array of (re, im) pairs with stride doubles a row;
 * gather sums weighted cells, scatter is its transpose and adds to cells. */
typedef struct um_nuloops {
	void (*weigh)(const um_kernel *k, const um_nupoint *p, int n, um_nuweights *w);
	void (*gather)(const double *grid, int64_t stride, const um_nupoint *p, int n,
		const um_nuweights *w, double (*out)[2]);
	void (*scatter)(double *grid, int64_t stride, const um_nupoint *p, int n,
		const um_nuweights *w, double (*in)[2]);
} um_nuloops;

/* The narrowest kernel for a relative tolerance. */
void um_kernel_make(um_kernel *k, double tolerance);

/* The Fourier transform of the kernel at x cycles a cell. */
double um_kernel_transform(const um_kernel *k, double x);

extern const um_nuloops um_nuloops_any[], um_nuloops_avx2[]; /* widths 4, 6, ... */

/* The fastest that this processor has. */
const um_nuloops *um_nuloops_for(int width);

#endif
