/* SPDX-License-Identifier: GPL-3.0-or-later */
/* FITS images and cubes, there and back; orientation; odd files made with cfitsio; npy. */
#include <fitsio.h>
#include <umbra/fits.h>
#include <umbra/rng.h>
#include <stdbool.h>
#include "check.h"

#define UAS (3.14159265358979323846 / 180 / 3600e6)

static char path[64];

static const char *fresh(void)
{
	static int count;
	remove(path);
	snprintf(path, sizeof(path), "/tmp/umbra-test-%ld-%d.fits", (long)getpid(), count++);
	remove(path);
	return path;
}

static void done(void)
{
	remove(path);
}

static void round_trip(void)
{
	um_array a, e;
	um_image back;
	const um_sky sky = { .ra = 187.7, .dec = 12.4, .pixel = 2 * UAS, .object = "M87", .freq = 230e9,
		.mjd = 57850 };
	for (int single = 0; single < 2; single++) {
		CHECK_OK(um_array_new(&a, single ? UM_F32 : UM_F64, 3, (const int64_t[]){ 2, 3, 4 }));
		CHECK_OK(um_array_new(&e, UM_F64, 2, (const int64_t[]){ 3, 2 }));
		for (int i = 0; i < 24; i++)
			if (single)
				((float *)a.data)[i] = (float)i + 0.5f;
			else
				((double *)a.data)[i] = 1e-3 * i;
		for (int i = 0; i < 6; i++)
			((double *)e.data)[i] = i;
		const char *const history[] = { "seed 1", NULL };
		const um_fits_ext ext[] = { { "SIGMA", &e }, { NULL, NULL } };
		const um_fits_file f = { .data = &a, .sky = &sky, .bunit = "JY/PIXEL", .axis = { "SAMPLE" },
			.history = history, .ext = ext };
		CHECK_OK(um_fits_write(fresh(), &f));
		CHECK_FAILS(um_fits_write(path, &f), UM_EIO, path);
		CHECK_OK(um_image_read(path, &back));
		CHECK(back.data.rank == 3 && back.data.dim[0] == 2 && back.data.dim[2] == 4);
		for (int i = 0; i < 24; i++)
			CHECK(((double *)back.data.data)[i] == (single ? i + 0.5 : 1e-3 * i));
		CHECK_REL(back.sky.pixel, sky.pixel, 1e-14);
		CHECK_NEAR(back.sky.ra, 187.7, 1e-12);
		CHECK(strcmp(back.sky.object, "M87") == 0 && strcmp(back.bunit, "JY/PIXEL") == 0);
		CHECK(back.sky.freq == 230e9 && back.sky.mjd == 57850);
		um_image_free(&back);
		CHECK_OK(um_fits_read_array(path, 1, NULL, &back.data)); /* as stored: south row first */
		CHECK(((double *)back.data.data)[0] == (single ? 8.5 : 8e-3));
		um_array_free(&back.data);
		CHECK_OK(um_fits_read_array(path, 1, "SIGMA", &back.data));
		CHECK(back.data.dim[0] == 3 && ((double *)back.data.data)[5] == 5);
		um_array_free(&back.data);
		CHECK_FAILS(um_fits_read_array(path, 1, "NOISE", &back.data), UM_EDATA, "NOISE");
		CHECK_FAILS(um_fits_read_array(path, 7, NULL, &back.data), UM_EDATA, "HDU");
		um_array_free(&a);
		um_array_free(&e);
	}
	done();
}

/* The axis of measurements is the last one, by its name: all of them, or the first. */
static void measurements(void)
{
	um_array a;
	um_image all, first;
	CHECK_OK(um_array_new(&a, UM_F64, 4, (const int64_t[]){ 2, 3, 4, 5 }));
	for (int i = 0; i < 120; i++)
		((double *)a.data)[i] = i;
	for (int named = 0; named < 2; named++) {
		CHECK_OK(um_fits_write(fresh(), &(um_fits_file){ .data = &a, .axis = { "SAMPLE", named ? "MEASUREMENT" : "SAMPLE" } }));
		CHECK_OK(um_image_read(path, &all));
		CHECK_OK(um_image_read_first(path, &first));
		CHECK(all.measurements == (named ? 2 : 1) && first.measurements == 1);
		CHECK(all.data.rank == 4 && first.data.rank == (named ? 3 : 4));
		CHECK(first.data.dim[0] == (named ? 3 : 2));
		for (int64_t i = 0; i < um_array_len(&first.data); i++)
			CHECK(((double *)first.data.data)[i] == (double)i && ((double *)all.data.data)[i] == (double)i);
		um_image_free(&all);
		um_image_free(&first);
	}
	um_array_free(&a);
	done();
}

