/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Restoration by a prior's denoiser against the recursion of numbers that do not know of each other: white Gaussian prior,
 * noise that differs, units that differ. */
#include "plug.h"
#include "host/restore.h"

enum { ROWS = 2, COLUMNS = 3, B = 1 };
static const double MEAN = 0.3, SD = 0.8, SCALE = 0.5, SPREAD = 0.2;

static double expected(double y, double sigma, double z)
{
	for (int k = 0; k < 4; k++) {
		const double s = 2 * SPREAD * pow(0.1, k / 3.0), t2 = s * s / 0.23;
		const double v = z + t2 * SCALE * (y - SCALE * z) / (sigma * sigma + t2 * SCALE * SCALE);
		z = v + s * s * (MEAN - v) / (SD * SD + s * s);
	}
	return z;
}

static void recursion(void)
{
	um_env e = plug_env(1, ROWS, COLUMNS);
	plug forward, prior;
	um_array y, sigma, op, x;
	um_problem *p;
	e.scale = SCALE;
	CHECK_OK(plug_try(&forward, UM_FORWARD, "denoise", e, NULL));
	CHECK_OK(plug_try(&prior, UM_PRIOR, "gaussian", e, (const char *const[]){ "mean=0.3", "sigma=0.8", NULL }));
	const int64_t ny = forward.forward.info.ny;
	CHECK_OK(um_array_new(&y, UM_F64, 2, (const int64_t[]){ 1, ny }));
	CHECK_OK(um_array_new(&sigma, UM_F64, 2, (const int64_t[]){ 1, ny }));
	CHECK_OK(um_array_new(&op, UM_F64, 2, (const int64_t[]){ 1, 0 }));
	for (int64_t i = 0; i < ny; i++) {
		um_row_d(&y, 0)[i] = 0.2 * (double)i - 0.3;
		um_row_d(&sigma, 0)[i] = 0.05 + 0.1 * (double)i;
	}
	CHECK_OK(um_problem_new(&forward.forward, &prior.prior, 1, &y, &sigma, &op, 4, "test", &p));
	CHECK_OK(um_problem_images(p, B, &x));
	double first[B * ROWS * COLUMNS];
	for (int64_t i = 0; i < um_array_len(&x); i++)
		((float *)x.data)[i] = (float)(first[i] = 0.25 * (double)(i % 5) - 0.5);
	CHECK_OK(um_restore(p, SPREAD, &x));
	for (int64_t b = 0; b < B; b++)
		for (int64_t i = 0; i < ny; i++)
			CHECK_NEAR(um_row_f(&x, b)[i], expected(um_row_d(&y, 0)[i], um_row_d(&sigma, 0)[i], first[b * ny + i]), 2e-6);
	um_array_free(&x);
	um_problem_free(p);
	um_array_free(&y);
	um_array_free(&sigma);
	um_array_free(&op);
	plug_close(&forward);
	plug_close(&prior);
}

CHECK_MAIN(CHECK_CASE(recursion))
