/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A calibration on disk: tables, figures, and last the verdict. */
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "base/file.h"
#include "base/mem.h"
#include "pipeline/calibrate.h"
#include "pipeline/provenance.h"
#include "report/lines.h"
#include "report/text.h"

static const struct { int64_t column; const char *name, *title; } numbers[] = {
	{ UM_RANK_FLUX, "flux", "total flux" },
	{ UM_RANK_LOGLIKE, "loglike", "log-likelihood" },
	{ UM_RANK_LOGP, "logp", "log-prior" },
};
enum { NUMBERS = sizeof(numbers) / sizeof(*numbers) };
static const char *const words[] = { [UM_PASS] = "PASS", [UM_WARNING] = "WARN", [UM_FAILURE] = "FAIL" };
static const double BAND = 0.95;

/* What the writers share: ECDFs at the points of the law, and their band. */
struct files {
	const char *folder;
	const um_replicates *r;
	const um_rank_law *law;
	const um_verdict *v;
	double x[UM_RANK_POINTS], lo[UM_RANK_POINTS], hi[UM_RANK_POINTS];
};

static bool there(const um_replicates *r, int64_t column)
{
	return r->rank[column] >= 0;
}

/* The distribution function of the ranks of some columns, less x where wanted. */
static void ecdf(const struct files *f, int64_t first, int64_t columns, bool less, double *y)
{
	int64_t count[UM_RANK_POINTS];
	for (int k = 0; k < f->law->points; k++)
		y[k] = less ? -f->x[k] : 0;
	for (int64_t c = first; c < first + columns; c++) {
		um_rank_counts(f->law, f->r->rank + c, f->r->columns, count);
		for (int k = 0; k < f->law->points; k++)
			y[k] += (double)count[k] / (double)(f->r->n * columns);
	}
}

static um_status begin(struct files *f)
{
	int64_t lo[UM_RANK_POINTS], hi[UM_RANK_POINTS];
	const um_status st = um_rank_band(f->law, BAND, lo, hi);
	for (int k = 0; st == UM_OK && k < f->law->points; k++) {
		f->x[k] = (double)f->law->edge[k] / (double)(f->law->most + 1);
		f->lo[k] = (double)lo[k] / (double)f->r->n;
		f->hi[k] = (double)hi[k] / (double)f->r->n;
	}
	return st;
}

/* ---- tables ------------------------------------------------------------------------------------ */

static um_status put(const struct files *f, const char *name, um_text *t)
{
	char *path = um_format("%s/%s", f->folder, name);
	const um_status st = um_text_write(path, t);
	free(path);
	um_text_free(t);
	return st;
}

static um_status write_replicates(const struct files *f)
{
	um_text t = { 0 };
	const um_replicates *r = f->r;
	const int64_t pixels = r->columns - UM_RANK_PIXELS;
	um_text_add(&t, "replicate,flux,loglike,logp,tarp");
	for (int64_t k = 0; k < pixels; k++)
		um_text_print(&t, ",pixel_%lld", (long long)(k * r->image / pixels));
	for (int64_t i = 0; i < r->n; i++) {
		um_text_print(&t, "\n%lld", (long long)i);
		for (int64_t c = 0; c < r->columns; c++)
			if (there(r, i * r->columns + c))
				um_text_print(&t, ",%lld", (long long)r->rank[i * r->columns + c]);
			else
				um_text_add(&t, ",");
	}
	um_text_add(&t, "\n");
	return put(f, "replicates.csv", &t);
}

/* The curves of a figure: x, the band, what is expected, then each. */
static um_status write_lines(const struct files *f, const char *name, const um_lines *c)
{
	um_text t = { 0 };
	char *file = um_format("%s.csv", name);
	um_text_print(&t, "%s,lower,upper,expected", c->xlabel);
	for (int i = 0; i < c->ncurves; i++)
		um_text_print(&t, ",%s", c->curve[i].name);
	for (int64_t k = 0; k < c->n; k++) {
		um_text_print(&t, "\n%.6g,%.6g,%.6g,%.6g", c->x[k], c->lo[k], c->hi[k], c->expected[k]);
		for (int i = 0; i < c->ncurves; i++)
			um_text_print(&t, ",%.6g", c->curve[i].y[k]);
	}
	um_text_add(&t, "\n");
	const um_status st = put(f, file, &t);
	free(file);
	return st;
}

/* ---- figures ------------------------------------------------------------------------------------- */

static um_status draw(const struct files *f, const char *name, const um_lines *c)
{
	um_status st = UM_OK;
	char *path = um_format("%s/figures/%s.png", f->folder, name);
	UM_TRY(write_lines(f, name, c));
	UM_TRY(um_lines_write(path, c));
out:
	free(path);
	return st;
}

