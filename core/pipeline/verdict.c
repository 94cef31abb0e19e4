/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What ranks say, in words. Pixels are judged together: their mean place among the samples, which is 1/2, and the mean
 * square of twice its distance from there, which is 1/3 for many samples and more where intervals are too narrow. Both
 * are numbers of a replicate, so that pixels need not be independent. Single numbers are judged by the distribution
 * function of their ranks, each pixel so, too. Of m tests each counts as m times as likely by chance (Bonferroni). */
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/mem.h"
#include "pipeline/calibrate.h"

const double um_levels[UM_LEVELS] = { 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.68, 0.7, 0.8, 0.9, 0.95, 0.99 };
static const double WARNS = 0.05, FAILS = 0.001; /* probabilities by chance */
static const double WIDE = 2.576; /* standard errors: 99 % */
enum { USUAL = 9 };               /* the level that people know best */
enum { WORST = 2 };               /* the test of the worst pixel, after those of all */

/* What some columns say: means over them, one number a replicate. */
struct figures {
	um_mean_test place, spread, below, coverage[UM_LEVELS];
};

static double place_of(int64_t rank, int64_t samples)
{
	return ((double)rank + 0.5) / (double)(samples + 1);
}

/* The mean over columns first .. first + count - 1 of a function of ranks, for each replicate, against expected; sd is
 * that of one rank. level < 0: places, -1, or their spread, -2; -3: how many are below the middle. */
static um_mean_test test_of(const um_replicates *r, int64_t first, int64_t count, double level, double expected, double sd)
{
	double *v = um_new(sizeof(double) * (size_t)r->n);
	for (int64_t i = 0; i < r->n; i++)
		for (int64_t k = first; k < first + count; k++) {
			const int64_t rank = r->rank[i * r->columns + k];
			const double u = place_of(rank, r->samples), off = 2 * u - 1;
			v[i] += (level >= 0 ? um_rank_share(rank, r->samples, 0.5 - level / 2, 0.5 + level / 2) : level == -1 ? u :
				level == -2 ? off * off : um_rank_share(rank, r->samples, 0, 0.5)) / (double)count;
		}
	const um_mean_test t = um_test_mean(v, r->n, expected, sd / sqrt((double)count));
	free(v);
	return t;
}

static struct figures figures_of(const um_replicates *r, int64_t first, int64_t count)
{
	struct figures f;
	const double all = (double)(r->samples + 1);
	f.place = test_of(r, first, count, -1, 0.5, sqrt(1 / 12.0));
	f.spread = test_of(r, first, count, -2, (1 - 1 / (all * all)) / 3, sqrt(4 / 45.0));
	f.below = test_of(r, first, count, -3, 0.5, 0.5);
	for (int k = 0; k < UM_LEVELS; k++)
		f.coverage[k] = test_of(r, first, count, um_levels[k], um_levels[k], sqrt(um_levels[k] * (1 - um_levels[k])));
	return f;
}

double um_verdict_coverage(const um_replicates *r, int64_t column, double p)
{
	return test_of(r, column, 1, p, p, 0).mean;
}

/* ---- words ---------------------------------------------------------------------------------- */

static void say(um_rank_test *t, const char *fmt, ...) UM_PRINTF(2, 3);
static void say(um_rank_test *t, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(t->says, sizeof(t->says), fmt, ap);
	va_end(ap);
}

/* "71 % of the truths (88 to 92 expected)" */
static void share(char out[80], double mean, double expected, double error)
{
	const int digits = error < 0.01 ? 1 : 0;
	snprintf(out, 80, "%.*f %% of the truths (%.*f to %.*f expected)", digits, 100 * mean, digits,
		100 * fmax(0, expected - WIDE * error), digits, 100 * fmin(1, expected + WIDE * error));
}

