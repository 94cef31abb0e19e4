/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The search path of plugins: UMBRA_PLUGIN_PATH, where an empty element means the
 * built-in folder, then the built-in folder; each holds <kind>/<name>.so. */
#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <umbra/host.h>
#include "base/mem.h"

static void add(um_plugin_entry **list, int *n, um_kind kind, const char *name, char *path)
{
	for (int i = 0; i < *n; i++)
		if ((*list)[i].kind == kind && strcmp((*list)[i].name, name) == 0) {
			free(path); /* the first on the path wins */
			return;
		}
	*list = um_grow(*list, sizeof(**list) * (size_t)(*n + 1));
	(*list)[(*n)++] = (um_plugin_entry){ kind, um_strdup(name), path };
}

static void add_folder(um_plugin_entry **list, int *n, const char *folder)
{
	for (um_kind kind = UM_FORWARD; kind <= UM_INFERENCE; kind++) {
		char *dir = um_format("%s/%s", folder, um_kind_names[kind]);
		DIR *d = opendir(dir);
		for (struct dirent *e; d != NULL && (e = readdir(d)) != NULL;) {
			size_t len = strlen(e->d_name);
			if (len < 4 || strcmp(e->d_name + len - 3, ".so") != 0)
				continue;
			char *name = um_strdup(e->d_name);
			name[len - 3] = '\0';
			add(list, n, kind, name, um_format("%s/%s", dir, e->d_name));
			free(name);
		}
		if (d != NULL)
			closedir(d);
		free(dir);
	}
}

static int by_kind_and_name(const void *a_, const void *b_)
{
	const um_plugin_entry *a = a_, *b = b_;
	return a->kind != b->kind ? (int)a->kind - (int)b->kind : strcmp(a->name, b->name);
}

um_status um_plugin_list(um_plugin_entry **list, int *n)
{
	*list = NULL;
	*n = 0;
	const char *env = getenv("UMBRA_PLUGIN_PATH");
	char *path = um_strdup(env ? env : "");
	for (char *at = path, *end; at != NULL && *path; at = end) {
		end = strchr(at, ':');
		if (end != NULL)
			*end++ = '\0';
		add_folder(list, n, *at ? at : um_dir_plugins());
	}
	free(path);
	add_folder(list, n, um_dir_plugins());
	qsort(*list, (size_t)*n, sizeof(**list), by_kind_and_name);
	return UM_OK;
}

void um_plugin_list_free(um_plugin_entry *list, int n)
{
	for (int i = 0; i < n; i++) {
		free(list[i].name);
		free(list[i].path);
	}
	free(list);
}

static um_status unknown(um_kind kind, const char *name, const um_plugin_entry *list, int n)
{
	const char **words = um_new(sizeof(*words) * (size_t)(n + 1));
	int nwords = 0;
	for (int i = 0; i < n; i++)
		if (kind == 0 || list[i].kind == kind)
			words[nwords++] = list[i].name;
	const char *near = um_nearest(name, words);
	um_status st = near != NULL
		? um_fail(UM_EPARAM, "no %s%splugin is called '%s'; did you mean '%s'?",
			um_kind_names[kind], kind ? " " : "", name, near)
		: um_fail(UM_EPARAM, "no %s%splugin is called '%s'; 'umbra list' shows all (searched "
			"UMBRA_PLUGIN_PATH and %s)", um_kind_names[kind], kind ? " " : "", name,
			um_dir_plugins());
	free(words);
	return st;
}

/* "priors/tv" gives the kind and moves *name behind the slash. */
static um_status split(um_kind *kind, const char **name)
{
	const char *slash = strchr(*name, '/');
	if (slash == NULL)
		return UM_OK;
	size_t len = (size_t)(slash - *name);
	for (um_kind k = UM_FORWARD; k <= UM_INFERENCE; k++)
		if (strncmp(um_kind_names[k], *name, len) == 0 && um_kind_names[k][len] == '\0') {
			if (*kind != 0 && *kind != k)
				return um_fail(UM_EPARAM, "'%s' is not of the kind %s", *name, um_kind_names[*kind]);
			*kind = k;
			*name = slash + 1;
			return UM_OK;
		}
	return um_fail(UM_EPARAM, "'%s': kinds of plugins are forward, priors and inference", *name);
}

static bool is_file_name(const char *name)
{
	size_t len = strlen(name);
	return len > 3 && strchr(name, '/') != NULL && strcmp(name + len - 3, ".so") == 0;
}

um_status um_plugin_find(um_kind kind, const char *name, const um_plugin **out)
{
	um_status st = UM_OK;
	um_plugin_entry *list = NULL;
	int n = 0, found = -1;
	if (is_file_name(name))
		return um_plugin_open(name, out);
	UM_TRY(split(&kind, &name));
	UM_TRY(um_plugin_list(&list, &n));
	for (int i = 0; i < n; i++) {
		if (strcmp(list[i].name, name) != 0 || (kind != 0 && list[i].kind != kind))
			continue;
		if (found >= 0)
			UM_TRY(um_fail(UM_EPARAM, "'%s' is both %s/%s and %s/%s: say which", name,
				um_kind_names[list[found].kind], name, um_kind_names[list[i].kind], name));
		found = i;
	}
	if (found < 0)
		UM_TRY(unknown(kind, name, list, n));
	UM_TRY(um_plugin_open(list[found].path, out));
	if (kind != 0 && (*out)->kind != kind)
		UM_TRY(um_fail(UM_EPLUGIN, "%s: says it is of the kind %s but lies in the folder %s",
			list[found].path, um_kind_names[(*out)->kind], um_kind_names[kind]));
out:
	um_plugin_list_free(list, n);
	return st;
}
