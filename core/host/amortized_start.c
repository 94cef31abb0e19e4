/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Where an amortized law starts: moments of draws of the prior and, of simulated measurements of them, the linear regression
 * of u on what the network is told. */
#include <cblas.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <umbra/linalg.h>
#include <umbra/optimum.h>
#include "base/mem.h"
#include "host/amortizer.h"

enum { FEW = 256, FEWEST = 1024, MOST = 8192, AUTOMATIC = 1024, GREATEST = 8192 }; /* draws of the prior; numbers of an image */
static const double NARROW = 0.01; /* least width, beside the largest */
/* Least, of white numbers; of variances, beside that of the prior. */
static const double RIDGE = 1e-6, LEFT = 1e-9;
enum { RIDGES = 9 }; /* from a hundred variances of a number down, each a tenth */

typedef struct beginning {
	um_amortizer *a;
	um_problem *p;
	um_sink *sink;
	int64_t draws;     /* of the prior */
	int64_t spent;     /* of these on a Wiener filter, whose errors are those of the others */
	um_array u, x;     /* [draws][image] as u and as images */
	float *c, *w;      /* [UM_AMORTIZER_ROWS] conditions, as for a network and white */
} beginning;

/* Regression needs draws of the prior that are cheap, and simulations. */
static bool can_regress(const um_problem_info *about)
{
	return about->draws && about->simulates;
}

static bool regresses(const um_amortizer *a, const um_problem_info *about)
{
	const bool automatic = strcmp(a->set.start, "auto") == 0;
	return automatic ? can_regress(about) && !about->estimate && a->n <= AUTOMATIC : a->set.start[0] == 'r';
}

um_status um_amortized_suits(const um_amortizer *a, const um_problem_info *about)
{
	const int64_t draws = a->set.prior_draws;
	const bool filter = a->set.summary[0] == 'w' || strcmp(a->set.summary, "restored") == 0;
	um_status st = UM_OK;
	if (a->w != NULL) /* it goes by its file, which knows its problem */
		return UM_OK;
	UM_TRY(um_condition_suits(&a->set, about));
	if (a->set.start[0] == 'r' && !can_regress(about))
		UM_TRY(um_fail(UM_EPARAM, "start: a regression needs a prior that can be drawn from and a forward model that can "
			"simulate; take start = \"prior\""));
	if (regresses(a, about) && draws >= 0 && draws < (filter ? 8 : 4))
		UM_TRY(um_fail(UM_EPARAM, "prior_draws: a regression needs 4 at least, and as many for a filter; or take start = \"prior\""));
	if (regresses(a, about) && about->n > GREATEST)
		UM_TRY(um_fail(UM_EPARAM, "start: a regression of %lld numbers takes too much memory, %d are the most; take start = \"prior\"",
			(long long)about->n, GREATEST));
	if (filter && draws >= 0 && draws < 4)
		UM_TRY(um_fail(UM_EPARAM, "prior_draws: summary = \"%s\" needs 4 at least", a->set.summary));
out:
	return st;
}

void um_amortizer_choose(um_amortizer *a, const um_problem_info *about)
{
	const bool filter = um_condition_guesses(&a->cond);
	const int64_t all = 4 * (a->n + a->cond.nc), many = all < FEWEST ? FEWEST : all > MOST ? MOST : all;
	a->regression = regresses(a, about);
	if (a->set.prior_draws < 0)
		a->set.prior_draws = (filter ? 2 : 1) * (!a->regression || about->estimate ? FEW : many);
}

static void streams(const beginning *t, uint64_t purpose, int64_t first, int64_t rows, um_rng *rng)
{
	for (int64_t b = 0; b < rows; b++)
		rng[b] = um_problem_rng(t->p, purpose, (uint64_t)(first + b));
}

static int64_t some(const beginning *t, int64_t first)
{
	return t->draws - first < UM_AMORTIZER_ROWS ? t->draws - first : UM_AMORTIZER_ROWS;
}

static um_status stopped(const beginning *t)
{
	return um_sink_progress(t->sink, 0, t->a->set.steps, NAN) == UM_STOP ?
		um_fail(UM_EINTR, "stopped while the prior was drawn from") : UM_OK;
}

static um_status draw_prior(beginning *t)
{
	um_status st = UM_OK;
	um_rng rng[UM_AMORTIZER_ROWS];
	UM_TRY(um_problem_images(t->p, t->draws, &t->u));
	UM_TRY(um_problem_images(t->p, t->draws, &t->x));
	for (int64_t first = 0, count; first < t->draws; first += count) {
		count = some(t, first);
		um_array u = um_array_rows(&t->u, first, count);
		streams(t, UM_AMORTIZED_MOMENTS, first, count, rng);
		UM_TRY(um_optimum_draws(t->p, rng, &u));
		UM_TRY(stopped(t));
	}
	if (t->draws > 0)
		UM_TRY(um_problem_image(t->p, &t->u, &t->x));
out:
	return st;
}

