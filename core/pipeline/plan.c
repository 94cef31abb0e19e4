/* SPDX-License-Identifier: GPL-3.0-or-later */
/* From a pipeline file to a plan: groups, plugins, parameters, stages and the tasks
 * that they make, with every problem reported at once. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "base/mem.h"
#include "pipeline/plan.h"

static const char *const top_words[] = { "title", "seed", "image", "forward", "priors", "inference", "run",
	NULL };

int um_plan_prior(const um_plan *p, const char *key)
{
	for (int i = 0; key != NULL && i < p->nprior; i++)
		if (strcmp(p->prior[i].key, key) == 0)
			return i;
	return -1;
}

const void *um_item_params(const um_item *item)
{
	return item->trained != NULL ? item->trained : um_params_data(item->params);
}

const char *um_item_model(const um_item *item)
{
	const um_param *q = um_plugin_model(item->plugin);
	return q != NULL ? *(const char *const *)((const char *)um_item_params(item) + q->offset) : NULL;
}

um_stage_kind um_plan_kind(const um_plan *p, const um_task *t)
{
	return p->stage[t->stage].kind;
}

static int find_item(const um_item *items, int n, const char *key)
{
	for (int i = 0; key != NULL && i < n; i++)
		if (strcmp(items[i].key, key) == 0)
			return i;
	return -1;
}

int um_plan_forward(const um_plan *p, const char *key)
{
	return find_item(p->forward, p->nforward, key);
}

int um_plan_inference(const um_plan *p, const char *key)
{
	return find_item(p->inference, p->ninference, key);
}

int um_plan_task(const um_plan *p, const char *name)
{
	for (int i = 0; i < p->ntask; i++)
		if (strcmp(p->task[i].name, name) == 0)
			return i;
	return -1;
}

const um_stage *um_plan_simulation(const um_plan *p, int forward)
{
	for (int i = 0; i < p->nstage; i++)
		if (p->stage[i].kind == UM_SIMULATE &&
			um_plan_forward(p, p->stage[i].set.forward) == forward)
			return &p->stage[i];
	return NULL;
}

/* ---- groups --------------------------------------------------------------------- */

/* Keys name folders of the run directory. */
static void check_key(const um_node *n, um_problems *problems)
{
	if (strpbrk(n->name, "+/*") != NULL || n->name[0] == '.')
		um_problems_add(problems, UM_EPARAM, n, "a key must not contain '*', '+' or '/'");
}

static um_item read_item(um_kind kind, um_node *node, const char *key, const char *const *skip,
	um_problems *problems)
{
	um_item item = { .key = um_strdup(key), .node = node };
	const um_node *name = um_node_get(node, "plugin");
	if (node->type != UM_NODE_GROUP) {
		um_problems_add(problems, UM_EPARAM, node, "expected a group: %s = { plugin = \"...\"; ... };", key);
		return item;
	}
	if (name == NULL || name->type != UM_NODE_TEXT) {
		um_problems_add(problems, UM_EPARAM, node, "it needs plugin = \"NAME\"; 'umbra list %s' shows "
			"the names", um_kind_names[kind]);
		return item;
	}
	if (um_plugin_find(kind, name->text, &item.plugin) != UM_OK) {
		um_problems_add(problems, UM_EPARAM, name, "%s", um_message());
		return item;
	}
	char *what = um_format("%s/%s", um_kind_names[kind], item.plugin->name);
	if (um_params_fill(item.plugin->params, item.plugin->nparams, item.plugin->params_size, node, skip,
		what, problems, &item.params) != UM_OK)
		um_problems_add(problems, UM_EPLUGIN, node, "%s: a default of its table is wrong: %s", what,
			um_message());
	free(what);
	return item;
}

/* The keys of a forward group that the host reads. */
static void read_forward_settings(um_plan *p, int i, um_problems *problems)
{
	static const um_param table[] = {
		UM_PARAM_TEXT(um_forward_settings, plugin, NULL, "The plugin."),
		UM_FILE(um_forward_settings, truth, "", "The true image where it is known, for the truth metrics."),
	};
	um_item *item = &p->forward[i];
	if (item->plugin == NULL)
		return;
	const char **others = um_new(sizeof(*others) * (size_t)(item->node->n + 1));
	int n = 0;
	for (int k = 0; k < item->node->n; k++)
		if (strcmp(item->node->child[k]->name, "plugin") && strcmp(item->node->child[k]->name, "truth"))
			others[n++] = item->node->child[k]->name;
	if (um_params_fill(table, 2, sizeof(um_forward_settings), item->node, others,
		"forward", problems, &p->forward_set_params[i]) == UM_OK && p->forward_set_params[i] != NULL)
		p->forward_set[i] = *(const um_forward_settings *)um_params_data(p->forward_set_params[i]);
	free(others);
}

