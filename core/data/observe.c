/* SPDX-License-Identifier: GPL-3.0-or-later */
/* From stations to baselines. With H = GMST - ra and B = r1 - r2 in wavelengths
 *   u =  sin H Bx + cos H By
 *   v = -sin d cos H Bx + sin d sin H By + cos d Bz
 * (Thompson, Moran and Swenson 2017, doi:10.1007/978-3-319-44431-4, section 4.1, with H counted at
 * Greenwich), and sin(elevation) = s . r/|r|. GMST is a function of UT1 and TT (IAU 2006). */
#include <erfa.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <umbra/observe.h>

#include "uvfits.h"

#define PI 3.14159265358979323846
#define DEGREE (PI / 180)
#define HOUR (PI / 12)
#define LIGHT 299792458.0  /* m/s */
#define SAMPLING 0.88      /* efficiency of two-bit sampling */
#define TIMES_MAX 1000000
#define ROWS_MAX 50000000

um_status um_gmst(int64_t mjd, double hours, double ut1_utc, double *gmst)
{
	const double day = 2400000.5 + (double)mjd;
	double ut1[2], tai[2], tt[2];
	if (eraUtcut1(day, hours / 24, ut1_utc, &ut1[0], &ut1[1]) < 0
		|| eraUtctai(day, hours / 24, &tai[0], &tai[1]) < 0
		|| eraTaitt(tai[0], tai[1], &tt[0], &tt[1]) < 0)
		return um_fail(UM_EPARAM, "mjd = %lld: there is no UTC on that day", (long long)mjd);
	*gmst = eraGmst06(ut1[0], ut1[1], tt[0], tt[1]) / HOUR;
	return UM_OK;
}

double um_elevation(const double r[3], double gmst, double ra, double dec)
{
	double h = (gmst - ra) * HOUR;
	double d = dec * DEGREE;
	double up = cos(d) * (cos(h) * r[0] - sin(h) * r[1]) + sin(d) * r[2];
	double sine = up / sqrt(r[0] * r[0] + r[1] * r[1] + r[2] * r[2]);
	return asin(fmin(fmax(sine, -1), 1)) / DEGREE;
}

void um_project(const double b[3], double gmst, double ra, double dec, double uv[2])
{
	double h = (gmst - ra) * HOUR;
	double d = dec * DEGREE;
	uv[0] = sin(h) * b[0] + cos(h) * b[1];
	uv[1] = -sin(d) * (cos(h) * b[0] - sin(h) * b[1]) + cos(d) * b[2];
}

static um_status check_stations(const um_stations *a)
{
	if (a->n < 2)
		return um_fail(UM_EDATA, "an observation takes two stations or more, not %d", a->n);
	for (int i = 0; i < a->n; i++)
		if (!(a->s[i].sefd[0] > 0 && a->s[i].sefd[1] > 0))
			return um_fail(UM_EDATA, "station %s has no SEFD: its noise is not known", a->s[i].name);
	return UM_OK;
}

static um_status check(const um_schedule *s, const um_stations *a)
{
	if (!(s->stop > s->start) || !isfinite(s->stop - s->start))
		return um_fail(UM_EPARAM, "stop = %g h is not after start = %g h", s->stop, s->start);
	if (!(s->integration > 0 && s->cadence >= s->integration))
		return um_fail(UM_EPARAM, "cadence = %g s is shorter than integration = %g s: time stamps "
			"would overlap", s->cadence, s->integration);
	if (!((s->stop - s->start) * 3600 / s->cadence <= TIMES_MAX))
		return um_fail(UM_EPARAM, "more than %d time stamps: make cadence longer", TIMES_MAX);
	if (!(s->max_elevation > s->min_elevation))
		return um_fail(UM_EPARAM, "max_elevation = %g is not above min_elevation = %g",
			s->max_elevation, s->min_elevation);
	if (!(s->freq > 0 && s->bandwidth > 0))
		return um_fail(UM_EPARAM, "frequency and bandwidth must be positive");
	return check_stations(a);
}

/* Thermal noise of Stokes I. */
static double noise(const um_schedule *s, const um_station *a, const um_station *b)
{
	double hand[2];
	for (int i = 0; i < 2; i++)
		hand[i] = sqrt(a->sefd[i] * b->sefd[i] / (2 * s->bandwidth * s->integration)) / SAMPLING;
	return 0.5 * hypot(hand[0], hand[1]);
}

