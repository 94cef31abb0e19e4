/* SPDX-License-Identifier: GPL-3.0-or-later */
/* umbra chi2: how well an image fits visibilities, product by product, in double throughout and
 * with eht-imaging's definitions, so that the figures of both can be compared. */
#include <jansson.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <umbra/dft.h>
#include <umbra/fits.h>
#include <umbra/observable.h>

#include "cli.h"

typedef struct options {
	const char *image, *obs;
	bool json, debias;
	um_pulse pulse;
} options;

typedef struct figures {
	double chi2[UM_PRODUCTS];
	int64_t n[UM_PRODUCTS];
} figures;

static const char usage[] =
	"umbra chi2 IMAGE.fits OBS.uvfits [--json] [--pulse triangle|rect|delta] [--debias]";

static bool parse(int argc, char *argv[], options *o)
{
	for (int i = 1; i < argc; i++) {
		const char *a = argv[i];
		if (strcmp(a, "--json") == 0)
			o->json = true;
		else if (strcmp(a, "--debias") == 0)
			o->debias = true;
		else if (strcmp(a, "--pulse") == 0 && i + 1 < argc
			&& um_pulse_named(argv[i + 1], &o->pulse))
			i++;
		else if (strncmp(a, "--pulse=", 8) == 0 && um_pulse_named(a + 8, &o->pulse))
			continue;
		else if (a[0] == '-' || o->obs != NULL) {
			fprintf(stderr, "umbra: chi2: %s%s: usage: %s\n", a,
				strcmp(a, "--pulse") == 0 ? " needs triangle, rect or delta" : " is not expected",
				usage);
			return false;
		} else if (o->image == NULL)
			o->image = a;
		else
			o->obs = a;
	}
	if (o->obs == NULL)
		fprintf(stderr, "umbra: chi2: an image and an observation are needed: %s\n", usage);
	return o->obs != NULL;
}

/* Model visibilities of the image at the rows of d, re then im. */
static um_status transform(const options *o, const um_image *im, const um_uvdata *d, double *model)
{
	um_status st = UM_OK;
	um_dft *dft = NULL;
	const um_array *a = &im->data;
	int64_t rows = a->dim[a->rank - 2];
	int64_t columns = a->dim[a->rank - 1];
	double *uv = malloc((size_t)d->nrows * 2 * sizeof(*uv));
	if (uv == NULL)
		return um_fail(UM_ENOMEM, "no memory for %lld visibilities", (long long)d->nrows);
	for (int64_t i = 0; i < d->nrows; i++) {
		uv[i] = d->rows[i].u;
		uv[d->nrows + i] = d->rows[i].v;
	}
	UM_TRY(um_dft_new(uv, uv + d->nrows, d->nrows, rows, columns, im->sky.pixel, o->pulse, &dft));
	UM_TRY(um_dft_forward(dft, 1, a->data, model, model + d->nrows));
out:
	um_dft_free(dft);
	free(uv);
	return st;
}

static um_status product(const um_uvdata *d, um_product p, bool debias, const double *model,
	figures *out)
{
	um_status st = UM_OK;
	um_observable o = { 0 };
	double *f = NULL;
	const um_observe how = { .debias = debias };
	UM_TRY(um_observable_new(d, p, &how, &o));
	f = malloc((size_t)(o.len + 1) * sizeof(*f));
	if (f == NULL)
		UM_TRY(um_fail(UM_ENOMEM, "no memory for %lld data", (long long)o.len));
	um_observable_model(&o, model, model + d->nrows, f);
	out->chi2[p] = um_observable_chi2(&o, o.y, o.sigma, f, NULL);
	out->n[p] = o.n;
out:
	um_observable_free(&o);
	free(f);
	return st;
}

static um_status read_image(const options *o, um_image *im)
{
	um_status st = um_image_read(o->image, im);
	if (st != UM_OK)
		return st;
	const um_array *a = &im->data;
	if (um_array_len(a) != a->dim[a->rank - 2] * a->dim[a->rank - 1])
		return um_fail(UM_EDATA, "%s: a cube; chi2 takes one image", o->image);
	if (!(im->sky.pixel > 0))
		return um_fail(UM_EDATA, "%s: no pixel size (CDELT1, CDELT2)", o->image);
	return UM_OK;
}

static um_status compute(const options *o, figures *out)
{
	um_status st = UM_OK;
	um_image im = { 0 };
	um_uvdata d = { 0 };
	double *model = NULL;
	UM_TRY(read_image(o, &im));
	UM_TRY(um_uvfits_read(o->obs, &d));
	model = malloc((size_t)d.nrows * 2 * sizeof(*model));
	if (model == NULL)
		UM_TRY(um_fail(UM_ENOMEM, "no memory for %lld visibilities", (long long)d.nrows));
	UM_TRY(transform(o, &im, &d, model));
	for (int p = 0; p < UM_PRODUCTS; p++)
		UM_TRY(product(&d, (um_product)p, o->debias, model, out));
out:
	free(model);
	um_uvdata_free(&d);
	um_image_free(&im);
	return st;
}

static void print_json(const figures *x)
{
	json_t *j = json_object();
	for (int p = 0; p < UM_PRODUCTS; p++)
		json_object_set_new(j, um_product_name(p),
			isfinite(x->chi2[p]) ? json_real(x->chi2[p]) : json_null());
	for (int p = 0; p < UM_PRODUCTS; p++) {
		char key[24];
		snprintf(key, sizeof(key), "n_%s", um_product_name(p));
		json_object_set_new(j, key, json_integer(x->n[p]));
	}
	json_dumpf(j, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(17));
	putchar('\n');
	json_decref(j);
}

int um_cmd_chi2(int argc, char *argv[])
{
	options o = { .pulse = UM_TRIANGLE };
	figures x = { { 0 }, { 0 } };
	if (!parse(argc, argv, &o))
		return 2;
	um_status st = compute(&o, &x);
	if (st != UM_OK) {
		fprintf(stderr, "umbra: %s\n", um_message());
		return st == UM_EDATA ? 3 : 1;
	}
	if (o.json) {
		print_json(&x);
		return 0;
	}
	printf("%-10s %10s  reduced chi-square\n", "product", "data");
	for (int p = 0; p < UM_PRODUCTS; p++)
		printf("%-10s %10lld  %.9g\n", um_product_name(p), (long long)x.n[p], x.chi2[p]);
	return 0;
}
