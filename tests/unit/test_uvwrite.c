/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Written visibilities come back: rows, names, headers, bytes; a simulated observation, written
 * and read, fits the image that it was made from, by every data product. */
#include <umbra/dft.h>
#include <umbra/observe.h>
#include <umbra/uvwrite.h>
#include "base/file.h"
#include "eht.h"
#include "plug.h"

#define PIXEL (5 * 4.848136811095360e-12)
#define SIDE 16

static const char *path_of(const char *ending)
{
	static char path[64];
	snprintf(path, sizeof(path), "/tmp/umbra-uvwrite-%ld%s", (long)getpid(), ending);
	remove(path);
	return path;
}

static const um_schedule plan = { .source = "M87", .ra = 12.5137287171682, .dec = 12.39112323919932,
	.mjd = 57849, .start = 0.3, .stop = 26.3, .integration = 60, .cadence = 900, .freq = 227.070703125e9,
	.bandwidth = 2e9, .min_elevation = 10, .max_elevation = 85, .ut1_utc = 0.4634343 };

/* A compact image: no baseline sees mere noise. */
static void image(double *x)
{
	for (int i = 0; i < SIDE * SIDE; i++)
		x[i] = 0;
	for (int i = 0; i < 9; i++)
		x[(7 + i / 3) * SIDE + 6 + i % 3] = 0.5 + 0.1 * i;
}

/* An observation of the image without noise. */
static void observe(um_uvdata *d)
{
	double x[SIDE * SIDE];
	um_stations a;
	um_dft *dft;
	image(x);
	CHECK_OK(um_stations_read("share/arrays/EHT2017.txt", &a));
	CHECK_OK(um_observe_schedule(&plan, &a, d));
	double *w = calloc((size_t)d->nrows * 4, sizeof(*w));
	for (int64_t i = 0; i < d->nrows; i++) {
		w[i] = d->rows[i].u;
		w[d->nrows + i] = d->rows[i].v;
	}
	CHECK_OK(um_dft_new(w, w + d->nrows, d->nrows, SIDE, SIDE, PIXEL, UM_TRIANGLE, &dft));
	CHECK_OK(um_dft_forward(dft, 1, x, w + 2 * d->nrows, w + 3 * d->nrows));
	um_observe_fill(d, w + 2 * d->nrows, w + 3 * d->nrows);
	um_dft_free(dft);
	um_stations_free(&a);
	free(w);
}

static double round_off(double x)
{
	return (double)(float)x;
}

/* Stored numbers are float32: what comes back is what was stored, u and v to a rounding of
 * PSCAL times FREQ. */
static void same_rows(const um_uvdata *d, const um_uvdata *e)
{
	CU_ASSERT_EQUAL_FATAL(d->nrows, e->nrows);
	for (int64_t i = 0; i < d->nrows; i++) {
		const um_uvrow *p = &d->rows[i], *q = &e->rows[i];
		double days = p->time / 24 - floor(p->time / 24);
		double weight = round_off(0.5 / (p->sigma * p->sigma));
		CHECK(p->t1 == q->t1 && p->t2 == q->t2 && !q->turned);
		CHECK_NEAR(q->time, 24 * (floor(p->time / 24) + round_off(days)), 1e-12);
		CHECK(q->re == round_off(p->re) && q->im == round_off(p->im) && q->tint == round_off(p->tint));
		CHECK_REL(q->sigma, sqrt(0.5 / weight), 1e-15);
		CHECK_REL(q->sigma, p->sigma, 6e-8);
		CHECK_REL(q->u, round_off(p->u), 1e-15);
		CHECK_REL(q->v, round_off(p->v), 1e-15);
		CHECK(q->tau1 == round_off(p->tau1) && q->tau2 == round_off(p->tau2));
	}
}

