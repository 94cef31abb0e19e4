/* SPDX-License-Identifier: GPL-3.0-or-later */
/* umbra info: what is in a file. Visibilities are summed in eht-imaging's order, and
 * peculiarities that the reader met are listed. */
#include <jansson.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <umbra/fits.h>
#include <umbra/observable.h>
#include <umbra/tensors.h>

#include "cli.h"
#include "pipeline/provenance.h"

#define UAS (3.14159265358979323846 / 180 / 3600e6)

static json_t *real_or_null(double x)
{
	return isfinite(x) ? json_real(x) : json_null();
}

static json_t *text(const char *s)
{
	json_t *j = json_string(s);
	return j != NULL ? j : json_string("?");
}

static json_t *stations(const um_uvdata *d)
{
	json_t *list = json_array();
	for (int i = 0; i < d->nstations; i++) {
		const um_station *s = &d->stations[i];
		json_t *j = json_object();
		json_object_set_new(j, "name", text(s->name));
		json_object_set_new(j, "x", json_real(s->xyz[0]));
		json_object_set_new(j, "y", json_real(s->xyz[1]));
		json_object_set_new(j, "z", json_real(s->xyz[2]));
		json_array_append_new(list, j);
	}
	return list;
}

/* How many closures there are; null where a set would be too large. */
static json_t *closures(const um_uvdata *d, um_product p, bool maximal)
{
	um_observable o = { 0 };
	const um_observe how = { .maximal = maximal };
	if (um_observable_new(d, p, &how, &o) != UM_OK)
		return json_null();
	json_t *n = json_integer(o.n);
	um_observable_free(&o);
	return n;
}

static void sums(const um_uvdata *d, json_t *j)
{
	double re = 0;
	double im = 0;
	double sigma = 0;
	for (int64_t i = 0; i < d->nrows; i++) {
		re += d->rows[i].re;
		im += d->rows[i].im;
		sigma += d->rows[i].sigma;
	}
	json_object_set_new(j, "sum_re", real_or_null(re));
	json_object_set_new(j, "sum_im", real_or_null(im));
	json_object_set_new(j, "sum_sigma", real_or_null(sigma));
}

static json_t *about_visibilities(const um_uvdata *d)
{
	json_t *j = json_object();
	json_object_set_new(j, "kind", json_string("uvfits"));
	json_object_set_new(j, "source", text(d->source));
	json_object_set_new(j, "ra_hours", json_real(d->ra));
	json_object_set_new(j, "dec_deg", json_real(d->dec));
	json_object_set_new(j, "freq_hz", json_real(d->freq));
	json_object_set_new(j, "bandwidth_hz", json_real(d->bandwidth));
	json_object_set_new(j, "mjd", json_integer(d->mjd));
	json_object_set_new(j, "rows", json_integer(d->nrows));
	json_object_set_new(j, "times", json_integer(um_uvdata_times(d)));
	json_object_set_new(j, "stations", stations(d));
	json_object_set_new(j, "max_uv_glambda", real_or_null(um_uvdata_longest(d) / 1e9));
	json_object_set_new(j, "cphase_min", closures(d, UM_CPHASE, false));
	json_object_set_new(j, "cphase_max", closures(d, UM_CPHASE, true));
	json_object_set_new(j, "logcamp_min", closures(d, UM_LOGCAMP, false));
	json_object_set_new(j, "logcamp_max", closures(d, UM_LOGCAMP, true));
	json_object_set_new(j, "zero_baseline_jy", real_or_null(um_uvdata_median(d, 0.1e9)));
	sums(d, j);
	json_t *dialect = json_array();
	for (int i = 0; i < d->ndialect; i++)
		json_array_append_new(dialect, text(d->dialect[i]));
	json_object_set_new(j, "dialect", dialect);
	return j;
}

static json_t *about_image(const um_image *im)
{
	const um_array *a = &im->data;
	const double *x = a->data;
	double sum = 0;
	double lo = x[0];
	double hi = x[0];
	for (int64_t i = 0; i < um_array_len(a); i++) {
		sum += x[i];
		lo = fmin(lo, x[i]);
		hi = fmax(hi, x[i]);
	}
	json_t *j = json_object();
	json_t *size = json_array();
	for (int i = a->rank - 1; i >= 0; i--)
		json_array_append_new(size, json_integer(a->dim[i]));
	json_object_set_new(j, "kind", json_string("image"));
	json_object_set_new(j, "size", size);
	if (im->measurements > 1)
		json_object_set_new(j, "measurements", json_integer(im->measurements));
	json_object_set_new(j, "pixel_uas", im->sky.pixel > 0 ? json_real(im->sky.pixel / UAS) : json_null());
	json_object_set_new(j, "total_flux", json_real(sum));
	json_object_set_new(j, "min", json_real(lo));
	json_object_set_new(j, "max", json_real(hi));
	json_object_set_new(j, "unit", text(im->bunit));
	json_object_set_new(j, "source", text(im->sky.object));
	json_object_set_new(j, "ra_deg", json_real(im->sky.ra));
	json_object_set_new(j, "dec_deg", json_real(im->sky.dec));
	json_object_set_new(j, "freq_hz", json_real(im->sky.freq));
	json_object_set_new(j, "mjd", json_real(im->sky.mjd));
	return j;
}

