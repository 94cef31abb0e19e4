/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What train stages mean for a plan: which priors can be trained, what waits for them, and where
 * what they learned lies. */
#include <stdlib.h>
#include <string.h>
#include "base/mem.h"
#include "pipeline/plan.h"

const um_stage *um_plan_training(const um_plan *p, int prior)
{
	for (int i = 0; prior >= 0 && i < p->nstage; i++)
		if (p->stage[i].kind == UM_TRAIN && um_plan_prior(p, p->stage[i].set.prior) == prior)
			return &p->stage[i];
	return NULL;
}

bool um_training_check(const um_plan *p, const um_stage *s, um_problems *problems)
{
	const int i = um_plan_prior(p, s->set.prior);
	const um_node *inference = um_node_get(s->node, "inference"), *at = um_node_get(s->node, "prior");
	const um_plugin *plugin = i >= 0 ? p->prior[i].factor[0].plugin : NULL;
	if (inference != NULL)
		um_problems_add(problems, UM_EPARAM, inference, "no inference plugin of this "
			"umbra can be trained");
	else if (i < 0 && s->set.prior != NULL && *s->set.prior)
		um_problems_add(problems, UM_EPARAM, at, "there is no '%s' in the group priors",
			s->set.prior);
	else if (i < 0 && s->params != NULL)
		um_problems_add(problems, UM_EPARAM, s->node, "train needs prior = a key of the "
			"group priors");
	else if (i >= 0 && p->prior[i].n != 1)
		um_problems_add(problems, UM_EPARAM, at, "'%s' is a product of priors; train one "
			"of them under a key of its own", s->set.prior);
	else if (plugin != NULL && um_prior_model(plugin) == NULL)
		um_problems_add(problems, UM_EPARAM, s->node, "priors/%s cannot be trained: it "
			"has no fit function with a parameter model", plugin->name);
	else if (plugin != NULL && p->prior[i].factor[0].params != NULL &&
		um_prior_key(plugin, um_params_data(p->prior[i].factor[0].params)) != NULL)
		um_problems_add(problems, UM_EPARAM, s->node, "'%s' names another prior, from which it has all that it "
			"needs: there is nothing to train", s->set.prior);
	else if (um_node_get(s->node, "data") == NULL)
		um_problems_add(problems, UM_EPARAM, s->node, "train needs data = { files = "
			"\"...\"; } or data = { prior = \"...\"; }");
	else
		return plugin != NULL && s->params != NULL && s->data_params != NULL;
	return false;
}

/* The priors that a task draws from or multiplies, apart from what a train stage fits. */
static int used_prior(const um_plan *p, const um_task *t)
{
	const um_stage *s = &p->stage[t->stage];
	if (t->inference >= 0)
		return t->prior;
	return um_plan_prior(p, s->data.prior);
}

/* Whether prior i is, or names, or is made of one that names, the prior "what". */
static bool rests_on(const um_plan *p, int i, int what)
{
	if (i < 0 || i == what)
		return i == what;
	for (int k = 0; k < p->prior[i].n; k++)
		if (rests_on(p, um_plan_named(p, i, k), what))
			return true;
	return false;
}

bool um_plan_needs(const um_plan *p, const um_task *t, const um_task *k)
{
	if (k->inference >= 0)
		return false;
	if (k->forward >= 0)
		return t->inference >= 0 && t->forward == k->forward;
	return k->prior >= 0 && rests_on(p, used_prior(p, t), k->prior);
}

/* Whether a prior is ready as it is: it cannot be trained, or names a weight file or another prior. */
static bool has_model(const um_item *f)
{
	const um_param *q = um_prior_model(f->plugin);
	const char *path = "";
	if (q == NULL)
		return true;
	memcpy(&path, (const char *)um_params_data(f->params) + q->offset, sizeof(path));
	return *path != '\0' || um_prior_key(f->plugin, um_params_data(f->params)) != NULL;
}

static void check_use(const um_plan *p, int t, int i, um_problems *problems)
{
	const um_node *at = p->stage[p->task[t].stage].node;
	if (i < 0)
		return;
	for (int k = 0; k < p->ntask; k++)
		if (p->task[k].inference < 0 && p->task[k].forward < 0 && p->task[k].prior == i && k >= t)
			um_problems_add(problems, UM_EPARAM, at, "the train stage of priors.%s "
				"comes after its use, in %s", p->prior[i].key, p->task[t].name);
	for (int k = 0; um_plan_training(p, i) == NULL && k < p->prior[i].n; k++) {
		const um_item *f = &p->prior[i].factor[k];
		if (f->plugin != NULL && f->params != NULL && !has_model(f))
			um_problems_add(problems, UM_EPARAM, f->node, "priors/%s has not been "
				"trained: give model = a weight file, or put a train stage "
				"before %s", f->plugin->name, p->task[t].name);
	}
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

void um_training_order(const um_plan *p, um_problems *problems)
{
	bool *seen = um_new(sizeof(*seen) * (size_t)(p->nprior + 1));
	for (int i = 0; i < p->nstage; i++)
		if (p->stage[i].kind == UM_TRAIN && p->stage[i].params == NULL) {
			free(seen); /* what that stage would train is not known */
			return;
		}
	for (int t = 0; t < p->ntask; t++) {
		const int i = used_prior(p, &p->task[t]);
		/* um_data_read complains where a prior learns from itself */
		const bool itself = p->task[t].inference < 0 && p->task[t].prior == i;
		if (i >= 0 && !seen[i] && !itself)
			check_all_use(p, t, i, 0, problems);
		if (i >= 0)
			seen[i] = true;
	}
	free(seen);
}

void um_plan_set_dir(um_plan *p, const char *dir)
{
	for (int i = 0; i < p->nprior; i++) {
		um_prior_item *item = &p->prior[i];
		const um_plugin *plugin = item->factor[0].plugin;
		if (plugin == NULL || um_prior_model(plugin) == NULL || um_plan_training(p, i) == NULL ||
			item->factor[0].params == NULL)
			continue;
		item->weights = um_format("%s/train/%s/%s.safetensors", dir, item->key, item->key);
		item->trained = um_prior_with_model(plugin,
			um_params_data(item->factor[0].params), item->weights);
	}
}
