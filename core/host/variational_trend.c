/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Whether a fit has come to rest, and whether fits agree. The loss of a step is minus the ELBO of few draws; a line
 * through the losses of all steps that are averaged has the slope
 *   sum (t - mean t) loss / sum (t - mean t)^2,  t = 0 .. m - 1, sum (t - mean t)^2 = m (m^2 - 1) / 12,
 * with a standard error from what is left of them. The gradient by u of a step is a mean over pairs of draws, whose
 * scatter is its noise. Fits are compared as chains are: R-hat^2 = 1 + B / W, W the mean of the variances within them,
 * B the variance of their means, less what it has of the number of draws. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "host/law.h"

enum { FEW = 50, LOOKS = 512 };                   /* steps that tell a trend, draws of the images of a fit */
static const double SURE = 3.5, AGREE = 1.1;      /* standard errors, R-hat */

/* Squares of the mean over pairs of draws, and of its noise. */
static void gradient(um_fit *w, double *mean2, double *noise2)
{
	const int64_t pairs = w->set->batch / 2;
	*mean2 = *noise2 = 0;
	for (int64_t i = 0; i < w->n; i++) {
		double sum = 0, square = 0;
		for (int64_t k = 0; k < pairs; k++) {
			const double g = 0.5 * ((double)um_row_f(&w->dl, 2 * k)[i] + um_row_f(&w->dl, 2 * k + 1)[i]);
			sum += g;
			square += g * g;
		}
		*mean2 += sum * sum / (double)(pairs * pairs);
		*noise2 += pairs > 1 ? fmax(0, square - sum * sum / (double)pairs) / (double)(pairs * (pairs - 1)) : NAN;
	}
}

void um_fit_follow(um_fit *w, int64_t step)
{
	double *v = um_row_d(&w->trend, *um_fit_count(w, UM_FIT_ATTEMPT)), mean2, noise2;
	const double loss = w->data + w->prior + w->entropy;
	if (!um_fit_settled(w, step))
		return;
	if (v[UM_TREND_STEPS] == 0)
		v[UM_TREND_FIRST] = loss;
	const double more = loss - v[UM_TREND_FIRST];
	gradient(w, &mean2, &noise2);
	v[UM_TREND_LOSS] += more;
	v[UM_TREND_SQUARE] += more * more;
	v[UM_TREND_TIMES] += v[UM_TREND_STEPS] * more;
	v[UM_TREND_GRADIENT] += mean2;
	v[UM_TREND_NOISE] += noise2;
	v[UM_TREND_STEPS]++;
}

um_status um_fit_report_trend(um_fit *w)
{
	um_status st = UM_OK;
	const double *v = um_row_d(&w->trend, *um_fit_count(w, UM_FIT_BEST)), m = v[UM_TREND_STEPS];
	const double times = m * (m * m - 1) / 12, product = v[UM_TREND_TIMES] - 0.5 * (m - 1) * v[UM_TREND_LOSS];
	const bool enough = m >= FEW;
	const double slope = enough ? -product / times : NAN;
	const double left = v[UM_TREND_SQUARE] - v[UM_TREND_LOSS] * v[UM_TREND_LOSS] / m - product * product / times;
	const double error = enough ? sqrt(fmax(0, left) / (m - 2) / times) : NAN, gain = slope * m;
	UM_TRY(um_sink_metric(w->sink, "elbo_slope", slope));
	UM_TRY(um_sink_metric(w->sink, "elbo_slope_se", error));
	UM_TRY(um_sink_metric(w->sink, "gradient_noise", enough ? sqrt(v[UM_TREND_NOISE] / v[UM_TREND_GRADIENT]) : NAN));
	if (slope > SURE * error && gain > w->set->disagree)
		um_log(UM_WARN, "the ELBO is still climbing: by %.3g over the last %.0f steps, so that the fit is not at its end: "
			"steps = %lld may do", gain, m, (long long)(2 * w->set->steps));
	if (slope < -SURE * error && -gain > w->set->disagree)
		um_log(UM_WARN, "the ELBO is falling: by %.3g over the last %.0f steps: a smaller rate or a larger batch help", -gain, m);
out:
	return st;
}

um_status um_fit_see(um_fit *w)
{
	um_status st = UM_OK;
	double *mean = um_row_d(&w->seen, *um_fit_count(w, UM_FIT_ATTEMPT)), *square = mean + w->n;
	memset(mean, 0, 2 * sizeof(double) * (size_t)w->n);
	for (int64_t done = 0, count; done < LOOKS; done += count) {
		count = LOOKS - done < w->set->batch ? LOOKS - done : w->set->batch;
		um_array u = um_array_rows(&w->u, 0, count), x = um_array_rows(&w->dl, 0, count);
		UM_TRY(um_fit_draw(w, UM_FIT_LOOK, done, count));
		UM_TRY(um_problem_image(w->problem, &u, &x));
		for (int64_t b = 0; b < count; b++)
			for (int64_t i = 0; i < w->n; i++) {
				const double v = um_row_f(&x, b)[i], off = v - mean[i];
				mean[i] += off / (double)(done + b + 1);
				square[i] += off * (v - mean[i]);
			}
	}
	for (int64_t i = 0; i < w->n; i++)
		square[i] /= LOOKS - 1;
out:
	return st;
}

um_status um_fit_report_seeds(um_fit *w)
{
	um_status st = UM_OK;
	const int64_t fits = w->set->seeds;
	double worst = 1;
	int64_t at = 0;
	for (int64_t i = 0; i < w->n; i++) {
		double within = 0, all = 0, between = 0;
		for (int64_t k = 0; k < fits; k++) {
			all += um_row_d(&w->seen, k)[i] / (double)fits;
			within += um_row_d(&w->seen, k)[w->n + i] / (double)fits;
		}
		for (int64_t k = 0; k < fits; k++)
			between += pow(um_row_d(&w->seen, k)[i] - all, 2) / (double)(fits - 1);
		const double rhat = within > 0 ? sqrt(1 + fmax(0, between / within - 1.0 / LOOKS)) : between > 0 ? INFINITY : 1;
		at = rhat > worst ? i : at;
		worst = fmax(worst, rhat);
	}
	UM_TRY(um_sink_metric(w->sink, "seed_rhat", worst));
	if (worst > AGREE)
		um_log(UM_WARN, "%lld fits give other images: R-hat between their means is %.3g at pixel %lld, and should be below %g. "
			"They found different parts of the posterior, or are not at their ends: more steps, a larger batch or temper > 1 "
			"help", (long long)fits, worst, (long long)at, AGREE);
out:
	return st;
}
