/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Versions, inputs, hashes. */
#include <errno.h>
#include <nettle/sha2.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>
#include "base/isa.h"
#include "base/mem.h"
#include "data/imageset.h"
#include "pipeline/provenance.h"
#include "report/text.h"

static um_status add_bytes(const char *path, struct sha256_ctx *ctx)
{
	unsigned char buffer[1 << 15];
	size_t n;
	FILE *f = fopen(path, "r");
	if (f == NULL)
		return um_fail(UM_EDATA, "%s: %s", path, strerror(errno));
	while ((n = fread(buffer, 1, sizeof(buffer), f)) > 0)
		sha256_update(ctx, n, buffer);
	bool bad = ferror(f);
	fclose(f);
	return bad ? um_fail(UM_EDATA, "%s: %s", path, strerror(errno)) : UM_OK;
}

/* Of a folder of images: each file's name, a zero byte and its bytes, in the order of names. */
static um_status add_folder(const char *path, struct sha256_ctx *ctx)
{
	char **list = NULL;
	int64_t n = 0;
	um_status st = um_imageset_files(1, &path, &list, &n);
	for (int64_t i = 0; i < n; i++) {
		const char *name = strrchr(list[i], '/') + 1;
		sha256_update(ctx, strlen(name) + 1, (const uint8_t *)name);
		if (st == UM_OK)
			st = add_bytes(list[i], ctx);
		free(list[i]);
	}
	free(list);
	return st;
}

um_status um_sha256_file(const char *path, char hex[65])
{
	unsigned char digest[SHA256_DIGEST_SIZE];
	struct sha256_ctx ctx;
	struct stat s;
	sha256_init(&ctx);
	um_status st = stat(path, &s) == 0 && S_ISDIR(s.st_mode) ? add_folder(path, &ctx) : add_bytes(path, &ctx);
	if (st != UM_OK)
		return st;
	sha256_digest(&ctx, sizeof(digest), digest);
	for (int i = 0; i < SHA256_DIGEST_SIZE; i++)
		snprintf(hex + 2 * i, 3, "%02x", digest[i]);
	return UM_OK;
}

json_t *um_json_text(const char *s)
{
	char *out = um_new(3 * strlen(s) + 1), *o = out;
	for (const unsigned char *c = (const unsigned char *)s; *c;) {
		size_t n = um_utf8_length(c, strlen((const char *)c));
		memcpy(o, n ? (const char *)c : "\xef\xbf\xbd", n ? n : 3);
		o += n ? n : 3;
		c += n ? n : 1;
	}
	json_t *j = json_string(out);
	free(out);
	return j;
}

static void add_input(um_input **list, int *n, char *name, const char *path)
{
	*list = um_grow(*list, sizeof(**list) * (size_t)(*n + 1));
	(*list)[(*n)++] = (um_input){ name, um_strdup(path) };
}

static void add_item(um_input **list, int *n, const char *group, const um_item *item, const char *base)
{
	if (item->plugin == NULL)
		return;
	const char *key = base != NULL ? base : item->key;
	for (size_t i = 0; i < item->plugin->nparams; i++) {
		const um_param *q = &item->plugin->params[i];
		const um_node *v = um_node_get(item->node, q->name);
		if (q->type == UM_PATH && v != NULL && v->type == UM_NODE_TEXT && *v->text)
			add_input(list, n, um_format("%s.%s.%s", group, key, q->name), v->text);
		for (int k = 0; q->type == UM_PATHS && v != NULL && k < v->n; k++)
			add_input(list, n, um_format("%s.%s.%s.%d", group, key, q->name, k + 1),
				v->child[k]->text);
	}
}

/* What a train stage learns from. */
static void add_data(um_input **list, int *n, const um_stage *s, const char *key)
{
	for (int64_t k = 0; k < s->data.files.n; k++)
		add_input(list, n, s->data.files.n == 1 ? um_format("train.%s.data", key) :
			um_format("train.%s.data.%lld", key, (long long)k + 1), s->data.files.v[k]);
}

/* What the priors of a run, or of one task, read: their own files, the weights that a train stage
 * of this run made for them, and what that stage learns from. */
