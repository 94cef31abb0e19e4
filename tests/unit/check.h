/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Each tests/unit/test_X.c is one program that ends with
 * CHECK_MAIN(CHECK_CASE(a), CHECK_CASE(b)). Tests run in the project folder. */
#ifndef TESTS_CHECK_H
#define TESTS_CHECK_H

#include <CUnit/Basic.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <umbra/status.h>

#define CHECK(cond) CU_ASSERT(cond)
#define CHECK_FATAL(cond) CU_ASSERT_FATAL(cond)
#define CHECK_OK(expr) do { um_status s_ = (expr); \
	if (s_ != UM_OK) fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, um_message()); \
	CU_ASSERT_EQUAL_FATAL(s_, UM_OK); } while (0)
/* The call fails with this code and its message contains this text. */
#define CHECK_FAILS(expr, code, text) do { um_status s_ = (expr); \
	bool ok_ = s_ == (code) && strstr(um_message(), text) != NULL; \
	if (!ok_) fprintf(stderr, "%s:%d: status %d, message %s\n", __FILE__, __LINE__, (int)s_, um_message()); \
	CU_ASSERT(ok_); } while (0)
#define CHECK_NEAR(got, want, tol) do { double g_ = (got), w_ = (want), t_ = (tol); \
	if (!(fabs(g_ - w_) <= t_)) fprintf(stderr, "%s:%d: %.15g, want %.15g within %g\n", \
		__FILE__, __LINE__, g_, w_, t_); \
	CU_ASSERT(fabs(g_ - w_) <= t_); } while (0)
#define CHECK_REL(got, want, rel) CHECK_NEAR(got, want, (rel) * fabs(want))

/* Real data that is not part of the project; tests skip, saying so, without it. */
static inline const char *check_data_dir(void)
{
	const char *dir = getenv("UMBRA_TEST_DATA");
	if (dir == NULL)
		dir = "../shared/data";
	if (access(dir, R_OK) == 0)
		return dir;
	printf("SKIPPED: no test data in %s (set UMBRA_TEST_DATA)\n", dir);
	return NULL;
}

typedef struct { const char *name; CU_TestFunc fn; } check_case;

static inline int check_run(const char *suite, const check_case *c, size_t n)
{
	CU_initialize_registry();
	CU_pSuite s = CU_add_suite(suite, NULL, NULL);
	for (size_t i = 0; i < n; i++)
		CU_add_test(s, c[i].name, c[i].fn);
	CU_basic_set_mode(CU_BRM_NORMAL);
	CU_basic_run_tests();
	unsigned bad = CU_get_number_of_failures();
	CU_cleanup_registry();
	return bad != 0;
}

#define CHECK_CASE(f) { #f, f }
#define CHECK_MAIN(...) int main(void) { const check_case c_[] = { __VA_ARGS__ }; \
	return check_run(__FILE__, c_, sizeof(c_) / sizeof(*c_)); }

#endif
