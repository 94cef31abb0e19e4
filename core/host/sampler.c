/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The walk of samplers: batches of samples from time to time. What a checkpoint holds is the state of the batch
 * and the samples before it; noise comes from streams by step and sample, so that an interrupted run repeats
 * itself. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "base/mem.h"
#include "host/sampler.h"

static const double MOST = 1e3;   /* |u| beyond this, and beyond as much noise, is no image */
static const double MISFIT = 0.5; /* of chi-square a datum that is told */
enum { TRACED = 50 };             /* rows of the trace, of the first batch */

typedef struct walk {
	const um_sampling *set;
	const um_sampler_ops *ops;
	um_sink *sink;
	um_sampler s;
	struct um_sampler_inside inside;
	int64_t batch, batches, samples;
	double from, to;
	um_array state, done, at;     /* [batch][n]; [samples][image]; step of the batch, its first sample */
	double *work, *number;        /* mean, guide, rooms */
} walk;

/* ---- keys ------------------------------------------------------------------------------------ */

static um_sde sde_of(const um_sampling *set, um_sde_kind usual)
{
	return (um_sde){ strcmp(set->sde, "auto") == 0 ? usual : um_sde_named(set->sde), set->beta_min, set->beta_max,
		set->sigma_min, set->sigma_max };
}

static bool by_ratio(const um_sampling *set)
{
	return strcmp(set->grid, "logsnr") == 0;
}

/* Where walks begin: the straight path has no signal at 1. */
static double last_time(const um_sampling *set, const um_sde *sde)
{
	return sde->kind == UM_SDE_FLOW ? fmin(set->times.hi, 0.999) : set->times.hi;
}

um_status um_sampler_create(const void *params, size_t size, int64_t least, void **self)
{
	const um_sampling *set = params;
	const um_sde sde = sde_of(set, UM_SDE_VP);
	const um_probflow f = { .sde = sde, .from = set->times.lo, .to = last_time(set, &sde), .steps = 1 };
	const um_status st = um_probflow_check(&f);
	if (st != UM_OK)
		return st;
	if (by_ratio(set) && set->times.lo == 0)
		return um_fail(UM_EPARAM, "times: a grid of equal ratios does not reach 0: begin later");
	if (set->calls < least)
		return um_fail(UM_EPARAM, "calls = %lld: a walk takes %lld at least", (long long)set->calls, (long long)least);
	*self = malloc(size);
	if (*self == NULL)
		return um_fail(UM_ENOMEM, "no memory for settings");
	memcpy(*self, params, size);
	return UM_OK;
}

/* ---- times -------------------------------------------------------------------------------------- */

/* Of step k, from the last time down to the first; after it 0. */
static double time_of(const walk *w, int64_t k)
{
	const double left = w->s.steps > 1 ? 1 - (double)k / (double)(w->s.steps - 1) : 1;
	if (k >= w->s.steps)
		return 0;
	return by_ratio(w->set) ? um_sde_draw(&w->s.sde, w->from, w->to, left) : w->from + left * (w->to - w->from);
}

static void set_times(walk *w, int64_t step)
{
	um_sampler *s = &w->s;
	const bool last = step + 1 >= s->steps;
	s->step = step;
	s->t = time_of(w, step);
	s->a = um_sde_alpha(&s->sde, s->t);
	s->b = um_sde_sigma(&s->sde, s->t);
	s->t_next = time_of(w, step + 1);
	s->a_next = last ? 1 : um_sde_alpha(&s->sde, s->t_next);
	s->b_next = last ? 0 : um_sde_sigma(&s->sde, s->t_next);
}

/* ---- room ------------------------------------------------------------------------------------------ */

static um_status problem_score(void *self, const um_score_job *job)
{
	return um_problem_score(self, job);
}

