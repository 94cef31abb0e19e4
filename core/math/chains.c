/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Halves of chains are compared: with W the mean of their m variances s_m^2, B / n the variance of
 * their means and
 *   V = (n - 1) / n W + B / n,
 *   R-hat = sqrt(V / W),    rho_t = 1 - (W - mean_m s_m^2 rho_mt) / V,
 * where rho_mt are the autocorrelations within (Vehtari et al. 2021, eqs. 1-4 and 10). Draws count as
 * m n / tau, tau = -1 + 2 sum_k P_k over the pairs P_k = rho_2k + rho_2k+1, which are positive and
 * fall for a reversible chain: the sum ends before the first that is not positive and takes none above
 * the one before it (Geyer 1992, doi:10.1214/ss/1177011137). */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <umbra/chains.h>

typedef struct { double value; int64_t at; } entry;

/* All halves as rows of n draws, and room for as many numbers and their order. */
typedef struct {
	int64_t rows, n, all;
	double *x, *v, *sorted;
	entry *order;
} halves;

double um_quantile(const double *sorted, int64_t n, double q)
{
	double at = q * (double)(n - 1);
	int64_t i = (int64_t)at;
	if (i >= n - 1)
		return sorted[n - 1];
	return sorted[i] + (at - (double)i) * (sorted[i + 1] - sorted[i]);
}

static int by_value(const void *a, const void *b)
{
	const double x = ((const entry *)a)->value, y = ((const entry *)b)->value;
	return (x > y) - (x < y);
}

/* z with P(Z < z) = p for a normal Z: a rational start (Abramowitz & Stegun 26.2.23), made exact by
 * Halley's method on erfc. */
static double normal_quantile(double p)
{
	const double q = p < 0.5 ? p : 1 - p, t = sqrt(-2 * log(q));
	double z = t - (2.515517 + t * (0.802853 + t * 0.010328)) /
		(1 + t * (1.432788 + t * (0.189269 + t * 0.001308)));
	for (int k = 0; k < 2; k++) {
		double e = (erfc(z * sqrt(0.5)) / 2 - q) * sqrt(2 * acos(-1)) * exp(z * z / 2);
		z += e / (1 - e * z / 2);
	}
	return p < 0.5 ? -z : z;
}

/* v = the normal quantiles of the ranks of v; equal numbers share their mean rank. */
static void normalise(halves *h)
{
	for (int64_t i = 0; i < h->all; i++)
		h->order[i] = (entry){ h->v[i], i };
	qsort(h->order, (size_t)h->all, sizeof(entry), by_value);
	for (int64_t first = 0, end; first < h->all; first = end) {
		for (end = first + 1; end < h->all && h->order[end].value == h->order[first].value; end++)
			;
		const double rank = 0.5 * (double)(first + 1 + end);
		const double z = normal_quantile((rank - 0.375) / ((double)h->all + 0.25));
		for (int64_t i = first; i < end; i++)
			h->v[h->order[i].at] = z;
	}
}

/* Rows of v lose their means; what is left of them is in V and W. */
static void variances(halves *h, double *within, double *whole)
{
	double all = 0, square = 0;
	*within = 0;
	for (int64_t r = 0; r < h->rows; r++) {
		double *v = h->v + r * h->n, mean = v[0];
		for (int64_t i = 1; i < h->n; i++) /* of equal numbers exactly theirs */
			mean += (v[i] - v[0]) / (double)h->n;
		for (int64_t i = 0; i < h->n; i++) {
			v[i] -= mean;
			*within += v[i] * v[i] / (double)(h->n - 1) / (double)h->rows;
		}
		const double off = mean - all; /* all: the mean of the rows before */
		square += off * off * (double)r / (double)(r + 1);
		all += off / (double)(r + 1);
	}
	*whole = (double)(h->n - 1) / (double)h->n * *within + square / (double)(h->rows - 1);
}

/* rho_t of rows without means; s_m^2 rho_mt is n / (n - 1) times their autocovariance. */
static double correlation(const halves *h, int64_t t, double within, double whole)
{
	double sum = 0;
	for (int64_t r = 0; r < h->rows; r++) {
		const double *v = h->v + r * h->n;
		for (int64_t i = 0; i + t < h->n; i++)
			sum += v[i] * v[i + t];
	}
	return 1 - (within - sum / (double)(h->n - 1) / (double)h->rows) / whole;
}

