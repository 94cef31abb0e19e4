/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Filling parameter structs from groups of a pipeline file, with every problem
 * reported, and describing the tables to people. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <umbra/config.h>
#include "base/file.h"
#include "base/mem.h"

struct um_params {
	void *data;
	int nblocks;
	void **block; /* strings and lists that data points to */
};

/* What one conversion needs. */
struct fill {
	um_params *out;
	const um_param *q;
	um_node *node;
	const char *what; /* "priors/tv" */
	um_problems *problems;
};

static const char *const type_names[] = { "", "number", "integer", "true or false", "text", "file",
	"list of numbers", "list of texts", "pair of numbers", "list of files", "key of the group priors" };

static void *block(um_params *p, size_t bytes)
{
	p->block = um_grow(p->block, sizeof(*p->block) * (size_t)(p->nblocks + 1));
	return p->block[p->nblocks++] = um_new(bytes);
}

static char *keep_text(um_params *p, const char *s)
{
	return strcpy(block(p, strlen(s) + 1), s);
}

static bool is_choice(const char *text, const char *choices)
{
	size_t n = strlen(text);
	for (const char *c = choices; c != NULL; c = strchr(c, '|') ? strchr(c, '|') + 1 : NULL)
		if (strncmp(c, text, n) == 0 && (c[n] == '|' || c[n] == '\0'))
			return true;
	return false;
}

static void wrong_type(struct fill *f)
{
	um_problems_add(f->problems, UM_EPARAM, f->node, "%s: expected %s%s%s", f->what,
		f->q->type == UM_INT ? "an " : f->q->type == UM_BOOL ? "" : "a ", type_names[f->q->type],
		f->q->type == UM_PAIR ? ", [low, high]" : "");
}

/* A number in the range of the parameter; complains otherwise. */
static bool number(struct fill *f, const um_node *v, double *out)
{
	if (v->type != UM_NODE_REAL && v->type != UM_NODE_INT) {
		wrong_type(f);
		return false;
	}
	*out = v->real;
	if (f->q->min <= *out && *out <= f->q->max)
		return true;
	um_problems_add(f->problems, UM_EPARAM, f->node, "%s: %g lies outside [%g, %g]%s%s", f->what, *out,
		f->q->min, f->q->max, *f->q->unit ? " " : "", f->q->unit);
	return false;
}

static bool text(struct fill *f, const um_node *v, const char **out)
{
	if (v->type != UM_NODE_TEXT) {
		wrong_type(f);
		return false;
	}
	if (f->q->choices != NULL && !is_choice(v->text, f->q->choices)) {
		um_problems_add(f->problems, UM_EPARAM, f->node, "%s: '%s' is none of %s", f->what, v->text,
			f->q->choices);
		return false;
	}
	*out = keep_text(f->out, v->text);
	return true;
}

/* Folders will do as well as files. */
static bool places(const um_param *q)
{
	return q->type == UM_PATHS && q->max > 0;
}

static bool path(struct fill *f, um_node *v, const char **at)
{
	if (!text(f, v, at))
		return false;
	if (**at == '\0')
		return true;
	char *full = um_path_resolve(*at, v->base);
	struct stat s;
	if (access(full, R_OK) != 0)
		um_problems_add(f->problems, UM_EDATA, f->node, "%s: %s: %s", f->what, full, strerror(errno));
	else if (stat(full, &s) == 0 && S_ISDIR(s.st_mode) && !places(f->q))
		um_problems_add(f->problems, UM_EDATA, f->node, "%s: %s is a folder, not a file", f->what, full);
	free(v->text); /* what the run record shows */
	v->text = um_file_absolute(full);
	*at = keep_text(f->out, v->text);
	free(full);
	return true;
}

static bool is_sequence(struct fill *f)
{
	if (f->node->type == UM_NODE_ARRAY || f->node->type == UM_NODE_LIST)
		return true;
	wrong_type(f);
	return false;
}

static void reals(struct fill *f, um_reals *at)
{
	if (!is_sequence(f))
		return;
	double *v = block(f->out, sizeof(double) * (size_t)(f->node->n + 1));
	for (int i = 0; i < f->node->n; i++)
		if (!number(f, f->node->child[i], &v[i]))
			return;
	*at = (um_reals){ f->node->n, v };
}

static void texts(struct fill *f, um_texts *at)
{
	if (places(f->q) && f->node->type == UM_NODE_TEXT)
		um_node_wrap(f->node);
	if (!is_sequence(f))
		return;
	const char **v = block(f->out, sizeof(*v) * (size_t)(f->node->n + 1));
	for (int i = 0; i < f->node->n; i++)
		if (f->q->type == UM_PATHS ? !path(f, f->node->child[i], &v[i]) : !text(f, f->node->child[i], &v[i]))
			return;
	*at = (um_texts){ f->node->n, v };
}

static void pair(struct fill *f, um_pair *at)
{
	if (!is_sequence(f))
		return;
	if (f->node->n != 2) {
		wrong_type(f);
		return;
	}
	if (number(f, f->node->child[0], &at->lo) && number(f, f->node->child[1], &at->hi) &&
		!(at->lo <= at->hi))
		um_problems_add(f->problems, UM_EPARAM, f->node, "%s: the pair [%g, %g] is not in rising order",
			f->what, at->lo, at->hi);
}

