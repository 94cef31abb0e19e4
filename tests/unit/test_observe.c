/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Simulated observations against eht-imaging's noise-free synthesis and against the baselines of
 * released data; noise and gains by their statistics and by what closures do not see. */
#include <umbra/dft.h>
#include <umbra/fits.h>
#include <umbra/observe.h>
#include "eht.h"

#define REFERENCE "ref/sim_noisefree"

/* The observation that eht-imaging made (call of the reference). */
static const um_schedule sgra = { .source = "SgrA", .ra = 17.76112247222222, .dec = -28.99218944444445,
	.mjd = 48277, .stop = 24, .integration = 60, .cadence = 600, .freq = 230e9, .bandwidth = 2e9,
	.min_elevation = 10, .max_elevation = 85, .ut1_utc = 0.5742669 };

static const um_schedule m87 = { .source = "M87", .ra = 12.5137287171682, .dec = 12.39112323919932,
	.mjd = 57849, .stop = 12, .integration = 30, .cadence = 300, .freq = 227e9, .bandwidth = 2e9,
	.min_elevation = 10, .max_elevation = 85, .ut1_utc = 0.4634343 };

static void observe(const um_schedule *s, const char *table, um_uvdata *d)
{
	CHECK_OK(um_observe_array(s, table, 0, d));
}

static const um_station *station(const um_uvdata *d, const char *name)
{
	int k = um_uvdata_station(d, name);
	CU_ASSERT_FATAL(k >= 0);
	return &d->stations[k];
}

static void check_counts(const um_uvdata *d, json_t *j)
{
	const char *key;
	json_t *value, *order = eht_at(j, "station_order_ehtim");
	CHECK(d->nrows == (int64_t)eht_number(j, "n_rows"));
	CHECK(um_uvdata_times(d) == (int64_t)eht_number(j, "n_distinct_times"));
	for (int i = 0; i < d->nstations; i++)
		CHECK(strcmp(d->stations[i].name, json_string_value(json_array_get(order, (size_t)i))) == 0);
	json_object_foreach(eht_at(j, "baseline_counts"), key, value) {
		int64_t n = 0;
		for (int64_t i = 0; i < d->nrows; i++) {
			char name[64];
			snprintf(name, sizeof(name), "%s-%s", d->stations[d->rows[i].t1].name,
				d->stations[d->rows[i].t2].name);
			n += strcmp(name, key) == 0;
		}
		CHECK(n == (int64_t)json_number_value(value));
	}
}

static double stored_gmst(json_t *j, double hours)
{
	return json_number_value(json_array_get(eht_at(j, "gmst_hours_every_10min"), (size_t)lround(6 * hours)));
}

/* Rows with our sidereal time, then their u, v with the one that is listed. */
static void check_rows(const um_uvdata *d, json_t *j, const char *list)
{
	json_t *rows = eht_at(j, list);
	for (size_t i = 0; i < json_array_size(rows); i++) {
		json_t *want = json_array_get(rows, i);
		const um_uvrow *r = &d->rows[(int)eht_number(want, "index")];
		const double *a = station(d, eht_text(want, "t1"))->xyz;
		const double *b = station(d, eht_text(want, "t2"))->xyz;
		const double between[3] = { a[0] - b[0], a[1] - b[1], a[2] - b[2] };
		double uv[2];
		CHECK(d->stations[r->t1].xyz == a && d->stations[r->t2].xyz == b);
		CHECK_NEAR(r->time, eht_number(want, "time_h"), 1e-12);
		CHECK(r->tint == eht_number(want, "tint_s") && r->re == 0 && r->im == 0);
		CHECK_NEAR(r->sigma, eht_number(want, "sigma"), 1e-14);
		CHECK_NEAR(r->u, eht_number(want, "u"), 1000);
		CHECK_NEAR(r->v, eht_number(want, "v"), 1000);
		um_project(between, stored_gmst(j, r->time), d->ra, d->dec, uv);
		CHECK_NEAR(uv[0] * d->freq / 299792458, eht_number(want, "u"), 0.01);
		CHECK_NEAR(uv[1] * d->freq / 299792458, eht_number(want, "v"), 0.01);
	}
}

