/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Reading UVFITS random groups (AIPS Memo 117) as Stokes I visibilities.
 *
 * value = raw PSCAL + PZERO, once; (UU, VV) seconds times the frequency of the antenna table
 * are wavelengths; DATE is two numbers whose sum is a Julian date, kept apart until the day is
 * subtracted. Channels of a correlation: V = sum w V / sum w, sigma = 1/sqrt(sum w) over w > 0.
 * I = (RR + LL)/2, or the hand that is there. Every length in the header is held against the
 * length of the file before memory is asked for. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "uvfits.h"

#define AXES_MAX 9
#define PARAMS_MAX 64

enum { P_U, P_V, P_BASELINE, P_DAY, P_FRACTION, P_TINT, P_TAU1, P_TAU2, P_ANT1, P_ANT2, P_KINDS };

typedef struct layout {
	int64_t groups;
	int pcount;
	int64_t cells;             /* (Re, Im, weight) triples of a group */
	int64_t channels;          /* IFs times channels */
	int64_t stokes_stride;     /* in cells */
	int nstokes;
	int hand[3];               /* Stokes axis index of I, RR, LL; -1 where missing */
	int param[P_KINDS];        /* parameter number, or -1 */
	double scale[PARAMS_MAX], zero[PARAMS_MAX];
	double freq, width;        /* of the FREQ axis */
} layout;

typedef struct reader {
	const char *path;
	fitsfile *f;
	int64_t bytes;
	layout l;
	um_uvstations ant;
	double *jd;                /* of each row, two numbers: day less 2400000.5, fraction */
	int64_t flagged, broken, endless, single, autos, sub;
} reader;

/* A visibility of one correlation, or of Stokes I. */
struct vis { double re, im, sigma; bool good; };

/* The axes after COMPLEX, by name; an unnamed axis longer than 1 can only be the IFs. */
static um_status read_axis(reader *r, um_uvdata *d, int axis, int64_t len)
{
	layout *l = &r->l;
	char type[FLEN_VALUE];
	um_fitsfile_text_at(r->f, "CTYPE", axis, type, sizeof(type));
	if (strcmp(type, "STOKES") == 0) {
		double ref = um_fitsfile_number_at(r->f, "CRPIX", axis, 1);
		double at = um_fitsfile_number_at(r->f, "CRVAL", axis, 0);
		double step = um_fitsfile_number_at(r->f, "CDELT", axis, 1);
		l->stokes_stride = l->cells;
		l->nstokes = (int)len;
		for (int i = 0; i < l->nstokes; i++) {
			long code = lround(fmin(fmax(at + (i + 1 - ref) * step, -99), 99));
			int k = code == 1 ? 0 : code == -1 || code == -5 ? 1
				: code == -2 || code == -6 ? 2 : -1;
			if (k >= 0)
				l->hand[k] = i;
		}
	} else if (strcmp(type, "FREQ") == 0) {
		l->freq = um_fitsfile_number_at(r->f, "CRVAL", axis, 0);
		l->width = um_fitsfile_number_at(r->f, "CDELT", axis, 0);
		l->channels *= len;
	} else if (strcmp(type, "IF") == 0) {
		l->channels *= len;
	} else if (len > 1) {
		if (type[0] != 0 || axis != 5)
			return um_fail(UM_EDATA, "%s: axis %d (%s) has %lld values; only COMPLEX, STOKES, "
				"FREQ and IF may be longer than 1", r->path, axis, type, (long long)len);
		um_uvdata_note(d, "axis 5 has no CTYPE5: its %lld values are taken for IFs", (long long)len);
		l->channels *= len;
	} else if (type[0] == 0) {
		um_uvdata_note(d, "axis %d has no name (CTYPE%d is missing); it has one value", axis, axis);
	}
	l->cells *= len;
	return UM_OK;
}

