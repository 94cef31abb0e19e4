/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What only plugins know: whether instances can be created, whether cells can work,
 * where measurements come from, whether truths fit the image. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <umbra/fits.h>
#include "base/mem.h"
#include "pipeline/measured.h"
#include "pipeline/plan.h"

static um_status open_factor(const um_plan *p, int index, int k, const um_env *env, um_prior *out)
{
	const um_item *item = &p->prior[index].factor[k];
	const um_plugin *plugin = item->plugin;
	const void *params = um_item_params(item);
	const int other = um_plan_prior(p, um_prior_key(plugin, params));
	um_prior *named = NULL;
	if (other < 0)
		return um_prior_open(plugin, params, env, out);
	um_status st = um_plan_open_prior(p, other, env, &named);
	if (st == UM_OK)
		st = um_prior_open_on(plugin, params, env, &named[0], out);
	free(named);
	return st;
}

um_status um_plan_open_prior(const um_plan *p, int index, const um_env *env, um_prior **out)
{
	um_status st = UM_OK;
	const um_prior_item *item = &p->prior[index];
	um_prior *factors = um_new(sizeof(*factors) * (size_t)item->n);
	for (int k = 0; k < item->n; k++)
		UM_TRY(open_factor(p, index, k, env, &factors[k]));
	*out = factors;
	return UM_OK;
out:
	um_plan_close_prior(factors, item->n);
	return st;
}

void um_plan_close_prior(um_prior *factors, int n)
{
	for (int k = 0; factors != NULL && k < n; k++)
		if (factors[k].plugin != NULL)
			um_prior_close(&factors[k]);
	free(factors);
}

/* Everything created, or zeroed where it could not be. */
struct opened {
	um_forward *forward;
	um_prior **prior;
	um_inference *inference;
};

static void open_all(um_plan *p, struct opened *o, um_problems *problems)
{
	for (int i = 0; i < p->nforward; i++) {
		const um_item *it = &p->forward[i];
		um_status st = um_plan_open_forward(p, i, &p->env, &o->forward[i]);
		if (st != UM_OK)
			um_problems_add(problems, st, it->node, "%s", um_message());
	}
	for (int i = 0; i < p->nprior; i++) {
		um_status st = um_plan_open_prior(p, i, &p->env, &o->prior[i]);
		if (st != UM_OK)
			um_problems_add(problems, st, p->prior[i].node, "%s", um_message());
	}
	for (int i = 0; i < p->ninference; i++) {
		const um_item *it = &p->inference[i];
		um_status st = um_inference_open(it->plugin, um_params_data(it->params), &p->env,
			&o->inference[i]);
		if (st != UM_OK)
			um_problems_add(problems, st, it->node, "%s", um_message());
	}
}

static void close_all(um_plan *p, struct opened *o)
{
	for (int i = 0; i < p->nforward; i++)
		if (o->forward[i].plugin != NULL)
			um_forward_close(&o->forward[i]);
	for (int i = 0; i < p->nprior; i++)
		um_plan_close_prior(o->prior[i], p->prior[i].n);
	for (int i = 0; i < p->ninference; i++)
		if (o->inference[i].plugin != NULL)
			um_inference_close(&o->inference[i]);
	free(o->forward);
	free(o->prior);
	free(o->inference);
}

/* What an inference was trained for, or will be by a stage of this file: *t; *known: with all of its prior. */
static um_status trained_for(um_plan *p, int inference, const struct opened *o, um_tensors *t, bool *known)
{
	um_status st = UM_OK;
	const char *model = um_item_model(&p->inference[inference]);
	const um_stage *s = um_plan_learning(p, inference);
	um_memory m = { 0 };
	um_sink sink = um_memory_sink(&m);
	*known = true;
	if (model == NULL)
		return UM_OK;
	if (s == NULL)
		return um_tensors_read(model, t);
	const int f = um_plan_forward(p, s->set.forward), i = s->set.priors.n == 1 ? um_plan_prior(p, s->set.priors.v[0]) : -1;
	if (f < 0 || i < 0 || o->forward[f].self == NULL || o->prior[i] == NULL)
		return UM_OK;
	*known = !um_plan_learned(p, i);
	UM_TRY(um_bond_note(&o->forward[f], o->prior[i], p->prior[i].n, *known, &sink));
	*t = m.tensors;
	m.tensors = (um_tensors){ 0 };
out:
	um_memory_free(&m);
	return st;
}

