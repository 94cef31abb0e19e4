/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Where things are: beside libumbra.so in a build tree (plugins/ next to it, share/ of
 * the sources above it), or as installed (LIBDIR/umbra, PREFIX/share/umbra). */
#define _GNU_SOURCE /* dladdr, which POSIX has since 2024 */
#include <dlfcn.h>
#include <limits.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <umbra/config.h>
#include "base/mem.h"

static char *share_dir, *plugins_dir;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static bool is_dir(const char *path)
{
	struct stat s;
	return stat(path, &s) == 0 && S_ISDIR(s.st_mode);
}

/* The first of the candidates, "%s" being lib, that is a folder; else the last one. */
static char *first_dir(const char *lib, const char *const *candidates)
{
	char *path = NULL;
	for (int i = 0; candidates[i] != NULL; i++) {
		free(path);
		path = um_format("%s%s", lib, candidates[i]);
		if (is_dir(path))
			break;
	}
	return path;
}

static void find_dirs(void)
{
	static const char *const plugins[] = { "/plugins", "/umbra", NULL };
	static const char *const built[] = { "/../share", "/../../share", "/../../../share", NULL };
	static const char *const installed[] = { "/../share/umbra", "/../../share/umbra", NULL };
	Dl_info info;
	char real[PATH_MAX];
	if (dladdr((void *)(uintptr_t)&um_dir_share, &info) == 0 || realpath(info.dli_fname, real) == NULL)
		strcpy(real, "./libumbra.so");
	char *slash = strrchr(real, '/');
	*slash = '\0';
	plugins_dir = first_dir(real, plugins);
	bool in_build = strcmp(strrchr(plugins_dir, '/'), "/plugins") == 0;
	share_dir = first_dir(real, in_build ? built : installed);
}

const char *um_dir_share(void)
{
	pthread_once(&once, find_dirs);
	return share_dir;
}

const char *um_dir_plugins(void)
{
	pthread_once(&once, find_dirs);
	return plugins_dir;
}

char *um_path_resolve(const char *path, const char *base)
{
	if (strncmp(path, "share:", 6) == 0)
		return um_format("%s/%s", um_dir_share(), path + 6);
	if (path[0] == '/' || base == NULL || strcmp(base, ".") == 0)
		return um_strdup(path);
	return um_format("%s/%s", base, path);
}