static void fill_one(struct fill *f)
{
	void *at = (char *)f->out->data + f->q->offset;
	double v;
	switch (f->q->type) {
	case UM_REAL:
		number(f, f->node, at);
		return;
	case UM_INT:
		if (f->node->type != UM_NODE_INT)
			wrong_type(f);
		else if (number(f, f->node, &v))
			*(int64_t *)at = f->node->integer;
		return;
	case UM_BOOL:
		if (f->node->type != UM_NODE_BOOL)
			wrong_type(f);
		*(bool *)at = f->node->integer != 0;
		return;
	case UM_TEXT:
	case UM_KEY:
		text(f, f->node, at);
		return;
	case UM_PATH:
		path(f, f->node, at);
		return;
	case UM_REALS:
		reals(f, at);
		return;
	case UM_TEXTS:
	case UM_PATHS:
		texts(f, at);
		return;
	case UM_PAIR:
		pair(f, at);
		return;
	}
}

static bool in_list(const char *name, const char *const *list)
{
	for (; list != NULL && *list != NULL; list++)
		if (strcmp(name, *list) == 0)
			return true;
	return false;
}

static void check_unknown(const um_param *table, size_t n, const um_node *group, const char *const *skip,
	const char *what, um_problems *problems)
{
	const char **words = um_new(sizeof(*words) * (n + 1));
	for (size_t i = 0; i < n; i++)
		words[i] = table[i].name;
	for (int i = 0; i < group->n; i++) {
		const um_node *c = group->child[i];
		if (in_list(c->name, skip) || in_list(c->name, words))
			continue;
		const char *near = um_nearest(c->name, words);
		if (near != NULL)
			um_problems_add(problems, UM_EPARAM, c, "%s has no such key; did you mean '%s'?", what, near);
		else
			um_problems_add(problems, UM_EPARAM, c, "%s has no such key; it knows%s", what,
				n ? "" : " none");
		if (near == NULL && n > 0) {
			char **line = &problems->line[problems->n - 1];
			for (size_t k = 0; k < n; k++) {
				char *longer = um_format("%s%s %s", *line, k ? "," : "", words[k]);
				free(*line);
				*line = longer;
			}
		}
	}
	free(words);
}

um_status um_params_fill(const um_param *table, size_t n, size_t size, um_node *group,
	const char *const *skip, const char *what, um_problems *problems, um_params **out)
{
	um_status st = UM_OK;
	um_node empty = { .type = UM_NODE_GROUP, .file = (char *)what, .base = "." };
	int before = problems->n;
	um_params *p = um_new(sizeof(*p));
	p->data = um_new(size);
	*out = NULL;
	if (group == NULL)
		group = &empty;
	check_unknown(table, n, group, skip, what, problems);
	for (size_t i = 0; i < n; i++) {
		struct fill f = { p, &table[i], um_node_get(group, table[i].name), what, problems };
		if (f.node == NULL && table[i].def == NULL) {
			um_problems_add(problems, problems->fragment ? UM_OK : UM_EPARAM, group,
				"%s needs %s: %s", what, table[i].name, table[i].doc);
			continue;
		}
		if (f.node == NULL) {
			UM_TRY(um_node_add(group, table[i].name, table[i].type, table[i].def));
			f.node = um_node_get(group, table[i].name);
		}
		fill_one(&f);
	}
	if (problems->n == before) {
		*out = p;
		p = NULL;
	}
out:
	for (int i = 0; group == &empty && i < empty.n; i++)
		um_node_free(empty.child[i]);
	if (group == &empty)
		free(empty.child);
	um_params_free(p);
	return st;
}

const void *um_params_data(const um_params *p)
{
	return p->data;
}

void um_params_free(um_params *p)
{
	if (p == NULL)
		return;
	for (int i = 0; i < p->nblocks; i++)
		free(p->block[i]);
	free(p->block);
	free(p->data);
	free(p);
}

/* ---- for people ------------------------------------------------------------------ */

static void print_kind(const um_param *q, FILE *out)
{
	bool numeric = q->type == UM_REAL || q->type == UM_INT || q->type == UM_REALS || q->type == UM_PAIR;
	fprintf(out, "%s%s", type_names[q->type], places(q) ? " or folders, or one of them" : "");
	if (q->choices != NULL)
		fprintf(out, ", of %s", q->choices);
	if (numeric && (isfinite(q->min) || isfinite(q->max)))
		fprintf(out, " in [%g, %g]", q->min, q->max);
	if (*q->unit)
		fprintf(out, " %s", q->unit);
}

static bool quoted(const um_param *q)
{
	return q->type == UM_TEXT || q->type == UM_PATH || q->type == UM_KEY;
}

void um_params_help(const um_param *table, size_t n, FILE *out)
{
	for (size_t i = 0; i < n; i++) {
		const um_param *q = &table[i];
		const char *quote = quoted(q) ? "\"" : "";
		fprintf(out, "  %s: ", q->name);
		print_kind(q, out);
		if (q->def != NULL)
			fprintf(out, "; default %s%s%s\n", quote, q->def, quote);
		else
			fprintf(out, "; required\n");
		fprintf(out, "      %s\n", q->doc);
	}
}

void um_params_template(const um_param *table, size_t n, const char *indent, FILE *out)
{
	for (size_t i = 0; i < n; i++) {
		const um_param *q = &table[i];
		const char *quote = quoted(q) ? "\"" : "";
		fprintf(out, "%s# %s (", indent, q->doc);
		print_kind(q, out);
		fprintf(out, ")\n%s%s%s = %s%s%s;\n", indent, q->def ? "" : "# required: ", q->name, quote,
			q->def ? q->def : "...", quote);
	}
}
