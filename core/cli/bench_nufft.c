/* SPDX-License-Identifier: GPL-3.0-or-later */
/* umbra bench nufft: the gridded Fourier transform against the direct one. Accuracy and time
 * at four tolerances, time over sizes of images and data with the choice that um_uvop makes,
 * and the chi-square with gradient for which eht-imaging's time is known. */
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <umbra/rng.h>
#include <umbra/uvop.h>

#include "base/clock.h"
#include "bench.h"

#define PIXEL (2.5 * 3.14159265358979323846 / 180 / 3600e6)
#define PEER 0.226       /* eht-imaging 1.3.2, chisq and chisqgrad, seconds an image */
#define LONGEST 1.0      /* seconds: a direct transform estimated to take longer is left out */
#define MOST_BYTES 1e9   /* and so is one of more bytes */

enum { ROWS = 6453, SIDE = 64, BATCH = 64 };

/* One size: random images and points, and what becomes of them. */
typedef struct set {
	int64_t n, side, batch;
	double *uv;                     /* [2][n] */
	double *x, *gx;                 /* [batch][side][side] */
	double *v, *w;                  /* [2][batch][n] */
} set;

static void set_free(set *s)
{
	free(s->uv);
	free(s->x);
	free(s->gx);
	free(s->v);
	free(s->w);
}

/* Points fill a square of reach times the Nyquist frequency. */
static um_status set_new(set *s, int64_t n, int64_t side, int64_t batch, double reach)
{
	const int64_t pixels = batch * side * side;
	um_rng r = um_rng_new(1, "bench", 0);
	*s = (set){ n, side, batch, calloc((size_t)(2 * n), 8), calloc((size_t)pixels, 8),
		calloc((size_t)pixels, 8), calloc((size_t)(2 * batch * n), 8),
		calloc((size_t)(2 * batch * n), 8) };
	if (!s->uv || !s->x || !s->gx || !s->v || !s->w) {
		set_free(s);
		*s = (set){ 0 };
		return um_fail(UM_ENOMEM, "no memory for the bench");
	}
	for (int64_t i = 0; i < 2 * n; i++)
		s->uv[i] = reach * (um_uniform(&r) - 0.5) / PIXEL;
	for (int64_t i = 0; i < pixels; i++)
		s->x[i] = um_uniform(&r) / (double)(side * side);
	for (int64_t i = 0; i < 2 * batch * n; i++)
		s->w[i] = 2 * um_uniform(&r) - 1;
	return UM_OK;
}

static um_status build(const set *s, um_uvhow how, double tolerance, um_uvop **out)
{
	const um_uvspec spec = { .rows = s->side, .columns = s->side, .pixel = PIXEL,
		.pulse = UM_TRIANGLE, .how = how, .tolerance = tolerance };
	return um_uvop_new(s->uv, s->uv + s->n, s->n, &spec, out);
}

/* Forward and back, seconds an image each: the best of a few, or of one where it is slow. */
static um_status time_of(const um_uvop *o, set *s, double *forward, double *back)
{
	const int64_t half = s->batch * s->n;
	const double start = um_clock();
	um_status st = UM_OK;
	*forward = *back = HUGE_VAL;
	for (int i = 0; i < 5 && (i < 2 || um_clock() - start < 0.5) && um_clock() - start < 2; i++) {
		double a = um_clock();
		UM_TRY(um_uvop_forward(o, s->batch, s->x, s->v, s->v + half));
		double b = um_clock();
		UM_TRY(um_uvop_adjoint(o, s->batch, s->w, s->w + half, s->gx));
		double c = um_clock();
		*forward = fmin(*forward, (b - a) / (double)s->batch);
		*back = fmin(*back, (c - b) / (double)s->batch);
	}
out:
	return st;
}

static void put(json_t *o, const char *key, double value)
{
	json_object_set_new(o, key, json_real(value));
}

/* ---- accuracy -------------------------------------------------------------- */

