/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Sparklines: the rows of a trace, averaged into at most as many points as a small picture
 * can show. */
#include <math.h>
#include "columns.h"
#include "trace.h"

#define MAXCOLUMNS 9
#define POINTS 240
#define W 240.0
#define H 48.0

/* Means of column k over at most POINTS runs of rows; returns how many. */
static int reduce(const um_columns *tr, int k, double out[POINTS])
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

static void add_spark(um_text *t, const um_columns *tr, int k, const char *what)
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
	um_columns tr;
	um_columns_read(path, MAXCOLUMNS, &tr);
	if (tr.rows > 1) {
		um_text_print(t, "<div class=\"sparks\" title=\"%ld rows of trace.csv\">\n", tr.rows);
		for (int k = 1; k < tr.columns; k++)
			add_spark(t, &tr, k, what);
		um_text_add(t, "</div>\n");
	}
	um_columns_free(&tr);
}