static void add_priors(um_input **list, int *n, const um_plan *p, const um_task *task)
{
	const um_stage *own = task != NULL ? &p->stage[task->stage] : NULL;
	for (int i = 0; i < p->nprior; i++) {
		const um_stage *s = um_plan_training(p, i);
		const char *weights = p->prior[i].factor[0].weights;
		const bool fitted = own != NULL && own->kind == UM_TRAIN && s == own;
		const bool drawn = own != NULL && (own->kind == UM_CALIBRATE ? um_plan_truths(p, own) == i :
			own->kind != UM_INFER && um_plan_prior(p, own->data.prior) == i);
		if (task != NULL && task->prior != i && !drawn)
			continue;
		for (int k = 0; k < p->prior[i].n; k++)
			add_item(list, n, "priors", &p->prior[i].factor[k], task != NULL ? p->prior[i].base : p->prior[i].key);
		if (s != NULL && (task == NULL || fitted))
			add_data(list, n, s, p->prior[i].key);
		if (task != NULL && !fitted && weights != NULL)
			add_input(list, n, um_format("train.%s", p->prior[i].key), weights);
	}
}

/* The same of inferences. */
static void add_inference(um_input **list, int *n, const um_plan *p, const um_task *task)
{
	for (int i = 0; i < p->ninference; i++) {
		const um_item *item = &p->inference[i];
		const um_stage *s = um_plan_learning(p, i);
		const bool fitted = task != NULL && um_plan_kind(p, task) == UM_TRAIN;
		if (task != NULL && task->inference != i)
			continue;
		add_item(list, n, "inference", item, task != NULL ? item->base : NULL);
		if (s != NULL && (task == NULL || fitted))
			add_data(list, n, s, item->key);
		if (task != NULL && !fitted && item->weights != NULL)
			add_input(list, n, um_format("train.%s", item->key), item->weights);
	}
}

/* The measurements of a file, and the truth where it is known, of a forward model. */
static void add_truth(um_input **list, int *n, const um_plan *p, int i)
{
	const um_stage *sim = um_plan_simulation(p, i);
	if (p->forward_set[i].measurements != NULL && *p->forward_set[i].measurements)
		add_input(list, n, um_format("forward.%s.measurements", um_plan_forward_key(p, i)), p->forward_set[i].measurements);
	if (p->forward_set[i].truth != NULL && *p->forward_set[i].truth)
		add_input(list, n, um_format("forward.%s.truth", um_plan_forward_key(p, i)), p->forward_set[i].truth);
	if (sim != NULL && sim->set.truth_file != NULL)
		add_input(list, n, um_format("simulate.%s.truth", um_plan_forward_key(p, i)), sim->set.truth_file);
	for (int64_t k = 0; sim != NULL && k < sim->data.files.n; k++)
		add_input(list, n, sim->data.files.n == 1 ? um_format("simulate.%s.truth", um_plan_forward_key(p, i)) :
			um_format("simulate.%s.truth.%lld", um_plan_forward_key(p, i), (long long)k + 1), sim->data.files.v[k]);
}

/* The images of import stages, or of that of one task. */
static void add_imports(um_input **list, int *n, const um_plan *p, const um_task *task)
{
	for (int i = 0; i < p->nstage; i++) {
		const um_stage *s = &p->stage[i];
		for (int64_t k = 0; s->kind == UM_IMPORT && (task == NULL || task->stage == i) && k < s->set.files.n; k++)
			add_input(list, n, s->set.files.n == 1 ? um_format("import.%s", s->set.name) :
				um_format("import.%s.%lld", s->set.name, (long long)k + 1), s->set.files.v[k]);
	}
}

int um_plan_inputs(const um_plan *p, int t, um_input **list)
{
	int n = 0;
	const um_task *task = t >= 0 ? &p->task[t] : NULL;
	*list = NULL;
	if (p->image.mesh != NULL && *p->image.mesh != '\0')
		add_input(list, &n, um_strdup("image.mesh"), p->image.mesh);
	for (int i = 0; i < p->nforward; i++) {
		const bool calibrates = task != NULL && um_plan_kind(p, task) == UM_CALIBRATE;
		if (task != NULL && task->forward != i && !(calibrates && um_plan_simulator(p, &p->stage[task->stage]) == i))
			continue;
		add_item(list, &n, "forward", &p->forward[i], task != NULL ? p->forward[i].base : NULL);
		if (task == NULL ? p->forward[i].base == NULL : um_plan_kind(p, task) != UM_TRAIN)
			add_truth(list, &n, p, i);
	}
	add_priors(list, &n, p, task);
	add_inference(list, &n, p, task);
	add_imports(list, &n, p, task);
	return n;
}

