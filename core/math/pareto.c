/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The estimator of Zhang & Stephens is a mean over the profile likelihood of b = -k / s, for which
 * k(b) = mean log(1 - b x) and log L(b) = n (log(-b / k(b)) - k(b) - 1), at points b_j spread by a prior
 * that the largest number and the first quartile set. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <umbra/linalg.h>
#include <umbra/pareto.h>

enum { FEWEST = 5 }; /* numbers of a tail */

static double shape(int64_t n, const double *x, double b)
{
	double sum = 0;
	for (int64_t i = 0; i < n; i++)
		sum += log1p(-b * x[i]);
	return sum / (double)n;
}

um_status um_pareto_fit(int64_t n, const double *x, double *k, double *s)
{
	const int64_t points = 30 + (int64_t)sqrt((double)n), quartile = (int64_t)((double)n / 4 + 0.5);
	for (int64_t i = 0; i < n; i++)
		if (!(x[i] > 0) || !isfinite(x[i]))
			return um_fail(UM_ENUM, "a Pareto tail is of positive numbers, not %g", x[i]);
	if (n < 2)
		return um_fail(UM_EARG, "a Pareto tail of %lld numbers", (long long)n);
	double *b = calloc(2 * (size_t)points, sizeof(*b)), *fit = b + points, mean = 0;
	if (b == NULL)
		return um_fail(UM_ENOMEM, "no memory for a tail");
	const double first = x[quartile > 0 ? quartile - 1 : 0], last = x[n - 1];
	for (int64_t j = 0; j < points; j++) {
		b[j] = 1 / last + (1 - sqrt((double)points / ((double)j + 0.5))) / (3 * first);
		const double at = shape(n, x, b[j]);
		fit[j] = (double)n * (log(-b[j] / at) - at - 1);
	}
	const double all = um_log_sum_exp(points, fit);
	for (int64_t j = 0; j < points; j++)
		mean += b[j] * exp(fit[j] - all);
	free(b);
	*k = shape(n, x, mean);
	*s = -*k / mean;
	return isfinite(*k) && *s > 0 ? UM_OK : um_fail(UM_ENUM, "no Pareto tail fits");
}

static int ascending(const void *a, const void *b)
{
	const double x = **(const double *const *)a, y = **(const double *const *)b;
	return (x > y) - (x < y);
}

/* The count largest weights, pointed to by order in ascending order, which are above exp(cut) and at most 1. */
static um_status smooth_tail(int64_t count, double **order, double cut, double *k)
{
	um_status st = UM_OK;
	double s, *x = malloc(sizeof(*x) * (size_t)count);
	if (x == NULL)
		return um_fail(UM_ENOMEM, "no memory for a tail");
	for (int64_t i = 0; i < count; i++)
		x[i] = fmax(exp(*order[i]) - exp(cut), 1e-300);
	UM_TRY(um_pareto_fit(count, x, k, &s));
	*k = ((double)count * *k + 5) / ((double)count + 10);
	for (int64_t i = 0; i < count; i++) {
		const double above = -log1p(-((double)i + 0.5) / (double)count); /* -log(1 - p) */
		const double v = fabs(*k) < 1e-12 ? s * above : s * expm1(*k * above) / *k;
		*order[i] = fmin(0, log(exp(cut) + v));
	}
out:
	free(x);
	return st;
}

um_status um_pareto_smooth(int64_t n, double *v, double *k)
{
	um_status st = UM_OK;
	const double root = 3 * sqrt((double)n), fifth = (double)n / 5;
	const int64_t tail = (int64_t)ceil(fmin(root, fifth));
	double top = -INFINITY, **order = malloc(sizeof(*order) * (size_t)(n > 0 ? n : 1));
	if (order == NULL)
		return um_fail(UM_ENOMEM, "no memory for %lld weights", (long long)n);
	for (int64_t i = 0; i < n; i++) {
		top = fmax(top, v[i]);
		if (isnan(v[i]) || v[i] == INFINITY)
			UM_TRY(um_fail(UM_ENUM, "an importance weight is not finite"));
		order[i] = &v[i];
	}
	if (!isfinite(top))
		UM_TRY(um_fail(UM_ENUM, "no importance weight is above 0"));
	for (int64_t i = 0; i < n; i++)
		v[i] -= top;
	qsort(order, (size_t)n, sizeof(*order), ascending);
	*k = NAN;
	if (tail >= FEWEST) {
		const double cut = *order[n - tail - 1];
		*k = 0;
		if (cut < -1e-12)
			UM_TRY(smooth_tail(tail, order + n - tail, cut, k));
	}
	const double all = um_log_sum_exp(n, v);
	for (int64_t i = 0; i < n; i++)
		v[i] -= all;
out:
	free(order);
	return st;
}

double um_pareto_limit(int64_t n)
{
	return n > 10 ? fmin(1 - 1 / log10((double)n), 0.7) : 0;
}

double um_pareto_ess(int64_t n, const double *v)
{
	double sum = 0;
	for (int64_t i = 0; i < n; i++)
		sum += exp(2 * v[i]);
	return 1 / (sum * (double)n);
}
