/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Small allocations: exhaustion is a broken invariant, not an outcome. */
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/mem.h"

static void *or_die(void *p)
{
	if (p == NULL) {
		um_log(UM_ERROR, "out of memory");
		raise(SIGABRT);
	}
	return p;
}

void *um_new(size_t bytes)
{
	return or_die(calloc(1, bytes ? bytes : 1));
}

void *um_grow(void *p, size_t bytes)
{
	return or_die(realloc(p, bytes ? bytes : 1));
}

char *um_strdup(const char *s)
{
	size_t n = strlen(s) + 1;
	return memcpy(um_new(n), s, n);
}

char *um_format(const char *fmt, ...)
{
	va_list ap, again;
	va_start(ap, fmt);
	va_copy(again, ap);
	int n = vsnprintf(NULL, 0, fmt, ap);
	char *s = um_new((size_t)(n < 0 ? 0 : n) + 1);
	vsnprintf(s, (size_t)n + 1, fmt, again);
	va_end(ap);
	va_end(again);
	return s;
}
