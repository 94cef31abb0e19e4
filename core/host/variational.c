/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The fit of a law to a posterior: stochastic gradients over draws, whose noise is shared by pairs
 * z, -z so that what is even in z cancels in the gradient of a mean; annealed weights; several fits
 * from different random numbers, of which the best is kept, because a fit by this divergence easily
 * misses a mode and only another one can tell. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "base/clock.h"
#include "host/law.h"

um_rng um_fit_rng(um_fit *w, uint64_t purpose, int64_t index)
{
	const uint64_t attempt = (uint64_t)*um_fit_count(w, UM_FIT_ATTEMPT);
	return um_problem_rng(w->problem, purpose + attempt * UM_FIT_STREAMS, (uint64_t)index);
}

um_status um_fit_draw(um_fit *w, uint64_t purpose, int64_t first, int64_t count)
{
	const bool train = purpose == UM_FIT_NOISE;
	const int64_t m = w->law->noise;
	um_array u = um_array_rows(&w->u, 0, count);
	for (int64_t b = 0; b < count; b++) {
		double *z = um_row_d(&w->z, b);
		um_rng rng = um_fit_rng(w, purpose, first + b);
		if (train && b % 2 == 1)
			for (int64_t i = 0; i < m; i++)
				z[i] = -z[i - m];
		else
			um_normal_fill(&rng, z, m);
	}
	return w->law->ops->draw(w->law, train, count, w->z.data, &u, w->lq.data);
}

um_status um_fit_evaluate(um_fit *w, uint64_t purpose, int64_t first, int64_t count, bool gradient,
	double volume)
{
	um_status st = UM_OK;
	um_array u = um_array_rows(&w->u, 0, count), dl = um_array_rows(&w->dl, 0, count);
	um_array dp = um_array_rows(&w->dp, 0, count);
	for (int64_t b = 0; b < count; b++)
		w->rng[b] = um_fit_rng(w, purpose, first + b);
	UM_TRY(um_problem_loglike(w->problem, &u, w->ll.data, gradient ? &dl : NULL));
	UM_TRY(um_problem_logp(w->problem, w->rng, &u, w->lp.data, gradient ? &dp : NULL));
	um_optimum_volume(w->problem, volume - 1, &u, w->lp.data, gradient ? &dp : NULL);
	*um_fit_count(w, UM_FIT_NFE) += count;
out:
	return st;
}

double um_fit_data_weight(const um_fit *w, int64_t step)
{
	const um_variational *set = w->set;
	double weight = set->data_weight;
	if (set->anneal_rate > 0)
		weight /= 1 + exp(-set->anneal_rate * ((double)step - set->anneal_pivot));
	if (set->anneal_order > 0)
		weight *= fmin(1, pow(10, (double)step / set->anneal_decay - set->anneal_order));
	return weight;
}

/* Entropy counts more in the first half of the steps, so that all modes are found while they are wide. */
double um_fit_entropy_weight(const um_fit *w, int64_t step)
{
	const double left = fmax(0, 1 - 2 * (double)step / (double)w->set->steps);
	return w->set->entropy_weight * pow(w->set->temper, left);
}

bool um_fit_settled(const um_fit *w, int64_t step)
{
	return um_fit_data_weight(w, step) >= 0.99 * w->set->data_weight &&
		um_fit_entropy_weight(w, step) <= 1.01 * w->set->entropy_weight;
}

double um_fit_volume(const um_fit *w, int64_t step)
{
	return w->set->prior_weight > 0 ? um_fit_entropy_weight(w, step) / w->set->prior_weight : 1;
}

/* The gradient above moves mass between modes only through draws between them, of which there soon are
 * none. So draws also pull log q up by their importance weights p / q (the gradient of KL(p | q),
 * truncated at the square root of their number, Ionides 2008); less the mean, of which the gradient is
 * zero, so that nothing is left where q is the target. */
static void shares(um_fit *w, double wd, double wp, double we)
{
	const int64_t batch = w->set->batch;
	const double *ll = w->ll.data, *lp = w->lp.data, *lq = w->lq.data, most = sqrt((double)batch);
	double top = -INFINITY, sum = 0, *c = w->share;
	for (int64_t b = 0; b < batch; b++) {
		c[b] = (wd * ll[b] + wp * lp[b]) / we - lq[b];
		top = fmax(top, c[b]);
	}
	for (int64_t b = 0; b < batch; b++)
		sum += c[b] = exp(c[b] - top);
	for (int64_t b = 0; b < batch; b++)
		c[b] = w->set->balance * we * (fmin(c[b] / sum, most / (double)batch) - 1 / (double)batch);
}

