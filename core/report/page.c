/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Tables and pictures of the report. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include "base/mem.h"
#include "page.h"

/* Shown first and under these words; other files follow by name. */
static const struct {
	const char *file, *caption;
} known[] = {
	{ "comparison.png", "Posterior means above, standard deviations below, on common scales" },
	{ "mean.png", "Posterior mean" },
	{ "std.png", "Posterior standard deviation" },
	{ "truth.png", "Truth, mean and error" },
	{ "samples.png", "Posterior samples" },
	{ "gallery.png", "Training images, and samples of the trained prior" },
	{ "loss.png", "Loss of the fit" },
	{ "amplitude.png", "Visibility amplitude: data and model" },
	{ "closure_phase.png", "Closure phase: data and model" },
	{ "log_closure_amplitude.png", "Log closure amplitude: data and model" },
	{ "closure_amplitude.png", "Closure amplitude: data and model" },
	{ "residual_vis.png", "Visibilities: normalised residuals" },
	{ "residual_amp.png", "Amplitudes: normalised residuals" },
	{ "residual_cphase.png", "Closure phases: normalised residuals" },
	{ "residual_logcamp.png", "Log closure amplitudes: normalised residuals" },
	{ "residual_camp.png", "Closure amplitudes: normalised residuals" },
	{ "residual_bispectrum.png", "Bispectra: normalised residuals" },
	{ "uv_coverage.png", "Where the baselines are" },
	{ "dirty_beam.png", "Dirty beam: what the array makes of a point" },
	{ "dirty_image.png", "Dirty image of the data" },
	{ "restored.png", "Posterior mean with the clean beam" },
	{ "ranks.png", "Ranks of truths among their posterior samples: within the band if posteriors are right" },
	{ "coverage.png", "How many truths the central intervals hold" },
	{ "tarp.png", "How many truths balls about random points hold" },
};
#define KNOWN (sizeof(known) / sizeof(*known))

/* A number that people can compare, or NaN. */
static double number_of(const json_t *v)
{
	return json_is_number(v) ? json_number_value(v) : NAN;
}

static bool is_shown(const um_rundir *r, const char *key)
{
	for (int i = 0; i < r->ncells; i++) {
		const json_t *v = json_object_get(r->cells[i].metrics, key);
		if (json_is_number(v) || json_is_string(v) || json_is_boolean(v))
			return true;
	}
	return false;
}

/* The best value of a column, or NaN where best means nothing or has no rival. */
static double best_of(const um_rundir *r, const char *key)
{
	int sense = um_metric_sense(key), count = 0;
	double best = NAN;
	for (int i = 0; sense && i < r->ncells; i++) {
		double v = number_of(json_object_get(r->cells[i].metrics, key));
		if (!isfinite(v))
			continue;
		count++;
		if (isnan(best) || sense * v > sense * best)
			best = v;
	}
	return count > 1 ? best : NAN;
}

static void value_cell(um_text *t, const json_t *v, double best)
{
	if (json_is_string(v)) {
		um_text_add(t, "<td>");
		um_text_html_n(t, json_string_value(v), json_string_length(v));
	} else if (json_is_boolean(v)) {
		um_text_add(t, json_is_true(v) ? "<td>yes" : "<td>no");
	} else {
		double x = number_of(v);
		um_text_add(t, isnan(x) ? "<td class=\"none\">" : x == best ? "<td class=\"best\">" : "<td>");
		um_text_number(t, x);
	}
	um_text_add(t, "</td>");
}

static void head_row(um_text *t, const um_rundir *r)
{
	char title[80], small[40];
	um_text_add(t, "<thead><tr><th scope=\"col\">Cell</th><th scope=\"col\" class=\"text\">Status</th>");
	for (int k = 0; k < r->metrics.n; k++) {
		if (!is_shown(r, r->metrics.name[k]))
			continue;
		um_metric_title(r->metrics.name[k], title, small);
		um_text_add(t, "<th scope=\"col\">");
		um_text_html(t, title);
		um_text_add(t, "<small>");
		um_text_add(t, *small ? small : "&nbsp;");
		um_text_add(t, "</small></th>");
	}
	um_text_add(t, "</tr></thead>\n");
}

void um_page_badge(um_text *t, const char *status)
{
	um_text_add(t, "<span class=\"badge ");
	um_text_html(t, status);
	um_text_add(t, "\">");
	um_text_html(t, status);
	um_text_add(t, "</span>");
}

void um_page_table(um_text *t, const um_rundir *r)
{
	bool best = false;
	for (int k = 0; k < r->metrics.n; k++)
		best = best || !isnan(best_of(r, r->metrics.name[k]));
	um_text_add(t, "<p class=\"lead\" id=\"about-metrics\">One row for each combination of forward model, "
		"prior and inference");
	um_text_add(t, best ? "; the best PSNR, SSIM and NRMSE are bold.</p>\n" : ".</p>\n");
	um_text_add(t, "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"Metrics\">"
		"<table aria-describedby=\"about-metrics\">\n");
	head_row(t, r);
	um_text_add(t, "<tbody>\n");
	for (int i = 0; i < r->ncells && i < UM_PAGE_CELLS; i++) {
		const um_cell *c = &r->cells[i];
		um_text_print(t, "<tr><th scope=\"row\"><a href=\"#cell-%d\">", i + 1);
		um_text_html(t, c->name);
		um_text_add(t, "</a></th><td class=\"text\">");
		um_page_badge(t, c->status);
		um_text_add(t, "</td>");
		for (int k = 0; k < r->metrics.n; k++)
			if (is_shown(r, r->metrics.name[k]))
				value_cell(t, json_object_get(c->metrics, r->metrics.name[k]),
					best_of(r, r->metrics.name[k]));
		um_text_add(t, "</tr>\n");
	}
	um_text_add(t, "</tbody></table></div>\n");
	if (r->ncells > UM_PAGE_CELLS)
		um_text_print(t, "<p class=\"lead\">%d more cells are in run.json and compare/metrics.csv.</p>\n",
			r->ncells - UM_PAGE_CELLS);
}

