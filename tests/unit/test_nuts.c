/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The law that transitions leave as it is: many chains start from exact draws and must still be such. */
#include <umbra/nuts.h>
#include "check.h"

/* A bent law: a ~ N(0, 1), b | a ~ N(a^2 / 2, 0.5^2), of which the second group has the square root. */
static um_status bent(void *context, int64_t count, const int64_t row[], const double *x, double *lp,
	double *part, double *dx)
{
	const int64_t chains = *(const int64_t *)context;
	for (int64_t k = 0; k < count; k++) {
		const double a = x[2 * k], e = (x[2 * k + 1] - a * a / 2) / 0.25, beta = row[k] / chains == 0 ? 1 : 0.5;
		lp[k] = beta * -0.5 * (a * a + e * e * 0.25);
		part[k] = 7 * a;
		dx[2 * k] = beta * (-a + e * a);
		dx[2 * k + 1] = beta * -e;
	}
	return UM_OK;
}

static void start(um_nuts *s, uint64_t seed)
{
	for (int64_t r = 0; r < s->groups * s->chains; r++) {
		um_rng rng = um_rng_new(seed, "start", (uint64_t)r);
		const double wide = r < s->chains ? 1 : sqrt(2);
		double *x = um_row_d(&s->x, r);
		x[0] = wide * um_normal(&rng);
		x[1] = x[0] * x[0] / 2 + wide * 0.5 * um_normal(&rng);
	}
	CHECK_OK(um_nuts_refresh(s));
}

static um_rng *streams(int64_t rows, const char *name)
{
	um_rng *rng = malloc(sizeof(*rng) * (size_t)rows);
	for (int64_t r = 0; r < rows; r++)
		rng[r] = um_rng_new(1, name, (uint64_t)r);
	return rng;
}

/* Moments of a, e = (b - a^2 / 2) / 0.5 and their products, all known, within five standard errors. */
static void check_law(const um_nuts *s)
{
	for (int64_t g = 0; g < s->groups; g++) {
		const double v = g == 0 ? 1 : 2, want[] = { 0, 0, v, v, 0, 3 * v * v, 3 * v * v, v * v };
		double sum[8] = { 0 }, square[8] = { 0 };
		bool kept = true;
		for (int64_t c = 0; c < s->chains; c++) {
			const double *x = um_row_d(&s->x, g * s->chains + c), a = x[0], e = (x[1] - a * a / 2) / 0.5;
			const double f[] = { a, e, a * a, e * e, a * e, a * a * a * a, e * e * e * e, a * a * e * e };
			for (int i = 0; i < 8; i++) {
				sum[i] += f[i] / (double)s->chains;
				square[i] += f[i] * f[i] / (double)s->chains;
			}
			kept = kept && *um_row_d(&s->part, g * s->chains + c) == 7 * a;
		}
		CHECK(kept);
		for (int i = 0; i < 8; i++)
			CHECK_NEAR(sum[i], want[i], 5 * sqrt((square[i] - sum[i] * sum[i]) / (double)s->chains));
	}
}

static void invariance(bool dense, double step, int64_t depth)
{
	int64_t chains = 40000, leaps = 0;
	um_nuts s = { .groups = 2, .chains = chains, .n = 2, .depth = depth, .dense = dense, .value = bent,
		.context = &chains };
	CHECK_OK(um_nuts_new(&s));
	for (int64_t g = 0; g < 2; g++) {
		double *l = um_row_d(&s.scale, g);
		l[0] = 1.3, l[dense ? 3 : 1] = 0.7;
		l[dense ? 2 : 1] = dense ? -0.4 : 0.7;
		um_row_d(&s.step, g)[UM_NUTS_NOW] = step * (g + 1);
	}
	start(&s, 3);
	um_rng *rng = streams(2 * chains, "walk");
	double *begun = malloc(sizeof(double) * (size_t)(4 * chains)), moved = 0;
	memcpy(begun, s.x.data, sizeof(double) * (size_t)(4 * chains));
	for (int k = 0; k < 4; k++) {
		CHECK_OK(um_nuts_step(&s, rng));
		for (int64_t r = 0; r < chains; r++)
			leaps += s.move[r].leaps;
	}
	for (int64_t r = 0; r < 2 * chains; r++)
		moved += 0.5 * (begun[2 * r] != *um_row_d(&s.x, r)) / (double)chains;
	CHECK(moved > 0.5 && leaps >= 4 * chains);
	check_law(&s);
	free(begun);
	free(rng);
	um_nuts_free(&s);
}