static um_status read_axes(reader *r, um_uvdata *d)
{
	int simple = 0;
	int bitpix = 0;
	int naxis = 0;
	int extend = 0;
	int status = 0;
	LONGLONG len[AXES_MAX + 1] = { 0 };
	long pcount = 0;
	long gcount = 0;
	layout *l = &r->l;
	ffghprll(r->f, AXES_MAX, &simple, &bitpix, &naxis, len, &pcount, &gcount, &extend, &status);
	fits_clear_errmsg();
	int logical = 0;
	int absent = 0;
	fits_read_key(r->f, TLOGICAL, "GROUPS", &logical, NULL, &absent);
	fits_clear_errmsg();
	if (status != 0)
		return um_fitsfile_fail(r->path, "bad primary header", status);
	if (absent != 0 || !logical || naxis < 2 || len[0] != 0)
		return um_fail(UM_EDATA, "%s: not UVFITS: the primary HDU is not random groups", r->path);
	if (naxis > AXES_MAX)
		return um_fail(UM_EDATA, "%s: %d axes, at most %d can be read", r->path, naxis, AXES_MAX);
	if (len[1] != 3)
		return um_fail(UM_EDATA, "%s: axis 2 has %lld values; real, imaginary and weight are "
			"needed", r->path, (long long)len[1]);
	if (pcount < 3 || pcount > PARAMS_MAX || gcount < 1)
		return um_fail(UM_EDATA, "%s: PCOUNT = %lld, GCOUNT = %lld: no visibilities, or nonsense",
			r->path, (long long)pcount, (long long)gcount);
	double need = 3;
	for (int i = 2; i < naxis; i++)
		need *= (double)len[i];
	need = (need + (double)pcount) * abs(bitpix) / 8 * (double)gcount + 2880;
	if (!(need <= (double)r->bytes))
		return um_fail(UM_EDATA, "%s: truncated: the header promises %lld groups, %.0f bytes; the "
			"file has %lld", r->path, (long long)gcount, need, (long long)r->bytes);
	*l = (layout){ .groups = gcount, .pcount = (int)pcount, .cells = 1, .channels = 1,
		.stokes_stride = 1, .nstokes = 1, .hand = { -1, -1, -1 } };
	for (int i = 2; i < naxis; i++) {
		if (len[i] < 1)
			return um_fail(UM_EDATA, "%s: NAXIS%d = %lld", r->path, i + 1, (long long)len[i]);
		um_status st = read_axis(r, d, i + 1, len[i]);
		if (st != UM_OK)
			return st;
	}
	if (l->hand[0] < 0 && l->hand[1] < 0 && l->hand[2] < 0)
		return um_fail(UM_EDATA, "%s: neither Stokes I nor RR or LL among the correlations "
			"(CRVAL, CDELT of the STOKES axis)", r->path);
	return UM_OK;
}

/* Which quantity a parameter is, from the beginning of its PTYPE. */
static int param_kind(const char *name, const layout *l)
{
	static const struct { const char *start; int kind; } kinds[] = {
		{ "UU", P_U }, { "VV", P_V }, { "BASELINE", P_BASELINE }, { "INTTIM", P_TINT },
		{ "TAU1", P_TAU1 }, { "TAU2", P_TAU2 }, { "ANTENNA1", P_ANT1 }, { "ANTENNA2", P_ANT2 },
		{ "_DATE", P_FRACTION },
	};
	if (strncmp(name, "DATE", 4) == 0)
		return l->param[P_DAY] < 0 ? P_DAY : P_FRACTION;
	for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++)
		if (strncmp(name, kinds[i].start, strlen(kinds[i].start)) == 0)
			return kinds[i].kind;
	return -1;
}

static um_status read_params(reader *r, um_uvdata *d)
{
	layout *l = &r->l;
	for (int k = 0; k < P_KINDS; k++)
		l->param[k] = -1;
	for (int i = 0; i < l->pcount; i++) {
		char name[FLEN_VALUE];
		um_fitsfile_text_at(r->f, "PTYPE", i + 1, name, sizeof(name));
		l->scale[i] = um_fitsfile_number_at(r->f, "PSCAL", i + 1, 1);
		l->zero[i] = um_fitsfile_number_at(r->f, "PZERO", i + 1, 0);
		int k = param_kind(name, l);
		if (k >= 0 && l->param[k] < 0)
			l->param[k] = i;
	}
	if (l->param[P_U] < 0 || l->param[P_V] < 0 || l->param[P_DAY] < 0)
		return um_fail(UM_EDATA, "%s: no %s among the PTYPE keywords", r->path,
			l->param[P_U] < 0 ? "UU" : l->param[P_V] < 0 ? "VV" : "DATE");
	if (l->param[P_BASELINE] < 0 && (l->param[P_ANT1] < 0 || l->param[P_ANT2] < 0))
		return um_fail(UM_EDATA, "%s: neither BASELINE nor ANTENNA1 and ANTENNA2 among the PTYPE "
			"keywords", r->path);
	if (l->param[P_FRACTION] < 0)
		um_uvdata_note(d, "only one DATE parameter: time stamps may be coarse");
	if (l->param[P_TINT] < 0)
		um_uvdata_note(d, "no INTTIM parameter: integration times are 0");
	if (l->param[P_BASELINE] < 0)
		um_uvdata_note(d, "stations are ANTENNA1 and ANTENNA2, not BASELINE");
	if (l->scale[l->param[P_U]] != 1)
		um_uvdata_note(d, "UU, VV and WW are stored as seconds divided by PSCAL = %.15g",
			l->scale[l->param[P_U]]);
	return UM_OK;
}

