/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Where a fit starts. From one starting point: at the optimum of the posterior above it, as wide as its
 * curvature there says. From several, drawn broadly: at the mean of the optima, as wide as they spread
 * and their curvature together, so that the law covers the modes that were found: a fit by this
 * divergence gives modes up, it does not find new ones. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <umbra/optimum.h>
#include "host/law.h"

enum { PROBES = 64, PASSES = 3 };
static const double WIDER = 1.5; /* a first law from several starts is wider than what they found */

static bool warm_step(void *context, int64_t k, double f, double ll, double lp, double gnorm)
{
	um_fit *w = context;
	(void)ll, (void)lp, (void)gnorm;
	return um_sink_progress(w->sink, k, w->set->warm_iterations + w->set->seeds * w->set->steps, f) != UM_STOP;
}

static um_status climb(um_fit *w, double *mu)
{
	um_status st = UM_OK;
	um_optimum o = { .problem = w->problem, .weight = um_fit_data_weight(w, 0),
		.volume = w->set->prior_weight > 0 ? w->set->entropy_weight / w->set->prior_weight : 1,
		.step = warm_step, .context = w,
		.search = { .iterations = w->set->warm_iterations, .gtol = 1e-6 } };
	UM_TRY(um_optimum_find(&o, mu));
	*um_fit_count(w, UM_FIT_NFE) += o.search.nfe;
	if (o.search.end == UM_LBFGS_STOPPED)
		st = um_fail(UM_EINTR, "%s: stopped while looking for a starting point", w->set->family);
out:
	return st;
}

/* u = mu + s v for rows of random signs v, a row and its opposite in turn. */
static void probe(um_fit *w, int64_t first, int64_t count, const double *mu, const double *ls, double *v)
{
	for (int64_t b = 0; b < count; b++) {
		um_rng rng = um_fit_rng(w, UM_FIT_PROBE, first + b);
		for (int64_t i = 0; i < w->n; i++) {
			double *vi = &v[b * w->n + i];
			*vi = b % 2 == 1 ? -vi[-w->n] : um_rademacher(&rng);
			um_row_f(&w->u, b)[i] = (float)(mu[i] + exp(ls[i]) * *vi);
		}
	}
}

/* One estimate of the diagonal of the curvature, from probes of random signs v (Bekas et al. 2007):
 * s_i^2 = w_entropy / E[-v_i (g(mu + s v) - g(mu - s v))_i / 2 s_i]. Widths may shrink by much, but
 * grow by little, because far out the density says nothing of its curvature here. */
static um_status curvature(um_fit *w, int64_t pass, const double *mu, double *ls)
{
	um_status st = UM_OK;
	const double shrink = log(30.0), grow = log(3.0), wd = um_fit_data_weight(w, 0), wp = w->set->prior_weight;
	const double volume = wp > 0 ? w->set->entropy_weight / wp : 1;
	const int64_t batch = w->set->batch < PROBES ? w->set->batch : PROBES;
	double *h = calloc((size_t)w->n * (size_t)(batch + 1), sizeof(double));
	int64_t done = 0;
	if (h == NULL)
		UM_TRY(um_fail(UM_ENOMEM, "no memory for probes"));
	double *v = h + w->n;
	for (; done < PROBES; done += batch) {
		int64_t first = pass * PROBES * 2 + done;
		probe(w, first, batch, mu, ls, v);
		UM_TRY(um_fit_evaluate(w, UM_FIT_PROBE_PRIOR, first, batch, true, volume));
		for (int64_t b = 0; b < batch; b++)
			for (int64_t i = 0; i < w->n; i++)
				h[i] -= v[b * w->n + i] * (wd * um_row_f(&w->dl, b)[i] + wp * um_row_f(&w->dp, b)[i]) /
					exp(ls[i]);
	}
	for (int64_t i = 0; i < w->n; i++) {
		double var = w->set->entropy_weight * (double)done / h[i];
		double move = h[i] > 0 ? 0.5 * log(var) - ls[i] : 0;
		ls[i] += fmax(-shrink, fmin(grow, move));
	}
out:
	free(h);
	return st;
}

/* The standard deviations at an optimum. */
static um_status widths(um_fit *w, int64_t k, const double *mu, double *ls)
{
	um_status st = UM_OK;
	const double sd = w->set->sd > 0 ? w->set->sd : 0.1;
	for (int64_t i = 0; i < w->n; i++)
		ls[i] = log(sd);
	for (int64_t pass = 0; w->set->sd == 0 && pass < PASSES; pass++)
		UM_TRY(curvature(w, k * PASSES + pass, mu, ls));
out:
	return st;
}

/* Starting point k of several lies spread about the starting image. */
static um_status one(um_fit *w, const double *image, int64_t k, double *mu, double *ls)
{
	um_status st = UM_OK;
	um_rng rng = um_fit_rng(w, UM_FIT_START, k);
	for (int64_t i = 0; i < w->n; i++)
		mu[i] = image[i] + (w->set->starts > 1 ? w->set->spread * um_normal(&rng) : 0);
	if (w->set->warm[0] != 'n' && !um_problem_about(w->problem)->estimate)
		UM_TRY(climb(w, mu));
	UM_TRY(widths(w, k, mu, ls));
out:
	return st;
}

/* Moments of the mixture of starts: sum of mu and of mu^2 + s^2, the latter about the image. */
static um_status gather(um_fit *w, const double *image, double *mean, double *sd)
{
	um_status st = UM_OK;
	const double many = (double)w->set->starts;
	double *mu = calloc(2 * (size_t)w->n, sizeof(double)), *ls = mu + w->n;
	if (mu == NULL)
		UM_TRY(um_fail(UM_ENOMEM, "no memory for starts"));
	for (int64_t k = 0; k < w->set->starts; k++) {
		UM_TRY(one(w, image, k, mu, ls));
		for (int64_t i = 0; i < w->n; i++) {
			double d = mu[i] - image[i];
			mean[i] += d / many;
			sd[i] += (d * d + exp(2 * ls[i])) / many;
		}
	}
	for (int64_t i = 0; i < w->n; i++) {
		sd[i] = WIDER * sqrt(fmax(sd[i] - mean[i] * mean[i], 1e-300));
		mean[i] += image[i];
	}
out:
	free(mu);
	return st;
}

um_status um_fit_start(um_fit *w, double *mean, double *sd)
{
	um_status st = UM_OK;
	um_array u = { 0 };
	const um_start from = { strcmp(w->set->start, "blob") == 0, w->set->size, w->set->level,
		w->set->from.data != NULL ? &w->set->from : NULL };
	double *image = calloc((size_t)w->n, sizeof(double));
	if (image == NULL)
		UM_TRY(um_fail(UM_ENOMEM, "no memory for a start"));
	UM_TRY(um_problem_images(w->problem, 1, &u));
	UM_TRY(um_optimum_start(w->problem, &from, &u));
	for (int64_t i = 0; i < w->n; i++)
		image[i] = ((float *)u.data)[i];
	if (w->set->starts > 1) {
		UM_TRY(gather(w, image, mean, sd));
		goto out;
	}
	UM_TRY(one(w, image, 0, mean, sd));
	for (int64_t i = 0; i < w->n; i++)
		sd[i] = exp(sd[i]);
out:
	free(image);
	um_array_free(&u);
	return st;
}
