/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Several files in one data set behave as each on its own; rows that are flagged go. */
#include <math.h>
#include <stdlib.h>
#include <umbra/observable.h>
#include "check.h"

#define SYNTHETIC "tests/data/synthetic.uvfits"

static void read_file(um_uvdata *d)
{
	CHECK_OK(um_uvfits_read(SYNTHETIC, d));
}

/* The file twice, the second time other visibilities in the order of an earlier day's stations. */
static void read_two(int64_t day, um_uvdata *d, um_uvdata *second)
{
	read_file(d);
	read_file(second);
	second->mjd += day;
	second->nrows -= 20;
	for (int64_t i = 0; i < second->nrows; i++) {
		second->rows[i].re *= 1.25;
		second->rows[i].im += 0.01;
	}
	CHECK_OK(um_uvdata_append(d, second));
}

/* Products of the whole are those of the parts, one after the other. */
static void closures(void)
{
	um_uvdata both, a, b;
	read_file(&a);
	for (int64_t day = -1; day <= 1; day++)
		for (int p = 0; p < UM_PRODUCTS; p++)
			for (int m = 0; m < 2; m++) {
				um_observable o, q, r;
				const um_observe how = { .maximal = m };
				read_two(day, &both, &b);
				CHECK_OK(um_uvdata_sort(&both));
				CHECK_OK(um_observable_new(&both, (um_product)p, &how, &o));
				CHECK_OK(um_observable_new(&a, (um_product)p, &how, &q));
				CHECK_OK(um_observable_new(&b, (um_product)p, &how, &r));
				CHECK(o.n == q.n + r.n && r.n > 0);
				for (int64_t i = 0; i < o.n; i++) {
					CHECK_NEAR(o.y[i], i < q.n ? q.y[i] : r.y[i - q.n], 0);
					CHECK_NEAR(o.sigma[i], i < q.n ? q.sigma[i] : r.sigma[i - q.n], 0);
				}
				um_observable_free(&o), um_observable_free(&q), um_observable_free(&r);
				um_uvdata_free(&both), um_uvdata_free(&b);
			}
	um_uvdata_free(&a);
}

static void times(void)
{
	um_uvdata both, a, b, part;
	read_two(-2, &both, &b);
	CHECK(um_uvdata_sets(&both) == 2 && both.nstations == 12 && both.mjd == b.mjd);
	read_file(&a);
	CHECK(um_uvdata_times(&both) == um_uvdata_times(&a) + um_uvdata_times(&b));
	CHECK_NEAR(both.rows[0].time, b.rows[0].time + 48, 1e-12);
	CHECK(isinf(um_uvdata_gap(&both, 0)) && isinf(um_uvdata_gap(&both, 148)) && um_uvdata_gap(&both, 1) == 0);
	for (int set = 0; set < 2; set++) {
		CHECK_OK(um_uvdata_part(&both, set, &part));
		CHECK(um_uvdata_sets(&part) == 1 && part.nstations == 6 && part.nrows == 148 - 20 * set);
		for (int64_t i = 0; i < part.nrows; i++) {
			const um_uvrow *r = &part.rows[i], *q = &b.rows[i < b.nrows ? i : 0];
			CHECK(r->t1 >= 0 && r->t1 < r->t2 && r->t2 < 6);
			CHECK(i >= b.nrows || (r->t1 == q->t1 && r->t2 == q->t2 && r->u == q->u));
		}
		um_uvdata_free(&part);
	}
	um_uvdata_free(&both), um_uvdata_free(&a), um_uvdata_free(&b);
}

/* Averaging the whole averages each part. */
static void averages(void)
{
	static const um_uvaverage how[] = { { .seconds = 0 }, { .seconds = 50 },
		{ .seconds = 0, .per_baseline = true }, { .seconds = 0, .inverse_variance = true } };
	for (size_t k = 0; k < sizeof(how) / sizeof(*how); k++) {
		um_uvdata both, b, mean, want, part;
		read_two(0, &both, &b);
		CHECK_OK(um_uvdata_average(&both, &how[k], &mean));
		CHECK_OK(um_uvdata_average(&b, &how[k], &want));
		CHECK_OK(um_uvdata_part(&mean, 1, &part));
		CHECK(part.nrows == want.nrows && mean.nrows > want.nrows);
		for (int64_t i = 0; i < want.nrows; i++) {
			CHECK_NEAR(part.rows[i].re, want.rows[i].re, 0);
			CHECK_NEAR(part.rows[i].sigma, want.rows[i].sigma, 0);
			CHECK_NEAR(part.rows[i].time, want.rows[i].time, 0);
		}
		um_uvdata_free(&both), um_uvdata_free(&b), um_uvdata_free(&mean), um_uvdata_free(&want);
		um_uvdata_free(&part);
	}
}

