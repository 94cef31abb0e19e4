/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Replicates of a calibration. A truth, its data and the samples of its posterior are made like those of a cell, each
 * from streams of its own, so that it does not matter which process makes them, or when. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "pipeline/calibrate.h"

enum { TRUTH, DATA, POINT, TIES }; /* purposes of random streams */
static const double SAVE_EVERY = 2; /* seconds of replicates that an end without notice loses */

/* What one process works with. */
struct work {
	const um_plan *plan;
	const um_stage *stage;
	int task;
	char *folder, *name;           /* DIR/calibrate/NAME; calibrate/NAME */
	um_page *page;
	bool resume;
	um_env env;
	um_forward forward, simulator; /* the latter not open where it is the same */
	um_prior *priors, *truths;
	um_inference inference;
	um_array y, sigma, op, ignored[2];
	um_array truth, point;         /* [1][image]: a truth, and where distances are measured from */
	double *value;                 /* [samples] */
	um_replicates ranks;           /* of this part: those that are done */
};

/* ---- a replicate --------------------------------------------------------------------------- */

static um_status new_measurement(struct work *w)
{
	um_status st = UM_OK;
	const int64_t ny = w->forward.info.ny, nop = w->forward.info.nop;
	um_array *const all[] = { &w->y, &w->sigma, &w->op, &w->ignored[0], &w->ignored[1] };
	for (int i = 0; i < 5; i++) {
		UM_TRY(um_array_new(all[i], UM_F64, 2, (const int64_t[]){ 1, i == 2 || i == 4 ? nop : ny }));
		all[i]->stride[0] = 0; /* one row for every sample */
	}
out:
	return st;
}

static um_status open_all(struct work *w)
{
	um_status st = UM_OK;
	const um_task *t = &w->plan->task[w->task];
	const int simulator = um_plan_simulator(w->plan, w->stage);
	const um_item *forward = &w->plan->forward[t->forward], *other = &w->plan->forward[simulator];
	const um_item *inference = &w->plan->inference[t->inference];
	UM_TRY(um_forward_open(forward->plugin, um_params_data(forward->params), &w->env, &w->forward));
	if (simulator != t->forward)
		UM_TRY(um_forward_open(other->plugin, um_params_data(other->params), &w->env, &w->simulator));
	UM_TRY(um_plan_open_prior(w->plan, t->prior, &w->env, &w->priors));
	UM_TRY(um_plan_open_prior(w->plan, um_plan_truths(w->plan, w->stage), &w->env, &w->truths));
	UM_TRY(um_inference_open(inference->plugin, um_item_params(inference), &w->env, &w->inference));
	UM_TRY(new_measurement(w));
	UM_TRY(um_env_images(&w->env, 1, &w->truth));
	UM_TRY(um_env_images(&w->env, 1, &w->point));
	w->value = um_new(sizeof(double) * (size_t)(w->stage->set.samples + 1));
out:
	return st;
}

static void close_all(struct work *w)
{
	if (w->forward.plugin != NULL)
		um_forward_close(&w->forward);
	if (w->simulator.plugin != NULL)
		um_forward_close(&w->simulator);
	um_plan_close_prior(w->priors, w->plan->prior[w->plan->task[w->task].prior].n);
	um_plan_close_prior(w->truths, 1);
	if (w->inference.plugin != NULL)
		um_inference_close(&w->inference);
	um_array *const all[] = { &w->y, &w->sigma, &w->op, &w->ignored[0], &w->ignored[1], &w->truth, &w->point };
	for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++)
		um_array_free(all[i]);
	free(w->value);
	free(w->ranks.rank);
	free(w->folder);
	free(w->name);
}

static um_rng stream(const struct work *w, int purpose, int64_t i)
{
	const um_rng base = um_rng_new(w->env.seed, w->name, 0);
	return um_rng_at(&base, (uint64_t)purpose, (uint64_t)i);
}

/* An image of the truths' prior, in instrument units. */
static um_status draw(struct work *w, int purpose, int64_t i, um_array *x)
{
	um_rng rng = stream(w, purpose, i);
	const um_status st = um_prior_draw(w->truths, &rng, x);
	for (int64_t k = 0; st == UM_OK && k < um_array_len(x); k++)
		((float *)x->data)[k] *= (float)w->env.scale;
	return st;
}