/* |<Ax, w> - <x, A'w>| over |Ax| |w|, the last transforms of s. */
static double mismatch(const set *s)
{
	double left = 0;
	double right = 0;
	double vv = 0;
	double ww = 0;
	for (int64_t i = 0; i < 2 * s->batch * s->n; i++) {
		left += s->v[i] * s->w[i];
		vv += s->v[i] * s->v[i];
		ww += s->w[i] * s->w[i];
	}
	for (int64_t i = 0; i < s->batch * s->side * s->side; i++)
		right += s->x[i] * s->gx[i];
	return fabs(left - right) / sqrt(vv * ww);
}

/* Largest |V - truth|, largest |truth| of the batch, and the mean over images of sum |I|. */
static void errors(const set *s, const double *truth, double *error, double *size, double *sum)
{
	const int64_t half = s->batch * s->n;
	*error = *size = *sum = 0;
	for (int64_t i = 0; i < s->batch * s->side * s->side; i++)
		*sum += fabs(s->x[i]) / (double)s->batch;
	for (int64_t i = 0; i < half; i++) {
		*error = fmax(*error, hypot(s->v[i] - truth[i], s->v[half + i] - truth[half + i]));
		*size = fmax(*size, hypot(truth[i], truth[half + i]));
	}
}

static um_status accuracy_at(set *s, double tolerance, const double *truth, json_t *rows)
{
	um_uvop *o = NULL;
	double forward, back, error, size, sum;
	um_status st = UM_OK;
	json_t *row = json_object();
	json_array_append_new(rows, row);
	UM_TRY(build(s, UM_UV_NUFFT, tolerance, &o));
	UM_TRY(time_of(o, s, &forward, &back));
	errors(s, truth, &error, &size, &sum);
	put(row, "tolerance", tolerance);
	put(row, "error_of_largest", error / size);
	put(row, "error_of_sum", error / sum);
	put(row, "adjoint_mismatch", mismatch(s));
	put(row, "forward_ms", 1e3 * forward);
	put(row, "adjoint_ms", 1e3 * back);
out:
	um_uvop_free(o);
	return st;
}

static um_status accuracy(json_t *out)
{
	static const double tolerances[] = { 1e-3, 1e-6, 1e-9, 1e-12 };
	set s = { 0 };
	um_uvop *o = NULL;
	double forward, back;
	um_status st = UM_OK;
	double *truth = NULL;
	json_t *rows = json_array();
	json_object_set_new(out, "accuracy", rows);
	UM_TRY(set_new(&s, ROWS, SIDE, 8, 1));
	for (int64_t i = 0; i < s.batch * SIDE * SIDE; i++)
		s.x[i] -= 0.5 / (SIDE * SIDE); /* of either sign: no visibility stands out */
	UM_TRY(build(&s, UM_UV_DIRECT, 0, &o));
	UM_TRY(time_of(o, &s, &forward, &back));
	put(out, "direct_forward_ms", 1e3 * forward);
	put(out, "direct_adjoint_ms", 1e3 * back);
	truth = s.v;
	s.v = calloc((size_t)(2 * s.batch * s.n), 8);
	if (s.v == NULL)
		UM_TRY(um_fail(UM_ENOMEM, "no memory for the bench"));
	for (int i = 0; i < 4; i++)
		UM_TRY(accuracy_at(&s, tolerances[i], truth, rows));
out:
	free(truth);
	um_uvop_free(o);
	set_free(&s);
	return st;
}

/* ---- cost ------------------------------------------------------------------ */

static um_status timed(set *s, um_uvhow how, json_t *row, double *mean)
{
	um_uvop *o = NULL;
	double forward, back;
	um_status st = build(s, how, 1e-9, &o);
	if (st != UM_OK)
		return st;
	UM_TRY(time_of(o, s, &forward, &back));
	*mean = 0.5 * (forward + back);
	put(row, how == UM_UV_DIRECT ? "direct_ms" : "nufft_ms", 1e3 * *mean);
	put(row, how == UM_UV_DIRECT ? "direct_mb" : "nufft_mb", 1e-6 * um_uvop_bytes(o));
out:
	um_uvop_free(o);
	return st;
}

