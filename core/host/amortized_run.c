/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Samples of one measurement, and three questions about them: is the measurement like those of training (distance),
 * do the samples explain it (predictive chi-square), and are they the posterior (importance weights)? */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <umbra/linalg.h>
#include <umbra/pareto.h>
#include "base/clock.h"
#include "base/mem.h"
#include "host/amortizer.h"

static const double STRANGE = 0.01; /* part of sigma that may be outside what training saw */
enum { REFINE = 1024, REFINE_ESTIMATE = 256 };

typedef struct shoot {
	um_amortizer *a;
	um_problem *p;
	const um_problem_info *about;
	um_sink *sink;
	int64_t samples, refine; /* to deliver, to weigh */
	um_array u, all;         /* [rows][image]; [refine][image] where some of them are chosen */
	double *z, *logw;        /* [rows][n]; [refine] */
	float *c, *w;            /* [rows][width], [rows][nc], all rows equal */
	double distance, chi2, outside, seconds;
} shoot;

static um_status shoot_new(shoot *s)
{
	um_status st = UM_OK;
	um_amortizer *a = s->a;
	const int64_t width = um_condition_width(&a->cond), nc = a->cond.nc, rows = UM_AMORTIZER_ROWS;
	s->samples = s->about->samples;
	s->refine = a->set.refine >= 0 ? a->set.refine : s->about->estimate ? REFINE_ESTIMATE : REFINE;
	if (a->set.resample && s->refine < s->samples)
		s->refine = s->samples;
	UM_TRY(um_problem_images(s->p, rows, &s->u));
	if (a->set.resample)
		UM_TRY(um_problem_images(s->p, s->refine, &s->all));
	s->z = um_new(sizeof(double) * (size_t)(rows * a->n));
	s->logw = um_new(sizeof(double) * (size_t)(s->refine + 1));
	s->c = um_new(sizeof(float) * (size_t)(rows * width));
	s->w = um_new(sizeof(float) * (size_t)(rows * nc));
	UM_TRY(um_condition_put(&a->cond, s->p, 1, s->c, s->w, &s->distance));
	for (int64_t b = 1; b < rows; b++) {
		memcpy(s->c + b * width, s->c, sizeof(float) * (size_t)width);
		memcpy(s->w + b * nc, s->w, sizeof(float) * (size_t)nc);
	}
out:
	return st;
}

static void shoot_free(shoot *s)
{
	um_array_free(&s->u);
	um_array_free(&s->all);
	free(s->z);
	free(s->logw);
	free(s->c);
	free(s->w);
}

/* log p(y | u) + log p(u) - log q(u) of draws first .., as far as they are weighed. */
static um_status weigh(shoot *s, int64_t first, int64_t rows, const double *logq)
{
	um_status st = UM_OK;
	const int64_t count = s->refine - first < rows ? s->refine - first : rows;
	double ll[UM_AMORTIZER_ROWS], lp[UM_AMORTIZER_ROWS];
	um_rng rng[UM_AMORTIZER_ROWS];
	if (count <= 0)
		return UM_OK;
	um_array u = um_array_rows(&s->u, 0, count);
	for (int64_t b = 0; b < count; b++)
		rng[b] = um_problem_rng(s->p, UM_AMORTIZED_SAMPLE_PRIOR, (uint64_t)(first + b));
	UM_TRY(um_problem_loglike(s->p, &u, ll, NULL));
	UM_TRY(um_problem_logp(s->p, rng, &u, lp, NULL));
	for (int64_t b = 0; b < count; b++)
		s->logw[first + b] = ll[b] + lp[b] - logq[b];
	if (s->all.data != NULL)
		memcpy(um_row_f(&s->all, first), u.data, sizeof(float) * (size_t)um_array_len(&u));
out:
	return st;
}

/* Draws first .. of the law. */
static um_status draw(shoot *s, int64_t first, int64_t rows, double *logq)
{
	um_status st = UM_OK;
	const double begun = um_clock();
	um_array u = um_array_rows(&s->u, 0, rows);
	for (int64_t b = 0; b < rows; b++) {
		um_rng rng = um_problem_rng(s->p, UM_AMORTIZED_SAMPLE, (uint64_t)(first + b));
		um_normal_fill(&rng, s->z + b * s->a->n, s->a->n);
	}
	UM_TRY(um_amortizer_draw(s->a, rows, s->z, s->c, s->w, &u, logq));
	s->seconds += um_clock() - begun;
out:
	return st;
}

/* All draws: those to deliver and those to weigh. */
static um_status draws(shoot *s)
{
	um_status st = UM_OK;
	const int64_t all = s->refine > s->samples ? s->refine : s->samples;
	double logq[UM_AMORTIZER_ROWS], chi2[UM_AMORTIZER_ROWS];
	for (int64_t first = 0, rows; first < all; first += rows) {
		rows = all - first < UM_AMORTIZER_ROWS ? all - first : UM_AMORTIZER_ROWS;
		UM_TRY(draw(s, first, rows, logq));
		UM_TRY(weigh(s, first, rows, logq));
		const int64_t wanted = s->samples - first < rows ? s->samples - first : rows;
		um_array u = um_array_rows(&s->u, 0, wanted > 0 ? wanted : 0);
		if (wanted > 0 && !s->a->set.resample)
			UM_TRY(um_sink_samples(s->sink, &u, logq));
		um_array some = um_array_rows(&s->u, 0, rows < UM_PREDICTIVE ? rows : UM_PREDICTIVE);
		if (first == 0) {
			UM_TRY(um_amortizer_chi2(s->p, &some, chi2));
			for (int64_t b = 0; b < some.dim[0]; b++)
				s->chi2 += chi2[b] / (double)some.dim[0];
		}
		if (um_sink_progress(s->sink, first + rows, all, NAN) == UM_STOP)
			UM_TRY(um_fail(UM_EINTR, "stopped after %lld draws", (long long)(first + rows)));
	}
	UM_TRY(um_sink_metric(s->sink, "draws_per_second", (double)all / fmax(1e-9, s->seconds)));
out:
	return st;
}

