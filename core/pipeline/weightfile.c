/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The weight file of a train task: what the fit delivered, and what it was made from. */
#include <stdlib.h>
#include <string.h>
#include "base/mem.h"
#include "pipeline/provenance.h"
#include "pipeline/task.h"

/* Members of a group as text of a pipeline file. */
static char *text_of(const um_node *group)
{
	char *text = NULL;
	size_t size = 0;
	FILE *f = open_memstream(&text, &size);
	um_config_write(group, f);
	fclose(f);
	return text;
}

static bool is_default(um_node *child, const um_param *table, size_t n)
{
	const um_param *p = table;
	while (p < table + n && strcmp(p->name, child->name) != 0)
		p++;
	if (p == table + n || p->def == NULL)
		return false;
	um_node usual = { .type = UM_NODE_GROUP, .file = child->file, .base = child->base }, own = { .type = UM_NODE_GROUP, .n = 1, .child = &child };
	if (um_node_add(&usual, p->name, p->type, p->def) != UM_OK)
		return false;
	usual.child[0]->filled = child->filled; /* which is written too */
	char *a = text_of(&usual), *b = text_of(&own);
	const bool same = strcmp(a, b) == 0;
	free(a);
	free(b);
	um_node_free(usual.child[0]);
	free(usual.child);
	return same;
}

static bool is_path(const char *key)
{
	return strcmp(key, "files") == 0 || strcmp(key, "model") == 0 || strcmp(key, "truth") == 0;
}

/* What a group says that is no default, as text of a pipeline file; paths are left out, and files are inputs. */
static char *settings_of(const um_node *group, const um_param *table, size_t n)
{
	if (group == NULL)
		return um_strdup("");
	um_node some = *group;
	some.child = um_new(sizeof(*some.child) * (size_t)(group->n + 1));
	some.n = 0;
	for (int i = 0; i < group->n; i++)
		if (!is_path(group->child[i]->name) && !is_default(group->child[i], table, n))
			some.child[some.n++] = group->child[i];
	char *text = text_of(&some);
	free(some.child);
	return text;
}

static char *item_settings(const um_item *item)
{
	return settings_of(item->node, item->plugin->params, item->plugin->nparams);
}

/* Of all factors of a prior, or, for -1, "". */
static char *prior_settings(const um_plan *p, int prior)
{
	char *all = um_strdup("");
	for (int k = 0; prior >= 0 && k < p->prior[prior].n; k++) {
		char *one = item_settings(&p->prior[prior].factor[k]), *longer = um_format("%s%s", all, one);
		free(one);
		free(all);
		all = longer;
	}
	return all;
}

static char *data_of(const um_data_settings *data)
{
	return data->prior != NULL && *data->prior ? um_format("draws of priors.%s", data->prior) :
		um_strdup(data->about != NULL ? data->about : "");
}

static void note(um_tensors *t, const char *key, char *value)
{
	if (*value != '\0')
		um_tensors_note(t, key, value);
	free(value);
}

/* What the file was made from; nothing that differs between equal runs. */
static void note_origin(const um_plan *p, const um_task *task, const um_item *item, um_tensors *t)
{
	const um_stage *stage = &p->stage[task->stage];
	const um_data_settings *data = &stage->data;
	const int64_t *s = p->env.shape;
	size_t rows;
	const um_param *table = um_data_table(&rows);
	note(t, "umbra", um_strdup(UM_VERSION));
	note(t, "plugin", um_format("%s/%s %s", um_kind_names[item->plugin->kind], item->plugin->name, item->plugin->version != NULL ?
		item->plugin->version : ""));
	note(t, "title", um_strdup(p->title));
	note(t, "settings", item_settings(item));
	if (task->inference >= 0) {
		note(t, "forward_settings", item_settings(&p->forward[task->forward]));
		note(t, "prior_settings", prior_settings(p, task->prior));
	}
	note(t, "data_settings", settings_of(um_node_get(stage->node, "data"), table, rows));
	note(t, "drawn_from", prior_settings(p, um_plan_prior(p, data->prior)));
	note(t, "data", data_of(data));
	note(t, "licence", um_strdup(data->licence != NULL ? data->licence : ""));
	note(t, "seed", um_format("%lld", (long long)p->seed));
	note(t, "shape", um_format("%lld %lld %lld %lld %lld", (long long)s[0], (long long)s[1], (long long)s[2], (long long)s[3],
		(long long)s[4]));
}

static um_status note_inputs(const um_plan *p, int task, um_tensors *t)
{
	um_status st = UM_OK;
	um_input *in = NULL;
	const int n = um_plan_inputs(p, task, &in);
	for (int i = 0; i < n && st == UM_OK; i++) {
		char hex[65], *key = um_format("input %s", in[i].name);
		st = um_sha256_file(in[i].path, hex);
		if (st == UM_OK)
			um_tensors_note(t, key, hex);
		free(key);
	}
	um_inputs_free(in, n);
	return st;
}

um_status um_weight_file_write(const um_plan *p, int task, const um_item *item, um_tensors *t)
{
	const char *storage = p->stage[p->task[task].stage].set.storage;
	if (t->n == 0)
		return um_fail(UM_EPLUGIN, "%s/%s: fit delivered no weights", um_kind_names[item->plugin->kind], item->plugin->name);
	note_origin(p, &p->task[task], item, t);
	um_status st = note_inputs(p, task, t);
	t->store = storage[5] == '3' ? UM_STORE_SAME : storage[0] == 'f' ? UM_STORE_F16 : UM_STORE_BF16;
	return st == UM_OK ? um_tensors_write(item->weights, t) : st;
}
