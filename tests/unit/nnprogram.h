/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Programs in tests: compiled without fuss, their numbers read and written as double. */
#ifndef TESTS_NNPROGRAM_H
#define TESTS_NNPROGRAM_H

#include <umbra/program.h>
#include "check.h"

static inline um_program *compile(int n, um_node *const out[], um_precision precision, um_schedule schedule,
	const um_weights *w)
{
	um_program *p = NULL;
	CHECK_OK(um_compile(n, out, &(um_compile_options){ .precision = precision, .schedule = schedule,
		.weights = w }, &p));
	return p;
}

static inline double at(const um_array *a, int64_t i)
{
	return a->dtype == UM_F64 ? ((const double *)a->data)[i] : (double)((const float *)a->data)[i];
}

static inline void put(const um_array *a, int64_t i, double v)
{
	if (a->dtype == UM_F64)
		((double *)a->data)[i] = v;
	else
		((float *)a->data)[i] = (float)v;
}

#endif
