/* SPDX-License-Identifier: GPL-3.0-or-later */
/* From files to the rows that are fitted. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "uvfits.h"

static um_status read_one(const char *path, double start, double stop, um_uvdata *out)
{
	const um_uvflags hours = { .start = start, .stop = stop };
	um_status st = um_uvfits_read(path, out);
	if (st != UM_OK)
		return st;
	st = um_uvdata_flag(out, &hours);
	if (st != UM_OK) {
		um_uvdata_free(out);
		return um_context(st, "%s, from %g to %g h", path, start, stop);
	}
	return UM_OK;
}

um_status um_uvfiles_read(const char *first, int64_t n, const char *const more[], double start,
	double stop, um_uvdata *out)
{
	um_status st = read_one(first, start, stop, out);
	for (int64_t i = 0; st == UM_OK && i < n; i++) {
		um_uvdata next;
		st = read_one(more[i], start, stop, &next);
		if (st == UM_OK) {
			st = um_uvdata_append(out, &next);
			um_uvdata_free(&next);
			if (st != UM_OK)
				st = um_context(st, "%s", more[i]);
		}
		if (st != UM_OK)
			um_uvdata_free(out);
	}
	return st;
}

um_status um_uvdata_choose(um_uvdata *d, const um_uvchoice *c)
{
	um_status st = UM_OK;
	um_uvdata mean;
	um_uvflags flags = c->flags;
	const um_uvflags weak = { .start = -INFINITY, .stop = INFINITY, .snr = flags.snr };
	flags.snr = 0;
	UM_TRY(um_uvdata_select(d, c->shortest, c->longest, c->nstations, c->stations));
	UM_TRY(um_uvdata_flag(d, &flags));
	if (c->averaged) {
		UM_TRY(um_uvdata_average(d, &c->average, &mean));
		um_uvdata_free(d);
		*d = mean;
	}
	if (weak.snr > 0)
		UM_TRY(um_uvdata_flag(d, &weak));
out:
	return st;
}

um_status um_uvdata_fractions(const um_uvdata *d, double common, int64_t n, const char *const texts[],
	double **out)
{
	um_status st = UM_OK;
	double *v = calloc((size_t)d->nstations + 1, sizeof(*v));
	if (v == NULL)
		return um_fail(UM_ENOMEM, "no memory for %d stations", d->nstations);
	for (int i = 0; i < d->nstations; i++)
		v[i] = common;
	for (int64_t i = 0; i < n; i++) {
		const char *colon = strchr(texts[i], ':');
		char name[24] = "";
		char *end = NULL;
		double g = colon != NULL ? strtod(colon + 1, &end) : -1;
		if (colon == NULL || end == colon + 1 || *end || !(g >= 0 && g <= 10)
			|| colon - texts[i] >= (long)sizeof(name))
			UM_TRY(um_fail(UM_EPARAM, "\"%s\" is not NAME:FRACTION", texts[i]));
		memcpy(name, texts[i], (size_t)(colon - texts[i]));
		int k = um_uvdata_station(d, name);
		if (k < 0)
			UM_TRY(um_uvdata_unknown(d, name));
		for (; k < d->nstations; k++)
			if (strcmp(d->stations[k].name, name) == 0)
				v[k] = g;
	}
	*out = v;
	v = NULL;
out:
	free(v);
	return st;
}
