/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Opening plugins of the build in tests: parameters as "key=value" texts. */
#ifndef TESTS_PLUG_H
#define TESTS_PLUG_H

#include <umbra/host.h>
#include "check.h"

/* build/sub/name.so, of the build that UMBRA_BUILD names. */
static inline const um_plugin *plug_open(const char *sub, const char *name)
{
	const char *dir = getenv("UMBRA_BUILD");
	char path[4096];
	const um_plugin *p = NULL;
	snprintf(path, sizeof(path), "%s/%s/%s.so", dir ? dir : "build", sub, name);
	CHECK_OK(um_plugin_open(path, &p));
	return p;
}

static inline um_status plug_params(const um_plugin *p, const char *const *settings, um_params **out)
{
	um_node *root = NULL;
	um_problems bad = { 0 };
	um_status st = um_config_parse("", "test", &root);
	for (; st == UM_OK && settings != NULL && *settings != NULL; settings++)
		st = um_config_set(root, *settings);
	if (st == UM_OK)
		st = um_params_fill(p->params, p->nparams, p->params_size, root, NULL, p->name, &bad, out);
	if (st == UM_OK && *out == NULL)
		st = um_fail(UM_EPARAM, "%s", bad.n ? bad.line[0] : "no parameters");
	um_problems_free(&bad);
	um_node_free(root);
	return st;
}

static inline um_env plug_env(int64_t channels, int64_t rows, int64_t columns)
{
	return (um_env){ .size = sizeof(um_env), .threads = 1, .seed = 1,
		.shape = { 1, 1, channels, rows, columns }, .pixel = 2 * 4.848136811095360e-12, .scale = 1 };
}

/* A prior or forward model with its parameters; close it with plug_close. */
typedef struct plug {
	um_params *params;
	um_env env;
	um_prior prior;
	um_forward forward;
} plug;

static inline um_status plug_try(plug *g, um_kind kind, const char *name, um_env env, const char *const *set)
{
	*g = (plug){ .env = env };
	const um_plugin *p = plug_open(kind == UM_PRIOR ? "plugins/priors" : "plugins/forward", name);
	um_status st = plug_params(p, set, &g->params);
	if (st == UM_OK && kind == UM_PRIOR)
		st = um_prior_open(p, um_params_data(g->params), &g->env, &g->prior);
	else if (st == UM_OK)
		st = um_forward_open(p, um_params_data(g->params), &g->env, &g->forward);
	return st;
}

static inline void plug_close(plug *g)
{
	um_prior_close(&g->prior);
	um_forward_close(&g->forward);
	um_params_free(g->params);
}

#define SET(...) (const char *const[]){ __VA_ARGS__, NULL }

/* Two settings that a plugin refuses, and what it then says. */
typedef struct plug_refusal {
	const char *a, *b, *text;
} plug_refusal;

static inline void plug_refuses(um_kind kind, const char *name, um_env env, const plug_refusal *cases, size_t n)
{
	plug g;
	for (size_t i = 0; i < n; i++) {
		um_status st = plug_try(&g, kind, name, env, SET(cases[i].a, cases[i].b));
		CHECK(st == UM_EPARAM || st == UM_EDATA);
		if (strstr(um_message(), cases[i].text) == NULL)
			fprintf(stderr, "%s: %s\n", cases[i].b, um_message());
		CHECK(strstr(um_message(), cases[i].text) != NULL);
		plug_close(&g);
	}
}

#endif
