/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Items of a plan: forward models, priors and inferences, each a plugin with its parameters. */
#include <stdlib.h>
#include <string.h>
#include "base/mem.h"
#include "pipeline/plan.h"

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

const char *um_plan_forward_key(const um_plan *p, int forward)
{
	const um_item *f = &p->forward[forward];
	return f->base != NULL ? f->base : f->key;
}

int um_plan_named(const um_plan *p, int prior, int k)
{
	const um_item *f = &p->prior[prior].factor[k];
	if (f->plugin == NULL || f->params == NULL)
		return -1;
	return um_plan_prior(p, um_prior_key(f->plugin, um_params_data(f->params)));
}

/* ---- making them --------------------------------------------------------------------- */

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

static const um_param forward_table[] = {
	UM_PARAM_TEXT(um_forward_settings, plugin, NULL, "The plugin; its parameters stand beside these keys."),
	UM_FILE(um_forward_settings, measurements, "", "What was measured, for a forward model without files of its own: FITS or .npy, images where "
		"a measurement is one, else rows of numbers as in measurements.fits of a run; extensions SIGMA and OPERATOR for noise and masks "
		"that are not those of the parameters."),
	UM_FILE(um_forward_settings, truth, "", "The true image where it is known, for the truth metrics."),
};

const um_param *um_forward_table(size_t *n)
{
	*n = sizeof(forward_table) / sizeof(*forward_table);
	return forward_table;
}

static const char *const host_keys[] = { "plugin", "measurements", "truth", NULL };

static bool is_host_key(const char *name)
{
	int i = 0;
	while (host_keys[i] != NULL && strcmp(host_keys[i], name) != 0)
		i++;
	return host_keys[i] != NULL;
}

/* The keys of a forward group that the host reads. */
static void read_forward_settings(um_plan *p, int i, um_problems *problems)
{
	um_item *item = &p->forward[i];
	if (item->plugin == NULL)
		return;
	const char **others = um_new(sizeof(*others) * (size_t)(item->node->n + 1));
	int n = 0;
	for (int k = 0; k < item->node->n; k++)
		if (!is_host_key(item->node->child[k]->name))
			others[n++] = item->node->child[k]->name;
	if (um_params_fill(forward_table, sizeof(forward_table) / sizeof(*forward_table), sizeof(um_forward_settings), item->node, others,
		"forward", problems, &p->forward_set_params[i]) == UM_OK && p->forward_set_params[i] != NULL)
		p->forward_set[i] = *(const um_forward_settings *)um_params_data(p->forward_set_params[i]);
	free(others);
}

/* Room for one more. */
static void *more(void *list, size_t each, int n)
{
	list = um_grow(list, each * (size_t)(n + 2));
	memset((char *)list + each * (size_t)n, 0, 2 * each);
	return list;
}

static int add_forward(um_plan *p, um_node *node, const char *key, um_problems *problems)
{
	const int i = p->nforward++;
	p->forward = more(p->forward, sizeof(*p->forward), i);
	p->forward_set = more(p->forward_set, sizeof(*p->forward_set), i);
	p->forward_set_params = more(p->forward_set_params, sizeof(*p->forward_set_params), i);
	p->forward[i] = read_item(UM_FORWARD, node, key, host_keys, problems);
	read_forward_settings(p, i, problems);
	const um_item *f = &p->forward[i];
	if (f->plugin != NULL && (f->plugin->caps & UM_SKY) && !(p->image.fov_uas > 0) && p->image_params != NULL)
		um_problems_add(problems, UM_EPARAM, node, "forward/%s sees the sky: set fov_uas in the group image",
			f->plugin->name);
	return i;
}

static int add_prior(um_plan *p, um_node *node, const char *key, const char *name, um_problems *problems)
{
	static const char *const skip[] = { "plugin", NULL };
	const int i = p->nprior++;
	const bool list = node->type == UM_NODE_LIST;
	p->prior = more(p->prior, sizeof(*p->prior), i);
	um_prior_item *prior = &p->prior[i];
	*prior = (um_prior_item){ .key = um_strdup(key), .node = node, .n = list ? node->n : 1 };
	if (list && node->n == 0)
		um_problems_add(problems, UM_EPARAM, node, "a product of priors needs at least one");
	prior->factor = um_new(sizeof(*prior->factor) * (size_t)(prior->n + 1));
	for (int k = 0; k < prior->n; k++) {
		um_node *f = list ? node->child[k] : node;
		prior->factor[k] = read_item(UM_PRIOR, f, name, skip, problems);
		if (prior->factor[k].plugin != NULL && (prior->factor[k].plugin->caps & UM_SKY) &&
			!(p->image.fov_uas > 0) && p->image_params != NULL)
			um_problems_add(problems, UM_EPARAM, f, "priors/%s is about the sky: set fov_uas in "
				"the group image", prior->factor[k].plugin->name);
	}
	return i;
}

static int add_inference(um_plan *p, um_node *node, const char *key, um_problems *problems)
{
	static const char *const skip[] = { "plugin", NULL };
	p->inference = more(p->inference, sizeof(*p->inference), p->ninference);
	p->inference[p->ninference] = read_item(UM_INFERENCE, node, key, skip, problems);
	return p->ninference++;
}

int um_plan_add(um_plan *p, um_kind kind, um_node *node, const char *key, const char *base, um_problems *problems)
{
	char *of = base != NULL ? um_strdup(base) : NULL;
	int i;
	if (kind == UM_PRIOR) {
		i = add_prior(p, node, key, of != NULL ? of : key, problems);
		p->prior[i].base = of;
	} else if (kind == UM_FORWARD) {
		i = add_forward(p, node, key, problems);
		p->forward[i].base = of;
	} else {
		i = add_inference(p, node, key, problems);
		p->inference[i].base = of;
	}
	return i;
}

/* ---- releasing them ------------------------------------------------------------------- */

static void free_item(um_item *item)
{
	if (item->base != NULL)
		um_node_free(item->node);
	free(item->base);
	free(item->key);
	free(item->weights);
	free(item->trained);
	um_params_free(item->params);
}

void um_plan_free_items(um_plan *p)
{
	for (int i = 0; i < p->nforward; i++) {
		free_item(&p->forward[i]);
		um_params_free(p->forward_set_params[i]);
	}
	for (int i = 0; i < p->nprior; i++) {
		for (int k = 0; k < p->prior[i].n; k++)
			free_item(&p->prior[i].factor[k]);
		if (p->prior[i].base != NULL)
			um_node_free(p->prior[i].node);
		free(p->prior[i].factor);
		free(p->prior[i].base);
		free(p->prior[i].key);
	}
	for (int i = 0; i < p->ninference; i++)
		free_item(&p->inference[i]);
	free(p->forward);
	free(p->forward_set);
	free(p->forward_set_params);
	free(p->prior);
	free(p->inference);
}

um_status um_plan_open_forward(const um_plan *p, int i, const um_env *env, um_forward *out)
{
	const char *file = p->forward_set[i].measurements;
	um_status st = um_forward_open(p->forward[i].plugin, um_params_data(p->forward[i].params), env, out);
	if (st != UM_OK || file == NULL || *file == '\0')
		return st;
	st = um_forward_read(out, file);
	if (st != UM_OK)
		um_forward_close(out);
	return st;
}
