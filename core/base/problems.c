/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A list of complaints, each one line with its place. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <umbra/config.h>
#include "base/mem.h"

void um_problems_add(um_problems *p, um_status kind, const um_node *at, const char *fmt, ...)
{
	char text[2048];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	char *line;
	const char *name = at != NULL && at->name != NULL ? at->name : NULL;
	if (at == NULL || at->file == NULL)
		line = um_strdup(text);
	else if (at->line > 0)
		line = um_format("%s:%d: %s%s%s", at->file, at->line, name ? name : "", name ? ": " : "", text);
	else
		line = um_format("%s: %s", at->file, text);
	for (int i = 0; i < p->n; i++)
		if (strcmp(p->line[i], line) == 0) { /* said before, of another cell */
			free(line);
			return;
		}
	p->line = um_grow(p->line, sizeof(*p->line) * (size_t)(p->n + 1));
	p->line[p->n++] = line;
	if (kind == UM_EDATA || kind == UM_EIO)
		p->data = true;
	else if (kind != UM_OK)
		p->config = true;
}

void um_problems_free(um_problems *p)
{
	for (int i = 0; i < p->n; i++)
		free(p->line[i]);
	free(p->line);
	*p = (um_problems){ 0 };
}