static um_status add(um_uvdata *d, int64_t *room, const um_uvrow *row)
{
	if (d->nrows == ROWS_MAX)
		return um_fail(UM_EPARAM, "more than %d visibilities: make cadence longer", ROWS_MAX);
	if (d->nrows == *room) {
		*room = 2 * *room + 1024;
		um_uvrow *p = realloc(d->rows, (size_t)*room * sizeof(*p));
		if (p == NULL)
			return um_fail(UM_ENOMEM, "no memory for %lld visibilities", (long long)*room);
		d->rows = p;
	}
	d->rows[d->nrows++] = *row;
	return UM_OK;
}

/* The rows of one time stamp. */
static um_status add_time(const um_schedule *s, double time, bool *sees, um_uvdata *d, int64_t *room)
{
	double gmst = 0;
	um_status st = um_gmst(s->mjd, time, s->ut1_utc, &gmst);
	for (int i = 0; i < d->nstations && st == UM_OK; i++) {
		double el = um_elevation(d->stations[i].xyz, gmst, s->ra, s->dec);
		sees[i] = el > s->min_elevation && el < s->max_elevation;
		for (int j = 0; j < i && st == UM_OK; j++) {
			const um_station *a = &d->stations[j];
			const um_station *b = &d->stations[i];
			double uv[2];
			const double between[3] = { a->xyz[0] - b->xyz[0], a->xyz[1] - b->xyz[1],
				a->xyz[2] - b->xyz[2] };
			if (!sees[i] || !sees[j])
				continue;
			um_project(between, gmst, s->ra, s->dec, uv);
			const um_uvrow row = { .time = time, .tint = s->integration, .t1 = j, .t2 = i,
				.u = uv[0] / (LIGHT / s->freq), .v = uv[1] / (LIGHT / s->freq),
				.sigma = noise(s, a, b), .group = -1 };
			st = add(d, room, &row);
		}
	}
	return st;
}

static um_status set_up(const um_schedule *s, const um_stations *a, um_uvdata *d)
{
	*d = (um_uvdata){ .ra = s->ra, .dec = s->dec, .freq = s->freq, .bandwidth = s->bandwidth,
		.mjd = s->mjd, .nstations = a->n };
	snprintf(d->source, sizeof(d->source), "%s", s->source != NULL ? s->source : "");
	d->stations = malloc((size_t)a->n * sizeof(*d->stations));
	if (d->stations == NULL)
		return um_fail(UM_ENOMEM, "no memory for %d stations", a->n);
	memcpy(d->stations, a->s, (size_t)a->n * sizeof(*d->stations));
	return um_uvdata_orient(d);
}

um_status um_observe_schedule(const um_schedule *s, const um_stations *a, um_uvdata *out)
{
	um_status st = UM_OK;
	um_uvdata d = { 0 };
	int64_t room = 0;
	bool *sees = NULL;
	UM_TRY(check(s, a));
	UM_TRY(set_up(s, a, &d));
	sees = calloc((size_t)a->n, sizeof(*sees));
	if (sees == NULL)
		UM_TRY(um_fail(UM_ENOMEM, "no memory for %d stations", a->n));
	for (int64_t k = 0; k <= TIMES_MAX; k++) {
		double time = s->start + (double)k * s->cadence / 3600;
		if (!(time < s->stop))
			break;
		UM_TRY(add_time(s, time, sees, &d, &room));
	}
	if (d.nrows == 0)
		UM_TRY(um_fail(UM_EPARAM, "no two stations see the source (dec %g degrees) at %g to %g degrees "
			"of elevation between %g and %g h UTC", s->dec, s->min_elevation, s->max_elevation,
			s->start, s->stop));
	UM_TRY(um_uvdata_sort(&d));
out:
	free(sees);
	if (st != UM_OK)
		um_uvdata_free(&d);
	*out = d;
	return st;
}

um_status um_observe_array(const um_schedule *s, const char *path, double flux, um_uvdata *out)
{
	um_stations a = { 0 };
	um_status st = um_stations_read(path, &a);
	if (st != UM_OK)
		return st;
	st = um_observe_schedule(s, &a, out);
	if (st == UM_EDATA)
		st = um_context(st, "%s", path);
	um_stations_free(&a);
	for (int64_t i = 0; i < out->nrows; i++)
		out->rows[i].re = flux;
	return st;
}