/* Data of the truth: y of the simulator, noise and operator as the forward model of the inference has them. */
static um_status measure(struct work *w, int64_t i)
{
	static const um_sink_ops nowhere = { .progress = NULL };
	um_status st = UM_OK;
	um_sink sink = { &nowhere, NULL };
	const bool other = w->simulator.plugin != NULL;
	um_rng rng = stream(w, DATA, i);
	UM_TRY(um_forward_simulate(&w->forward, &rng, &w->truth, &w->op, &w->y, &w->sigma, &sink));
	rng = stream(w, DATA, i);
	if (other)
		UM_TRY(um_forward_simulate(&w->simulator, &rng, &w->truth, &w->ignored[1], &w->y, &w->ignored[0], &sink));
	for (int64_t k = 0; k < w->forward.info.ny; k++) {
		const bool finite = isfinite(um_row_d(&w->y, 0)[k]);
		const um_plugin *plugin = other && !finite ? w->simulator.plugin : w->forward.plugin;
		if (!finite || !(um_row_d(&w->sigma, 0)[k] > 0))
			UM_TRY(um_fail(UM_ENUM, "forward/%s in simulate: number %lld of the measurement is not finite or its sigma is not "
				"positive", plugin->name, (long long)k));
	}
out:
	return st;
}

/* Samples of the posterior in c->samples; UM_EINTR where the process is to stop. */
static um_status infer(struct work *w, um_cell_out *c)
{
	um_status st = UM_OK;
	um_sink sink = um_cell_sink(c);
	um_sink_ops thin = *sink.ops; /* nothing is kept but samples and what an interruption needs */
	thin.trace = NULL;
	thin.file = NULL;
	thin.plot = NULL;
	thin.picture = NULL;
	thin.images = NULL;
	sink.ops = &thin;
	UM_TRY(um_file_mkdirs(c->folder));
	c->started = c->saved = um_clock();
	w->page->total = 0;
	um_task_worker(w->inference.plugin, "run");
	st = um_in_phase(w->inference.plugin, "run", w->inference.ops.run(w->inference.self, c->problem, &sink));
	um_task_worker(NULL, NULL);
	UM_TRY(st);
	if (c->samples.data == NULL || c->samples.dim[0] != w->stage->set.samples)
		UM_TRY(um_fail(um_task_stopping() ? UM_EINTR : UM_EPLUGIN, "inference/%s delivered %lld of %lld samples",
			w->inference.plugin->name, (long long)(c->samples.data != NULL ? c->samples.dim[0] : 0),
			(long long)w->stage->set.samples));
out:
	return st;
}

/* ---- ranks ----------------------------------------------------------------------------------- */

static double total(const float *x, int64_t n)
{
	double sum = 0;
	for (int64_t i = 0; i < n; i++)
		sum += x[i];
	return sum;
}

static double distance(const float *x, const float *from, int64_t n)
{
	double sum = 0;
	for (int64_t i = 0; i < n; i++)
		sum += ((double)x[i] - from[i]) * ((double)x[i] - from[i]);
	return sum;
}

static um_status loglike(struct work *w, const um_cell_out *c, const um_array *x, double *v)
{
	(void)c;
	return um_forward_loglike(&w->forward, &w->op, x, &w->y, &w->sigma, v, NULL);
}

/* Where an image cannot be it is less probable than all. */
static um_status logp(struct work *w, const um_cell_out *c, const um_array *x, double *v)
{
	um_status st = UM_OK;
	um_array u = { 0 };
	um_rng rng = stream(w, TIES, 0);
	UM_TRY(um_env_images(&w->env, 1, &u));
	for (int64_t i = 0; i < um_array_len(x); i++)
		((float *)u.data)[i] = (float)(((const float *)x->data)[i] / w->env.scale);
	UM_TRY(um_problem_preimage(c->problem, &u, &u));
	st = um_problem_logp(c->problem, &rng, &u, v, NULL);
	if (st == UM_ENUM) {
		*v = -INFINITY;
		st = UM_OK;
	}
out:
	um_array_free(&u);
	return st;
}

/* The rank of what a function makes of an image. */
static um_status rank_of(struct work *w, const um_cell_out *c, um_rng *rng,
	um_status (*number)(struct work *w, const um_cell_out *c, const um_array *x, double *v), int64_t *rank)
{
	um_status st = UM_OK;
	const int64_t samples = c->samples.dim[0];
	double truth;
	UM_TRY(number(w, c, &w->truth, &truth));
	for (int64_t s = 0; s < samples; s++) {
		const um_array one = um_array_rows(&c->samples, s, 1);
		UM_TRY(number(w, c, &one, w->value + s));
	}
	*rank = um_rank(rng, truth, samples, w->value);
out:
	return st;
}