/* A trained inference serves the forward model and prior of its training. */
static void check_bond(um_plan *p, const um_task *t, const struct opened *o, um_problems *problems)
{
	um_tensors trained = { 0 };
	bool known;
	um_status st = trained_for(p, t->inference, o, &trained, &known);
	if (st == UM_OK && trained.nmeta > 0)
		st = um_bond_suits(&o->forward[t->forward], o->prior[t->prior], p->prior[t->prior].n,
			known && !um_plan_learned(p, t->prior), &trained);
	if (st != UM_OK && !p->stage[t->stage].set.skip_impossible)
		um_problems_add(problems, UM_EPARAM, p->stage[t->stage].node, "the cell %s cannot work: %s", t->name, um_message());
	um_tensors_free(&trained);
}

static void check_cell(um_plan *p, const um_task *t, const struct opened *o, um_problems *problems)
{
	const um_stage *s = &p->stage[t->stage];
	const um_forward *f = &o->forward[t->forward];
	const um_prior *prior = o->prior[t->prior];
	const um_inference *inf = &o->inference[t->inference];
	if (f->self == NULL || prior == NULL || inf->plugin == NULL)
		return; /* already complained about */
	const char *why = um_cell_refusal(inf, f, prior, p->prior[t->prior].n);
	if (why != NULL && !s->set.skip_impossible)
		um_problems_add(problems, UM_EPARAM, s->node, "the cell %s cannot work: %s (skip_impossible = "
			"true leaves such cells out)", t->name, why);
	if (why == NULL)
		check_bond(p, t, o, problems);
}

static void check_source(um_plan *p, const um_task *t, const struct opened *o, um_problems *problems)
{
	const um_stage *s = &p->stage[t->stage];
	const um_forward *f = &o->forward[t->forward];
	const um_stage *sim = um_plan_simulation(p, t->forward);
	if (f->self == NULL)
		return;
	if (sim != NULL && f->info.measurements > 0)
		um_problems_add(problems, UM_EPARAM, s->node, "forward.%s has measurements of its own and is "
			"simulated too: leave out the simulate stage or its file", p->forward[t->forward].key);
	if (sim == NULL && f->info.measurements == 0)
		um_problems_add(problems, UM_EPARAM, s->node, "there are no measurements for forward.%s: add a "
			"simulate stage before this one, or measurements = \"FILE\" to it", p->forward[t->forward].key);
	if (!f->info.shift_free && (strcmp(s->set.align, "centre") == 0 || strcmp(s->set.align, "samples") == 0))
		um_problems_add(problems, UM_EPARAM, um_node_get(s->node, "align"), "the data of forward.%s fix "
			"the position of the image: leave align out", p->forward[t->forward].key);
	if (sim != NULL && sim > s)
		um_problems_add(problems, UM_EPARAM, s->node, "the simulate stage of forward.%s comes after "
			"its use", p->forward[t->forward].key);
}

/* One image a measurement. */
static void check_truth_file(um_plan *p, const char *path, int64_t count, const um_node *at, um_problems *problems)
{
	um_image im = { 0 };
	um_status st = um_image_read(path, &im);
	if (st != UM_OK) {
		um_problems_add(problems, st, at, "%s", um_message());
		return;
	}
	const int r = im.data.rank;
	const int64_t n = p->env.shape[0] * p->env.shape[1] * p->env.shape[2] * p->env.shape[3] * p->env.shape[4];
	const int64_t has = um_array_len(&im.data);
	const bool fits = r >= 2 && im.data.dim[r - 1] == p->env.shape[4] && im.data.dim[r - 2] == p->env.shape[3];
	const int64_t images = im.measurements > 1 ? im.measurements : has / n;
	if (fits && (has % n == 0 || im.measurements > 1) && images != count && (count > 1 || im.measurements > 1))
		um_problems_add(problems, UM_EDATA, at, "%s: it holds %lld image%s for %lld measurement%s: one each is needed", path,
			(long long)images, images > 1 ? "s" : "", (long long)count, count > 1 ? "s" : "");
	else if (!fits || has != count * n)
		um_problems_add(problems, UM_EDATA, at, "%s: it has %lld numbers and is %lld pixels wide, the "
			"image %lld and %lld: make pixels agree", path, (long long)has,
			(long long)im.data.dim[r - 1], (long long)(count * n), (long long)p->env.shape[4]);
	um_image_free(&im);
}

