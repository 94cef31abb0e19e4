/* SPDX-License-Identifier: GPL-3.0-or-later */
/* umbra bench: how fast the heavy parts run here. Each bench is one row of a table and fills
 * a list of named figures. */
#include <jansson.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <umbra/dft.h>
#include <umbra/linalg.h>
#include <umbra/observable.h>
#include <umbra/rng.h>

#include "base/clock.h"
#include "bench.h"
#include "cli.h"

/* GFLOP/s of a large matrix product: the best of a few. */
static um_status dgemm_peak(double *out)
{
	enum { N = 1024 };
	double best = HUGE_VAL;
	double *a = calloc(3 * N * N, sizeof(*a));
	if (a == NULL)
		return um_fail(UM_ENOMEM, "no memory for matrices");
	for (int i = 0; i < 2 * N * N; i++)
		a[i] = 1e-3 * (double)(i % 97);
	for (int i = 0; i < 8; i++) {
		double start = um_clock();
		um_gemm(false, false, N, N, N, a, a + N * N, a + 2 * N * N);
		best = fmin(best, um_clock() - start);
	}
	free(a);
	*out = 2e-9 * N * N * N / best;
	return UM_OK;
}

/* ---- eht: chi-square and gradient of complex visibilities ---- */

enum { ROWS = 6453, SIDE = 64, BATCH = 64 };

#define UAS (3.14159265358979323846 / 180 / 3600e6)
#define PEER 0.226 /* eht-imaging 1.3.2, chisq and chisqgrad, seconds an image */

typedef struct eht {
	um_dft *dft;
	double *x, *gx;         /* [BATCH][SIDE][SIDE] */
	double *re, *im;        /* [BATCH][ROWS] */
	double *y;              /* [2][ROWS] */
} eht;

static um_status eht_new(eht *e)
{
	int64_t pixels = (int64_t)BATCH * SIDE * SIDE;
	int64_t points = (int64_t)BATCH * ROWS;
	um_rng r = um_rng_new(1, "bench", 0);
	double *uv = calloc(2 * ROWS, sizeof(*uv));
	*e = (eht){ NULL, calloc((size_t)pixels, 8), calloc((size_t)pixels, 8),
		calloc((size_t)points, 8), calloc((size_t)points, 8), calloc(2 * ROWS, 8) };
	if (uv == NULL || !e->x || !e->gx || !e->re || !e->im || !e->y) {
		free(uv);
		return um_fail(UM_ENOMEM, "no memory for the bench");
	}
	for (int i = 0; i < 2 * ROWS; i++)
		uv[i] = 8e9 * (2 * um_uniform(&r) - 1);
	um_normal_fill(&r, e->y, 2 * ROWS);
	for (int64_t i = 0; i < pixels; i++)
		e->x[i] = um_uniform(&r) / (SIDE * SIDE);
	um_status st = um_dft_new(uv, uv + ROWS, ROWS, SIDE, SIDE, 2.5 * UAS, UM_TRIANGLE, &e->dft);
	free(uv);
	return st;
}

static void eht_free(eht *e)
{
	um_dft_free(e->dft);
	free(e->x);
	free(e->gx);
	free(e->re);
	free(e->im);
	free(e->y);
}

/* Chi-squares and gradients of the batch, sigma = 0.01 Jy. */
static um_status eht_once(eht *e, double *sum)
{
	um_status st = um_dft_forward(e->dft, BATCH, e->x, e->re, e->im);
	if (st != UM_OK)
		return st;
	const double w = 1e4 / ROWS;
	for (int b = 0; b < BATCH; b++) {
		double *re = e->re + (int64_t)b * ROWS;
		double *im = e->im + (int64_t)b * ROWS;
		for (int i = 0; i < ROWS; i++) {
			re[i] -= e->y[i];
			im[i] -= e->y[ROWS + i];
			*sum += 0.5 * w * (re[i] * re[i] + im[i] * im[i]);
			re[i] *= w;
			im[i] *= w;
		}
	}
	return um_dft_adjoint(e->dft, BATCH, e->re, e->im, e->gx);
}

static um_status bench_eht(json_t *out)
{
	eht e;
	double best = HUGE_VAL;
	double peak = 0;
	double sum = 0;
	um_status st = UM_OK;
	UM_TRY(eht_new(&e));
	UM_TRY(dgemm_peak(&peak));
	for (int i = 0; i < 6; i++) {
		double start = um_clock();
		UM_TRY(eht_once(&e, &sum));
		best = fmin(best, um_clock() - start);
	}
	double rate = 2e-9 * um_dft_flops(e.dft) * BATCH / best;
	json_object_set_new(out, "visibilities", json_integer(ROWS));
	json_object_set_new(out, "pixels", json_integer(SIDE * SIDE));
	json_object_set_new(out, "batch", json_integer(BATCH));
	json_object_set_new(out, "ms_per_image", json_real(1e3 * best / BATCH));
	json_object_set_new(out, "gflops", json_real(rate));
	json_object_set_new(out, "dgemm_gflops", json_real(peak));
	json_object_set_new(out, "share_of_dgemm", json_real(rate / peak));
	json_object_set_new(out, "operator_mb", json_real(1e-6 * um_dft_bytes(e.dft)));
	json_object_set_new(out, "times_faster_than_eht_imaging", json_real(PEER * BATCH / best));
out:
	eht_free(&e);
	return st;
}

