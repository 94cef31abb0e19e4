/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Data against model, one plot a product, with the residuals of each; where the baselines are.
 * Model phases are shown on the turn that is nearest to the datum. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <umbra/chains.h>

#include "uvscene.h"

#define MOST 256 /* samples that count */
#define DEGREE (3.14159265358979323846 / 180)

/* n points of the data, and room for names and the model at each. */
struct points {
	int64_t n;
	double *x, *y, *sigma, *lo, *inner_lo, *mid, *inner_hi, *hi, *column;
	char (*name)[UM_SCENE_NAME];
	const char **label;
};

static void points_free(struct points *p)
{
	free(p->x);
	free(p->name);
	free(p->label);
}

static um_status points_new(int64_t n, int64_t samples, struct points *p)
{
	p->n = n;
	p->x = calloc((size_t)(8 * n + samples + 1), sizeof(double));
	p->name = calloc((size_t)n + 1, sizeof(*p->name));
	p->label = calloc((size_t)n + 1, sizeof(*p->label));
	if (p->x == NULL || p->name == NULL || p->label == NULL)
		return um_fail(UM_ENOMEM, "no memory for a picture of %lld data", (long long)n);
	for (int64_t i = 0; i < n; i++)
		p->label[i] = p->name[i];
	p->y = p->x + n;
	p->sigma = p->y + n;
	p->lo = p->sigma + n;
	p->mid = p->lo + n;
	p->hi = p->mid + n;
	p->inner_lo = p->hi + n;
	p->inner_hi = p->inner_lo + n;
	p->column = p->inner_hi + n;
	return UM_OK;
}

static int ascending(const void *a, const void *b)
{
	double x = *(const double *)a;
	double y = *(const double *)b;
	return (x > y) - (x < y);
}

/* The samples in p->column become the model at point i. */
static void summarize(struct points *p, int64_t samples, int64_t i)
{
	qsort(p->column, (size_t)samples, sizeof(double), ascending);
	p->lo[i] = um_quantile(p->column, samples, 0.025);
	p->inner_lo[i] = um_quantile(p->column, samples, 0.16);
	p->inner_hi[i] = um_quantile(p->column, samples, 0.84);
	p->mid[i] = um_quantile(p->column, samples, 0.5);
	p->hi[i] = um_quantile(p->column, samples, 0.975);
}

static const struct {
	const char *name, *title, *ylabel, *residual;
	bool log_y;
} shows[UM_PRODUCTS] = {
	[UM_VIS] = { "amplitude", "Visibility amplitude", "Amplitude (Jy)", "visibilities", true },
	[UM_AMP] = { "amplitude", "Visibility amplitude", "Amplitude (Jy)", "amplitudes", true },
	[UM_CPHASE] = { "closure_phase", "Closure phase", "Closure phase (deg)", "closure phases", false },
	[UM_LOGCAMP] = { "log_closure_amplitude", "Log closure amplitude", "Log closure amplitude",
		"log closure amplitudes", false },
	[UM_CAMP] = { "closure_amplitude", "Closure amplitude", "Closure amplitude",
		"closure amplitudes", true },
	[UM_BISPECTRUM] = { "closure_phase", "Closure phase", "Closure phase (deg)", "bispectra", false },
};

/* What is drawn of datum i, v being all data of a product: its amplitude, phase or value. */
static double drawn(const um_observable *o, const double *v, int64_t i)
{
	switch (o->product) {
	case UM_VIS:
		return hypot(v[i], v[o->n + i]);
	case UM_BISPECTRUM:
		return atan2(v[o->n + i], v[i]) / DEGREE;
	case UM_CPHASE:
		return v[i] / DEGREE;
	default:
		return v[i];
	}
}

static double drawn_sigma(const um_observable *o, const double *y, const double *sigma, int64_t i)
{
	if (o->product == UM_BISPECTRUM)
		return sigma[i] / hypot(y[i], y[o->n + i]) / DEGREE;
	return o->product == UM_CPHASE ? sigma[i] / DEGREE : sigma[i];
}

/* Baseline of a visibility, time of a closure. */
static double place(const um_scene *s, const um_observable *o, int64_t i)
{
	const um_uvrow *r = &s->v->d->rows[i % o->n];
	return o->closure != NULL ? o->closure[i % o->n].time : hypot(r->u, r->v) / 1e9;
}

static const char *place_label(const um_observable *o)
{
	return o->closure != NULL ? "Time (h)" : "Baseline (10\xe2\x81\xb9 wavelengths)";
}