static void set_range(walk *w)
{
	const um_sampling *set = w->set;
	um_probflow *f = &w->inside.flow;
	const bool given = set->range.hi > set->range.lo;
	f->lo = given ? set->range.lo : w->s.about->lo;
	f->unit = given ? set->range.hi - set->range.lo : w->s.about->unit;
	f->lo = f->unit > 0 ? f->lo : 0;
	w->inside.clip[0] = -INFINITY;
	w->inside.clip[1] = INFINITY;
	for (int i = 0; i < 2 && set->clip.hi > set->clip.lo; i++)
		w->inside.clip[i] = flow_from_x(f, i == 0 ? set->clip.lo : set->clip.hi);
}

/* The data's noise as one number. */
static double noise_of(const um_problem *p)
{
	const int64_t ny = um_problem_about(p)->ny;
	const double *sigma = um_problem_sigma(p);
	double sum = 0;
	for (int64_t i = 0; i < ny; i++)
		sum += 1 / (sigma[i] * sigma[i]);
	return sqrt((double)ny / sum);
}

static um_status walk_new(walk *w, const void *params, um_problem *problem)
{
	um_status st = UM_OK;
	um_sampler *s = &w->s;
	const um_problem_info *about = um_problem_about(problem);
	const int64_t each = w->ops->each > 0 ? w->ops->each : 1, fit = (1 << 20) / about->n;
	*s = (um_sampler){ .self = params, .problem = problem, .about = about, .n = about->n, .inside = &w->inside,
		.sde = sde_of(w->set, w->ops->usual), .steps = (w->set->calls - w->ops->after) / each,
		.noise = noise_of(problem) };
	w->samples = about->samples;
	w->batch = w->set->batch > 0 ? w->set->batch : fit < 16 ? 16 : fit > 1024 ? 1024 : fit;
	w->batch = w->batch < w->samples ? w->batch : w->samples;
	w->batches = (w->samples + w->batch - 1) / w->batch;
	w->from = w->set->times.lo;
	w->to = last_time(w->set, &s->sde);
	w->inside.set = w->set;
	w->inside.flow = (um_probflow){ .score = problem_score, .self = problem, .n = s->n, .sde = s->sde };
	memcpy(w->inside.flow.shape, about->shape, sizeof(about->shape));
	set_range(w);
	UM_TRY(flow_score_new(&w->inside.score, &w->inside.flow, w->batch, NULL));
	UM_TRY(um_array_new(&w->state, UM_F64, 2, (const int64_t[]){ w->batch, s->n }));
	UM_TRY(um_array_new(&w->at, UM_I64, 1, (const int64_t[]){ 2 }));
	UM_TRY(um_problem_images(problem, w->samples, &w->done));
	w->work = um_new(sizeof(double) * (size_t)((2 + SAMPLER_ROOMS) * w->batch * s->n + w->batch));
	w->number = w->work + (2 + SAMPLER_ROOMS) * w->batch * s->n;
	for (int k = 0; k < SAMPLER_ROOMS; k++)
		w->inside.room[k] = w->work + (2 + k) * w->batch * s->n;
out:
	return st;
}

static void walk_free(walk *w)
{
	flow_score_free(&w->inside.score);
	um_array_free(&w->state);
	um_array_free(&w->done);
	um_array_free(&w->at);
	free(w->work);
}

/* ---- checks ------------------------------------------------------------------------------------------- */

static um_status check_state(const walk *w)
{
	const um_sampler *s = &w->s;
	const double most = MOST * (1 + s->b);
	for (int64_t i = 0; i < s->count * s->n; i++)
		if (!(fabs(s->u[i]) <= most))
			return um_fail(UM_ENUM, "sample %lld grew without bounds by step %lld of %lld (noise %.3g): the data weigh "
				"too much for steps of this size; %s", (long long)(s->first + i / s->n + 1), (long long)(s->step + 1),
				(long long)s->steps, s->b, w->ops->advice);
	return UM_OK;
}

