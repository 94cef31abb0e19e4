/* SPDX-License-Identifier: GPL-3.0-or-later */
/* libconfig text as a tree of our own, in which values can be replaced and added, and
 * each knows where it came from. */
#include <errno.h>
#include <libconfig.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <umbra/config.h>
#include "base/file.h"
#include "base/mem.h"

static um_node *node_new(const char *name, um_node_type type, const char *file, int line, const char *base)
{
	um_node *n = um_new(sizeof(*n));
	n->name = name != NULL ? um_strdup(name) : NULL;
	n->type = type;
	n->file = um_strdup(file);
	n->line = line;
	n->base = um_strdup(base);
	return n;
}

void um_node_free(um_node *n)
{
	if (n == NULL)
		return;
	for (int i = 0; i < n->n; i++)
		um_node_free(n->child[i]);
	free(n->child);
	free(n->name);
	free(n->text);
	free(n->file);
	free(n->base);
	free(n);
}

static void append(um_node *parent, um_node *child)
{
	parent->child = um_grow(parent->child, sizeof(*parent->child) * (size_t)(parent->n + 1));
	parent->child[parent->n++] = child;
}

um_node *um_node_clone(const um_node *n)
{
	um_node *c = node_new(n->name, n->type, n->file, n->line, n->base);
	c->integer = n->integer;
	c->real = n->real;
	c->filled = n->filled;
	c->text = n->text != NULL ? um_strdup(n->text) : NULL;
	for (int i = 0; i < n->n; i++)
		append(c, um_node_clone(n->child[i]));
	return c;
}

um_node *um_node_get(const um_node *group, const char *name)
{
	for (int i = 0; group != NULL && group->type == UM_NODE_GROUP && i < group->n; i++)
		if (strcmp(group->child[i]->name, name) == 0)
			return group->child[i];
	return NULL;
}

static um_node_type node_type(const config_setting_t *s)
{
	switch (config_setting_type(s)) {
	case CONFIG_TYPE_GROUP: return UM_NODE_GROUP;
	case CONFIG_TYPE_ARRAY: return UM_NODE_ARRAY;
	case CONFIG_TYPE_LIST: return UM_NODE_LIST;
	case CONFIG_TYPE_FLOAT: return UM_NODE_REAL;
	case CONFIG_TYPE_BOOL: return UM_NODE_BOOL;
	case CONFIG_TYPE_STRING: return UM_NODE_TEXT;
	default: return UM_NODE_INT;
	}
}

static um_node *convert(const config_setting_t *s, const char *origin, const char *base)
{
	const char *file = config_setting_source_file(s);
	um_node *n = node_new(config_setting_name(s), node_type(s), file ? file : origin,
		(int)config_setting_source_line(s), base);
	switch (n->type) {
	case UM_NODE_INT:
		n->integer = config_setting_get_int64(s);
		n->real = (double)n->integer;
		break;
	case UM_NODE_REAL:
		n->real = config_setting_get_float(s);
		break;
	case UM_NODE_BOOL:
		n->integer = config_setting_get_bool(s);
		break;
	case UM_NODE_TEXT:
		n->text = um_strdup(config_setting_get_string(s));
		break;
	default:
		for (int i = 0; i < config_setting_length(s); i++)
			append(n, convert(config_setting_get_elem(s, (unsigned)i), origin, base));
	}
	return n;
}

/* libconfig reads what does not fit a double as infinity. */
static um_status check_reals(const um_node *n)
{
	if (n->type == UM_NODE_REAL && !isfinite(n->real))
		return um_fail(UM_EPARAM, "%s:%d: %s%sthe number is too large", n->file, n->line,
			n->name != NULL ? n->name : "", n->name != NULL ? ": " : "");
	for (int i = 0; i < n->n; i++) {
		um_status st = check_reals(n->child[i]);
		if (st != UM_OK)
			return st;
	}
	return UM_OK;
}

/* What libconfig means by its terser messages. */
static const char *hint(const char *error)
{
	if (strstr(error, "mismatched element type"))
		return " (a list in [ ] takes one type: write 1.0 for 1, or use ( ) )";
	if (strstr(error, "duplicate setting"))
		return " (this name is given twice)";
	if (strstr(error, "syntax error"))
		return " (look for a missing ';', quote or bracket here or on the line before)";
	return "";
}