static const um_node *group(const um_plan *p, const char *name, um_problems *problems)
{
	const um_node *g = um_node_get(p->root, name);
	if (g != NULL && g->type != UM_NODE_GROUP) {
		um_problems_add(problems, UM_EPARAM, g, "expected a group: %s = { ... };", name);
		return NULL;
	}
	return g;
}

static void read_forwards(um_plan *p, um_problems *problems)
{
	static const char *const skip[] = { "plugin", "truth", NULL };
	const um_node *g = group(p, "forward", problems);
	int n = g != NULL ? g->n : 0;
	p->forward = um_new(sizeof(*p->forward) * (size_t)(n + 1));
	p->forward_set = um_new(sizeof(*p->forward_set) * (size_t)(n + 1));
	p->forward_set_params = um_new(sizeof(*p->forward_set_params) * (size_t)(n + 1));
	for (int i = 0; i < n; i++) {
		check_key(g->child[i], problems);
		p->forward[p->nforward++] = read_item(UM_FORWARD, g->child[i], g->child[i]->name, skip, problems);
		read_forward_settings(p, i, problems);
		const um_item *f = &p->forward[i];
		if (f->plugin != NULL && (f->plugin->caps & UM_SKY) && !(p->image.fov_uas > 0) &&
			p->image_params != NULL)
			um_problems_add(problems, UM_EPARAM, g->child[i], "forward/%s sees the sky: set fov_uas "
				"in the group image", f->plugin->name);
		if (strcmp(g->child[i]->name, "simulate") == 0 || strcmp(g->child[i]->name, "train") == 0 ||
			strcmp(g->child[i]->name, "compare") == 0)
			um_problems_add(problems, UM_EPARAM, g->child[i], "this name is a folder of the run "
				"directory; choose another");
	}
}

static void read_priors(um_plan *p, um_problems *problems)
{
	static const char *const skip[] = { "plugin", NULL };
	const um_node *g = group(p, "priors", problems);
	int n = g != NULL ? g->n : 0;
	p->prior = um_new(sizeof(*p->prior) * (size_t)(n + 1));
	for (int i = 0; i < n; i++) {
		um_node *node = g->child[i];
		um_prior_item *prior = &p->prior[p->nprior++];
		bool list = node->type == UM_NODE_LIST;
		check_key(node, problems);
		*prior = (um_prior_item){ .key = um_strdup(node->name), .node = node, .n = list ? node->n : 1 };
		if (list && node->n == 0)
			um_problems_add(problems, UM_EPARAM, node, "a product of priors needs at least one");
		prior->factor = um_new(sizeof(*prior->factor) * (size_t)(prior->n + 1));
		for (int k = 0; k < prior->n; k++) {
			um_node *f = list ? node->child[k] : node;
			prior->factor[k] = read_item(UM_PRIOR, f, node->name, skip, problems);
			if (prior->factor[k].plugin != NULL && (prior->factor[k].plugin->caps & UM_SKY) &&
				!(p->image.fov_uas > 0) && p->image_params != NULL)
				um_problems_add(problems, UM_EPARAM, f, "priors/%s is about the sky: set fov_uas in "
					"the group image", prior->factor[k].plugin->name);
		}
	}
}

int um_plan_named(const um_plan *p, int prior, int k)
{
	const um_item *f = &p->prior[prior].factor[k];
	if (f->plugin == NULL || f->params == NULL)
		return -1;
	return um_plan_prior(p, um_prior_key(f->plugin, um_params_data(f->params)));
}

static void no_such(const um_node *at, const char *what, const char *key, const um_node *group_node,
	um_problems *problems);

/* Keys of other priors: they exist, are no products, and lead to an end. */
static void check_named(const um_plan *p, int i, int k, um_problems *problems)
{
	const um_item *f = &p->prior[i].factor[k];
	const char *key = f->plugin != NULL && f->params != NULL ? um_prior_key(f->plugin, um_params_data(f->params)) :
		NULL;
	const int other = um_plan_prior(p, key);
	if (key == NULL)
		return;
	if (other < 0) {
		no_such(f->node, "priors", key, um_node_get(p->root, "priors"), problems);
		return;
	}
	if (p->prior[other].n != 1)
		um_problems_add(problems, UM_EPARAM, f->node, "'%s' is a product of priors, which has no score", key);
	int steps = 0, at = other;
	while (at >= 0 && steps++ <= p->nprior)
		at = um_plan_named(p, at, 0);
	if (at >= 0)
		um_problems_add(problems, UM_EPARAM, f->node, "'%s' names it in turn: priors that name each other "
			"have no score", key);
}

