/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Diffusions: coefficients against their definitions, inverses, known integrals, and what is predicted
 * against the posterior of a Gaussian. */
#include <math.h>
#include <umbra/sde.h>
#include "check.h"

static um_sde all[4];
enum { KINDS = 4 };

static void make(void)
{
	for (int k = 0; k < KINDS; k++)
		all[k] = um_sde_default((um_sde_kind)k);
}

/* f = (log alpha)', g^2 = (sigma^2)' - 2 f sigma^2, and the ratio of noise to signal. */
static void coefficients(void)
{
	const double t[] = { 1e-3, 0.02, 0.3, 0.77, 0.98 };
	make();
	for (int k = 0; k < KINDS; k++)
		for (int i = 0; i < 5; i++) {
			const um_sde *s = &all[k];
			const double h = 1e-5 * t[i], f = um_sde_drift(s, t[i]), sigma = um_sde_sigma(s, t[i]);
			const double up = um_sde_sigma(s, t[i] + h), down = um_sde_sigma(s, t[i] - h);
			const double slope = log(um_sde_alpha(s, t[i] + h) / um_sde_alpha(s, t[i] - h)) / (2 * h);
			const double g2 = (up * up - down * down) / (2 * h) - 2 * f * sigma * sigma;
			CHECK_NEAR(f, slope, 1e-6 * (1 + fabs(slope)));
			CHECK_NEAR(um_sde_diffusion2(s, t[i]), g2, 1e-6 * (1 + g2));
			CHECK_NEAR(um_sde_log_ratio(s, t[i]), log(sigma / um_sde_alpha(s, t[i])), 1e-12);
		}
}

/* Nothing is lost near 0: there B = beta_min t. */
static void beginning(void)
{
	make();
	CHECK_NEAR(um_sde_sigma(&all[UM_SDE_VP], 1e-14) / sqrt(1e-15), 1, 1e-12);
	CHECK_NEAR(um_sde_sigma(&all[UM_SDE_SUBVP], 1e-14) / 1e-15, 1, 1e-12);
	CHECK_NEAR(um_sde_log_ratio(&all[UM_SDE_VP], 1e-14), log(1e-15) / 2, 1e-12);
	CHECK(um_sde_alpha(&all[UM_SDE_VP], 0) == 1 && um_sde_sigma(&all[UM_SDE_VP], 0) == 0);
	CHECK_NEAR(um_sde_sigma(&all[UM_SDE_VP], 1e-3), 1.0485e-2, 1e-6); /* methods of Song et al. */
	CHECK_NEAR(um_sde_alpha(&all[UM_SDE_VP], 1), 6.572e-3, 1e-6);
}

static void inverses(void)
{
	make();
	for (int k = 0; k < KINDS; k++)
		for (double t = 1e-12; t < 0.99; t = t < 0.01 ? 10 * t : t + 0.07) {
			CHECK_NEAR(um_sde_time(&all[k], um_sde_log_ratio(&all[k], t)) / t, 1, k == UM_SDE_VE ? 1e-3 : 1e-9);
			CHECK_NEAR(um_sde_time(&all[k], um_sde_log_ratio(&all[k], t)), t, 1e-12);
		}
}

/* Z of VP, and the median of the law of t; and the law: the integral of g^2 / sigma^2 up to a draw. */
static void importance(void)
{
	um_sde ten = um_sde_default(UM_SDE_VP);
	ten.beta_max = 10;
	make();
	CHECK_NEAR(um_sde_importance(&all[0], 1e-3, 1), 19.16539, 1e-5);
	CHECK_NEAR(um_sde_importance(&all[0], 1e-5, 1), 23.86447, 1e-5);
	CHECK_NEAR(um_sde_importance(&ten, 1e-3, 1), 14.20554, 1e-5);
	CHECK_NEAR(um_sde_importance(&ten, 1e-5, 1), 18.85859, 1e-5);
	CHECK_NEAR(um_sde_draw(&all[0], 1e-3, 1, 0.5), 0.305, 1e-3);
	CHECK_NEAR(um_sde_draw(&ten, 1e-5, 1, 0.5), 0.041, 1e-3);
	for (int k = 0; k < KINDS; k++) {
		const double from = 0.05, to = um_sde_draw(&all[k], from, 0.9, 0.3);
		double sum = 0;
		for (int i = 0; i < 20000; i++) {
			const double t = from + (to - from) * (i + 0.5) / 20000, sigma = um_sde_sigma(&all[k], t);
			sum += um_sde_diffusion2(&all[k], t) / (sigma * sigma) * (to - from) / 20000;
		}
		CHECK_NEAR(sum, 0.3 * um_sde_importance(&all[k], from, 0.9), 1e-6);
		CHECK_NEAR(um_sde_draw(&all[k], from, 0.9, 0), from, 1e-12);
		CHECK(um_sde_draw(&all[k], from, 0.9, 1) <= 0.9);
	}
}

/* x0 ~ N(m, v): means of x0 and z given x, and of what moves. */
static void predictions(void)
{
	const double m = 0.7, v = 0.3, x = -0.4, h = 1e-6;
	make();
	for (int k = 0; k < KINDS; k++)
		for (double t = 0.03; t < 0.95; t += 0.11) {
			const um_sde *s = &all[k];
			const double al = um_sde_alpha(s, t), si = um_sde_sigma(s, t), c = al * al * v + si * si;
			const double score = -(x - al * m) / c, x0 = m + al * v / c * (x - al * m);
			const double z = si / c * (x - al * m);
			const double moves = (um_sde_alpha(s, t + h) - um_sde_alpha(s, t - h)) / (2 * h) * x0 +
				(um_sde_sigma(s, t + h) - um_sde_sigma(s, t - h)) / (2 * h) * z;
			const double want[] = { score, z, x0, moves };
			for (int p = 0; p < 4; p++) {
				double a, b;
				um_sde_predict(s, (um_prediction)p, t, &a, &b);
				CHECK_NEAR(a * x + b * score, want[p], 1e-6 * (1 + fabs(want[p])));
			}
		}
}

/* The score of one diffusion from another. */
static void translated(void)
{
	const double m = 0.7, v = 0.3, x = 0.25;
	make();
	for (int k = 0; k < KINDS; k++)
		for (double t = 0.11; t < 0.9; t += 0.2) {
			double time, factor;
			um_sde_translate(&all[k], t, &all[UM_SDE_VP], &time, &factor);
			const double al = um_sde_alpha(&all[k], t), si = um_sde_sigma(&all[k], t);
			const double a2 = um_sde_alpha(&all[0], time), s2 = um_sde_sigma(&all[0], time);
			const double there = -(factor * x - a2 * m) / (a2 * a2 * v + s2 * s2);
			CHECK_NEAR(factor * there, -(x - al * m) / (al * al * v + si * si), 1e-9);
		}
}

CHECK_MAIN(CHECK_CASE(coefficients), CHECK_CASE(beginning), CHECK_CASE(inverses), CHECK_CASE(importance),
	CHECK_CASE(predictions), CHECK_CASE(translated))
