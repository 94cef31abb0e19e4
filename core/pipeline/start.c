/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Cells that start from the mean image of another one, as start of their stage says. */
#include <stdlib.h>
#include <string.h>
#include "base/mem.h"
#include "pipeline/measured.h"
#include "pipeline/plan.h"

/* What start names, indices into the plan, -1 where there is none: "INFERENCE", "PRIOR+INFERENCE" or "FORWARD/PRIOR+INFERENCE",
 * as cells are called; what is left out is that of the cell itself. */
typedef struct source {
	char *forward, *prior, *inference; /* keys */
	int f, p, i;
} source;

static char *before(const char *from, const char *end, const char *otherwise)
{
	return end != NULL ? um_format("%.*s", (int)(end - from), from) : um_strdup(otherwise);
}

static source read_start(const um_plan *p, const um_task *t)
{
	const char *start = p->stage[t->stage].set.start, *slash = strchr(start, '/'), *rest = slash != NULL ? slash + 1 : start;
	const char *plus = strchr(rest, '+');
	source s = {
		.forward = before(start, slash, p->forward[t->forward].key),
		.prior = before(rest, plus, p->prior[t->prior].key),
		.inference = um_strdup(plus != NULL ? plus + 1 : rest),
	};
	s.f = slash != NULL ? um_plan_forward(p, s.forward) : t->forward;
	s.p = plus != NULL ? um_plan_prior(p, s.prior) : t->prior;
	s.i = um_plan_inference(p, s.inference);
	return s;
}

static void free_source(source *s)
{
	free(s->forward);
	free(s->prior);
	free(s->inference);
}

/* The cell that start is the name of, or its end, or -1: so cells of a sweep are named. */
static int by_name(const um_plan *p, const um_task *t)
{
	const char *start = p->stage[t->stage].set.start, *f = p->forward[t->forward].key, *prior = p->prior[t->prior].key;
	char *name[] = { um_strdup(start), um_format("%s/%s", f, start), um_format("%s/%s+%s", f, prior, start) };
	int found = -1;
	for (int i = 0; i < 3; i++) {
		const int k = um_plan_task(p, name[i]);
		if (found < 0 && k >= 0 && p->task[k].stage < t->stage && um_plan_kind(p, &p->task[k]) == UM_INFER)
			found = k;
		free(name[i]);
	}
	return found;
}

int um_plan_start(const um_plan *p, const um_task *t)
{
	const um_stage *stage = &p->stage[t->stage];
	if (stage->kind != UM_INFER || *stage->set.start == '\0')
		return -1;
	int found = by_name(p, t);
	if (found >= 0)
		return found;
	source s = read_start(p, t);
	for (int i = 0; i < p->ntask && p->task[i].stage < t->stage && found < 0; i++) {
		const um_task *k = &p->task[i];
		if (um_plan_kind(p, k) == UM_INFER && k->forward == s.f && k->prior == s.p && k->inference == s.i)
			found = i;
	}
	free_source(&s);
	return found;
}

/* The forward model of two that has several measurements, or -1. */
static int several(const um_plan *p, const um_forward *forward, int one, int other)
{
	return um_plan_measurements(p, one, &forward[one]) > 1 ? one : um_plan_measurements(p, other, &forward[other]) > 1 ? other : -1;
}

void um_start_check(const um_plan *p, const um_task *t, const um_forward *forward, um_problems *problems)
{
	const um_stage *stage = &p->stage[t->stage];
	const um_node *at = um_node_get(stage->node, "start");
	const um_item *item = &p->inference[t->inference];
	if (*stage->set.start == '\0' || item->plugin == NULL || item->params == NULL)
		return;
	const um_param *image = um_plugin_image(item->plugin);
	source s = read_start(p, t);
	const int from = um_plan_start(p, t), f = from >= 0 ? p->task[from].forward : s.f;
	const int many = f >= 0 ? several(p, forward, t->forward, f) : -1;
	const bool unknown = from < 0;
	if (unknown && s.f < 0)
		um_plan_no_such(at, "forward", s.forward, um_node_get(p->root, "forward"), problems);
	else if (unknown && s.p < 0)
		um_plan_no_such(at, "priors", s.prior, um_node_get(p->root, "priors"), problems);
	else if (unknown && s.i < 0)
		um_plan_no_such(at, "inference", s.inference, um_node_get(p->root, "inference"), problems);
	else if (unknown)
		um_problems_add(problems, UM_EPARAM, at, "%s cannot start from %s/%s+%s: no infer stage before it makes that cell", t->name,
			s.forward, s.prior, s.inference);
	else if (many >= 0)
		um_problems_add(problems, UM_EPARAM, at, "%s cannot start from one image: forward.%s has %lld measurements", t->name,
			p->forward[many].key, (long long)um_plan_measurements(p, many, &forward[many]));
	else if (image == NULL)
		um_problems_add(problems, UM_EPARAM, at, "inference/%s cannot start from an image: it has no parameter image",
			item->plugin->name);
	else if (**(const char *const *)((const char *)um_params_data(item->params) + image->offset) != '\0')
		um_problems_add(problems, UM_EPARAM, at, "there are two images to start from: leave start or inference.%s.image out", item->key);
	free_source(&s);
}