static char *folder_of(const char *path)
{
	const char *slash = strrchr(path, '/');
	if (slash == NULL)
		return um_strdup(".");
	char *dir = um_strdup(path);
	dir[slash == path ? 1 : slash - path] = '\0';
	return dir;
}

/* An integer that does not fit 32 bits and lacks its L was cut by libconfig: find it. */
static um_status check_integers(const char *text, const char *origin)
{
	int line = 1;
	for (const char *c = text; *c; c++) {
		if (*c == '\n') {
			line++;
		} else if (*c == '/' && c[1] == '*') {
			for (c += 2; *c && !(*c == '*' && c[1] == '/'); c++)
				line += *c == '\n';
			if (*c == '\0')
				break;
			c++;
		} else if (*c == '"') {
			for (c++; *c && *c != '"'; c++) {
				line += *c == '\n';
				c += *c == '\\' && c[1] != '\0';
			}
			if (*c == '\0')
				break;
		} else if (*c == '#' || (*c == '/' && c[1] == '/')) {
			while (c[1] != '\0' && c[1] != '\n')
				c++;
		} else if (*c >= '0' && *c <= '9' && (c == text || !strchr("._+-eE", c[-1]) || c[-1] == '-')) {
			char *end;
			errno = 0;
			bool hex = c[0] == '0' && (c[1] == 'x' || c[1] == 'X');
			long long v = strtoll(c, &end, hex ? 16 : 10);
			long long most = hex ? UINT32_MAX : c != text && c[-1] == '-' ? -(long long)INT32_MIN : INT32_MAX;
			bool plain = *end == '\0' || !strchr(".eExXL_", *end);
			if (plain && (errno != 0 || v > most))
				return um_fail(UM_EPARAM, "%s:%d: the integer %.*s needs more than 32 bits: write "
					"%.*sL", origin, line, (int)(end - c), c, (int)(end - c), c);
			while (c[1] != '\0' && strchr("0123456789abcdefABCDEFxXL._+-", c[1]))
				c++;
		} else if ((*c >= 'A' && *c <= 'Z') || (*c >= 'a' && *c <= 'z') || *c == '*') {
			while (c[1] != '\0' && (strchr("_-*", c[1]) || (c[1] >= '0' && c[1] <= '9') ||
				(c[1] >= 'A' && c[1] <= 'Z') || (c[1] >= 'a' && c[1] <= 'z')))
				c++;
		}
	}
	return UM_OK;
}

/* The same in files that were included. */
static um_status check_included(const config_setting_t *s)
{
	um_status st = UM_OK;
	const char *file = config_setting_source_file(s);
	for (int i = 0; config_setting_is_aggregate(s) && i < config_setting_length(s); i++) {
		const config_setting_t *c = config_setting_get_elem(s, (unsigned)i);
		const char *from = config_setting_source_file(c);
		char *text = NULL;
		if (from != NULL && (file == NULL || strcmp(from, file) != 0) && um_file_get(from, &text, NULL) == UM_OK)
			st = check_integers(text, from);
		free(text);
		if (st == UM_OK)
			st = check_included(c);
		if (st != UM_OK)
			break;
	}
	return st;
}

static um_status parse(const char *text, const char *origin, const char *base, um_node **out)
{
	um_status st = UM_OK;
	config_t c;
	config_init(&c);
	config_set_include_dir(&c, base);
	if (!config_read_string(&c, text)) {
		const char *file = config_error_file(&c);
		UM_TRY(um_fail(UM_EPARAM, "%s:%d: %s%s", file ? file : origin, config_error_line(&c),
			config_error_text(&c), hint(config_error_text(&c))));
	}
	UM_TRY(check_integers(text, origin));
	UM_TRY(check_included(config_root_setting(&c)));
	*out = convert(config_root_setting(&c), origin, base);
	UM_TRY(check_reals(*out));
out:
	if (st != UM_OK) {
		um_node_free(*out);
		*out = NULL;
	}
	config_destroy(&c);
	return st;
}

um_status um_config_parse(const char *text, const char *origin, um_node **out)
{
	*out = NULL;
	return parse(text, origin, ".", out);
}