static um_status find_ranks(struct work *w, const um_cell_out *c, int64_t i, int64_t *rank)
{
	um_status st = UM_OK;
	const int64_t samples = c->samples.dim[0], n = um_array_len(&w->truth), pixels = w->ranks.columns - UM_RANK_PIXELS;
	const float *truth = w->truth.data, *point = w->point.data;
	const int nprior = w->plan->prior[w->plan->task[w->task].prior].n;
	um_rng rng = stream(w, TIES, i);
	bool density = !um_problem_about(c->problem)->estimate;
	for (int k = 0; k < nprior; k++)
		density = density && w->priors[k].ops.logp != NULL;
	for (int64_t s = 0; s < samples; s++)
		w->value[s] = total(um_row_f(&c->samples, s), n);
	rank[UM_RANK_FLUX] = um_rank(&rng, total(truth, n), samples, w->value);
	for (int64_t s = 0; s < samples; s++)
		w->value[s] = distance(um_row_f(&c->samples, s), point, n);
	rank[UM_RANK_POINT] = um_rank(&rng, distance(truth, point, n), samples, w->value);
	for (int64_t k = 0; k < pixels; k++) {
		for (int64_t s = 0; s < samples; s++)
			w->value[s] = um_row_f(&c->samples, s)[k * n / pixels];
		rank[UM_RANK_PIXELS + k] = um_rank(&rng, truth[k * n / pixels], samples, w->value);
	}
	rank[UM_RANK_LOGP] = -1;
	UM_TRY(rank_of(w, c, &rng, loglike, &rank[UM_RANK_LOGLIKE]));
	if (density)
		UM_TRY(rank_of(w, c, &rng, logp, &rank[UM_RANK_LOGP]));
out:
	um_phase(NULL, NULL);
	return st;
}

static um_status replicate(struct work *w, int64_t i, int64_t *rank)
{
	um_status st = UM_OK;
	char *name = um_format("%s/%lld", w->name, (long long)i);
	um_cell_out c = { .plan = w->plan, .task = w->task, .page = w->page, .resume = w->resume,
		.folder = um_calibrate_replicate(w->folder, i) };
	UM_TRY(draw(w, TRUTH, i, &w->truth));
	UM_TRY(draw(w, POINT, i, &w->point));
	UM_TRY(measure(w, i));
	UM_TRY(um_problem_new(&w->forward, w->priors, w->plan->prior[w->plan->task[w->task].prior].n, &w->y, &w->sigma, &w->op,
		w->stage->set.samples, name, &c.problem));
	UM_TRY(infer(w, &c));
	UM_TRY(find_ranks(w, &c, i, rank));
out:
	if (st != UM_OK && st != UM_EINTR)
		st = um_context(st, "replicate %lld", (long long)i);
	um_problem_free(c.problem);
	um_cell_free(&c);
	free(name);
	return st;
}

/* What is done reaches the disk, and checkpoints of it go. */
static um_status keep(struct work *w, int64_t first, int64_t *kept)
{
	const um_status st = w->ranks.n > 0 ? um_ranks_write(w->folder, w->plan->task[w->task].part, &w->ranks) : UM_OK;
	if (st != UM_OK)
		return st;
	um_calibrate_clean(w->folder, *kept, first + w->ranks.n);
	*kept = first + w->ranks.n;
	return UM_OK;
}

static um_status work_on(struct work *w, int64_t first, int64_t end)
{
	um_status st = UM_OK, ended = UM_OK;
	double saved = um_clock();
	int64_t kept = first + w->ranks.n;
	while (ended == UM_OK && w->ranks.n < end - first) {
		const int64_t i = first + w->ranks.n;
		ended = um_task_stopping() ? um_fail(UM_EINTR, "stopped before replicate %lld; --resume goes on", (long long)i) :
			replicate(w, i, w->ranks.rank + w->ranks.n * w->ranks.columns);
		w->ranks.n += ended == UM_OK;
		if (ended == UM_OK && w->ranks.n < end - first && um_clock() - saved < SAVE_EVERY)
			continue;
		UM_TRY(keep(w, first, &kept));
		saved = um_clock();
	}
	st = ended;
out:
	return st;
}

um_status um_calibrate_part(const um_plan *p, int task, const char *dir, const um_env *env, um_page *page, bool resume)
{
	um_status st = UM_OK;
	struct work w = { .plan = p, .stage = &p->stage[p->task[task].stage], .task = task, .env = *env, .page = page,
		.resume = resume, .folder = um_calibrate_folder(p, task, dir) };
	int64_t first, end;
	w.name = um_strdup(w.folder + strlen(dir) + 1);
	um_calibrate_range(p, task, &first, &end);
	w.ranks.columns = um_ranks_columns(env);
	w.ranks.rank = um_ranks_new(end - first, w.ranks.columns);
	UM_TRY(um_ranks_read(w.folder, p->task[task].part, end - first, &w.ranks));
	UM_TRY(open_all(&w));
	UM_TRY(work_on(&w, first, end));
out:
	close_all(&w);
	return st;
}
