/* SPDX-License-Identifier: GPL-3.0-or-later */
/* um_idx_read on any bytes, packed or not. */
#include <umbra/array.h>
#include <zlib.h>
#include "data/imageset.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	um_array a = { 0 };
	double top = -1;
	um_status st = um_idx_read(fuzz_file(data, size), &a, &top);
	fuzz_said(st);
	if (st == UM_OK) {
		FUZZ_HOLDS(a.dtype == UM_F32 && a.rank >= 1 && a.rank <= UM_MAXRANK && top >= 0);
		FUZZ_HOLDS((size_t)um_array_len(&a) <= 1032 * size);
		for (int64_t i = 0; i < um_array_len(&a); i++)
			FUZZ_HOLDS(top == 0 || (double)((float *)a.data)[i] <= top * (1 + 1e-7));
	} else {
		FUZZ_HOLDS(a.data == NULL);
	}
	um_array_free(&a);
	return 0;
}

/* Type and sizes, then the numbers 0, 37, ... as bytes. */
static size_t make(unsigned char x[256], int type, int rank, const int dim[], size_t bytes)
{
	size_t at = 4;
	memset(x, 0, 256);
	x[2] = (unsigned char)type;
	x[3] = (unsigned char)rank;
	for (int i = 0; i < rank; i++, at += 4)
		x[at + 3] = (unsigned char)dim[i];
	for (size_t i = 0; i < bytes; i++)
		x[at + i] = (unsigned char)(i * 37);
	return at + bytes;
}

um_status fuzz_seeds(const char *folder)
{
	static const struct { const char *name; int type, size; } types[] = { { "u8", 8, 1 }, { "i8", 9, 1 },
		{ "i16", 11, 2 }, { "i32", 12, 4 }, { "f32", 13, 4 }, { "f64", 14, 8 } };
	um_status st = UM_OK;
	unsigned char x[256];
	char path[1024];
	size_t n = 0;
	for (size_t i = 0; i < sizeof(types) / sizeof(*types); i++) {
		n = make(x, types[i].type, 3, (const int[]){ 2, 3, 4 }, 24 * (size_t)types[i].size);
		UM_TRY(fuzz_put(folder, types[i].name, x, n));
	}
	snprintf(path, sizeof(path), "%s/packed", folder);
	gzFile f = gzopen(path, "wb");
	n = make(x, 8, 2, (const int[]){ 5, 7 }, 35);
	if (f == NULL || gzwrite(f, x, (unsigned)n) != (int)n || gzclose(f) != Z_OK)
		st = um_fail(UM_EIO, "%s: cannot be written", path);
out:
	return st;
}