/* Parameter k of a group; missing ones are 0. */
static double param(const reader *r, const double *raw, int k)
{
	int i = r->l.param[k];
	return i < 0 ? 0 : raw[i] * r->l.scale[i] + r->l.zero[i];
}

/* One correlation of a group, its channels weighted. */
static struct vis correlation(reader *r, const double *cells, int stokes)
{
	const layout *l = &r->l;
	struct vis v = { 0 };
	double sum = 0;
	if (stokes < 0)
		return v;
	for (int64_t q = 0; q < l->cells; q++) {
		const double *c = cells + 3 * q;
		if (q / l->stokes_stride % l->nstokes != stokes || !(c[2] > 0))
			continue;
		if (!isfinite(c[2]) || !isfinite(c[0]) || !isfinite(c[1])) {
			r->endless += isinf(c[2]) != 0;
			r->broken += !isinf(c[2]);
			continue;
		}
		sum += c[2];
		v.re += c[2] * c[0];
		v.im += c[2] * c[1];
	}
	v.good = sum > 0;
	v.re /= sum;
	v.im /= sum;
	v.sigma = 1 / sqrt(sum);
	return v;
}

static struct vis stokes_i(reader *r, const double *cells)
{
	struct vis i = correlation(r, cells, r->l.hand[0]);
	if (r->l.hand[0] >= 0)
		return i;
	struct vis a = correlation(r, cells, r->l.hand[1]);
	struct vis b = correlation(r, cells, r->l.hand[2]);
	if (!a.good || !b.good) {
		r->single += a.good != b.good;
		return a.good ? a : b;
	}
	return (struct vis){ 0.5 * (a.re + b.re), 0.5 * (a.im + b.im), 0.5 * hypot(a.sigma, b.sigma),
		true };
}

/* Antenna numbers of a group, as the file gives them. */
static void antennas(reader *r, const double *raw, double *a1, double *a2)
{
	double b = param(r, raw, P_BASELINE);
	if (r->l.param[P_BASELINE] < 0) {
		*a1 = floor(param(r, raw, P_ANT1));
		*a2 = floor(param(r, raw, P_ANT2));
		return;
	}
	r->sub += b != floor(b);
	*a1 = floor(floor(b) / 256);
	*a2 = floor(b) - 256 * *a1;
}

/* The index of an antenna number; without an antenna table stations are made as they come. */
static um_status station_index(reader *r, int64_t group, double number, int *out)
{
	um_uvstations *t = &r->ant;
	for (int i = 0; i < t->n; i++)
		if (t->number[i] == number) {
			*out = i;
			return UM_OK;
		}
	if (t->found || !(number >= 0 && number < 1e6) || t->n == UM_STATIONS)
		return um_fail(UM_EDATA, "%s: group %lld: antenna %g is not in the AIPS AN table", r->path,
			(long long)group + 1, number);
	um_station *s = realloc(t->s, (size_t)(t->n + 1) * sizeof(*s));
	t->s = s != NULL ? s : t->s;
	int *n = realloc(t->number, (size_t)(t->n + 1) * sizeof(*n));
	t->number = n != NULL ? n : t->number;
	if (s == NULL || n == NULL)
		return um_fail(UM_ENOMEM, "%s: no memory for stations", r->path);
	memset(&s[t->n], 0, sizeof(*s));
	snprintf(s[t->n].name, sizeof(s->name), "A%d", (int)number);
	n[t->n] = (int)number;
	*out = t->n++;
	return UM_OK;
}

