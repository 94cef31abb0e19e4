/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Reading, choosing and averaging visibilities: a small invented file against what its maker
 * wrote down, real files against eht-imaging, and files that are broken. */
#include <umbra/rng.h>
#include "base/file.h"
#include "eht.h"

#define SYNTHETIC "tests/data/synthetic.uvfits"

/* Hours; wider where the file itself holds seconds in float32. */
static double time_tolerance = 1e-8;

/* rel is the tolerance of V and sigma. */
static void check_row(const um_uvdata *d, const um_uvrow *r, json_t *j, double rel)
{
	json_t *re = json_object_get(j, "re");
	double v[2];
	v[0] = re ? eht_number(j, "re") : eht_number(j, "vis.0");
	v[1] = re ? eht_number(j, "im") : eht_number(j, "vis.1");
	double a = hypot(v[0], v[1]);
	CHECK(strcmp(d->stations[r->t1].name, eht_text(j, "t1")) == 0);
	CHECK(strcmp(d->stations[r->t2].name, eht_text(j, "t2")) == 0);
	CHECK_NEAR(r->time, eht_number(j, "time_h"), time_tolerance);
	CHECK_REL(r->tint, eht_number(j, "tint_s"), 1e-7);
	CHECK_REL(r->u, eht_number(j, "u"), 1e-7);
	CHECK_REL(r->v, eht_number(j, "v"), 1e-7);
	CHECK_NEAR(r->re, v[0], rel * a);
	CHECK_NEAR(r->im, v[1], rel * a);
	CHECK_REL(r->sigma, eht_number(j, "sigma"), rel);
	if (json_object_get(j, "file_group"))
		CHECK(r->group == (int64_t)eht_number(j, "file_group"));
	if (json_object_get(j, "orientation"))
		CHECK(r->turned == (strcmp(eht_text(j, "orientation"), "as in file") != 0));
}

static void check_sums(const um_uvdata *d, json_t *j)
{
	double sum[9] = { 0 };
	static const char *const keys[] = { "sum_time_h", "sum_u", "sum_v", "sum_uvdist", "sum_absvis",
		"sum_absvis2", "sum_sigma", "sum_inv_sigma2" };
	double re = 0;
	double im = 0;
	CHECK(d->nrows == (int64_t)eht_number(j, "n"));
	for (int64_t i = 0; i < d->nrows; i++) {
		const um_uvrow *r = &d->rows[i];
		double a = hypot(r->re, r->im);
		const double add[] = { r->time, r->u, r->v, hypot(r->u, r->v), a, a * a, r->sigma,
			1 / (r->sigma * r->sigma) };
		for (int k = 0; k < 8; k++)
			sum[k] += add[k];
		re += r->re;
		im += r->im;
	}
	for (int k = 0; k < 8; k++)
		CHECK_REL(sum[k], eht_number(j, keys[k]), 1e-6);
	CHECK_NEAR(re, eht_number(j, "sum_vis.0"), 1e-6 * sum[4]);
	CHECK_NEAR(im, eht_number(j, "sum_vis.1"), 1e-6 * sum[4]);
}

static void synthetic(void)
{
	um_uvdata d;
	json_t *j = eht_json("tests/data/synthetic.json");
	json_t *rows = eht_at(j, "rows");
	CHECK_OK(um_uvfits_read(SYNTHETIC, &d));
	CHECK(strcmp(d.source, "INVENTED") == 0 && d.mjd == 57850 && d.nstations == 6);
	CHECK(d.freq == 230e9 && d.bandwidth == 2e9 && d.ndialect > 0);
	CU_ASSERT_EQUAL_FATAL(d.nrows, (int64_t)json_array_size(rows));
	CHECK(um_uvdata_times(&d) == 10);
	for (int64_t i = 0; i < d.nrows; i++)
		check_row(&d, &d.rows[i], json_array_get(rows, (size_t)i), 1e-12);
	CHECK(isnan(um_uvdata_median(&d, 1e6)));
	json_decref(j);
	um_uvdata_free(&d);
}