/* Steps so large that the energy is far from kept, and small ones with deep trees, some of them cut off. */
static void leaves_the_law(void)
{
	invariance(false, 0.9, 8);
	invariance(false, 0.2, 8);
	invariance(true, 0.5, 8);
	invariance(false, 0.1, 3);
	invariance(false, 0.6, 1);
}

/* A sphere of equal periods: a trajectory ends near half a turn, never at whole turns. */
static um_status round_law(void *context, int64_t count, const int64_t row[], const double *x, double *lp,
	double *part, double *dx)
{
	const int64_t n = *(const int64_t *)context;
	(void)row;
	for (int64_t k = 0; k < count; k++) {
		lp[k] = part[k] = 0;
		for (int64_t i = 0; i < n; i++) {
			lp[k] -= 0.5 * x[k * n + i] * x[k * n + i];
			dx[k * n + i] = -x[k * n + i];
		}
	}
	return UM_OK;
}

static void turns(void)
{
	int64_t n = 100;
	um_nuts s = { .groups = 1, .chains = 50, .n = n, .depth = 10, .value = round_law, .context = &n };
	const double steps[] = { 0.05, 0.1, 0.2, 0.3, 0.4 };
	CHECK_OK(um_nuts_new(&s));
	um_rng *rng = streams(s.chains, "turn");
	for (int64_t r = 0; r < s.chains; r++)
		um_normal_fill(&rng[r], um_row_d(&s.x, r), n);
	CHECK_OK(um_nuts_refresh(&s));
	for (int k = 0; k < 5; k++) {
		um_row_d(&s.step, 0)[UM_NUTS_NOW] = steps[k];
		CHECK_OK(um_nuts_step(&s, rng));
		for (int64_t r = 0; r < s.chains; r++) {
			const double length = (double)s.move[r].leaps * steps[k];
			CHECK(length > 1.4 && length < 8 && !s.move[r].deep && !s.move[r].diverged);
		}
	}
	free(rng);
	um_nuts_free(&s);
}

/* Scales from 1e-3 to 1e3 and a correlation are learned; the acceptance becomes what is asked for. */
static um_status scaled(void *context, int64_t count, const int64_t row[], const double *x, double *lp,
	double *part, double *dx)
{
	const double sd[] = { 1e-3, 1e3, 1 }, corr = 0.9, det = 1 - corr * corr;
	(void)context, (void)row;
	for (int64_t k = 0; k < count; k++) {
		double z[3], g[3];
		for (int i = 0; i < 3; i++)
			z[i] = x[3 * k + i] / sd[i];
		g[0] = (z[0] - corr * z[1]) / det;
		g[1] = (z[1] - corr * z[0]) / det;
		g[2] = z[2];
		lp[k] = part[k] = -0.5 * (z[0] * g[0] + z[1] * g[1] + z[2] * g[2]);
		for (int i = 0; i < 3; i++)
			dx[3 * k + i] = -g[i] / sd[i];
	}
	return UM_OK;
}

