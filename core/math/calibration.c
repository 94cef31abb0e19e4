/* SPDX-License-Identifier: GPL-3.0-or-later */
/* With z_k = edge_k / (most + 1), the number of ranks below edge k is binomial(n, z_k), and given m below edge k - 1
 * it is m + binomial(n - m, (z_k - z_k-1) / (1 - z_k-1)): a Markov chain along k. The probability that no count is
 * in a tail smaller than some gamma, which is an interval of counts at each k, is carried along it. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <umbra/calibration.h>

static const double FAR = 12; /* standard deviations that a step of the chain reaches */

void um_rank_law_free(um_rank_law *law)
{
	free(law->lower);
	*law = (um_rank_law){ 0 };
}

/* log of binomial(n, z) at m; 0 < z < 1. */
static double log_binomial(const double *factorial, int64_t n, int64_t m, double log_z, double log_rest)
{
	return factorial[n] - factorial[m] - factorial[n - m] + (double)m * log_z + (double)(n - m) * log_rest;
}

static double place(const um_rank_law *law, int k)
{
	return (double)law->edge[k] / (double)(law->most + 1);
}

static void fill_tails(um_rank_law *law, int k)
{
	const int64_t n = law->n;
	const double z = place(law, k), log_z = log(z), log_rest = log1p(-z);
	double *lower = law->lower + k * (n + 1), *upper = law->upper + k * (n + 1), sum = 0;
	for (int64_t m = 0; m <= n; m++)
		lower[m] = sum += exp(log_binomial(law->factorial, n, m, log_z, log_rest));
	sum = 0;
	for (int64_t m = n; m >= 0; m--)
		upper[m] = sum += exp(log_binomial(law->factorial, n, m, log_z, log_rest));
}

um_status um_rank_law_new(int64_t n, int64_t most, um_rank_law *law)
{
	*law = (um_rank_law){ .n = n, .most = most, .points = most < UM_RANK_POINTS ? (int)most : UM_RANK_POINTS };
	const size_t table = (size_t)law->points * (size_t)(n + 1);
	law->lower = malloc(sizeof(double) * (2 * table + (size_t)n + 1));
	if (law->lower == NULL)
		return um_fail(UM_ENOMEM, "no memory for the law of %lld ranks", (long long)n);
	law->upper = law->lower + table;
	law->factorial = law->upper + table;
	law->factorial[0] = 0;
	for (int64_t m = 1; m <= n; m++)
		law->factorial[m] = law->factorial[m - 1] + log((double)m);
	for (int k = 0; k < law->points; k++) {
		law->edge[k] = (int64_t)floor((double)(k + 1) * (double)(most + 1) / (law->points + 1) + 0.5);
		fill_tails(law, k);
	}
	return UM_OK;
}

int64_t um_rank(um_rng *rng, double truth, int64_t samples, const double *value)
{
	int64_t below = 0, equal = 0;
	for (int64_t s = 0; s < samples; s++) {
		below += value[s] < truth;
		equal += value[s] == truth;
	}
	return below + (int64_t)(um_uniform(rng) * (double)(equal + 1));
}

void um_rank_counts(const um_rank_law *law, const int64_t *rank, int64_t stride, int64_t *count)
{
	for (int k = 0; k < law->points; k++) {
		count[k] = 0;
		for (int64_t i = 0; i < law->n; i++)
			count[k] += rank[i * stride] < law->edge[k];
	}
}

static double tail_at(const um_rank_law *law, int k, int64_t m)
{
	const int64_t i = k * (law->n + 1) + m;
	return fmin(1, 2 * fmin(law->lower[i], law->upper[i]));
}

double um_rank_tail(const um_rank_law *law, const int64_t *count, int *at)
{
	double least = 2;
	for (int k = 0; k < law->points; k++) {
		const double tail = tail_at(law, k, count[k]);
		if (tail < least && at != NULL)
			*at = k;
		least = fmin(least, tail);
	}
	return least;
}

/* Counts whose tail is above gamma; lo > hi where there is none. */
static void interval(const um_rank_law *law, int k, double gamma, int64_t *lo, int64_t *hi)
{
	*lo = 0;
	*hi = law->n;
	while (*lo <= law->n && tail_at(law, k, *lo) <= gamma)
		++*lo;
	while (*hi >= *lo && tail_at(law, k, *hi) <= gamma)
		--*hi;
}

