/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Which data do not fit: chi-square per datum of each triangle, quadrangle and station, the worst
 * first, as comma-separated text. A datum adds (d/sigma)^2, a closure phase
 * 2 (1 - cos d)/sigma^2; stations collect all data that they take part in. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "uvscene.h"

struct line {
	char name[UM_SCENE_NAME];
	int64_t n;                     /* real numbers */
	double sum;
	double part[UM_PRODUCTS];      /* of each product of the model */
	int64_t parts[UM_PRODUCTS];
};

struct table {
	const char *title;             /* what a name is */
	int n;
	struct line *line;
	const um_uvmodel *m;           /* a column for each product; NULL: none */
};

static um_status line_of(struct table *t, const char *name, struct line **out)
{
	int i = 0;
	while (i < t->n && strcmp(t->line[i].name, name) != 0)
		i++;
	if (i == t->n) {
		if ((t->n & (t->n - 1)) == 0) {
			struct line *p = realloc(t->line, (size_t)(2 * t->n + 1) * sizeof(*p));
			if (p == NULL)
				return um_fail(UM_ENOMEM, "no memory for a table of %ss", t->title);
			t->line = p;
		}
		t->line[t->n] = (struct line){ .n = 0 };
		snprintf(t->line[t->n++].name, sizeof(t->line[i].name), "%s", name);
	}
	*out = &t->line[i];
	return UM_OK;
}

/* What datum i of product k adds, averaged over the samples. */
static double share(const um_scene *s, int k, int64_t i)
{
	const um_product p = s->v->m->o[k].product;
	const int64_t at = s->v->m->first[k] + i;
	double sum = 0;
	for (int64_t b = 0; b < s->samples; b++) {
		double d = um_scene_difference(p, s->y[at], um_row_d(&s->f, b)[at]);
		double e = p == UM_CPHASE ? 2 * sin(0.5 * d) : d;
		sum += e * e;
	}
	return sum / ((double)s->samples * s->sigma[at] * s->sigma[at]);
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

void um_scene_name(const um_scene *s, int k, int64_t i, char name[UM_SCENE_NAME])
{
	const um_observable *o = &s->v->m->o[k];
	const um_uvrow *r = &s->v->d->rows[i % o->n];
	const int terms = um_product_terms(o->product), pair[2] = { r->t1, r->t2 };
	const int *who = terms ? o->closure[i % o->n].station : pair;
	const char *part[4];
	for (int j = 0; j < (terms ? terms : 2); j++)
		part[j] = s->v->d->stations[who[j]].name;
	if (terms == 3)
		qsort(part, 3, sizeof(*part), by_name);
	snprintf(name, UM_SCENE_NAME, "%s-%s%s%s%s%s", part[0], part[1], terms > 2 ? "-" : "", terms > 2 ? part[2] : "",
		terms > 3 ? "-" : "", terms > 3 ? part[3] : "");
}

static um_status add_closures(const um_scene *s, int k, struct table *t)
{
	const um_observable *o = &s->v->m->o[k];
	um_status st = UM_OK;
	struct line *l;
	char name[UM_SCENE_NAME];
	for (int64_t i = 0; i < o->len; i++) {
		um_scene_name(s, k, i, name);
		UM_TRY(line_of(t, name, &l));
		l->n++;
		l->sum += share(s, k, i);
	}
out:
	return st;
}

static um_status add_stations(const um_scene *s, int k, struct table *t)
{
	const um_observable *o = &s->v->m->o[k];
	const um_uvdata *d = s->v->d;
	const int terms = um_product_terms(o->product);
	um_status st = UM_OK;
	struct line *l;
	for (int64_t i = 0; i < o->len; i++) {
		const um_uvrow *r = &d->rows[i % o->n];
		const int pair[2] = { r->t1, r->t2 };
		const int *who = terms ? o->closure[i % o->n].station : pair;
		double c = share(s, k, i);
		for (int j = 0; j < (terms ? terms : 2); j++) {
			UM_TRY(line_of(t, d->stations[who[j]].name, &l));
			l->n++;
			l->sum += c;
			l->parts[k]++;
			l->part[k] += c;
		}
	}
out:
	return st;
}

static int worst_first(const void *a, const void *b)
{
	const struct line *p = a;
	const struct line *q = b;
	double x = p->sum / (double)p->n;
	double y = q->sum / (double)q->n;
	return x < y ? 1 : x > y ? -1 : strcmp(p->name, q->name);
}

static um_status write(const char *path, void *context)
{
	const struct table *t = context;
	const int columns = t->m != NULL && t->m->n > 1 ? t->m->n : 0;
	FILE *f = fopen(path, "w");
	if (f == NULL)
		return um_fail(UM_EIO, "%s: %s", path, strerror(errno));
	fprintf(f, "%s,n,chi2", t->title);
	for (int k = 0; k < columns; k++)
		fprintf(f, ",chi2_%s", um_product_name(t->m->o[k].product));
	fputc('\n', f);
	for (int i = 0; i < t->n; i++) {
		const struct line *l = &t->line[i];
		fprintf(f, "%s,%lld,%.4g", l->name, (long long)l->n, l->sum / (double)l->n);
		for (int k = 0; k < columns; k++) {
			fputc(',', f);
			if (l->parts[k] > 0)
				fprintf(f, "%.4g", l->part[k] / (double)l->parts[k]);
		}
		fputc('\n', f);
	}
	bool bad = ferror(f);
	bad |= fclose(f) != 0;
	return bad ? um_fail(UM_EIO, "%s: cannot be written: %s", path, strerror(errno)) : UM_OK;
}

static um_status deliver(const um_scene *s, struct table *t, const char *name)
{
	if (t->n == 0)
		return UM_OK;
	qsort(t->line, (size_t)t->n, sizeof(*t->line), worst_first);
	return um_sink_file(s->sink, name, write, t);
}

um_status um_scene_tables(const um_scene *s)
{
	const um_uvmodel *m = s->v->m;
	um_status st = UM_OK;
	struct table triangles = { .title = "triangle" }, quadrangles = { .title = "quadrangle" };
	struct table stations = { .title = "station", .m = m };
	for (int k = 0; k < m->n; k++) {
		int terms = um_product_terms(m->o[k].product);
		if (terms > 0)
			UM_TRY(add_closures(s, k, terms == 3 ? &triangles : &quadrangles));
		UM_TRY(add_stations(s, k, &stations));
	}
	UM_TRY(deliver(s, &triangles, "triangles.csv"));
	UM_TRY(deliver(s, &quadrangles, "quadrangles.csv"));
	UM_TRY(deliver(s, &stations, "stations.csv"));
out:
	free(triangles.line);
	free(quadrangles.line);
	free(stations.line);
	return st;
}