/* Mean and standard deviation of u before anything is measured, and the image in the middle. */
static um_status centre(beginning *t)
{
	um_status st = UM_OK;
	const um_amortized *set = &t->a->set;
	const int64_t n = t->a->n, draws = t->draws;
	double *c = um_row_d(&t->a->affine, 0), *d = um_row_d(&t->a->affine, 1), most = 0;
	float *middle = t->a->cond.origin.data;
	for (int64_t i = 0; i < n; i++)
		middle[i] = (float)set->level;
	UM_TRY(um_problem_preimage(t->p, &t->a->cond.origin, &t->a->cond.origin));
	for (int64_t i = 0; i < n; i++) {
		c[i] = draws > 0 ? 0 : middle[i];
		d[i] = draws > 0 ? 0 : set->sd;
	}
	for (int64_t i = 0; i < draws * n; i++) {
		const double v = ((const float *)t->u.data)[i];
		c[i % n] += v / (double)draws;
		d[i % n] += v * v / (double)draws;
	}
	for (int64_t i = 0; draws > 0 && i < n; i++) {
		d[i] = sqrt(fmax(0, d[i] - c[i] * c[i]));
		most = fmax(most, d[i]);
	}
	for (int64_t i = 0; i < n; i++) {
		d[i] = draws > 0 ? fmax(d[i], most > 0 ? NARROW * most : 1) : d[i];
		d[i] *= t->a->regression ? 1 : t->a->set.spread;
		middle[i] = (float)c[i];
	}
	UM_TRY(um_problem_image(t->p, &t->a->cond.origin, &t->a->cond.origin));
out:
	return st;
}

/* ---- the regression ------------------------------------------------------------------------- */

/* Where the network is told a guess of u itself, the slope that gives it; else 0. */
static void guess(beginning *t)
{
	const um_condition *c = &t->a->cond;
	const double *sd = um_row_d(&c->moments, 1), *d = um_row_d(&t->a->affine, 1);
	const bool told = um_condition_guesses(c) && um_problem_about(t->p)->transform == UM_IDENTITY;
	for (int64_t i = 0; i < t->a->n; i++)
		for (int64_t k = 0; k < c->nc; k++)
			um_row_f(&t->a->slope, i)[k] = told ? (float)(sd[i] * c->variance[k] * c->b[k * c->nf + i] / d[i]) : 0;
}

/* Of rows [r w], r what the slope leaves of the standardised u, w what the network is told. */
typedef struct moments {
	int64_t many;
	double *mean; /* [n + nc] */
	double *s;    /* [n + nc][n + nc], about the mean */
} moments;

static void add_rows(moments *m, int64_t all, int64_t count, const double *rows, double *part)
{
	if (count < 1)
		return;
	um_gemm(true, false, all, all, count, rows, rows, part);
	for (int64_t i = 0; i < all * all; i++)
		m->s[i] += part[i];
	for (int64_t b = 0; b < count; b++)
		for (int64_t i = 0; i < all; i++)
			m->mean[i] += rows[b * all + i];
	m->many += count;
}

static void centre_moments(moments *m, int64_t all)
{
	const double many = (double)m->many;
	for (int64_t i = 0; i < all; i++)
		m->mean[i] /= many;
	for (int64_t i = 0; i < all; i++)
		for (int64_t j = 0; j < all; j++)
			m->s[i * all + j] = m->s[i * all + j] / many - m->mean[i] * m->mean[j];
}

/* Those of both, to the first. */
static void join(moments *m, const moments *other, int64_t all)
{
	const double many = (double)(m->many + other->many), a = (double)m->many / many, b = (double)other->many / many;
	for (int64_t i = 0; i < all; i++)
		for (int64_t j = 0; j < all; j++)
			m->s[i * all + j] = a * m->s[i * all + j] + b * other->s[i * all + j] +
				a * b * (m->mean[i] - other->mean[i]) * (m->mean[j] - other->mean[j]);
	for (int64_t i = 0; i < all; i++)
		m->mean[i] = a * m->mean[i] + b * other->mean[i];
	m->many += other->many;
}

