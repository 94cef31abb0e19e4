/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a simulated observation leaves: its visibilities and the gains that were planted. */
#include <stdio.h>
#include <umbra/observe.h>
#include <umbra/uvwrite.h>

struct product {
	const um_uvdata *d;
	const um_gains *g;
	double ut1_utc;
};

static um_status write_visibilities(const char *path, void *context)
{
	const struct product *c = context;
	return um_uvfits_write(path, c->d, c->ut1_utc);
}

static um_status write_gains(const char *path, void *context)
{
	const struct product *c = context;
	return um_gains_write(path, c->g, c->d);
}

um_status um_gains_deliver(const um_gains *g, const um_uvdata *d, const char *suffix, um_sink *sink)
{
	struct product c = { .d = d, .g = g };
	char name[64];
	snprintf(name, sizeof(name), "gains%s.csv", suffix);
	return um_sink_file(sink, name, write_gains, &c);
}

/* The visibilities of d, a file for each of those that they come from. */
static um_status deliver_visibilities(const um_uvdata *d, double ut1_utc, const char *suffix, um_sink *sink)
{
	um_status st = UM_OK;
	char name[64];
	for (int k = 0; st == UM_OK && k < um_uvdata_sets(d); k++) {
		um_uvdata part;
		struct product c = { .d = &part, .ut1_utc = ut1_utc };
		st = um_uvdata_part(d, k, &part);
		if (st != UM_OK)
			break;
		snprintf(name, sizeof(name), k > 0 ? "measurements%s-file%d.uvfits" : "measurements%s.uvfits",
			suffix, k + 1);
		if (part.nrows > 0)
			st = um_sink_file(sink, name, write_visibilities, &c);
		um_uvdata_free(&part);
	}
	return st;
}

um_status um_observe_deliver(const um_uvdata *d, const um_gains *g, double ut1_utc, int64_t b, int64_t count, um_sink *sink)
{
	char suffix[24] = "";
	if (count > 1)
		snprintf(suffix, sizeof(suffix), "-%lld", (long long)b + 1);
	um_status st = deliver_visibilities(d, ut1_utc, suffix, sink);
	return st == UM_OK && g->nscans > 0 ? um_gains_deliver(g, d, suffix, sink) : st;
}