static void same_header(const um_uvdata *d, const um_uvdata *e)
{
	CHECK(strcmp(d->source, e->source) == 0 && d->mjd == e->mjd && d->freq == e->freq);
	CHECK(d->bandwidth == e->bandwidth && d->dec == e->dec);
	CHECK_REL(e->ra, d->ra, 3e-16);
	CU_ASSERT_EQUAL_FATAL(d->nstations, e->nstations);
	for (int i = 0; i < d->nstations; i++) {
		const um_station *a = &d->stations[i], *b = &e->stations[i];
		CHECK(strcmp(a->name, b->name) == 0 && memcmp(a->xyz, b->xyz, sizeof(a->xyz)) == 0);
		CHECK_REL(b->sefd[0], hypot(a->sefd[0], a->sefd[1]) / sqrt(2), 1e-15);
	}
}

static void round_trip(void)
{
	um_uvdata d, e, again;
	um_rng r = um_rng_new(1, "write", 0);
	const char *path = path_of(".uvfits");
	observe(&d);
	CHECK(d.rows[d.nrows - 1].time > 24 && d.nrows > 500);
	um_observe_noise(&d, &r);
	d.rows[3].tau1 = 0.1;
	CHECK_OK(um_uvfits_write(path, &d, 0.4634343));
	CHECK_OK(um_uvfits_read(path, &e));
	same_header(&d, &e);
	same_rows(&d, &e);
	CHECK(um_uvdata_times(&e) == um_uvdata_times(&d));
	path = path_of("-2.uvfits");
	CHECK_OK(um_uvfits_write(path, &e, 0)); /* what was read is stored without any loss */
	CHECK_OK(um_uvfits_read(path, &again));
	for (int64_t i = 0; i < e.nrows; i++)
		CHECK(again.rows[i].re == e.rows[i].re && again.rows[i].time == e.rows[i].time
			&& fabs(again.rows[i].u - e.rows[i].u) < 1e-5);
	remove(path);
	remove(path_of(".uvfits"));
	um_uvdata_free(&d);
	um_uvdata_free(&e);
	um_uvdata_free(&again);
}

/* Real files, whatever their dialect, are what they were after writing. */
static void real_files(void)
{
	static const char *const names[] = { M87, "sample", "score_prior_obs" };
	for (int k = 0; k < 3; k++) {
		um_uvdata d, e;
		const char *path = eht_path(names[k], ".uvfits");
		if (path == NULL)
			return;
		CHECK_OK(um_uvfits_read(path, &d));
		path = path_of(".uvfits");
		CHECK_OK(um_uvfits_write(path, &d, 0));
		CHECK_OK(um_uvfits_read(path, &e));
		same_header(&d, &e);
		CHECK(d.nrows == e.nrows && um_uvdata_times(&d) == um_uvdata_times(&e));
		for (int64_t i = 0; i < d.nrows; i++) {
			const um_uvrow *p = &d.rows[i], *q = &e.rows[i];
			CHECK(p->t1 == q->t1 && p->t2 == q->t2 && p->time == q->time && p->tint == q->tint);
			CHECK_NEAR(hypot(p->re - q->re, p->im - q->im), 0, 6e-8 * hypot(p->re, p->im));
			CHECK_REL(q->sigma, p->sigma, 6e-8);
			CHECK_NEAR(hypot(p->u - q->u, p->v - q->v), 0, 6e-8 * hypot(p->u, p->v));
		}
		remove(path);
		um_uvdata_free(&d);
		um_uvdata_free(&e);
	}
}

/* The value of a card of the file, as text. */
static const char *card(const char *bytes, size_t n, const char *key)
{
	static char value[72];
	char want[16];
	snprintf(want, sizeof(want), "%-8s=", key);
	for (size_t at = 0; at + 80 <= n; at += 80)
		if (memcmp(bytes + at, want, 9) == 0) {
			memcpy(value, bytes + at + 10, 70);
			value[70] = 0;
			return value;
		}
	return "";
}