static void check_elevations(const um_uvdata *d, json_t *j)
{
	const char *name;
	json_t *value;
	json_object_foreach(eht_at(j, "stations"), name, value) {
		int64_t seen = 0;
		json_t *el = eht_at(value, "elevation_deg_every_10min");
		for (size_t k = 0; k < json_array_size(el); k++) {
			double e = um_elevation(station(d, name)->xyz, stored_gmst(j, (double)k / 6), d->ra, d->dec);
			CHECK_NEAR(e, json_number_value(json_array_get(el, k)), 1e-9);
			seen += e > 10 && e < 85;
		}
		CHECK(seen == (int64_t)eht_number(value, "n_times_within_10_85"));
	}
}

/* Sums over all rows with the sidereal times of the reference. */
static void check_sums(const um_uvdata *d, json_t *j)
{
	double sum[6] = { 0 };
	static const char *const keys[] = { "sum_time_h", "sum_sigma", "sum_inv_sigma2", "sum_u", "sum_v",
		"sum_uvdist" };
	for (int64_t i = 0; i < d->nrows; i++) {
		const um_uvrow *r = &d->rows[i];
		const double *a = d->stations[r->t1].xyz;
		const double *b = d->stations[r->t2].xyz;
		double uv[2];
		um_project((const double[]){ a[0] - b[0], a[1] - b[1], a[2] - b[2] }, stored_gmst(j, r->time),
			d->ra, d->dec, uv);
		for (int k = 0; k < 2; k++)
			uv[k] *= d->freq / 299792458;
		const double add[] = { r->time, r->sigma, 1 / (r->sigma * r->sigma), uv[0], uv[1], hypot(uv[0], uv[1]) };
		for (int k = 0; k < 6; k++)
			sum[k] += add[k];
	}
	for (int k = 0; k < 6; k++)
		CHECK_REL(sum[k], eht_number(eht_at(j, "checksums_in_memory"), keys[k]), 1e-11);
}

/* Visibilities of the true image at the listed points. */
static void check_visibilities(json_t *j, const char *list)
{
	json_t *rows = eht_at(j, list);
	const int64_t n = (int64_t)json_array_size(rows);
	double uv[2][50], v[2][50];
	um_image im;
	um_dft *dft;
	CU_ASSERT_FATAL(n <= 50);
	for (int64_t i = 0; i < n; i++) {
		uv[0][i] = eht_number(json_array_get(rows, (size_t)i), "u");
		uv[1][i] = eht_number(json_array_get(rows, (size_t)i), "v");
	}
	CHECK_OK(um_image_read(eht_path("score_prior_truth", ".fits"), &im));
	CHECK_OK(um_dft_new(uv[0], uv[1], n, im.data.dim[0], im.data.dim[1], im.sky.pixel, UM_TRIANGLE, &dft));
	CHECK_OK(um_dft_forward(dft, 1, im.data.data, v[0], v[1]));
	for (int64_t i = 0; i < n; i++) {
		CHECK_NEAR(v[0][i], eht_number(json_array_get(rows, (size_t)i), "vis.0"), 1e-11);
		CHECK_NEAR(v[1][i], eht_number(json_array_get(rows, (size_t)i), "vis.1"), 1e-11);
	}
	um_dft_free(dft);
	um_image_free(&im);
}

