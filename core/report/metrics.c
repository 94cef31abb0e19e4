/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Figures of merit of posterior samples against a known truth. */
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <umbra/chains.h>
#include "metrics.h"

static double value(const um_array *a, int64_t i)
{
	return a->dtype == UM_F32 ? (double)((const float *)a->data)[i] : ((const double *)a->data)[i];
}

static bool is_real(const um_array *a)
{
	return a->dtype == UM_F32 || a->dtype == UM_F64;
}

static um_status check_samples(const um_array *s, int64_t n)
{
	if (s->rank < 1 || s->dim[0] < 1 || !is_real(s))
		return um_fail(UM_EARG, "metrics need at least one sample of real numbers");
	if (um_array_rowlen(s) != n || n < 1)
		return um_fail(UM_EARG, "metrics: samples have %lld pixels, the image has %lld",
			(long long)um_array_rowlen(s), (long long)n);
	return UM_OK;
}

static void load_sample(const um_array *s, int64_t i, int64_t n, double *x)
{
	for (int64_t k = 0; k < n; k++)
		x[k] = value(s, i * s->stride[0] + k);
}

static double peak_of(const double *x, int64_t n)
{
	double peak = -INFINITY;
	for (int64_t i = 0; i < n; i++)
		peak = x[i] > peak ? x[i] : peak;
	return peak;
}

um_status um_metrics_moments(const um_array *samples, um_array *mean, um_array *std)
{
	um_status st = UM_OK;
	int64_t n = um_array_len(mean), count = samples->dim[0];
	UM_TRY(check_samples(samples, n));
	if (mean->dtype != UM_F64 || (std && (std->dtype != UM_F64 || um_array_len(std) != n)))
		UM_TRY(um_fail(UM_EARG, "moments are written to double arrays of one image"));
	double *m = mean->data;
	for (int64_t k = 0; k < n; k++) {
		double sum = 0, dev = 0, centre;
		for (int64_t i = 0; i < count; i++)
			sum += value(samples, i * samples->stride[0] + k);
		m[k] = centre = sum / (double)count;
		for (int64_t i = 0; std && i < count; i++) {
			double d = value(samples, i * samples->stride[0] + k) - centre;
			dev += d * d;
		}
		if (std)
			((double *)std->data)[k] = sqrt(dev / (double)count);
	}
out:
	return st;
}

double um_metrics_psnr(const double *x, const double *truth, int64_t n)
{
	double peak = peak_of(truth, n), sum = 0;
	if (!(peak > 0))
		return NAN;
	for (int64_t i = 0; i < n; i++)
		sum += (x[i] - truth[i]) * (x[i] - truth[i]);
	return 10 * log10(peak * peak / (sum / (double)n));
}

double um_metrics_nrmse(const double *x, const double *truth, int64_t n)
{
	double num = 0, den = 0;
	for (int64_t i = 0; i < n; i++) {
		num += (x[i] - truth[i]) * (x[i] - truth[i]);
		den += truth[i] * truth[i];
	}
	return sqrt(num / den);
}

#define SSIM_WINDOW 11

/* A Gaussian window along one axis, normalised; returns its length. */
static int64_t window(int64_t size, double w[SSIM_WINDOW])
{
	int64_t len = size < SSIM_WINDOW ? size - (size + 1) % 2 : SSIM_WINDOW;
	double sum = 0;
	for (int64_t i = 0; i < len; i++) {
		double d = (double)(i - len / 2) / 1.5;
		sum += w[i] = exp(-0.5 * d * d);
	}
	for (int64_t i = 0; i < len; i++)
		w[i] /= sum;
	return len;
}

/* The two axis windows of an image, and room for one row filter pass. */
struct ssim {
	int64_t rows, columns, wr, wc;
	double kr[SSIM_WINDOW], kc[SSIM_WINDOW];
	double *pass[5]; /* columns filtered along rows: x, y, xx, yy, xy */
	double c1, c2;
};

/* Filters the products down the rows that start at r, one number per column. */
static void down(struct ssim *s, const double *x, const double *y, int64_t r)
{
	for (int64_t c = 0; c < s->columns; c++) {
		double m[5] = { 0 };
		for (int64_t i = 0; i < s->wr; i++) {
			double a = x[(r + i) * s->columns + c], b = y[(r + i) * s->columns + c];
			const double v[5] = { a, b, a * a, b * b, a * b };
			for (int k = 0; k < 5; k++)
				m[k] += s->kr[i] * v[k];
		}
		for (int k = 0; k < 5; k++)
			s->pass[k][c] = m[k];
	}
}

static double similarity(const struct ssim *s, int64_t c)
{
	double m[5] = { 0 };
	for (int k = 0; k < 5; k++)
		for (int64_t i = 0; i < s->wc; i++)
			m[k] += s->kc[i] * s->pass[k][c + i];
	double vx = m[2] - m[0] * m[0], vy = m[3] - m[1] * m[1], cov = m[4] - m[0] * m[1];
	return (2 * m[0] * m[1] + s->c1) * (2 * cov + s->c2) /
		((m[0] * m[0] + m[1] * m[1] + s->c1) * (vx + vy + s->c2));
}