/* ---- weights -------------------------------------------------------------------------- */

/* A weight file begins with the length of its header, then the header, which is JSON. */
static bool is_weights(const char *path)
{
	unsigned char head[9] = { 0 };
	FILE *f = fopen(path, "rb");
	const bool whole = f != NULL && fread(head, 1, sizeof(head), f) == sizeof(head);
	if (f != NULL)
		fclose(f);
	return whole && head[8] == '{' && head[7] == 0;
}

/* Numbers in all tensors, and how the file keeps them: by bytes a number. */
static um_status about_weights(const char *path, json_t **out)
{
	um_status st = UM_OK;
	um_tensors t = { 0 };
	char hex[65];
	struct stat file;
	int64_t numbers = 0;
	UM_TRY(um_tensors_read(path, &t));
	UM_TRY(um_sha256_file(path, hex));
	for (int i = 0; i < t.n; i++)
		numbers += um_array_len(&t.array[i]);
	json_t *j = json_object();
	json_object_set_new(j, "kind", json_string("weights"));
	json_object_set_new(j, "sha256", json_string(hex));
	json_object_set_new(j, "bytes", stat(path, &file) == 0 ? json_integer(file.st_size) : json_null());
	json_object_set_new(j, "tensors", json_integer(t.n));
	json_object_set_new(j, "numbers", json_integer(numbers));
	for (int i = 0; i < t.nmeta; i++)
		json_object_set_new(j, t.key[i], text(t.value[i]));
	*out = j;
out:
	um_tensors_free(&t);
	return st;
}

/* Random groups and images are told apart by the GROUPS keyword of the first header block;
 * each reader then says what is wrong in its own words. */
static bool is_groups(const char *path)
{
	char card[81] = "";
	bool found = false;
	FILE *f = fopen(path, "rb");
	for (int i = 0; f != NULL && !found && i < 360 && fread(card, 1, 80, f) == 80; i++) {
		found = strncmp(card, "GROUPS  =", 9) == 0 && strchr(card + 9, 'T') != NULL;
		if (strncmp(card, "END     ", 8) == 0)
			break;
	}
	if (f != NULL)
		fclose(f);
	return found;
}

static um_status describe(const char *path, json_t **out)
{
	um_status st;
	if (is_weights(path)) {
		st = about_weights(path, out);
	} else if (is_groups(path)) {
		um_uvdata d = { 0 };
		st = um_uvfits_read(path, &d);
		*out = st == UM_OK ? about_visibilities(&d) : NULL;
		um_uvdata_free(&d);
	} else {
		um_image im = { 0 };
		st = um_image_read(path, &im);
		*out = st == UM_OK ? about_image(&im) : NULL;
		um_image_free(&im);
	}
	return st;
}

/* Lines after the first are indented. */
static void print_text(const char *s)
{
	const bool block = strchr(s, '\n') != NULL;
	if (block || *s == '\0')
		putchar('\n');
	for (size_t n; *s != '\0'; s += n + (s[n] == '\n')) {
		n = strcspn(s, "\n");
		printf("%s%.*s\n", block ? "    " : "", (int)n, s);
	}
}

static void print_value(const json_t *v)
{
	if (json_is_string(v))
		print_text(json_string_value(v));
	else if (json_is_integer(v))
		printf("%lld\n", (long long)json_integer_value(v));
	else if (json_is_real(v))
		printf("%.10g\n", json_real_value(v));
	else
		printf("-\n");
}

static void print_item(const json_t *v)
{
	if (json_is_object(v))
		printf("    %-12s %14.2f %14.2f %14.2f\n", json_string_value(json_object_get(v, "name")),
			json_real_value(json_object_get(v, "x")), json_real_value(json_object_get(v, "y")),
			json_real_value(json_object_get(v, "z")));
	else {
		printf("    ");
		print_value(v);
	}
}

static void print_plain(json_t *j)
{
	const char *key;
	json_t *v;
	json_object_foreach(j, key, v) {
		size_t i;
		json_t *item;
		printf("%-18s", key);
		if (!json_is_array(v)) {
			print_value(v);
			continue;
		}
		printf("\n");
		json_array_foreach(v, i, item)
			print_item(item);
	}
}

int um_cmd_info(int argc, char *argv[])
{
	const char *path = NULL;
	bool as_json = false;
	json_t *j = NULL;
	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--json") == 0)
			as_json = true;
		else if (argv[i][0] == '-' || path != NULL) {
			fprintf(stderr, "umbra: info: %s is not expected: usage: umbra info FILE [--json]\n",
				argv[i]);
			return 2;
		} else
			path = argv[i];
	}
	if (path == NULL) {
		fprintf(stderr, "umbra: info: a file is needed: usage: umbra info FILE [--json]\n");
		return 2;
	}
	um_status st = describe(path, &j);
	if (st != UM_OK) {
		fprintf(stderr, "umbra: %s\n", um_message());
		return st == UM_EDATA ? 3 : 1;
	}
	if (as_json) {
		json_dumpf(j, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(17));
		putchar('\n');
	} else
		print_plain(j);
	json_decref(j);
	return 0;
}