static void synthesis(void)
{
	const char *path = eht_path(REFERENCE, ".json");
	um_uvdata d;
	double gmst;
	if (path == NULL)
		return;
	json_t *j = eht_json(path);
	observe(&sgra, eht_path("arrays/EHT2017", ".txt"), &d);
	CHECK_OK(um_gmst(d.mjd, 0, 0.5742669, &gmst));
	CHECK_NEAR(gmst, stored_gmst(j, 0), 1e-10);
	CHECK_OK(um_gmst(d.mjd, 23 + 50.0 / 60, 0.5742669 - 0.0024617 * 143 / 144, &gmst));
	CHECK_NEAR(gmst, stored_gmst(j, 23 + 50.0 / 60), 1e-9);
	check_counts(&d, j);
	check_rows(&d, j, "first30_in_memory");
	check_rows(&d, j, "random20_in_memory");
	check_elevations(&d, j);
	check_sums(&d, j);
	check_visibilities(j, "first30_in_memory");
	check_visibilities(j, "random20_in_memory");
	json_decref(j);
	um_uvdata_free(&d);
}

/* Released u, v are on the track of the baseline, within 2 s of the time stamp: they are means
 * over what was recorded of its 10 s. */
static void released_data(void)
{
	const char *path = eht_path(M87, ".uvfits");
	um_uvdata d;
	if (path == NULL)
		return;
	CHECK_OK(um_uvfits_read(path, &d));
	for (int64_t i = 0; i < d.nrows; i++) {
		const um_uvrow *r = &d.rows[i];
		const double *a = d.stations[r->t1].xyz;
		const double *b = d.stations[r->t2].xyz;
		const double between[3] = { a[0] - b[0], a[1] - b[1], a[2] - b[2] };
		const double k = d.freq / 299792458;
		double gmst, later, now[2], then[2];
		CHECK_OK(um_gmst(d.mjd, r->time, 0.4648247, &gmst));
		CHECK_OK(um_gmst(d.mjd, r->time + 1.0 / 3600, 0.4648247, &later));
		um_project(between, gmst, d.ra, d.dec, now);
		um_project(between, later, d.ra, d.dec, then);
		double off[2] = { r->u - now[0] * k, r->v - now[1] * k };
		double way[2] = { (then[0] - now[0]) * k, (then[1] - now[1]) * k };
		double speed = hypot(way[0], way[1]);
		CHECK_NEAR((off[0] * way[1] - off[1] * way[0]) / speed, 0, 600);
		if (speed > 1000) /* wavelengths in a second: else rounding hides the time */
			CHECK_NEAR((off[0] * way[0] + off[1] * way[1]) / (speed * speed), 0, 2);
	}
	um_uvdata_free(&d);
}

/* Baselines of a triangle add up to nothing; a source overhead is at 90 degrees. */
static void geometry(void)
{
	um_uvdata d;
	um_observable o;
	observe(&m87, "share/arrays/EHT2022.txt", &d);
	CHECK(strcmp(d.source, "M87") == 0 && d.mjd == 57849 && d.freq == 227e9 && d.bandwidth == 2e9);
	for (int64_t i = 0; i < d.nrows; i++)
		d.rows[i].re = 1;
	CHECK_OK(um_observable_new(&d, UM_CPHASE, &(um_observe){ .maximal = true }, &o));
	CHECK(o.n > 1000);
	for (int64_t i = 0; i < o.n; i++) {
		double u = 0, v = 0;
		for (int k = 0; k < 3; k++) {
			const um_uvrow *r = &d.rows[o.closure[i].row[k]];
			u += o.closure[i].conj[k] ? -r->u : r->u;
			v += o.closure[i].conj[k] ? -r->v : r->v;
		}
		CHECK_NEAR(hypot(u, v), 0, 1e-4);
	}
	um_observable_free(&o);
	um_uvdata_free(&d);
	const double xyz[3] = { 0.5 * sqrt(3), 0, 0.5 };
	double uv[2];
	CHECK_NEAR(um_elevation(xyz, 7, 7, 30), 90, 1e-6);
	CHECK_NEAR(um_elevation(xyz, 19, 7, 30), -30, 1e-9);
	um_project(xyz, 7, 7, 30, uv);
	CHECK_NEAR(hypot(uv[0], uv[1]), 0, 1e-15);
	um_project((const double[]){ 0, 1, 0 }, 7, 7, 30, uv); /* east of Greenwich is east of the sky */
	CHECK(uv[0] == 1 && uv[1] == 0);
}

