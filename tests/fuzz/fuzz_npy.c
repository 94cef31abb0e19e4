/* SPDX-License-Identifier: GPL-3.0-or-later */
/* um_npy_read on any bytes. */
#include <umbra/fits.h>
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	um_array a = { 0 };
	um_status st = um_npy_read(fuzz_file(data, size), &a);
	double sum = 0;
	fuzz_said(st);
	if (st == UM_OK) {
		FUZZ_HOLDS(a.dtype == UM_F64 && a.rank >= 0 && a.rank <= UM_MAXRANK);
		FUZZ_HOLDS(um_array_len(&a) >= 0 && (size_t)um_array_len(&a) <= size);
		for (int64_t i = 0; i < um_array_len(&a); i++)
			sum += ((double *)a.data)[i];
	} else {
		FUZZ_HOLDS(a.data == NULL);
	}
	um_array_free(&a);
	return sum > 1e308 ? 0 : 0;
}

/* Version, type, order and shape, then the numbers 0, 1, ... as bytes. */
static um_status put(const char *folder, const char *name, int version, const char *type, const char *order,
	const char *shape, size_t bytes)
{
	char x[1024] = "\x93NUMPY", text[256];
	int at = version == 1 ? 10 : 12;
	snprintf(text, sizeof(text), "{'descr': '%s', 'fortran_order': %s, 'shape': %s, }\n", type, order, shape);
	size_t n = strlen(text);
	x[6] = (char)version;
	x[8] = (char)(n & 255);
	x[9] = (char)(n >> 8);
	memcpy(x + at, text, n);
	for (size_t i = 0; i < bytes; i++)
		x[(size_t)at + n + i] = (char)(i * 37);
	return fuzz_put(folder, name, x, (size_t)at + n + bytes);
}

um_status fuzz_seeds(const char *folder)
{
	um_status st = UM_OK;
	UM_TRY(put(folder, "double", 1, "<f8", "False", "(2, 3)", 48));
	UM_TRY(put(folder, "float", 2, "<f4", "True", "(2, 3, 4)", 96));
	UM_TRY(put(folder, "big", 3, ">f4", "False", "(5,)", 20));
	UM_TRY(put(folder, "int16", 1, "<i2", "False", "(3, 1, 2)", 12));
	UM_TRY(put(folder, "byte", 1, "|u1", "True", "(4, 4)", 16));
	UM_TRY(put(folder, "int64", 1, ">i8", "False", "()", 8));
	UM_TRY(put(folder, "empty", 1, "<u4", "False", "(0, 7)", 0));
out:
	return st;
}
