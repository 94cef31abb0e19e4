/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>
#include <stdlib.h>
#include <umbra/spectral.h>

/* Sum of w[l] P_l(x), l = 0 .. most, by l P_l = (2 l - 1) x P_(l-1) - (l - 1) P_(l-2). */
static double legendre(const double *w, int64_t most, double x)
{
	double before = 0, now = 1, sum = w[0];
	for (int64_t l = 1; l <= most; l++) {
		const double next = ((double)(2 * l - 1) * x * now - (double)(l - 1) * before) / (double)l;
		before = now;
		now = next;
		sum += w[l] * now;
	}
	return sum;
}

um_status um_spectral_angular(int64_t n, const double *vertex, double variance, double k0, double slope, um_spectral *out)
{
	um_status st = UM_OK;
	const int64_t most = (int64_t)sqrt((double)n);
	double *w = calloc((size_t)(most + 1), sizeof(double)), *c = malloc(sizeof(double) * (size_t)(n * n));
	double *v = malloc(sizeof(double) * 3 * (size_t)n), sum = 0;
	*out = (um_spectral){ 0 };
	if (w == NULL || c == NULL || v == NULL)
		UM_TRY(um_fail(UM_ENOMEM, "no memory for a covariance of %lld points", (long long)n));
	for (int64_t l = 0; l <= most; l++)
		sum += w[l] = (double)(2 * l + 1) * pow(k0 * k0 + (double)(l * l), -slope / 2);
	for (int64_t l = 0; l <= most; l++)
		w[l] *= variance / sum;
	for (int64_t i = 0; i < n; i++) {
		const double *p = vertex + 3 * i, norm = sqrt(p[0] * p[0] + p[1] * p[1] + p[2] * p[2]);
		if (!(norm > 0))
			UM_TRY(um_fail(UM_EDATA, "vertex %lld is at the centre, where no direction is", (long long)i + 1));
		for (int k = 0; k < 3; k++)
			v[3 * i + k] = p[k] / norm;
	}
	for (int64_t i = 0; i < n; i++)
		for (int64_t j = 0; j <= i; j++) {
			const double *a = v + 3 * i, *b = v + 3 * j, x = a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
			c[i * n + j] = c[j * n + i] = legendre(w, most, fmax(-1, fmin(1, x)));
		}
	UM_TRY(um_spectral_dense(n, c, out));
out:
	free(v);
	free(c);
	free(w);
	return st;
}
