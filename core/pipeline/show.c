/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Progress lines on stderr. */
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "base/clock.h"
#include "pipeline/show.h"
#include "pipeline/task.h"

um_show um_show_new(bool quiet)
{
	return (um_show){ .quiet = quiet, .terminal = isatty(STDERR_FILENO) != 0, .last = um_clock() };
}

bool um_show_due(const um_show *s, double now)
{
	return !s->quiet && now - s->last > (s->terminal ? 0.2 : 10);
}

void um_show_line(um_show *s, const char *fmt, ...)
{
	if (s->quiet)
		return;
	if (s->open)
		fprintf(stderr, "\r\033[K");
	s->open = false;
	va_list ap;
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
}

void um_show_progress(um_show *s, const char *task, int done, int total, const um_page *page, double seconds)
{
	char text[256], loss[40] = "";
	double rate = seconds > 0 ? (double)(page->done - page->first) / seconds : 0;
	s->last = um_clock();
	if (page->total > 0 && isfinite(page->loss))
		snprintf(loss, sizeof(loss), "  loss %.6g", page->loss);
	if (page->total > 0 && rate > 0) {
		double left = (double)(page->total - page->done) / rate;
		snprintf(text, sizeof(text), "[%d/%d] %s  %lld/%lld  %.3g/s  %d:%02d left%s", done + 1, total, task,
			(long long)page->done, (long long)page->total, rate, (int)(left / 60), (int)left % 60, loss);
	} else {
		snprintf(text, sizeof(text), "[%d/%d] %s  %s%s%s  %.0f s", done + 1, total, task, page->plugin,
			*page->plugin ? " " : "", page->phase, seconds);
	}
	if (s->terminal)
		fprintf(stderr, "\r\033[K%.79s", text);
	else
		fprintf(stderr, "%s\n", text);
	s->open = s->terminal;
}