/* One step of the chain: now [n + 1] from last [n + 1], which is zero outside lo .. hi. */
static void advance(const um_rank_law *law, double q, const double *last, int64_t lo, int64_t hi, double *now, int64_t from,
	int64_t to)
{
	const double log_q = log(q), log_rest = log1p(-q);
	for (int64_t m = lo; m <= hi; m++) {
		const int64_t left = law->n - m;
		const double mean = (double)left * q, reach = FAR * sqrt(mean * (1 - q)) + 3 * FAR;
		int64_t j = (int64_t)fmax(0, mean - reach), end = (int64_t)fmin((double)left, mean + reach);
		j = j < from - m ? from - m : j;
		end = end > to - m ? to - m : end;
		for (; last[m] > 0 && j <= end; j++)
			now[m + j] += last[m] * exp(log_binomial(law->factorial, left, j, log_q, log_rest));
	}
}

/* The probability that all counts have tails above gamma; work is [2][n + 1]. */
static double inside(const um_rank_law *law, double gamma, double *work)
{
	const int64_t n = law->n;
	double *last = work, *now = work + n + 1, sum = 0, z = 0;
	int64_t lo = 0, hi = 0;
	memset(work, 0, 2 * sizeof(double) * (size_t)(n + 1));
	last[0] = 1;
	for (int k = 0; k < law->points; k++) {
		int64_t from, to;
		interval(law, k, gamma, &from, &to);
		memset(now, 0, sizeof(double) * (size_t)(n + 1));
		advance(law, (place(law, k) - z) / (1 - z), last, lo, hi, now, from, to);
		double *other = last;
		last = now;
		now = other;
		z = place(law, k);
		lo = from;
		hi = to;
	}
	for (int64_t m = lo; m <= hi; m++)
		sum += last[m];
	return sum;
}

um_status um_rank_p(const um_rank_law *law, double tail, double *p)
{
	const double most = law->points * tail; /* of a union; what is left of 1 has no digits below that */
	double *work = malloc(2 * sizeof(double) * (size_t)(law->n + 1));
	if (work == NULL)
		return um_fail(UM_ENOMEM, "no memory for %lld ranks", (long long)law->n);
	*p = most < 1e-9 ? most : fmin(most, fmax(0, 1 - inside(law, tail, work)));
	*p = fmin(1, *p);
	free(work);
	return UM_OK;
}

um_status um_rank_band(const um_rank_law *law, double level, int64_t *lo, int64_t *hi)
{
	double least = log((1 - level) / law->points / 2), most = log(1 - level) + 0.7;
	double *work = malloc(2 * sizeof(double) * (size_t)(law->n + 1));
	if (work == NULL)
		return um_fail(UM_ENOMEM, "no memory for %lld ranks", (long long)law->n);
	for (int i = 0; i < 40; i++) {
		const double middle = 0.5 * (least + most);
		if (inside(law, exp(middle), work) >= level)
			least = middle;
		else
			most = middle;
	}
	for (int k = 0; k < law->points; k++)
		interval(law, k, exp(least), lo + k, hi + k);
	free(work);
	return UM_OK;
}

double um_rank_share(int64_t rank, int64_t most, double a, double b)
{
	const double all = (double)(most + 1), from = fmax(a * all, (double)rank), to = fmin(b * all, (double)rank + 1);
	return fmax(0, to - from);
}

/* Student's t becomes normal by Wallace 1959 (doi:10.1214/aoms/1177706092), to three digits of p. */
um_mean_test um_test_mean(const double *v, int64_t n, double expected, double least)
{
	const double count = (double)n, free_ones = count - 1, shrink = (8 * free_ones + 1) / (8 * free_ones + 3);
	um_mean_test t = { 0 };
	double square = 0;
	for (int64_t i = 0; i < n; i++)
		t.mean += v[i] / count;
	for (int64_t i = 0; i < n; i++)
		square += (v[i] - t.mean) * (v[i] - t.mean);
	t.error = fmax(n > 1 ? sqrt(square / free_ones) : 0, least) / sqrt(count);
	const double x = (t.mean - expected) / t.error;
	t.p = t.error > 0 ? erfc(shrink * sqrt(0.5 * free_ones * log1p(x * x / free_ones))) : t.mean == expected;
	return t;
}