/* Equal input, equal bytes; and nothing for fitsverify to find, where it is installed. */
static void bytes(void)
{
	um_array a;
	char first[64];
	char command[256];
	const um_sky sky = { .ra = 10, .dec = -20, .pixel = UAS };
	CHECK_OK(um_array_new(&a, UM_F32, 2, (const int64_t[]){ 5, 7 }));
	const um_fits_file f = { .data = &a, .sky = &sky, .bunit = "Jy/pixel" };
	CHECK_OK(um_fits_write(fresh(), &f));
	strcpy(first, path);
	path[0] = 0;
	CHECK_OK(um_fits_write(fresh(), &f));
	snprintf(command, sizeof(command), "cmp %s %s", first, path);
	CHECK(system(command) == 0);
	snprintf(command, sizeof(command), "! command -v fitsverify >/dev/null || fitsverify -q %s >/dev/null", path);
	CHECK(system(command) == 0);
	remove(first);
	um_array_free(&a);
	done();
}

/* A file as others would write it: numbers 0.. in storage order. */
static void foreign(int bitpix, int nx, int ny, const char *const cards[], double blank_at)
{
	fitsfile *f = NULL;
	int status = 0;
	long dim[2] = { nx, ny };
	fits_create_diskfile(&f, fresh(), &status);
	fits_create_img(f, bitpix, 2, dim, &status);
	for (; *cards != NULL; cards++)
		fits_write_record(f, *cards, &status);
	fits_set_hdustruc(f, &status);
	fits_set_bscale(f, 1, 0, &status);
	for (int i = 0; i < nx * ny; i++) {
		double x = i == (int)blank_at ? bitpix < 0 ? NAN : -7 : i;
		fits_write_img(f, TDOUBLE, i + 1, 1, &x, &status);
	}
	fits_close_file(f, &status);
	CHECK(status == 0);
}

#define CARDS(...) (const char *const[]){ __VA_ARGS__, NULL }
#define EAST "CDELT1  =               -1E-09"
#define WEST "CDELT1  =                1E-09"
#define NORTH "CDELT2  =                1E-09"
#define SOUTH "CDELT2  =               -1E-09"

static void orientation(void)
{
	static const struct { const char *x, *y; double corner; } cases[] = {
		{ EAST, NORTH, 3 }, { WEST, NORTH, 5 }, { EAST, SOUTH, 0 }, { WEST, SOUTH, 2 },
	};
	um_image im;
	for (int i = 0; i < 4; i++) {
		foreign(-64, 3, 2, CARDS(cases[i].x, cases[i].y), -1);
		CHECK_OK(um_image_read(path, &im));
		CHECK(((double *)im.data.data)[0] == cases[i].corner);
		CHECK_REL(im.sky.pixel, 1e-9 * 3600e6 * UAS, 1e-14);
		um_image_free(&im);
	}
	foreign(-64, 3, 2, CARDS("EXTRA   =                    1"), -1);
	CHECK_OK(um_image_read(path, &im)); /* not of the sky: as stored */
	CHECK(((double *)im.data.data)[1] == 1 && im.sky.pixel == 0);
	um_image_free(&im);
	done();
}

static void numbers(void)
{
	static const int types[] = { 8, 16, 32, 64, -32, -64 };
	um_image im;
	for (int i = 0; i < 6; i++) {
		foreign(types[i], 4, 4, CARDS(EAST, NORTH, "BSCALE  =                  0.5",
			"BZERO   =                 10.0"), -1);
		CHECK_OK(um_image_read(path, &im));
		CHECK(((double *)im.data.data)[0] == 10 + 0.5 * 12);
		um_image_free(&im);
	}
	foreign(-32, 4, 4, CARDS(EAST, NORTH), 5);
	CHECK_FAILS(um_image_read(path, &im), UM_EDATA, "blank or not finite");
	foreign(16, 4, 4, CARDS(EAST, NORTH, "BLANK   =                   -7"), 5);
	CHECK_FAILS(um_image_read(path, &im), UM_EDATA, "blank or not finite");
	done();
}

static void refusals(void)
{
	um_image im;
	foreign(-64, 3, 2, CARDS(EAST, "CDELT2  =                2E-09"), -1);
	CHECK_FAILS(um_image_read(path, &im), UM_EDATA, "not square");
	foreign(-64, 3, 2, CARDS(EAST), -1);
	CHECK_FAILS(um_image_read(path, &im), UM_EDATA, "only one of CDELT1");
	foreign(-64, 3, 2, CARDS(EAST, NORTH, "CROTA2  =                 10.0"), -1);
	CHECK_FAILS(um_image_read(path, &im), UM_EDATA, "rotated");
	foreign(-64, 0, 0, CARDS(EAST), -1);
	CHECK_FAILS(um_image_read(path, &im), UM_EDATA, "");
	foreign(-64, 100, 100, CARDS(EAST, NORTH), -1);
	CHECK(truncate(path, 2880 * 3) == 0);
	CHECK_FAILS(um_image_read(path, &im), UM_EDATA, "truncated");
	CHECK_FAILS(um_image_read("tests/data/synthetic.uvfits", &im), UM_EDATA, "random groups");
	CHECK_FAILS(um_image_read("/nowhere.fits", &im), UM_EDATA, "/nowhere.fits");
	CHECK_FAILS(um_image_read("Makefile", &im), UM_EDATA, "not a FITS file");
	CHECK(im.data.data == NULL);
	done();
}

