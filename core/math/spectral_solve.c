/* SPDX-License-Identifier: GPL-3.0-or-later */
/* (a2 Sigma + b2 W)^-1 r, Sigma diagonal and W = U diag(w) U^T. Sigma = s^2 I commutes with U, so that
 * the inverse is U diag(1 / (a2 s^2 + b2 w)) U^T. Uneven noise: conjugate gradients (Hestenes and
 * Stiefel 1952) on that of the mean s^2, which is within the ratio of s^2 to its mean of the matrix, so
 * their number does not depend on w. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <umbra/linalg.h>
#include <umbra/spectral.h>

static const double LEAST = 1e-10; /* of the largest w: below is rounding */
static const double CLOSE = 1e-12; /* of |r|: the residual where conjugate gradients end */
static const double POOR = 1e-8;   /* and above which they have failed */
enum { MOST = 1000 };

/* Room for one solution; everything in the memory at gain. */
struct solver {
	const um_spectral *s;
	const double *w, *sigma;
	double a2, b2;
	double *gain;       /* [count] of the inverse for the mean noise */
	double *p, *q, *z, *g; /* [n] */
};

static bool identity(const um_spectral *s)
{
	return s->fft == NULL && s->dct == NULL && s->down == NULL && s->basis == NULL;
}

/* The mean of sigma^2, and whether all are equal. */
static double mean_noise(int64_t n, const double *sigma, bool *equal)
{
	double sum = 0;
	*equal = true;
	for (int64_t i = 0; i < n; i++) {
		sum += sigma[i] * sigma[i];
		*equal = *equal && sigma[i] == sigma[0];
	}
	return *equal ? sigma[0] * sigma[0] : sum / (double)n;
}

static void invert(const struct solver *k, double noise2)
{
	double top = 0;
	for (int64_t i = 0; i < k->s->count; i++)
		top = fmax(top, k->w[i]);
	const double least = k->a2 > 0 ? 0 : LEAST * top;
	for (int64_t i = 0; i < k->s->count; i++) {
		const double w = k->w[i] > least ? k->w[i] : 0, d = k->a2 * noise2 + k->b2 * w;
		k->gain[i] = d > 0 ? 1 / d : 0;
	}
}

/* U = I: w has one number. */
static void solve_diagonal(const struct solver *k, const double *r, double *out)
{
	for (int64_t i = 0; i < k->s->n; i++) {
		const double d = k->a2 * k->sigma[i] * k->sigma[i] + k->b2 * k->w[0];
		out[i] = d > 0 ? r[i] / d : 0;
	}
}

/* q = (a2 Sigma + b2 W) p. */
static void product(const struct solver *k)
{
	um_spectral_apply(k->s, k->w, k->p, k->q);
	for (int64_t i = 0; i < k->s->n; i++)
		k->q[i] = k->b2 * k->q[i] + k->a2 * k->sigma[i] * k->sigma[i] * k->p[i];
}

static um_status iterate(const struct solver *k, const double *r, double *out)
{
	const int64_t n = k->s->n;
	const double whole = sqrt(um_dot(n, r, r));
	double left = whole, gz;
	memset(out, 0, sizeof(double) * (size_t)n);
	memcpy(k->g, r, sizeof(double) * (size_t)n);
	um_spectral_apply(k->s, k->gain, k->g, k->z);
	memcpy(k->p, k->z, sizeof(double) * (size_t)n);
	gz = um_dot(n, k->g, k->z);
	for (int step = 0; step < MOST && left > CLOSE * whole; step++) {
		product(k);
		const double length = gz / um_dot(n, k->p, k->q);
		for (int64_t i = 0; i < n; i++) {
			out[i] += length * k->p[i];
			k->g[i] -= length * k->q[i];
		}
		um_spectral_apply(k->s, k->gain, k->g, k->z);
		const double next = um_dot(n, k->g, k->z);
		for (int64_t i = 0; i < n; i++)
			k->p[i] = k->z[i] + next / gz * k->p[i];
		gz = next;
		left = sqrt(um_dot(n, k->g, k->g));
	}
	if (!(left <= POOR * whole))
		return um_fail(UM_ENUM, "the noise of the measurements is too uneven: after %d conjugate gradients "
			"%.1e of the right-hand side is left", MOST, left / whole);
	return UM_OK;
}

um_status um_spectral_solve(const um_spectral *s, const double *w, const double *sigma, double a2, double b2,
	const double *r, double *out)
{
	struct solver k = { .s = s, .w = w, .sigma = sigma, .a2 = a2, .b2 = b2 };
	um_status st = UM_OK;
	bool equal;
	const double noise2 = mean_noise(s->n, sigma, &equal);
	if (identity(s)) {
		solve_diagonal(&k, r, out);
		return UM_OK;
	}
	equal = equal || a2 == 0;
	k.gain = malloc(sizeof(double) * (size_t)(s->count + (equal ? 0 : 4 * s->n)));
	if (k.gain == NULL)
		return um_fail(UM_ENOMEM, "no memory to solve for %lld measurements", (long long)s->n);
	k.p = k.gain + s->count;
	k.q = k.p + s->n;
	k.z = k.q + s->n;
	k.g = k.z + s->n;
	invert(&k, noise2);
	if (equal)
		um_spectral_apply(s, k.gain, r, out);
	else
		st = iterate(&k, r, out);
	free(k.gain);
	return st;
}
