/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Differential equations with known solutions: tables, orders, tolerances, independence of the batch. */
#include <math.h>
#include <string.h>
#include <umbra/ode.h>
#include "check.h"

static const um_ode_method methods[] = { UM_ODE_EULER, UM_ODE_HEUN, UM_ODE_BOSH3, UM_ODE_TSIT5, UM_ODE_DOPRI5,
	UM_ODE_DOPRI8 };
enum { METHODS = sizeof(methods) / sizeof(*methods) };

/* y0' = y1, y1' = -y0, y2' = cos(t) y2: sin, cos, e^sin. */
static um_status waves(void *context, int64_t count, const int64_t row[], const double t[], const double *y,
	double *dy)
{
	(void)row;
	*(int64_t *)context += count;
	for (int64_t k = 0; k < count; k++) {
		dy[3 * k] = y[3 * k + 1];
		dy[3 * k + 1] = -y[3 * k];
		dy[3 * k + 2] = cos(t[k]) * y[3 * k + 2];
	}
	return UM_OK;
}

static double error_at(const double *y, double t)
{
	return fmax(fabs(y[0] - sin(t)), fmax(fabs(y[1] - cos(t)), fabs(y[2] - exp(sin(t)))));
}

static double error_of(const um_ode *o, double to)
{
	double y[3] = { 0, 1, 1 }, from = 0;
	CHECK_OK(um_ode_solve(o, 1, &from, &to, y, NULL));
	return error_at(y, to);
}

static void tables(void)
{
	for (int m = 0; m < METHODS; m++) {
		const um_ode_table *t = um_ode_table_of(methods[m]);
		double b = 0, e = 0;
		for (int i = 0; i < t->stages; i++) {
			double row = 0;
			for (int j = 0; j < t->stages; j++) {
				row += t->a[i * t->stages + j];
				CHECK(j < i || t->a[i * t->stages + j] == 0);
			}
			CHECK_NEAR(row, t->c[i], 2e-15);
			b += t->b[i];
			e += t->e != NULL ? t->e[i] : 0;
			CHECK(!t->first_same_as_last || t->a[(t->stages - 1) * t->stages + i] == t->b[i]);
		}
		CHECK_NEAR(b, 1, 2e-15);
		CHECK_NEAR(e, 0, 2e-15);
	}
	CHECK(um_ode_named("tsit5") == UM_ODE_TSIT5 && um_ode_named("euler") == UM_ODE_EULER);
}

/* Half the step, 2^order times less error. */
static void orders(void)
{
	static const int64_t steps[] = { 400, 80, 60, 20, 20, 8 };
	for (int m = 0; m < METHODS; m++) {
		int64_t calls = 0;
		um_ode o = { .method = methods[m], .steps = steps[m], .n = 3, .f = waves, .context = &calls };
		const double coarse = error_of(&o, 2);
		o.steps *= 2;
		const double order = log2(coarse / error_of(&o, 2));
		printf("%d: order %.2f of %d\n", m, order, um_ode_order(methods[m]));
		CHECK_NEAR(order, um_ode_order(methods[m]), m == METHODS - 1 ? 0.6 : 0.35);
	}
}

static void tolerances(void)
{
	for (int m = 1; m < METHODS; m++) {
		double before = 0;
		for (double tol = 1e-4; tol > 1e-9; tol *= 1e-2) {
			int64_t calls = 0;
			double y[3] = { 0, 1, 1 }, from = 0, to = 5;
			um_ode_count n;
			const um_ode o = { .method = methods[m], .rtol = tol, .atol = tol, .n = 3, .f = waves,
				.context = &calls };
			CHECK_OK(um_ode_solve(&o, 1, &from, &to, y, &n));
			CHECK(error_at(y, to) < 100 * tol);
			CHECK(n.evaluations == calls && n.steps > 0);
			CHECK(calls > before); /* more work for less error */
			before = (double)calls;
			CHECK_OK(um_ode_solve(&o, 1, &to, &from, y, NULL)); /* and back */
			CHECK(error_at(y, 0) < 200 * tol);
		}
	}
}

/* Solutions of any batch have the bytes that they have alone, whenever they end. */
static void batches(void)
{
	enum { BATCH = 5 };
	const double to[BATCH] = { 3, 0.1, 7, 0, -2 }, from[BATCH] = { 0 };
	double together[BATCH][3];
	int64_t calls = 0;
	const um_ode o = { .method = UM_ODE_DOPRI5, .rtol = 1e-6, .atol = 1e-8, .n = 3, .f = waves,
		.context = &calls };
	for (int i = 0; i < BATCH; i++)
		memcpy(together[i], (double[]){ 0, 1, 1 }, sizeof(together[i]));
	CHECK_OK(um_ode_solve(&o, BATCH, from, to, together[0], NULL));
	for (int i = 0; i < BATCH; i++) {
		double alone[3] = { 0, 1, 1 };
		CHECK_OK(um_ode_solve(&o, 1, &from[i], &to[i], alone, NULL));
		CHECK(memcmp(alone, together[i], sizeof(alone)) == 0);
		CHECK(error_at(alone, to[i]) < 1e-4);
	}
}

static um_status explodes(void *context, int64_t count, const int64_t row[], const double t[], const double *y,
	double *dy)
{
	(void)context, (void)row, (void)t;
	for (int64_t k = 0; k < count; k++)
		dy[k] = y[k] * y[k];
	return UM_OK;
}

static void failures(void)
{
	double y = 1, from = 0, to = 2;
	um_ode o = { .method = UM_ODE_DOPRI5, .rtol = 1e-6, .atol = 1e-8, .n = 1, .f = explodes };
	CHECK_FAILS(um_ode_solve(&o, 1, &from, &to, &y, NULL), UM_ENUM, "at t = "); /* 1 / (1 - t) */
	o.method = UM_ODE_EULER;
	CHECK(um_ode_solve(&o, 1, &from, &to, &y, NULL) == UM_EPARAM);
	o.method = UM_ODE_HEUN;
	o.rtol = o.atol = 0;
	CHECK(um_ode_solve(&o, 1, &from, &to, &y, NULL) == UM_EPARAM);
}

CHECK_MAIN(CHECK_CASE(tables), CHECK_CASE(orders), CHECK_CASE(tolerances), CHECK_CASE(batches), CHECK_CASE(failures))
