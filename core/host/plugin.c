/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Loading shared objects: the descriptor is read and checked before any code of the
 * plugin runs, and nothing is ever unloaded. */
#include <dlfcn.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <umbra/host.h>
#include "base/mem.h"

const char *const um_kind_names[] = { "", "forward", "priors", "inference", NULL };

/* Descriptors of this process, by path; they live as long as the process does. */
struct loaded {
	char *path;
	um_plugin plugin;
	struct loaded *next;
};
static struct loaded *loaded;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static um_status check_descriptor(const char *path, const um_plugin *p)
{
	if (p->kind < UM_FORWARD || p->kind > UM_INFERENCE)
		return um_fail(UM_EPLUGIN, "%s: unknown kind %d", path, (int)p->kind);
	if (p->caps & ~(uint32_t)UM_SKY)
		return um_fail(UM_EPLUGIN, "%s: capability bits %#x are unknown to this umbra", path,
			p->caps & ~(uint32_t)UM_SKY);
	if (p->name == NULL || p->version == NULL || p->ops == NULL || (p->nparams > 0 && p->params == NULL))
		return um_fail(UM_EPLUGIN, "%s: the descriptor has no name, version, ops or params", path);
	return UM_OK;
}

/* Copies what both sides know of a descriptor; what is missing stays zero. */
static um_status read_descriptor(const char *path, const um_plugin *p, um_plugin *out)
{
	const uint32_t least = offsetof(um_plugin, ops_size) + sizeof(size_t);
	if (p->abi != UM_ABI)
		return um_fail(UM_EPLUGIN, "%s: built for plugin ABI %u, this umbra has ABI %d; rebuild it "
			"against the installed headers", path, p->abi, UM_ABI);
	if (p->size < least)
		return um_fail(UM_EPLUGIN, "%s: its descriptor has %u bytes, this umbra needs at least %u; "
			"rebuild it against the installed headers", path, p->size, least);
	*out = (um_plugin){ 0 };
	memcpy(out, p, p->size < sizeof(*out) ? p->size : sizeof(*out));
	return check_descriptor(path, out);
}

static um_status open_new(const char *path, um_plugin *out)
{
	char full[4096]; /* dlopen takes a name without a slash for a library to search */
	snprintf(full, sizeof(full), "%s%s", strchr(path, '/') ? "" : "./", path);
	void *so = dlopen(full, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
	if (so == NULL)
		return um_fail(UM_EPLUGIN, "%s: cannot be loaded: %s", path, dlerror());
	const um_plugin *p = dlsym(so, UM_PLUGIN_SYMBOL);
	if (p == NULL)
		return um_fail(UM_EPLUGIN, "%s: no symbol %s: not a plugin, or built for another ABI "
			"than %d", path, UM_PLUGIN_SYMBOL, UM_ABI);
	return read_descriptor(path, p, out);
}

um_status um_plugin_open(const char *path, const um_plugin **out)
{
	um_status st = UM_OK;
	um_plugin fresh;
	pthread_mutex_lock(&lock);
	for (struct loaded *l = loaded; l != NULL; l = l->next)
		if (strcmp(l->path, path) == 0) {
			*out = &l->plugin;
			goto out;
		}
	UM_TRY(open_new(path, &fresh));
	struct loaded *l = um_new(sizeof(*l));
	l->path = um_strdup(path);
	l->plugin = fresh;
	l->next = loaded;
	loaded = l;
	*out = &l->plugin;
out:
	pthread_mutex_unlock(&lock);
	return st;
}

void um_plugin_help(const um_plugin *p, FILE *out)
{
	fprintf(out, "%s/%s %s - %s\n", um_kind_names[p->kind], p->name, p->version, p->doc ? p->doc : "");
	if (p->citation != NULL && *p->citation)
		fprintf(out, "Cite: %s\n", p->citation);
	if (um_plugin_model(p) != NULL)
		fprintf(out, "It learns: a stage { stage = \"train\"; %s = KEY; %sdata = ...; } makes its model; 'umbra help "
			"pipeline' has the keys.\n", p->kind == UM_PRIOR ? "prior" : "inference", p->kind == UM_PRIOR ? "" :
			"forward = KEY; priors = [KEY]; ");
	fprintf(out, p->nparams ? "\nParameters\n" : "\nIt has no parameters.\n");
	um_params_help(p->params, p->nparams, out);
}

void um_plugin_template(const um_plugin *p, FILE *out)
{
	fprintf(out, "# %s\n%s = {\n  %s = {\n    plugin = \"%s\";\n", p->doc, um_kind_names[p->kind],
		p->name, p->name);
	um_params_template(p->params, p->nparams, "    ", out);
	fprintf(out, "  };\n};\n");
}