static void check_header(const um_uvdata *d, json_t *j)
{
	json_t *list = eht_at(j, "stations_in_ehtim_order");
	CHECK(strcmp(d->source, eht_text(j, "source")) == 0);
	CHECK_NEAR(d->ra, eht_number(j, "ra_hours"), 1e-12);
	CHECK_NEAR(d->dec, eht_number(j, "dec_deg"), 1e-12);
	CHECK(d->freq == eht_number(j, "rf_hz") && d->bandwidth == eht_number(j, "bw_hz"));
	CHECK(d->mjd == (int64_t)eht_number(j, "mjd"));
	CHECK(um_uvdata_times(d) == (int64_t)eht_number(j, "n_distinct_times"));
	CHECK_REL(um_uvdata_longest(d) / 1e9, eht_number(j, "max_uvdist_glambda"), 1e-7);
	CU_ASSERT_EQUAL_FATAL((size_t)d->nstations, json_array_size(list));
	for (int i = 0; i < d->nstations; i++) {
		json_t *s = json_array_get(list, (size_t)i);
		CHECK(strcmp(d->stations[i].name, eht_text(s, "name")) == 0);
		CHECK(d->stations[i].xyz[0] == eht_number(s, "x") && d->stations[i].xyz[2] == eht_number(s, "z"));
		CHECK(d->stations[i].sefd[0] == eht_number(s, "sefdr"));
	}
	CHECK_NEAR(d->rows[0].time, eht_number(j, "tstart_h"), 1e-8);
	CHECK_NEAR(d->rows[d->nrows - 1].time, eht_number(j, "tstop_h"), 1e-8);
}

static void check_average(const um_uvdata *d, json_t *j, const char *key, um_uvaverage how)
{
	um_uvdata a;
	json_t *want = eht_at(eht_at(j, "averaging"), key);
	json_t *rows = eht_at(want, "first10");
	CHECK_OK(um_uvdata_average(d, &how, &a));
	CHECK(um_uvdata_times(&a) == (int64_t)eht_number(want, "n_distinct_times"));
	check_sums(&a, eht_at(want, "checksums"));
	for (size_t i = 0; i < json_array_size(rows); i++)
		check_row(&a, &a.rows[i], json_array_get(rows, i), 3e-7);
	um_observable o;
	CHECK_OK(um_observable_new(&a, UM_CPHASE, &(um_observe){ 0 }, &o));
	CHECK(o.n == (int64_t)eht_number(want, "cphase_min"));
	um_observable_free(&o);
	um_uvdata_free(&a);
}

static void real_files(void)
{
	static const char *const names[] = { M87, "sample", "score_prior_obs" };
	static const char *const lists[] = { "first20", "random20" };
	for (int f = 0; f < 3; f++) {
		um_uvdata d;
		char name[256];
		snprintf(name, sizeof(name), "ref/%s", names[f]);
		const char *path = eht_path(name, ".json");
		if (path == NULL)
			return;
		json_t *j = eht_json(path);
		CHECK_OK(um_uvfits_read(eht_path(names[f], ".uvfits"), &d));
		check_header(&d, j);
		check_sums(&d, eht_at(j, "checksums_all_rows"));
		for (int k = 0; k < 2; k++) {
			json_t *rows = eht_at(j, lists[k]);
			for (size_t i = 0; i < json_array_size(rows); i++) {
				json_t *row = json_array_get(rows, i);
				check_row(&d, &d.rows[(int)eht_number(row, "index")], row, 3e-7);
			}
		}
		if (f == 0)
			CHECK_REL(um_uvdata_median(&d, 1e8), eht_number(j, "total_flux_estimate_jy.value"), 3e-7);
		check_average(&d, j, "coherent_60s", (um_uvaverage){ .seconds = 60 });
		if (json_object_get(eht_at(j, "averaging"), "scan_from_add_scans"))
			check_average(&d, j, "scan_from_add_scans", (um_uvaverage){ .per_baseline = true });
		json_decref(j);
		um_uvdata_free(&d);
	}
}

static void fixtures(void)
{
	static const struct { const char *name, *rows; } cases[] = {
		{ "fixture_plain60", "fixture_plain60" }, { "fixture_multi_ch", "fixture_multi_ch" },
		{ "fixture_2if_2ch", "fixture_multi_ch" }, { "fixture_stokes_I", "fixture_stokes_I" },
		{ "fixture_pscal_date", "fixture_plain60" },
	};
	const char *path = eht_path("ref/fixtures", ".json");
	if (path == NULL)
		return;
	json_t *j = eht_json(path);
	for (size_t c = 0; c < sizeof(cases) / sizeof(*cases); c++) {
		um_uvdata d;
		char key[64];
		snprintf(key, sizeof(key), "%s.uvfits", cases[c].rows);
		json_t *want = eht_at(json_object_get(j, key), "ehtim");
		json_t *rows = eht_at(want, "rows");
		CHECK_OK(um_uvfits_read(eht_path(cases[c].name, ".uvfits"), &d));
		CU_ASSERT_EQUAL_FATAL((size_t)d.nrows, json_array_size(rows));
		time_tolerance = c < 4 ? 1e-8 : 3e-7;
		for (size_t i = 0; i < json_array_size(rows); i++)
			check_row(&d, &d.rows[i], json_array_get(rows, i), 3e-7);
		time_tolerance = 1e-8;
		if (c < 4)
			check_sums(&d, eht_at(want, "checksums"));
		um_uvdata_free(&d);
	}
	json_decref(j);
}

