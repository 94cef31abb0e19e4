/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Reading FITS images. FITS stores the south row first and, on the sky, the east column first
 * (CDELT2 > 0, CDELT1 < 0); umbra puts north on top. NAXIS1 is the last axis of an array, so
 * only the rows have to be turned. (FITS standard 4.0, sections 4 and 8.) */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <umbra/fits.h>

#include "fitsfile.h"

#define DEGREE (3.14159265358979323846 / 180)

/* Whether the last of so many axes counts measurements. */
static bool counts_measurements(fitsfile *f, int naxis)
{
	char type[FLEN_VALUE];
	um_fitsfile_text_at(f, "CTYPE", naxis, type, sizeof(type));
	return naxis > 2 && strcmp(type, "MEASUREMENT") == 0;
}

/* The current HDU as double, of several measurements all or the first; bytes bounds what the header may promise. */
static um_status read_pixels(const char *path, fitsfile *f, int64_t bytes, bool first, um_array *out)
{
	int status = 0;
	int bitpix = 0;
	int naxis = 0;
	int any = 0;
	double need = 1;
	double blank = NAN;
	LONGLONG dim[UM_MAXRANK];
	int64_t shape[UM_MAXRANK];
	fits_get_img_paramll(f, UM_MAXRANK, &bitpix, &naxis, dim, &status);
	if (status != 0)
		return um_fitsfile_fail(path, "no image", status);
	if (naxis < 1 || naxis > UM_MAXRANK)
		return um_fail(UM_EDATA, "%s: the image has %d axes, 1 to %d can be read", path, naxis,
			UM_MAXRANK);
	for (int i = 0; i < naxis; i++) {
		shape[naxis - 1 - i] = dim[i];
		need *= (double)dim[i];
		if (dim[i] < 1)
			return um_fail(UM_EDATA, "%s: empty image (NAXIS%d = %lld)", path, i + 1,
				(long long)dim[i]);
	}
	if (need * abs(bitpix) / 8 > (double)bytes)
		return um_fail(UM_EDATA, "%s: truncated: the header promises %.0f pixels of %d bits, "
			"the file has %lld bytes", path, need, abs(bitpix), (long long)bytes);
	const int cut = first && counts_measurements(f, naxis);
	um_status st = um_array_new(out, UM_F64, naxis - cut, shape + cut);
	if (st != UM_OK)
		return um_context(st, "%s", path);
	fits_read_img(f, TDOUBLE, 1, (LONGLONG)um_array_len(out), &blank, out->data, &any, &status);
	if (status != 0) {
		um_array_free(out);
		return um_fitsfile_fail(path, "cannot read the pixels", status);
	}
	return UM_OK;
}

/* Goes to the first image HDU that has pixels. */
static um_status find_image(const char *path, fitsfile *f)
{
	int n = 0;
	int status = 0;
	fits_get_num_hdus(f, &n, &status);
	fits_clear_errmsg();
	for (int i = 1; i <= n; i++) {
		int type = 0;
		int naxis = 0;
		status = 0;
		fits_movabs_hdu(f, i, &type, &status);
		if (status != 0)
			return um_fitsfile_fail(path, "cannot read an extension", status);
		if (type != IMAGE_HDU)
			continue;
		if (i == 1 && um_fitsfile_has(f, "GROUPS"))
			return um_fail(UM_EDATA, "%s: random groups (visibilities), not an image", path);
		if (fits_is_compressed_image(f, &status))
			return um_fail(UM_EDATA, "%s: compressed image; unpack it with funpack", path);
		fits_get_img_dim(f, &naxis, &status);
		if (status == 0 && naxis > 0)
			return UM_OK;
	}
	fits_clear_errmsg();
	return um_fail(UM_EDATA, "%s: no image in this file", path);
}

