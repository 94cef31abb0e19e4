/* SPDX-License-Identifier: GPL-3.0-or-later */
/* um_uvfits_read on any bytes, and what is done next with what it returns. */
#include <math.h>
#include <umbra/observable.h>
#include <umbra/uvwrite.h>
#include "fuzz.h"

static void look(const um_uvdata *d)
{
	FUZZ_HOLDS(d->nstations >= 0 && d->nrows >= 0 && d->ndialect >= 0 && d->ndialect <= UM_DIALECT);
	for (int i = 0; i < d->nstations; i++)
		FUZZ_HOLDS(memchr(d->stations[i].name, 0, sizeof(d->stations[i].name)));
	for (int64_t i = 0; i < d->nrows; i++) {
		const um_uvrow *r = &d->rows[i];
		FUZZ_HOLDS(0 <= r->t1 && r->t1 < r->t2 && r->t2 < d->nstations);
		FUZZ_HOLDS(isfinite(r->u) && isfinite(r->v) && isfinite(r->re) && isfinite(r->im));
		FUZZ_HOLDS(r->sigma > 0 && isfinite(r->sigma) && isfinite(r->time));
	}
}

/* Averages and closures of what was read. */
static void use(const um_uvdata *d)
{
	const um_uvaverage scan = { .seconds = 0 };
	const um_observe how = { .maximal = false };
	um_uvdata mean = { 0 };
	um_observable o = { 0 };
	um_status st = um_uvdata_average(d, &scan, &mean);
	fuzz_said(st);
	if (st == UM_OK)
		look(&mean);
	if (d->nrows < 1000) {
		fuzz_said(um_observable_new(d, UM_CPHASE, &how, &o));
		um_observable_free(&o);
	}
	um_uvdata_free(&mean);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	um_uvdata d = { 0 };
	um_status st = um_uvfits_read(fuzz_file(data, size), &d);
	fuzz_said(st);
	if (st == UM_OK) {
		look(&d);
		use(&d);
	}
	um_uvdata_free(&d);
	return 0;
}

/* The same with the name of a column that fills its card, without quotes. */
static um_status put_long_name(const char *folder, const char *from)
{
	static char x[1 << 16];
	FILE *f = fopen(from, "r");
	FUZZ_HOLDS(f != NULL);
	size_t n = fread(x, 1, sizeof(x), f);
	fclose(f);
	for (size_t i = 0; i + 80 <= n; i += 80)
		if (memcmp(x + i, "TTYPE1  = ", 10) == 0)
			memset(x + i + 10, 'n', 70);
	return fuzz_put(folder, "name", x, n);
}

um_status fuzz_seeds(const char *folder)
{
	um_status st = UM_OK;
	char path[1024];
	um_station station[3] = {
		{ .name = "AA", .xyz = { 2225061, -5440057, -2481681 }, .sefd = { 90, 90 } },
		{ .name = "LM", .xyz = { -768713, -5988541, 2063275 }, .sefd = { 560, 600 } },
		{ .name = "PV", .xyz = { 5088967, -301681, 3825015 }, .sefd = { 1900, 1900 } },
	};
	um_uvrow row[6] = { { 0 } };
	for (int i = 0; i < 6; i++)
		row[i] = (um_uvrow){ .time = 1 + 0.1 * (i / 3), .tint = 10, .t1 = i % 3 == 2, .t2 = i % 3 == 0 ? 1 : 2,
			.u = 1e9 * (i + 1), .v = -2e9 + 1e8 * i, .re = 0.5, .im = 0.1 * i, .sigma = 0.01, .group = -1 };
	um_uvdata d = { .source = "M87", .ra = 12.5, .dec = 12.4, .freq = 2.3e11, .bandwidth = 2e9, .mjd = 57854,
		.nstations = 3, .stations = station, .nrows = 6, .rows = row };
	snprintf(path, sizeof(path), "%s/small", folder);
	UM_TRY(um_uvfits_write(path, &d, 0.46));
	UM_TRY(put_long_name(folder, path));
	UM_TRY(fuzz_copy(folder, "tests/data/synthetic.uvfits"));
out:
	return st;
}
