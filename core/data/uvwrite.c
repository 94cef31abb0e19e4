/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Writing UVFITS random groups (AIPS Memo 117). UU and VV are stored in wavelengths, PSCAL =
 * 1/FREQ makes them seconds; DATE is a half-integer Julian date, exact in float32, and the
 * fraction of the day, so that PSCAL = 1 and PZERO = 0 serve readers that apply them twice or
 * never. Two equal hands of weight 1/(2 sigma^2) have the mean I and its sigma. Nothing in the
 * file depends on the time or the machine. */
#include <erfa.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <umbra/observe.h>
#include <umbra/uvwrite.h>

#include "fitsfile.h"

#define STATIONS_MAX 255 /* what BASELINE = 256 a1 + a2 can number */

enum { PARAMS = 9, HANDS = 4 }; /* hands: RR, LL, RL, LR */

/* The fewest digits that give the number back. */
static void put(fitsfile *f, const char *key, double x, const char *comment, int *status)
{
	char text[32];
	int digits = 15;
	do
		snprintf(text, sizeof(text), "%.*G", digits, x);
	while (strtod(text, NULL) != x && digits++ < 17);
	fits_write_key_dbl(f, key, x, -digits, comment, status);
}

static void put_whole(fitsfile *f, const char *key, long x, int *status)
{
	fits_write_key(f, TLONG, key, &x, NULL, status);
}

static void put_axis(fitsfile *f, int axis, const char *type, double value, double step, int *status)
{
	char key[FLEN_KEYWORD];
	snprintf(key, sizeof(key), "CTYPE%d", axis);
	um_fitsfile_put(f, key, type, NULL, status);
	snprintf(key, sizeof(key), "CRVAL%d", axis);
	put(f, key, value, NULL, status);
	snprintf(key, sizeof(key), "CDELT%d", axis);
	put(f, key, step, NULL, status);
	snprintf(key, sizeof(key), "CRPIX%d", axis);
	put(f, key, 1, NULL, status);
}

static void put_params(fitsfile *f, double freq, int *status)
{
	static const char *const names[PARAMS] = { "UU---SIN", "VV---SIN", "WW---SIN", "BASELINE", "DATE",
		"DATE", "INTTIM", "TAU1", "TAU2" };
	for (int i = 0; i < PARAMS; i++) {
		char key[FLEN_KEYWORD];
		snprintf(key, sizeof(key), "PTYPE%d", i + 1);
		um_fitsfile_put(f, key, names[i], NULL, status);
		snprintf(key, sizeof(key), "PSCAL%d", i + 1);
		put(f, key, i < 3 ? 1 / freq : 1, NULL, status);
		snprintf(key, sizeof(key), "PZERO%d", i + 1);
		put(f, key, 0, NULL, status);
	}
}

/* The calendar date of a day, as FITS writes it. */
static void date_of(int64_t mjd, char out[16])
{
	int y, m, d;
	double fraction;
	out[0] = 0;
	if (eraJd2cal(2400000.5, (double)mjd, &y, &m, &d, &fraction) == 0)
		snprintf(out, 16, "%04d-%02d-%02d", y % 10000, m % 100, d % 100);
}

static void put_primary(fitsfile *f, const um_uvdata *d, int *status)
{
	long axes[7] = { 0, 3, HANDS, 1, 1, 1, 1 };
	char date[16];
	date_of(d->mjd, date);
	fits_write_grphdr(f, 1, FLOAT_IMG, 7, axes, PARAMS, d->nrows, 1, status);
	um_fitsfile_put(f, "OBJECT", d->source, NULL, status);
	put(f, "OBSRA", 15 * d->ra, "[deg] source", status);
	put(f, "OBSDEC", d->dec, "[deg] source", status);
	um_fitsfile_put(f, "DATE-OBS", date, NULL, status);
	put(f, "MJD", (double)d->mjd, "modified Julian date of DATE-OBS", status);
	put(f, "EQUINOX", 2000, NULL, status);
	put(f, "BSCALE", 1, NULL, status);
	put(f, "BZERO", 0, NULL, status);
	um_fitsfile_put(f, "BUNIT", "JY", NULL, status);
	um_fitsfile_put(f, "TELESCOP", "VLBI", NULL, status);
	um_fitsfile_put(f, "INSTRUME", "VLBI", NULL, status);
	put_axis(f, 2, "COMPLEX", 1, 1, status);
	put_axis(f, 3, "STOKES", -1, -1, status);
	put_axis(f, 4, "FREQ", d->freq, d->bandwidth, status);
	put_axis(f, 5, "IF", 1, 1, status);
	put_axis(f, 6, "RA", 15 * d->ra, 1, status);
	put_axis(f, 7, "DEC", d->dec, 1, status);
	put_params(f, d->freq, status);
	fits_write_history(f, "AIPS SORT ORDER='TB'", status);
}

