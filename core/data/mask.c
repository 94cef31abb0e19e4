/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Reading masks. */
#include <umbra/mask.h>
#include <umbra/table.h>

um_status um_mask_read(const char *path, bool image, int64_t rows, int64_t columns, double *mask)
{
	um_array a = { 0 };
	um_status st = UM_OK;
	int64_t seen = 0;
	UM_TRY(image ? um_table_image(path, rows * columns, &a) : um_table_read(path, &a));
	const double *v = a.data;
	const int64_t wide = a.dim[a.rank - 1], high = um_array_len(&a) / wide;
	if (wide != columns || high != rows)
		UM_TRY(um_fail(UM_EDATA, "%s: a mask of %lld x %lld, but the image has %lld x %lld pixels", path,
			(long long)wide, (long long)high, (long long)columns, (long long)rows));
	for (int64_t i = 0; i < rows * columns; i++) {
		if (v[i] != 0 && v[i] != 1)
			UM_TRY(um_fail(UM_EDATA, "%s: a mask has 0 (not seen) and 1 (seen) alone, but row %lld, "
				"column %lld, counted from 0, is %g", path, (long long)(i / columns),
				(long long)(i % columns), v[i]));
		mask[i] = v[i];
		seen += v[i] == 1;
	}
	if (seen == 0)
		UM_TRY(um_fail(UM_EDATA, "%s: this mask is 0 everywhere: nothing is seen", path));
out:
	um_array_free(&a);
	return st;
}
