/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Cells that start from the mean image of another one, as start of their stage says. */
#include <stdlib.h>
#include <string.h>
#include "base/mem.h"
#include "pipeline/plan.h"

/* Those it names: "INFERENCE" of the same prior, or "PRIOR+INFERENCE", as cells are called. -1 where there is none. */
static int prior_of(const um_plan *p, const um_task *t, const char *start)
{
	const char *plus = strrchr(start, '+');
	if (plus == NULL)
		return t->prior;
	char *key = um_format("%.*s", (int)(plus - start), start);
	const int prior = um_plan_prior(p, key);
	free(key);
	return prior;
}

static const char *inference_of(const char *start)
{
	const char *plus = strrchr(start, '+');
	return plus != NULL ? plus + 1 : start;
}

int um_plan_start(const um_plan *p, const um_task *t)
{
	const um_stage *s = &p->stage[t->stage];
	if (s->kind != UM_INFER || *s->set.start == '\0')
		return -1;
	const int prior = prior_of(p, t, s->set.start), from = um_plan_inference(p, inference_of(s->set.start));
	for (int i = 0; prior >= 0 && from >= 0 && i < p->ntask && p->task[i].stage < t->stage; i++) {
		const um_task *k = &p->task[i];
		if (um_plan_kind(p, k) == UM_INFER && k->forward == t->forward && k->prior == prior && k->inference == from)
			return i;
	}
	return -1;
}

void um_start_check(const um_plan *p, const um_task *t, int64_t count, um_problems *problems)
{
	const um_stage *s = &p->stage[t->stage];
	const um_node *at = um_node_get(s->node, "start");
	const um_item *item = &p->inference[t->inference];
	if (*s->set.start == '\0' || item->plugin == NULL || item->params == NULL)
		return;
	const um_param *image = um_plugin_image(item->plugin);
	const char *inference = inference_of(s->set.start);
	const int prior = prior_of(p, t, s->set.start);
	if (um_plan_inference(p, inference) < 0)
		um_plan_no_such(at, "inference", inference, um_node_get(p->root, "inference"), problems);
	else if (prior < 0)
		um_problems_add(problems, UM_EPARAM, at, "there is no '%.*s' in the group priors: start is INFERENCE or PRIOR+INFERENCE",
			(int)(inference - 1 - s->set.start), s->set.start);
	else if (um_plan_start(p, t) < 0)
		um_problems_add(problems, UM_EPARAM, at, "%s cannot start from %s/%s+%s: no infer stage before it makes that cell", t->name,
			p->forward[t->forward].key, p->prior[prior].key, inference);
	else if (count > 1)
		um_problems_add(problems, UM_EPARAM, at, "%s cannot start from one image: forward.%s has %lld measurements", t->name,
			p->forward[t->forward].key, (long long)count);
	else if (image == NULL)
		um_problems_add(problems, UM_EPARAM, at, "inference/%s cannot start from an image: it has no parameter image",
			item->plugin->name);
	else if (**(const char *const *)((const char *)um_params_data(item->params) + image->offset) != '\0')
		um_problems_add(problems, UM_EPARAM, at, "there are two images to start from: leave start or inference.%s.image out", item->key);
}
