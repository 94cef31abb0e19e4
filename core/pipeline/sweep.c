/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Sweeps: an infer stage makes a cell of each value of a parameter, of each combination where there are
 * several. What a cell uses with another value becomes a variant, an item of the plan beside the file's own. */
#include <stdlib.h>
#include <string.h>
#include "base/mem.h"
#include "pipeline/plan.h"

#define MOST 1000 /* cells of one */

/* The plugin that a key of this form changes, and in *rest the parameter: "weight", or "[1].weight" of a product. */
static const um_item *owner(const um_plan *p, const um_sweep_key *k, const char **rest)
{
	*rest = k->inside;
	if (k->kind == UM_FORWARD)
		return &p->forward[k->item];
	if (k->kind == UM_INFERENCE)
		return &p->inference[k->item];
	const um_prior_item *prior = &p->prior[k->item];
	char *end;
	if (k->inside[0] != '[')
		return prior->node->type != UM_NODE_LIST ? &prior->factor[0] : NULL;
	long i = strtol(k->inside + 1, &end, 10);
	if (prior->node->type != UM_NODE_LIST || end[0] != ']' || end[1] != '.' || i < 0 || i >= prior->n)
		return NULL;
	*rest = end + 2;
	return &prior->factor[i];
}

/* False where the parameter is none, or what has it is wrong already. */
static bool check_parameter(const um_plan *p, const um_sweep_key *k, const um_node *at, um_problems *problems)
{
	const char *rest;
	const um_item *item = owner(p, k, &rest);
	if (item == NULL) {
		const um_prior_item *prior = &p->prior[k->item];
		const bool list = prior->node->type == UM_NODE_LIST;
		um_problems_add(problems, UM_EPARAM, at, "%s is %s product of priors: write priors.%s.%sNAME", prior->key,
			list ? "a" : "no", prior->key, list ? "[0]." : "");
		return false;
	}
	if (item->params == NULL)
		return false;
	const char **words = um_new(sizeof(*words) * (item->plugin->nparams + 1));
	bool known = false;
	for (size_t i = 0; i < item->plugin->nparams; i++) {
		words[i] = item->plugin->params[i].name;
		known |= strcmp(words[i], rest) == 0;
	}
	const char *near = um_nearest(rest, words);
	if (!known)
		um_problems_add(problems, UM_EPARAM, at, "%s/%s has no parameter '%s'%s%s%s", um_kind_names[k->kind],
			item->plugin->name, rest, near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
	free(words);
	return known;
}

/* Splits "priors.tv.weight" and finds what it means; false where that is nothing. */
static bool find_item(um_plan *p, um_sweep_key *k, const um_node *at, um_problems *problems)
{
	const char *dot = strchr(k->path, '.'), *next = dot != NULL ? strchr(dot + 1, '.') : NULL;
	char *group = um_format("%.*s", (int)strcspn(k->path, "."), k->path);
	char *key = next != NULL ? um_format("%.*s", (int)(next - dot - 1), dot + 1) : NULL;
	k->inside = next != NULL ? next + 1 : "";
	k->item = -1;
	for (um_kind i = UM_FORWARD; i <= UM_INFERENCE; i++)
		if (strcmp(group, um_kind_names[i]) == 0)
			k->kind = i;
	if (k->kind != 0 && *k->inside == '\0') {
		um_problems_add(problems, UM_EPARAM, at, "expected a parameter with its group and key, such as \"priors.tv.weight\"");
		k->kind = 0;
	} else if (k->kind == UM_FORWARD)
		k->item = um_plan_forward(p, key);
	else if (k->kind == UM_PRIOR)
		k->item = um_plan_prior(p, key);
	else if (k->kind == UM_INFERENCE)
		k->item = um_plan_inference(p, key);
	else
		um_problems_add(problems, UM_EPARAM, at, "a sweep changes parameters of the groups forward, priors and inference, "
			"not of '%s': \"priors.tv.weight\"", group);
	if (k->kind != 0 && k->item < 0)
		um_plan_no_such(at, group, key, um_node_get(p->root, group), problems);
	free(group);
	free(key);
	return k->item >= 0;
}

static bool plain(const um_node *v)
{
	if (v->type == UM_NODE_GROUP)
		return false;
	for (int i = 0; i < v->n; i++)
		if (!plain(v->child[i]))
			return false;
	return true;
}

static void read_key(um_plan *p, um_node *node, um_sweep *w, um_problems *problems)
{
	um_sweep_key k = { .node = node, .values = um_node_get(node, "values") };
	const um_node *path = um_node_get(node, "key");
	const int before = problems->n;
	if (node->type != UM_NODE_GROUP || path == NULL || path->type != UM_NODE_TEXT || k.values == NULL || node->n != 2) {
		um_problems_add(problems, UM_EPARAM, node, "an item of sweep is { key = \"priors.tv.weight\"; values = [1.0, 10.0]; }");
		return;
	}
	k.path = path->text;
	if (!find_item(p, &k, path, problems) || !check_parameter(p, &k, path, problems))
		return;
	if ((k.kind == UM_PRIOR && um_plan_training(p, k.item) != NULL) ||
		(k.kind == UM_INFERENCE && um_plan_learning(p, k.item) != NULL))
		um_problems_add(problems, UM_EPARAM, path, "this run trains it once, for one value: give it a model that is trained "
			"already, or train it under several keys");
	if ((k.values->type != UM_NODE_ARRAY && k.values->type != UM_NODE_LIST) || k.values->n == 0 || !plain(k.values))
		um_problems_add(problems, UM_EPARAM, k.values, "expected a list of values, such as [1.0, 10.0]");
	for (int i = 0; i < w->n; i++)
		if (strcmp(w->key[i].path, k.path) == 0)
			um_problems_add(problems, UM_EPARAM, path, "%s is swept twice", k.path);
	if (problems->n > before)
		return;
	w->key = um_grow(w->key, sizeof(*w->key) * (size_t)(w->n + 1));
	w->key[w->n++] = k;
}

um_sweep um_sweep_read(um_plan *p, const um_stage *s, um_problems *problems)
{
	um_sweep w = { 0 };
	um_node *list = um_node_get(s->node, "sweep");
	if (list != NULL && list->type != UM_NODE_LIST)
		um_problems_add(problems, UM_EPARAM, list, "expected a list: sweep = ( { key = \"priors.tv.weight\"; values = "
			"[1.0, 10.0]; } );");
	for (int i = 0; list != NULL && list->type == UM_NODE_LIST && i < list->n; i++)
		read_key(p, list->child[i], &w, problems);
	double cells = 1;
	for (int i = 0; i < w.n; i++)
		cells *= w.key[i].values->n;
	if (cells > MOST) {
		um_problems_add(problems, UM_EPARAM, list, "%g combinations of values are too many; at most %d", cells, MOST);
		w.n = 0;
	}
	return w;
}

static bool uses(const um_plan *p, const um_sweep_key *k, const um_task *cell)
{
	if (k->kind == UM_PRIOR)
		return um_plan_rests_on(p, cell->prior, k->item);
	return k->item == (k->kind == UM_FORWARD ? cell->forward : cell->inference);
}

int64_t um_sweep_count(const um_plan *p, um_sweep *w, const um_task *cell)
{
	int64_t n = 1;
	for (int i = 0; i < w->n; i++)
		if (uses(p, &w->key[i], cell)) {
			n *= w->key[i].values->n;
			w->key[i].used = true;
		}
	return n;
}

/* ---- names ------------------------------------------------------------------------- */

/* A value as a part of a folder's name: of a path its last component, and nothing but letters, digits and "._+-". */
static char *value_name(const um_node *v)
{
	char *name = NULL, number[40] = "";
	const char *slash = v->text != NULL ? strrchr(v->text, '/') : NULL;
	for (int digits = 6; v->type == UM_NODE_REAL && digits <= 17; digits++) {
		snprintf(number, sizeof(number), "%.*g", digits, v->real);
		if (strtod(number, NULL) == v->real)
			break;
	}
	if (v->type == UM_NODE_TEXT)
		name = um_strdup(slash != NULL ? slash + 1 : v->text);
	else if (v->type == UM_NODE_BOOL)
		name = um_strdup(v->integer ? "true" : "false");
	else if (v->type == UM_NODE_INT)
		name = um_format("%lld", (long long)v->integer);
	else
		name = um_strdup(number);
	for (int i = 0; i < v->n; i++) {
		char *item = value_name(v->child[i]), *both = um_format("%s%s%s", name, i > 0 ? "_" : "", item);
		free(item);
		free(name);
		name = both;
	}
	for (char *c = name; *c; c++)
		if (!((*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') || (*c >= '0' && *c <= '9') || strchr("._+-", *c)))
			*c = '_';
	return name;
}

/* A change that a cell sees: key number i of the sweep has value number v. */
typedef struct change {
	const um_sweep_key *key;
	um_node *value;
} change;

/* "priors.tv.weight=10,..." of the changes that are wanted, or NULL for none; [1] of a product is 1. */
static char *label(int n, const change *c, const bool *wanted)
{
	char *all = NULL;
	for (int i = 0; i < n; i++) {
		if (!wanted[i])
			continue;
		char *value = value_name(c[i].value);
		char *longer = um_format("%s%s%s", all != NULL ? all : "", all != NULL ? "," : "", c[i].key->path), *to = longer;
		for (const char *from = longer; *from; from++)
			if (*from != '[' && *from != ']')
				*to++ = *from;
		*to = '\0';
		free(all);
		all = longer;
		longer = um_format("%s=%s", all, value);
		free(value);
		free(all);
		all = longer;
	}
	return all;
}

/* ---- variants ------------------------------------------------------------------------ */

static um_node *at_path(um_node *n, const char *path)
{
	while (n != NULL && *path) {
		const size_t len = strcspn(path, ".");
		char *key = um_format("%.*s", (int)len, path);
		const long i = key[0] == '[' ? strtol(key + 1, NULL, 10) : -1;
		n = key[0] == '[' ? (i >= 0 && i < n->n ? n->child[i] : NULL) : um_node_get(n, key);
		path += len + (path[len] == '.');
		free(key);
	}
	return n;
}

/* Paths of files became absolute: so they must be in the file that the run keeps. */
static void copy_texts(um_node *to, const um_node *from)
{
	if (to->type == UM_NODE_TEXT && from->type == UM_NODE_TEXT) {
		free(to->text);
		to->text = um_strdup(from->text);
	}
	for (int i = 0; i < to->n && i < from->n; i++)
		copy_texts(to->child[i], from->child[i]);
}

/* The item of this index as node says, with those of the n changes that are its own. */
static int add_variant(um_plan *p, um_kind kind, int index, um_node *node, const char *key, int n, const change *c,
	um_problems *problems)
{
	const char *base = kind == UM_PRIOR ? p->prior[index].key : kind == UM_FORWARD ? p->forward[index].key :
		p->inference[index].key;
	for (int i = 0; i < n; i++)
		if (c[i].key->kind == kind && c[i].key->item == index &&
			um_config_put(node, c[i].key->inside, um_node_clone(c[i].value), c[i].key->path) != UM_OK)
			um_problems_add(problems, UM_EPARAM, c[i].key->node, "%s", um_message());
	const int made = um_plan_add(p, kind, node, key, base, problems);
	for (int i = 0; i < n; i++)
		if (c[i].key->kind == kind && c[i].key->item == index && at_path(node, c[i].key->inside) != NULL)
			copy_texts(c[i].value, at_path(node, c[i].key->inside));
	return made;
}

static int prior_variant(um_plan *p, int index, int n, const change *c, um_problems *problems);

/* Priors that rest on one that is changed name its variant. */
static void rename_named(um_plan *p, int index, um_node *node, int n, const change *c, um_problems *problems)
{
	for (int k = 0; k < p->prior[index].n; k++) {
		const int named = um_plan_named(p, index, k);
		const int variant = named >= 0 ? prior_variant(p, named, n, c, problems) : named;
		const um_plugin *plugin = p->prior[index].factor[k].plugin;
		um_node *factor = node->type == UM_NODE_LIST ? node->child[k] : node;
		for (size_t i = 0; variant != named && i < plugin->nparams; i++) {
			um_node *v = plugin->params[i].type == UM_KEY ? um_node_get(factor, plugin->params[i].name) : NULL;
			if (v == NULL)
				continue;
			free(v->text);
			v->text = um_strdup(p->prior[variant].key);
		}
	}
}

static int prior_variant(um_plan *p, int index, int n, const change *c, um_problems *problems)
{
	bool *wanted = um_new(sizeof(*wanted) * (size_t)(n + 1));
	for (int i = 0; i < n; i++)
		wanted[i] = c[i].key->kind == UM_PRIOR && um_plan_rests_on(p, index, c[i].key->item);
	char *what = label(n, c, wanted), *key = what != NULL ? um_format("%s@%s", p->prior[index].key, what) : NULL;
	int made = key != NULL ? um_plan_prior(p, key) : index;
	if (made < 0) {
		um_node *node = um_node_clone(p->prior[index].node);
		rename_named(p, index, node, n, c, problems);
		made = add_variant(p, UM_PRIOR, index, node, key, n, c, problems);
	}
	free(what);
	free(key);
	free(wanted);
	return made;
}

static int item_variant(um_plan *p, um_kind kind, int index, int n, const change *c, um_problems *problems)
{
	bool *wanted = um_new(sizeof(*wanted) * (size_t)(n + 1));
	const um_item *item = kind == UM_FORWARD ? &p->forward[index] : &p->inference[index];
	for (int i = 0; i < n; i++)
		wanted[i] = c[i].key->kind == kind && c[i].key->item == index;
	char *what = label(n, c, wanted), *key = what != NULL ? um_format("%s@%s", item->key, what) : NULL;
	int made = key == NULL ? index : kind == UM_FORWARD ? um_plan_forward(p, key) : um_plan_inference(p, key);
	if (made < 0)
		made = add_variant(p, kind, index, um_node_clone(item->node), key, n, c, problems);
	free(what);
	free(key);
	free(wanted);
	return made;
}

char *um_sweep_cell(um_plan *p, const um_sweep *w, int64_t number, um_task *cell, um_problems *problems)
{
	change *c = um_new(sizeof(*c) * (size_t)(w->n + 1));
	bool *all = um_new(sizeof(*all) * (size_t)(w->n + 1));
	int n = 0;
	for (int i = w->n - 1; i >= 0; i--) { /* the last key changes fastest */
		if (!uses(p, &w->key[i], cell))
			continue;
		const int count = w->key[i].values->n;
		memmove(c + 1, c, sizeof(*c) * (size_t)n++);
		c[0] = (change){ &w->key[i], w->key[i].values->child[number % count] };
		number /= count;
	}
	for (int i = 0; i < n; i++)
		all[i] = true;
	cell->forward = item_variant(p, UM_FORWARD, cell->forward, n, c, problems);
	cell->prior = prior_variant(p, cell->prior, n, c, problems);
	cell->inference = item_variant(p, UM_INFERENCE, cell->inference, n, c, problems);
	char *name = label(n, c, all);
	free(c);
	free(all);
	return name;
}
