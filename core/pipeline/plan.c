/* SPDX-License-Identifier: GPL-3.0-or-later */
/* From a pipeline file to a plan: groups, plugins, parameters, stages and the tasks
 * that they make, with every problem reported at once. */
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "base/mem.h"
#include "pipeline/plan.h"

static const char *const top_words[] = { "title", "seed", "image", "forward", "priors", "inference", "run",
	NULL };

um_stage_kind um_plan_kind(const um_plan *p, const um_task *t)
{
	return p->stage[t->stage].kind;
}

bool um_plan_is_cell(const um_plan *p, const um_task *t)
{
	return um_plan_kind(p, t) == UM_INFER || um_plan_kind(p, t) == UM_IMPORT;
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
		if (p->stage[i].kind == UM_SIMULATE && p->stage[i].set.forward != NULL &&
			strcmp(p->stage[i].set.forward, um_plan_forward_key(p, forward)) == 0)
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

static const um_node *group(const um_plan *p, const char *name, um_problems *problems)
{
	const um_node *g = um_node_get(p->root, name);
	if (g != NULL && g->type != UM_NODE_GROUP) {
		um_problems_add(problems, UM_EPARAM, g, "expected a group: %s = { ... };", name);
		return NULL;
	}
	return g;
}

static void read_items(um_plan *p, um_kind kind, um_problems *problems)
{
	const um_node *g = group(p, um_kind_names[kind], problems);
	for (int i = 0; g != NULL && i < g->n; i++) {
		um_node *node = g->child[i];
		check_key(node, problems);
		um_plan_add(p, kind, node, node->name, NULL, problems);
		if (kind == UM_FORWARD && (strcmp(node->name, "simulate") == 0 || strcmp(node->name, "train") == 0 ||
			strcmp(node->name, "compare") == 0 || strcmp(node->name, "calibrate") == 0))
			um_problems_add(problems, UM_EPARAM, node, "this name is a folder of the run "
				"directory; choose another");
	}
}

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
		um_plan_no_such(f->node, "priors", key, um_node_get(p->root, "priors"), problems);
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
	p->task[p->ntask++] = (um_task){ name, stage, forward, prior, inference, 0 };
}

void um_plan_no_such(const um_node *at, const char *what, const char *key, const um_node *group_node,
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
		um_plan_no_such(um_node_get(s->node, "forward"), "forward", s->set.forward,
			um_node_get(p->root, "forward"), problems);
	return f;
}

/* A cell, or those that the sweep makes of it. */
static void add_cell(um_plan *p, const um_task *cell, um_sweep *sweep, um_problems *problems)
{
	const um_node *at = p->stage[cell->stage].node;
	const int64_t n = um_sweep_count(p, sweep, cell);
	for (int64_t c = 0; c < n; c++) {
		um_task t = *cell;
		char *name = um_format("%s/%s+%s", p->forward[t.forward].key, p->prior[t.prior].key, p->inference[t.inference].key);
		char *label = um_sweep_cell(p, sweep, c, &t, problems);
		if (label != NULL) {
			char *longer = um_format("%s@%s", name, label);
			free(name);
			name = longer;
		}
		if (strlen(strchr(name, '/')) > NAME_MAX)
			um_problems_add(problems, UM_EPARAM, at, "the name of the cell %s is too long for a folder", name);
		free(label);
		add_task(p, name, t.stage, t.forward, t.prior, t.inference, at, problems);
	}
}