/* R-hat of v, which is spoiled, and its effective size: at most S log10 S of S draws, since tau may
 * come out as small as it likes where draws alternate. Either may be NULL. */
static void figures(halves *h, double *rhat, double *ess)
{
	double within, whole, tau = -1, last = INFINITY;
	variances(h, &within, &whole);
	if (rhat != NULL)
		*rhat = sqrt(whole / within);
	for (int64_t t = 0; ess != NULL && t + 1 < h->n; t += 2) {
		const double pair = correlation(h, t, within, whole) + correlation(h, t + 1, within, whole);
		if (!(pair > 0))
			break;
		last = fmin(last, pair);
		tau += 2 * last;
	}
	if (ess != NULL)
		*ess = whole > 0 ? (double)h->all / fmax(tau, 1 / log10((double)h->all)) : NAN;
}

/* Of the event that a draw is at most the q quantile. */
static double tail(halves *h, double q)
{
	const double most = um_quantile(h->sorted, h->all, q);
	double ess;
	for (int64_t i = 0; i < h->all; i++)
		h->v[i] = h->x[i] <= most;
	figures(h, NULL, &ess);
	return ess;
}

static void judge(halves *h, um_convergence *out)
{
	const size_t bytes = sizeof(double) * (size_t)h->all;
	double folded;
	memcpy(h->v, h->x, bytes);
	figures(h, NULL, &out->ess_mean);
	memcpy(h->v, h->x, bytes);
	normalise(h);
	for (int64_t i = 0; i < h->all; i++)
		h->sorted[i] = h->order[i].value;
	figures(h, &out->rhat, &out->ess_bulk);
	out->ess_tail = fmin(tail(h, 0.05), tail(h, 0.95));
	const double median = um_quantile(h->sorted, h->all, 0.5);
	for (int64_t i = 0; i < h->all; i++)
		h->v[i] = fabs(h->x[i] - median);
	normalise(h);
	figures(h, &folded, NULL);
	out->rhat = fmax(out->rhat, folded);
}

um_status um_chains(int64_t chains, int64_t draws, const double *x, um_convergence *out)
{
	const int64_t n = draws / 2, all = 2 * chains * n;
	halves h = { .rows = 2 * chains, .n = n, .all = all };
	um_status st = UM_OK;
	*out = (um_convergence){ NAN, NAN, NAN, NAN };
	for (int64_t i = 0; i < chains * draws; i++)
		if (!isfinite(x[i]))
			return UM_OK;
	if (draws < 4 || chains < 1)
		return UM_OK;
	h.x = malloc(3 * sizeof(double) * (size_t)all);
	h.order = malloc(sizeof(entry) * (size_t)all);
	if (h.x == NULL || h.order == NULL)
		UM_TRY(um_fail(UM_ENOMEM, "no memory for %lld draws", (long long)all));
	h.v = h.x + all;
	h.sorted = h.v + all;
	for (int64_t r = 0; r < h.rows; r++)
		memcpy(h.x + r * n, x + r / 2 * draws + r % 2 * (draws - n), sizeof(double) * (size_t)n);
	judge(&h, out);
out:
	free(h.x);
	free(h.order);
	return st;
}

um_status um_chains_worst(const um_array *kept, um_convergence *out)
{
	um_status st = UM_OK;
	const int64_t chains = kept->dim[0], draws = kept->dim[1], n = kept->dim[2];
	double *x = malloc(sizeof(double) * (size_t)(chains * draws + 1));
	*out = (um_convergence){ NAN, NAN, NAN, NAN };
	if (x == NULL)
		UM_TRY(um_fail(UM_ENOMEM, "no memory for %lld draws", (long long)(chains * draws)));
	for (int64_t i = 0; i < n; i++) {
		um_convergence one;
		for (int64_t k = 0; k < chains * draws; k++)
			x[k] = ((const float *)kept->data)[k * n + i];
		UM_TRY(um_chains(chains, draws, x, &one));
		out->rhat = fmax(out->rhat, one.rhat);
		out->ess_bulk = fmin(out->ess_bulk, one.ess_bulk);
		out->ess_tail = fmin(out->ess_tail, one.ess_tail);
		out->ess_mean = fmin(out->ess_mean, one.ess_mean);
	}
out:
	free(x);
	return st;
}
