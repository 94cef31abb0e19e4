/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Files that appear whole or not at all: written beside, synced, renamed. */
#ifndef UMBRA_BASE_FILE_H
#define UMBRA_BASE_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <umbra/status.h>

/* The temporary name for path, with nothing there; free it after um_file_commit. */
UM_API char *um_file_begin(const char *path);
/* Syncs temp and renames it to path, or, where st is a failure, removes temp and returns st. */
UM_API UM_USED um_status um_file_commit(const char *temp, const char *path, um_status st);

/* Writes text as a whole file. */
UM_API UM_USED um_status um_file_put(const char *path, const void *text, size_t len);
/* Reads a whole file; zero-terminated, *len may be NULL. Free the result. */
UM_API UM_USED um_status um_file_get(const char *path, char **text, size_t *len);

UM_API bool um_file_exists(const char *path);
/* Removes a folder and all that is in it, as far as that can be done; links are not followed. */
UM_API void um_file_remove_tree(const char *path);
/* Makes a folder and its parents. */
UM_API UM_USED um_status um_file_mkdirs(const char *path);
/* path itself if absolute, else below the current folder. Free the result. */
UM_API char *um_file_absolute(const char *path);

#endif