static void names(void)
{
	static const char *const three[] = { "AA", "LM", "PV" };
	um_uvdata both, b, other;
	read_two(0, &both, &b);
	CHECK_OK(um_uvdata_select(&both, 0, 1e12, 3, three));
	CHECK_OK(um_uvdata_select(&b, 0, 1e12, 3, three));
	CHECK(both.nrows > 2 * b.nrows - 1 && b.nrows > 0);
	CHECK_FAILS(um_uvdata_select(&both, 0, 1e12, 1, (const char *const[]){ "XX" }), UM_EPARAM, "no station XX");
	CHECK(strstr(strstr(um_message(), "AA") + 1, "AA") == NULL); /* each name is listed once */
	read_file(&other);
	other.ra += 0.001;
	CHECK_FAILS(um_uvdata_append(&both, &other), UM_EDATA, "of one source");
	um_uvdata_free(&both), um_uvdata_free(&b), um_uvdata_free(&other);
}

static int64_t left(const um_uvflags *f)
{
	um_uvdata d;
	read_file(&d);
	CHECK_OK(um_uvdata_flag(&d, f));
	int64_t n = d.nrows;
	um_uvdata_free(&d);
	return n;
}

static void flags(void)
{
	static const char *const who[] = { "LM", "PV" }, *const pairs[] = { "AA-LM", "SM-AA" };
	const um_uvflags none = { .stop = INFINITY };
	um_uvdata d;
	int64_t station = 0, baseline = 0, early = 0, strong = 0;
	read_file(&d);
	const double noon = 0.5 * (d.rows[0].time + d.rows[d.nrows - 1].time);
	for (int64_t i = 0; i < d.nrows; i++) {
		const um_uvrow *r = &d.rows[i];
		const char *a = d.stations[r->t1].name, *b = d.stations[r->t2].name;
		station += strcmp(a, "LM") && strcmp(b, "LM") && strcmp(a, "PV") && strcmp(b, "PV");
		baseline += !(strcmp(a, "AA") == 0 && (strcmp(b, "LM") == 0 || strcmp(b, "SM") == 0));
		early += r->time <= noon;
		strong += hypot(r->re, r->im) >= 8 * r->sigma;
	}
	CHECK(left(&none) == d.nrows);
	CHECK(left(&(um_uvflags){ .stop = INFINITY, .nstations = 2, .stations = who }) == station);
	CHECK(left(&(um_uvflags){ .stop = INFINITY, .nbaselines = 2, .baselines = pairs }) == baseline);
	CHECK(left(&(um_uvflags){ .stop = noon }) == early);
	CHECK(left(&(um_uvflags){ .stop = INFINITY, .snr = 8 }) == strong);
	CHECK(0 < station && station < baseline && baseline < d.nrows && 0 < strong && strong < d.nrows);
	strcpy(d.stations[0].name, "A-B"); /* a name with a hyphen */
	strcpy(d.stations[1].name, "C");
	CHECK_OK(um_uvdata_flag(&d, &(um_uvflags){ .stop = INFINITY, .nbaselines = 1,
		.baselines = (const char *const[]){ "C-A-B" } }));
	for (int64_t i = 0; i < d.nrows; i++)
		CHECK(d.rows[i].t1 != 0 || d.rows[i].t2 != 1);
	CHECK_FAILS(um_uvdata_flag(&d, &(um_uvflags){ .stop = INFINITY, .nstations = 1,
		.stations = (const char *const[]){ "XX" } }), UM_EPARAM, "no station XX");
	CHECK_FAILS(um_uvdata_flag(&d, &(um_uvflags){ .stop = INFINITY, .nbaselines = 1,
		.baselines = (const char *const[]){ "C-XX" } }), UM_EPARAM, "two stations");
	CHECK_FAILS(um_uvdata_flag(&d, &(um_uvflags){ .stop = INFINITY, .snr = 1e9 }), UM_EDATA, "no visibility");
	um_uvdata_free(&d);
}

CHECK_MAIN(CHECK_CASE(closures), CHECK_CASE(times), CHECK_CASE(averages), CHECK_CASE(names),
	CHECK_CASE(flags))
