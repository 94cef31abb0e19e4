/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A cell: a forward model, a prior and an inference, and the measurements, which are inferred in turn. */
#include <stdlib.h>
#include <string.h>
#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "pipeline/checkpoint.h"
#include "pipeline/task.h"

struct cell {
	const um_plan *plan;
	const um_task *t;
	const um_stage *s;
	const um_env *env;
	um_measured m;
	um_prior *priors;
	int npriors;
	um_inference inference;
	char *start;   /* the image that it starts from, and its parameters with it; NULL: the file's own */
	void *started;
	um_cell_out out;
	um_sink sink;
	bool stopped;
};

static um_status open_parts(struct cell *k, const char *dir)
{
	um_status st = UM_OK;
	const um_item *item = &k->plan->inference[k->t->inference];
	const int from = um_plan_start(k->plan, k->t);
	if (from >= 0) {
		k->out.start = k->start = um_format("%s/%s/mean.fits", dir, k->plan->task[from].name);
		k->started = um_plugin_with_file(item->plugin, um_item_params(item), um_plugin_image(item->plugin), k->start);
	}
	UM_TRY(um_measured_open(k->plan, k->t->forward, k->env, &k->m));
	UM_TRY(um_plan_open_prior(k->plan, k->t->prior, k->env, &k->priors));
	UM_TRY(um_inference_open(item->plugin, from >= 0 ? k->started : um_item_params(item), k->env, &k->inference));
out:
	return st;
}

/* Whether the parts of the cell go together. */
static um_status together(struct cell *k, bool *impossible)
{
	um_status st = UM_OK;
	um_tensors trained = { 0 };
	const char *model = um_item_model(&k->plan->inference[k->t->inference]);
	const char *why = um_cell_refusal(&k->inference, &k->m.forward, k->priors, k->npriors);
	if (why != NULL)
		st = um_fail(UM_EPARAM, "%s", why);
	else if (model != NULL) {
		UM_TRY(um_tensors_read(model, &trained));
		st = um_bond_suits(&k->m.forward, k->priors, k->npriors, true, &trained);
	}
	*impossible = st != UM_OK;
out:
	um_tensors_free(&trained);
	return st;
}

/* The problem of measurement i; random streams of the first have the name of the cell. */
static um_status turn(struct cell *k, int64_t i)
{
	um_status st = UM_OK;
	const um_array y = um_measured_row(&k->m.y, i), sigma = um_measured_row(&k->m.sigma, i), op = um_measured_row(&k->m.op, i);
	char *name = i == 0 ? um_strdup(k->t->name) : um_format("%s/%lld", k->t->name, (long long)i);
	if (k->out.problem == NULL)
		UM_TRY(um_problem_new(&k->m.forward, k->priors, k->npriors, &y, &sigma, &op, k->s->set.samples, name, &k->out.problem));
	else
		um_problem_turn(k->out.problem, &y, &sigma, &op, name);
	um_cell_turn(&k->out, i);
out:
	free(name);
	return st;
}

/* Samples of measurement i. Of one that is stopped they count where it is the first. */
static um_status infer_one(struct cell *k, int64_t i)
{
	um_status st = UM_OK;
	um_cell_out *c = &k->out;
	UM_TRY(turn(k, i));
	if (k->m.count > 1)
		um_log(UM_INFO, "measurement %lld of %lld", (long long)i + 1, (long long)k->m.count);
	c->started = um_clock();
	um_task_worker(k->inference.plugin, "run");
	um_task_hear(c);
	const um_status run = um_in_phase(k->inference.plugin, "run", k->inference.ops.run(k->inference.self, c->problem, &k->sink));
	um_task_hear(NULL);
	um_task_worker(NULL, NULL);
	if (run != UM_OK && run != UM_EINTR)
		UM_TRY(run);
	const int64_t got = c->samples.data != NULL ? c->samples.dim[0] : 0;
	k->stopped = run == UM_EINTR || (um_task_stopping() && got < k->s->set.samples);
	if (k->stopped)
		UM_TRY(um_cell_keep(c));
	else if (got < 1 || (got < k->s->set.samples && !k->inference.info.fewer))
		UM_TRY(um_fail(UM_EPLUGIN, "inference/%s delivered %lld of %lld samples", k->inference.plugin->name, (long long)got,
			(long long)k->s->set.samples));
	if (k->stopped && (got == 0 || i > 0))
		um_results_drop(&c->results);
	else
		UM_TRY(um_cell_judge(c, &k->m, um_problem_op(c->problem)));
out:
	return st;
}

static um_status infer_all(struct cell *k)
{
	um_status st = UM_OK;
	um_cell_out *c = &k->out;
	const int64_t first = c->results.n;
	c->saved = c->written = um_clock();
	for (int64_t i = first; i < k->m.count && !k->stopped; i++) {
		k->stopped = i > first && um_task_stopping();
		if (k->stopped || (i > first && um_clock() - c->written >= c->every))
			UM_TRY(um_cell_keep(c));
		if (!k->stopped)
			UM_TRY(infer_one(k, i));
	}
out:
	return st;
}

um_status um_infer(const um_plan *p, int task, const char *dir, const um_env *env, um_page *page, bool resume, bool *impossible)
{
	um_status st = UM_OK;
	const um_task *t = &p->task[task];
	struct cell k = { .plan = p, .t = t, .s = &p->stage[t->stage], .env = env, .npriors = p->prior[t->prior].n,
		.out = { .plan = p, .task = task, .page = page, .resume = resume, .folder = um_format("%s/%s", dir, t->name) } };
	um_cell_out *c = &k.out;
	k.sink = um_cell_sink(c);
	UM_TRY(open_parts(&k, dir));
	UM_TRY(together(&k, impossible));
	UM_TRY(um_file_mkdirs(c->folder));
	UM_TRY(um_measured_read(p, t->forward, dir, &k.m));
	c->results.of = k.m.count;
	UM_TRY(um_cell_resume(c));
	UM_TRY(infer_all(&k));
	UM_TRY(um_cell_deliver(c, &k.m));
	if (k.stopped)
		UM_TRY(um_fail(UM_EINTR, "stopped on request; --resume goes on"));
	if (c->results.nwarning > 0)
		snprintf(page->message, sizeof(page->message), "%s", c->results.warning[0]);
	um_checkpoint_remove(c->folder);
out:
	um_problem_free(c->problem);
	um_cell_free(c);
	um_plan_close_prior(k.priors, k.npriors);
	if (k.inference.plugin != NULL)
		um_inference_close(&k.inference);
	free(k.start);
	free(k.started);
	um_measured_free(&k.m);
	return st;
}

um_status um_import(const um_plan *p, int task, const char *dir, const um_env *env, um_page *page)
{
	um_status st = UM_OK;
	const um_task *t = &p->task[task];
	um_measured m = { .count = 0 };
	um_cell_out c = { .plan = p, .task = task, .page = page, .folder = um_format("%s/%s", dir, t->name) };
	UM_TRY(um_file_mkdirs(c.folder));
	UM_TRY(um_measured_open(p, t->forward, env, &m));
	UM_TRY(um_measured_read(p, t->forward, dir, &m));
	UM_TRY(um_import_read(&p->stage[t->stage], env, m.forward.info.unit, &c.samples));
	UM_TRY(um_cell_judge(&c, &m, NULL));
	UM_TRY(um_cell_deliver(&c, &m));
out:
	um_cell_free(&c);
	um_measured_free(&m);
	return st;
}
