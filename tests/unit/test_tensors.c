/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <umbra/tensors.h>
#include "base/file.h"
#include "base/half.h"
#include "check.h"

static char path[64];

static float float_of(uint32_t u)
{
	float x;
	memcpy(&x, &u, sizeof(x));
	return x;
}

static uint32_t bits_of(float x)
{
	uint32_t u;
	memcpy(&u, &x, sizeof(u));
	return u;
}

/* ---- 16-bit numbers ----------------------------------------------------------------- */

/* The value by the definition of a format with so many bits of exponent and fraction. */
static double meaning(uint32_t h, int exponent, int fraction)
{
	int e = (int)(h >> fraction) & ((1 << exponent) - 1), bias = (1 << (exponent - 1)) - 1;
	double f = (double)(h & ((1u << fraction) - 1)), sign = h >> 15 & 1 ? -1 : 1;
	if (e == (1 << exponent) - 1)
		return f > 0 ? NAN : sign * INFINITY;
	return sign * ldexp(e > 0 ? ldexp(1, fraction) + f : f, (e > 0 ? e : 1) - bias - fraction);
}

static void every_half(void)
{
	int bad = 0, nans = 0;
	for (uint32_t h = 0; h < 65536; h++) {
		float x = um_f16_to_float((uint16_t)h), y = um_bf16_to_float((uint16_t)h);
		double mx = meaning(h, 5, 10), my = meaning(h, 8, 7);
		bad += isnan(mx) ? !isnan(x) : (double)x != mx || !signbit(x) != (h < 0x8000);
		bad += isnan(my) ? !isnan(y) : (double)y != my || !signbit(y) != (h < 0x8000);
		bad += um_f16_from_float(x) != h || um_bf16_from_float(y) != h;
		nans += isnan(x) + isnan(y);
	}
	CHECK(bad == 0 && nans == 2 * 1023 + 2 * 127);
}

/* Between two neighbours of a format: below the middle to the lower, above it to the upper, in the
 * middle to the even one. lower + 1 is the upper neighbour, the last one infinity. */
static void between(uint16_t (*from)(float), double (*value)(uint32_t), uint32_t lower, double upper, int *bad)
{
	double a = value(lower), middle = 0.5 * (a + upper);
	float m = (float)middle, sign = 1;
	for (int k = 0; k < 2; k++, sign = -1) {
		uint32_t s = k ? 0x8000 : 0;
		*bad += (double)m != middle;
		*bad += from(sign * m) != (s | (lower + (lower & 1)));
		*bad += from(sign * nextafterf(m, 0)) != (s | lower);
		*bad += from(sign * nextafterf(m, INFINITY)) != (s | (lower + 1));
	}
}

static double f16_value(uint32_t h)
{
	return meaning(h, 5, 10);
}

static double bf16_value(uint32_t h)
{
	return meaning(h, 8, 7);
}

static void rounding(void)
{
	int bad = 0;
	for (uint32_t h = 0; h < 0x7c00; h++)
		between(um_f16_from_float, f16_value, h, h + 1 < 0x7c00 ? f16_value(h + 1) : 65536, &bad);
	CHECK(bad == 0);
	for (uint32_t h = 1; h < 0x7f7f; h++)
		between(um_bf16_from_float, bf16_value, h, bf16_value(h + 1), &bad);
	CHECK(bad == 0);
	CHECK(um_f16_from_float(1e30f) == 0x7c00 && um_f16_from_float(-3e38f) == 0xfc00);
	CHECK(um_f16_from_float(1e-30f) == 0 && um_f16_from_float(-1e-45f) == 0x8000);
	CHECK(um_bf16_from_float(3.4028234e38f) == 0x7f80 && um_bf16_from_float(-INFINITY) == 0xff80);
	/* NaNs whose bits are all dropped */
	CHECK(isnan(um_f16_to_float(um_f16_from_float(float_of(0x7f800001)))));
	CHECK(isnan(um_bf16_to_float(um_bf16_from_float(float_of(0xff800001)))));
}

/* ---- sets and files ------------------------------------------------------------------ */

