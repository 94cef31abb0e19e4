/* SPDX-License-Identifier: GPL-3.0-or-later */
/* One call for .npy and FITS: the ending of the name decides. */
#include <string.h>
#include <umbra/fits.h>
#include <umbra/table.h>

static bool is_npy(const char *path)
{
	size_t n = strlen(path);
	return n > 4 && strcmp(path + n - 4, ".npy") == 0;
}

um_status um_table_read(const char *path, um_array *out)
{
	return is_npy(path) ? um_npy_read(path, out) : um_fits_read_array(path, 1, NULL, out);
}

um_status um_table_image(const char *path, int64_t count, um_array *out)
{
	um_status st = UM_OK;
	um_image im = { 0 };
	*out = (um_array){ 0 };
	if (is_npy(path)) {
		UM_TRY(um_npy_read(path, out));
	} else {
		UM_TRY(um_image_read(path, &im));
		*out = im.data;
		im.data = (um_array){ 0 };
	}
	if (um_array_len(out) != count)
		UM_TRY(um_fail(UM_EDATA, "%s: %lld pixels, but %lld are needed; images are not resampled, "
			"give one of the size in image.pixels", path, (long long)um_array_len(out),
			(long long)count));
out:
	um_image_free(&im);
	if (st != UM_OK)
		um_array_free(out);
	return st;
}

um_status um_table_extension(const char *path, const char *name, um_array *out)
{
	*out = (um_array){ 0 };
	return is_npy(path) ? UM_OK : um_fits_read_extension(path, name, out);
}