static void select_rows(void)
{
	um_uvdata d, e;
	const char *names[] = { "AA", "LM", "SM" };
	const char *wrong[] = { "AA", "XX" };
	CHECK_OK(um_uvfits_read(SYNTHETIC, &d));
	CHECK_OK(um_uvdata_copy(&d, &e));
	CHECK_OK(um_uvdata_select(&e, 0, 1e12, 3, names));
	CHECK(e.nrows > 20);
	for (int64_t i = 0; i < e.nrows; i++)
		CHECK(strchr("ALS", e.stations[e.rows[i].t1].name[0]) && e.rows[i].t2 != 1);
	CHECK_OK(um_uvdata_select(&e, 3e9, 6e9, 0, NULL));
	for (int64_t i = 0; i < e.nrows; i++)
		CHECK(hypot(e.rows[i].u, e.rows[i].v) >= 3e9 && hypot(e.rows[i].u, e.rows[i].v) <= 6e9);
	CHECK_FAILS(um_uvdata_select(&e, 0, 1, 2, wrong), UM_EPARAM, "no station XX; there are: AA AZ");
	CHECK_FAILS(um_uvdata_select(&e, 0, 1, 0, NULL), UM_EDATA, "no visibility");
	um_uvdata_systematic(&d, 0.1);
	CHECK(d.rows[0].sigma > 0.1 * hypot(d.rows[0].re, d.rows[0].im));
	um_uvdata_free(&d);
	um_uvdata_free(&e);
}

/* Averages of equal rows are those rows; weights follow the variances. */
static void averages(void)
{
	um_uvdata d, a, w;
	CHECK_OK(um_uvfits_read(SYNTHETIC, &d));
	for (int64_t i = 0; i < d.nrows; i++) {
		d.rows[i].re = 1 + d.rows[i].t1;
		d.rows[i].im = 2;
		d.rows[i].sigma = d.rows[i].time < 1.2013 ? 1 : 1e-3;
	}
	CHECK_OK(um_uvdata_average(&d, &(um_uvaverage){ 0 }, &a));
	CHECK(a.nrows == 30 && um_uvdata_times(&a) == 2);
	for (int64_t i = 0; i < a.nrows; i++)
		CHECK(a.rows[i].re == 1 + a.rows[i].t1 && a.rows[i].im == 2 && a.rows[i].group == -1);
	CHECK_OK(um_uvdata_average(&d, &(um_uvaverage){ .inverse_variance = true }, &w));
	CHECK(a.rows[0].sigma > 0.2 && w.rows[0].sigma < 1e-3);
	CHECK_REL(w.rows[0].re, a.rows[0].re, 1e-14);
	um_uvdata_free(&w);
	CHECK_OK(um_uvdata_average(&d, &(um_uvaverage){ .seconds = 10 }, &w));
	CHECK(w.nrows == d.nrows);
	um_uvdata_free(&d);
	um_uvdata_free(&a);
	um_uvdata_free(&w);
}

/* ---- files that are broken ---- */

static const char *spill(const char *bytes, size_t n)
{
	static char path[64];
	snprintf(path, sizeof(path), "/tmp/umbra-test-%ld.uvfits", (long)getpid());
	FILE *f = fopen(path, "wb");
	CU_ASSERT_PTR_NOT_NULL_FATAL(f);
	CHECK(fwrite(bytes, 1, n, f) == n);
	fclose(f);
	return path;
}

/* Replaces the card that begins with key. */
static void set_card(char *bytes, size_t n, const char *card)
{
	char full[81];
	size_t key = strcspn(card, "=") + 1;
	snprintf(full, sizeof(full), "%-80s", card);
	for (size_t at = 0; at + 80 <= n; at += 80)
		if (strncmp(bytes + at, card, key) == 0) {
			memcpy(bytes + at, full, 80);
			return;
		}
	CHECK(false);
}