static um_status plot_product(const um_scene *s, int k)
{
	const um_observable *o = &s->v->m->o[k];
	const int64_t at = s->v->m->first[k];
	const bool phase = o->product == UM_CPHASE || o->product == UM_BISPECTRUM;
	struct points p = { 0 };
	um_status st = points_new(o->n, s->samples, &p);
	for (int64_t i = 0; st == UM_OK && i < o->n; i++) {
		um_scene_name(s, k, i, p.name[i]);
		p.x[i] = place(s, o, i);
		p.y[i] = drawn(o, s->y + at, i);
		p.sigma[i] = drawn_sigma(o, s->y + at, s->sigma + at, i);
		for (int64_t b = 0; b < s->samples; b++) {
			double f = drawn(o, um_row_d(&s->f, b) + at, i);
			p.column[b] = phase ? p.y[i] + remainder(f - p.y[i], 360) : f;
		}
		summarize(&p, s->samples, i);
	}
	if (st == UM_OK) {
		const um_plot plot = { .name = shows[o->product].name, .title = shows[o->product].title,
			.xlabel = place_label(o), .ylabel = shows[o->product].ylabel, .n = o->n, .x = p.x, .y = p.y,
			.sigma = p.sigma, .lo = p.lo, .mid = p.mid, .hi = p.hi, .inner_lo = p.inner_lo,
			.inner_hi = p.inner_hi, .label = p.label, .log_y = shows[o->product].log_y };
		st = um_sink_plot(s->sink, &plot);
	}
	points_free(&p);
	return st;
}

double um_scene_difference(um_product p, double datum, double model)
{
	return p == UM_CPHASE ? remainder(datum - model, 360 * DEGREE) : datum - model;
}

static um_status plot_residuals(const um_scene *s, int k)
{
	const um_observable *o = &s->v->m->o[k];
	const int64_t at = s->v->m->first[k];
	struct points p = { 0 };
	char name[40], title[80];
	um_status st = points_new(o->len, s->samples, &p);
	for (int64_t i = 0; st == UM_OK && i < o->len; i++) {
		for (int64_t b = 0; b < s->samples; b++)
			p.column[b] = um_scene_difference(o->product, s->y[at + i], um_row_d(&s->f, b)[at + i]);
		summarize(&p, s->samples, i);
		um_scene_name(s, k, i, p.name[i]);
		p.x[i] = place(s, o, i);
		p.y[i] = p.mid[i] / s->sigma[at + i];
	}
	if (st == UM_OK) {
		snprintf(name, sizeof(name), "residual_%s", um_product_name(o->product));
		snprintf(title, sizeof(title), "Residuals of %s", shows[o->product].residual);
		const um_plot plot = { .name = name, .title = title, .xlabel = place_label(o),
			.ylabel = "(data \xe2\x88\x92 model) / sigma", .n = o->len, .x = p.x, .y = p.y,
			.label = p.label };
		st = um_sink_plot(s->sink, &plot);
	}
	points_free(&p);
	return st;
}

static um_status plot_coverage(const um_scene *s)
{
	const um_uvdata *d = s->v->d;
	struct points p = { 0 };
	um_status st = points_new(2 * d->nrows, 0, &p);
	for (int64_t i = 0; st == UM_OK && i < d->nrows; i++) {
		const um_uvrow *r = &d->rows[i];
		snprintf(p.name[2 * i], UM_SCENE_NAME, "%s-%s", d->stations[r->t1].name, d->stations[r->t2].name);
		p.label[2 * i + 1] = p.name[2 * i];
		p.x[2 * i] = r->u / 1e9;
		p.y[2 * i] = r->v / 1e9;
		p.x[2 * i + 1] = -p.x[2 * i];
		p.y[2 * i + 1] = -p.y[2 * i];
	}
	const um_plot plot = { .name = "uv_coverage", .title = "(u, v) coverage",
		.xlabel = "u (10\xe2\x81\xb9 wavelengths)", .ylabel = "v (10\xe2\x81\xb9 wavelengths)",
		.n = 2 * d->nrows, .x = p.x, .y = p.y, .label = p.label, .square = true };
	if (st == UM_OK)
		st = um_sink_plot(s->sink, &plot);
	points_free(&p);
	return st;
}

/* True where an earlier product has a plot of the same name. */
static bool repeated(const um_scene *s, int k)
{
	for (int i = 0; i < k; i++)
		if (shows[s->v->m->o[i].product].name == shows[s->v->m->o[k].product].name)
			return true;
	return false;
}

um_status um_scene_plots(const um_scene *s)
{
	um_status st = UM_OK;
	for (int k = 0; k < s->v->m->n; k++) {
		if (!repeated(s, k))
			UM_TRY(plot_product(s, k));
		UM_TRY(plot_residuals(s, k));
	}
	UM_TRY(plot_coverage(s));
out:
	return st;
}

um_status um_uvplot(const um_uvview *v, const um_array *x, const um_array *y, const um_array *sigma,
	um_sink *sink)
{
	um_status st = UM_OK;
	um_scene s = { .v = v, .x = x, .y = um_row_d(y, 0), .sigma = um_row_d(sigma, 0), .sink = sink };
	s.samples = x->dim[0] < MOST ? x->dim[0] : MOST;
	const um_array some = um_array_rows(x, 0, s.samples);
	UM_TRY(um_array_new(&s.f, UM_F64, 2, (const int64_t[]){ s.samples, v->m->ny }));
	UM_TRY(um_uvmodel_apply(v->m, &some, NULL, &s.f, NULL));
	UM_TRY(um_scene_plots(&s));
	UM_TRY(um_scene_beams(&s));
	UM_TRY(um_scene_tables(&s));
out:
	um_array_free(&s.f);
	return st;
}