/* Radians in a unit of CDELT. */
static double unit_of(fitsfile *f, int axis)
{
	static const struct { const char *name; double radians; } units[] = {
		{ "", DEGREE }, { "deg", DEGREE }, { "degree", DEGREE }, { "degrees", DEGREE },
		{ "rad", 1 }, { "arcmin", DEGREE / 60 }, { "arcsec", DEGREE / 3600 },
		{ "mas", DEGREE / 3600e3 }, { "uas", DEGREE / 3600e6 },
	};
	char unit[FLEN_VALUE];
	um_fitsfile_text_at(f, "CUNIT", axis, unit, sizeof(unit));
	for (size_t i = 0; i < sizeof(units) / sizeof(*units); i++)
		if (strcasecmp(unit, units[i].name) == 0)
			return units[i].radians;
	return 0;
}

/* Signed size of a pixel along FITS axis 1 or 2, radians; 0 where it is not an angle. */
static double pixel_along(fitsfile *f, int axis)
{
	char type[FLEN_VALUE];
	double step = um_fitsfile_number_at(f, "CDELT", axis, 0);
	if (step == 0)
		step = um_fitsfile_number(f, axis == 1 ? "CD1_1" : "CD2_2", 0);
	um_fitsfile_text_at(f, "CTYPE", axis, type, sizeof(type));
	bool sky = type[0] == 0 || strncmp(type, "RA", 2) == 0 || strncmp(type, "DEC", 3) == 0;
	return sky ? step * unit_of(f, axis) : 0;
}

static um_status read_sky(const char *path, fitsfile *f, um_image *out, bool *flip_x, bool *flip_y)
{
	double dx = pixel_along(f, 1);
	double dy = pixel_along(f, 2);
	um_sky *s = &out->sky;
	if ((dx == 0) != (dy == 0))
		return um_fail(UM_EDATA, "%s: only one of CDELT1 and CDELT2 is given", path);
	if (fabs(fabs(dx) - fabs(dy)) > 1e-5 * fabs(dx))
		return um_fail(UM_EDATA, "%s: pixels are not square: CDELT1 = %g, CDELT2 = %g degrees",
			path, dx / DEGREE, dy / DEGREE);
	if (dx != 0 && (um_fitsfile_number(f, "CD1_2", 0) != 0 || um_fitsfile_number(f, "CROTA2", 0) != 0))
		return um_fail(UM_EDATA, "%s: the image is rotated (CD1_2 or CROTA2); turn north up first",
			path);
	s->pixel = fabs(dx);
	s->ra = um_fitsfile_number(f, "OBSRA", um_fitsfile_number(f, "CRVAL1", 0));
	s->dec = um_fitsfile_number(f, "OBSDEC", um_fitsfile_number(f, "CRVAL2", 0));
	s->freq = um_fitsfile_number(f, "FREQ", um_fitsfile_number(f, "CRVAL3", 0));
	if (!um_fitsfile_has(f, "FREQ")) {
		char type[FLEN_VALUE];
		um_fitsfile_text(f, "CTYPE3", type, sizeof(type));
		s->freq = strncmp(type, "FREQ", 4) == 0 ? s->freq : 0;
	}
	s->mjd = um_fitsfile_number(f, "MJD", um_fitsfile_number(f, "MJD-OBS", 0));
	um_fitsfile_text(f, "OBJECT", s->object, sizeof(s->object));
	um_fitsfile_text(f, "BUNIT", out->bunit, sizeof(out->bunit));
	*flip_x = dx > 0;
	*flip_y = dy > 0;
	return UM_OK;
}

static void turn(um_array *a, bool flip_x, bool flip_y)
{
	int64_t nx = a->dim[a->rank - 1];
	int64_t ny = a->dim[a->rank - 2];
	for (int64_t p = 0; p < um_array_len(a) / (nx * ny); p++) {
		double *plane = (double *)a->data + p * nx * ny;
		for (int64_t j = 0; flip_y && j < ny / 2; j++)
			for (int64_t i = 0; i < nx; i++) {
				double t = plane[j * nx + i];
				plane[j * nx + i] = plane[(ny - 1 - j) * nx + i];
				plane[(ny - 1 - j) * nx + i] = t;
			}
		for (int64_t j = 0; flip_x && j < ny; j++)
			for (int64_t i = 0; i < nx / 2; i++) {
				double t = plane[j * nx + i];
				plane[j * nx + i] = plane[j * nx + nx - 1 - i];
				plane[j * nx + nx - 1 - i] = t;
			}
	}
}

