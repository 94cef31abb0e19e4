/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Numbers from comma-separated text. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "base/mem.h"
#include "columns.h"
#include "text.h"

static void read_header(um_columns *c, char *line, int most)
{
	for (char *p = line; c->columns < most; p++) {
		size_t n = strcspn(p, ",");
		bool last = p[n] == '\0';
		p[n] = '\0';
		c->name = um_grow(c->name, (size_t)(c->columns + 1) * sizeof(*c->name));
		c->name[c->columns++] = p;
		p += n;
		if (last)
			return;
	}
}

static void read_row(um_columns *c, const char *p)
{
	double *row = c->v + c->rows * c->columns;
	for (int k = 0; k < c->columns; k++) {
		char *end = (char *)p;
		double v = *p && *p != ',' ? strtod(p, &end) : NAN;
		row[k] = end > p ? v : NAN;
		p = end + strcspn(end, ",");
		p += *p == ',';
	}
	c->rows++;
}

/* Cuts text into lines in place. */
static char *next_line(char **at)
{
	char *line = *at;
	if (*line == '\0')
		return NULL;
	size_t n = strcspn(line, "\r\n");
	*at = line + n;
	*at += strspn(*at, "\r\n");
	line[n] = '\0';
	return line;
}

void um_columns_read(const char *path, int most, um_columns *c)
{
	unsigned char *bytes;
	size_t n, lines = 1;
	*c = (um_columns){ 0 };
	if (um_bytes_read(path, (size_t)256 << 20, &bytes, &n) != UM_OK)
		um_log(UM_WARN, "%s", um_message());
	char *line, *at = c->text = (char *)bytes;
	if (at == NULL)
		return;
	for (const char *p = at; *p; p++)
		lines += *p == '\n' || *p == '\r';
	if ((line = next_line(&at)) == NULL)
		return;
	read_header(c, line, most);
	c->v = malloc(lines * (size_t)c->columns * sizeof(*c->v));
	while (c->v && (line = next_line(&at)) != NULL)
		read_row(c, line);
}

void um_columns_free(um_columns *c)
{
	free(c->name);
	free(c->v);
	free(c->text);
}
