/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The recipe of a task, from the tree of the pipeline and the files that it names. */
#include <stdlib.h>
#include <string.h>
#include "base/file.h"
#include "base/mem.h"
#include "pipeline/calibrate.h"
#include "pipeline/provenance.h"
#include "pipeline/recipe.h"

/* Keys that choose what is done, or how long it may take, and nothing of what comes out. */
static const char *const no_matter[] = { "stage", "forward", "prior", "priors", "inference", "time_limit",
	"memory_limit", "skip_impossible", "seconds", "sweep", "simulate", "truths", "name", NULL };

static bool listed(const char *const *words, const char *name)
{
	for (; words != NULL && *words != NULL; words++)
		if (strcmp(*words, name) == 0)
			return true;
	return false;
}

static json_t *value_of(const um_node *n)
{
	json_t *list;
	switch (n->type) {
	case UM_NODE_INT:
	case UM_NODE_REAL:
		return json_real(n->type == UM_NODE_INT ? (double)n->integer : n->real);
	case UM_NODE_BOOL:
		return json_boolean(n->integer != 0);
	case UM_NODE_TEXT:
		return um_json_text(n->text);
	default:
		list = json_array();
		for (int i = 0; i < n->n; i++)
			json_array_append_new(list, value_of(n->child[i]));
		return list;
	}
}

/* Every value below a node, under its path. */
static void add_node(json_t *r, const char *path, const um_node *n, const char *const *skip)
{
	const bool groups = n != NULL && n->type == UM_NODE_LIST && n->n > 0 && n->child[0]->type == UM_NODE_GROUP;
	if (n == NULL)
		return;
	if (n->type != UM_NODE_GROUP && !groups) {
		json_object_set_new(r, path, value_of(n));
		return;
	}
	for (int i = 0; i < n->n; i++) {
		const um_node *c = n->child[i];
		char *below = groups ? um_format("%s.[%d]", path, i) : um_format("%s.%s", path, c->name);
		if (groups || !listed(skip, c->name))
			add_node(r, below, c, NULL);
		free(below);
	}
}

static void add_item(json_t *r, const char *group, const um_item *item)
{
	static const char *const skip[] = { "truth", NULL };
	char *path = um_format("%s.%s", group, item->base != NULL ? item->base : item->key);
	add_node(r, path, item->node, item->plugin->kind == UM_FORWARD ? skip : NULL);
	free(path);
}

static void add_version(json_t *r, const um_plugin *p)
{
	char *name = um_format("the version of %s/%s", um_kind_names[p->kind], p->name);
	json_object_set_new(r, name, um_json_text(p->version ? p->version : ""));
	free(name);
}

static void add_forward(json_t *r, const um_plan *p, int i)
{
	if (i < 0)
		return;
	add_item(r, "forward", &p->forward[i]);
	add_version(r, p->forward[i].plugin);
}

/* A prior and those that it names. */
static void add_prior(json_t *r, const um_plan *p, int i)
{
	if (i < 0)
		return;
	char *path = um_format("priors.%s", p->prior[i].base != NULL ? p->prior[i].base : p->prior[i].key);
	add_node(r, path, p->prior[i].node, NULL);
	for (int k = 0; k < p->prior[i].n; k++) {
		add_version(r, p->prior[i].factor[k].plugin);
		add_prior(r, p, um_plan_named(p, i, k));
	}
	free(path);
}

static um_status add_hash(json_t *r, const char *name, const char *path)
{
	char hex[65];
	um_status st = um_sha256_file(path, hex);
	if (st == UM_OK)
		json_object_set_new(r, name, json_string(hex));
	return st;
}

/* Files count by what is in them, wherever they lie; add_made has those that this run makes. */
static um_status add_inputs(json_t *r, const um_plan *p, int task)
{
	um_status st = UM_OK;
	um_input *in = NULL;
	const bool fit = um_plan_kind(p, &p->task[task]) == UM_TRAIN;
	const int n = um_plan_inputs(p, task, &in);
	for (int i = 0; i < n; i++) {
		if (!fit && strncmp(in[i].name, "train.", 6) == 0)
			continue;
		char *list = um_strdup(in[i].name), *dot = strrchr(list, '.');
		char *files = um_format("%s.files", list);
		json_object_del(r, files);
		free(files);
		*dot = '\0'; /* "forward.eht.uvfits.2" is of the list forward.eht.uvfits */
		if (json_is_array(json_object_get(r, list)))
			json_object_del(r, list);
		files = um_format("%s.files", list);
		json_object_del(r, files);
		free(files);
		free(list);
		char *name = um_format("the file %s", in[i].name);
		json_object_del(r, in[i].name);
		st = add_hash(r, name, in[i].path);
		free(name);
		if (st != UM_OK)
			break;
	}
	um_inputs_free(in, n);
	return st;
}