/* The level whose coverage to name: the usual one, or where that is as it should be the one furthest off. */
static int telling(const struct figures *f)
{
	int best = USUAL;
	double most = 0;
	for (int k = 0; k < UM_LEVELS; k++) {
		const double off = fabs(f->coverage[k].mean - um_levels[k]) / f->coverage[k].error;
		if (k == USUAL && off > WIDE)
			return k;
		best = off > most ? k : best;
		most = fmax(off, most);
	}
	return best;
}

static void say_spread(um_rank_test *t, const char *what, const struct figures *f, int64_t samples)
{
	char text[80];
	const int k = telling(f);
	const double all = (double)(samples + 1);
	share(text, f->coverage[k].mean, um_levels[k], f->coverage[k].error);
	say(t, "%sintervals are too %s: the central %g %% interval holds %s", what,
		f->spread.mean > (1 - 1 / (all * all)) / 3 ? "narrow" : "wide", 100 * um_levels[k], text);
}

static void say_place(um_rank_test *t, const char *what, const struct figures *f)
{
	char text[80];
	share(text, f->below.mean, 0.5, f->below.error);
	say(t, "%ssamples are biased %s: below their median are %s", what, f->place.mean < 0.5 ? "high" : "low", text);
}

/* Whether it is rather places than their spread that are wrong: a bias spreads them, too. */
static bool shifted(const struct figures *f)
{
	const double off = 2 * f->place.mean - 1;
	return f->place.p < WARNS && (off * off > 0.2 * f->spread.mean || f->place.p < f->spread.p);
}

/* Of one number, whichever fault is the clearer one. */
static void say_number(um_rank_test *t, const char *what, const struct figures *f, int64_t samples)
{
	if (fmin(f->place.p, f->spread.p) > WARNS)
		say(t, "%sranks are not uniform", what);
	else if (shifted(f))
		say_place(t, what, f);
	else
		say_spread(t, what, f, samples);
}

/* ---- tests ------------------------------------------------------------------------------------ */

static um_rank_test *add(um_verdict *v, const char *name)
{
	um_rank_test *t = &v->test[v->ntests++];
	*t = (um_rank_test){ .name = name };
	return t;
}

/* Both tests of all pixels, the clearer fault first. */
static void test_pixels(const um_replicates *r, um_verdict *v)
{
	const struct figures f = figures_of(r, UM_RANK_PIXELS, r->columns - UM_RANK_PIXELS);
	const bool spread_first = !shifted(&f);
	um_rank_test *first = add(v, spread_first ? "spread" : "place"), *second = add(v, spread_first ? "place" : "spread");
	um_rank_test *spread = spread_first ? first : second, *place = spread_first ? second : first;
	spread->p = f.spread.p;
	place->p = f.place.p;
	say_spread(spread, "", &f, r->samples);
	say_place(place, "", &f);
	for (int k = 0; k < UM_LEVELS; k++) {
		v->coverage[k] = f.coverage[k].mean;
		v->error[k] = f.coverage[k].error;
	}
}

static double tail_of(const um_replicates *r, const um_rank_law *law, int64_t column, int *at)
{
	int64_t count[UM_RANK_POINTS];
	um_rank_counts(law, r->rank + column, r->columns, count);
	return um_rank_tail(law, count, at);
}

static um_status test_worst(const um_replicates *r, const um_rank_law *law, um_verdict *v)
{
	um_status st = UM_OK;
	char what[60];
	const int64_t pixels = r->columns - UM_RANK_PIXELS;
	double least = 2;
	for (int64_t k = 0; k < pixels; k++) {
		const double tail = tail_of(r, law, UM_RANK_PIXELS + k, NULL);
		if (tail < least)
			v->worst = k;
		least = fmin(least, tail);
	}
	um_rank_test *t = add(v, "worst_pixel");
	UM_TRY(um_rank_p(law, least, &t->p));
	t->p = fmin(1, t->p * (double)pixels);
	snprintf(what, sizeof(what), "pixel %lld: ", (long long)(v->worst * r->image / pixels));
	const struct figures f = figures_of(r, UM_RANK_PIXELS + v->worst, 1);
	say_number(t, what, &f, r->samples);
out:
	return st;
}