/* ---- questions ------------------------------------------------------------------------------ */

static um_status alarm(shoot *s)
{
	um_status st = UM_OK;
	const double *limit = s->a->alarm.data;
	const bool far = !(s->distance <= limit[UM_ALARM_DISTANCE]);
	const bool odd = !(s->chi2 >= limit[UM_ALARM_CHI2_LO] && s->chi2 <= limit[UM_ALARM_CHI2_HI]);
	const bool noise = s->outside > STRANGE;
	if (noise)
		um_log(UM_WARN, "the noise is unlike that of training: sigma of %.3g %% of the numbers is none that it saw", 100 * s->outside);
	if (far)
		um_log(UM_WARN, "this measurement is unlike those of training: its distance from them is %.3g, of 99 %% of them "
			"at most %.3g; trust nothing that follows", s->distance, limit[UM_ALARM_DISTANCE]);
	if (odd)
		um_log(UM_WARN, "samples explain this measurement otherwise than those of training: chi-square %.3g, for 99 %% of them "
			"%.3g to %.3g", s->chi2, limit[UM_ALARM_CHI2_LO], limit[UM_ALARM_CHI2_HI]);
	UM_TRY(um_sink_metric(s->sink, "condition_distance", s->distance));
	UM_TRY(um_sink_metric(s->sink, "condition_distance_limit", limit[UM_ALARM_DISTANCE]));
	UM_TRY(um_sink_metric(s->sink, "predictive_chi2", s->chi2));
	UM_TRY(um_sink_metric(s->sink, "predictive_chi2_low", limit[UM_ALARM_CHI2_LO]));
	UM_TRY(um_sink_metric(s->sink, "predictive_chi2_high", limit[UM_ALARM_CHI2_HI]));
	UM_TRY(um_sink_metric(s->sink, "noise_outside", s->outside));
	UM_TRY(um_sink_metric(s->sink, "alarm", far || odd || noise));
out:
	return st;
}

/* Draws chosen by their weights (which sum to 1), by one uniform number: each as often as n times its weight, rounded
 * up or down (systematic resampling). */
static um_status choose(shoot *s)
{
	um_status st = UM_OK;
	um_rng rng = um_problem_rng(s->p, UM_AMORTIZED_CHOICE, 0);
	const double u = um_uniform(&rng);
	double passed = exp(s->logw[0]);
	int64_t at = 0;
	for (int64_t k = 0; k < s->samples; k++) {
		while (at + 1 < s->refine && passed < ((double)k + u) / (double)s->samples)
			passed += exp(s->logw[++at]);
		um_array one = um_array_rows(&s->all, at, 1);
		UM_TRY(um_sink_samples(s->sink, &one, NULL));
	}
out:
	return st;
}

static um_status refine(shoot *s)
{
	um_status st = UM_OK;
	const int64_t n = s->refine;
	double mean = 0, square = 0, k;
	if (n == 0)
		return UM_OK;
	for (int64_t i = 0; i < n; i++) {
		mean += (s->logw[i] - s->logw[0]) / (double)n;
		square += pow(s->logw[i] - s->logw[0], 2) / (double)n;
	}
	UM_TRY(um_sink_metric(s->sink, "elbo", s->logw[0] + mean));
	UM_TRY(um_sink_metric(s->sink, "elbo_se", sqrt(fmax(0, square - mean * mean) / (double)n)));
	UM_TRY(um_pareto_smooth(n, s->logw, &k));
	UM_TRY(um_sink_metric(s->sink, "pareto_k", k));
	UM_TRY(um_sink_metric(s->sink, "importance_ess", um_pareto_ess(n, s->logw)));
	if (k > um_pareto_limit(n))
		um_log(UM_WARN, "importance weights of %lld draws have a tail of Pareto k = %.2f, above %.2f, so that they repair nothing: %s",
			(long long)n, k, um_pareto_limit(n), s->about->estimate ? "the noise of an estimated log p alone can do that" :
			"the law is too far from the posterior");
	if (s->a->set.resample)
		UM_TRY(choose(s));
out:
	return st;
}

um_status um_amortized_run(um_amortizer *a, um_problem *problem, um_sink *sink)
{
	um_status st = UM_OK;
	shoot s = { .a = a, .p = problem, .about = um_problem_about(problem), .sink = sink };
	um_weights *trained = NULL;
	if (a->w == NULL)
		return um_fail(UM_EPARAM, "it has not been trained: give model = a weight file, or put a train stage before");
	UM_TRY(um_problem_suits(problem, &a->file));
	UM_TRY(um_condition_noise(&a->cond, um_problem_sigma(problem), &s.outside));
	if (a->set.tune > 0) {
		if ((trained = um_weights_copy(a->w)) == NULL)
			UM_TRY(um_fail(UM_ENOMEM, "no memory for a network"));
		UM_TRY(um_amortizer_tune(a, problem, sink));
	}
	UM_TRY(shoot_new(&s));
	UM_TRY(draws(&s));
	UM_TRY(alarm(&s));
	UM_TRY(refine(&s));
out:
	if (trained != NULL) { /* for the next measurement */
		memcpy(a->w->data, trained->data, sizeof(float) * (size_t)trained->len);
		um_weights_touch(a->w);
	}
	um_weights_free(trained);
	shoot_free(&s);
	return st;
}
