/* SPDX-License-Identifier: GPL-3.0-or-later */
/* um_image_read and um_fits_read_array on any bytes. */
#include <math.h>
#include <umbra/fits.h>
#include "fuzz.h"

/* All numbers that a reader says are there, are. */
static void look(const um_array *a, bool finite)
{
	const int64_t n = um_array_len(a);
	FUZZ_HOLDS(a->dtype == UM_F64 && a->rank >= 1 && a->rank <= UM_MAXRANK && n >= 0);
	for (int64_t i = 0; i < n; i++)
		FUZZ_HOLDS(!finite || isfinite(((double *)a->data)[i]));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *path = fuzz_file(data, size);
	um_image im = { 0 };
	um_array a = { 0 };
	um_status st = um_image_read(path, &im);
	fuzz_said(st);
	if (st == UM_OK) {
		look(&im.data, true);
		FUZZ_HOLDS(im.data.rank >= 2 && im.sky.pixel >= 0);
		FUZZ_HOLDS(memchr(im.bunit, 0, sizeof(im.bunit)) && memchr(im.sky.object, 0, sizeof(im.sky.object)));
	}
	um_image_free(&im);
	st = um_image_read_first(path, &im);
	fuzz_said(st);
	if (st == UM_OK) {
		look(&im.data, true);
		FUZZ_HOLDS(im.measurements == 1);
	}
	um_image_free(&im);
	for (int k = 0; k < 3; k++) {
		st = um_fits_read_array(path, k == 2 ? 0 : k + 1, k == 2 ? "SIGMA" : NULL, &a);
		fuzz_said(st);
		if (st == UM_OK)
			look(&a, false);
		um_array_free(&a);
	}
	return 0;
}

/* An image of 16-bit integers with scale, zero and one blank, as other programs write it. */
static um_status put_integers(const char *folder)
{
	static const char *const cards[] = { "SIMPLE  =                    T", "BITPIX  =                   16",
		"NAXIS   =                    2", "NAXIS1  =                    4", "NAXIS2  =                    3",
		"BSCALE  =                 0.25", "BZERO   =                 10.0", "CTYPE1  = 'RA---SIN'",
		"CTYPE2  = 'DEC--SIN'", "CDELT1  =              5.0E-10", "CDELT2  =             -5.0E-10",
		"CRVAL1  =           187.705931", "CRVAL2  =            12.391123", "OBJECT  = 'M87     '",
		"BUNIT   = 'JY/PIXEL'", "END" };
	char x[2 * 2880];
	memset(x, ' ', 2880);
	memset(x + 2880, 0, 2880);
	for (size_t i = 0; i < sizeof(cards) / sizeof(*cards); i++)
		memcpy(x + 80 * i, cards[i], strlen(cards[i]));
	for (int i = 0; i < 12; i++)
		x[2880 + 2 * i + 1] = (char)(3 * i);
	return fuzz_put(folder, "integers", x, sizeof(x));
}

um_status fuzz_seeds(const char *folder)
{
	um_status st = UM_OK;
	char path[1024];
	float cube[2 * 3 * 4];
	double sigma[5] = { 1, 2, 3, 4, 5 };
	for (int i = 0; i < 24; i++)
		cube[i] = (float)(i % 7) / 8;
	um_array a = um_array_view(cube, UM_F32, 3, (const int64_t[]){ 2, 3, 4 });
	um_array s = um_array_view(sigma, UM_F64, 1, (const int64_t[]){ 5 });
	um_array flat = um_array_rows(&a, 0, 1);
	const um_sky sky = { .ra = 187.7, .dec = 12.39, .pixel = 1e-11, .object = "M87", .freq = 2.3e11, .mjd = 57854 };
	static const char *const history[] = { "umbra", NULL };
	const um_fits_ext ext[] = { { "SIGMA", &s }, { NULL, NULL } };
	const um_fits_file files[] = { { .data = &a, .sky = &sky, .bunit = "JY/PIXEL", .axis = { "MEASUREMENT" },
		.history = history }, { .data = &flat, .ext = ext }, { .data = &s } };
	for (int i = 0; i < 3; i++) {
		snprintf(path, sizeof(path), "%s/image%d", folder, i);
		UM_TRY(um_fits_write(path, &files[i]));
	}
	UM_TRY(put_integers(folder));
out:
	return st;
}
