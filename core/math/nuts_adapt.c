/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Step sizes h follow the acceptance by dual averaging (Hoffman & Gelman 2014, eq. 6): with the lack of
 * acceptance d_m = target - accept in update m and its weighted mean D_m,
 *   D_m = (1 - 1/(m + t0)) D_m-1 + d_m / (m + t0),  log h_m = c - sqrt(m) / gamma D_m,
 *   log mean h_m = m^-kappa log h_m + (1 - m^-kappa) log mean h_m-1.
 * Scales: of each number the variance v of its values and w of its derivatives give sqrt(v / w), which for a
 * normal law is its variance also where the chains have not been everywhere yet or where they sit in
 * modes, and which has the right units always (Seyboldt, Carlson & Carpenter 2026, arXiv:2603.18845). Dense
 * ones are the covariance of the points, with so much of the former as there are few points. */
#include <math.h>
#include <string.h>
#include <umbra/linalg.h>
#include <umbra/nuts.h>

static const double GAMMA = 0.05, T0 = 10, KAPPA = 0.75;
enum { FIRST = 10, LAST = 50 }; /* transitions: in the first window, for step sizes alone at the end */

static void follow(um_nuts *s, int64_t group)
{
	double *step = um_row_d(&s->step, group), accept = 0;
	const double m = ++step[UM_NUTS_COUNT], eta = pow(m, -KAPPA);
	for (int64_t c = 0; c < s->chains; c++)
		accept += s->move[group * s->chains + c].accept / (double)s->chains;
	step[UM_NUTS_LACK] += (s->target - accept - step[UM_NUTS_LACK]) / (m + T0);
	const double now = step[UM_NUTS_CENTRE] - sqrt(m) / GAMMA * step[UM_NUTS_LACK];
	step[UM_NUTS_LOG_MEAN] += eta * (now - step[UM_NUTS_LOG_MEAN]);
	step[UM_NUTS_NOW] = exp(now);
}

/* Means and sums of squares about them, by Welford's method: a row of moments is their count, then means
 * and squares of x, means and squares of dx, then products of x. */
static void collect(um_nuts *s, int64_t group)
{
	const int64_t n = s->n;
	double *count = um_row_d(&s->moments, group), *products = count + 1 + 4 * n;
	for (int64_t c = 0; c < s->chains; c++) {
		const double *v[] = { um_row_d(&s->x, group * s->chains + c), um_row_d(&s->dx, group * s->chains + c) };
		const double k = ++*count;
		for (int64_t i = 0; i < n && s->dense; i++)
			for (int64_t j = 0; j <= i; j++)
				products[i * n + j] += (v[0][i] - count[1 + i]) * (v[0][j] - count[1 + j]) * (k - 1) / k;
		for (int q = 0; q < 2; q++)
			for (int64_t i = 0; i < n; i++) {
				double *mean = count + 1 + 2 * q * n + i, d = v[q][i] - *mean;
				*mean += d / k;
				mean[n] += d * (v[q][i] - *mean);
			}
	}
}

/* The variance of number i; old where its points do not tell. */
static double variance(const um_nuts *s, int64_t group, int64_t i, double old)
{
	const double *count = um_row_d(&s->moments, group);
	const double v = count[1 + s->n + i], w = count[1 + 3 * s->n + i];
	if (!(v > 0) || !isfinite(v))
		return old;
	return w > 0 && isfinite(w) ? sqrt(v / w) : v / (*count - 1);
}

static um_status rescale(um_nuts *s, int64_t group)
{
	um_status st = UM_OK;
	const int64_t n = s->n;
	double *l = um_row_d(&s->scale, group), *moments = um_row_d(&s->moments, group);
	const double count = moments[0], *products = moments + 1 + 4 * n, share = count / (count + 5 + (double)n);
	if (count < 2)
		goto out;
	for (int64_t i = 0; i < n && !s->dense; i++)
		l[i] = sqrt(variance(s, group, i, l[i] * l[i]));
	for (int64_t i = n - 1; i >= 0 && s->dense; i--) {
		const double own = variance(s, group, i, um_dot(i + 1, l + i * n, l + i * n));
		for (int64_t j = 0; j <= i; j++)
			l[i * n + j] = share * products[i * n + j] / (count - 1) + (i == j ? (1 - share) * own : 0);
	}
	if (s->dense)
		UM_TRY(um_cholesky(n, l));
	memset(moments, 0, sizeof(double) * (size_t)um_array_rowlen(&s->moments));
	um_row_d(&s->step, group)[UM_NUTS_NOW] = 0;
out:
	return st;
}

/* Windows end after 0, FIRST, 3 FIRST, 7 FIRST, ... transitions; the last one is longer, so that no short
 * one follows. */
static bool window_ends(int64_t done, int64_t warmup)
{
	const int64_t half = warmup / 2, tail = warmup / 10 > LAST ? warmup / 10 : LAST;
	const int64_t last = warmup - (tail < half ? tail : half);
	int64_t end = 0, length = FIRST;
	while (end < done && end < last) {
		end += length;
		length *= 2;
		if (end + length > last)
			end = last;
	}
	return end == done;
}

um_status um_nuts_adapt(um_nuts *s, int64_t done, int64_t warmup)
{
	um_status st = UM_OK;
	for (int64_t g = 0; g < s->groups; g++) {
		double *step = um_row_d(&s->step, g);
		if (done > 0)
			follow(s, g);
		collect(s, g);
		if (window_ends(done, warmup))
			UM_TRY(rescale(s, g));
		if (done == warmup && step[UM_NUTS_COUNT] > 0 && step[UM_NUTS_NOW] > 0)
			step[UM_NUTS_NOW] = exp(step[UM_NUTS_LOG_MEAN]);
	}
out:
	return st;
}