static um_status check_finite(const char *path, const um_array *a)
{
	const double *x = a->data;
	const int64_t n = um_array_len(a), plane = a->dim[a->rank - 1] * a->dim[a->rank - 2];
	for (int64_t i = 0; i < n; i++)
		if (!isfinite(x[i]) && n > plane)
			return um_fail(UM_EDATA, "%s: image %lld, pixel %lld is blank or not finite; fill it first", path,
				(long long)(i / plane) + 1, (long long)(i % plane) + 1);
		else if (!isfinite(x[i]))
			return um_fail(UM_EDATA, "%s: pixel %lld is blank or not finite; fill it first",
				path, (long long)i + 1);
	return UM_OK;
}

static um_status read_image(const char *path, bool first, um_image *out)
{
	um_status st = UM_OK;
	fitsfile *f = NULL;
	int64_t bytes = 0;
	bool flip_x = false;
	bool flip_y = false;
	memset(out, 0, sizeof(*out));
	UM_TRY(um_fitsfile_open(path, &f, &bytes));
	UM_TRY(find_image(path, f));
	UM_TRY(read_pixels(path, f, bytes, first, &out->data));
	out->measurements = !first && counts_measurements(f, out->data.rank) ? out->data.dim[0] : 1;
	if (out->data.rank < 2)
		UM_TRY(um_fail(UM_EDATA, "%s: the image has one axis only", path));
	UM_TRY(check_finite(path, &out->data));
	UM_TRY(read_sky(path, f, out, &flip_x, &flip_y));
	turn(&out->data, flip_x, flip_y);
out:
	um_fitsfile_close(f);
	if (st != UM_OK)
		um_image_free(out);
	return st;
}

um_status um_image_read(const char *path, um_image *out)
{
	return read_image(path, false, out);
}

um_status um_image_read_first(const char *path, um_image *out)
{
	return read_image(path, true, out);
}

void um_image_free(um_image *im)
{
	um_array_free(&im->data);
	memset(im, 0, sizeof(*im));
}

/* Where there is no extension of that name and none is needed, *out stays empty. */
static um_status read_hdu(const char *path, int hdu, const char *name, bool needed, um_array *out)
{
	um_status st = UM_OK;
	fitsfile *f = NULL;
	int64_t bytes = 0;
	int status = 0;
	memset(out, 0, sizeof(*out));
	UM_TRY(um_fitsfile_open(path, &f, &bytes));
	if (name != NULL)
		fits_movnam_hdu(f, IMAGE_HDU, (char *)name, 0, &status);
	else
		fits_movabs_hdu(f, hdu, NULL, &status);
	if (status == BAD_HDU_NUM && !needed)
		goto out;
	if (status != 0 && name != NULL)
		UM_TRY(um_fail(UM_EDATA, "%s: no image extension %s", path, name));
	if (status != 0)
		UM_TRY(um_fitsfile_fail(path, "no such HDU", status));
	if (fits_is_compressed_image(f, &status))
		UM_TRY(um_fail(UM_EDATA, "%s: compressed image; unpack it with funpack", path));
	UM_TRY(read_pixels(path, f, bytes, false, out));
out:
	um_fitsfile_close(f);
	return st;
}

um_status um_fits_read_array(const char *path, int hdu, const char *name, um_array *out)
{
	return read_hdu(path, hdu, name, true, out);
}

um_status um_fits_read_extension(const char *path, const char *name, um_array *out)
{
	return read_hdu(path, 0, name, false, out);
}