static void bytes(void)
{
	um_uvdata d;
	char *a, *b, command[256];
	const char *path = path_of(".uvfits");
	observe(&d);
	CHECK_OK(um_uvfits_write(path, &d, 0.4634343));
	size_t n, m;
	CHECK_OK(um_file_get(path, &a, &n));
	snprintf(command, sizeof(command), "fitsverify -e -q %s >/dev/null", path);
	if (system("command -v fitsverify >/dev/null") != 0)
		printf("SKIPPED: no fitsverify\n");
	else
		CHECK(system(command) == 0);
	CHECK_FAILS(um_uvfits_write(path, &d, 0), UM_EIO, path); /* never on top of another file */
	path = path_of("-2.uvfits");
	CHECK_OK(um_uvfits_write(path, &d, 0.4634343));
	CHECK_OK(um_file_get(path, &b, &m));
	CHECK(m == n && memcmp(a, b, n) == 0);
	CHECK(atof(card(a, n, "UT1UTC")) == 0.4634343 && strstr(card(a, n, "RDATE"), "'2017-04-06'") != NULL);
	CHECK(strstr(card(a, n, "DATE-OBS"), "'2017-04-06'") != NULL);
	CHECK_REL(atof(card(a, n, "PSCAL1")), 1 / d.freq, 1e-15);
	CHECK(atof(card(a, n, "PSCAL5")) == 1 && atof(card(a, n, "PZERO5")) == 0);
	double gmst;
	CHECK_OK(um_gmst(d.mjd, 0, 0.4634343, &gmst));
	CHECK_NEAR(atof(card(a, n, "GSTIA0")), 15 * gmst, 1e-9);
	CHECK_NEAR(atof(card(a, n, "DEGPDY")), 360.985647, 1e-5);
	remove(path);
	remove(path_of(".uvfits"));
	free(a);
	free(b);
	um_uvdata_free(&d);
}

static void refusals(void)
{
	um_uvdata d;
	observe(&d);
	um_uvrow good = d.rows[5];
	const char *path = path_of(".uvfits");
	for (int i = 0; i < 8; i++) {
		um_uvrow *r = &d.rows[5];
		*r = good;
		switch (i) {
		case 0: r->sigma = 0; break;
		case 1: r->sigma = NAN; break;
		case 2: r->re = INFINITY; break;
		case 3: r->u = NAN; break;
		case 4: r->t2 = r->t1; break;
		case 5: r->t2 = 8; break;
		case 6: r->t1 = -1; break;
		default: r->sigma = 1e-30; break;
		}
		CHECK_FAILS(um_uvfits_write(path, &d, 0), UM_EARG, "row 5 is not a visibility");
		CHECK(access(path, F_OK) != 0);
	}
	d.rows[5] = good;
	CHECK_FAILS(um_uvfits_write("/nowhere/x.uvfits", &d, 0), UM_EIO, "/nowhere/x.uvfits: cannot write");
	d.nrows = 0;
	CHECK_FAILS(um_uvfits_write(path, &d, 0), UM_EARG, "0 visibilities");
	um_uvdata_free(&d);
}

/* Reduced chi-square of the truth for one product of d. */
static double chi2(const um_uvdata *d, um_product product, int64_t *n)
{
	double x[SIDE * SIDE];
	um_observable o;
	um_dft *dft;
	image(x);
	double *w = calloc((size_t)d->nrows * 4, sizeof(*w));
	for (int64_t i = 0; i < d->nrows; i++) {
		w[i] = d->rows[i].u;
		w[d->nrows + i] = d->rows[i].v;
	}
	CHECK_OK(um_dft_new(w, w + d->nrows, d->nrows, SIDE, SIDE, PIXEL, UM_TRIANGLE, &dft));
	CHECK_OK(um_dft_forward(dft, 1, x, w + 2 * d->nrows, w + 3 * d->nrows));
	CHECK_OK(um_observable_new(d, product, &(um_observe){ 0 }, &o));
	double *f = calloc((size_t)o.len, sizeof(*f));
	um_observable_model(&o, w + 2 * d->nrows, w + 3 * d->nrows, f);
	double c = um_observable_chi2(&o, o.y, o.sigma, f, NULL);
	*n = o.n;
	free(f);
	free(w);
	um_observable_free(&o);
	um_dft_free(dft);
	return c;
}

/* At three seeds, and without noise. Closures of one time share visibilities, so that their
 * chi-squares scatter more than independent data would. */
