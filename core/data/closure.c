/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Closures of the visibilities of one time. Minimal sets: with the stations s_0, s_1, ... that
 * are present, triangles (s_0, s_i, s_j), i < j, and quadrangles (s_0, s_i, s_j, s_k), i >= 3,
 * 1 <= j < i, k = j+1 or, for j = i-1, 1 (Blackburn et al. 2020, doi:10.3847/1538-4357/ab8469).
 * Maximal sets: every triangle; of every four stations the three quadrangles. */
#include <stdlib.h>
#include <string.h>

#include "closure.h"

#define CROWD 64 /* stations at one time beyond which a maximal set is refused */

typedef struct finder {
	const um_uvdata *d;
	um_observable *o;
	int64_t room;
	int64_t *table;     /* [t1][t2]: row + 1 of the latest time with that baseline */
	int64_t first;      /* first row of this time */
	int n;              /* stations present */
	int *present;       /* in the order of the stations */
	int *sorted;        /* by name */
	um_status st;
} finder;

/* The row of a baseline in either direction; -1 where there is none with an amplitude. */
static int64_t row_of(const finder *f, int a, int b, bool *conj)
{
	*conj = a > b;
	int64_t i = f->table[(a < b ? a : b) * f->d->nstations + (a < b ? b : a)] - 1;
	if (i < f->first || (f->d->rows[i].re == 0 && f->d->rows[i].im == 0))
		return -1;
	return i;
}

static void add(finder *f, const int station[4], const int pairs[4][2], int n)
{
	um_closure c = { .time = f->d->rows[f->first].time };
	memcpy(c.station, station, sizeof(c.station));
	for (int i = 0; i < n; i++) {
		c.row[i] = row_of(f, pairs[i][0], pairs[i][1], &c.conj[i]);
		if (c.row[i] < 0)
			return;
	}
	if (f->o->n == f->room) {
		f->room = 2 * f->room + 256;
		um_closure *p = realloc(f->o->closure, (size_t)f->room * sizeof(*p));
		if (p == NULL) {
			f->st = um_fail(UM_ENOMEM, "no memory for %lld closures", (long long)f->room);
			return;
		}
		f->o->closure = p;
	}
	f->o->closure[f->o->n++] = c;
}

static void triangle(finder *f, int a, int b, int c)
{
	const int station[4] = { a, b, c, -1 };
	const int pairs[4][2] = { { a, b }, { b, c }, { c, a }, { 0, 0 } };
	add(f, station, pairs, 3);
}

static void quadrangle(finder *f, int a, int b, int c, int d)
{
	const int station[4] = { a, b, c, d };
	const int pairs[4][2] = { { a, b }, { c, d }, { a, d }, { b, c } };
	add(f, station, pairs, 4);
}

static void minimal(finder *f)
{
	const int *s = f->present;
	if (um_product_terms(f->o->product) == 3) {
		for (int i = 1; i < f->n && f->st == UM_OK; i++)
			for (int j = i + 1; j < f->n; j++)
				triangle(f, s[0], s[i], s[j]);
		return;
	}
	for (int i = 3; i < f->n && f->st == UM_OK; i++)
		for (int j = 1; j < i; j++)
			quadrangle(f, s[0], s[i], s[j], s[j == i - 1 ? 1 : j + 1]);
}

static void maximal_phases(finder *f)
{
	const int *s = f->sorted;
	for (int i = 0; i < f->n && f->st == UM_OK; i++)
		for (int j = i + 1; j < f->n; j++)
			for (int k = j + 1; k < f->n; k++)
				triangle(f, s[i], s[j], s[k]);
}

static void maximal_amplitudes(finder *f)
{
	const int *s = f->sorted;
	for (int i = 0; i < f->n; i++)
		for (int j = i + 1; j < f->n; j++)
			for (int k = j + 1; k < f->n && f->st == UM_OK; k++)
				for (int l = k + 1; l < f->n; l++) {
					quadrangle(f, s[i], s[j], s[k], s[l]);
					quadrangle(f, s[i], s[k], s[j], s[l]);
					quadrangle(f, s[i], s[j], s[l], s[k]);
				}
}

/* Which stations have a row between first and last, and their rows in the table. */
static void enter(finder *f, int64_t last, const int by_name[])
{
	const um_uvdata *d = f->d;
	f->n = 0;
	memset(f->present, 0, (size_t)d->nstations * sizeof(*f->present));
	for (int64_t i = f->first; i < last; i++) {
		const um_uvrow *r = &d->rows[i];
		int64_t *cell = &f->table[r->t1 * d->nstations + r->t2];
		f->present[r->t1] = f->present[r->t2] = 1;
		if (*cell <= f->first)
			*cell = i + 1;
	}
	for (int i = 0; i < d->nstations; i++)
		if (f->present[by_name[i]])
			f->sorted[f->n++] = by_name[i];
	f->n = 0;
	for (int i = 0; i < d->nstations; i++)
		if (f->present[i])
			f->present[f->n++] = i;
}

static void search(finder *f, bool maximal, const int by_name[])
{
	const um_uvdata *d = f->d;
	int64_t last;
	for (f->first = 0; f->first < d->nrows && f->st == UM_OK; f->first = last) {
		last = f->first + 1;
		while (last < d->nrows && um_uvdata_gap(d, last) == 0)
			last++;
		enter(f, last, by_name);
		if (maximal && f->n > CROWD)
			f->st = um_fail(UM_EDATA, "%d stations at one time: too many for a maximal set of "
				"closures; ask for the minimal one", f->n);
		else if (!maximal)
			minimal(f);
		else if (um_product_terms(f->o->product) == 3)
			maximal_phases(f);
		else
			maximal_amplitudes(f);
	}
}

um_status um_closures_find(const um_uvdata *d, bool maximal, um_observable *o)
{
	size_t n = (size_t)d->nstations;
	finder f = { .d = d, .o = o };
	int *by_name = calloc(n + 1, sizeof(*by_name));
	f.table = calloc(n * n + 1, sizeof(*f.table));
	f.present = calloc(n + 1, sizeof(*f.present));
	f.sorted = calloc(n + 1, sizeof(*f.sorted));
	if (by_name == NULL || f.table == NULL || f.present == NULL || f.sorted == NULL) {
		f.st = um_fail(UM_ENOMEM, "no memory for closures");
	} else {
		for (int i = 0; i < d->nstations; i++) {
			int place = 0;
			for (int j = 0; j < d->nstations; j++) {
				int order = strcmp(d->stations[j].name, d->stations[i].name);
				place += order < 0 || (order == 0 && j < i);
			}
			by_name[place] = i;
		}
		search(&f, maximal, by_name);
	}
	free(by_name);
	free(f.table);
	free(f.present);
	free(f.sorted);
	return f.st;
}
