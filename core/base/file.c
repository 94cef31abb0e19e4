/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Whole files: written beside, synced, renamed. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/file.h"
#include "base/mem.h"

static um_status io_error(const char *path)
{
	return um_fail(UM_EIO, "%s: %s", path, strerror(errno));
}

char *um_file_begin(const char *path)
{
	char *temp = um_format("%s.%ld.tmp", path, (long)getpid());
	unlink(temp);
	return temp;
}

static um_status sync_path(const char *path)
{
	int fd = open(path, O_RDONLY);
	if (fd < 0)
		return io_error(path);
	int bad = fsync(fd);
	close(fd);
	return bad && errno != EINVAL ? io_error(path) : UM_OK;
}

/* A rename lasts once the folder is synced; not every file system can, so no error. */
static void sync_folder(const char *path)
{
	char *folder = um_strdup(path), *slash = strrchr(folder, '/');
	if (slash != NULL)
		slash[slash == folder] = '\0';
	int fd = open(slash != NULL ? folder : ".", O_RDONLY);
	if (fd >= 0) {
		fsync(fd);
		close(fd);
	}
	free(folder);
}

um_status um_file_commit(const char *temp, const char *path, um_status st)
{
	if (st == UM_OK)
		st = sync_path(temp);
	if (st == UM_OK && rename(temp, path) != 0)
		st = io_error(path);
	if (st == UM_OK)
		sync_folder(path);
	else
		unlink(temp);
	return st;
}

um_status um_file_put(const char *path, const void *text, size_t len)
{
	char *temp = um_file_begin(path);
	um_status st = UM_OK;
	FILE *f = fopen(temp, "w");
	if (f == NULL)
		UM_TRY(io_error(temp));
	if (fwrite(text, 1, len, f) != len || fflush(f) != 0)
		st = io_error(temp);
	if (fclose(f) != 0 && st == UM_OK)
		st = io_error(temp);
	st = um_file_commit(temp, path, st);
out:
	free(temp);
	return st;
}

um_status um_file_get(const char *path, char **text, size_t *len)
{
	um_status st = UM_OK;
	size_t n = 0, room = 1 << 16;
	*text = NULL;
	FILE *f = fopen(path, "r");
	if (f == NULL)
		return io_error(path);
	for (;;) {
		*text = um_grow(*text, room + 1);
		n += fread(*text + n, 1, room - n, f);
		if (n < room)
			break;
		room *= 2;
	}
	if (ferror(f)) {
		st = io_error(path);
		free(*text);
		*text = NULL;
	} else {
		(*text)[n] = '\0';
	}
	fclose(f);
	if (len != NULL)
		*len = n;
	return st;
}

bool um_file_exists(const char *path)
{
	return access(path, F_OK) == 0;
}

void um_file_remove_tree(const char *path)
{
	struct stat s;
	DIR *d = lstat(path, &s) == 0 && S_ISDIR(s.st_mode) ? opendir(path) : NULL;
	for (struct dirent *e; d != NULL && (e = readdir(d)) != NULL;) {
		if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
			continue;
		char *inside = um_format("%s/%s", path, e->d_name);
		um_file_remove_tree(inside);
		free(inside);
	}
	if (d != NULL)
		closedir(d);
	remove(path);
}

um_status um_file_mkdirs(const char *path)
{
	um_status st = UM_OK;
	char *copy = um_strdup(path);
	for (char *c = *copy ? copy + 1 : copy; st == UM_OK; c++) {
		if (*c != '/' && *c != '\0')
			continue;
		char old = *c;
		*c = '\0';
		if (*copy && mkdir(copy, 0777) != 0 && errno != EEXIST)
			st = io_error(copy);
		*c = old;
		if (old == '\0')
			break;
	}
	free(copy);
	return st;
}

char *um_file_absolute(const char *path)
{
	char here[PATH_MAX];
	if (path[0] == '/' || getcwd(here, sizeof(here)) == NULL)
		return um_strdup(path);
	return um_format("%s/%s", here, path[0] == '.' && path[1] == '/' ? path + 2 : path);
}
