/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Writing FITS images and cubes. Nothing in the file depends on the time or the machine, so
 * that equal input gives equal bytes. Where there is a sky, rows are turned back (FITS has the
 * south row first) and the celestial coordinates refer to the centre of the image. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <umbra/fits.h>

#include "fitsfile.h"

#define RADIAN (180 / 3.14159265358979323846) /* in degrees */

static void put_number(fitsfile *f, const char *key, double x, const char *comment, int *status)
{
	fits_write_key(f, TDOUBLE, key, &x, comment, status);
}

static void put_sky(fitsfile *f, const um_sky *s, int64_t rows, int64_t columns, int *status)
{
	um_fitsfile_put(f, "OBJECT", s->object, NULL, status);
	um_fitsfile_put(f, "CTYPE1", "RA---SIN", NULL, status);
	um_fitsfile_put(f, "CTYPE2", "DEC--SIN", NULL, status);
	put_number(f, "CRPIX1", 0.5 * (double)(columns + 1), NULL, status);
	put_number(f, "CRPIX2", 0.5 * (double)(rows + 1), NULL, status);
	put_number(f, "CDELT1", -s->pixel * RADIAN, NULL, status);
	put_number(f, "CDELT2", s->pixel * RADIAN, NULL, status);
	put_number(f, "CRVAL1", s->ra, NULL, status);
	put_number(f, "CRVAL2", s->dec, NULL, status);
	um_fitsfile_put(f, "CUNIT1", "deg", NULL, status);
	um_fitsfile_put(f, "CUNIT2", "deg", NULL, status);
	um_fitsfile_put(f, "RADESYS", "FK5", NULL, status);
	put_number(f, "EQUINOX", 2000, NULL, status);
	put_number(f, "OBSRA", s->ra, "[deg] source", status);
	put_number(f, "OBSDEC", s->dec, "[deg] source", status);
	if (s->freq > 0)
		put_number(f, "FREQ", s->freq, "[Hz]", status);
	if (s->mjd != 0)
		put_number(f, "MJD", s->mjd, "modified Julian date of the data", status);
}

static void put_axis(fitsfile *f, int axis, const char *name, int *status)
{
	char key[FLEN_KEYWORD];
	snprintf(key, sizeof(key), "CTYPE%d", axis);
	um_fitsfile_put(f, key, name, NULL, status);
	snprintf(key, sizeof(key), "CRPIX%d", axis);
	put_number(f, key, 1, NULL, status);
	snprintf(key, sizeof(key), "CRVAL%d", axis);
	put_number(f, key, 1, NULL, status);
	snprintf(key, sizeof(key), "CDELT%d", axis);
	put_number(f, key, 1, NULL, status);
}

static void put_pixels(fitsfile *f, const um_array *a, bool turn, int *status)
{
	bool single = a->dtype == UM_F32;
	size_t size = single ? sizeof(float) : sizeof(double);
	int64_t nx = turn ? a->dim[a->rank - 1] : um_array_len(a);
	int64_t ny = turn ? a->dim[a->rank - 2] : 1;
	int64_t n = um_array_len(a);
	for (int64_t at = 0; at < n && *status == 0; at += nx) {
		int64_t row = at / nx;
		int64_t from = row - row % ny + (ny - 1 - row % ny);
		char *p = (char *)a->data + (size_t)from * (size_t)nx * size;
		fits_write_img(f, single ? TFLOAT : TDOUBLE, (LONGLONG)at + 1, (LONGLONG)nx, p, status);
	}
}

static void new_image(fitsfile *f, const um_array *a, int *status)
{
	LONGLONG dim[UM_MAXRANK];
	for (int i = 0; i < a->rank; i++)
		dim[i] = a->dim[a->rank - 1 - i];
	fits_create_imgll(f, a->dtype == UM_F32 ? FLOAT_IMG : DOUBLE_IMG, a->rank, dim, status);
}

static bool writable(const um_array *a)
{
	return (a->dtype == UM_F32 || a->dtype == UM_F64) && a->rank >= 1 && a->rank <= UM_MAXRANK
		&& um_array_len(a) > 0;
}

static um_status check(const char *path, const um_fits_file *w)
{
	bool good = w->data != NULL && writable(w->data);
	for (const um_fits_ext *e = w->ext; good && e != NULL && e->name != NULL; e++)
		good = e->data != NULL && writable(e->data);
	if (!good)
		return um_fail(UM_EARG, "%s: only arrays of float or double with 1 to %d axes can be "
			"written", path, UM_MAXRANK);
	if (w->sky != NULL && w->sky->pixel > 0 && w->data->rank < 2)
		return um_fail(UM_EARG, "%s: an image of the sky has two axes", path);
	return UM_OK;
}

um_status um_fits_write(const char *path, const um_fits_file *w)
{
	um_status st = check(path, w);
	if (st != UM_OK)
		return st;
	const um_array *a = w->data;
	bool sky = w->sky != NULL && w->sky->pixel > 0;
	int status = 0;
	fitsfile *f = NULL;
	fits_create_diskfile(&f, path, &status);
	new_image(f, a, &status);
	if (sky)
		put_sky(f, w->sky, a->dim[a->rank - 2], a->dim[a->rank - 1], &status);
	if (w->bunit != NULL && w->bunit[0])
		um_fitsfile_put(f, "BUNIT", w->bunit, NULL, &status);
	if (!sky && w->axis[0] != NULL && a->rank >= 3) {
		put_axis(f, 1, "COLUMN", &status);
		put_axis(f, 2, "ROW", &status);
	}
	for (int k = 3; k <= a->rank; k++)
		if (w->axis[k - 3] != NULL)
			put_axis(f, k, w->axis[k - 3], &status);
	for (const char *const *h = w->history; h != NULL && *h != NULL; h++)
		fits_write_history(f, *h, &status);
	put_pixels(f, a, sky, &status);
	for (const um_fits_ext *e = w->ext; e != NULL && e->name != NULL; e++) {
		new_image(f, e->data, &status);
		um_fitsfile_put(f, "EXTNAME", e->name, NULL, &status);
		put_pixels(f, e->data, false, &status);
	}
	return um_fitsfile_finish(f, path, status);
}