static void test_tensors(void)
{
	um_tensors t = { 0 }, u;
	um_array a, b, d;
	CHECK_OK(um_array_new(&a, UM_F32, 2, (const int64_t[]){ 2, 3 }));
	CHECK_OK(um_array_new(&b, UM_I64, 1, (const int64_t[]){ 0 }));
	CHECK_OK(um_array_new(&d, UM_F64, 3, (const int64_t[]){ 1, 2, 1 }));
	((float *)a.data)[5] = 2.5f;
	um_row_d(&d, 0)[1] = -1e-300;
	CHECK_OK(um_tensors_add(&t, "weights \"w\"", &a));
	CHECK_OK(um_tensors_add(&t, "none", &b));
	CHECK_OK(um_tensors_add(&t, "fine", &d));
	CHECK_FAILS(um_tensors_add(&t, "none", &a), UM_EARG, "'none'");
	um_tensors_note(&t, "made by", "nobody");
	um_tensors_note(&t, "made by", "test");
	CHECK(t.n == 3 && t.nmeta == 1);
	CHECK_OK(um_tensors_write(path, &t));
	CHECK_OK(um_tensors_read(path, &u));
	const um_array *got = um_tensors_get(&u, "weights \"w\"");
	CHECK_FATAL(got != NULL && u.n == 3 && um_tensors_get(&u, "fine") != NULL);
	CHECK(got->rank == 2 && got->dim[1] == 3 && ((float *)got->data)[5] == 2.5f);
	got = um_tensors_get(&u, "fine");
	CHECK(got->dtype == UM_F64 && got->rank == 3 && got->dim[1] == 2 && um_row_d(got, 0)[1] == -1e-300);
	CHECK(um_array_len(um_tensors_get(&u, "none")) == 0 && um_tensors_get(&u, "none")->dtype == UM_I64);
	CHECK(strcmp(um_tensors_meta(&u, "made by"), "test") == 0 && um_tensors_get(&u, "x") == NULL);
	um_tensors_free(&u);
	um_tensors_free(&t);
	um_array_free(&a);
	um_array_free(&b);
	um_array_free(&d);
}

static void refused_writes(void)
{
	float x[3] = { 1, 2, 3 };
	um_array a = um_array_view(x, UM_F32, 1, (const int64_t[]){ 3 });
	static const char *const names[] = { "__metadata__", "\xff\xfe" };
	for (int i = 0; i < 2; i++) {
		um_tensors t = { 0 };
		CHECK_OK(um_tensors_add(&t, names[i], &a));
		CHECK_FAILS(um_tensors_write(path, &t), UM_EARG, "cannot have the name");
		um_tensors_free(&t);
	}
	um_tensors t = { 0 };
	um_tensors_note(&t, "key", "\xff");
	CHECK_FAILS(um_tensors_write(path, &t), UM_EARG, "'key' is not UTF-8");
	CHECK_FAILS(um_tensors_write("/nowhere/w", &(um_tensors){ 0 }), UM_EIO, "/nowhere/w");
	um_tensors_free(&t);
}

/* Rounded as they are written; other types stay, and each begins where it is aligned. */
static void stored_small(void)
{
	float x[5001];
	double y[2] = { 0.1, 0.2 };
	for (int i = 0; i < 5001; i++)
		x[i] = sinf((float)i) * 100;
	um_array a = um_array_view(x, UM_F32, 1, (const int64_t[]){ 5001 });
	um_array b = um_array_view(y, UM_F64, 1, (const int64_t[]){ 2 });
	um_tensors t = { 0 }, u;
	CHECK_OK(um_tensors_add(&t, "x", &a));
	CHECK_OK(um_tensors_add(&t, "y", &b));
	for (t.store = UM_STORE_F16; t.store <= UM_STORE_BF16; t.store++) {
		size_t size;
		char *file;
		int bad = 0;
		CHECK_OK(um_tensors_write(path, &t));
		CHECK_OK(um_file_get(path, &file, &size));
		CHECK(strstr(file + 8, t.store == UM_STORE_F16 ? "\"F16\"" : "\"BF16\"") != NULL);
		CHECK(strstr(file + 8, "\"y\":{\"dtype\":\"F64\",\"shape\":[2],\"data_offsets\":[0,16]}") != NULL);
		free(file);
		CHECK_OK(um_tensors_read(path, &u));
		const um_array *got = um_tensors_get(&u, "x");
		CHECK_FATAL(got != NULL && got->dtype == UM_F32 && got->dim[0] == 5001 && u.store == UM_STORE_SAME);
		for (int i = 0; i < 5001; i++) {
			float want = t.store == UM_STORE_F16 ? um_f16_to_float(um_f16_from_float(x[i]))
				: um_bf16_to_float(um_bf16_from_float(x[i]));
			bad += bits_of(um_row_f(got, 0)[i]) != bits_of(want);
		}
		CHECK(bad == 0 && um_row_d(um_tensors_get(&u, "y"), 0)[0] == 0.1);
		um_tensors_free(&u);
	}
	um_row_f(&t.array[0], 0)[4000] = 70000;
	CHECK_OK(um_tensors_write(path, &t)); /* the loop left neither: as they are */
	t.store = UM_STORE_F16;
	CHECK_FAILS(um_tensors_write(path, &t), UM_ENUM, "x: 70000 is too large for F16");
	um_row_f(&t.array[0], 0)[4000] = INFINITY;
	CHECK_OK(um_tensors_write(path, &t));
	um_tensors_free(&t);
}