/* The moments of every other draw, and of those between. */
static um_status gather_moments(beginning *t, moments half[2])
{
	um_status st = UM_OK;
	um_amortizer *a = t->a;
	um_rng rng[UM_AMORTIZER_ROWS];
	const int64_t n = a->n, nc = a->cond.nc, all = n + nc;
	const double *c = um_row_d(&a->affine, 0), *d = um_row_d(&a->affine, 1);
	double *rows = malloc(sizeof(double) * (size_t)(UM_AMORTIZER_ROWS * all + all * all)), *part = rows + UM_AMORTIZER_ROWS * all;
	float *told = malloc(sizeof(float) * (size_t)(UM_AMORTIZER_ROWS * n));
	if (rows == NULL || told == NULL)
		UM_TRY(um_fail(UM_ENOMEM, "no memory for moments of %lld numbers", (long long)all));
	for (int64_t first = t->spent, count; first < t->draws; first += count) {
		count = some(t, first);
		const int64_t even = (count + 1) / 2;
		const um_array u = um_array_rows(&t->u, first, count), x = um_array_rows(&t->x, first, count);
		streams(t, UM_AMORTIZED_MEASURED, first, count, rng);
		UM_TRY(um_problem_measure(t->p, rng, &x));
		UM_TRY(um_condition_put(&a->cond, t->p, count, t->c, t->w, NULL));
		cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, (int)count, (int)n, (int)nc, 1, t->w, (int)nc, a->slope.data, (int)nc,
			0, told, (int)n);
		for (int64_t b = 0; b < count; b++) {
			double *row = rows + (b / 2 + (b % 2 > 0 ? even : 0)) * all;
			for (int64_t i = 0; i < n; i++)
				row[i] = (um_row_f(&u, b)[i] - c[i]) / d[i] - told[b * n + i];
			for (int64_t k = 0; k < nc; k++)
				row[n + k] = t->w[b * nc + k];
		}
		add_rows(&half[0], all, even, rows, part);
		add_rows(&half[1], all, count - even, rows + even * all, part);
		UM_TRY(stopped(t));
	}
	centre_moments(&half[0], all);
	centre_moments(&half[1], all);
out:
	free(rows);
	free(told);
	return st;
}

/* B = S_rw (S_ww + ridge)^-1 to b [n][nc]; ww [nc][nc] is room. */
static um_status coefficients(const beginning *t, const double *s, double ridge, double *ww, double *b)
{
	const int64_t n = t->a->n, nc = t->a->cond.nc, all = n + nc;
	um_status st = UM_OK;
	for (int64_t i = 0; i < n; i++)
		memcpy(b + i * nc, s + i * all + n, sizeof(double) * (size_t)nc);
	for (int64_t k = 0; k < nc; k++)
		for (int64_t l = 0; l < nc; l++)
			ww[k * nc + l] = s[(n + k) * all + n + l] + (k == l ? ridge : 0);
	UM_TRY(um_cholesky(nc, ww));
	um_cholesky_solve(nc, ww, n, b);
out:
	return st;
}

/* Adds half the variances of r that B w leaves in other draws to left [n], and returns the sum. */
static double left_over(const beginning *t, const double *s, const double *b, double *ww, double *bw, double *left)
{
	const int64_t n = t->a->n, nc = t->a->cond.nc, all = n + nc;
	double sum = 0;
	for (int64_t k = 0; k < nc; k++)
		memcpy(ww + k * nc, s + (n + k) * all + n, sizeof(double) * (size_t)nc);
	um_gemm(false, false, n, nc, nc, b, ww, bw);
	for (int64_t i = 0; i < n; i++) {
		const double v = (s[i * all + i] - 2 * um_dot(nc, b + i * nc, s + i * all + n) + um_dot(nc, b + i * nc, bw + i * nc)) / 2;
		left[i] += v;
		sum += v;
	}
	return sum;
}

/* The ridge with which each half of the draws explains the other best, below 0 where none explains anything; and the variances
 * that it leaves there, to left [n]. */
static um_status best_ridge(const beginning *t, const moments half[2], double *room, double *left, double *best)
{
	um_status st = UM_OK;
	const int64_t n = t->a->n, nc = t->a->cond.nc, all = n + nc;
	double *ww = room, *b = ww + nc * nc, *bw = b + n * nc, *now = bw + n * nc, scale = 0, least = 0;
	*best = -1;
	for (int64_t k = n; k < all; k++)
		scale += (half[0].s[k * all + k] + half[1].s[k * all + k]) / (double)(2 * nc);
	for (int64_t i = 0; i < n; i++)
		least += left[i] = (half[0].s[i * all + i] + half[1].s[i * all + i]) / 2;
	for (int i = 0; i < RIDGES; i++) {
		const double ridge = fmax(scale, RIDGE) * pow(10, 2 - i);
		double sum = 0;
		memset(now, 0, sizeof(*now) * (size_t)n);
		for (int h = 0; h < 2; h++) {
			UM_TRY(coefficients(t, half[h].s, ridge, ww, b));
			sum += left_over(t, half[1 - h].s, b, ww, bw, now);
		}
		if (sum < least) {
			least = sum;
			*best = ridge;
			memcpy(left, now, sizeof(*now) * (size_t)n);
		}
	}
out:
	return st;
}