void um_inputs_free(um_input *list, int n)
{
	for (int i = 0; i < n; i++) {
		free(list[i].name);
		free(list[i].path);
	}
	free(list);
}

um_status um_history(const um_plan *p, int t, char ***cards)
{
	um_status st = UM_OK;
	um_input *in = NULL;
	int n = um_plan_inputs(p, t, &in), k = 0;
	char **c = um_new(sizeof(*c) * (size_t)(n + 4));
	c[k++] = um_strdup("umbra " UM_VERSION);
	c[k++] = um_format("seed %lld", (long long)p->seed);
	c[k++] = um_format("made by %s", p->task[t].name);
	for (int i = 0; i < n; i++) {
		char hex[65];
		UM_TRY(um_sha256_file(in[i].path, hex));
		c[k++] = um_format("input %s sha256 %s", in[i].name, hex);
	}
	*cards = c;
	c = NULL;
out:
	um_history_free(c);
	um_inputs_free(in, n);
	return st;
}

void um_history_free(char **cards)
{
	for (int i = 0; cards != NULL && cards[i] != NULL; i++)
		free(cards[i]);
	free(cards);
}

static void note_plugin(json_t *plugins, const um_plugin *p)
{
	if (p == NULL)
		return;
	char *name = um_format("%s/%s", um_kind_names[p->kind], p->name);
	json_object_set_new(plugins, name, json_string(p->version ? p->version : ""));
	free(name);
}

static json_t *plugin_versions(const um_plan *p)
{
	json_t *plugins = json_object();
	for (int i = 0; i < p->nforward; i++)
		note_plugin(plugins, p->forward[i].plugin);
	for (int i = 0; i < p->nprior; i++)
		for (int k = 0; k < p->prior[i].n; k++)
			note_plugin(plugins, p->prior[i].factor[k].plugin);
	for (int i = 0; i < p->ninference; i++)
		note_plugin(plugins, p->inference[i].plugin);
	return plugins;
}

static json_t *input_hashes(const um_plan *p)
{
	json_t *inputs = json_object();
	um_input *in = NULL;
	int n = um_plan_inputs(p, -1, &in);
	for (int i = 0; i < n; i++) {
		char hex[65] = "";
		if (um_sha256_file(in[i].path, hex) == UM_OK)
			json_object_set_new(inputs, in[i].name, json_pack("{s:o, s:s}", "path",
				um_json_text(in[i].path), "sha256", hex));
	}
	um_inputs_free(in, n);
	return inputs;
}

um_status um_run_record(const um_plan *p, const char *command, int threads, json_t **out)
{
	char when[32], hex[65] = "";
	struct utsname host;
	time_t now = time(NULL);
	struct tm tm;
	strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&now, &tm));
	uname(&host);
	um_status st = um_sha256_file(p->file, hex);
	if (st != UM_OK)
		return st;
	char *machine = um_format("%s %s %s", host.nodename, host.sysname, host.machine);
	json_t *j = json_pack("{s:s, s:o, s:s, s:o, s:s, s:i, s:I, s:o, s:o}", "umbra", UM_VERSION, "title",
		um_json_text(p->title), "started", when, "host", um_json_text(machine), "isa", um_isa_name(um_isa_now()),
		"threads", threads, "seed", (json_int_t)p->seed, "command", um_json_text(command), "pipeline", um_json_text(p->file));
	json_object_set_new(j, "pipeline_sha256", json_string(hex));
	json_object_set_new(j, "plugins", plugin_versions(p));
	json_object_set_new(j, "inputs", input_hashes(p));
	json_object_set_new(j, "cells", json_object());
	free(machine);
	*out = j;
	return UM_OK;
}
