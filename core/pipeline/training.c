/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What train stages mean for a plan: which priors and inferences can be trained, what waits for them, and where
 * what they learned lies. */
#include <stdlib.h>
#include "base/mem.h"
#include "pipeline/plan.h"

const um_stage *um_plan_training(const um_plan *p, int prior)
{
	for (int i = 0; prior >= 0 && i < p->nstage; i++)
		if (p->stage[i].kind == UM_TRAIN && um_plan_prior(p, p->stage[i].set.prior) == prior)
			return &p->stage[i];
	return NULL;
}

const um_stage *um_plan_learning(const um_plan *p, int inference)
{
	for (int i = 0; inference >= 0 && i < p->nstage; i++)
		if (p->stage[i].kind == UM_TRAIN && um_plan_inference(p, p->stage[i].set.learner) == inference)
			return &p->stage[i];
	return NULL;
}

static void check_prior(const um_plan *p, const um_stage *s, um_problems *problems)
{
	const int i = um_plan_prior(p, s->set.prior);
	const um_node *at = um_node_get(s->node, "prior");
	const um_plugin *plugin = i >= 0 ? p->prior[i].factor[0].plugin : NULL;
	if (i < 0)
		um_problems_add(problems, UM_EPARAM, at, "there is no '%s' in the group priors", s->set.prior);
	else if (p->prior[i].n != 1)
		um_problems_add(problems, UM_EPARAM, at, "'%s' is a product of priors; train one "
			"of them under a key of its own", s->set.prior);
	else if (plugin != NULL && um_plugin_model(plugin) == NULL)
		um_problems_add(problems, UM_EPARAM, s->node, "priors/%s cannot be trained: it "
			"has no fit function with a parameter model", plugin->name);
	else if (plugin != NULL && p->prior[i].factor[0].params != NULL &&
		um_prior_key(plugin, um_params_data(p->prior[i].factor[0].params)) != NULL)
		um_problems_add(problems, UM_EPARAM, s->node, "'%s' names another prior, from which it has all that it "
			"needs: there is nothing to train", s->set.prior);
	else if (um_node_get(s->node, "data") == NULL)
		um_problems_add(problems, UM_EPARAM, s->node, "train needs data = { files = "
			"\"...\"; } or data = { prior = \"...\"; }");
	if (*s->set.forward != '\0' || s->set.priors.n > 0)
		um_problems_add(problems, UM_EPARAM, s->node, "forward and priors are for the training of an inference: inference = a "
			"key of that group");
}

/* Data may be left out where the forward model has measurements of its own, which only its instance knows. */
static void check_learner(const um_plan *p, const um_stage *s, um_problems *problems)
{
	const int i = um_plan_inference(p, s->set.learner);
	const um_plugin *plugin = i >= 0 ? p->inference[i].plugin : NULL;
	const um_node *at = um_node_get(s->node, "inference");
	if (*s->set.prior != '\0')
		um_problems_add(problems, UM_EPARAM, s->node, "train needs prior or inference, not both");
	else if (i < 0)
		um_problems_add(problems, UM_EPARAM, at, "there is no '%s' in the group inference", s->set.learner);
	else if (plugin != NULL && um_plugin_model(plugin) == NULL)
		um_problems_add(problems, UM_EPARAM, s->node, "inference/%s cannot be trained: it has no fit function with a "
			"parameter model", plugin->name);
	else if (um_plan_forward(p, s->set.forward) < 0)
		um_problems_add(problems, UM_EPARAM, s->node, "train needs forward = a key of the group forward, whose measurements "
			"inference.%s is for", s->set.learner);
	else if (s->set.priors.n != 1)
		um_problems_add(problems, UM_EPARAM, s->node, "train needs priors = [ one key of the group priors ], for which "
			"inference.%s is", s->set.learner);
	else if (um_plan_prior(p, s->set.priors.v[0]) < 0)
		um_problems_add(problems, UM_EPARAM, um_node_get(s->node, "priors"), "there is no '%s' in the group priors",
			s->set.priors.v[0]);
}

bool um_training_check(const um_plan *p, const um_stage *s, um_problems *problems)
{
	const int before = problems->n;
	const bool data = um_node_get(s->node, "data") != NULL;
	if (s->params == NULL)
		return false;
	if (*s->set.learner != '\0')
		check_learner(p, s, problems);
	else if (*s->set.prior != '\0')
		check_prior(p, s, problems);
	else
		um_problems_add(problems, UM_EPARAM, s->node, "train needs prior = a key of the group priors, or inference = a key "
			"of the group inference");
	if (problems->n != before || (data && s->data_params == NULL))
		return false;
	const int i = um_plan_prior(p, s->set.prior), k = um_plan_inference(p, s->set.learner);
	return i >= 0 ? p->prior[i].factor[0].plugin != NULL : p->inference[k].plugin != NULL;
}

/* The priors that a task draws from or multiplies, apart from what a train stage fits; -1: none. */
static void used_priors(const um_plan *p, const um_task *t, int used[2])
{
	const um_stage_kind kind = um_plan_kind(p, t);
	used[0] = t->inference >= 0 ? t->prior : -1;
	used[1] = kind == UM_INFER ? -1 : kind == UM_CALIBRATE ? um_plan_truths(p, &p->stage[t->stage]) :
		um_plan_prior(p, p->stage[t->stage].data.prior);
}

/* steps: of priors that, by mistake, name each other. */
static bool rests_on(const um_plan *p, int i, int what, int steps)
{
	if (i < 0 || i == what)
		return i == what;
	for (int k = 0; k < p->prior[i].n && steps < p->nprior; k++)
		if (rests_on(p, um_plan_named(p, i, k), what, steps + 1))
			return true;
	return false;
}