static um_status read_group(reader *r, int64_t g, const double *raw, const double *cells, um_uvdata *d)
{
	struct vis v = stokes_i(r, cells);
	um_uvrow row = { .re = v.re, .im = v.im, .sigma = v.sigma, .group = g,
		.u = param(r, raw, P_U), .v = param(r, raw, P_V), .tint = param(r, raw, P_TINT),
		.tau1 = param(r, raw, P_TAU1), .tau2 = param(r, raw, P_TAU2) };
	double day = param(r, raw, P_DAY);
	double fraction = param(r, raw, P_FRACTION);
	double a1, a2;
	if (!v.good) {
		r->flagged++;
		return UM_OK;
	}
	antennas(r, raw, &a1, &a2);
	if (a1 == a2) {
		r->autos++;
		return UM_OK;
	}
	um_status st = station_index(r, g, a1, &row.t1);
	if (st == UM_OK)
		st = station_index(r, g, a2, &row.t2);
	if (st != UM_OK)
		return st;
	if (!(day + fraction > 2.2e6 && day + fraction < 3e6))
		return um_fail(UM_EDATA, "%s: group %lld: DATE %g is not a sensible Julian date", r->path,
			(long long)g + 1, day + fraction);
	if (!isfinite(row.u * row.v) || !isfinite(row.tint) || !isfinite(row.tau1 * row.tau2))
		return um_fail(UM_EDATA, "%s: group %lld: u, v or integration time is not a finite number",
			r->path, (long long)g + 1);
	bool swapped = fabs(fraction) > fabs(day);
	r->jd[2 * d->nrows] = (swapped ? fraction : day) - 2400000.5;
	r->jd[2 * d->nrows + 1] = swapped ? day : fraction;
	d->rows[d->nrows++] = row;
	return UM_OK;
}

static um_status read_groups(reader *r, um_uvdata *d)
{
	um_status st = UM_OK;
	int any = 0;
	double *raw = calloc((size_t)r->l.pcount, sizeof(*raw));
	double *cells = calloc((size_t)r->l.cells * 3, sizeof(*cells));
	r->jd = calloc((size_t)r->l.groups * 2, sizeof(*r->jd));
	d->rows = calloc((size_t)r->l.groups, sizeof(*d->rows));
	if (raw == NULL || cells == NULL || r->jd == NULL || d->rows == NULL)
		UM_TRY(um_fail(UM_ENOMEM, "%s: no memory for %lld visibilities", r->path,
			(long long)r->l.groups));
	for (int64_t g = 0; g < r->l.groups; g++) {
		int status = 0;
		ffggpd(r->f, (long)g + 1, 1, r->l.pcount, raw, &status);
		ffgpvd(r->f, (long)g + 1, 1, (LONGLONG)r->l.cells * 3, 0, cells, &any, &status);
		if (status != 0)
			UM_TRY(um_fitsfile_fail(r->path, "cannot read the visibilities", status));
		UM_TRY(read_group(r, g, raw, cells, d));
	}
	if (d->nrows == 0)
		UM_TRY(um_fail(UM_EDATA, "%s: all %lld visibilities are flagged", r->path,
			(long long)r->l.groups));
out:
	free(raw);
	free(cells);
	return st;
}

/* Hours since 0h of the day of the first row; seconds into wavelengths. */
static um_status set_scales(reader *r, um_uvdata *d)
{
	double first = HUGE_VAL;
	for (int64_t i = 0; i < d->nrows; i++)
		first = fmin(first, r->jd[2 * i] + r->jd[2 * i + 1]);
	d->mjd = (int64_t)floor(first);
	d->freq = r->ant.freq > 0 ? r->ant.freq : r->l.freq;
	if (!(d->freq > 0))
		return um_fail(UM_EDATA, "%s: no frequency: neither FREQ of AIPS AN nor CRVAL of the FREQ "
			"axis is positive", r->path);
	if (!(r->ant.freq > 0))
		um_uvdata_note(d, "no FREQ in AIPS AN: the FREQ axis gives %.15g Hz", d->freq);
	else if (r->l.freq > 0 && fabs(r->l.freq - r->ant.freq) > 1e-9 * d->freq)
		um_uvdata_note(d, "u, v use FREQ of AIPS AN, %.15g Hz; the FREQ axis says %.15g", d->freq,
			r->l.freq);
	d->bandwidth = fabs(r->l.width) * (double)r->l.channels;
	for (int64_t i = 0; i < d->nrows; i++) {
		d->rows[i].time = ((r->jd[2 * i] - (double)d->mjd) + r->jd[2 * i + 1]) * 24;
		d->rows[i].u *= d->freq;
		d->rows[i].v *= d->freq;
	}
	d->nstations = r->ant.n;
	d->stations = r->ant.s;
	r->ant.s = NULL;
	return UM_OK;
}