/* Hands of different sensitivity; scaling with time and bandwidth. */
static void sensitivity(void)
{
	um_station s[2] = { { "AA", { 2225060.8, -5440059.6, -2481681.2 }, { 100, 400 }, 0 },
		{ "LM", { -768715.6, -5988507.1, 2063354.9 }, { 900, 1600 }, 0 } };
	const um_stations a = { 2, s };
	um_schedule plan = m87;
	um_uvdata d, e;
	CHECK_OK(um_observe_schedule(&plan, &a, &d));
	double rr = sqrt(100 * 900 / (2 * 2e9 * 30)) / 0.88;
	double ll = sqrt(400 * 1600 / (2 * 2e9 * 30)) / 0.88;
	CHECK_REL(d.rows[0].sigma, 0.5 * sqrt(rr * rr + ll * ll), 1e-14);
	plan.integration = 120;
	plan.bandwidth = 8e9;
	CHECK_OK(um_observe_schedule(&plan, &a, &e));
	CHECK(e.nrows == d.nrows);
	CHECK_REL(e.rows[3].sigma, d.rows[3].sigma / 4, 1e-14);
	um_uvdata_free(&d);
	um_uvdata_free(&e);
	plan.start = 3;
	plan.stop = 3 + 2 * 300 / 3600.0;
	CHECK_OK(um_observe_schedule(&plan, &a, &e));
	CHECK(e.nrows == 2 && e.rows[0].time == 3); /* stop is not observed */
	um_uvdata_free(&e);
}

static void refusals(void)
{
	um_station s[2] = { { "AA", { 2225060.8, -5440059.6, -2481681.2 }, { 100, 400 }, 0 },
		{ "LM", { -768715.6, -5988507.1, 2063354.9 }, { 900, 1600 }, 0 } };
	um_stations a = { 2, s };
	um_uvdata d;
	um_schedule bad[7];
	for (int i = 0; i < 7; i++)
		bad[i] = m87;
	bad[0].stop = 0;
	bad[1].cadence = 29;
	bad[2].max_elevation = 10;
	bad[3].bandwidth = 0;
	bad[4].cadence = bad[4].integration = 1e-3;
	bad[5].dec = 89;
	bad[6].stop = NAN;
	static const char *const texts[] = { "stop = 0 h is not after", "cadence = 29 s is shorter", "is not above",
		"must be positive", "more than 1000000 time stamps", "no two stations see the source", "stop" };
	for (int i = 0; i < 7; i++) {
		CHECK_FAILS(um_observe_schedule(&bad[i], &a, &d), UM_EPARAM, texts[i]);
		CHECK(d.rows == NULL && d.stations == NULL);
	}
	s[1].sefd[1] = 0;
	CHECK_FAILS(um_observe_schedule(&m87, &a, &d), UM_EDATA, "LM has no SEFD");
	a.n = 1;
	CHECK_FAILS(um_observe_schedule(&m87, &a, &d), UM_EDATA, "two stations or more");
	double gmst;
	CHECK_FAILS(um_gmst(-3000000, 0, 0, &gmst), UM_EPARAM, "no UTC");
}

static void fill(um_uvdata *d)
{
	double *v = calloc((size_t)d->nrows * 2, sizeof(*v));
	for (int64_t i = 0; i < 2 * d->nrows; i++)
		v[i] = 1 + 0.5 * sin((double)i);
	um_observe_fill(d, v, v + d->nrows);
	free(v);
}

