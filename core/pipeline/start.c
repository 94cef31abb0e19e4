/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Cells that start from the mean image of another one, as start = "KEY" of their stage says. */
#include "pipeline/plan.h"

int um_plan_start(const um_plan *p, const um_task *t)
{
	const um_stage *s = &p->stage[t->stage];
	const int from = s->kind == UM_INFER && *s->set.start != '\0' ? um_plan_inference(p, s->set.start) : -1;
	for (int i = 0; from >= 0 && i < p->ntask && p->task[i].stage < t->stage; i++) {
		const um_task *k = &p->task[i];
		if (um_plan_kind(p, k) == UM_INFER && k->forward == t->forward && k->prior == t->prior && k->inference == from)
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
	if (um_plan_inference(p, s->set.start) < 0)
		um_plan_no_such(at, "inference", s->set.start, um_node_get(p->root, "inference"), problems);
	else if (um_plan_start(p, t) < 0)
		um_problems_add(problems, UM_EPARAM, at, "%s cannot start from %s/%s+%s: no infer stage before it makes that cell", t->name,
			p->forward[t->forward].key, p->prior[t->prior].key, s->set.start);
	else if (count > 1)
		um_problems_add(problems, UM_EPARAM, at, "%s cannot start from one image: forward.%s has %lld measurements", t->name,
			p->forward[t->forward].key, (long long)count);
	else if (image == NULL)
		um_problems_add(problems, UM_EPARAM, at, "inference/%s cannot start from an image: it has no parameter image",
			item->plugin->name);
	else if (**(const char *const *)((const char *)um_params_data(item->params) + image->offset) != '\0')
		um_problems_add(problems, UM_EPARAM, at, "there are two images to start from: leave start or inference.%s.image out", item->key);
}
