/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Images of a run as FITS files: axes that are not used are left out, the others have names. */
#include <stdlib.h>
#include "base/file.h"
#include "pipeline/cube.h"

enum { IMAGE = 5 }; /* axes of one image */

um_status um_cube_write(const char *path, const um_array *x, const char *const lead[], const um_sky *sky, const char *unit,
	char *const *history)
{
	static const char *const inner[IMAGE] = { "FRAME", "BAND", "CHANNEL", NULL, NULL };
	const int outer = x->rank - IMAGE;
	const char *name[UM_MAXRANK];
	int64_t dim[UM_MAXRANK] = { 0 };
	int rank = 0;
	for (int i = 0; i < x->rank; i++) {
		const bool kept = i < outer ? lead[i] != NULL : i >= x->rank - 2 || x->dim[i] > 1;
		if (kept) {
			name[rank] = i < outer ? lead[i] : inner[i - outer];
			dim[rank++] = x->dim[i];
		}
	}
	const um_array view = um_array_view(x->data, x->dtype, rank, dim);
	um_fits_file f = { .data = &view, .sky = sky, .bunit = unit, .history = (const char *const *)history };
	for (int i = 0; i < rank - 2; i++)
		f.axis[i] = name[rank - 3 - i];
	char *temp = um_file_begin(path);
	const um_status st = um_file_commit(temp, path, um_fits_write(temp, &f));
	free(temp);
	return st;
}