static void check_simulates(const um_forward *f, const um_node *at, um_problems *problems)
{
	if (f->self != NULL && !um_forward_simulates(f))
		um_problems_add(problems, UM_EPARAM, at, "forward/%s cannot simulate measurements", f->plugin->name);
}

/* Why nothing can be drawn from a prior of the plan, or NULL; index -1 is none. */
static const char *no_draws(const um_plan *p, const struct opened *o, int index)
{
	if (index < 0 || o->prior[index] == NULL)
		return NULL;
	if (p->prior[index].n != 1)
		return "it is a product of priors";
	return o->prior[index][0].ops.sample == NULL ? "its plugin cannot sample" : NULL;
}

static void check_simulation(um_plan *p, const um_task *t, const struct opened *o, um_problems *problems)
{
	const um_stage *s = &p->stage[t->stage];
	const um_forward *f = &o->forward[t->forward];
	check_simulates(f, s->node, problems);
	if (s->set.truth_file != NULL)
		check_truth_file(p, s->set.truth_file, s->set.count, um_node_get(s->node, "truth"), problems);
	if (s->data.files.n > 0) {
		um_array x = { 0 };
		um_status st = um_truth_images(s, &p->env, &x);
		if (st != UM_OK)
			um_problems_add(problems, st, um_node_get(um_node_get(s->node, "truth"), "files"), "%s", um_message());
		um_array_free(&x);
	}
	int i = um_plan_prior(p, s->data.prior);
	if (no_draws(p, o, i) != NULL)
		um_problems_add(problems, UM_EPARAM, um_node_get(s->node, "truth"), "a truth cannot be drawn from '%s': %s",
			p->prior[i].key, no_draws(p, o, i));
}

/* An inference to be trained has measurements to learn from, and what they need. */
static void check_learner(um_plan *p, const um_task *t, const struct opened *o, um_problems *problems)
{
	const um_stage *s = &p->stage[t->stage];
	const um_forward *f = &o->forward[t->forward];
	const um_inference *inf = &o->inference[t->inference];
	const bool data = um_node_get(s->node, "data") != NULL;
	if (f->self == NULL || o->prior[t->prior] == NULL || inf->plugin == NULL)
		return;
	const char *why = um_cell_refusal(inf, f, o->prior[t->prior], p->prior[t->prior].n);
	if (why != NULL)
		um_problems_add(problems, UM_EPARAM, s->node, "inference.%s cannot be trained: %s", p->inference[t->inference].key, why);
	if (data)
		check_simulates(f, s->node, problems);
	else if (f->info.measurements == 0)
		um_problems_add(problems, UM_EPARAM, s->node, "forward.%s has no measurements to learn from: train needs data = { files = "
			"\"...\"; } or data = { prior = \"...\"; }", p->forward[t->forward].key);
}

static void check_import(um_plan *p, const um_task *t, const struct opened *o, um_problems *problems)
{
	const um_stage *s = &p->stage[t->stage];
	const um_forward *f = &o->forward[t->forward];
	um_array x = { 0 };
	if (f->self == NULL)
		return;
	if (um_plan_measurements(p, t->forward, f) > 1)
		um_problems_add(problems, UM_EPARAM, um_node_get(s->node, "forward"), "import takes images of one measurement, and "
			"forward.%s has %lld", p->forward[t->forward].key, (long long)um_plan_measurements(p, t->forward, f));
	um_status st = um_import_read(s, &p->env, f->info.unit, &x);
	if (st != UM_OK)
		um_problems_add(problems, st, um_node_get(s->node, "files"), "%s", um_message());
	um_array_free(&x);
}