static void read_inference(um_plan *p, um_problems *problems)
{
	static const char *const skip[] = { "plugin", NULL };
	const um_node *g = group(p, "inference", problems);
	int n = g != NULL ? g->n : 0;
	p->inference = um_new(sizeof(*p->inference) * (size_t)(n + 1));
	for (int i = 0; i < n; i++) {
		check_key(g->child[i], problems);
		p->inference[p->ninference++] = read_item(UM_INFERENCE, g->child[i], g->child[i]->name, skip,
			problems);
	}
}

/* Of a signal on a mesh; false where that is wrong. */
static bool read_mesh(um_plan *p, const um_node *g, double px[2], um_problems *problems)
{
	const um_reals *given = &p->image.pixels;
	const bool file = *p->image.mesh != '\0';
	const um_node *at = um_node_get(g, file ? "mesh" : "surface");
	const um_status st = um_mesh_open(file ? p->image.mesh : p->image.surface, &p->mesh);
	px[0] = (double)p->mesh.nvertex;
	px[1] = 1;
	if (st != UM_OK)
		um_problems_add(problems, st, at, "%s", um_message());
	else if (file && *p->image.surface != '\0')
		um_problems_add(problems, UM_EPARAM, at, "give mesh or surface, not both");
	else if (given->n != 0 && (given->n != 2 || given->v[0] != px[0] || given->v[1] != 1))
		um_problems_add(problems, UM_EPARAM, um_node_get(g, "pixels"), "the mesh has %lld vertices: leave pixels out",
			(long long)p->mesh.nvertex);
	else if (p->image.fov_uas > 0)
		um_problems_add(problems, UM_EPARAM, at, "a signal on a mesh is not of the sky: leave fov_uas out");
	else
		return true;
	return false;
}

/* Columns and rows, from pixels or from the mesh; false where they are wrong. */
static bool read_size(um_plan *p, const um_node *g, double px[2], um_problems *problems)
{
	const um_reals *given = &p->image.pixels;
	if (*p->image.mesh != '\0' || *p->image.surface != '\0')
		return read_mesh(p, g, px, problems);
	if (given->n == 0)
		um_problems_add(problems, UM_EPARAM, g, "image needs pixels = [columns, rows], or a mesh or surface");
	else if (given->n != 2 || given->v[0] != floor(given->v[0]) || given->v[1] != floor(given->v[1]))
		um_problems_add(problems, UM_EPARAM, um_node_get(g, "pixels"), "expected two whole numbers, [columns, rows]");
	else {
		px[0] = given->v[0];
		px[1] = given->v[1];
		return true;
	}
	return false;
}

static void read_image(um_plan *p, um_problems *problems)
{
	const um_node *g = group(p, "image", problems);
	size_t n;
	const um_param *table = um_image_table(&n);
	if (g == NULL) {
		if (!problems->fragment && um_node_get(p->root, "image") == NULL)
			um_problems_add(problems, UM_EPARAM, NULL, "%s: there is no group image; write image = { "
				"pixels = [32, 32]; };", p->file);
		return;
	}
	if (um_params_fill(table, n, sizeof(p->image), (um_node *)g, NULL, "image", problems,
		&p->image_params) != UM_OK || p->image_params == NULL)
		return;
	p->image = *(const um_image_settings *)um_params_data(p->image_params);
	double px[2];
	if (!read_size(p, g, px, problems))
		return;
	double all = px[0] * px[1] * (double)p->image.frames * (double)p->image.bands * (double)p->image.channels;
	if (all > 1 << 30) {
		um_problems_add(problems, UM_EPARAM, um_node_get(g, "pixels"), "an image of %.3g numbers is too large; "
			"at most 2^30", all);
		return;
	}
	um_env *e = &p->env;
	*e = (um_env){ .size = sizeof(*e), .threads = 1, .seed = (uint64_t)p->seed, .scale = p->image.scale,
		.shape = { p->image.frames, p->image.bands, p->image.channels, (int64_t)px[1], (int64_t)px[0] },
		.transform = strcmp(p->image.transform, "softplus") == 0 ? UM_SOFTPLUS : UM_IDENTITY };
	e->mesh = p->mesh.nvertex > 0 ? &p->mesh : NULL;
	e->pixel = p->image.fov_uas / px[0] * 3.14159265358979323846 / 180 / 3600e6;
}