/* ---- broken files -------------------------------------------------------------------- */

/* A file of this header and so many bytes of data. */
static void make(const char *header, size_t data)
{
	char file[1024] = { 0 };
	uint64_t n = strlen(header);
	CHECK_FATAL(8 + n + data <= sizeof(file));
	memcpy(file, &n, 8);
	memcpy(file + 8, header, n);
	CHECK_OK(um_file_put(path, file, 8 + n + data));
}

#define ENTRY(name, type, shape, from, to) "\"" name "\":{\"dtype\":\"" type "\",\"shape\":" shape \
	",\"data_offsets\":[" #from "," #to "]}"

static void test_bad_tensors(void)
{
	static const struct { const char *header, *says; } cases[] = { /* 8 bytes of data */
		{ "{" ENTRY("a", "F32", "[4]", 0, 16) "}", "a: its data lie outside the file" },
		{ "{" ENTRY("a", "F32", "[2]", 8, 0) "}", "a: its data lie outside the file" },
		{ "{" ENTRY("a", "F32", "[2]", -8, 0) "}", "a: its data lie outside the file" },
		{ "{" ENTRY("a", "F32", "[3]", 0, 8) "}", "a: its shape does not fit" },
		{ "{" ENTRY("a", "F16", "[2]", 0, 8) "}", "a: its shape does not fit" },
		{ "{" ENTRY("a", "F32", "[-2]", 0, 8) "}", "not a whole number" },
		{ "{" ENTRY("a", "F32", "[2.0]", 0, 8) "}", "not a whole number" },
		{ "{" ENTRY("a", "F32", "2", 0, 8) "}", "not a list" },
		{ "{" ENTRY("a", "F32", "[1,1,1,1,1,1,1,1,2]", 0, 8) "}", "at most 8" },
		{ "{" ENTRY("a", "F32", "[4611686018427387904,4]", 0, 8) "}", "larger than any file" },
		{ "{" ENTRY("a", "F32", "[0,4611686018427387904,4]", 0, 0) "}", "larger than any file" },
		{ "{" ENTRY("a", "F32", "[99999999999999999999]", 0, 8) "}", "no JSON object" },
		{ "{" ENTRY("a", "F31", "[2]", 0, 8) "}", "a: its type is none of F32" },
		{ "{\"a\":{\"shape\":[2],\"data_offsets\":[0,8]}}", "a: its type is none of F32" },
		{ "{\"a\":[0,8]}", "a: its type is none of F32" },
		{ "{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8,8]}}", "not two whole numbers" },
		{ "{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8.0]}}", "not two whole numbers" },
		{ "{\"a\":{\"dtype\":\"F32\",\"shape\":[2]}}", "not two whole numbers" },
		{ "{" ENTRY("a", "F32", "[2]", 0, 8) "," ENTRY("b", "F32", "[1]", 4, 8) "}",
			"b: its data overlap those of a" },
		{ "{" ENTRY("b", "F32", "[2]", 0, 8) "," ENTRY("a", "F32", "[2]", 0, 8) "}", "its data overlap" },
		{ "{" ENTRY("b", "F16", "[1]", 6, 8) "," ENTRY("a", "F32", "[1]", 0, 4) "}",
			"b: 2 bytes before its data" },
		{ "{" ENTRY("a", "F32", "[1]", 4, 8) "}", "a: 4 bytes before its data" },
		{ "{" ENTRY("a", "F32", "[1]", 0, 4) "}", "4 bytes after the data" },
		{ "{}", "8 bytes after the data" },
		{ "{" ENTRY("a", "F32", "[1]", 0, 4) "," ENTRY("a", "F32", "[1]", 4, 8) "}", "a name twice" },
		{ "{\"__metadata__\":[1]," ENTRY("a", "F32", "[2]", 0, 8) "}", "not an object of texts" },
		{ "{\"__metadata__\":{\"k\":1}," ENTRY("a", "F32", "[2]", 0, 8) "}", "the note 'k' is not a text" },
		{ " {" ENTRY("a", "F32", "[2]", 0, 8) "}", "no JSON object" },
		{ "[1]", "no JSON object" },
		{ "{", "no JSON object" },
		{ "", "no JSON object" },
	};
	um_tensors t;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		make(cases[i].header, 8);
		CHECK_FAILS(um_tensors_read(path, &t), UM_EDATA, cases[i].says);
		CHECK(t.n == 0 && t.nmeta == 0 && strstr(um_message(), path) != NULL);
	}
}