um_status um_config_read(const char *path, um_node **out)
{
	enum { MOST = 16 << 20 };
	um_status st = UM_OK;
	char *text = NULL, *base = folder_of(path);
	*out = NULL;
	FILE *f = fopen(path, "r");
	if (f == NULL)
		UM_TRY(um_fail(UM_EPARAM, "%s: %s", path, strerror(errno)));
	text = um_new(MOST + 1);
	size_t n = fread(text, 1, MOST, f);
	if (ferror(f))
		UM_TRY(um_fail(UM_EPARAM, "%s: %s", path, strerror(errno)));
	if (strlen(text) != n || n == MOST)
		UM_TRY(um_fail(UM_EPARAM, "%s: not a pipeline file (binary, or too large)", path));
	UM_TRY(parse(text, path, base, out));
out:
	if (f != NULL)
		fclose(f);
	free(text);
	free(base);
	return st;
}

/* ---- changing ---------------------------------------------------------------- */

/* A number that libconfig refused is a mistake; 3C279.uvfits is a word. */
static bool is_number(const char *text)
{
	char *end;
	strtod(text, &end);
	return end != text && end[strspn(end, "L")] == '\0';
}

/* The value of "v = text;", or a string where text is no libconfig value but a bare word. */
static um_status parse_value(const char *text, const char *origin, um_node **out)
{
	um_node *root = NULL;
	char *wrapped = um_format("v = %s;", text);
	um_status st = parse(wrapped, origin, ".", &root);
	free(wrapped);
	if (st == UM_OK && root->n == 1) {
		*out = root->child[0];
		root->n = 0;
	} else if (text[0] == '\0' || (strchr("[({\"", text[0]) == NULL && !is_number(text))) {
		*out = node_new("v", UM_NODE_TEXT, origin, 0, ".");
		(*out)->text = um_strdup(text);
		st = UM_OK;
	} else {
		const char *why = strstr(um_message(), ":1: ");
		st = um_fail(UM_EPARAM, "%s: '%s' is not a libconfig value: %s", origin, text,
			why ? why + 4 : st == UM_OK ? "several values" : um_message());
	}
	um_node_free(root);
	return st;
}

static void relabel(um_node *n, const char *origin)
{
	free(n->file);
	n->file = um_strdup(origin);
	n->line = 0;
	for (int i = 0; i < n->n; i++)
		relabel(n->child[i], origin);
}

/* Steps into one element of a dotted path: a member, or item "[i]". */
static um_node **step_into(um_node *at, const char *key)
{
	if (key[0] == '[') {
		char *end;
		long i = strtol(key + 1, &end, 10);
		if (at->type != UM_NODE_GROUP && *end == ']' && end[1] == '\0' && i >= 0 && i < at->n)
			return &at->child[i];
		return NULL;
	}
	for (int i = 0; at->type == UM_NODE_GROUP && i < at->n; i++)
		if (strcmp(at->child[i]->name, key) == 0)
			return &at->child[i];
	return NULL;
}

static um_status no_such(const um_node *at, const char *key, const char *origin)
{
	const char **words = um_new(sizeof(*words) * (size_t)(at->n + 1));
	for (int i = 0; at->type == UM_NODE_GROUP && i < at->n; i++)
		words[i] = at->child[i]->name;
	const char *near = um_nearest(key, words);
	um_status st = near != NULL
		? um_fail(UM_EPARAM, "%s: there is no '%s'; did you mean '%s'?", origin, key, near)
		: um_fail(UM_EPARAM, "%s: there is no '%s' in the file", origin, key);
	free(words);
	return st;
}

static void put(um_node *group, um_node **place, const char *key, um_node *value)
{
	free(value->name);
	value->name = key[0] == '[' ? NULL : um_strdup(key);
	if (place == NULL) {
		append(group, value);
		return;
	}
	um_node_free(*place);
	*place = value;
}

um_status um_config_put(um_node *root, const char *path, um_node *value, const char *origin)
{
	um_status st = UM_OK;
	um_node *at = root;
	char *keys = um_strdup(path);
	for (char *key = keys, *dot; key != NULL; key = dot) {
		dot = strchr(key, '.');
		if (dot != NULL)
			*dot++ = '\0';
		um_node **place = step_into(at, key);
		if (dot == NULL && (place != NULL || (at->type == UM_NODE_GROUP && key[0] != '['))) {
			put(at, place, key, value);
			value = NULL;
		} else if (place == NULL) {
			UM_TRY(no_such(at, key, origin));
		} else {
			at = *place;
		}
	}
out:
	um_node_free(value);
	free(keys);
	return st;
}

