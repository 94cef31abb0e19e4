/* SPDX-License-Identifier: GPL-3.0-or-later */
/* FITS images and cubes, in umbra's orientation. Versioned with libumbra; not part
 * of the plugin ABI. */
#ifndef UMBRA_FITS_H
#define UMBRA_FITS_H

#include <stdbool.h>
#include <umbra/array.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Where an image lies on the sky. */
typedef struct um_sky {
	double ra, dec;    /* of the image centre, degrees */
	double pixel;      /* radians a pixel; 0: not an image of the sky, or unknown */
	char object[72];   /* source name, or "" */
	double freq;       /* Hz, 0 if unknown */
	double mjd;        /* 0 if unknown */
} um_sky;

typedef struct um_image {
	um_array data;     /* double; [rows][columns] or with leading axes (NAXISn first) */
	um_sky sky;
	char bunit[72];
	int64_t measurements; /* length of the first axis of data where it is called MEASUREMENT, else 1 */
} um_image;

/* Reads the primary image (or the first image HDU): any BITPIX, BSCALE and BZERO applied,
 * rows turned so that row 0 is north (the last stored row, as CDELT2 > 0 says; the first
 * where CDELT2 < 0) and column 0 is east (the first, as CDELT1 < 0 says; turned where
 * CDELT1 > 0). Blank or NaN pixels, an empty image or pixels that are not square are
 * UM_EDATA; a missing file is UM_EDATA. Release it with um_image_free. */
UM_API UM_USED um_status um_image_read(const char *path, um_image *out);
/* The same, of several measurements only the first. */
UM_API UM_USED um_status um_image_read_first(const char *path, um_image *out);
UM_API void um_image_free(um_image *im);

/* The images of im, read from path, as those of a run: x becomes float [images][env->shape], free it. Images of the sky in
 * pixels of another size or number are brought to env's about one centre, keeping the sum of what lies in the new field; as
 * pixels that are squares, or, smooth, as the triangles of linear interpolation where new pixels are smaller. Others
 * of another size are UM_EDATA. */
struct um_env;
UM_API UM_USED um_status um_image_onto(const um_image *im, const char *path, const struct um_env *env, bool smooth,
	um_array *x);

/* One more HDU of a file to write. */
typedef struct um_fits_ext {
	const char *name;      /* EXTNAME */
	const um_array *data;
} um_fits_ext;

typedef struct um_fits_file {
	const um_array *data;  /* float or double, contiguous; last axis = NAXIS1. Where sky is
	                          given the last two axes are rows (north first) and columns */
	const um_sky *sky;     /* celestial WCS of the first two FITS axes; NULL: none */
	const char *bunit;     /* NULL: none */
	const char *axis[UM_MAXRANK]; /* CTYPE of FITS axes 3, 4, ..., e.g. "SAMPLE"; NULL: none */
	const char *const *history; /* HISTORY cards, ended by NULL; or NULL */
	const um_fits_ext *ext;     /* extensions, ended by name NULL; or NULL */
} um_fits_file;

/* Writes a new file at path, which must not exist; fitsverify finds nothing in it. Equal
 * input gives equal bytes (no date cards). */
UM_API UM_USED um_status um_fits_write(const char *path, const um_fits_file *f);

/* Reads HDU number hdu (1 = primary) or, where name is not NULL, the extension of that name,
 * as it is stored, without turning anything: double, last axis = NAXIS1. */
UM_API UM_USED um_status um_fits_read_array(const char *path, int hdu, const char *name, um_array *out);
/* The extension of that name, or an empty array (data NULL) where there is none. */
UM_API UM_USED um_status um_fits_read_extension(const char *path, const char *name, um_array *out);

/* Reads a .npy file (versions 1 to 3; float, double, integers; C or Fortran order) as double. */
UM_API UM_USED um_status um_npy_read(const char *path, um_array *out);

#ifdef __cplusplus
}
#endif
#endif