um_status um_metrics_ssim(const double *x, const double *truth, int64_t planes, int64_t rows,
	int64_t columns, double *out)
{
	struct ssim s = { .rows = rows, .columns = columns };
	double range = peak_of(truth, planes * rows * columns), sum = 0;
	if (!(range > 0)) {
		*out = NAN;
		return UM_OK;
	}
	double *room = calloc((size_t)columns * 5, sizeof(*room));
	if (room == NULL)
		return um_fail(UM_ENOMEM, "no memory to filter rows of %lld pixels", (long long)columns);
	for (int k = 0; k < 5; k++)
		s.pass[k] = room + k * columns;
	s.wr = window(rows, s.kr);
	s.wc = window(columns, s.kc);
	s.c1 = (0.01 * range) * (0.01 * range);
	s.c2 = (0.03 * range) * (0.03 * range);
	for (int64_t p = 0; p < planes; p++)
		for (int64_t r = 0; r + s.wr <= rows; r++) {
			down(&s, x + p * rows * columns, truth + p * rows * columns, r);
			for (int64_t c = 0; c + s.wc <= columns; c++)
				sum += similarity(&s, c);
		}
	free(room);
	*out = sum / (double)(planes * (rows - s.wr + 1) * (columns - s.wc + 1));
	return UM_OK;
}

static int ascending(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

um_status um_metrics_coverage(const um_array *samples, const um_array *truth, double p, double *out)
{
	int64_t n = um_array_len(truth), count = samples->dim[0], inside = 0;
	um_status st = check_samples(samples, n);
	if (st != UM_OK)
		return st;
	double *v = malloc((size_t)count * sizeof(*v));
	if (v == NULL)
		return um_fail(UM_ENOMEM, "no memory to sort %lld samples", (long long)count);
	for (int64_t k = 0; k < n; k++) {
		for (int64_t i = 0; i < count; i++)
			v[i] = value(samples, i * samples->stride[0] + k);
		qsort(v, (size_t)count, sizeof(*v), ascending);
		double t = value(truth, k);
		inside += t >= um_quantile(v, count, 0.5 - p / 2) && t <= um_quantile(v, count, 0.5 + p / 2);
	}
	free(v);
	*out = (double)inside / (double)n;
	return UM_OK;
}

double um_metrics_within(const double *mean, const double *std, const double *truth, int64_t n, double many)
{
	int64_t inside = 0;
	for (int64_t k = 0; k < n; k++)
		inside += fabs(truth[k] - mean[k]) <= many * std[k];
	return (double)inside / (double)n;
}

/* PSNR and SSIM of one image, added to the sums. */
static um_status add_figures(const double *x, const double *t, const int64_t shape[3], double *psnr,
	double *ssim)
{
	double s = 0;
	um_status st = um_metrics_ssim(x, t, shape[0], shape[1], shape[2], &s);
	*psnr += um_metrics_psnr(x, t, shape[0] * shape[1] * shape[2]);
	*ssim += s;
	return st;
}

um_status um_metrics_truth(const um_array *samples, const um_array *truth, um_truth_metrics *out)
{
	um_status st = UM_OK;
	int64_t n = um_array_len(truth), count = samples->dim[0];
	um_array work = { 0 };
	*out = (um_truth_metrics){ 0 };
	UM_TRY(check_samples(samples, n));
	if (!is_real(truth))
		UM_TRY(um_fail(UM_EARG, "the truth must be real numbers"));
	UM_TRY(um_array_new(&work, UM_F64, 2, (const int64_t[]){ 4, n }));
	double *t = um_row_d(&work, 0), *x = um_row_d(&work, 1);
	um_array mean = um_array_rows(&work, 2, 1), std = um_array_rows(&work, 3, 1);
	for (int64_t k = 0; k < n; k++)
		t[k] = value(truth, k);

	int64_t columns = truth->dim[truth->rank - 1];
	int64_t rows = truth->rank > 1 ? truth->dim[truth->rank - 2] : 1;
	const int64_t shape[3] = { n / (rows * columns), rows, columns };
	for (int64_t i = 0; i < count; i++) {
		load_sample(samples, i, n, x);
		UM_TRY(add_figures(x, t, shape, &out->psnr_samples, &out->ssim_samples));
	}
	out->psnr_samples /= (double)count;
	out->ssim_samples /= (double)count;
	UM_TRY(um_metrics_moments(samples, &mean, &std));
	UM_TRY(add_figures(mean.data, t, shape, &out->psnr_mean, &out->ssim_mean));
	out->nrmse = um_metrics_nrmse(mean.data, t, n);
	UM_TRY(um_metrics_coverage(samples, truth, 0.68, &out->coverage_68));
	UM_TRY(um_metrics_coverage(samples, truth, 0.95, &out->coverage_95));
	out->coverage_3sd = um_metrics_within(mean.data, std.data, t, n, 3);
out:
	um_array_free(&work);
	return st;
}
