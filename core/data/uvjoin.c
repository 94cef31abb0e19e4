/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Several files as one data set: bands observed at once, or days. Rows of different files have
 * no station in common, so that whatever goes by stations keeps them apart. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "uvfits.h"

#define APART 1.0 /* arcseconds between sources that are not the same */

double um_uvdata_gap(const um_uvdata *d, int64_t i)
{
	if (i == 0 || d->stations[d->rows[i].t1].set != d->stations[d->rows[i - 1].t1].set)
		return INFINITY;
	return d->rows[i].time - d->rows[i - 1].time;
}

int um_uvdata_sets(const um_uvdata *d)
{
	int n = 0;
	for (int i = 0; i < d->nstations; i++)
		if (d->stations[i].set >= n)
			n = d->stations[i].set + 1;
	return n;
}

static double distance(const um_uvdata *a, const um_uvdata *b)
{
	const double degree = 3.14159265358979323846 / 180;
	double east = remainder(15 * (a->ra - b->ra), 360) * cos(a->dec * degree);
	return 3600 * hypot(east, a->dec - b->dec);
}

static void delay(um_uvrow *rows, int64_t n, double hours)
{
	for (int64_t i = 0; i < n; i++)
		rows[i].time += hours;
}

um_status um_uvdata_append(um_uvdata *d, const um_uvdata *more)
{
	const int first = d->nstations, set = um_uvdata_sets(d);
	const int64_t rows = d->nrows;
	if (distance(d, more) > APART)
		return um_fail(UM_EDATA, "%s is %.3g arcseconds from %s: files of one source belong together",
			more->source, distance(d, more), d->source);
	um_station *s = realloc(d->stations, (size_t)(first + more->nstations + 1) * sizeof(*s));
	if (s != NULL)
		d->stations = s;
	um_uvrow *r = realloc(d->rows, (size_t)(rows + more->nrows + 1) * sizeof(*r));
	if (r != NULL)
		d->rows = r;
	if (s == NULL || r == NULL)
		return um_fail(UM_ENOMEM, "no memory for %lld visibilities", (long long)(rows + more->nrows));
	memcpy(s + first, more->stations, (size_t)more->nstations * sizeof(*s));
	memcpy(r + rows, more->rows, (size_t)more->nrows * sizeof(*r));
	d->nstations += more->nstations;
	d->nrows += more->nrows;
	for (int i = first; i < d->nstations; i++)
		s[i].set += set;
	for (int64_t i = rows; i < d->nrows; i++) {
		r[i].t1 += first;
		r[i].t2 += first;
	}
	double hours = 24 * (double)(more->mjd - d->mjd);
	if (hours > 0)
		delay(r + rows, more->nrows, hours);
	else if (hours < 0)
		delay(r, rows, -hours);
	d->mjd = hours < 0 ? more->mjd : d->mjd;
	return UM_OK;
}

um_status um_uvdata_part(const um_uvdata *d, int set, um_uvdata *out)
{
	int first = 0;
	int64_t kept = 0;
	um_status st = um_uvdata_copy(d, out);
	if (st != UM_OK)
		return st;
	while (first < d->nstations && d->stations[first].set < set)
		first++;
	out->nstations = 0;
	for (int i = first; i < d->nstations && d->stations[i].set == set; i++) {
		out->stations[out->nstations] = d->stations[i];
		out->stations[out->nstations++].set = 0;
	}
	for (int64_t i = 0; i < d->nrows; i++) {
		if (d->stations[d->rows[i].t1].set != set)
			continue;
		out->rows[kept] = d->rows[i];
		out->rows[kept].t1 -= first;
		out->rows[kept++].t2 -= first;
	}
	out->nrows = kept;
	return UM_OK;
}
