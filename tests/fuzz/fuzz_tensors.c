/* SPDX-License-Identifier: GPL-3.0-or-later */
/* um_tensors_read on any bytes; what was read is written and read again, equal, and once more as
 * 16-bit numbers, where a number that became one already stays what it is. */
#include <umbra/tensors.h>
#include "fuzz.h"

static void compare(const um_tensors *a, const um_tensors *b)
{
	FUZZ_HOLDS(a->n == b->n && a->nmeta == b->nmeta);
	for (int i = 0; i < a->n; i++) {
		const um_array *x = &a->array[i], *y = um_tensors_get(b, a->name[i]);
		FUZZ_HOLDS(y != NULL && x->dtype == y->dtype && x->rank == y->rank);
		FUZZ_HOLDS(um_array_len(x) == um_array_len(y));
		size_t bytes = (size_t)um_array_len(x) * (x->dtype == UM_F32 ? 4 : 8);
		FUZZ_HOLDS(bytes == 0 || memcmp(x->data, y->data, bytes) == 0);
	}
}

/* Rounded twice is rounded once; only numbers next to the largest float may be refused. */
static void round_trip(const char *path, um_tensors *a)
{
	um_tensors once, twice;
	a->store = UM_STORE_BF16;
	um_status st = um_tensors_write(path, a);
	fuzz_said(st);
	FUZZ_HOLDS(st == UM_OK || st == UM_ENUM);
	if (st != UM_OK)
		return;
	FUZZ_HOLDS(um_tensors_read(path, &once) == UM_OK);
	once.store = UM_STORE_BF16;
	FUZZ_HOLDS(um_tensors_write(path, &once) == UM_OK && um_tensors_read(path, &twice) == UM_OK);
	compare(&once, &twice);
	um_tensors_free(&once);
	um_tensors_free(&twice);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *path = fuzz_file(data, size);
	um_tensors a = { 0 }, b = { 0 };
	um_status st = um_tensors_read(path, &a);
	fuzz_said(st);
	if (st == UM_OK) {
		st = um_tensors_write(path, &a);
		fuzz_said(st);
		FUZZ_HOLDS(st == UM_OK && um_tensors_read(path, &b) == UM_OK);
		compare(&a, &b);
		round_trip(path, &a);
	}
	um_tensors_free(&a);
	um_tensors_free(&b);
	return 0;
}

um_status fuzz_seeds(const char *folder)
{
	um_status st = UM_OK;
	char path[1024];
	um_tensors t = { 0 };
	float f[6] = { 1, 2, 3, 4, 5, 6 };
	double d[2] = { 0.5, -0.25 };
	int64_t k[1] = { 7 };
	um_array a = um_array_view(f, UM_F32, 2, (const int64_t[]){ 2, 3 });
	um_array b = um_array_view(d, UM_F64, 1, (const int64_t[]){ 2 });
	um_array c = um_array_view(k, UM_I64, 1, (const int64_t[]){ 1 });
	UM_TRY(um_tensors_add(&t, "layer.0.weight", &a));
	UM_TRY(um_tensors_add(&t, "layer.0.bias", &b));
	um_tensors_note(&t, "seconds", "1.5");
	um_tensors_note(&t, "made by", "a \"test\"");
	snprintf(path, sizeof(path), "%s/two", folder);
	UM_TRY(um_tensors_write(path, &t));
	UM_TRY(um_tensors_add(&t, "step", &c));
	snprintf(path, sizeof(path), "%s/three", folder);
	UM_TRY(um_tensors_write(path, &t));
	t.store = UM_STORE_F16;
	snprintf(path, sizeof(path), "%s/f16", folder);
	UM_TRY(um_tensors_write(path, &t));
	t.store = UM_STORE_BF16;
	snprintf(path, sizeof(path), "%s/bf16", folder);
	UM_TRY(um_tensors_write(path, &t));
	um_array none = um_array_view(f, UM_F32, 2, (const int64_t[]){ 2, 0 });
	um_tensors_free(&t);
	UM_TRY(um_tensors_add(&t, "none", &none));
	snprintf(path, sizeof(path), "%s/none", folder);
	UM_TRY(um_tensors_write(path, &t));
	static const char other[] = "\x4e\0\0\0\0\0\0\0{\"x\":{\"dtype\":\"F32\",\"shape\":[1,2],\"data_offsets\":[0,8]},"
		"\"__metadata__\":{\"a\":\"b\"}}  \0\0\0\0\0\0\0";
	UM_TRY(fuzz_put(folder, "other", other, sizeof(other)));
out:
	um_tensors_free(&t);
	return st;
}
