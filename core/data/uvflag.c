/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Rows that are not used: of some stations or baselines, outside some hours, or too noisy. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "uvfits.h"

/* A baseline by the names of its stations; there may be several of them, one a set. */
struct pair {
	const char *text;
	size_t first; /* bytes of the first name */
};

static bool is_named(const um_station *s, const char *name, size_t n)
{
	return strncmp(s->name, name, n) == 0 && s->name[n] == '\0';
}

static bool has_station(const um_uvdata *d, const char *name, size_t n)
{
	for (int i = 0; i < d->nstations; i++)
		if (is_named(&d->stations[i], name, n))
			return true;
	return false;
}

/* Names may hold a '-' themselves: the one that leaves two stations is meant. */
static um_status split(const um_uvdata *d, const char *text, struct pair *p)
{
	p->text = text;
	for (const char *c = strchr(text, '-'); c != NULL; c = strchr(c + 1, '-')) {
		p->first = (size_t)(c - text);
		if (has_station(d, text, p->first) && has_station(d, c + 1, strlen(c + 1)))
			return UM_OK;
	}
	return um_context(um_uvdata_unknown(d, text), "a baseline is two stations, such as \"AA-AP\"");
}

static bool is_pair(const struct pair *p, const um_station *a, const um_station *b)
{
	const char *second = p->text + p->first + 1;
	return (is_named(a, p->text, p->first) && strcmp(b->name, second) == 0)
		|| (is_named(b, p->text, p->first) && strcmp(a->name, second) == 0);
}

static bool dropped(const um_uvdata *d, const um_uvrow *r, const um_uvflags *f, const struct pair *pairs)
{
	const um_station *a = &d->stations[r->t1];
	const um_station *b = &d->stations[r->t2];
	if (r->time < f->start || r->time > f->stop || hypot(r->re, r->im) < f->snr * r->sigma)
		return true;
	for (int64_t i = 0; i < f->nstations; i++)
		if (strcmp(a->name, f->stations[i]) == 0 || strcmp(b->name, f->stations[i]) == 0)
			return true;
	for (int64_t i = 0; i < f->nbaselines; i++)
		if (is_pair(&pairs[i], a, b))
			return true;
	return false;
}

um_status um_uvdata_flag(um_uvdata *d, const um_uvflags *f)
{
	um_status st = UM_OK;
	int64_t kept = 0;
	struct pair *pairs = calloc((size_t)f->nbaselines + 1, sizeof(*pairs));
	if (pairs == NULL)
		return um_fail(UM_ENOMEM, "no memory for %lld baselines", (long long)f->nbaselines);
	for (int64_t i = 0; i < f->nstations; i++)
		if (um_uvdata_station(d, f->stations[i]) < 0)
			UM_TRY(um_uvdata_unknown(d, f->stations[i]));
	for (int64_t i = 0; i < f->nbaselines; i++)
		UM_TRY(split(d, f->baselines[i], &pairs[i]));
	for (int64_t i = 0; i < d->nrows; i++)
		if (!dropped(d, &d->rows[i], f, pairs))
			d->rows[kept++] = d->rows[i];
	d->nrows = kept;
	if (kept == 0)
		st = um_fail(UM_EDATA, "no visibility is left: flag fewer");
out:
	free(pairs);
	return st;
}
