/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The covariance of images from fewer draws than pixels. */
#ifndef UMBRA_HOST_COVARIANCE_H
#define UMBRA_HOST_COVARIANCE_H

#include <stdint.h>
#include <umbra/status.h>

/* c [n][n], n = the product of shape, of draws rows [draws][n], which are centred and over the root of their number.
 * Their own covariance S is shrunk towards T_ij = (S_ii S_jj)^1/2 K(j - i), K the correlation of two pixels of one
 * plane at that distance, averaged over the image and the draws and tapered (1 - |dr| / rows) (1 - |dc| / columns),
 * which keeps it positive; it is 0 between planes and, for vectors (one row), between any two numbers. How far,
 * draws alone decide: the sum of the variances of S_ij over that of (S_ij - T_ij)^2 (Schaefer & Strimmer 2005,
 * doi:10.2202/1544-6115.1175, sec. 2.4, with T taken for known). Variances are those of S. */
um_status um_draws_covariance(const int64_t shape[5], int64_t draws, const double *rows, double *c);

#endif
