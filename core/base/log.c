/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Four levels to stderr, chosen by UMBRA_LOG. */
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <umbra/status.h>

static const char *const levels[] = { "error", "warn", "info", "debug" };

static um_log_fn *hook;

void um_log_hook(um_log_fn *fn)
{
	hook = fn;
}

static int enabled_level(void)
{
	const char *wanted = getenv("UMBRA_LOG");
	for (int i = 0; wanted != NULL && i < 4; i++)
		if (strcmp(wanted, levels[i]) == 0)
			return i;
	return UM_WARN;
}

void um_log_at(um_level level, const char *where, const char *fmt, ...)
{
	const bool shown = (int)level <= enabled_level();
	char text[1024];
	if (!shown && hook == NULL)
		return;
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (shown)
		fprintf(stderr, "umbra %s: %s: %s\n", levels[level], where, text);
	if (hook != NULL)
		hook(level, text);
}