/* Closures do not see gains; amplitudes and phases do, by the gains of their stations. */
static void gains(void)
{
	um_uvdata d, e;
	for (int per_scan = 0; per_scan < 2; per_scan++) {
		um_gains g;
		um_observable o;
		um_rng r = um_rng_new(5, "gains", (uint64_t)per_scan);
		observe(&m87, "share/arrays/EHT2017.txt", &d);
		fill(&d);
		CHECK_OK(um_uvdata_copy(&d, &e));
		CHECK_OK(um_gains_draw(&d, 0.3, 1, per_scan, &r, &g));
		CHECK(g.nstations == 8 && g.nscans == (per_scan ? um_uvdata_times(&d) : 1));
		CHECK(g.start[0] == d.rows[0].time && g.stop[g.nscans - 1] == d.rows[d.nrows - 1].time);
		um_gains_apply(&g, &e);
		for (int k = UM_CPHASE; k <= UM_LOGCAMP; k++) {
			CHECK_OK(um_observable_new(&d, (um_product)k, &(um_observe){ 0 }, &o));
			double *y = calloc((size_t)o.len * 2, sizeof(*y));
			um_observable_measure(&o, &e, false, y, y + o.len);
			for (int64_t i = 0; i < o.n; i++)
				CHECK_NEAR(remainder(y[i] - o.y[i], 2 * acos(-1)), 0, 1e-12);
			free(y);
			um_observable_free(&o);
		}
		const um_uvrow *p = &d.rows[d.nrows - 1], *q = &e.rows[d.nrows - 1];
		const double *at = g.amplitude + (g.nscans - 1) * 8, *turn = g.phase + (g.nscans - 1) * 8;
		CHECK_REL(hypot(q->re, q->im), hypot(p->re, p->im) * at[p->t1] * at[p->t2], 1e-13);
		CHECK_NEAR(remainder(atan2(q->im, q->re) - atan2(p->im, p->re) - turn[p->t1] + turn[p->t2],
			2 * acos(-1)), 0, 1e-12);
		um_gains_free(&g);
		um_uvdata_free(&d);
		um_uvdata_free(&e);
	}
}

/* Without gains, errors and noise nothing happens; errors of two stations are multiplied; noise is the same with gains. */
static void corruption(void)
{
	um_uvdata d, e[4];
	um_gains g[4];
	double error[8];
	for (int i = 0; i < 8; i++)
		error[i] = 0.1 * i;
	const um_corruption c[4] = { { .per_scan = true }, { .error = error }, { .noise = true },
		{ .amplitude = 0.2, .phase = 1, .noise = true } };
	observe(&m87, "share/arrays/EHT2017.txt", &d);
	fill(&d);
	for (int k = 0; k < 4; k++) {
		um_rng r = um_rng_new(7, "corruption", 0);
		CHECK_OK(um_uvdata_copy(&d, &e[k]));
		CHECK_OK(um_observe_corrupt(&c[k], &r, &e[k], &g[k]));
		CHECK(g[k].nscans == (k == 3));
	}
	um_gains_apply(&g[3], &d);
	for (int64_t i = 0; i < d.nrows; i++) {
		const um_uvrow *plain = &e[0].rows[i], *noisy = &e[2].rows[i];
		const double off = (1 + error[plain->t1]) * (1 + error[plain->t2]);
		CHECK(plain->re == 1 + 0.5 * sin((double)i) && plain->im == 1 + 0.5 * sin((double)(d.nrows + i)));
		CHECK_REL(e[1].rows[i].re, off * plain->re, 1e-15);
		CHECK_REL(e[1].rows[i].im, off * plain->im, 1e-15);
		CHECK(noisy->re != plain->re && noisy->im != plain->im);
		CHECK_NEAR(e[3].rows[i].re - d.rows[i].re, noisy->re - plain->re, 1e-14);
		CHECK_NEAR(e[3].rows[i].im - d.rows[i].im, noisy->im - plain->im, 1e-14);
	}
	for (int k = 0; k < 4; k++) {
		um_gains_free(&g[k]);
		um_uvdata_free(&e[k]);
	}
	um_uvdata_free(&d);
}

