/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Distances between posteriors, agreement of priors and regridding, against closed forms. */
#include <umbra/rng.h>
#include "check.h"
#include "../../core/data/regrid.h"
#include "../../core/report/agreement.h"
#include "../../core/report/energy.h"

static const double PI = 3.14159265358979323846;

static um_array normals(int64_t count, int64_t n, double mean, double sd, uint64_t stream)
{
	um_array x = { 0 };
	um_rng rng = um_rng_new(11, "energy", stream);
	CHECK_OK(um_array_new(&x, UM_F64, 2, (const int64_t[]){ count, n }));
	um_normal_fill(&rng, x.data, count * n);
	for (int64_t i = 0; i < count * n; i++)
		((double *)x.data)[i] = mean + sd * ((double *)x.data)[i];
	return x;
}

/* E|Z| of Z ~ N(m, s^2): the folded normal. */
static double folded(double m, double s)
{
	return s * sqrt(2 / PI) * exp(-m * m / (2 * s * s)) + m * erf(m / (s * sqrt(2)));
}

/* 1-D normals: E|X - Y| is folded(difference of means, root of the sum of variances). */
static void energy_of_normals(void)
{
	const double m = 0.8, s = 1, t = 0.5;
	um_array x = normals(4000, 1, 1000, s, 0), y = normals(3000, 1, 1000 + m, t, 1);
	um_energy e;
	CHECK_OK(um_energy_distance(&x, &y, &e));
	CHECK_NEAR(e.between, folded(m, hypot(s, t)), 0.02);
	CHECK_NEAR(e.within_x, 2 * s / sqrt(PI), 0.03);
	CHECK_NEAR(e.within_y, 2 * t / sqrt(PI), 0.02);
	CHECK_NEAR(e.energy, 2 * folded(m, hypot(s, t)) - 2 * (s + t) / sqrt(PI), 0.03);
	CHECK_REL(e.coefficient, e.energy / (2 * e.between), 1e-12);
	um_array_free(&x);
	um_array_free(&y);
}

/* n numbers, one law: |X - X'| is 2 s Gamma((n + 1) / 2) / Gamma(n / 2) / sqrt(n), and the distance has no bias. */
static void energy_of_one_law(void)
{
	enum { N = 9, TIMES = 40 };
	double sum = 0, square = 0;
	um_energy e;
	for (int k = 0; k < TIMES; k++) {
		um_array x = normals(20, N, 0, 3, (uint64_t)(2 * k)), y = normals(30, N, 0, 3, (uint64_t)(2 * k + 1));
		CHECK_OK(um_energy_distance(&x, &y, &e));
		CHECK_REL(e.within_x, 6 * exp(lgamma((N + 1) / 2.0) - lgamma(N / 2.0)) / sqrt(N), 0.25);
		sum += e.energy / TIMES;
		square += e.energy * e.energy / TIMES;
		um_array_free(&x);
		um_array_free(&y);
	}
	CHECK(fabs(sum) < 4 * sqrt((square - sum * sum) / TIMES));
	CHECK(square > 0);
}

/* Points: the distance is twice what they are apart. */
static void energy_of_points(void)
{
	double a[4] = { 1, 2, 3, 4 }, b[4] = { 1, 2, 3, 10 };
	const int64_t dim[2] = { 1, 4 };
	um_array x = um_array_view(a, UM_F64, 2, dim), y = um_array_view(b, UM_F64, 2, dim);
	um_energy e;
	CHECK_OK(um_energy_distance(&x, &y, &e));
	CHECK_REL(e.energy, 2 * 6 / sqrt(4.0), 1e-12);
	CHECK_REL(e.coefficient, 1.0, 1e-12);
	CHECK_OK(um_energy_distance(&x, &x, &e));
	CHECK(e.energy == 0 && e.coefficient == 0);
}

/* The variance of a mixture of the priors' posteriors is between + within. */
static void agreement(void)
{
	const double mean[] = { 1, 2, 6 }, sd[] = { 1, 2, 0.5 };
	um_agreement a = um_agreement_of(3, mean, sd);
	double first = 0, second = 0;
	for (int k = 0; k < 3; k++) {
		first += mean[k] / 3;
		second += (mean[k] * mean[k] + sd[k] * sd[k]) / 3;
	}
	CHECK_REL(a.between + a.within, second - first * first, 1e-12);
	CHECK_REL(a.within, (1 + 4 + 0.25) / 3, 1e-12);
	CHECK_REL(a.share, a.between / (a.between + a.within), 1e-12);
	CHECK(!a.agree); /* 1 + 2 < 6 - 1 */
	CHECK(um_agreement_of(2, mean, sd).agree);
	CHECK(um_agreement_of(2, mean + 1, sd + 1).agree); /* 2 + 4 > 6 - 1 */
	const double same[] = { 5, 5 }, none[] = { 0, 0 };
	CHECK(um_agreement_of(2, same, sd).share == 0);
	CHECK(um_agreement_of(2, mean, none).share == 1);
}

/* Sums, centroids and constants stay; halving pixels and averaging them again changes nothing. */
static void regrid(void)
{
	double from[5 * 6], fine[10 * 12], back[5 * 6], odd[9 * 8], sum = 0, x = 0, y = 0, all = 0;
	um_rng rng = um_rng_new(2, "regrid", 0);
	for (int i = 0; i < 30; i++)
		sum += from[i] = um_uniform(&rng);
	um_regrid(5, 6, from, 2, false, 10, 12, fine);
	CHECK_REL(fine[3 * 12 + 7], from[1 * 6 + 3] / 4, 1e-12);
	um_regrid(10, 12, fine, 0.5, false, 5, 6, back);
	for (int i = 0; i < 30; i++)
		CHECK_REL(back[i], from[i], 1e-12);
	um_regrid(5, 6, from, 1.3, false, 9, 8, odd); /* 6.5 x 7.8 new pixels hold all */
	for (int i = 0; i < 9; i++)
		for (int j = 0; j < 8; j++) {
			all += odd[i * 8 + j];
			y += odd[i * 8 + j] * (i - 4.0) / 1.3 / sum;
			x += odd[i * 8 + j] * (j - 3.5) / 1.3 / sum;
		}
	CHECK_REL(all, sum, 1e-12);
	for (int i = 0; i < 5; i++)
		for (int j = 0; j < 6; j++) {
			y -= from[i * 6 + j] * (i - 2.0) / sum;
			x -= from[i * 6 + j] * (j - 2.5) / sum;
		}
	CHECK_NEAR(x, 0, 0.05); /* a pixel's share is about its middle but at the edges of what it covers */
	CHECK_NEAR(y, 0, 0.05);
	um_regrid(5, 6, from, 1.3, true, 10, 11, fine); /* and half an old pixel at every edge */
	all = 0;
	for (int i = 0; i < 110; i++)
		all += fine[i];
	CHECK_REL(all, sum, 1e-12);
	um_regrid(5, 6, from, 1, false, 3, 4, back); /* the middle */
	CHECK_REL(back[0], from[1 * 6 + 1], 1e-12);
	for (int i = 0; i < 30; i++)
		from[i] = 7;
	um_regrid(5, 6, from, 1.7, false, 3, 3, odd);
	for (int i = 0; i < 9; i++)
		CHECK_REL(odd[i], 7 / (1.7 * 1.7), 1e-12);
}

CHECK_MAIN(CHECK_CASE(energy_of_normals), CHECK_CASE(energy_of_one_law), CHECK_CASE(energy_of_points), CHECK_CASE(agreement),
	CHECK_CASE(regrid))