/* One step: terms of the loss, its gradient with respect to u in dl, and down it. */
static um_status descend(um_fit *w, int64_t step)
{
	um_status st = UM_OK;
	const int64_t batch = w->set->batch, first = step * batch;
	const double wd = um_fit_data_weight(w, step), wp = w->set->prior_weight;
	const double we = um_fit_entropy_weight(w, step), *ll = w->ll.data, *lp = w->lp.data;
	float *dl = w->dl.data;
	const float *dp = w->dp.data;
	UM_TRY(um_fit_draw(w, UM_FIT_NOISE, first, batch));
	UM_TRY(um_fit_evaluate(w, UM_FIT_PRIOR, first, batch, true, um_fit_volume(w, step)));
	w->entropy = -we * w->law->ops->entropy(w->law);
	w->data = w->prior = 0;
	for (int64_t b = 0; b < batch; b++) {
		w->data -= wd * ll[b] / (double)batch;
		w->prior -= wp * lp[b] / (double)batch;
	}
	for (int64_t i = 0; i < batch * w->n; i++)
		dl[i] = (float)-(wd * dl[i] + wp * dp[i]);
	if (w->share != NULL)
		shares(w, wd, wp, we);
	UM_TRY(w->law->ops->step(w->law, w->z.data, &w->dl, we, w->share));
out:
	return st;
}

/* ---- ending early -------------------------------------------------------------------- */

/* The image of the mean of u, or where that is not known the mean image of fixed draws. */
static um_status mean_image(um_fit *w, float *out)
{
	um_status st = UM_OK;
	const int64_t count = w->law->ops->mean != NULL ? 1 : w->set->batch;
	um_array u = um_array_rows(&w->u, 0, count), x = um_array_rows(&w->dl, 0, count);
	double *mean = calloc((size_t)w->n, sizeof(double));
	if (mean == NULL)
		UM_TRY(um_fail(UM_ENOMEM, "no memory for a mean"));
	if (w->law->ops->mean != NULL) {
		w->law->ops->mean(w->law, mean);
		for (int64_t i = 0; i < w->n; i++)
			um_row_f(&u, 0)[i] = (float)mean[i];
		memset(mean, 0, sizeof(double) * (size_t)w->n);
	} else
		UM_TRY(um_fit_draw(w, UM_FIT_LOOK, 0, count));
	UM_TRY(um_problem_image(w->problem, &u, &x));
	for (int64_t b = 0; b < count; b++)
		for (int64_t i = 0; i < w->n; i++)
			mean[i] += um_row_f(&x, b)[i];
	for (int64_t i = 0; i < w->n; i++)
		out[i] = (float)(mean[i] / (double)count);
out:
	free(mean);
	return st;
}

/* Whether the mean image has come to rest; looks only at its own steps. */
static um_status look(um_fit *w, int64_t step)
{
	um_status st = UM_OK;
	const um_variational *set = w->set;
	float *now = w->dp.data, *last = w->last.data;
	double moved = 0, size = 0;
	if (set->check == 0 || step % set->check != 0 || *um_fit_count(w, UM_FIT_TAIL) >= 0)
		return UM_OK;
	UM_TRY(mean_image(w, now));
	for (int64_t i = 0; i < w->n; i++) {
		moved += ((double)now[i] - last[i]) * ((double)now[i] - last[i]);
		size += (double)last[i] * last[i];
		last[i] = now[i];
	}
	bool rest = um_fit_settled(w, step) && sqrt(moved) < set->threshold * sqrt(size);
	int64_t *at_rest = um_fit_count(w, UM_FIT_AT_REST);
	*at_rest = rest ? *at_rest + 1 : 0;
	*um_fit_count(w, UM_FIT_CONVERGED) = *at_rest >= set->patience;
out:
	return st;
}

/* Steps of this fit, given where averaging began; decides when it does. */
static int64_t last_step(um_fit *w)
{
	const int64_t steps = w->set->steps, average = w->set->average < steps ? w->set->average : steps;
	int64_t *tail = um_fit_count(w, UM_FIT_TAIL), step = *um_fit_count(w, UM_FIT_STEP);
	if (*tail < 0 && (*um_fit_count(w, UM_FIT_CONVERGED) || step >= steps - average))
		*tail = step;
	return *tail < 0 ? steps : *tail + average;
}

/* ---- one fit --------------------------------------------------------------------------- */

/* What a checkpoint holds; the number of arrays. */
static int saved(um_fit *w, const char *name[], um_array *array[])
{
	static const char *const best[] = { "best_0", "best_1", "best_2", "best_3", "best_4", "best_5", "best_6", "best_7" };
	int n = 0;
	for (int i = 0; i < w->law->nstate; i++, n++)
		name[n] = w->law->name[i], array[n] = w->law->state[i];
	for (int i = 0; w->set->seeds > 1 && i < w->law->nresult; i++, n++)
		name[n] = best[i], array[n] = &w->best[i];
	name[n] = "last", array[n++] = &w->last;
	name[n] = "elbo", array[n++] = &w->elbo;
	name[n] = "trend", array[n++] = &w->trend;
	if (w->set->seeds > 1)
		name[n] = "seen", array[n++] = &w->seen;
	name[n] = "counts", array[n++] = &w->count;
	return n;
}
enum { SAVED = 2 * UM_LAW_ARRAYS + 5 };