static void write_npy(const char *header, int version, const void *data, size_t n)
{
	unsigned char head[10] = { 0x93, 'N', 'U', 'M', 'P', 'Y', (unsigned char)version, 0 };
	FILE *f = fopen(fresh(), "wb");
	head[8] = (unsigned char)strlen(header);
	fwrite(head, 1, 10, f);
	if (version > 1)
		fwrite("\0", 1, 2, f);
	fwrite(header, 1, strlen(header), f);
	fwrite(data, 1, n, f);
	fclose(f);
}

static void npy(void)
{
	const double d[6] = { 0, 1, 2, 3, 4, -5.5 };
	const unsigned char big[4] = { 0xff, 0xfe, 1, 0 };
	um_array a;
	write_npy("{'descr': '<f8', 'fortran_order': False, 'shape': (2, 3), }", 1, d, sizeof(d));
	CHECK_OK(um_npy_read(path, &a));
	CHECK(a.rank == 2 && a.dim[0] == 2 && a.dim[1] == 3 && ((double *)a.data)[5] == -5.5);
	um_array_free(&a);
	write_npy("{'descr': '<f8', 'fortran_order': True, 'shape': (2, 3), }", 2, d, sizeof(d));
	CHECK_OK(um_npy_read(path, &a));
	CHECK(((double *)a.data)[1] == 2 && ((double *)a.data)[3] == 1);
	um_array_free(&a);
	write_npy("{'descr': '>i2', 'fortran_order': False, 'shape': (2,), }", 1, big, 4);
	CHECK_OK(um_npy_read(path, &a));
	CHECK(((double *)a.data)[0] == -2 && ((double *)a.data)[1] == 256);
	um_array_free(&a);
	write_npy("{'descr': '<f8', 'fortran_order': False, 'shape': (2, 4), }", 1, d, sizeof(d));
	CHECK_FAILS(um_npy_read(path, &a), UM_EDATA, "truncated");
	write_npy("{'descr': '<c8', 'fortran_order': False, 'shape': (2, 3), }", 1, d, sizeof(d));
	CHECK_FAILS(um_npy_read(path, &a), UM_EDATA, "is not float");
	write_npy("{'descr': '<f8', 'shape': (99999999999, 99999999999), }", 1, d, sizeof(d));
	CHECK_FAILS(um_npy_read(path, &a), UM_EDATA, "shape");
	write_npy("nonsense", 1, d, sizeof(d));
	CHECK_FAILS(um_npy_read(path, &a), UM_EDATA, "descr");
	CHECK_FAILS(um_npy_read("Makefile", &a), UM_EDATA, "not a .npy");
	done();
}

/* Whatever the bytes are, the readers answer with numbers or with one message. */
static void noise_in_files(void)
{
	char good[65536];
	char bad[65536];
	char image[64];
	um_rng r = um_rng_new(7, "hostile", 0);
	const char *more = getenv("UMBRA_FUZZ");
	int rounds = more != NULL ? atoi(more) : 200;
	const double d[6] = { 0, 1, 2, 3, 4, -5.5 };
	for (int kind = 0; kind < 2; kind++) {
		if (kind == 0)
			foreign(16, 30, 20, CARDS(EAST, NORTH, "BLANK   =                   -7"), -1);
		else
			write_npy("{'descr': '<f8', 'fortran_order': True, 'shape': (2, 3), }", 1, d, sizeof(d));
		FILE *f = fopen(path, "rb");
		size_t n = fread(good, 1, sizeof(good), f);
		fclose(f);
		strcpy(image, fresh());
		for (int i = 0; i < rounds; i++) {
			size_t len = i % 3 ? n : (size_t)(um_uniform(&r) * (double)n);
			memcpy(bad, good, n);
			for (int k = 0; k < 1 + i % 7; k++) {
				char c = (char)(i % 2 ? '0' + um_rng_bits(&r) % 10 : um_rng_bits(&r));
				bad[(size_t)(um_uniform(&r) * (double)(n < 2880 ? n : 2880))] = c;
			}
			f = fopen(image, "wb");
			CHECK(fwrite(bad, 1, len, f) == len);
			fclose(f);
			um_image im = { 0 };
			um_status st = kind ? um_npy_read(image, &im.data) : um_image_read(image, &im);
			CHECK(st == UM_OK || st == UM_EDATA);
			um_image_free(&im);
		}
	}
	done();
}

CHECK_MAIN(CHECK_CASE(round_trip), CHECK_CASE(measurements), CHECK_CASE(bytes), CHECK_CASE(orientation), CHECK_CASE(numbers),
	CHECK_CASE(refusals), CHECK_CASE(npy),
	CHECK_CASE(noise_in_files))