/* Rows whose baseline was there before at the same time. */
static int64_t repeated(const um_uvdata *d)
{
	int64_t n = 0;
	int64_t *seen = calloc((size_t)d->nstations * (size_t)d->nstations, sizeof(*seen));
	int64_t first = 0; /* row of this time */
	for (int64_t i = 0; seen != NULL && i < d->nrows; i++) {
		const um_uvrow *row = &d->rows[i];
		int64_t *s = &seen[row->t1 * d->nstations + row->t2];
		first = row->time != d->rows[first].time ? i : first;
		n += *s > first;
		*s = i + 1;
	}
	free(seen);
	return n;
}

static void note_counts(const reader *r, um_uvdata *d)
{
	const struct { int64_t n; const char *what; } notes[] = {
		{ r->flagged, "flagged groups left out" },
		{ r->single, "rows with one hand only: that hand is taken for I" },
		{ r->autos, "autocorrelations left out" },
		{ r->endless, "infinite weights in parallel hands left out" },
		{ r->broken, "values that are not finite left out" },
		{ r->sub, "baselines with a subarray: all use the first antenna table" },
	};
	int64_t turned = 0;
	int64_t twice = repeated(d);
	for (size_t i = 0; i < sizeof(notes) / sizeof(*notes); i++)
		if (notes[i].n > 0)
			um_uvdata_note(d, "%lld %s", (long long)notes[i].n, notes[i].what);
	for (int64_t i = 0; i < d->nrows; i++)
		turned += d->rows[i].turned;
	if (turned > 0)
		um_uvdata_note(d, "%lld baselines turned into station order", (long long)turned);
	if (twice > 0)
		um_uvdata_note(d, "%lld repeated baselines at one time; closures use the first",
			(long long)twice);
	if (r->l.channels > 1)
		um_uvdata_note(d, "%lld channels and IFs averaged by weight", (long long)r->l.channels);
}

static void read_names(reader *r, um_uvdata *d)
{
	um_fitsfile_text(r->f, "OBJECT", d->source, sizeof(d->source));
	double ra = um_fitsfile_number(r->f, "OBSRA", NAN);
	double dec = um_fitsfile_number(r->f, "OBSDEC", NAN);
	for (int i = 2; i <= AXES_MAX && !(isfinite(ra) && isfinite(dec)); i++) {
		char type[FLEN_VALUE];
		um_fitsfile_text_at(r->f, "CTYPE", i, type, sizeof(type));
		if (strcmp(type, "RA") == 0)
			ra = um_fitsfile_number_at(r->f, "CRVAL", i, NAN);
		if (strcmp(type, "DEC") == 0)
			dec = um_fitsfile_number_at(r->f, "CRVAL", i, NAN);
	}
	if (!isfinite(ra) || !isfinite(dec))
		um_uvdata_note(d, "no OBSRA, OBSDEC and no RA, DEC axes: the position is unknown");
	d->ra = isfinite(ra) ? ra / 15 : 0;
	d->dec = isfinite(dec) ? dec : 0;
}

um_status um_uvfits_read(const char *path, um_uvdata *out)
{
	um_status st = UM_OK;
	int status = 0;
	reader r = { .path = path };
	um_uvdata d = { 0 };
	UM_TRY(um_fitsfile_open(path, &r.f, &r.bytes));
	UM_TRY(read_axes(&r, &d));
	UM_TRY(read_params(&r, &d));
	read_names(&r, &d);
	UM_TRY(um_uvstations_read(path, r.f, r.bytes, &d, &r.ant));
	if (!r.ant.found)
		um_uvdata_note(&d, "no AIPS AN table: stations are named after their numbers");
	if (fits_movabs_hdu(r.f, 1, NULL, &status) != 0)
		UM_TRY(um_fitsfile_fail(path, "cannot return to the primary HDU", status));
	UM_TRY(read_groups(&r, &d));
	UM_TRY(set_scales(&r, &d));
	UM_TRY(um_uvdata_orient(&d));
	UM_TRY(um_uvdata_sort(&d));
	note_counts(&r, &d);
out:
	um_fitsfile_close(r.f);
	um_uvstations_free(&r.ant);
	free(r.jd);
	if (st != UM_OK)
		um_uvdata_free(&d);
	*out = d;
	return st;
}
