/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Sets of visibilities: order of rows and stations, choosing rows, simple statistics. The order
 * is that of eht-imaging, so that sums and tables can be compared digit by digit. */
#include <float.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "uvfits.h"

void um_uvdata_free(um_uvdata *d)
{
	free(d->stations);
	free(d->rows);
	memset(d, 0, sizeof(*d));
}

um_status um_uvdata_copy(const um_uvdata *d, um_uvdata *out)
{
	um_uvdata c = *d;
	c.stations = malloc((size_t)(d->nstations + 1) * sizeof(*c.stations));
	c.rows = malloc((size_t)(d->nrows + 1) * sizeof(*c.rows));
	if (c.stations == NULL || c.rows == NULL) {
		um_uvdata_free(&c);
		return um_fail(UM_ENOMEM, "no memory for %lld visibilities", (long long)d->nrows);
	}
	memcpy(c.stations, d->stations, (size_t)d->nstations * sizeof(*c.stations));
	memcpy(c.rows, d->rows, (size_t)d->nrows * sizeof(*c.rows));
	*out = c;
	return UM_OK;
}

void um_uvdata_note(um_uvdata *d, const char *fmt, ...)
{
	va_list ap;
	if (d->ndialect == UM_DIALECT)
		return;
	va_start(ap, fmt);
	vsnprintf(d->dialect[d->ndialect++], sizeof(d->dialect[0]), fmt, ap);
	va_end(ap);
}

/* A row and the alphabetical ranks of its stations. */
struct key {
	um_uvrow row;
	int rank1, rank2, set;
};

#define BY(x, y) do { if ((x) < (y)) return -1; if ((x) > (y)) return 1; } while (0)

static int compare_rows(const void *a, const void *b)
{
	const struct key *p = a;
	const struct key *q = b;
	BY(p->set, q->set);
	BY(p->row.time, q->row.time);
	BY(p->rank1, q->rank1);
	BY(p->row.tint, q->row.tint);
	BY(p->rank2, q->rank2);
	BY(p->row.tau1, q->row.tau1);
	BY(p->row.tau2, q->row.tau2);
	BY(p->row.u, q->row.u);
	BY(p->row.v, q->row.v);
	BY(p->row.group, q->row.group);
	return 0;
}

um_status um_uvdata_sort(um_uvdata *d)
{
	struct key *keys = malloc((size_t)(d->nrows + 1) * sizeof(*keys));
	int *rank = calloc((size_t)d->nstations + 1, sizeof(*rank));
	if (keys == NULL || rank == NULL) {
		free(keys);
		free(rank);
		return um_fail(UM_ENOMEM, "no memory to sort %lld visibilities", (long long)d->nrows);
	}
	for (int i = 0; i < d->nstations; i++)
		for (int j = 0; j < d->nstations; j++)
			rank[i] += strcmp(d->stations[j].name, d->stations[i].name) < 0;
	for (int64_t i = 0; i < d->nrows; i++)
		keys[i] = (struct key){ d->rows[i], rank[d->rows[i].t1], rank[d->rows[i].t2],
			d->stations[d->rows[i].t1].set };
	qsort(keys, (size_t)d->nrows, sizeof(*keys), compare_rows);
	for (int64_t i = 0; i < d->nrows; i++)
		d->rows[i] = keys[i].row;
	free(keys);
	free(rank);
	return UM_OK;
}

static double sefd_of(const um_station *s)
{
	return hypot(s->sefd[0], s->sefd[1]);
}

/* Stable: stations of equal SEFD stay in the order of the table. place[i] is where station i
 * goes. */
static void station_order(const um_uvdata *d, int place[])
{
	for (int i = 0; i < d->nstations; i++) {
		double s = sefd_of(&d->stations[i]);
		place[i] = 0;
		for (int j = 0; j < d->nstations; j++) {
			double t = sefd_of(&d->stations[j]);
			place[i] += t < s || (t == s && j < i);
		}
	}
}