static void put_group(fitsfile *f, const um_uvdata *d, const um_uvrow *r, long group, int *status)
{
	double day = floor(r->time / 24);
	float w = (float)(0.5 / (r->sigma * r->sigma));
	float p[PARAMS] = { (float)r->u, (float)r->v, 0, (float)(256 * (r->t1 + 1) + r->t2 + 1),
		(float)(2400000.5 + (double)d->mjd + day), (float)(r->time / 24 - day), (float)r->tint,
		(float)r->tau1, (float)r->tau2 };
	float cells[3 * HANDS] = { (float)r->re, (float)r->im, w, (float)r->re, (float)r->im, w };
	fits_write_grppar_flt(f, group, 1, PARAMS, p, status);
	ffppre(f, group, 1, 3 * HANDS, cells, status);
}

/* ---- tables ---------------------------------------------------------------- */

static void put_frame(fitsfile *f, const um_uvdata *d, double ut1_utc, int *status)
{
	char date[16];
	double midnight = 0, next = 0;
	date_of(d->mjd, date);
	if (um_gmst(d->mjd, 0, ut1_utc, &midnight) != UM_OK || um_gmst(d->mjd, 24, ut1_utc, &next) != UM_OK)
		midnight = next = 0;
	put_whole(f, "EXTVER", 1, status);
	put(f, "ARRAYX", 0, "[m] stations are geocentric", status);
	put(f, "ARRAYY", 0, NULL, status);
	put(f, "ARRAYZ", 0, NULL, status);
	put(f, "GSTIA0", 15 * midnight, "[deg] sidereal time at 0h of RDATE", status);
	put(f, "DEGPDY", 360 + 15 * remainder(next - midnight, 24), "[deg/d] of the Earth's rotation", status);
	put(f, "FREQ", d->freq, "[Hz] makes seconds into wavelengths", status);
	um_fitsfile_put(f, "RDATE", date, NULL, status);
	put(f, "POLARX", 0, NULL, status);
	put(f, "POLARY", 0, NULL, status);
	put(f, "UT1UTC", ut1_utc, "[s]", status);
	put(f, "DATUTC", 0, NULL, status);
	um_fitsfile_put(f, "TIMESYS", "UTC", NULL, status);
	um_fitsfile_put(f, "ARRNAM", "VLBI", NULL, status);
	um_fitsfile_put(f, "XYZHAND", "RIGHT", NULL, status);
	um_fitsfile_put(f, "FRAME", "ITRF", NULL, status);
	put_whole(f, "NUMORB", 0, status);
	put_whole(f, "NO_IF", 1, status);
	put_whole(f, "NOPCAL", 0, status);
	put_whole(f, "FREQID", 1, status);
	um_fitsfile_put(f, "POLTYPE", "", NULL, status);
}

static void put_station(fitsfile *f, const um_station *s, long row, int *status)
{
	char name[sizeof(s->name)];
	char *text[] = { name, (char[]){ "R" }, (char[]){ "L" } };
	double xyz[3];
	double sefd = hypot(s->sefd[0], s->sefd[1]) / sqrt(2);
	float angle[2] = { 0, 90 };
	float zero = 0;
	int number = (int)row;
	int mount = 0;
	memcpy(name, s->name, sizeof(name));
	memcpy(xyz, s->xyz, sizeof(xyz));
	fits_write_col(f, TSTRING, 1, row, 1, 1, &text[0], status);
	fits_write_col(f, TDOUBLE, 2, row, 1, 3, xyz, status);
	fits_write_col(f, TINT, 4, row, 1, 1, &number, status);
	fits_write_col(f, TINT, 5, row, 1, 1, &mount, status);
	fits_write_col(f, TFLOAT, 6, row, 1, 1, &zero, status);
	fits_write_col(f, TSTRING, 7, row, 1, 1, &text[1], status);
	fits_write_col(f, TFLOAT, 8, row, 1, 1, &angle[0], status);
	fits_write_col(f, TSTRING, 10, row, 1, 1, &text[2], status);
	fits_write_col(f, TFLOAT, 11, row, 1, 1, &angle[1], status);
	fits_write_col(f, TDOUBLE, 13, row, 1, 1, &sefd, status);
}

static void put_antennas(fitsfile *f, const um_uvdata *d, double ut1_utc, int *status)
{
	char width[8];
	char *names[] = { "ANNAME", "STABXYZ", "ORBPARM", "NOSTA", "MNTSTA", "STAXOF", "POLTYA", "POLAA",
		"POLCALA", "POLTYB", "POLAB", "POLCALB", "SEFD" };
	char *forms[] = { width, "3D", "0D", "1J", "1J", "1E", "1A", "1E", "0E", "1A", "1E", "0E", "1D" };
	char *units[] = { "", "METERS", "", "", "", "METERS", "", "DEGREES", "", "", "DEGREES", "", "JY" };
	size_t longest = 8;
	for (int i = 0; i < d->nstations; i++)
		longest = strlen(d->stations[i].name) > longest ? strlen(d->stations[i].name) : longest;
	snprintf(width, sizeof(width), "%dA", (int)longest);
	fits_create_tbl(f, BINARY_TBL, 0, 13, names, forms, units, "AIPS AN", status);
	put_frame(f, d, ut1_utc, status);
	for (int i = 0; i < d->nstations; i++)
		put_station(f, &d->stations[i], i + 1, status);
}