static void wrong_headers(void)
{
	static const struct { const char *card, *text; } cases[] = {
		{ "GCOUNT  =             99999999", "truncated" },
		{ "GCOUNT  =                    0", "" },
		{ "PCOUNT  =                 7000", "" },
		{ "NAXIS3  =            400000000", "truncated" },
		{ "NAXIS2  =                    4", "axis 2" },
		{ "NAXIS5  =                    0", "NAXIS5" },
		{ "GROUPS  =                    F", "not UVFITS" },
		{ "PTYPE1  = 'XX      '", "UU" },
		{ "PTYPE4  = 'XX      '", "BASELINE" },
		{ "PTYPE5  = 'XX      '", "sensible" },
		{ "CTYPE4  = 'TIME    '", "" },
		{ "CRVAL3  =                  5.0", "neither Stokes I" },
		{ "PSCAL1  =                 1E40", "" },
		{ "TFORM1  = '90000A  '", "" },
		{ "NAXIS2  =             20000000", "" },
	};
	char *good;
	size_t n;
	CHECK_OK(um_file_get(SYNTHETIC, &good, &n));
	char *bad = malloc(n);
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		um_uvdata d = { 0 };
		bool quiet = cases[i].text[0] == 0;
		memcpy(bad, good, n);
		set_card(bad, n, cases[i].card);
		um_status st = um_uvfits_read(spill(bad, n), &d);
		CHECK(st == UM_EDATA || (quiet && st == UM_OK));
		CHECK(st == UM_OK || strstr(um_message(), "umbra-test") != NULL);
		if (!quiet && strstr(um_message(), cases[i].text) == NULL)
			fprintf(stderr, "%s: %s\n", cases[i].card, um_message());
		CHECK(quiet || strstr(um_message(), cases[i].text) != NULL);
		um_uvdata_free(&d);
	}
	um_uvdata d;
	CHECK_FAILS(um_uvfits_read("/nowhere.uvfits", &d), UM_EDATA, "/nowhere.uvfits: No such file");
	CHECK_FAILS(um_uvfits_read("/tmp", &d), UM_EDATA, "not a regular file");
	CHECK_FAILS(um_uvfits_read("Makefile", &d), UM_EDATA, "not a FITS file");
	free(good);
	free(bad);
}

/* Without its tables the file can be read; the guesses are in the dialect. */
static void no_tables(void)
{
	char *good;
	um_uvdata d;
	size_t n;
	CHECK_OK(um_file_get(SYNTHETIC, &good, &n));
	size_t at = 2880;
	while (strncmp(good + at, "XTENSION", 8) != 0)
		at += 2880;
	CHECK(at < n);
	CHECK_OK(um_uvfits_read(spill(good, at), &d));
	bool noted = false;
	for (int i = 0; i < d.ndialect; i++)
		noted = noted || strstr(d.dialect[i], "no AIPS AN table") != NULL;
	CHECK(noted && d.nrows == 148 && d.freq == 230e9 && um_uvdata_station(&d, "A3") >= 0);
	um_uvdata_free(&d);
	free(good);
}

/* Whatever the bytes are, the reader answers with rows or with one message. */
static void noise_in_files(void)
{
	char *good;
	size_t n;
	CHECK_OK(um_file_get(SYNTHETIC, &good, &n));
	char *bad = malloc(n);
	um_rng r = um_rng_new(7, "hostile", 0);
	const char *more = getenv("UMBRA_FUZZ");
	int rounds = more != NULL ? atoi(more) : 300;
	for (int i = 0; i < rounds; i++) {
		um_uvdata d = { 0 };
		size_t len = i % 3 ? n : (size_t)(um_uniform(&r) * (double)n);
		memcpy(bad, good, n);
		for (int k = 0; k < i % 40; k++) {
			size_t span = k % 2 ? 5760 : n;
			bad[(size_t)(um_uniform(&r) * (double)span)] = (char)um_rng_bits(&r);
		}
		for (int k = 0; k < i % 5; k++)
			bad[(size_t)(um_uniform(&r) * 5760)] = (char)('0' + um_rng_bits(&r) % 10);
		um_status st = um_uvfits_read(spill(bad, len), &d);
		CHECK(st == UM_OK || st == UM_EDATA);
		CHECK(st == UM_OK ? d.nrows > 0 : d.rows == NULL);
		um_observable o = { 0 };
		if (st == UM_OK)
			CHECK_OK(um_observable_new(&d, UM_LOGCAMP, &(um_observe){ 0 }, &o));
		um_observable_free(&o);
		um_uvdata_free(&d);
	}
	remove(spill(bad, 1));
	free(good);
	free(bad);
}

CHECK_MAIN(CHECK_CASE(synthetic), CHECK_CASE(real_files), CHECK_CASE(fixtures), CHECK_CASE(select_rows),
	CHECK_CASE(averages), CHECK_CASE(wrong_headers), CHECK_CASE(no_tables), CHECK_CASE(noise_in_files))