static void check_training(um_plan *p, const um_task *t, const struct opened *o, um_problems *problems)
{
	const um_stage *s = &p->stage[t->stage];
	const um_node *data = um_node_get(s->node, "data");
	const int i = um_plan_prior(p, s->data.prior);
	const double wish = s->data.held_out;
	um_array x = { 0 };
	double step;
	if (no_draws(p, o, i) != NULL)
		um_problems_add(problems, UM_EPARAM, um_node_get(data, "prior"), "nothing can be drawn from '%s': %s",
			p->prior[i].key, no_draws(p, o, i));
	if (t->inference >= 0)
		check_learner(p, t, o, problems);
	if (i >= 0 || data == NULL)
		return;
	um_status st = um_data_images(s, &p->env, &x, &step);
	if (st != UM_OK)
		um_problems_add(problems, st, um_node_get(data, "files"), "%s", um_message());
	else if (floor(wish < 1 ? wish * (double)x.dim[0] + 0.5 : wish) >= (double)x.dim[0])
		um_problems_add(problems, UM_EPARAM, um_node_get(data, "held_out"), "there are %lld images, and all would be "
			"held out", (long long)x.dim[0]);
	um_array_free(&x);
}

/* Truths can be drawn, measured as the inference expects, and inferred with as many samples as asked for. */
static void check_calibration(um_plan *p, const um_task *t, const struct opened *o, um_problems *problems)
{
	const um_stage *s = &p->stage[t->stage];
	const int truths = um_plan_truths(p, s), simulator = um_plan_simulator(p, s);
	const um_forward *f = &o->forward[t->forward], *other = &o->forward[simulator];
	const um_inference *inf = &o->inference[t->inference];
	check_cell(p, t, o, problems);
	check_simulates(f, s->node, problems);
	if (other != f)
		check_simulates(other, s->node, problems);
	if (f->self != NULL && other->self != NULL && (f->info.ny != other->info.ny || f->info.nop != other->info.nop))
		um_problems_add(problems, UM_EPARAM, um_node_get(s->node, "simulate"), "forward.%s makes %lld numbers, where forward.%s "
			"has %lld: they must be of one kind", s->set.simulate, (long long)other->info.ny, s->set.forward, (long long)f->info.ny);
	if (no_draws(p, o, truths) != NULL)
		um_problems_add(problems, UM_EPARAM, s->node, "truths cannot be drawn from '%s': %s; truths = \"...\" names another prior",
			p->prior[truths].key, no_draws(p, o, truths));
	if (inf->plugin != NULL && inf->info.fewer)
		um_problems_add(problems, UM_EPARAM, s->node, "inference/%s makes a point estimate, which has no intervals to calibrate",
			inf->plugin->name);
}

void um_plan_check(um_plan *p, um_problems *problems)
{
	struct opened o = {
		um_new(sizeof(*o.forward) * (size_t)(p->nforward + 1)),
		um_new(sizeof(*o.prior) * (size_t)(p->nprior + 1)),
		um_new(sizeof(*o.inference) * (size_t)(p->ninference + 1)),
	};
	open_all(p, &o, problems);
	for (int i = 0; i < p->nforward; i++)
		if (p->forward_set[i].truth != NULL && *p->forward_set[i].truth)
			check_truth_file(p, p->forward_set[i].truth, o.forward[i].info.measurements > 1 ? o.forward[i].info.measurements : 1,
				um_node_get(p->forward[i].node, "truth"), problems);
	int last_stage = -1;
	for (int i = 0; i < p->ntask; i++) {
		const um_task *t = &p->task[i];
		const um_stage_kind kind = um_plan_kind(p, t);
		if (kind == UM_INFER) {
			check_cell(p, t, &o, problems);
			um_start_check(p, t, o.forward, problems);
			if (t->stage != last_stage)
				check_source(p, t, &o, problems);
			last_stage = t->stage;
		} else if (kind == UM_IMPORT) {
			check_source(p, t, &o, problems);
			check_import(p, t, &o, problems);
		} else if (kind == UM_SIMULATE) {
			check_simulation(p, t, &o, problems);
		} else if (kind == UM_TRAIN) {
			check_training(p, t, &o, problems);
		} else if (kind == UM_CALIBRATE && t->part == 0) {
			check_calibration(p, t, &o, problems);
		}
	}
	close_all(p, &o);
}
