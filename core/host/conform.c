/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The conformance battery: what every plugin must satisfy, in tree or not. This file runs the
 * parts; their tools are in conform_tools.c. */
#include <stdlib.h>
#include <string.h>
#include "base/mem.h"
#include "host/conform.h"

/* Shapes in order of preference: frames, bands, channels, rows, columns. The second test is
 * at an odd one with two channels, if the plugin takes it. */
static const int64_t shapes[][5] = {
	{ 1, 1, 1, 6, 8 }, { 1, 1, 1, 8, 8 }, { 1, 1, 1, 1, 2 }, { 1, 1, 1, 16, 16 }, { 1, 1, 1, 28, 28 },
	{ 1, 1, 1, 32, 32 }, { 1, 1, 3, 32, 32 }, { 1, 1, 1, 64, 64 },
};
static const int64_t odd_shape[5] = { 1, 1, 2, 5, 7 };

void conform_line(struct battery *b, const char *name, um_status st)
{
	const char *kind = um_kind_names[b->plugin->kind];
	if (st == UM_OK)
		fprintf(b->out, "ok   %s/%s  %s\n", kind, b->plugin->name, name);
	else
		fprintf(b->out, "FAIL %s/%s  %s: %s\n", kind, b->plugin->name, name, um_message());
	fflush(b->out);
	b->failed += st != UM_OK;
}

void conform_run(struct battery *b, struct fixture *f, int nfixtures, const struct check *checks, size_t n)
{
	for (size_t k = 0; k < n; k++) {
		um_status st = UM_OK;
		for (int i = 0; i < nfixtures && st == UM_OK; i++) {
			const int64_t *s = f[i].env.shape;
			f[i].absent = checks[k].absent != NULL ? checks[k].absent(&f[i]) : NULL;
			if (f[i].absent != NULL)
				continue;
			um_phase(b->plugin, checks[k].name);
			st = checks[k].run(&f[i]);
			um_phase(NULL, NULL);
			if (st == UM_OK)
				st = conform_unharmed(&f[i]);
			conform_release(&f[i]);
			if (st != UM_OK && i > 0)
				um_context(st, "on %lld x %lld pixels, %lld channels", (long long)s[4],
					(long long)s[3], (long long)s[2]);
		}
		if (st == UM_OK && f[0].absent != NULL)
			fprintf(b->out, "none %s/%s  %s (%s)\n", um_kind_names[b->plugin->kind],
				b->plugin->name, checks[k].name, f[0].absent);
		else
			conform_line(b, checks[k].name, st);
	}
}

/* Default parameters with the caller's assignments. */
static um_status fill(const um_plugin *p, const char *const *settings, um_params **out)
{
	um_status st = UM_OK;
	um_node *root = NULL;
	um_problems bad = { 0 };
	*out = NULL;
	UM_TRY(um_config_parse("", "umbra test", &root));
	/* Differences need more digits than fast arithmetic has. */
	for (size_t i = 0; i < p->nparams; i++)
		if (strcmp(p->params[i].name, "precision") == 0 && p->params[i].choices != NULL &&
			strstr(p->params[i].choices, "float32") != NULL)
			UM_TRY(um_config_set(root, "precision=float32"));
	for (; settings != NULL && *settings != NULL; settings++)
		UM_TRY(um_config_set(root, *settings));
	UM_TRY(um_params_fill(p->params, p->nparams, p->params_size, root, NULL, p->name, &bad, out));
	if (*out == NULL)
		st = um_fail(UM_EPARAM, "%s (settings are given as key=value)",
			bad.n > 0 ? bad.line[0] : "refused");
out:
	um_problems_free(&bad);
	um_node_free(root);
	return st;
}

/* Without a pipeline the key of a prior is the name of its plugin, which has its defaults. */
static um_status conform_named(const char *key, const um_env *env, um_params **params, um_prior *named)
{
	um_status st = UM_OK;
	const um_plugin *p = NULL;
	UM_TRY(um_plugin_find(UM_PRIOR, key, &p));
	UM_TRY(fill(p, NULL, params));
	st = um_prior_open(p, um_params_data(*params), env, named);
out:
	return st;
}