/* Spread of many draws; the table as text. */
static void gain_table(void)
{
	um_uvdata d;
	um_gains g;
	um_rng r = um_rng_new(6, "gains", 0);
	um_schedule plan = m87;
	char path[64], line[128], name[24];
	double start, stop, amplitude, phase, sum[4] = { 0 };
	plan.cadence = 60;
	observe(&plan, "share/arrays/EHT2017.txt", &d);
	CHECK_OK(um_gains_draw(&d, 0.2, 0.5, true, &r, &g));
	const int64_t n = g.nscans * g.nstations;
	CHECK(n > 4000);
	for (int64_t i = 0; i < n; i++) {
		sum[0] += log(g.amplitude[i]) / (double)n;
		sum[1] += pow(log(g.amplitude[i]), 2) / (double)n;
		sum[2] += g.phase[i] / (double)n;
		sum[3] += pow(g.phase[i], 2) / (double)n;
	}
	CHECK_NEAR(sum[0], 0, 0.012);
	CHECK_NEAR(sqrt(sum[1]), 0.2, 0.01);
	CHECK_NEAR(sum[2], 0, 0.03);
	CHECK_NEAR(sqrt(sum[3]), 0.5, 0.025);
	snprintf(path, sizeof(path), "/tmp/umbra-gains-%ld.csv", (long)getpid());
	CHECK_OK(um_gains_write(path, &g, &d));
	FILE *f = fopen(path, "r");
	CU_ASSERT_PTR_NOT_NULL_FATAL(f);
	CHECK(fgets(line, sizeof(line), f) && strcmp(line, "start_h,stop_h,station,amplitude,phase_deg\n") == 0);
	int64_t lines = 0;
	for (; fgets(line, sizeof(line), f) != NULL; lines++) {
		CHECK(sscanf(line, "%lf,%lf,%23[^,],%lf,%lf", &start, &stop, name, &amplitude, &phase) == 5);
		CHECK(strcmp(name, d.stations[lines % 8].name) == 0 && amplitude == g.amplitude[lines]);
		CHECK_NEAR(phase * DEGREE, g.phase[lines], 1e-15);
	}
	CHECK(lines == n);
	fclose(f);
	remove(path);
	CHECK_FAILS(um_gains_write("/nowhere/gains.csv", &g, &d), UM_EIO, "/nowhere/gains.csv");
	um_gains_free(&g);
	um_uvdata_free(&d);
}

static void thermal_noise(void)
{
	um_uvdata d, e;
	um_rng r = um_rng_new(8, "noise", 0);
	um_rng same = r;
	um_schedule plan = m87;
	double mean = 0, square = 0;
	plan.cadence = 60;
	observe(&plan, "share/arrays/EHT2017.txt", &d);
	CHECK_OK(um_uvdata_copy(&d, &e));
	um_observe_noise(&d, &r);
	um_observe_noise(&e, &same);
	for (int64_t i = 0; i < d.nrows; i++) {
		const um_uvrow *q = &d.rows[i];
		mean += (q->re + q->im) / q->sigma;
		square += (q->re * q->re + q->im * q->im) / (q->sigma * q->sigma);
		CHECK(q->re == e.rows[i].re && q->im == e.rows[i].im);
	}
	double n = 2 * (double)d.nrows;
	CHECK(n > 8000);
	CHECK_NEAR(mean / n, 0, 4 / sqrt(n));
	CHECK_NEAR(square / n, 1, 4 * sqrt(2 / n));
	um_uvdata_free(&d);
	um_uvdata_free(&e);
}

CHECK_MAIN(CHECK_CASE(synthesis), CHECK_CASE(released_data), CHECK_CASE(geometry), CHECK_CASE(sensitivity),
	CHECK_CASE(refusals), CHECK_CASE(gains), CHECK_CASE(corruption), CHECK_CASE(gain_table), CHECK_CASE(thermal_noise))
