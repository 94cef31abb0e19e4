/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Opening FITS files with care. cfitsio would also take compressed files and files without a
 * suffix; here a name means that file alone, so that lengths in its header can be held against
 * the length of the file. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "fitsfile.h"

um_status um_fitsfile_fail(const char *path, const char *what, int status)
{
	char text[FLEN_STATUS] = "";
	fits_get_errstatus(status, text);
	fits_clear_errmsg();
	return um_fail(UM_EDATA, "%s: %s (cfitsio %d: %s)", path, what, status, text);
}

/* The whole number of a card with this keyword; false where it is another card. */
static bool whole_number(const char *card, const char *key, int axis, long long *out)
{
	char want[32] = "";
	char name[16];
	char value[72] = "";
	char *end;
	if (axis > 0)
		snprintf(name, sizeof(name), "%s%d", key, axis);
	snprintf(want, sizeof(want), "%-8s", axis > 0 ? name : key);
	memcpy(value, card + 10, 70);
	const char *start = value + strspn(value, " ");
	*out = strtoll(start, &end, 10);
	bool digits = end > start && strchr("+-0123456789", *start) != NULL;
	end += strspn(end, " ");
	return digits && (*end == 0 || *end == '/') && memcmp(card, want, 8) == 0
		&& memcmp(card + 8, "= ", 2) == 0;
}

/* The cards that every extension begins with (FITS standard 4.0, 4.4.1.2). cfitsio 4.2 sizes
 * memory by what is on its stack where one of them is wrong, so they are looked at first. */
static bool good_extension(const char *block)
{
	static const char *const last[] = { "PCOUNT", "GCOUNT", "TFIELDS" };
	long long n, naxis;
	int at = 3;
	bool table = memcmp(block + 10, "'IMAGE ", 7) != 0;
	if (!whole_number(block + 80, "BITPIX", 0, &n) || !whole_number(block + 160, "NAXIS", 0, &naxis)
		|| naxis < 0 || naxis > 20 || (table && naxis != 2))
		return false;
	for (int i = 1; i <= naxis; i++)
		if (!whole_number(block + 80 * at++, "NAXIS", i, &n) || n < 0 || n > INT64_C(1) << 50)
			return false;
	for (int i = 0; i < 2 + table; i++)
		if (!whole_number(block + 80 * at++, last[i], 0, &n) || n < 0 || n > INT64_C(1) << 50
			|| (i == 2 && n > 999))
			return false;
	return true;
}

/* Names of columns are texts in quotes; cfitsio copies what is not as long as the card is into
 * less memory. *end where the header ends in this block. */
static bool good_names(const char *block, bool *end)
{
	for (int i = 0; i < 36 && !*end; i++) {
		const char *card = block + 80 * i;
		*end = memcmp(card, "END     ", 8) == 0;
		if (memcmp(card, "TTYPE", 5) == 0
			&& (memcmp(card + 8, "= ", 2) != 0 || card[10 + strspn(card + 10, " ")] != '\''))
			return false;
	}
	return true;
}

static um_status check_extensions(const char *path, FILE *f, int64_t bytes)
{
	char block[2881] = "";
	bool end = true; /* of the header that the block before belongs to */
	for (int64_t at = 2880; at + 2880 <= bytes; at += 2880) {
		if (fseeko(f, (off_t)at, SEEK_SET) != 0 || fread(block, 1, 8, f) != 8)
			return um_fail(UM_EDATA, "%s: cannot be read", path);
		const bool begins = memcmp(block, "XTENSION", 8) == 0;
		if (!begins && end)
			continue;
		if (fread(block + 8, 1, 2872, f) != 2872)
			return um_fail(UM_EDATA, "%s: cannot be read", path);
		if (begins && !good_extension(block))
			return um_fail(UM_EDATA, "%s: the extension at byte %lld lacks a mandatory card, or "
				"it is not a sensible whole number", path, (long long)at);
		end = false;
		if (!good_names(block, &end))
			return um_fail(UM_EDATA, "%s: a TTYPE card in the header block at byte %lld is no text "
				"in quotes", path, (long long)at);
	}
	return UM_OK;
}

