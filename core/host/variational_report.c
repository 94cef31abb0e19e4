/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a fit found: the lower bound of log p(y), how well importance weights behave, whether fits
 * agree, and samples, of which far ones may be left out. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "host/law.h"

enum { QUANTILE_DRAWS = 512, TRIES = 4 };

/* log p(y | u) + log p(u) - log q(u) of draws. */
static um_status log_weights(um_fit *w, int64_t draws, double *v)
{
	um_status st = UM_OK;
	const double *ll = w->ll.data, *lp = w->lp.data, *lq = w->lq.data;
	for (int64_t done = 0, count; done < draws; done += count) {
		count = draws - done < w->set->batch ? draws - done : w->set->batch;
		UM_TRY(um_fit_draw(w, UM_FIT_ELBO, done, count));
		UM_TRY(um_fit_evaluate(w, UM_FIT_ELBO_PRIOR, done, count, false, 1));
		for (int64_t b = 0; b < count; b++)
			v[done + b] = ll[b] + lp[b] - lq[b];
	}
out:
	return st;
}

um_status um_fit_elbo(um_fit *w)
{
	um_status st = UM_OK;
	const int64_t wanted = w->set->elbo_draws, draws = w->set->batch > wanted ? w->set->batch : wanted;
	double *v = calloc((size_t)draws, sizeof(double)), most = -INFINITY;
	double *row = um_row_d(&w->elbo, *um_fit_count(w, UM_FIT_ATTEMPT));
	double sum = 0, square = 0, weight = 0, weight2 = 0;
	if (wanted == 0) {
		row[0] = row[1] = row[2] = NAN;
		goto out;
	}
	if (v == NULL)
		UM_TRY(um_fail(UM_ENOMEM, "no memory for %lld draws", (long long)draws));
	UM_TRY(log_weights(w, draws, v));
	for (int64_t b = 0; b < draws; b++) {
		sum += v[b] - v[0];
		square += (v[b] - v[0]) * (v[b] - v[0]);
		most = fmax(most, v[b]);
	}
	for (int64_t b = 0; b < draws; b++) {
		weight += exp(v[b] - most);
		weight2 += exp(2 * (v[b] - most));
	}
	const double n = (double)draws, mean = sum / n, var = (square - sum * mean) / (n - 1);
	row[0] = v[0] + mean;
	row[1] = sqrt(fmax(0, var) / n);
	row[2] = weight * weight / weight2 / n;
out:
	free(v);
	return st;
}

/* Fits from different random numbers that end at different bounds found different modes. */
static um_status compare(um_fit *w)
{
	um_status st = UM_OK;
	const double *best = um_row_d(&w->elbo, *um_fit_count(w, UM_FIT_BEST)), *worst = best;
	for (int64_t i = 0; i < w->set->seeds; i++)
		if (um_row_d(&w->elbo, i)[0] < worst[0])
			worst = um_row_d(&w->elbo, i);
	const double gap = best[0] - worst[0], noise = hypot(best[1], worst[1]);
	const bool apart = gap > w->set->disagree + 3 * noise;
	if (apart)
		um_log(UM_WARN, "%lld fits disagree: their ELBO is %.3f at best, %.3f at worst. One of them misses "
			"a part of the posterior, and the best may too: a larger batch, smaller rate, more steps or "
			"temper > 1 help", (long long)w->set->seeds, best[0], worst[0]);
	UM_TRY(um_sink_metric(w->sink, "elbo_worst", worst[0]));
	UM_TRY(um_sink_metric(w->sink, "seeds_disagree", apart));
out:
	return st;
}

um_status um_fit_report(um_fit *w)
{
	um_status st = UM_OK;
	const double *row = um_row_d(&w->elbo, *um_fit_count(w, UM_FIT_BEST));
	UM_TRY(um_sink_metric(w->sink, "elbo", row[0]));
	UM_TRY(um_sink_metric(w->sink, "elbo_se", row[1]));
	UM_TRY(um_sink_metric(w->sink, "importance_ess", row[2]));
	UM_TRY(um_sink_metric(w->sink, "steps", (double)*um_fit_count(w, UM_FIT_STEP)));
	if (w->made > 0)
		um_log(UM_INFO, "%s: %lld steps of %lld draws, %.4g s a step", w->set->family, (long long)w->made,
			(long long)w->set->batch, w->seconds / (double)w->made);
	UM_TRY(um_sink_metric(w->sink, "converged", (double)*um_fit_count(w, UM_FIT_CONVERGED)));
	UM_TRY(um_sink_metric(w->sink, "nfe", (double)*um_fit_count(w, UM_FIT_NFE)));
	UM_TRY(um_fit_report_trend(w));
	if (w->set->seeds > 1) {
		UM_TRY(compare(w));
		UM_TRY(um_fit_report_seeds(w));
	}
out:
	return st;
}