static um_status checkpoint(um_fit *w)
{
	const char *name[SAVED];
	um_array *array[SAVED];
	const um_array *lent[SAVED];
	const int n = saved(w, name, array);
	for (int i = 0; i < n; i++)
		lent[i] = array[i];
	return um_sink_checkpoint(w->sink, n, name, lent);
}

static um_status tell(um_fit *w, int64_t step, bool *stop)
{
	static const char *const names[] = { "loss", "data", "prior", "entropy" };
	um_status st = UM_OK;
	const int64_t attempt = *um_fit_count(w, UM_FIT_ATTEMPT), before = attempt * w->set->steps;
	const int64_t after = (w->set->seeds - 1 - attempt) * w->set->steps;
	const double loss = w->data + w->prior + w->entropy, row[] = { loss, w->data, w->prior, w->entropy };
	if (!isfinite(loss))
		UM_TRY(um_fail(UM_ENUM, "the fit diverged at step %lld; a smaller rate or a clip may help",
			(long long)step));
	if (step % w->set->trace == 0)
		UM_TRY(um_sink_trace(w->sink, before + step, 4, names, row));
	um_answer answer = um_sink_progress(w->sink, before + step, before + last_step(w) + after, loss);
	if (answer != UM_GO)
		UM_TRY(checkpoint(w));
	*stop = answer == UM_STOP;
out:
	return st;
}

static um_status optimise(um_fit *w, bool *stop)
{
	um_status st = UM_OK;
	int64_t *step = um_fit_count(w, UM_FIT_STEP), *tail = um_fit_count(w, UM_FIT_TAIL);
	while (!*stop && *step < last_step(w)) {
		const double begun = um_clock();
		UM_TRY(descend(w, *step));
		w->seconds += um_clock() - begun;
		w->made++;
		++*step;
		if (*tail >= 0) {
			um_fit_follow(w, *step - 1);
			w->law->ops->average(w->law, *step - *tail);
		}
		UM_TRY(look(w, *step));
		UM_TRY(tell(w, *step, stop));
	}
	w->law->ops->finish(w->law, *tail < 0 ? 0 : *step - *tail);
out:
	return st;
}

static um_status begin(um_fit *w)
{
	um_status st = UM_OK;
	const int fresh[] = { UM_FIT_STEP, UM_FIT_CONVERGED, UM_FIT_AT_REST };
	double *mean = calloc(2 * (size_t)w->n, sizeof(double));
	if (mean == NULL)
		UM_TRY(um_fail(UM_ENOMEM, "no memory for a start"));
	for (size_t i = 0; i < sizeof(fresh) / sizeof(*fresh); i++)
		*um_fit_count(w, fresh[i]) = 0;
	*um_fit_count(w, UM_FIT_TAIL) = -1;
	memset(w->last.data, 0, sizeof(float) * (size_t)w->n);
	memset(um_row_d(&w->trend, *um_fit_count(w, UM_FIT_ATTEMPT)), 0, sizeof(double) * UM_TRENDS);
	if (um_fit_moments(w))
		UM_TRY(um_fit_whiten(w, mean, mean + w->n));
	else
		UM_TRY(um_fit_start(w, mean, mean + w->n));
	UM_TRY(w->law->ops->start(w->law, *um_fit_count(w, UM_FIT_ATTEMPT), mean, mean + w->n));
out:
	free(mean);
	return st;
}

/* ---- all of them ------------------------------------------------------------------------- */

/* Keeps the law of the best fit; with to_law it becomes the law again. */
static um_status keep(um_fit *w, bool to_law)
{
	um_status st = UM_OK;
	for (int i = 0; i < w->law->nresult; i++)
		UM_TRY(um_array_copy(to_law ? w->law->state[i] : &w->best[i], to_law ? &w->best[i] : w->law->state[i]));
	if (to_law)
		w->law->ops->changed(w->law, *um_fit_count(w, UM_FIT_STEP));
out:
	return st;
}

