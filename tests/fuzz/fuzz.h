/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the fuzzed readers share. A target is one file: LLVMFuzzerTestOneInput gives bytes to a
 * reader, and fuzz_seeds writes small valid files to begin with. Linked with libFuzzer it runs
 * until stopped; linked with main.c it runs over given files, or for a number of mutations. */
#ifndef TESTS_FUZZ_H
#define TESTS_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <umbra/status.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Writes seeds to paths made from folder, such as FOLDER/small. */
um_status fuzz_seeds(const char *folder);

/* What a reader promises, in every build. */
#define FUZZ_HOLDS(cond) do { if (!(cond)) { \
	fprintf(stderr, "%s:%d: %s does not hold\n", __FILE__, __LINE__, #cond); abort(); } } while (0)

/* A failed read has said why, in one line. */
static inline void fuzz_said(um_status st)
{
	FUZZ_HOLDS(st == UM_OK || (*um_message() != '\0' && strchr(um_message(), '\n') == NULL));
}

/* The bytes as a file of this process, in memory where there is such a folder. */
static inline const char *fuzz_file(const uint8_t *data, size_t size)
{
	static char path[256];
	const char *dir = getenv("TMPDIR");
	if (dir == NULL)
		dir = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
	if (*path == '\0')
		snprintf(path, sizeof(path), "%s/umbra-fuzz-%ld", dir, (long)getpid());
	FILE *f = fopen(path, "w");
	FUZZ_HOLDS(f != NULL && (size == 0 || fwrite(data, 1, size, f) == size) && fclose(f) == 0);
	return path;
}

/* A seed made of bytes. */
static inline um_status fuzz_put(const char *folder, const char *name, const void *data, size_t size)
{
	char path[1024];
	snprintf(path, sizeof(path), "%s/%s", folder, name);
	FILE *f = fopen(path, "w");
	if (f == NULL || fwrite(data, 1, size, f) != size || fclose(f) != 0)
		return um_fail(UM_EIO, "%s: cannot be written", path);
	return UM_OK;
}

/* A copy of a file as a seed. */
static inline um_status fuzz_copy(const char *folder, const char *from)
{
	static char bytes[1 << 17];
	const char *name = strrchr(from, '/');
	FILE *f = fopen(from, "r");
	if (f == NULL)
		return um_fail(UM_EIO, "%s: cannot be read", from);
	size_t n = fread(bytes, 1, sizeof(bytes), f);
	fclose(f);
	return fuzz_put(folder, name + 1, bytes, n);
}

#endif