static void truth_fits(void)
{
	for (uint64_t seed = 0; seed < 4; seed++) {
		um_uvdata d, e;
		um_rng r = um_rng_new(seed, "truth", 0);
		const char *path = path_of(".uvfits");
		observe(&d);
		if (seed > 0)
			um_observe_noise(&d, &r);
		CHECK_OK(um_uvfits_write(path, &d, plan.ut1_utc));
		CHECK_OK(um_uvfits_read(path, &e));
		for (um_product k = UM_VIS; k <= UM_LOGCAMP; k++) {
			int64_t n;
			double exact = chi2(&d, k, &n);
			double stored = chi2(&e, k, &n);
			CHECK(n > 200);
			if (seed == 0) {
				CHECK_NEAR(exact, 0, 1e-15);
				CHECK_NEAR(stored, 0, 1e-5); /* float32 against noise of 1e-4 of V */
			} else {
				CHECK_NEAR(exact, 1, 4 * sqrt((k < UM_CPHASE ? 2.0 : 6.0) / (double)n));
				CHECK_NEAR(stored, exact, 0.01);
			}
		}
		remove(path);
		um_uvdata_free(&d);
		um_uvdata_free(&e);
	}
}

/* ---- the plugin ------------------------------------------------------------ */

#define ARRAY "array=share/arrays/EHT2017.txt"
#define ALL "products=[\"vis\", \"amp\", \"cphase\", \"logcamp\"]"

struct kept {
	int uvfits, csv;
	um_uvdata d;
	char csv_text[4096];
};

static um_status keep(void *state, const char *name, um_status (*write)(const char *, void *), void *context)
{
	struct kept *k = state;
	const char *path = path_of("-kept");
	um_status st = write(path, context);
	if (st == UM_OK && strcmp(name, "measurements.uvfits") == 0) {
		k->uvfits++;
		st = um_uvfits_read(path, &k->d);
	} else if (st == UM_OK && strcmp(name, "gains.csv") == 0) {
		char *text;
		CHECK_OK(um_file_get(path, &text, NULL));
		k->csv++;
		snprintf(k->csv_text, sizeof(k->csv_text), "%s", text);
		free(text);
	}
	remove(path);
	return st;
}

static um_env env(void)
{
	um_env e = plug_env(1, SIDE, SIDE);
	e.pixel = PIXEL;
	return e;
}

/* One simulation by the plugin: chi-squares of the truth by the numbers that the host gets. */
static void simulate(const char *const *settings, uint64_t seed, struct kept *k, double values[6], um_array *y)
{
	const um_sink_ops ops = { .file = keep };
	um_sink sink = { &ops, k };
	plug g;
	um_array x = { 0 }, sigma = { 0 }, none = { 0 };
	um_rng r = um_rng_new(seed, "simulate/eht", 0);
	double truth[SIDE * SIDE];
	memset(k, 0, sizeof(*k));
	CHECK_OK(plug_try(&g, UM_FORWARD, "eht", env(), settings));
	CHECK(g.forward.info.measurements == 0 && strcmp(g.forward.info.object, "M87") == 0);
	CHECK_OK(um_array_new(y, UM_F64, 2, (const int64_t[]){ 1, g.forward.info.ny }));
	CHECK_OK(um_array_new(&sigma, UM_F64, 2, (const int64_t[]){ 1, g.forward.info.ny }));
	CHECK_OK(um_array_new(&none, UM_F64, 2, (const int64_t[]){ 1, 0 }));
	CHECK_OK(um_env_images(&g.env, 1, &x));
	image(truth);
	for (int i = 0; i < SIDE * SIDE; i++)
		um_row_f(&x, 0)[i] = (float)truth[i];
	CHECK_OK(um_forward_simulate(&g.forward, &r, &x, &none, y, &sigma, &sink));
	CHECK_OK(um_forward_stats(&g.forward, &none, &x, y, &sigma, values));
	CHECK(k->uvfits == 1);
	um_array_free(&x), um_array_free(&sigma), um_array_free(&none);
	plug_close(&g);
}

