/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Preloaded into a program, it kills the process inside the DIE_AT-th call that changes files: half of the bytes of
 * an fwrite are in the file then; a rename, link, unlink or fsync has not happened. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static int now(void)
{
	static atomic_long calls;
	const char *at = getenv("DIE_AT");
	return at != NULL && atomic_fetch_add(&calls, 1) + 1 == atol(at);
}

size_t fwrite(const void *data, size_t size, size_t n, FILE *f)
{
	size_t (*real)(const void *, size_t, size_t, FILE *) = (size_t (*)(const void *, size_t, size_t, FILE *))dlsym(RTLD_NEXT, "fwrite");
	if (f != stdout && f != stderr && now()) {
		real(data, size, n / 2, f);
		fflush(f);
		raise(SIGKILL);
	}
	return real(data, size, n, f);
}

#define ONE(type, name, params, args) type name params { \
	type (*real) params = (type (*) params)dlsym(RTLD_NEXT, #name); \
	if (now()) \
		raise(SIGKILL); \
	return real args; \
}
ONE(int, rename, (const char *a, const char *b), (a, b))
ONE(int, link, (const char *a, const char *b), (a, b))
ONE(int, unlink, (const char *a), (a))
ONE(int, fsync, (int fd), (fd))