/* One size: what both take, and whether the estimate picks the faster (1) or not (0). */
static um_status cost_at(int64_t n, int64_t side, json_t *rows)
{
	set s = { 0 };
	double direct = HUGE_VAL;
	double nufft;
	um_status st = UM_OK;
	const um_uvspec spec = { .rows = side, .columns = side, .tolerance = 1e-9 };
	double slow = um_uvop_cost(n, &spec, UM_UV_DIRECT);
	double fast = um_uvop_cost(n, &spec, UM_UV_NUFFT);
	json_t *row = json_object();
	json_array_append_new(rows, row);
	UM_TRY(set_new(&s, n, side, (int64_t)fmax(1, fmin(16, 0.01 / fast)), 0.9));
	put(row, "side", (double)side);
	put(row, "visibilities", (double)n);
	UM_TRY(timed(&s, UM_UV_NUFFT, row, &nufft));
	if (slow < LONGEST && 16.0 * (double)n * (double)side < MOST_BYTES) {
		UM_TRY(timed(&s, UM_UV_DIRECT, row, &direct));
	} else {
		json_object_set_new(row, "direct_ms", json_null());
		json_object_set_new(row, "direct_mb", json_null());
	}
	put(row, "estimate_nufft_ms", 1e3 * fast);
	put(row, "estimate_direct_ms", 1e3 * slow);
	put(row, "choice_is_faster", (fast < slow) == (nufft < direct));
out:
	set_free(&s);
	return st;
}

static um_status cost(json_t *out)
{
	um_status st = UM_OK;
	json_t *rows = json_array();
	json_object_set_new(out, "cost", rows);
	for (int64_t side = 32; side <= 1024; side *= 2)
		for (int64_t n = 1000; n <= 1000000; n *= 10)
			UM_TRY(cost_at(n, side, rows));
out:
	return st;
}

/* ---- chi-square and gradient ----------------------------------------------- */

/* sigma = 0.01 Jy; s->w holds the data, s->v the model and then its residuals. */
static um_status chi2(const um_uvop *o, set *s, double *sum)
{
	const int64_t half = s->batch * s->n;
	const double weight = 1e4 / (double)s->n;
	um_status st = um_uvop_forward(o, s->batch, s->x, s->v, s->v + half);
	for (int64_t i = 0; i < 2 * half; i++) {
		s->v[i] -= s->w[i];
		*sum += 0.5 * weight * s->v[i] * s->v[i];
		s->v[i] *= weight;
	}
	return st != UM_OK ? st : um_uvop_adjoint(o, s->batch, s->v, s->v + half, s->gx);
}

static um_status chi2_time(set *s, um_uvhow how, double *best)
{
	um_uvop *o = NULL;
	double sum = 0;
	um_status st = build(s, how, 1e-9, &o);
	*best = HUGE_VAL;
	for (int i = 0; st == UM_OK && i < 6; i++) {
		double start = um_clock();
		st = chi2(o, s, &sum);
		*best = fmin(*best, (um_clock() - start) / (double)s->batch);
	}
	um_uvop_free(o);
	return st;
}

static um_status peer(json_t *out)
{
	set s = { 0 };
	double direct, nufft;
	um_status st = UM_OK;
	UM_TRY(set_new(&s, ROWS, SIDE, BATCH, 0.2)); /* baselines to 8e9 wavelengths */
	UM_TRY(chi2_time(&s, UM_UV_DIRECT, &direct));
	UM_TRY(chi2_time(&s, UM_UV_NUFFT, &nufft));
	put(out, "chi2_direct_ms", 1e3 * direct);
	put(out, "chi2_nufft_ms", 1e3 * nufft);
	put(out, "times_faster_than_eht_imaging", PEER / fmin(direct, nufft));
out:
	set_free(&s);
	return st;
}

um_status um_bench_nufft(json_t *out)
{
	um_status st = UM_OK;
	UM_TRY(peer(out));
	UM_TRY(accuracy(out));
	UM_TRY(cost(out));
out:
	return st;
}