/* Draws of a closed form say how large x is: noise of the first time must not hide it, nor x show in noise of
 * the last one. Those that learned know it themselves. */
static um_status check_range(const walk *w)
{
	enum { DRAWS = 16 };
	const um_sampler *s = &w->s;
	um_status st = UM_OK;
	um_array x = { 0 };
	um_rng rng[DRAWS];
	double square = 0, spread = 0;
	if (s->about->components == 0 || !s->about->draws || w->inside.flow.unit > 0)
		return UM_OK;
	for (int i = 0; i < DRAWS; i++)
		rng[i] = um_problem_rng(s->problem, 1, (uint64_t)i);
	UM_TRY(um_problem_images(s->problem, DRAWS, &x));
	UM_TRY(um_problem_draw(s->problem, rng, &x));
	for (int64_t i = 0; i < DRAWS * s->n; i++) {
		const double v = (double)((const float *)x.data)[i], d = v - (double)((const float *)x.data)[i % s->n];
		square += v * v / (double)(DRAWS * s->n);
		spread += d * d / (double)(2 * DRAWS * s->n);
	}
	const double small = um_sde_sigma(&s->sde, w->from) / um_sde_alpha(&s->sde, w->from);
	const double large = um_sde_sigma(&s->sde, w->to) / um_sde_alpha(&s->sde, w->to);
	if (small > sqrt(spread) || large < sqrt(square))
		UM_TRY(um_fail(UM_EPARAM, "range: x is %.3g large and varies by %.3g, which does not suit noise from %.3g to "
			"%.3g; give the least and the largest x as range", sqrt(square), sqrt(spread), small, large));
out:
	um_array_free(&x);
	return st;
}

/* ---- one batch ------------------------------------------------------------------------------------------- */

static um_status checkpoint(walk *w)
{
	static const char *const names[] = { "state", "samples", "at" };
	const um_array *const arrays[] = { &w->state, &w->done, &w->at };
	return um_sink_checkpoint(w->sink, 3, names, arrays);
}

static um_status restore(walk *w)
{
	static const char *const names[] = { "state", "samples", "at" };
	um_array *const arrays[] = { &w->state, &w->done, &w->at };
	bool found;
	return um_sink_restore(w->sink, 3, names, arrays, &found);
}

static um_status begin(walk *w)
{
	um_sampler *s = &w->s;
	set_times(w, 0);
	s->step = -1; /* a stream of its own */
	um_sampler_noise(s, 0, s->u);
	s->step = 0;
	for (int64_t i = 0; i < s->count * s->n; i++)
		s->u[i] *= s->b;
	return w->ops->begin != NULL ? w->ops->begin(s) : UM_OK;
}

/* How well the predicted images of the first batch fit the data, now and then. */
static um_status trace(walk *w)
{
	static const char *const names[] = { "time", "noise", "chi2" };
	um_status st = UM_OK;
	um_sampler *s = &w->s;
	const int64_t every = s->steps > TRACED ? s->steps / TRACED : 1;
	double *ll = NULL, chi2 = 0;
	if (s->first > 0 || (s->step + 1) % every != 0)
		return UM_OK;
	ll = um_new(sizeof(double) * (size_t)s->count);
	UM_TRY(um_sampler_likelihood(s, 0, s->mean, ll, NULL));
	for (int64_t k = 0; k < s->count; k++)
		chi2 -= 2 * ll[k] / (double)(s->count * s->about->ny);
	UM_TRY(um_sink_trace(w->sink, s->step + 1, 3, names, (const double[]){ s->t, s->b, chi2 }));
out:
	free(ll);
	return st;
}