/* Files of the tasks before it that a task reads. */
static um_status add_made(json_t *r, const um_plan *p, const um_task *t, const char *dir)
{
	static const char *const simulated[] = { "measurements.fits", "truth.fits", NULL }, *const mean[] = { "mean.fits", NULL };
	um_status st = UM_OK;
	for (const um_task *k = p->task; k < p->task + p->ntask && st == UM_OK; k++) {
		const bool fit = um_plan_kind(p, k) == UM_TRAIN;
		char *weights = um_format("%s.safetensors", fit ? strchr(k->name, '/') + 1 : "");
		const char *const fitted[] = { weights, NULL }, *const *file = fit ? fitted : um_plan_is_cell(p, k) ? mean : simulated;
		for (; um_plan_needs(p, t, k) && *file != NULL && st == UM_OK; file++) {
			char *name = um_format("%s/%s", k->name, *file), *path = um_format("%s/%s", dir, name);
			st = add_hash(r, name, path);
			free(path);
			free(name);
		}
		free(weights);
	}
	return st;
}

um_status um_recipe(const um_plan *p, int task, const char *dir, json_t **out)
{
	um_status st = UM_OK;
	const um_task *t = &p->task[task];
	const um_stage *s = &p->stage[t->stage];
	json_t *r = json_pack("{s:s, s:I}", "the version of umbra", UM_VERSION, "seed", (json_int_t)p->seed);
	char *stage = s->kind == UM_INFER ? um_strdup("infer") : um_format("%s.%s", s->set.stage, strchr(t->name, '/') + 1);
	add_node(r, "image", um_node_get(p->root, "image"), NULL);
	add_forward(r, p, t->forward);
	add_prior(r, p, t->prior);
	if (s->kind == UM_CALIBRATE) {
		char *folder = um_calibrate_folder(p, task, "");
		free(stage);
		stage = um_format("calibrate.%s", strrchr(folder, '/') + 1);
		free(folder);
		add_forward(r, p, um_plan_simulator(p, s));
		add_prior(r, p, um_plan_truths(p, s));
	} else if (s->kind != UM_INFER) {
		add_prior(r, p, um_plan_prior(p, s->data.prior));
	}
	if (t->inference >= 0) {
		add_item(r, "inference", &p->inference[t->inference]);
		add_version(r, p->inference[t->inference].plugin);
	}
	add_node(r, stage, s->node, no_matter);
	UM_TRY(add_inputs(r, p, task));
	UM_TRY(add_made(r, p, t, dir));
	*out = r;
	r = NULL;
out:
	json_decref(r);
	free(stage);
	return st;
}

static bool equal(const json_t *a, const json_t *b)
{
	if (json_is_number(a) && json_is_number(b))
		return json_number_value(a) == json_number_value(b);
	return json_equal(a, b) != 0;
}

/* A value as the user would write it, or "not there"; free it. */
static char *shown(const json_t *v)
{
	char *text = v != NULL ? json_dumps(v, JSON_ENCODE_ANY | JSON_REAL_PRECISION(9)) : um_strdup("not there");
	const size_t n = strlen(text);
	if (json_is_real(v) && n > 2 && strcmp(text + n - 2, ".0") == 0)
		text[n - 2] = '\0';
	return text;
}

char *um_recipe_difference(const json_t *old, const json_t *now)
{
	const json_t *both[] = { now, old };
	const char *key;
	json_t *value;
	for (int k = 0; k < 2; k++)
		json_object_foreach((json_t *)both[k], key, value) {
			const json_t *before = json_object_get(old, key), *after = json_object_get(now, key);
			if (before != NULL && after != NULL && equal(before, after))
				continue;
			if (strchr(key, ' ') != NULL || strchr(key, '/') != NULL)
				return um_format("%s has changed", key);
			char *was = shown(before), *is = shown(after);
			char *text = um_format("%s was %s and is %s", key, was, is);
			free(was);
			free(is);
			return text;
		}
	return NULL;
}