/* What other writers do: spaces behind the header, entries in any order, rank 0, no elements. */
static void unusual(void)
{
	um_tensors t;
	make("{" ENTRY("b", "BF16", "[2]", 4, 8) "," ENTRY("none", "F64", "[3,0]", 4, 4) "," ENTRY("a", "F32", "[]",
		0, 4) ",\"__metadata__\":{\"format\":\"pt\"}}   ", 8);
	CHECK_OK(um_tensors_read(path, &t));
	CHECK_FATAL(t.n == 3);
	const um_array *a = um_tensors_get(&t, "a"), *none = um_tensors_get(&t, "none");
	CHECK(a->rank == 1 && a->dim[0] == 1 && none->rank == 2 && none->dim[0] == 3 && none->dim[1] == 0);
	CHECK(strcmp(um_tensors_meta(&t, "format"), "pt") == 0);
	um_tensors_free(&t);
	make("{}", 0);
	CHECK_OK(um_tensors_read(path, &t));
	CHECK(t.n == 0);
	um_tensors_free(&t);
}

/* A length that is too long for the file, or for the format. */
static void bad_lengths(void)
{
	static const uint64_t lengths[] = { UINT64_MAX, 100000001, 3, 1u << 31 };
	um_tensors t;
	CHECK_OK(um_file_put(path, "abc", 3));
	CHECK_FAILS(um_tensors_read(path, &t), UM_EDATA, "length is wrong");
	for (int i = 0; i < 4; i++) {
		char file[10] = { 0 };
		memcpy(file, &lengths[i], 8);
		CHECK_OK(um_file_put(path, file, 10));
		CHECK_FAILS(um_tensors_read(path, &t), UM_EDATA, "length is wrong");
	}
	FILE *f = fopen(path, "w"); /* long enough for its header, of zeros, that is too long */
	CHECK_FATAL(f != NULL && fwrite(&lengths[1], 8, 1, f) == 1);
	CHECK(fclose(f) == 0 && truncate(path, 8 + 100000001 + 8) == 0);
	CHECK_FAILS(um_tensors_read(path, &t), UM_EDATA, "length is wrong");
	CHECK(unlink(path) == 0);
	CHECK(um_tensors_read(path, &t) != UM_OK && strstr(um_message(), path) != NULL);
}

int main(void)
{
	static char folder[] = "/tmp/umbra-tensors-XXXXXX";
	const check_case cases[] = { CHECK_CASE(every_half), CHECK_CASE(rounding), CHECK_CASE(test_tensors),
		CHECK_CASE(refused_writes), CHECK_CASE(stored_small), CHECK_CASE(test_bad_tensors),
		CHECK_CASE(unusual), CHECK_CASE(bad_lengths) };
	if (mkdtemp(folder) == NULL)
		return 1;
	snprintf(path, sizeof(path), "%s/t.safetensors", folder);
	int bad = check_run(__FILE__, cases, sizeof(cases) / sizeof(*cases));
	unlink(path);
	return rmdir(folder) != 0 || bad;
}