static um_status fit(um_fit *w, bool begun, bool *stop)
{
	um_status st = UM_OK;
	int64_t *attempt = um_fit_count(w, UM_FIT_ATTEMPT), *best = um_fit_count(w, UM_FIT_BEST);
	const bool several = w->set->seeds > 1;
	for (;;) {
		if (!begun)
			UM_TRY(begin(w));
		UM_TRY(optimise(w, stop));
		if (*stop)
			break;
		UM_TRY(um_fit_elbo(w));
		if (several)
			UM_TRY(um_fit_see(w));
		if (*attempt == 0 || um_row_d(&w->elbo, *attempt)[0] > um_row_d(&w->elbo, *best)[0]) {
			*best = *attempt;
			if (several)
				UM_TRY(keep(w, false));
		}
		begun = false;
		if (*attempt + 1 >= w->set->seeds)
			break;
		++*attempt;
	}
	if (several && (*attempt > 0 || !*stop))
		UM_TRY(keep(w, true));
out:
	return st;
}

static um_status fit_new(um_fit *w)
{
	um_status st = UM_OK;
	const um_variational *set = w->set;
	const int64_t batch = set->batch, counts = UM_FIT_COUNTS;
	um_rng rng = um_problem_rng(w->problem, UM_FIT_WEIGHTS, 0);
	um_law_spec spec = { .n = w->n, .batch = batch, .threads = w->about->threads, .rate = set->rate,
		.clip = set->clip, .warmup = set->warmup, .span = set->steps, .floor = set->decay,
		.balance = set->balance > 0, .rank = set->rank, .seed = um_rng_bits(&rng) };
	spec.flow = um_variational_flow(set, w->about->shape);
	spec.flow.seed = spec.seed;
	um_array *const images[] = { &w->u, &w->dl, &w->dp }, *const numbers[] = { &w->ll, &w->lp, &w->lq };
	UM_TRY(um_law_new(set->family, &spec, &w->law));
	if (um_fit_moments(w))
		UM_TRY(um_law_affine(w->law, &spec, &w->law));
	UM_TRY(um_array_new(&w->count, UM_I64, 1, &counts));
	UM_TRY(um_array_new(&w->elbo, UM_F64, 2, (const int64_t[]){ UM_FIT_SEEDS, 3 }));
	UM_TRY(um_array_new(&w->trend, UM_F64, 2, (const int64_t[]){ UM_FIT_SEEDS, UM_TRENDS }));
	if (set->seeds > 1)
		UM_TRY(um_array_new(&w->seen, UM_F64, 3, (const int64_t[]){ set->seeds, 2, w->n }));
	UM_TRY(um_array_new(&w->z, UM_F64, 2, (const int64_t[]){ batch, w->law->noise }));
	UM_TRY(um_problem_images(w->problem, 1, &w->last));
	for (int i = 0; i < 3; i++) {
		UM_TRY(um_problem_images(w->problem, batch, images[i]));
		UM_TRY(um_array_new(numbers[i], UM_F64, 1, &batch));
	}
	for (int i = 0; set->seeds > 1 && i < w->law->nresult; i++)
		UM_TRY(um_array_new(&w->best[i], w->law->state[i]->dtype, w->law->state[i]->rank,
			w->law->state[i]->dim));
	if (set->balance > 0 && (w->share = calloc((size_t)batch, sizeof(*w->share))) == NULL)
		UM_TRY(um_fail(UM_ENOMEM, "no memory for %lld draws", (long long)batch));
	if ((w->rng = calloc((size_t)batch, sizeof(*w->rng))) == NULL)
		UM_TRY(um_fail(UM_ENOMEM, "no memory for %lld draws", (long long)batch));
out:
	return st;
}

static void fit_free(um_fit *w)
{
	um_array *const all[] = { &w->last, &w->count, &w->elbo, &w->trend, &w->seen, &w->z, &w->u, &w->dl, &w->dp, &w->ll, &w->lp,
		&w->lq };
	for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++)
		um_array_free(all[i]);
	for (int i = 0; i < UM_LAW_ARRAYS; i++)
		um_array_free(&w->best[i]);
	um_law_free(w->law);
	free(w->rng);
	free(w->share);
}

um_status um_variational_run(const um_variational *set, um_problem *problem, um_sink *sink)
{
	um_status st = UM_OK;
	bool found, stop = false;
	const char *name[SAVED];
	um_array *array[SAVED];
	um_fit w = { .set = set, .problem = problem, .about = um_problem_about(problem), .sink = sink };
	w.n = w.about->n;
	UM_TRY(fit_new(&w));
	const int n = saved(&w, name, array);
	UM_TRY(um_sink_restore(sink, n, name, array, &found));
	if (found)
		w.law->ops->changed(w.law, *um_fit_count(&w, UM_FIT_STEP));
	UM_TRY(fit(&w, found, &stop));
	if (!stop)
		UM_TRY(um_fit_report(&w));
	UM_TRY(um_fit_deliver(&w));
	if (stop)
		st = um_fail(UM_EINTR, "%s: stopped after step %lld", set->family,
			(long long)*um_fit_count(&w, UM_FIT_STEP));
out:
	fit_free(&w);
	return st;
}
