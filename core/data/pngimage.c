/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Reading PNG pictures through Cairo, which has them as 8-bit colours; what that would change
 * without a word (16 bits, transparency) is refused. (PNG specification, second edition, 11.2.2.) */
#include <cairo.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include "data/imageset.h"

static uint32_t big_endian(const unsigned char *b)
{
	return (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
}

/* Size and depth, before anything is unpacked: deflate packs at most 1032 to 1. */
static um_status check_header(const char *path)
{
	unsigned char b[33] = { 0 };
	struct stat s;
	FILE *f = fopen(path, "rb");
	if (f == NULL || fstat(fileno(f), &s) != 0) {
		um_status st = um_fail(UM_EDATA, "%s: %s", path, strerror(errno));
		if (f != NULL)
			fclose(f);
		return st;
	}
	size_t n = fread(b, 1, sizeof(b), f);
	fclose(f);
	if (n != sizeof(b) || memcmp(b, "\x89PNG\r\n\x1a\n\0\0\0\rIHDR", 16) != 0)
		return um_fail(UM_EDATA, "%s: not a PNG file", path);
	if (b[24] > 8)
		return um_fail(UM_EDATA, "%s: PNG of %d bits; save it with 8, or as FITS or npy",
			path, b[24]);
	if ((double)big_endian(b + 16) * big_endian(b + 20) * b[24] / 8 > 1032.0 * (double)s.st_size)
		return um_fail(UM_EDATA, "%s: truncated: the header promises %u x %u pixels", path,
			(unsigned)big_endian(b + 16), (unsigned)big_endian(b + 20));
	return UM_OK;
}

static um_status copy(const char *path, cairo_surface_t *s, int64_t channels, um_array *out)
{
	const int rows = cairo_image_surface_get_height(s), columns = cairo_image_surface_get_width(s);
	const int stride = cairo_image_surface_get_stride(s);
	const bool alpha = cairo_image_surface_get_format(s) == CAIRO_FORMAT_ARGB32;
	const unsigned char *data = cairo_image_surface_get_data(s);
	um_status st = um_array_new(out, UM_F32, 3, (const int64_t[]){ channels, rows, columns });
	for (int r = 0; st == UM_OK && r < rows; r++)
		for (int c = 0; c < columns; c++) {
			uint32_t p;
			memcpy(&p, data + (size_t)r * (size_t)stride + 4 * (size_t)c, 4);
			uint32_t red = p >> 16 & 255, green = p >> 8 & 255, blue = p & 255;
			if (alpha && p >> 24 != 255)
				return um_fail(UM_EDATA, "%s: pixel [%d, %d] is transparent; "
					"save it without transparency", path,
					c + 1, r + 1);
			if (channels == 1 && (red != green || green != blue))
				return um_fail(UM_EDATA, "%s: a picture in colour, the image has "
					"one channel: convert it to grey, or set channels = 3", path);
			const uint32_t v[3] = { red, green, blue };
			for (int64_t k = 0; k < channels; k++)
				((float *)out->data)[(k * rows + r) * columns + c] = (float)v[k];
		}
	return st;
}

um_status um_png_read(const char *path, int64_t channels, um_array *out)
{
	um_status st = UM_OK;
	cairo_surface_t *s = NULL;
	*out = (um_array){ 0 };
	if (channels != 1 && channels != 3)
		return um_fail(UM_EDATA, "%s: PNG pictures have 1 or 3 channels, the image has %lld", path,
			(long long)channels);
	UM_TRY(check_header(path));
	s = cairo_image_surface_create_from_png(path);
	if (cairo_surface_status(s) != CAIRO_STATUS_SUCCESS)
		UM_TRY(um_fail(UM_EDATA, "%s: damaged PNG file: %s", path,
			cairo_status_to_string(cairo_surface_status(s))));
	cairo_format_t format = cairo_image_surface_get_format(s);
	if (format != CAIRO_FORMAT_ARGB32 && format != CAIRO_FORMAT_RGB24)
		UM_TRY(um_fail(UM_EDATA, "%s: PNG of a kind that cannot be read; save it with 8 "
			"bits", path));
	cairo_surface_flush(s);
	UM_TRY(copy(path, s, channels, out));
out:
	if (s != NULL)
		cairo_surface_destroy(s);
	if (st != UM_OK)
		um_array_free(out);
	return st;
}