static void adapts(bool dense)
{
	enum { WARMUP = 300, AFTER = 200 };
	um_nuts s = { .groups = 1, .chains = 8, .n = 3, .depth = 10, .dense = dense, .target = 0.8, .value = scaled };
	double accept = 0, steps = 0;
	CHECK_OK(um_nuts_new(&s));
	um_rng *rng = streams(s.chains, "scales");
	for (int64_t r = 0; r < s.chains; r++)
		um_normal_fill(&rng[r], um_row_d(&s.x, r), 3);
	CHECK_OK(um_nuts_refresh(&s));
	CHECK_OK(um_nuts_adapt(&s, 0, WARMUP));
	for (int k = 1; k <= WARMUP + AFTER; k++) {
		CHECK_OK(um_nuts_find(&s, rng));
		CHECK_OK(um_nuts_step(&s, rng));
		if (k <= WARMUP)
			CHECK_OK(um_nuts_adapt(&s, k, WARMUP));
		for (int64_t r = 0; k > WARMUP && r < s.chains; r++) {
			accept += s.move[r].accept / AFTER / (double)s.chains;
			steps += (double)s.move[r].leaps / AFTER / (double)s.chains;
		}
	}
	const double *l = um_row_d(&s.scale, 0);
	CHECK_NEAR(accept, 0.8, 0.1);
	CHECK(steps < (dense ? 8 : 16));
	if (dense) {
		CHECK_REL(l[0], 1e-3, 0.2);
		CHECK_REL(l[3], 0.9e3, 0.2);
		CHECK_REL(l[4], sqrt(0.19) * 1e3, 0.2);
		CHECK_REL(l[8], 1.0, 0.2);
	} else { /* sqrt(v / w), where w = 1 / v / (1 - corr^2) */
		CHECK_REL(l[0], 1e-3 * pow(0.19, 0.25), 0.2);
		CHECK_REL(l[1], 1e3 * pow(0.19, 0.25), 0.2);
		CHECK_REL(l[2], 1.0, 0.2);
	}
	free(rng);
	um_nuts_free(&s);
}

static void scales(void)
{
	adapts(false);
	adapts(true);
}

/* Failures of value leave the state; a flat density has no step size. */
static um_status fails(void *context, int64_t count, const int64_t row[], const double *x, double *lp,
	double *part, double *dx)
{
	int64_t *left = context, n = 2;
	return (*left)-- > 0 ? round_law(&n, count, row, x, lp, part, dx) : um_fail(UM_EINTR, "enough");
}

static um_status flat(void *context, int64_t count, const int64_t row[], const double *x, double *lp,
	double *part, double *dx)
{
	(void)context, (void)row, (void)x;
	for (int64_t k = 0; k < count; k++)
		lp[k] = part[k] = dx[2 * k] = dx[2 * k + 1] = 0;
	return UM_OK;
}

static void failures(void)
{
	int64_t left = 3;
	um_nuts s = { .groups = 1, .chains = 4, .n = 2, .depth = 10, .value = fails, .context = &left };
	double kept[8], grad[8];
	CHECK_OK(um_nuts_new(&s));
	um_rng *rng = streams(s.chains, "fails");
	for (int64_t i = 0; i < 8; i++)
		((double *)s.x.data)[i] = (double)i / 8;
	CHECK_OK(um_nuts_refresh(&s));
	um_row_d(&s.step, 0)[UM_NUTS_NOW] = 0.01;
	memcpy(kept, s.x.data, sizeof(kept));
	memcpy(grad, s.dx.data, sizeof(grad));
	CHECK_FAILS(um_nuts_step(&s, rng), UM_EINTR, "enough");
	CHECK(memcmp(kept, s.x.data, sizeof(kept)) == 0 && memcmp(grad, s.dx.data, sizeof(grad)) == 0);
	um_row_d(&s.step, 0)[UM_NUTS_NOW] = 0;
	CHECK_FAILS(um_nuts_find(&s, rng), UM_EINTR, "enough");
	CHECK(um_row_d(&s.step, 0)[UM_NUTS_NOW] == 0);
	s.value = flat;
	CHECK_OK(um_nuts_refresh(&s));
	CHECK_FAILS(um_nuts_find(&s, rng), UM_ENUM, "flat");
	free(rng);
	um_nuts_free(&s);
}

CHECK_MAIN(CHECK_CASE(leaves_the_law), CHECK_CASE(turns), CHECK_CASE(scales), CHECK_CASE(failures))