static um_status test_number(const um_replicates *r, const um_rank_law *law, int64_t column, const char *name, const char *what,
	um_verdict *v)
{
	um_status st = UM_OK;
	if (r->rank[column] < 0)
		return UM_OK;
	um_rank_test *t = add(v, name);
	UM_TRY(um_rank_p(law, tail_of(r, law, column, NULL), &t->p));
	const struct figures f = figures_of(r, column, 1);
	say_number(t, what, &f, r->samples);
	if (shifted(&f) && column == UM_RANK_LOGLIKE)
		say(t, "samples fit the data %s than the truths do", f.place.mean < 0.5 ? "better" : "worse");
	if (shifted(&f) && column == UM_RANK_LOGP)
		say(t, "samples are %s probable under the prior than the truths are", f.place.mean < 0.5 ? "more" : "less");
out:
	return st;
}

static um_status test_points(const um_replicates *r, const um_rank_law *law, um_verdict *v)
{
	um_status st = UM_OK;
	int64_t lo[UM_RANK_POINTS], hi[UM_RANK_POINTS], count[UM_RANK_POINTS];
	const double all = (double)r->n;
	int k = 0;
	um_rank_test *t = add(v, "tarp");
	UM_TRY(um_rank_p(law, tail_of(r, law, UM_RANK_POINT, &k), &t->p));
	UM_TRY(um_rank_band(law, 0.95, lo, hi));
	um_rank_counts(law, r->rank + UM_RANK_POINT, r->columns, count);
	say(t, "TARP: balls about random points with %.0f %% of the samples hold %.0f %% of the truths (%.0f to %.0f expected)",
		100 * (double)law->edge[k] / (double)(law->most + 1), 100 * (double)count[k] / all, 100 * (double)lo[k] / all,
		100 * (double)hi[k] / all);
out:
	return st;
}

/* Up to three faults of the kind that the verdict is; one pixel only where all together say nothing. */
static void conclude(const um_replicates *r, um_verdict *v)
{
	double least = 1;
	int said = 0;
	char text[80];
	size_t at = 0;
	for (int i = 0; i < v->ntests; i++)
		least = fmin(least, v->test[i].p * v->ntests);
	v->kind = least < FAILS ? UM_FAILURE : least < WARNS ? UM_WARNING : UM_PASS;
	for (int i = 0; v->kind != UM_PASS && i < v->ntests && said < 3; i++)
		if (v->test[i].p * v->ntests < (v->kind == UM_FAILURE ? FAILS : WARNS) && (i != WORST || said == 0))
			at += (size_t)snprintf(v->reason + at, sizeof(v->reason) - at, "%s%s", said++ ? "; " : "", v->test[i].says);
	if (v->kind == UM_WARNING && at < sizeof(v->reason))
		snprintf(v->reason + at, sizeof(v->reason) - at, "; chance does so in %.2g %% of all calibrations: more replicates tell",
			100 * least);
	share(text, v->coverage[USUAL], um_levels[USUAL], v->error[USUAL]);
	if (v->kind == UM_PASS)
		snprintf(v->reason, sizeof(v->reason), "%lld truths lie among their samples as they should: the central %g %% interval "
			"holds %s", (long long)r->n, 100 * um_levels[USUAL], text);
}

um_status um_verdict_of(const um_replicates *r, const um_rank_law *law, um_verdict *v)
{
	um_status st = UM_OK;
	*v = (um_verdict){ 0 };
	test_pixels(r, v);
	UM_TRY(test_worst(r, law, v));
	UM_TRY(test_number(r, law, UM_RANK_FLUX, "flux", "total flux: ", v));
	UM_TRY(test_number(r, law, UM_RANK_LOGLIKE, "loglike", "log-likelihood: ", v));
	UM_TRY(test_number(r, law, UM_RANK_LOGP, "logp", "log-prior: ", v));
	UM_TRY(test_points(r, law, v));
	conclude(r, v);
out:
	return st;
}
