/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The AIPS AN table of a UVFITS file (AIPS Memo 117): names, geocentric positions, numbers,
 * the frequency that turns seconds into wavelengths and, not standard, SEFDs. Columns are found
 * by name, since the widths of others vary between writers. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "uvfits.h"

/* A column of the current table: its number, or 0 where there is none. */
static int column(fitsfile *f, const char *name, int *type, long *repeat)
{
	int n = 0;
	int status = 0;
	long width = 0;
	fits_get_colnum(f, CASEINSEN, (char *)name, &n, &status);
	if (status == COL_NOT_UNIQUE)
		status = 0;
	fits_get_coltype(f, n, type, repeat, &width, &status);
	fits_clear_errmsg();
	return status == 0 ? n : 0;
}

static um_status read_name(const char *path, fitsfile *f, int col, long width, long row, char out[24])
{
	int status = 0;
	int any = 0;
	char text[256];
	char *p = text;
	memset(text, 0, sizeof(text));
	if (width > 255)
		return um_fail(UM_EDATA, "%s: AIPS AN: names of %ld letters", path, width);
	fits_read_col(f, TSTRING, col, row, 1, 1, "", &p, &any, &status);
	if (status != 0)
		return um_fitsfile_fail(path, "AIPS AN: cannot read ANNAME", status);
	um_fitsfile_clean(text);
	if (text[0] == 0)
		snprintf(text, sizeof(text), "A%ld", row);
	text[23] = 0;
	memcpy(out, text, 24);
	return UM_OK;
}

static um_status read_station(const char *path, fitsfile *f, const int cols[4], long width, long row,
	um_station *s, int *number)
{
	int status = 0;
	int any = 0;
	double sefd = 0;
	um_status st = read_name(path, f, cols[0], width, row, s->name);
	if (st != UM_OK)
		return st;
	*number = (int)row;
	if (cols[1])
		fits_read_col(f, TDOUBLE, cols[1], row, 1, 3, NULL, s->xyz, &any, &status);
	if (cols[2])
		fits_read_col(f, TINT, cols[2], row, 1, 1, NULL, number, &any, &status);
	if (cols[3])
		fits_read_col(f, TDOUBLE, cols[3], row, 1, 1, NULL, &sefd, &any, &status);
	if (status != 0)
		return um_fitsfile_fail(path, "AIPS AN: cannot read a station", status);
	s->sefd[0] = s->sefd[1] = isfinite(sefd) && sefd > 0 ? sefd : 0;
	for (int i = 0; i < 3; i++)
		if (!isfinite(s->xyz[i]))
			return um_fail(UM_EDATA, "%s: AIPS AN: position of %s is not finite", path, s->name);
	return UM_OK;
}

static um_status find_columns(const char *path, fitsfile *f, int cols[4], long *width)
{
	static const char *const names[] = { "ANNAME", "STABXYZ", "NOSTA", "SEFD" };
	long repeat = 0;
	int type = 0;
	for (int i = 0; i < 4; i++) {
		cols[i] = column(f, names[i], &type, &repeat);
		if (cols[i] && i == 0)
			*width = repeat;
		bool good = i == 0 ? type == TSTRING : i == 1 ? repeat == 3 : repeat == 1;
		if (cols[i] && (!good || type < 0 || (i > 0 && type == TSTRING)))
			return um_fail(UM_EDATA, "%s: AIPS AN: column %s is of a wrong type", path, names[i]);
	}
	if (cols[0] == 0)
		return um_fail(UM_EDATA, "%s: AIPS AN: no column ANNAME", path);
	return UM_OK;
}

/* Positions relative to an array centre, and two stations of one number. */
static um_status finish(const char *path, fitsfile *f, um_uvdata *d, um_uvstations *t)
{
	double centre[3];
	for (int k = 0; k < 3; k++)
		centre[k] = um_fitsfile_number(f, k == 0 ? "ARRAYX" : k == 1 ? "ARRAYY" : "ARRAYZ", 0);
	if (centre[0] != 0 || centre[1] != 0 || centre[2] != 0)
		um_uvdata_note(d, "AIPS AN: station positions are relative to ARRAYX, ARRAYY, ARRAYZ");
	for (int i = 0; i < t->n; i++) {
		for (int k = 0; k < 3; k++)
			t->s[i].xyz[k] += centre[k];
		for (int j = 0; j < i; j++) {
			if (t->number[i] == t->number[j])
				return um_fail(UM_EDATA, "%s: AIPS AN: two stations have the number %d", path,
					t->number[i]);
			if (strcmp(t->s[i].name, t->s[j].name) == 0)
				return um_fail(UM_EDATA, "%s: AIPS AN: two stations are named %s", path,
					t->s[i].name);
		}
	}
	t->freq = um_fitsfile_number(f, "FREQ", 0);
	return UM_OK;
}

static um_status read_table(const char *path, fitsfile *f, int64_t bytes, um_uvdata *d, um_uvstations *t)
{
	um_status st = UM_OK;
	int status = 0;
	int cols[4];
	long width = 0;
	LONGLONG rows = 0;
	fits_get_num_rowsll(f, &rows, &status);
	double size = um_fitsfile_number(f, "NAXIS1", 0) * (double)rows;
	if (status != 0 || rows < 1 || rows > UM_STATIONS)
		return um_fail(UM_EDATA, "%s: AIPS AN: %lld stations, 1 to %d can be read", path,
			(long long)rows, UM_STATIONS);
	if (!(size <= (double)bytes))
		return um_fail(UM_EDATA, "%s: AIPS AN: truncated", path);
	UM_TRY(find_columns(path, f, cols, &width));
	t->s = calloc((size_t)rows, sizeof(*t->s));
	t->number = calloc((size_t)rows, sizeof(*t->number));
	if (t->s == NULL || t->number == NULL)
		UM_TRY(um_fail(UM_ENOMEM, "%s: no memory for %lld stations", path, (long long)rows));
	for (t->n = 0; t->n < (int)rows; t->n++)
		UM_TRY(read_station(path, f, cols, width, t->n + 1, &t->s[t->n], &t->number[t->n]));
	UM_TRY(finish(path, f, d, t));
	t->found = true;
out:
	return st;
}

um_status um_uvstations_read(const char *path, fitsfile *f, int64_t bytes, um_uvdata *d,
	um_uvstations *out)
{
	int status = 0;
	for (int i = 2;; i++) {
		int type = 0;
		char name[FLEN_VALUE];
		fits_movabs_hdu(f, i, &type, &status);
		if (status == END_OF_FILE)
			break;
		if (status != 0)
			return um_fitsfile_fail(path, "cannot read an extension", status);
		um_fitsfile_text(f, "EXTNAME", name, sizeof(name));
		if (strcasecmp(name, "AIPS AN") == 0 && type != IMAGE_HDU)
			return read_table(path, f, bytes, d, out);
	}
	fits_clear_errmsg();
	return UM_OK;
}

void um_uvstations_free(um_uvstations *t)
{
	free(t->s);
	free(t->number);
	memset(t, 0, sizeof(*t));
}