static const struct {
	const char *name, *doc;
	um_status (*run)(json_t *out);
	um_status (*list)(json_t *rows, int argc, char *argv[]); /* instead of run: a list, and options */
} benches[] = {
	{ "eht", "chi-square and gradient of complex visibilities, per image", bench_eht, NULL },
	{ "nufft", "gridded Fourier transform: accuracy, cost over sizes, chi-square", um_bench_nufft, NULL },
	{ "nn", "networks: score U-Net and RealNVP, and their derivatives", NULL, um_bench_nn },
	{ "samplers", "diffusion samplers: seconds a sample, steps in evaluations of the network", NULL, um_bench_samplers },
};
#define BENCHES (sizeof(benches) / sizeof(*benches))

static int usage(const char *what)
{
	fprintf(stderr, "umbra: bench: %s: usage: umbra bench [WHAT] [--json], WHAT one of:", what);
	for (size_t i = 0; i < BENCHES; i++)
		fprintf(stderr, " %s", benches[i].name);
	fputc('\n', stderr);
	return 2;
}

/* Objects of equal keys as rows below their keys. */
static void print_table(const char *name, json_t *rows)
{
	const char *key;
	size_t i;
	json_t *row, *v;
	printf("  %s\n", name);
	json_object_foreach(json_array_get(rows, 0), key, v)
		printf("  %*s", (int)fmax(9, (double)strlen(key)), key);
	json_array_foreach(rows, i, row) {
		putchar('\n');
		json_object_foreach(row, key, v) {
			int width = (int)fmax(9, (double)strlen(key));
			if (json_is_null(v) || json_is_string(v))
				printf("  %*s", width, json_is_null(v) ? "-" : json_string_value(v));
			else
				printf("  %*.4g", width, json_number_value(v));
		}
	}
	putchar('\n');
}

static void print_plain(const char *name, const char *doc, json_t *j)
{
	const char *key;
	json_t *v;
	printf("%s: %s\n", name, doc);
	if (json_is_array(j))
		print_table("", j);
	json_object_foreach(j, key, v)
		if (json_is_array(v))
			print_table(key, v);
		else
			printf("  %-30s %.4g\n", key, json_number_value(v));
}

/* Whether this bench, asked for by name, takes options. */
static bool has_options(const char *what)
{
	for (size_t i = 0; what != NULL && i < BENCHES; i++)
		if (strcmp(what, benches[i].name) == 0)
			return benches[i].list != NULL;
	return false;
}

/* Runs what is asked for into all; the exit status. */
static int run(const char *what, int argc, char *argv[], bool as_json, json_t *all)
{
	for (size_t i = 0; i < BENCHES; i++) {
		if (what != NULL && strcmp(what, benches[i].name) != 0)
			continue;
		bool list = benches[i].list != NULL;
		json_t *j = list ? json_array() : json_object();
		json_object_set_new(all, benches[i].name, j);
		um_status st = list ? benches[i].list(j, argc, argv) : benches[i].run(j);
		if (st != UM_OK) {
			fprintf(stderr, "umbra: bench %s: %s\n", benches[i].name, um_message());
			return st == UM_EPARAM || st == UM_EARG ? 2 : 1; /* sizes are options */
		}
		if (!as_json)
			print_plain(benches[i].name, benches[i].doc, j);
	}
	return 0;
}

int um_cmd_bench(int argc, char *argv[])
{
	const char *what = NULL;
	bool as_json = false;
	bool known = false;
	int rest = 0; /* options of the bench, moved to the front of argv + 1 */
	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--json") == 0)
			as_json = true;
		else if (has_options(what))
			argv[1 + rest++] = argv[i];
		else if (argv[i][0] == '-' || what != NULL)
			return usage(argv[i]);
		else
			what = argv[i];
	}
	for (size_t i = 0; i < BENCHES; i++)
		known = known || what == NULL || strcmp(what, benches[i].name) == 0;
	if (!known)
		return usage(what);
	json_t *all = json_object();
	int status = run(what, rest, argv + 1, as_json, all);
	if (as_json && status == 0) {
		json_dumpf(has_options(what) ? json_object_get(all, what) : all, stdout,
			JSON_INDENT(2) | JSON_REAL_PRECISION(6));
		putchar('\n');
	}
	json_decref(all);
	return status;
}
