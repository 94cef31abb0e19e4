/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The Kaiser-Bessel kernel phi(s) = I0(beta sqrt(1 - (2s/w)^2)) / I0(beta), |s| <= w/2, with
 * beta = pi sqrt((w/sigma)^2 (sigma - 1/2)^2 - 0.8) for upsampling sigma = 2 (Beatty, Nishimura
 * and Pauly 2005, doi:10.1109/TMI.2005.848376). Its error falls tenfold with each cell of
 * width, as with the exponential of semicircle (Barnett, Magland and af Klinteberg 2019,
 * doi:10.1137/18M120885X), of whom the piecewise polynomials are; being analytic as far as its
 * ends it needs fewer terms, and its transform is known:
 * w sinh(a) / (a I0(beta)), a^2 = beta^2 - (pi w x)^2. */
#include <math.h>
#include <string.h>

#include "nufft_kernel.h"

#define PI 3.14159265358979323846

/* I0(sqrt(q)) = sum (q/4)^k / k!^2; every term is positive. */
static double bessel(double q)
{
	double term = 1;
	double sum = 1;
	for (int k = 1; term > 1e-17 * sum; k++) {
		term *= 0.25 * q / ((double)k * (double)k);
		sum += term;
	}
	return sum;
}

static double kernel_at(const um_kernel *k, double s)
{
	double z = 2 * s / k->width;
	double q = 1 - z * z;
	return q < 0 ? 0 : bessel(k->beta * k->beta * q) / bessel(k->beta * k->beta);
}

double um_kernel_transform(const um_kernel *k, double x)
{
	double b = PI * k->width * x;
	double a = sqrt(k->beta * k->beta - b * b);
	return k->width * sinh(a) / (a * bessel(k->beta * k->beta));
}

/* Chebyshev coefficients of the piece of unit length that begins at s. */
static void expand(const um_kernel *k, double s, double *out)
{
	enum { NODES = UM_KERNEL_DEGREE + 8 };
	double f[NODES];
	for (int i = 0; i < NODES; i++)
		f[i] = kernel_at(k, s + 0.5 * (1 + cos(PI * (i + 0.5) / NODES)));
	for (int j = 0; j <= k->degree; j++) {
		out[j] = 0;
		for (int i = 0; i < NODES; i++)
			out[j] += (j == 0 ? 1.0 : 2.0) / NODES * f[i] * cos(PI * j * (i + 0.5) / NODES);
	}
}

/* sum a_j T_j(t) as powers of t, by T_j+1 = 2 t T_j - T_j-1. */
static void powers(int degree, const double *a, double *out)
{
	double before[UM_KERNEL_DEGREE + 1] = { 0, 1 }; /* T_-1 = T_1 = t */
	double now[UM_KERNEL_DEGREE + 1] = { 1 };
	memset(out, 0, (size_t)(degree + 1) * sizeof(*out));
	for (int j = 0; j <= degree; j++)
		for (int i = degree; i >= 0; i--) {
			double next = (i > 0 ? 2 * now[i - 1] : 0) - before[i];
			out[i] += a[j] * now[i];
			before[i] = now[i];
			now[i] = next;
		}
}

void um_kernel_make(um_kernel *k, double tolerance)
{
	/* Twice (for two axes) the largest error of any exp(-2 pi i x j / n), |j| <= n/4, for
	 * widths 4, 6, ...; images whose flux is not in a corner do ten times better. */
	static const double errors[] = { 3.1e-3, 2.9e-5, 5.3e-7, 5.9e-9, 6.5e-11, 6.2e-13 };
	double a[UM_KERNEL_DEGREE + 1];
	double p[UM_KERNEL_DEGREE + 1];
	int at = 0;
	while (at < 6 && errors[at] > tolerance)
		at++;
	memset(k, 0, sizeof(*k));
	k->width = 4 + 2 * at;
	k->degree = k->width < UM_KERNEL_DEGREE ? k->width + 1 : UM_KERNEL_DEGREE;
	k->beta = PI * sqrt(0.5625 * k->width * k->width - 0.8);
	for (int i = 0; i < k->width; i++) {
		expand(k, i - 0.5 * k->width, a);
		powers(k->degree, a, p);
		for (int j = 0; j <= k->degree; j++)
			k->c[j][i] = p[j];
	}
}