um_status um_uvdata_orient(um_uvdata *d)
{
	int *place = malloc((size_t)(d->nstations + 1) * sizeof(*place));
	um_station *s = malloc((size_t)(d->nstations + 1) * sizeof(*s));
	if (place == NULL || s == NULL) {
		free(place);
		free(s);
		return um_fail(UM_ENOMEM, "no memory for %d stations", d->nstations);
	}
	station_order(d, place);
	for (int i = 0; i < d->nstations; i++)
		s[place[i]] = d->stations[i];
	memcpy(d->stations, s, (size_t)d->nstations * sizeof(*s));
	for (int64_t i = 0; i < d->nrows; i++) {
		um_uvrow *r = &d->rows[i];
		int t1 = place[r->t1];
		int t2 = place[r->t2];
		double tau1 = r->tau1;
		r->turned = t1 > t2;
		r->t1 = r->turned ? t2 : t1;
		r->t2 = r->turned ? t1 : t2;
		if (!r->turned)
			continue;
		r->tau1 = r->tau2;
		r->tau2 = tau1;
		r->u = -r->u;
		r->v = -r->v;
		r->im = -r->im;
	}
	free(place);
	free(s);
	return UM_OK;
}

int64_t um_uvdata_times(const um_uvdata *d)
{
	int64_t n = 0;
	for (int64_t i = 0; i < d->nrows; i++)
		n += um_uvdata_gap(d, i) > 0;
	return n;
}

double um_uvdata_longest(const um_uvdata *d)
{
	double longest = 0;
	for (int64_t i = 0; i < d->nrows; i++)
		longest = fmax(longest, hypot(d->rows[i].u, d->rows[i].v));
	return longest;
}

static int ascending(const void *a, const void *b)
{
	BY(*(const double *)a, *(const double *)b);
	return 0;
}

double um_uvdata_median(const um_uvdata *d, double uvmax)
{
	int64_t n = 0;
	double median = NAN;
	double *a = malloc((size_t)(d->nrows + 1) * sizeof(*a));
	for (int64_t i = 0; a != NULL && i < d->nrows; i++)
		if (hypot(d->rows[i].u, d->rows[i].v) < uvmax)
			a[n++] = hypot(d->rows[i].re, d->rows[i].im);
	if (n > 0) {
		qsort(a, (size_t)n, sizeof(*a), ascending);
		median = 0.5 * (a[(n - 1) / 2] + a[n / 2]);
	}
	free(a);
	return median;
}

int um_uvdata_station(const um_uvdata *d, const char *name)
{
	for (int i = 0; i < d->nstations; i++)
		if (strcmp(d->stations[i].name, name) == 0)
			return i;
	return -1;
}

um_status um_uvdata_unknown(const um_uvdata *d, const char *name)
{
	char list[512] = "";
	for (int i = 0; i < d->nstations; i++) {
		if (um_uvdata_station(d, d->stations[i].name) < i)
			continue;
		strncat(list, " ", sizeof(list) - strlen(list) - 1);
		strncat(list, d->stations[i].name, sizeof(list) - strlen(list) - 1);
	}
	return um_fail(UM_EPARAM, "no station %s; there are:%s", name, list);
}

um_status um_uvdata_select(um_uvdata *d, double lo, double hi, int64_t n, const char *const names[])
{
	int64_t kept = 0;
	bool *wanted = calloc((size_t)d->nstations + 1, sizeof(*wanted));
	if (wanted == NULL)
		return um_fail(UM_ENOMEM, "no memory for %d stations", d->nstations);
	for (int64_t i = 0; i < n; i++) {
		int k = um_uvdata_station(d, names[i]);
		if (k < 0) {
			free(wanted);
			return um_uvdata_unknown(d, names[i]);
		}
		for (; k < d->nstations; k++)
			wanted[k] |= strcmp(d->stations[k].name, names[i]) == 0;
	}
	for (int64_t i = 0; i < d->nrows; i++) {
		const um_uvrow *r = &d->rows[i];
		double q = hypot(r->u, r->v);
		if (q >= lo && q <= hi && (n == 0 || (wanted[r->t1] && wanted[r->t2])))
			d->rows[kept++] = *r;
	}
	d->nrows = kept;
	free(wanted);
	if (kept == 0)
		return um_fail(UM_EDATA, "no visibility with these stations between %g and %g Glambda",
			lo / 1e9, hi / 1e9);
	return UM_OK;
}

void um_uvdata_systematic(um_uvdata *d, double fraction)
{
	for (int64_t i = 0; i < d->nrows; i++) {
		um_uvrow *r = &d->rows[i];
		r->sigma = hypot(r->sigma, fraction * hypot(r->re, r->im));
	}
}