/* From step on; *stop: it was told to. */
static um_status walk_batch(walk *w, int64_t step, bool *stop)
{
	um_status st = UM_OK;
	um_sampler *s = &w->s;
	const int64_t before = s->first / w->batch * s->steps;
	if (step == 0)
		UM_TRY(begin(w));
	for (; step < s->steps && !*stop; step++) {
		set_times(w, step);
		UM_TRY(w->ops->step(s));
		UM_TRY(check_state(w));
		UM_TRY(trace(w));
		((int64_t *)w->at.data)[0] = step + 1;
		const um_answer answer = um_sink_progress(w->sink, before + step + 1, w->batches * s->steps, NAN);
		if (answer != UM_GO)
			UM_TRY(checkpoint(w));
		*stop = answer == UM_STOP;
	}
	if (*stop)
		goto out;
	set_times(w, s->steps - 1);
	if (w->ops->end != NULL)
		UM_TRY(w->ops->end(s));
	UM_TRY(check_state(w));
	for (int64_t k = 0; k < s->count; k++)
		for (int64_t i = 0; i < s->n; i++)
			um_row_f(&w->done, s->first + k)[i] = (float)(sampler_lo(s) + sampler_unit(s) * s->u[k * s->n + i]);
out:
	return st;
}

static um_status walk_all(walk *w, bool *stop)
{
	um_status st = UM_OK;
	um_sampler *s = &w->s;
	int64_t *at = w->at.data;
	while (at[1] < w->samples && !*stop) {
		const int64_t left = w->samples - at[1];
		s->first = w->inside.first = at[1];
		s->count = left < w->batch ? left : w->batch;
		s->u = w->state.data;
		s->mean = w->work;
		s->guide = w->work + w->batch * s->n;
		s->number = w->number;
		UM_TRY(walk_batch(w, at[0], stop));
		if (*stop)
			break;
		at[0] = 0;
		at[1] += s->count;
	}
out:
	return st;
}

/* Samples of a posterior miss the data as the truth does, by about sigma: chi-square a datum is 1. */
static um_status report(walk *w)
{
	um_status st = UM_OK;
	const double ny = (double)w->s.about->ny, off = fmax(MISFIT, 5 * sqrt(2 / ny));
	double sum = 0, *ll = um_new(sizeof(double) * (size_t)w->batch);
	for (int64_t first = 0; first < w->samples; first += w->batch) {
		const int64_t count = w->samples - first < w->batch ? w->samples - first : w->batch;
		const um_array x = um_array_rows(&w->done, first, count);
		UM_TRY(um_problem_loglike(w->s.problem, &x, ll, NULL));
		for (int64_t k = 0; k < count; k++)
			sum -= 2 * ll[k] / (ny * (double)w->samples);
	}
	UM_TRY(um_sink_metric(w->sink, "residual_chi2", sum));
	if (sum > 1 + off)
		um_log(UM_WARN, "samples do not fit the data: chi-square is %.3g a datum, of posterior samples about 1. Their weight on the "
			"data is too small, steps are too few, or sigma is smaller than the noise", sum);
	else if (sum < 1 - off)
		um_log(UM_WARN, "samples fit the data too well: chi-square is %.3g a datum, of posterior samples about 1. Their weight on the "
			"data is too large, or sigma is larger than the noise", sum);
out:
	free(ll);
	return st;
}

um_status um_sampler_run(const void *params, const um_sampler_ops *ops, um_problem *problem, um_sink *sink)
{
	um_status st = UM_OK;
	bool stop = false;
	walk w = { .set = params, .ops = ops, .sink = sink };
	UM_TRY(walk_new(&w, params, problem));
	UM_TRY(check_range(&w));
	UM_TRY(restore(&w));
	UM_TRY(walk_all(&w, &stop));
	const int64_t made = ((const int64_t *)w.at.data)[1];
	const um_array x = um_array_rows(&w.done, 0, made);
	if (made > 0)
		UM_TRY(um_sink_samples(sink, &x, NULL));
	if (!stop)
		UM_TRY(report(&w));
	if (stop)
		st = um_fail(UM_EINTR, "stopped after %lld of %lld samples", (long long)made, (long long)w.samples);
out:
	walk_free(&w);
	return st;
}