/* What covariances of few draws shrink towards: that of the Gaussian posterior where it is known, else these variances alone. */
static um_status expected(const beginning *t, const double *variances, double *goal)
{
	const um_condition *c = &t->a->cond;
	const double *d = um_row_d(&t->a->affine, 1);
	const int64_t n = t->a->n;
	if (c->summary != UM_SUMMARY_WIENER || !c->wiener.fixed || um_problem_about(t->p)->transform != UM_IDENTITY) {
		for (int64_t i = 0; i < n; i++)
			goal[i * n + i] = variances[i];
		return UM_OK;
	}
	const um_status st = um_wiener_covariance(&c->wiener, um_row_d(&c->noise, 0), goal);
	for (int64_t i = 0; st == UM_OK && i < n; i++)
		for (int64_t j = 0; j < n; j++)
			goal[i * n + j] /= d[i] * d[j];
	return st;
}

/* The regression about the means with the best ridge, of which twice as many draws need half; and T T^T = S_rr - B S_wr, which
 * shrinks as few draws want it, times spread^2. */
static um_status regress(beginning *t)
{
	um_status st = UM_OK;
	um_amortizer *a = t->a;
	const int64_t n = a->n, nc = a->cond.nc, all = n + nc;
	double *s = calloc((size_t)(2 * all * (all + 1) + nc * nc + 2 * n * nc + 2 * n + 2 * n * n), sizeof(*s)), ridge;
	moments half[2] = { { .s = s, .mean = s + all * all }, { .s = s + all * (all + 1), .mean = s + all * (all + 1) + all * all } };
	double *room = s + 2 * all * (all + 1), *b = room + nc * nc, *variances = room + nc * nc + 2 * n * nc + n;
	double *left = variances + n, *goal = left + n * n, *c = um_row_d(&a->affine, 0);
	const double *d = um_row_d(&a->affine, 1), *mean = half[0].mean;
	if (s == NULL)
		UM_TRY(um_fail(UM_ENOMEM, "no memory for moments of %lld numbers", (long long)all));
	guess(t);
	UM_TRY(gather_moments(t, half));
	UM_TRY(best_ridge(t, half, room, variances, &ridge));
	join(&half[0], &half[1], all);
	if (ridge >= 0)
		UM_TRY(coefficients(t, s, ridge / 2, room, b));
	else
		memset(b, 0, sizeof(*b) * (size_t)(n * nc));
	UM_TRY(expected(t, variances, goal));
	const double keep = (double)half[0].many / (double)(half[0].many + n);
	for (int64_t i = 0; i < n; i++)
		for (int64_t j = 0; j <= i; j++) {
			const double v = s[i * all + j] - um_dot(nc, b + i * nc, s + j * all + n);
			left[i * n + j] = keep * v + (1 - keep) * goal[i * n + j] + (i == j ? LEFT : 0);
		}
	UM_TRY(um_cholesky(n, left));
	for (int64_t i = 0; i < n; i++)
		c[i] += d[i] * (mean[i] - um_dot(nc, b + i * nc, mean + n));
	for (int64_t i = 0; i < n * nc; i++)
		((float *)a->slope.data)[i] += (float)b[i];
	for (int64_t i = 0; i < n * n; i++)
		((float *)a->axes.data)[i] = (float)(a->set.spread * left[i]);
out:
	free(s);
	return st;
}

um_status um_amortizer_start(um_amortizer *a, um_problem *p, um_sink *sink)
{
	um_status st = UM_OK;
	beginning t = { .a = a, .p = p, .sink = sink, .draws = um_problem_about(p)->draws ? a->set.prior_draws : 0 };
	t.c = um_new(sizeof(float) * (size_t)(UM_AMORTIZER_ROWS * um_condition_width(&a->cond)));
	t.w = um_new(sizeof(float) * (size_t)(UM_AMORTIZER_ROWS * a->cond.nc));
	UM_TRY(draw_prior(&t));
	UM_TRY(centre(&t));
	if (um_condition_guesses(&a->cond)) {
		t.spent = t.draws / 2;
		const um_array x = um_array_rows(&t.x, 0, t.spent);
		UM_TRY(um_wiener_modes(&a->cond.wiener, p, &x, &a->cond.origin));
	}
	UM_TRY(um_condition_learn(&a->cond, p, sink, a->set.steps));
	if (a->regression)
		UM_TRY(regress(&t));
out:
	um_array_free(&t.u);
	um_array_free(&t.x);
	free(t.c);
	free(t.w);
	return st;
}