static void read_top(um_plan *p, um_problems *problems)
{
	for (int i = 0; i < p->root->n; i++) {
		const um_node *c = p->root->child[i];
		int k = 0;
		while (top_words[k] != NULL && strcmp(top_words[k], c->name) != 0)
			k++;
		const char *near = um_nearest(c->name, top_words);
		if (top_words[k] == NULL)
			um_problems_add(problems, UM_EPARAM, c, "there is no such key%s%s%s", near ?
				"; did you mean '" : "; a pipeline has title, seed, image, forward, priors, "
				"inference and run", near ? near : "", near ? "'?" : "");
	}
	const um_node *title = um_node_get(p->root, "title"), *seed = um_node_get(p->root, "seed");
	if (title != NULL && title->type != UM_NODE_TEXT)
		um_problems_add(problems, UM_EPARAM, title, "expected a text");
	p->title = um_strdup(title != NULL && title->type == UM_NODE_TEXT ? title->text : "");
	if (seed != NULL && (seed->type != UM_NODE_INT || seed->integer < 0))
		um_problems_add(problems, UM_EPARAM, seed, "expected an integer from 0");
	else if (seed != NULL)
		p->seed = seed->integer;
}

/* ---- tasks ------------------------------------------------------------------------ */

static void add_task(um_plan *p, char *name, int stage, int forward, int prior, int inference,
	const um_node *at, um_problems *problems)
{
	if (um_plan_task(p, name) >= 0)
		um_problems_add(problems, UM_EPARAM, at, "%s is asked for twice", name);
	p->task = um_grow(p->task, sizeof(*p->task) * (size_t)(p->ntask + 1));
	p->task[p->ntask++] = (um_task){ name, stage, forward, prior, inference };
}