static void put_frequencies(fitsfile *f, const um_uvdata *d, int *status)
{
	char *names[] = { "FRQSEL", "IF FREQ", "CH WIDTH", "TOTAL BANDWIDTH", "SIDEBAND" };
	char *forms[] = { "1J", "1D", "1E", "1E", "1J" };
	char *units[] = { "", "HZ", "HZ", "HZ", "" };
	int one = 1;
	double offset = 0;
	float width = (float)d->bandwidth;
	fits_create_tbl(f, BINARY_TBL, 0, 5, names, forms, units, "AIPS FQ", status);
	put_whole(f, "EXTVER", 1, status);
	put_whole(f, "NO_IF", 1, status);
	fits_write_col(f, TINT, 1, 1, 1, 1, &one, status);
	fits_write_col(f, TDOUBLE, 2, 1, 1, 1, &offset, status);
	fits_write_col(f, TFLOAT, 3, 1, 1, 1, &width, status);
	fits_write_col(f, TFLOAT, 4, 1, 1, 1, &width, status);
	fits_write_col(f, TINT, 5, 1, 1, 1, &one, status);
}

/* ---- the file -------------------------------------------------------------- */

/* Weights must be normal numbers in float32, or sigma would not come back. */
static bool good_row(const um_uvdata *d, const um_uvrow *r)
{
	double w = 0.5 / (r->sigma * r->sigma);
	return isfinite(r->time) && isfinite(r->re) && isfinite(r->im) && isfinite(r->u) && isfinite(r->v)
		&& isfinite(r->tint) && isfinite(r->tau1) && isfinite(r->tau2) && r->sigma > 0 && w > 1e-37
		&& w < 1e38 && r->t1 >= 0 && r->t1 < r->t2 && r->t2 < d->nstations;
}

static um_status check(const char *path, const um_uvdata *d)
{
	if (d->nrows < 1 || d->nstations > STATIONS_MAX)
		return um_fail(UM_EARG, "%s: %lld visibilities of %d stations; UVFITS takes 1 or more of 2 to %d",
			path, (long long)d->nrows, d->nstations, STATIONS_MAX);
	if (!(d->freq > 0) || !isfinite(d->freq + d->bandwidth + d->ra + d->dec))
		return um_fail(UM_EARG, "%s: frequency or position is not a sensible number", path);
	for (int64_t i = 0; i < d->nrows; i++)
		if (!good_row(d, &d->rows[i]))
			return um_fail(UM_EARG, "%s: row %lld is not a visibility that can be written: |V| = %g, "
				"sigma = %g, stations %d and %d", path, (long long)i,
				hypot(d->rows[i].re, d->rows[i].im), d->rows[i].sigma, d->rows[i].t1, d->rows[i].t2);
	return UM_OK;
}

#define BY(x, y) do { if ((x) < (y)) return -1; if ((x) > (y)) return 1; } while (0)

/* By time, then baseline number: AIPS' order TB. */
static int compare(const void *a, const void *b)
{
	const um_uvrow *p = *(const um_uvrow *const *)a;
	const um_uvrow *q = *(const um_uvrow *const *)b;
	BY(p->time, q->time);
	BY(p->t1, q->t1);
	BY(p->t2, q->t2);
	BY(p, q);
	return 0;
}

static void put_file(fitsfile *f, const um_uvdata *d, const um_uvrow *const *order, double ut1_utc,
	int *status)
{
	put_primary(f, d, status);
	for (int64_t i = 0; i < d->nrows && *status == 0; i++)
		put_group(f, d, order[i], (long)i + 1, status);
	put_antennas(f, d, ut1_utc, status);
	put_frequencies(f, d, status);
}

um_status um_uvfits_write(const char *path, const um_uvdata *d, double ut1_utc)
{
	int status = 0;
	fitsfile *f = NULL;
	um_status st = check(path, d);
	if (st != UM_OK)
		return st;
	const um_uvrow **order = malloc((size_t)d->nrows * sizeof(*order));
	if (order == NULL)
		return um_fail(UM_ENOMEM, "%s: no memory to sort %lld visibilities", path, (long long)d->nrows);
	for (int64_t i = 0; i < d->nrows; i++)
		order[i] = &d->rows[i];
	qsort(order, (size_t)d->nrows, sizeof(*order), compare);
	fits_create_diskfile(&f, path, &status);
	if (status == 0)
		put_file(f, d, order, ut1_utc, &status);
	free(order);
	return um_fitsfile_finish(f, path, status);
}
