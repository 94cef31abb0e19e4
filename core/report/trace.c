/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Sparklines: the rows of a trace, averaged into at most as many points as a small picture
 * can show. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "base/mem.h"
#include "trace.h"

#define MAXCOLUMNS 9
#define POINTS 240
#define W 240.0
#define H 48.0

struct trace {
	int columns;
	char *name[MAXCOLUMNS];
	long rows;
	double *v; /* [rows][columns], NaN where a number is missing */
};

static void read_header(struct trace *tr, char *line)
{
	for (char *p = line; tr->columns < MAXCOLUMNS; p++) {
		size_t n = strcspn(p, ",");
		bool last = p[n] == '\0';
		p[n] = '\0';
		tr->name[tr->columns++] = p;
		p += n;
		if (last)
			return;
	}
}

static void read_row(struct trace *tr, const char *p)
{
	double *row = tr->v + tr->rows * tr->columns;
	for (int k = 0; k < tr->columns; k++) {
		char *end = (char *)p;
		double v = *p && *p != ',' ? strtod(p, &end) : NAN;
		row[k] = end > p ? v : NAN;
		p = end + strcspn(end, ",");
		p += *p == ',';
	}
	tr->rows++;
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

static void read_trace(struct trace *tr, char *text)
{
	char *line, *at = text;
	size_t lines = 1;
	for (const char *p = text; *p; p++)
		lines += *p == '\n' || *p == '\r';
	if ((line = next_line(&at)) == NULL)
		return;
	read_header(tr, line);
	tr->v = malloc(lines * (size_t)tr->columns * sizeof(*tr->v));
	while (tr->v && (line = next_line(&at)) != NULL)
		read_row(tr, line);
}

/* Means of column k over at most POINTS runs of rows; returns how many. */
static int reduce(const struct trace *tr, int k, double out[POINTS])
{
	int n = tr->rows < POINTS ? (int)tr->rows : POINTS;
	for (int i = 0; i < n; i++) {
		double sum = 0;
		long count = 0;
		for (long r = i * tr->rows / n; r < (i + 1) * tr->rows / n; r++)
			if (isfinite(tr->v[r * tr->columns + k])) {
				sum += tr->v[r * tr->columns + k];
				count++;
			}
		out[i] = count && isfinite(sum) ? sum / (double)count : NAN;
	}
	return n;
}

/* Brings values to 0..1 from bottom to top; false where there is nothing to draw. */
static bool normalise(double *v, int n, bool *logarithmic)
{
	double lo = INFINITY, hi = -INFINITY;
	for (int i = 0; i < n; i++)
		if (isfinite(v[i])) {
			lo = fmin(lo, v[i]);
			hi = fmax(hi, v[i]);
		}
	if (!(lo <= hi))
		return false;
	*logarithmic = lo > 0 && hi / lo > 100;
	for (int i = 0; i < n; i++)
		if (*logarithmic)
			v[i] = log(v[i] / lo) / log(hi / lo);
		else
			v[i] = hi > lo ? (v[i] / 2 - lo / 2) / (hi / 2 - lo / 2) : isfinite(v[i]) ? 0.5 : NAN;
	return true;
}

static void add_line(um_text *t, const double *v, int n)
{
	bool pen = false;
	um_text_add(t, "<path d=\"");
	for (int i = 0; i < n; i++) {
		if (isfinite(v[i]))
			um_text_print(t, "%c%.1f %.1f", pen ? 'L' : 'M', 2 + (W - 4) * i / (n > 1 ? n - 1 : 1),
				3 + (H - 6) * (1 - v[i]));
		pen = isfinite(v[i]);
	}
	um_text_add(t, "\"/>");
}

static void add_spark(um_text *t, const struct trace *tr, int k, const char *what)
{
	double v[POINTS];
	bool logarithmic = false;
	int n = reduce(tr, k, v);
	if (!normalise(v, n, &logarithmic))
		return;
	double first = tr->v[k], last = tr->v[(tr->rows - 1) * tr->columns + k];
	um_text_print(t, "<div class=\"spark\"><svg viewBox=\"0 0 %g %g\" role=\"img\" aria-label=\"", W, H);
	um_text_html(t, what);
	um_text_add(t, ": ");
	um_text_html(t, tr->name[k]);
	um_text_add(t, " over the run\" preserveAspectRatio=\"none\">");
	add_line(t, v, n);
	um_text_add(t, "</svg><span><b>");
	um_text_html(t, tr->name[k]);
	um_text_add(t, "</b> ");
	um_text_number(t, first);
	um_text_add(t, " \xe2\x86\x92 ");
	um_text_number(t, last);
	um_text_add(t, logarithmic ? " <small>log scale</small></span></div>\n" : "</span></div>\n");
}

void um_trace_html(um_text *t, const char *path, const char *what)
{
	struct trace tr = { 0 };
	unsigned char *text;
	size_t n;
	if (um_bytes_read(path, (size_t)256 << 20, &text, &n) != UM_OK)
		um_log(UM_WARN, "%s", um_message());
	if (text == NULL)
		return;
	read_trace(&tr, (char *)text);
	if (tr.rows > 1) {
		um_text_print(t, "<div class=\"sparks\" title=\"%ld rows of trace.csv\">\n", tr.rows);
		for (int k = 1; k < tr.columns; k++)
			add_spark(t, &tr, k, what);
		um_text_add(t, "</div>\n");
	}
	free(tr.v);
	free(text);
}