um_status conform_instance(struct battery *b, const um_env *env, struct fixture *f)
{
	*f = (struct fixture){ .b = b, .env = *env, .n = 1 };
	for (int i = 0; i < 5; i++)
		f->n *= env->shape[i];
	if (b->plugin->kind == UM_FORWARD)
		return um_forward_open(b->plugin, b->params, env, &f->forward);
	if (b->plugin->kind == UM_PRIOR) {
		const void *params;
		um_prior named = { 0 };
		um_status st = conform_learned(b, env, &params);
		if (st != UM_OK || um_prior_key(b->plugin, params) == NULL)
			return st == UM_OK ? um_prior_open(b->plugin, params, env, &f->prior) : st;
		st = conform_named(um_prior_key(b->plugin, params), env, &f->named, &named);
		return st == UM_OK ? um_prior_open_on(b->plugin, params, env, &named, &f->prior) : st;
	}
	const void *params;
	um_status st = conform_learned(b, env, &params);
	return st == UM_OK ? um_inference_open(b->plugin, params, env, &f->inference) : st;
}

void conform_close(struct fixture *f)
{
	conform_release(f);
	um_forward_close(&f->forward);
	um_prior_close(&f->prior);
	um_inference_close(&f->inference);
	um_params_free(f->named);
	f->named = NULL;
}

um_status conform_open(struct battery *b, struct fixture f[2], int *n)
{
	um_env env = { .size = sizeof(env), .threads = 1, .seed = 7, .scale = 1 };
	um_status st = UM_OK, first = UM_OK;
	char *message = NULL;
	if (b->plugin->caps & UM_SKY)
		env.pixel = 2 * UM_UAS;
	for (size_t i = 0; i < sizeof(shapes) / sizeof(*shapes) && *n == 0; i++) {
		memcpy(env.shape, shapes[i], sizeof(env.shape));
		st = conform_instance(b, &env, &f[0]);
		*n = st == UM_OK;
		if (message == NULL && st != UM_OK) { /* that of the first shape says most */
			first = st;
			message = um_strdup(um_message());
		}
	}
	if (*n == 0)
		um_fail(first, "%s", message);
	memcpy(env.shape, odd_shape, sizeof(env.shape));
	if (*n == 1 && b->plugin->kind != UM_INFERENCE && conform_instance(b, &env, &f[1]) == UM_OK)
		*n = 2;
	free(message);
	return *n > 0 ? UM_OK : first;
}

static void run_kind(struct battery *b, struct fixture *f, int n)
{
	if (b->plugin->kind == UM_FORWARD)
		conform_forward(b, f, n);
	if (b->plugin->kind == UM_PRIOR) {
		conform_prior(b, f, n);
		conform_score(b, f, n);
		conform_closed(b, f, n);
		conform_fit(b, f, n);
	}
	if (b->plugin->kind == UM_INFERENCE) {
		conform_inference(b, f, n);
		conform_fit(b, f, n);
	}
}

um_status um_conform(const um_plugin *p, const char *const *settings, FILE *out, int *failed)
{
	struct battery b = { .plugin = p, .out = out };
	struct fixture f[2] = { 0 };
	um_params *params = NULL;
	int n = 0;
	um_status st = conform_descriptor(&b) ? fill(p, settings, &params) : UM_OK;
	if (st != UM_OK)
		conform_line(&b, "settings", st);
	if (params != NULL) {
		b.params = um_params_data(params);
		conform_line(&b, "create", conform_open(&b, f, &n));
	}
	if (n > 0)
		run_kind(&b, f, n);
	for (int i = 0; i < n; i++)
		conform_close(&f[i]);
	conform_forget(&b);
	um_params_free(params);
	*failed = b.failed;
	return UM_OK;
}