bool um_plan_rests_on(const um_plan *p, int prior, int what)
{
	return rests_on(p, prior, what, 0);
}

bool um_plan_learned(const um_plan *p, int prior)
{
	for (int i = 0; i < p->nprior; i++)
		if (um_plan_training(p, i) != NULL && um_plan_rests_on(p, prior, i))
			return true;
	return false;
}

/* Whether a task draws samples with the inference that it has. */
static bool infers(const um_plan *p, const um_task *t)
{
	return um_plan_kind(p, t) == UM_INFER || um_plan_kind(p, t) == UM_CALIBRATE;
}

bool um_plan_needs(const um_plan *p, const um_task *t, const um_task *k)
{
	const um_stage_kind kind = um_plan_kind(p, k);
	int used[2];
	if (kind == UM_SIMULATE)
		return um_plan_is_cell(p, t) && um_plan_simulation(p, t->forward) == &p->stage[k->stage];
	if (kind == UM_CALIBRATE)
		return t->stage == k->stage && t->part == 0 && k->part > 0;
	if (kind == UM_INFER)
		return um_plan_kind(p, t) == UM_INFER && um_plan_start(p, t) == k - p->task;
	if (kind != UM_TRAIN)
		return false;
	if (k->inference >= 0)
		return infers(p, t) && t->inference == k->inference;
	used_priors(p, t, used);
	return k->prior >= 0 && (um_plan_rests_on(p, used[0], k->prior) || um_plan_rests_on(p, used[1], k->prior));
}

/* ---- order ------------------------------------------------------------------------------ */

/* Whether a plugin is ready as it is: it cannot be trained, or names a weight file or another prior. */
static bool has_model(const um_item *f)
{
	const char *path = um_item_model(f);
	return path == NULL || *path != '\0' || um_prior_key(f->plugin, um_params_data(f->params)) != NULL;
}

static void untrained(const um_plan *p, int t, const um_item *f, um_problems *problems)
{
	if (f->plugin != NULL && f->params != NULL && !has_model(f))
		um_problems_add(problems, UM_EPARAM, f->node, "%s/%s has not been trained: give model = a weight file, or put a "
			"train stage before %s", um_kind_names[f->plugin->kind], f->plugin->name, p->task[t].name);
}

static void check_use(const um_plan *p, int t, int i, um_problems *problems)
{
	const um_node *at = p->stage[p->task[t].stage].node;
	if (i < 0)
		return;
	for (int k = 0; k < p->ntask; k++)
		if (um_plan_kind(p, &p->task[k]) == UM_TRAIN && p->task[k].inference < 0 && p->task[k].prior == i && k >= t)
			um_problems_add(problems, UM_EPARAM, at, "the train stage of priors.%s "
				"comes after its use, in %s", p->prior[i].key, p->task[t].name);
	for (int k = 0; um_plan_training(p, i) == NULL && k < p->prior[i].n; k++)
		untrained(p, t, &p->prior[i].factor[k], problems);
}

/* Of a prior and those that it names, which may, by mistake, name each other. */
static void check_all_use(const um_plan *p, int t, int i, int steps, um_problems *problems)
{
	if (i < 0 || steps > p->nprior)
		return;
	check_use(p, t, i, problems);
	for (int k = 0; k < p->prior[i].n; k++)
		check_all_use(p, t, um_plan_named(p, i, k), steps + 1, problems);
}

/* Of the inference of a cell. */
static void check_inference(const um_plan *p, int t, um_problems *problems)
{
	const int i = p->task[t].inference;
	for (int k = t; k < p->ntask; k++)
		if (um_plan_kind(p, &p->task[k]) == UM_TRAIN && p->task[k].inference == i)
			um_problems_add(problems, UM_EPARAM, p->stage[p->task[t].stage].node, "the train stage of inference.%s comes after "
				"its use, in %s", p->inference[i].key, p->task[t].name);
	if (um_plan_learning(p, i) == NULL)
		untrained(p, t, &p->inference[i], problems);
}

void um_training_order(const um_plan *p, um_problems *problems)
{
	for (int i = 0; i < p->nstage; i++)
		if (p->stage[i].kind == UM_TRAIN && p->stage[i].params == NULL)
			return; /* what that stage would train is not known */
	bool *seen = um_new(sizeof(*seen) * (size_t)(p->nprior + p->ninference + 1)), *begun = seen + p->nprior;
	for (int t = 0; t < p->ntask; t++) {
		const um_task *task = &p->task[t];
		int used[2];
		used_priors(p, task, used);
		for (int k = 0; k < 2; k++) {
			/* um_data_read complains where a prior learns from itself */
			const bool itself = task->inference < 0 && task->prior == used[k];
			if (used[k] >= 0 && !seen[used[k]] && !itself)
				check_all_use(p, t, used[k], 0, problems);
			if (used[k] >= 0)
				seen[used[k]] = true;
		}
		if (!infers(p, task) || begun[task->inference])
			continue;
		check_inference(p, t, problems);
		begun[task->inference] = true;
	}
	free(seen);
}

static void set_dir(um_item *item, const char *dir)
{
	if (item->plugin == NULL || um_plugin_model(item->plugin) == NULL || item->params == NULL)
		return;
	item->weights = um_format("%s/train/%s/%s.safetensors", dir, item->key, item->key);
	item->trained = um_plugin_with_file(item->plugin, um_params_data(item->params), um_plugin_model(item->plugin), item->weights);
}

void um_plan_set_dir(um_plan *p, const char *dir)
{
	for (int i = 0; i < p->nprior; i++)
		if (um_plan_training(p, i) != NULL)
			set_dir(&p->prior[i].factor[0], dir);
	for (int i = 0; i < p->ninference; i++)
		if (um_plan_learning(p, i) != NULL)
			set_dir(&p->inference[i], dir);
}
