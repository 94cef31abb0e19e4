/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Comma-separated text as HTML tables: the first column names a row, cells that are numbers
 * line up at the right. A quote at the beginning of a value quotes it (RFC 4180). */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include "base/mem.h"
#include "rundir.h"
#include "sheet.h"

#define MOST 100
#define BYTES ((size_t)256 << 10)

/* The length of the value at s, its quotes included: up to a comma or the end of the line. */
static size_t value_length(const char *s)
{
	size_t n = 0;
	if (*s == '"')
		for (n = 1; s[n] != '\0' && (s[n] != '"' || s[++n] == '"'); n++)
			;
	return n + strcspn(s + n, ",\r\n");
}

/* The n bytes of a value without its quotes, in place; how many are left. */
static size_t unquote(char *s, size_t n)
{
	size_t left = 0;
	if (n == 0 || *s != '"')
		return n;
	for (size_t i = 1; i < n; i++)
		if (s[i] != '"' || ++i < n)
			s[left++] = s[i];
	return left;
}

/* Cuts text into lines in place, blank ones left out; NULL at the end. */
static char *next_line(char **at)
{
	*at += strspn(*at, "\r\n");
	if (**at == '\0')
		return NULL;
	char *line = *at;
	while (*(*at += value_length(*at)) == ',')
		(*at)++;
	if (**at != '\0')
		*(*at)++ = '\0';
	return line;
}

static bool is_number(const char *s, size_t n)
{
	char copy[64];
	char *end;
	if (n == 0 || n >= sizeof(copy) || isspace((unsigned char)s[0]))
		return n == 0;
	memcpy(copy, s, n);
	copy[n] = '\0';
	(void)strtod(copy, &end);
	return *end == '\0';
}

static void add_row(um_text *t, char *line, bool head)
{
	bool first = true;
	um_text_add(t, "<tr>");
	for (char *p = line;; p++) {
		const size_t whole = value_length(p), n = unquote(p, whole);
		bool named = head || first;
		um_text_add(t, head ? "<th scope=\"col\">" : first ? "<th scope=\"row\">"
			: is_number(p, n) ? "<td>" : "<td class=\"text\">");
		um_text_html_n(t, p, n);
		um_text_add(t, named ? "</th>" : "</td>");
		first = false;
		p += whole;
		if (*p == '\0')
			break;
	}
	um_text_add(t, "</tr>\n");
}

static void add_sheet(um_text *t, const char *name, char *text, const char *what)
{
	char *line = next_line(&text);
	char *body = line != NULL ? next_line(&text) : NULL;
	long rows = 0;
	if (body == NULL)
		return;
	um_text_add(t, "<details class=\"sheet\"><summary>");
	um_text_html(t, name);
	um_text_add(t, "</summary>\n<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"");
	um_text_html(t, what);
	um_text_add(t, ": ");
	um_text_html(t, name);
	um_text_add(t, "\"><table><thead>");
	add_row(t, line, true);
	um_text_add(t, "</thead><tbody>\n");
	for (; body != NULL; body = next_line(&text), rows++)
		if (rows < MOST)
			add_row(t, body, false);
	um_text_add(t, "</tbody></table></div>\n");
	if (rows > MOST)
		um_text_print(t, "<p class=\"lead\">%ld more rows are in the file.</p>\n", rows - MOST);
	um_text_add(t, "</details>\n");
}

void um_sheets_html(um_text *t, const char *dir, const char *what)
{
	um_names files = um_names_list(dir, ".csv");
	for (int i = 0; i < files.n; i++) {
		unsigned char *text = NULL;
		size_t n;
		if (strcmp(files.name[i], "trace.csv") == 0 || strcmp(files.name[i], "metrics.csv") == 0)
			continue;
		char *path = um_format("%s/%s", dir, files.name[i]);
		if (um_bytes_read(path, BYTES, &text, &n) != UM_OK)
			um_log(UM_INFO, "%s", um_message());
		else if (text != NULL)
			add_sheet(t, files.name[i], (char *)text, what);
		free(text);
		free(path);
	}
	um_names_free(&files);
}