static um_status draw_ranks(const struct files *f)
{
	double y[1 + NUMBERS][UM_RANK_POINTS], lo[UM_RANK_POINTS], hi[UM_RANK_POINTS], zero[UM_RANK_POINTS] = { 0 };
	um_lines c = { .title = "Ranks of truths among posterior samples", .xlabel = "rank / number of samples",
		.ylabel = "share of truths below, less that of uniform ranks", .n = f->law->points, .x = f->x, .lo = lo, .hi = hi,
		.band = "95 % if right", .expected = zero, .ncurves = 1, .curve = { { "all pixels", y[0] } } };
	for (int k = 0; k < f->law->points; k++) {
		lo[k] = f->lo[k] - f->x[k];
		hi[k] = f->hi[k] - f->x[k];
	}
	ecdf(f, UM_RANK_PIXELS, f->r->columns - UM_RANK_PIXELS, true, y[0]);
	for (int i = 0; i < NUMBERS; i++)
		if (there(f->r, numbers[i].column)) {
			ecdf(f, numbers[i].column, 1, true, y[c.ncurves]);
			c.curve[c.ncurves] = (um_line){ numbers[i].title, y[c.ncurves] };
			c.ncurves++;
		}
	return draw(f, "ranks", &c);
}

static um_status draw_coverage(const struct files *f)
{
	double y[1 + NUMBERS][UM_LEVELS], lo[UM_LEVELS], hi[UM_LEVELS];
	um_lines c = { .title = "Truths in central intervals", .xlabel = "interval", .ylabel = "share of truths inside",
		.n = UM_LEVELS, .x = um_levels, .lo = lo, .hi = hi, .band = "95 % of pixels if right", .expected = um_levels,
		.ncurves = 1, .curve = { { "all pixels", y[0] } } };
	for (int k = 0; k < UM_LEVELS; k++) {
		lo[k] = um_levels[k] - 1.96 * f->v->error[k];
		hi[k] = um_levels[k] + 1.96 * f->v->error[k];
		y[0][k] = f->v->coverage[k];
	}
	for (int i = 0; i < NUMBERS; i++)
		if (there(f->r, numbers[i].column)) {
			for (int k = 0; k < UM_LEVELS; k++)
				y[c.ncurves][k] = um_verdict_coverage(f->r, numbers[i].column, um_levels[k]);
			c.curve[c.ncurves] = (um_line){ numbers[i].title, y[c.ncurves] };
			c.ncurves++;
		}
	return draw(f, "coverage", &c);
}

static um_status draw_points(const struct files *f)
{
	double y[UM_RANK_POINTS];
	const um_lines c = { .title = "Truths in balls about random points (TARP)", .xlabel = "share of samples in the ball",
		.ylabel = "share of truths", .n = f->law->points, .x = f->x, .lo = f->lo, .hi = f->hi, .band = "95 % if right",
		.expected = f->x, .ncurves = 1, .curve = { { "balls", y } } };
	ecdf(f, UM_RANK_POINT, 1, false, y);
	return draw(f, "tarp", &c);
}

/* ---- the verdict ---------------------------------------------------------------------------------- */

/* What may help against the first fault. */
static const char *advice(const um_verdict *v)
{
	if (v->kind == UM_PASS)
		return "nothing to do";
	if (strstr(v->reason, "too narrow") != NULL)
		return "a larger sigma where the noise is larger than the model says, more steps, a richer family of laws, or a prior as "
			"wide as the truths";
	if (strstr(v->reason, "too wide") != NULL)
		return "more steps, a smaller sigma, or a prior no wider than the truths";
	if (strstr(v->reason, "biased") != NULL)
		return "more steps, a forward model without an offset, or a prior with the mean of the truths";
	return "more steps, and noise and prior as the truths have them";
}

static um_status write_verdict(const struct files *f, const um_plan *p, const um_stage *s)
{
	const um_verdict *v = f->v;
	json_t *tests = json_object();
	for (int i = 0; i < v->ntests; i++)
		json_object_set_new(tests, v->test[i].name, json_pack("{s:f, s:f, s:s}", "p", v->test[i].p, "p_of_all",
			fmin(1, v->test[i].p * v->ntests), "where_wrong", v->test[i].says));
	json_t *j = json_pack("{s:s, s:o, s:s, s:s, s:s, s:s, s:s, s:s, s:I, s:I, s:I, s:o}", "verdict", words[v->kind], "reason",
		um_json_text(v->reason), "try", advice(v), "forward", s->set.forward, "simulate", p->forward[um_plan_simulator(p, s)].key,
		"prior", s->set.prior, "truths", p->prior[um_plan_truths(p, s)].key, "inference", s->set.learner, "replicates",
		(json_int_t)f->r->n, "samples", (json_int_t)f->r->samples, "pixels", (json_int_t)(f->r->columns - UM_RANK_PIXELS),
		"tests", tests);
	char *text = json_dumps(j, JSON_INDENT(2) | JSON_REAL_PRECISION(6)), *path = um_format("%s/verdict.json", f->folder);
	const um_status st = um_file_put(path, text, strlen(text));
	free(path);
	free(text);
	json_decref(j);
	return st;
}

um_status um_verdict_write(const char *folder, const um_plan *p, const um_stage *s, const um_replicates *r, const um_rank_law *law,
	const um_verdict *v)
{
	um_status st = UM_OK;
	struct files f = { .folder = folder, .r = r, .law = law, .v = v };
	char *figures = um_format("%s/figures", folder);
	UM_TRY(um_file_mkdirs(figures));
	UM_TRY(begin(&f));
	UM_TRY(write_replicates(&f));
	UM_TRY(draw_ranks(&f));
	UM_TRY(draw_coverage(&f));
	UM_TRY(draw_points(&f));
	UM_TRY(write_verdict(&f, p, s));
out:
	free(figures);
	return st;
}