static void no_such(const um_node *at, const char *what, const char *key, const um_node *group_node,
	um_problems *problems)
{
	int n = group_node != NULL && group_node->type == UM_NODE_GROUP ? group_node->n : 0;
	const char **words = um_new(sizeof(*words) * (size_t)(n + 1));
	for (int i = 0; i < n; i++)
		words[i] = group_node->child[i]->name;
	const char *near = um_nearest(key, words);
	um_problems_add(problems, UM_EPARAM, at, "there is no '%s' in the group %s%s%s%s", key, what,
		near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
	free(words);
}

static int stage_forward(um_plan *p, const um_stage *s, um_problems *problems)
{
	int f = um_plan_forward(p, s->set.forward);
	if (f < 0 && s->set.forward != NULL)
		no_such(um_node_get(s->node, "forward"), "forward", s->set.forward,
			um_node_get(p->root, "forward"), problems);
	return f;
}

static void add_cells(um_plan *p, int stage, um_problems *problems)
{
	const um_stage *s = &p->stage[stage];
	int f = stage_forward(p, s, problems);
	for (int64_t i = 0; i < s->set.priors.n; i++)
		if (um_plan_prior(p, s->set.priors.v[i]) < 0)
			no_such(um_node_get(s->node, "priors"), "priors", s->set.priors.v[i],
				um_node_get(p->root, "priors"), problems);
	for (int64_t k = 0; k < s->set.inference.n; k++)
		if (um_plan_inference(p, s->set.inference.v[k]) < 0)
			no_such(um_node_get(s->node, "inference"), "inference", s->set.inference.v[k],
				um_node_get(p->root, "inference"), problems);
	if (s->set.priors.n == 0 || s->set.inference.n == 0)
		um_problems_add(problems, UM_EPARAM, s->node, "infer needs at least one of priors and one of inference");
	for (int64_t i = 0; f >= 0 && i < s->set.priors.n; i++)
		for (int64_t k = 0; k < s->set.inference.n; k++) {
			int prior = um_plan_prior(p, s->set.priors.v[i]);
			int inference = um_plan_inference(p, s->set.inference.v[k]);
			if (prior >= 0 && inference >= 0)
				add_task(p, um_format("%s/%s+%s", p->forward[f].key, p->prior[prior].key,
					p->inference[inference].key), stage, f, prior, inference, s->node, problems);
		}
}

static void add_training(um_plan *p, int stage, um_problems *problems)
{
	const um_stage *s = &p->stage[stage];
	if (!um_training_check(p, s, problems))
		return;
	if (*s->set.learner == '\0')
		add_task(p, um_format("train/%s", s->set.prior), stage, -1, um_plan_prior(p, s->set.prior), -1, s->node,
			problems);
	else
		add_task(p, um_format("train/%s", s->set.learner), stage, um_plan_forward(p, s->set.forward),
			um_plan_prior(p, s->set.priors.v[0]), um_plan_inference(p, s->set.learner), s->node, problems);
}

static void read_run(um_plan *p, um_problems *problems)
{
	um_node *run = um_node_get(p->root, "run");
	if (run == NULL)
		return;
	if (run->type != UM_NODE_LIST) {
		um_problems_add(problems, UM_EPARAM, run, "expected a list of groups: run = ( { stage = ...; }, ... );");
		return;
	}
	for (int i = 0; i < run->n; i++) {
		if (run->child[i]->type == UM_NODE_GROUP)
			um_stage_read(p, run->child[i], problems);
		else
			um_problems_add(problems, UM_EPARAM, run, "item %d is not a group { stage = ...; }", i);
	}
	for (int i = 0; i < p->nstage; i++) {
		const um_stage *s = &p->stage[i];
		if (s->kind == UM_INFER && s->params != NULL) {
			add_cells(p, i, problems);
		} else if (s->kind == UM_TRAIN) {
			add_training(p, i, problems);
		} else if (s->kind == UM_COMPARE) {
			int k = i;
			while (k > 0 && p->stage[k].kind != UM_INFER)
				k--;
			if (p->stage[k].kind != UM_INFER)
				um_problems_add(problems, UM_EPARAM, s->node, "there is nothing to compare: no infer stage "
					"comes before");
			add_task(p, um_strdup("compare"), i, -1, -1, -1, s->node, problems);
		} else if (s->kind == UM_SIMULATE && s->params != NULL) {
			int f = stage_forward(p, s, problems);
			if (f >= 0)
				add_task(p, um_format("simulate/%s", s->set.forward), i, f, -1, -1, s->node, problems);
		}
	}
}

um_status um_plan_load(const char *file, const char *const *sets, um_problems *problems, um_plan **out)
{
	um_status st = UM_OK;
	um_plan *p = um_new(sizeof(*p));
	p->file = um_strdup(file);
	UM_TRY(um_config_read(file, &p->root));
	for (int i = 0; sets != NULL && sets[i] != NULL; i++)
		UM_TRY(um_config_set(p->root, sets[i]));
	problems->fragment = um_node_get(p->root, "run") == NULL;
	read_top(p, problems);
	read_image(p, problems);
	read_forwards(p, problems);
	read_priors(p, problems);
	for (int i = 0; i < p->nprior; i++)
		for (int k = 0; k < p->prior[i].n; k++)
			check_named(p, i, k, problems);
	read_inference(p, problems);
	read_run(p, problems);
	um_training_order(p, problems);
	*out = p;
	p = NULL;
out:
	um_plan_free(p);
	return st;
}

static void free_item(um_item *item)
{
	free(item->key);
	free(item->weights);
	free(item->trained);
	um_params_free(item->params);
}

void um_plan_free(um_plan *p)
{
	if (p == NULL)
		return;
	um_mesh_free(&p->mesh);
	for (int i = 0; i < p->nforward; i++) {
		free_item(&p->forward[i]);
		um_params_free(p->forward_set_params[i]);
	}
	for (int i = 0; i < p->nprior; i++) {
		for (int k = 0; k < p->prior[i].n; k++)
			free_item(&p->prior[i].factor[k]);
		free(p->prior[i].factor);
		free(p->prior[i].key);
	}
	for (int i = 0; i < p->ninference; i++)
		free_item(&p->inference[i]);
	for (int i = 0; i < p->nstage; i++) {
		um_params_free(p->stage[i].params);
		um_params_free(p->stage[i].truth_params);
		um_params_free(p->stage[i].data_params);
	}
	for (int i = 0; i < p->ntask; i++)
		free(p->task[i].name);
	free(p->forward);
	free(p->forward_set);
	free(p->forward_set_params);
	free(p->prior);
	free(p->inference);
	free(p->stage);
	free(p->task);
	um_params_free(p->image_params);
	um_node_free(p->root);
	free(p->file);
	free(p->title);
	free(p);
}