static uint32_t big_endian(const unsigned char *b)
{
	return (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
}

/* One PNG file; false, and nothing added, where it is none. */
static bool add_picture(um_text *t, const char *path, const char *caption, const char *what)
{
	unsigned char *png;
	size_t n;
	if (um_bytes_read(path, (size_t)32 << 20, &png, &n) != UM_OK)
		um_log(UM_WARN, "%s", um_message());
	bool good = png && n > 32 && memcmp(png, "\x89PNG\r\n\x1a\n\0\0\0\rIHDR", 16) == 0;
	if (good) {
		um_text_print(t, "<figure><img width=\"%u\" height=\"%u\" alt=\"",
			(unsigned)big_endian(png + 16), (unsigned)big_endian(png + 20));
		um_text_html(t, what);
		um_text_add(t, ": ");
		um_text_html(t, caption);
		um_text_add(t, "\" src=\"data:image/png;base64,");
		um_text_base64(t, png, n);
		um_text_add(t, "\"><figcaption>");
		um_text_html(t, caption);
		um_text_add(t, "</figcaption></figure>\n");
	} else if (png) {
		um_log(UM_WARN, "%s: not a PNG file; the report leaves it out", path);
	}
	free(png);
	return good;
}

/* Bytes of text that a picture takes. */
static size_t cost(const char *path, const char *what)
{
	struct stat s;
	return stat(path, &s) == 0 ? (size_t)s.st_size / 3 * 4 + 6 * strlen(what) + 500 : 0;
}

int um_page_pictures(um_text *t, const char *dir, const char *what, size_t room)
{
	um_names files = um_names_list(dir, ".png");
	um_text without = { 0 };
	if (files.n == 0)
		return 0;
	um_text_add(t, "<div class=\"figures\">\n");
	for (size_t k = 0; k <= KNOWN; k++)
		for (int i = 0; i < files.n; i++) {
			char *name = files.name[i];
			if (name == NULL || (k < KNOWN && strcmp(name, known[k].file) != 0))
				continue;
			char *path = um_format("%s/%s", dir, name);
			size_t need = cost(path, what);
			if (need > room) {
				um_text_add(&without, without.len > 0 ? ", " : "");
				um_text_html(&without, name);
			} else {
				name[strlen(name) - 4] = '\0';
				add_picture(t, path, k < KNOWN ? known[k].caption : name, what);
				room -= need;
			}
			free(path);
			free(name);
			files.name[i] = NULL;
		}
	um_text_add(t, "</div>\n");
	if (without.len > 0) {
		um_text_add(t, "<p class=\"lead\">Left in the folder to keep this page small: ");
		um_text_bytes(t, without.s, without.len);
		um_text_add(t, ".</p>\n");
	}
	const int count = files.n;
	um_text_free(&without);
	um_names_free(&files);
	return count;
}

static void scalar(um_text *t, const json_t *v)
{
	char *s = json_is_string(v) ? NULL : json_dumps(v, JSON_ENCODE_ANY | JSON_COMPACT);
	if (json_is_string(v))
		um_text_html_n(t, json_string_value(v), json_string_length(v));
	else if (json_is_null(v) || s == NULL)
		um_text_add(t, "\xe2\x80\x93");
	else
		um_text_html(t, s);
	free(s);
}

static void rows(um_text *t, const json_t *object, const char *skip, const char *prefix, int depth)
{
	const char *key;
	json_t *v;
	json_object_foreach((json_t *)object, key, v) {
		if (skip && strcmp(key, skip) == 0)
			continue;
		char *name = um_format("%s%s%s", prefix, *prefix ? "." : "", key);
		if (json_is_object(v) && depth < 6) {
			rows(t, v, NULL, name, depth + 1);
		} else {
			um_text_add(t, "<tr><th scope=\"row\">");
			um_text_html(t, name);
			um_text_add(t, "</th><td>");
			scalar(t, v);
			um_text_add(t, "</td></tr>\n");
		}
		free(name);
	}
}

void um_page_numbers(um_text *t, const json_t *object)
{
	const char *key;
	json_t *v;
	um_text_add(t, "<div class=\"scroll\"><table class=\"keys\"><tbody>\n");
	json_object_foreach((json_t *)object, key, v) {
		if (!json_is_number(v) && !json_is_string(v))
			continue;
		um_text_add(t, "<tr><th scope=\"row\">");
		um_text_html(t, key);
		um_text_add(t, "</th>");
		value_cell(t, v, NAN);
		um_text_add(t, "</tr>\n");
	}
	um_text_add(t, "</tbody></table></div>\n");
}

void um_page_json(um_text *t, const json_t *object, const char *skip)
{
	um_text_add(t, "<div class=\"scroll\"><table class=\"keys\"><tbody>\n");
	rows(t, object, skip, "", 0);
	um_text_add(t, "</tbody></table></div>\n");
}