/* ---- samples ------------------------------------------------------------------------------ */

static int ascending(const void *a, const void *b)
{
	const float x = *(const float *)a, y = *(const float *)b;
	return (x > y) - (x < y);
}

/* Median and half the central 68 % of each number of u over draws: what far ones do not move. */
static um_status centre(um_fit *w, float *middle, float *half)
{
	um_status st = UM_OK;
	float *all = malloc(sizeof(float) * QUANTILE_DRAWS * (size_t)w->n);
	if (all == NULL)
		UM_TRY(um_fail(UM_ENOMEM, "no memory for %d draws", QUANTILE_DRAWS));
	for (int64_t done = 0, count; done < QUANTILE_DRAWS; done += count) {
		count = QUANTILE_DRAWS - done < w->set->batch ? QUANTILE_DRAWS - done : w->set->batch;
		UM_TRY(um_fit_draw(w, UM_FIT_LOOK, done, count));
		for (int64_t b = 0; b < count; b++)
			for (int64_t i = 0; i < w->n; i++)
				all[i * QUANTILE_DRAWS + done + b] = um_row_f(&w->u, b)[i];
	}
	for (int64_t i = 0; i < w->n; i++) {
		float *v = all + i * QUANTILE_DRAWS;
		qsort(v, QUANTILE_DRAWS, sizeof(float), ascending);
		middle[i] = v[QUANTILE_DRAWS / 2];
		half[i] = (v[(int)(0.841 * QUANTILE_DRAWS)] - v[(int)(0.159 * QUANTILE_DRAWS)]) / 2;
	}
out:
	free(all);
	return st;
}

/* Moves rows that are not far to the front; how many there are. */
static int64_t near_rows(um_fit *w, int64_t count, const float *middle, const float *half)
{
	int64_t kept = 0;
	for (int64_t b = 0; b < count; b++) {
		const float *u = um_row_f(&w->u, b);
		bool far = false;
		for (int64_t i = 0; i < w->n; i++)
			far |= !(fabsf(u[i] - middle[i]) <= w->set->outliers * half[i]);
		if (far)
			continue;
		if (kept < b)
			memcpy(um_row_f(&w->u, kept), u, sizeof(float) * (size_t)w->n);
		kept++;
	}
	return kept;
}

static um_status deliver_near(um_fit *w)
{
	um_status st = UM_OK;
	const int64_t samples = w->about->samples, batch = w->set->batch;
	float *middle = malloc(sizeof(float) * 2 * (size_t)w->n);
	int64_t tried = 0, kept = 0, left_out = 0;
	if (middle == NULL)
		UM_TRY(um_fail(UM_ENOMEM, "no memory for quantiles"));
	UM_TRY(centre(w, middle, middle + w->n));
	while (kept < samples) {
		const bool choose = tried < TRIES * samples;
		int64_t count = samples - kept < batch ? samples - kept : batch, good = count;
		UM_TRY(um_fit_draw(w, UM_FIT_SAMPLE, tried, count));
		if (choose)
			good = near_rows(w, count, middle, middle + w->n);
		um_array u = um_array_rows(&w->u, 0, good);
		if (good > 0)
			UM_TRY(um_sink_samples(w->sink, &u, NULL)); /* the density of near ones is another */
		tried += count;
		kept += good;
		left_out += count - good;
	}
	if (tried > TRIES * samples)
		um_log(UM_WARN, "outliers = %g leaves out more than %d of %d draws; the rest came unchosen",
			w->set->outliers, TRIES - 1, TRIES);
	UM_TRY(um_sink_metric(w->sink, "outliers", (double)left_out));
out:
	free(middle);
	return st;
}

um_status um_fit_deliver(um_fit *w)
{
	um_status st = UM_OK;
	const int64_t samples = w->about->samples, batch = w->set->batch;
	*um_fit_count(w, UM_FIT_ATTEMPT) = 0; /* samples and looks are those of any fit */
	if (w->set->outliers > 0)
		return deliver_near(w);
	for (int64_t first = 0; first < samples; first += batch) {
		int64_t count = samples - first < batch ? samples - first : batch;
		um_array u = um_array_rows(&w->u, 0, count);
		UM_TRY(um_fit_draw(w, UM_FIT_SAMPLE, first, count));
		UM_TRY(um_sink_samples(w->sink, &u, w->lq.data));
	}
out:
	return st;
}
