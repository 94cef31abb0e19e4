/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What can be said of a plugin before any of its code runs. */
#include <ctype.h>
#include <string.h>
#include "host/conform.h"

static bool empty(const char *s)
{
	return s == NULL || *s == '\0';
}

static um_status check_descriptor(struct fixture *f)
{
	const um_plugin *p = f->b->plugin;
	if (p->abi != UM_ABI)
		return um_fail(UM_EPLUGIN, "ABI %u, this umbra has %d", p->abi, UM_ABI);
	for (const char *c = p->name; *c; c++)
		if (!islower((unsigned char)*c) && !isdigit((unsigned char)*c) && *c != '_' && *c != '-')
			return um_fail(UM_EPLUGIN, "the name '%s' is not of lower-case letters, digits, - and _", p->name);
	if (empty(p->version))
		return um_fail(UM_EPLUGIN, "version is missing");
	return UM_OK;
}

static um_status check_documentation(struct fixture *f)
{
	const um_plugin *p = f->b->plugin;
	if (empty(p->doc))
		return um_fail(UM_EPLUGIN, "doc is missing: one sentence on what the plugin does");
	if (p->citation == NULL)
		return um_fail(UM_EPLUGIN, "citation is NULL: what to cite, or \"\"");
	for (size_t i = 0; i < p->nparams; i++)
		if (empty(p->params[i].doc))
			return um_fail(UM_EPLUGIN, "parameter %s has no doc: one sentence on what it does",
				p->params[i].name ? p->params[i].name : "without a name");
	return UM_OK;
}

/* Bytes of a field of each type, and how it is aligned. */
static size_t field_size(um_type type)
{
	static const size_t size[] = { 0, sizeof(double), sizeof(int64_t), sizeof(bool), sizeof(char *),
		sizeof(char *), sizeof(um_reals), sizeof(um_texts), sizeof(um_pair), sizeof(um_texts),
		sizeof(char *) };
	return type >= UM_REAL && type <= UM_KEY ? size[type] : 0;
}

static um_status check_parameter(const um_plugin *p, const um_param *q)
{
	const size_t size = field_size(q->type);
	if (empty(q->name))
		return um_fail(UM_EPLUGIN, "a parameter has no name");
	if (size == 0)
		return um_fail(UM_EPLUGIN, "parameter %s: type %d is unknown", q->name, (int)q->type);
	if (q->unit == NULL)
		return um_fail(UM_EPLUGIN, "parameter %s: unit is NULL; \"\" for pure numbers", q->name);
	if (q->offset + size > p->params_size)
		return um_fail(UM_EPLUGIN, "parameter %s: bytes %zu to %zu of a struct of %zu", q->name, q->offset,
			q->offset + size, p->params_size);
	if (!(q->min <= q->max))
		return um_fail(UM_EPLUGIN, "parameter %s: the range [%g, %g] is empty", q->name, q->min, q->max);
	for (const um_param *o = p->params; o < q; o++)
		if (strcmp(o->name, q->name) == 0 ||
			(o->offset < q->offset + size && q->offset < o->offset + field_size(o->type)))
			return um_fail(UM_EPLUGIN, "parameters %s and %s share a name or their place", o->name, q->name);
	return UM_OK;
}

static um_status check_table(struct fixture *f)
{
	const um_plugin *p = f->b->plugin;
	um_status st = UM_OK;
	for (size_t i = 0; i < p->nparams && st == UM_OK; i++)
		st = check_parameter(p, &p->params[i]);
	return st;
}

/* Each default must be what a user could type: it parses and lies in its range. */
static um_status check_defaults(struct fixture *f)
{
	const um_plugin *p = f->b->plugin;
	um_status st = UM_OK;
	for (size_t i = 0; i < p->nparams && st == UM_OK; i++) {
		um_problems bad = { 0 };
		um_params *params = NULL;
		if (p->params[i].def == NULL || field_size(p->params[i].type) == 0)
			continue;
		st = um_params_fill(&p->params[i], 1, p->params_size, NULL, NULL, "default", &bad, &params);
		if (st == UM_OK && params == NULL)
			st = um_fail(UM_EPLUGIN, "parameter %s, default %s: %s", p->params[i].name, p->params[i].def,
				bad.n > 0 ? bad.line[0] : "refused");
		um_params_free(params);
		um_problems_free(&bad);
	}
	return st;
}

static um_status check_functions(struct fixture *f)
{
	const um_plugin *p = f->b->plugin;
	static const size_t most[] = { 0, sizeof(um_forward_ops), sizeof(um_prior_ops), sizeof(um_inference_ops) };
	if (p->ops_size < 2 * sizeof(void (*)(void)) || p->ops_size % sizeof(void (*)(void)) != 0 ||
		p->ops_size > 4 * most[p->kind])
		return um_fail(UM_EPLUGIN, "ops_size = %zu is not the size of a struct of functions", p->ops_size);
	return UM_OK;
}

/* What is wrong in the first does not keep the plugin from being run, the second does. */
static const struct check of_the_file[] = {
	{ "descriptor", check_descriptor, NULL }, { "documentation", check_documentation, NULL },
	{ "file name", conform_file_name, NULL }, { "no writable static data", conform_statics, NULL },
};
static const struct check of_the_tables[] = {
	{ "parameter table", check_table, NULL }, { "defaults", check_defaults, NULL }, { "functions", check_functions, NULL },
};

bool conform_descriptor(struct battery *b)
{
	struct fixture f = { .b = b };
	conform_run(b, &f, 1, of_the_file, sizeof(of_the_file) / sizeof(*of_the_file));
	const int before = b->failed;
	conform_run(b, &f, 1, of_the_tables, sizeof(of_the_tables) / sizeof(*of_the_tables));
	return b->failed == before;
}
