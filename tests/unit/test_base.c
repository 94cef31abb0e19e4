/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Status messages, arrays, random numbers, whole files, named tensors. */
#include <umbra/array.h>
#include <umbra/rng.h>
#include "base/file.h"
#include "check.h"

static void test_status(void)
{
	um_status st = um_fail(UM_EDATA, "%s: no table\n", "file");
	CHECK(st == UM_EDATA && strcmp(um_message(), "file: no table ") == 0);
	CHECK(um_context(UM_EDATA, "stage %d", 3) == UM_EDATA);
	CHECK(strcmp(um_message(), "stage 3: file: no table ") == 0);
	um_fail(UM_EDATA, "again: %s", um_message());
	CHECK(strcmp(um_message(), "again: stage 3: file: no table ") == 0);
	for (int i = 0; i < 2000; i++)
		um_context(UM_EDATA, "deep");
	CHECK(strlen(um_message()) < 4096);
}

static void test_array(void)
{
	um_array a, b;
	CHECK_OK(um_array_new(&a, UM_F32, 3, (const int64_t[]){ 2, 3, 4 }));
	CHECK(um_array_len(&a) == 24 && um_array_rowlen(&a) == 12 && a.stride[0] == 12 && a.stride[2] == 1);
	CHECK((uintptr_t)a.data % 64 == 0);
	for (int i = 0; i < 24; i++)
		((float *)a.data)[i] = (float)i;
	um_array r = um_array_rows(&a, 1, 1);
	CHECK(um_row_f(&r, 0)[0] == 12 && r.dim[0] == 1);
	CHECK_OK(um_array_new(&b, UM_F64, 1, (const int64_t[]){ 24 }));
	CHECK_OK(um_array_copy(&b, &a));
	CHECK(um_row_d(&b, 0)[23] == 23);
	CHECK_FAILS(um_array_copy(&b, &r), UM_EARG, "12 elements into 24");
	um_array_fill(&r, -0.5);
	CHECK(um_row_f(&a, 0)[11] == 11 && um_row_f(&a, 1)[0] == -0.5f && um_row_f(&a, 1)[11] == -0.5f);
	um_array_fill(&b, 0.1);
	CHECK(um_row_d(&b, 0)[0] == 0.1 && um_row_d(&b, 0)[23] == 0.1);
	um_array_free(&b);
	CHECK_OK(um_array_new(&b, UM_I64, 1, (const int64_t[]){ 3 }));
	um_array_fill(&b, 7);
	CHECK(((const int64_t *)b.data)[0] == 7 && ((const int64_t *)b.data)[2] == 7);
	um_array_free(&b);
	CHECK_FAILS(um_array_new(&b, UM_F64, 2, (const int64_t[]){ INT64_MAX / 4, 1000 }), UM_ENOMEM, "bounds");
	CHECK_FAILS(um_array_new(&b, UM_F64, 1, (const int64_t[]){ (int64_t)1 << 55 }), UM_ENOMEM, "no memory");
	CHECK_FAILS(um_array_new(&b, UM_F64, 9, (const int64_t[]){ 1 }), UM_EARG, "rank 9");
	um_array_free(&a);
}

/* The first block of Philox 4x64-10 at counter 0, key 0: Random123's kat_vectors. */
static void test_philox(void)
{
	um_rng r = { .left = 0 };
	CHECK(um_rng_bits(&r) == 0x16554d9eca36314cu);
	CHECK(um_rng_bits(&r) == 0xdb20fe9d672d0fdcu);
	CHECK(um_rng_bits(&r) == 0xd7e772cee186176bu);
	CHECK(um_rng_bits(&r) == 0x7e68b68aec7ba23bu);
}

static void test_streams(void)
{
	um_rng a = um_rng_new(1, "cell", 0), b = um_rng_new(1, "cell", 1), c = um_rng_new(1, "other", 0);
	um_rng a2 = um_rng_new(1, "cell", 0), d = um_rng_new(2, "cell", 0);
	uint64_t x = um_rng_bits(&a);
	CHECK(x == um_rng_bits(&a2) && x != um_rng_bits(&b) && x != um_rng_bits(&c) && x != um_rng_bits(&d));
	um_rng e = um_rng_at(&a, 5, 7), f = um_rng_at(&a2, 5, 7), g = um_rng_at(&a2, 5, 8);
	um_rng_bits(&a);
	x = um_rng_bits(&e);
	CHECK(x == um_rng_bits(&f) && x != um_rng_bits(&g));
	um_rng h = a; /* a copy forks */
	CHECK(um_normal(&h) == um_normal(&a));
}

/* Moments within 5 standard errors of 10^6 draws; range of the uniform. */
static void test_moments(void)
{
	enum { N = 1000000 };
	um_rng r = um_rng_new(1, "moments", 0);
	double u = 0, lo = 1, hi = 0, m[5] = { 0 }, s = 0;
	for (int i = 0; i < N; i++) {
		double v = um_uniform(&r), z = um_normal(&r);
		u += v / N;
		lo = fmin(lo, v);
		hi = fmax(hi, v);
		for (int k = 1; k < 5; k++)
			m[k] += pow(z, k) / N;
		s += um_rademacher(&r) / N;
	}
	CHECK_NEAR(u, 0.5, 5 * 0.2887 / 1000);
	CHECK(lo > 0 && lo < 1e-4 && hi < 1 && hi > 1 - 1e-4);
	CHECK_NEAR(m[1], 0, 5.0 / 1000);
	CHECK_NEAR(m[2], 1, 5 * 1.414 / 1000);
	CHECK_NEAR(m[3], 0, 5 * 3.873 / 1000);
	CHECK_NEAR(m[4], 3, 5 * 9.8 / 1000);
	CHECK_NEAR(s, 0, 5.0 / 1000);
}

static char dir[] = "/tmp/umbra-base-XXXXXX";

static void test_files(void)
{
	char path[128], *text;
	size_t n;
	CHECK_FATAL(mkdtemp(dir) != NULL);
	snprintf(path, sizeof(path), "%s/a/b", dir);
	CHECK_OK(um_file_mkdirs(path));
	strcat(path, "/c");
	CHECK_OK(um_file_put(path, "first", 5));
	char *temp = um_file_begin(path);
	CHECK_FAILS(um_file_commit(temp, path, um_fail(UM_ENUM, "no")), UM_ENUM, "no");
	free(temp);
	CHECK_OK(um_file_get(path, &text, &n));
	CHECK(n == 5 && strcmp(text, "first") == 0);
	free(text);
	CHECK_FAILS(um_file_put("/nowhere/x", "", 0), UM_EIO, "/nowhere/x");
}

CHECK_MAIN(CHECK_CASE(test_status), CHECK_CASE(test_array), CHECK_CASE(test_philox), CHECK_CASE(test_streams),
	CHECK_CASE(test_moments), CHECK_CASE(test_files))