static void add_cells(um_plan *p, int stage, um_problems *problems)
{
	const um_stage *s = &p->stage[stage];
	int f = stage_forward(p, s, problems);
	for (int64_t i = 0; i < s->set.priors.n; i++)
		if (um_plan_prior(p, s->set.priors.v[i]) < 0)
			um_plan_no_such(um_node_get(s->node, "priors"), "priors", s->set.priors.v[i],
				um_node_get(p->root, "priors"), problems);
	for (int64_t k = 0; k < s->set.inference.n; k++)
		if (um_plan_inference(p, s->set.inference.v[k]) < 0)
			um_plan_no_such(um_node_get(s->node, "inference"), "inference", s->set.inference.v[k],
				um_node_get(p->root, "inference"), problems);
	if (s->set.priors.n == 0 || s->set.inference.n == 0)
		um_problems_add(problems, UM_EPARAM, s->node, "infer needs at least one of priors and one of inference");
	um_sweep sweep = um_sweep_read(p, s, problems);
	for (int64_t i = 0; f >= 0 && i < s->set.priors.n; i++)
		for (int64_t k = 0; k < s->set.inference.n; k++) {
			const um_task cell = { NULL, stage, f, um_plan_prior(p, s->set.priors.v[i]),
				um_plan_inference(p, s->set.inference.v[k]), 0 };
			if (cell.prior >= 0 && cell.inference >= 0)
				add_cell(p, &cell, &sweep, problems);
		}
	for (int i = 0; f >= 0 && i < sweep.n; i++)
		if (!sweep.key[i].used)
			um_problems_add(problems, UM_EPARAM, sweep.key[i].node, "no cell of this stage uses %s", sweep.key[i].path);
	free(sweep.key);
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

int um_plan_simulator(const um_plan *p, const um_stage *s)
{
	return um_plan_forward(p, *s->set.simulate ? s->set.simulate : s->set.forward);
}

int um_plan_truths(const um_plan *p, const um_stage *s)
{
	return um_plan_prior(p, *s->set.truths ? s->set.truths : s->set.prior);
}

/* Where a key of a calibrate stage names nothing; false then. */
static bool found(const um_plan *p, const um_stage *s, int index, const char *key, const char *name, const char *what,
	um_problems *problems)
{
	if (index < 0)
		um_plan_no_such(um_node_get(s->node, key), what, name, um_node_get(p->root, what), problems);
	return index >= 0;
}

/* Replicates in parts that processes of their own work on, and the verdict. */
static void add_calibration(um_plan *p, int stage, um_problems *problems)
{
	enum { PARTS = 16 };
	const um_stage *s = &p->stage[stage];
	const int f = um_plan_forward(p, s->set.forward), prior = um_plan_prior(p, s->set.prior);
	const int inference = um_plan_inference(p, s->set.learner);
	const int parts = s->set.replicates < PARTS ? (int)s->set.replicates : PARTS;
	bool good = found(p, s, f, "forward", s->set.forward, "forward", problems);
	good = found(p, s, prior, "prior", s->set.prior, "priors", problems) && good;
	good = found(p, s, inference, "inference", s->set.learner, "inference", problems) && good;
	good = found(p, s, um_plan_simulator(p, s), "simulate", s->set.simulate, "forward", problems) && good;
	good = found(p, s, um_plan_truths(p, s), "truths", s->set.truths, "priors", problems) && good;
	if (strpbrk(s->set.name, "/*") != NULL || s->set.name[0] == '.')
		um_problems_add(problems, UM_EPARAM, um_node_get(s->node, "name"), "it names a folder, and must not contain '*' or "
			"'/' or begin with '.'");
	else if (good) {
		char *name = *s->set.name ? um_format("calibrate/%s", s->set.name) :
			um_format("calibrate/%s+%s+%s", s->set.forward, s->set.prior, s->set.learner);
		for (int i = 1; i <= parts && um_plan_task(p, name) < 0; i++) {
			add_task(p, um_format("%s/%d", name, i), stage, f, prior, inference, s->node, problems);
			p->task[p->ntask - 1].part = i;
		}
		add_task(p, name, stage, f, prior, inference, s->node, problems);
	}
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
		} else if (s->kind == UM_CALIBRATE && s->params != NULL) {
			add_calibration(p, i, problems);
		} else if (s->kind == UM_COMPARE) {
			int k = i;
			while (k > 0 && p->stage[k].kind != UM_INFER && p->stage[k].kind != UM_IMPORT)
				k--;
			if (p->stage[k].kind != UM_INFER && p->stage[k].kind != UM_IMPORT)
				um_problems_add(problems, UM_EPARAM, s->node, "there is nothing to compare: no infer stage "
					"comes before");
			add_task(p, um_strdup("compare"), i, -1, -1, -1, s->node, problems);
		} else if (s->kind == UM_IMPORT && s->params != NULL) {
			int f = stage_forward(p, s, problems);
			if (um_import_check(s, problems) && f >= 0)
				add_task(p, um_format("%s/%s", s->set.forward, s->set.name), i, f, -1, -1, s->node, problems);
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
	read_items(p, UM_FORWARD, problems);
	read_items(p, UM_PRIOR, problems);
	for (int i = 0; i < p->nprior; i++)
		for (int k = 0; k < p->prior[i].n; k++)
			check_named(p, i, k, problems);
	read_items(p, UM_INFERENCE, problems);
	read_run(p, problems);
	um_training_order(p, problems);
	*out = p;
	p = NULL;
out:
	um_plan_free(p);
	return st;
}

void um_plan_free(um_plan *p)
{
	if (p == NULL)
		return;
	um_mesh_free(&p->mesh);
	um_plan_free_items(p);
	for (int i = 0; i < p->nstage; i++) {
		um_params_free(p->stage[i].params);
		um_params_free(p->stage[i].truth_params);
		um_params_free(p->stage[i].data_params);
	}
	for (int i = 0; i < p->ntask; i++)
		free(p->task[i].name);
	free(p->stage);
	free(p->task);
	um_params_free(p->image_params);
	um_node_free(p->root);
	free(p->file);
	free(p->title);
	free(p);
}