static um_status check_file(const char *path, int64_t *bytes)
{
	um_status st = UM_OK;
	struct stat s;
	char head[6] = "";
	FILE *f = NULL;
	if (stat(path, &s) != 0)
		return um_fail(UM_EDATA, "%s: %s", path, strerror(errno));
	if (!S_ISREG(s.st_mode))
		return um_fail(UM_EDATA, "%s: not a regular file", path);
	f = fopen(path, "rb");
	if (f == NULL)
		return um_fail(UM_EDATA, "%s: %s", path, strerror(errno));
	*bytes = (int64_t)s.st_size;
	if (fread(head, 1, sizeof(head), f) != sizeof(head) || memcmp(head, "SIMPLE", 6) != 0)
		UM_TRY(um_fail(UM_EDATA, "%s: not a FITS file (it does not begin with SIMPLE; a "
			"compressed file must be unpacked first)", path));
	if (*bytes < 2880)
		UM_TRY(um_fail(UM_EDATA, "%s: truncated: %lld bytes, a FITS header has 2880 or more",
			path, (long long)*bytes));
	UM_TRY(check_extensions(path, f, *bytes));
out:
	fclose(f);
	return st;
}

um_status um_fitsfile_open(const char *path, fitsfile **f, int64_t *bytes)
{
	int status = 0;
	um_status st = check_file(path, bytes);
	*f = NULL;
	if (st != UM_OK)
		return st;
	fits_open_diskfile(f, path, READONLY, &status);
	if (status != 0) {
		*f = NULL;
		return um_fitsfile_fail(path, "cannot read the FITS header", status);
	}
	return UM_OK;
}

void um_fitsfile_close(fitsfile *f)
{
	int status = 0;
	if (f != NULL)
		fits_close_file(f, &status);
	fits_clear_errmsg();
}

um_status um_fitsfile_finish(fitsfile *f, const char *path, int status)
{
	int closing = 0;
	LONGLONG end = 0;
	struct stat s;
	char text[FLEN_STATUS] = "";
	if (f != NULL) {
		fits_get_hduaddrll(f, NULL, NULL, &end, &status);
		fits_close_file(f, &closing);
		status = status ? status : closing;
	}
	if (status == 0 && (stat(path, &s) != 0 || s.st_size < (off_t)end))
		status = WRITE_ERROR;
	if (status == 0)
		return UM_OK;
	fits_get_errstatus(status, text);
	fits_clear_errmsg();
	if (f != NULL)
		remove(path);
	return um_fail(UM_EIO, "%s: cannot write (cfitsio %d: %s)", path, status, text);
}

bool um_fitsfile_has(fitsfile *f, const char *key)
{
	int status = 0;
	char card[FLEN_CARD];
	fits_read_card(f, key, card, &status);
	fits_clear_errmsg();
	return status == 0;
}

double um_fitsfile_number(fitsfile *f, const char *key, double fallback)
{
	int status = 0;
	double x = fallback;
	fits_read_key(f, TDOUBLE, key, &x, NULL, &status);
	fits_clear_errmsg();
	return status == 0 && isfinite(x) ? x : fallback;
}

double um_fitsfile_number_at(fitsfile *f, const char *key, int axis, double fallback)
{
	char name[FLEN_KEYWORD];
	snprintf(name, sizeof(name), "%s%d", key, axis);
	return um_fitsfile_number(f, name, fallback);
}

void um_fitsfile_clean(char *text)
{
	char *end = text;
	for (char *c = text; *c; c++)
		if (*c >= 32 && *c < 127)
			*end++ = *c;
	while (end > text && end[-1] == ' ')
		end--;
	*end = 0;
}

void um_fitsfile_text(fitsfile *f, const char *key, char *out, size_t size)
{
	int status = 0;
	char value[FLEN_VALUE] = "";
	fits_read_key(f, TSTRING, key, value, NULL, &status);
	fits_clear_errmsg();
	if (status != 0)
		value[0] = 0;
	um_fitsfile_clean(value);
	snprintf(out, size, "%s", value);
}

void um_fitsfile_text_at(fitsfile *f, const char *key, int axis, char *out, size_t size)
{
	char name[FLEN_KEYWORD];
	snprintf(name, sizeof(name), "%s%d", key, axis);
	um_fitsfile_text(f, name, out, size);
}

void um_fitsfile_put(fitsfile *f, const char *key, const char *s, const char *comment, int *status)
{
	char text[72];
	snprintf(text, sizeof(text), "%s", s);
	um_fitsfile_clean(text);
	fits_write_key(f, TSTRING, key, text, comment, status);
}