um_status um_config_set(um_node *root, const char *assignment)
{
	um_status st = UM_OK;
	const char *eq = strchr(assignment, '=');
	if (eq == NULL || eq == assignment)
		return um_fail(UM_EPARAM, "--set %s: write --set KEY=VALUE", assignment);
	char *path = um_format("%.*s", (int)(eq - assignment), assignment);
	char *origin = um_format("--set %s", path);
	um_node *value = NULL;
	UM_TRY(parse_value(eq + 1, origin, &value));
	relabel(value, origin);
	UM_TRY(um_config_put(root, path, value, origin));
out:
	free(path);
	free(origin);
	return st;
}

um_status um_node_add(um_node *group, const char *name, um_type type, const char *text)
{
	um_status st = UM_OK;
	um_node *value = NULL;
	if ((type == UM_TEXT || type == UM_PATH || type == UM_KEY) && text[0] != '"') {
		value = node_new(name, UM_NODE_TEXT, group->file, group->line, group->base);
		value->text = um_strdup(text);
	} else {
		UM_TRY(parse_value(text, name, &value));
		relabel(value, group->file);
		value->line = group->line;
	}
	value->filled = true;
	put(group, NULL, name, value);
out:
	return st;
}

void um_node_wrap(um_node *n)
{
	um_node *item = node_new(NULL, n->type, n->file, n->line, n->base);
	item->integer = n->integer;
	item->real = n->real;
	item->text = n->text;
	n->text = NULL;
	n->type = UM_NODE_ARRAY;
	append(n, item);
}

/* ---- writing ------------------------------------------------------------------- */

static void write_text(const char *text, FILE *out)
{
	fputc('"', out);
	for (const char *c = text; *c; c++) {
		if (*c == '"' || *c == '\\')
			fprintf(out, "\\%c", *c);
		else if (*c == '\n')
			fputs("\\n", out);
		else if ((unsigned char)*c < 32)
			fprintf(out, "\\x%02x", (unsigned char)*c);
		else
			fputc(*c, out);
	}
	fputc('"', out);
}

static bool is_long(const um_node *n)
{
	return n->integer > INT32_MAX || n->integer < -(int64_t)INT32_MAX;
}

static void write_real(double v, FILE *out)
{
	char text[40];
	for (int digits = 6; digits <= 17; digits++) {
		snprintf(text, sizeof(text), "%.*g", digits, v);
		if (strtod(text, NULL) == v)
			break;
	}
	fprintf(out, "%s%s", text, strpbrk(text, ".eEn") ? "" : ".0");
}

static void write_members(const um_node *n, int depth, FILE *out);

/* Items that [ ] would refuse to hold together go into ( ). */
static bool is_mixed(const um_node *n)
{
	for (int i = 1; i < n->n; i++)
		if (n->child[i]->type != n->child[0]->type || (n->child[i]->type == UM_NODE_INT &&
			is_long(n->child[i]) != is_long(n->child[0])))
			return true;
	return false;
}

static void write_value(const um_node *n, int depth, FILE *out)
{
	const bool array = n->type == UM_NODE_ARRAY && !is_mixed(n);
	const char *open = array ? "[" : "(", *close = array ? "]" : ")";
	switch (n->type) {
	case UM_NODE_INT:
		fprintf(out, "%lld%s", (long long)n->integer, is_long(n) ? "L" : "");
		break;
	case UM_NODE_REAL:
		write_real(n->real, out);
		break;
	case UM_NODE_BOOL:
		fputs(n->integer ? "true" : "false", out);
		break;
	case UM_NODE_TEXT:
		write_text(n->text, out);
		break;
	case UM_NODE_GROUP:
		fputs("{\n", out);
		write_members(n, depth + 1, out);
		fprintf(out, "%*s}", depth * 2, "");
		break;
	default:
		fputs(open, out);
		for (int i = 0; i < n->n; i++) {
			fputs(i ? ", " : "", out);
			write_value(n->child[i], depth, out);
		}
		fputs(close, out);
	}
}

static void write_members(const um_node *n, int depth, FILE *out)
{
	for (int i = 0; i < n->n; i++) {
		fprintf(out, "%*s%s = ", depth * 2, "", n->child[i]->name);
		write_value(n->child[i], depth, out);
		fprintf(out, ";%s\n", n->child[i]->filled ? "  # default" : "");
	}
}

void um_config_write(const um_node *root, FILE *out)
{
	write_members(root, 0, out);
}