static void plugin(void)
{
	for (uint64_t seed = 1; seed < 4; seed++) {
		struct kept k;
		um_array y = { 0 };
		double v[6];
		int64_t n;
		simulate(SET(ARRAY, ALL), seed, &k, v, &y);
		CHECK(k.csv == 0 && k.d.nrows > 500);
		for (int i = 0; i < 4; i++) {
			double stored = chi2(&k.d, (um_product)i, &n);
			CHECK_NEAR(v[i], 1, 4 * sqrt((i < 2 ? 2.0 : 6.0) / (double)n));
			CHECK_NEAR(stored, v[i], 0.01);
		}
		for (int64_t i = 0; i < k.d.nrows; i++) /* the file has the visibilities of y */
			CHECK(k.d.rows[i].re == round_off(um_row_d(&y, 0)[i]));
		um_uvdata_free(&k.d);
		um_array_free(&y);
	}
}

/* Without noise nothing is left; gains spoil visibilities alone, and leave the noise as it was. */
static void plugin_gains(void)
{
	struct kept k;
	um_array y[3] = { { 0 }, { 0 }, { 0 } };
	double v[6];
	simulate(SET(ARRAY, ALL, "thermal_noise=false"), 1, &k, v, &y[0]);
	for (int i = 0; i < 4; i++)
		CHECK_NEAR(v[i], 0, 1e-12);
	um_uvdata_free(&k.d);
	simulate(SET(ARRAY, ALL, "thermal_noise=false", "gain_amplitude=0.2", "gain_phase=40.0", "gain_per_scan=true"),
		1, &k, v, &y[1]);
	CHECK(v[0] > 100 && v[1] > 100 && k.csv == 1);
	CHECK_NEAR(v[2], 0, 1e-12);
	CHECK_NEAR(v[3], 0, 1e-12);
	CHECK(strncmp(k.csv_text, "start_h,stop_h,station,amplitude,phase_deg\n", 43) == 0);
	um_uvdata_free(&k.d);
	um_array_free(&y[1]);
	simulate(SET(ARRAY, "gain_phase=40.0"), 1, &k, v, &y[1]);
	const int64_t n = k.d.nrows;
	um_uvdata_free(&k.d);
	um_array_free(&y[0]);
	simulate(SET(ARRAY, "gain_phase=40.0", "thermal_noise=false"), 1, &k, v, &y[0]);
	um_uvdata_free(&k.d);
	simulate(SET(ARRAY), 1, &k, v, &y[2]);
	for (int64_t i = 0; i < n; i++) { /* gain and noise, less gain: noise */
		double noise = um_row_d(&y[1], 0)[i] - um_row_d(&y[0], 0)[i];
		CHECK(fabs(noise) < 6 * k.d.rows[i].sigma);
	}
	um_uvdata_free(&k.d);
	for (int i = 0; i < 3; i++)
		um_array_free(&y[i]);
}

static void plugin_refusals(void)
{
	static const plug_refusal cases[] = {
		{ ARRAY, "uvfits=tests/data/synthetic.uvfits", "both are given" },
		{ "flux=1.0", "debias=false", "neither is given" },
		{ ARRAY, "coverage_only=true", "coverage_only belongs to uvfits" },
		{ ARRAY, "min_elevation=84.9", "no two stations" }, { ARRAY, "stop=0.0", "stop = 0 h is not after" },
		{ ARRAY, "stations=[\"XX\"]", "EHT2017.txt: no station XX; there are: AA" },
		{ ARRAY, "uv=[20.0, 30.0]", "EHT2017.txt: no visibility" },
		{ "array=tests/data/README.md", "debias=false", "README.md:1:" },
	};
	plug g;
	plug_refuses(UM_FORWARD, "eht", env(), cases, sizeof(cases) / sizeof(*cases));
	CHECK_OK(plug_try(&g, UM_FORWARD, "eht", env(), SET(ARRAY, "stations=[\"AA\", \"LM\", \"SM\"]",
		"average=scan", "products=[\"cphase\", \"amp\"]", "flux=1.2")));
	CHECK(g.forward.info.ny > 20 && g.forward.info.freq == 227.070703125e9);
	plug_close(&g);
}

CHECK_MAIN(CHECK_CASE(round_trip), CHECK_CASE(real_files), CHECK_CASE(bytes), CHECK_CASE(refusals),
	CHECK_CASE(truth_fits), CHECK_CASE(plugin), CHECK_CASE(plugin_gains), CHECK_CASE(plugin_refusals))
