/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The numbers of a plot as JSON: written beside its picture, and put, thinned, into the report. */
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "base/file.h"
#include "base/mem.h"
#include "figure.h"
#include "plotdata.h"
#include "rundir.h"

/* Text that is not UTF-8 becomes null. */
static json_t *text(const char *s)
{
	json_t *v = s != NULL ? json_string(s) : NULL;
	return v != NULL ? v : json_null();
}

static void add_column(json_t *j, const char *name, const double *v, int64_t n)
{
	if (v == NULL)
		return;
	json_t *a = json_array();
	for (int64_t i = 0; i < n; i++)
		json_array_append_new(a, isfinite(v[i]) ? json_real(v[i]) : json_null());
	json_object_set_new(j, name, a);
}

um_status um_plot_numbers(const char *path, const um_plot *p)
{
	json_t *j = json_object();
	json_object_set_new(j, "title", text(p->title));
	json_object_set_new(j, "xlabel", text(p->xlabel));
	json_object_set_new(j, "ylabel", text(p->ylabel));
	json_object_set_new(j, "log_y", json_boolean(p->log_y));
	json_object_set_new(j, "square", json_boolean(p->square));
	add_column(j, "x", p->x, p->n);
	add_column(j, "y", p->y, p->n);
	add_column(j, "sigma", p->sigma, p->n);
	add_column(j, "q025", p->lo, p->n);
	add_column(j, "q16", p->inner_lo, p->n);
	add_column(j, "q50", p->mid, p->n);
	add_column(j, "q84", p->inner_hi, p->n);
	add_column(j, "q975", p->hi, p->n);
	if (p->label != NULL) {
		json_t *a = json_array();
		for (int64_t i = 0; i < p->n; i++)
			json_array_append_new(a, text(p->label[i]));
		json_object_set_new(j, "label", a);
	}
	char *s = json_dumps(j, JSON_COMPACT | JSON_REAL_PRECISION(6));
	json_decref(j);
	um_status st = s != NULL ? um_file_put(path, s, strlen(s)) : um_fail(UM_ENOMEM, "%s: no memory for its numbers", path);
	free(s);
	return st;
}

/* Every so manieth entry of an array, n in all. */
static json_t *thin(const json_t *a, size_t n)
{
	const size_t have = json_array_size(a);
	json_t *out = json_array();
	for (size_t i = 0; i < n && have > 0; i++)
		json_array_append(out, json_array_get(a, i * have / n));
	return out;
}

/* Adds "of": how many points there are, and leaves at most "most" of them. */
static void thin_plot(json_t *plot, size_t most)
{
	const char *key;
	json_t *v;
	void *next;
	const size_t have = json_array_size(json_object_get(plot, "x")), n = have < most ? have : most;
	json_object_foreach_safe(plot, next, key, v)
		if (json_is_array(v))
			json_object_set_new(plot, key, thin(v, n));
	json_object_set_new(plot, "of", json_integer((json_int_t)have));
}

static json_t *read_plot(const char *dir, const char *file)
{
	char *path = um_format("%s/%s", dir, file), *name = um_strdup(file);
	um_status st = UM_OK;
	json_t *plot = um_rundir_object(path, &st);
	name[strlen(name) - strlen(".json")] = '\0';
	if (st != UM_OK)
		um_log(UM_WARN, "%s", um_message());
	if (plot != NULL)
		json_object_set_new(plot, "name", text(name));
	free(path);
	free(name);
	return plot;
}

static size_t length_of(const json_t *j)
{
	char *s = json_dumps(j, JSON_COMPACT | JSON_REAL_PRECISION(5));
	size_t n = s != NULL ? strlen(s) : SIZE_MAX;
	free(s);
	return n;
}

json_t *um_plots_read(const char *dir, size_t room)
{
	um_names files = um_names_list(dir, ".json");
	json_t *list = json_array();
	for (int i = 0; i < files.n; i++) {
		json_t *plot = read_plot(dir, files.name[i]);
		const size_t fair = room / (size_t)(files.n - i);
		size_t points = 2000, need = SIZE_MAX;
		for (; plot != NULL && points >= 50; points /= 2) {
			json_t *some = json_deep_copy(plot);
			thin_plot(some, points);
			need = length_of(some);
			if (need <= fair) {
				json_array_append_new(list, some);
				room -= need;
				break;
			}
			json_decref(some);
		}
		json_decref(plot);
	}
	um_names_free(&files);
	return list;
}
