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

#define MOST ((size_t)2000) /* points of a plot */

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

/* Leaves at most "most" points; adds "of", how many there were at first. */
static void thin_plot(json_t *plot, size_t most)
{
	const char *key;
	json_t *v;
	void *next;
	const size_t have = json_array_size(json_object_get(plot, "x")), n = have < most ? have : most;
	json_object_foreach_safe(plot, next, key, v)
		if (json_is_array(v))
			json_object_set_new(plot, key, thin(v, n));
	if (json_object_get(plot, "of") == NULL)
		json_object_set_new(plot, "of", json_integer((json_int_t)have));
}

/* Names once, in "names", and their numbers in "label". */
static void number_labels(json_t *plot)
{
	size_t i;
	json_t *v, *label = json_object_get(plot, "label"), *seen = json_object(), *names = json_array(), *numbers = json_array();
	json_array_foreach(label, i, v) {
		const char *name = json_is_string(v) ? json_string_value(v) : "";
		if (json_object_get(seen, name) == NULL) {
			json_object_set_new(seen, name, json_integer((json_int_t)json_array_size(names)));
			json_array_append_new(names, json_string(name));
		}
		json_array_append(numbers, json_object_get(seen, name));
	}
	if (label != NULL) {
		json_object_set(plot, "label", numbers);
		json_object_set(plot, "names", names);
	}
	json_decref(seen);
	json_decref(names);
	json_decref(numbers);
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

/* A plot on its way into the page. */
struct thinned {
	json_t *all, *some;
	size_t points, bytes;
};

static void set_points(struct thinned *t, size_t points)
{
	json_decref(t->some);
	t->points = points;
	t->some = json_deep_copy(t->all);
	thin_plot(t->some, points);
	number_labels(t->some);
	char *s = json_dumps(t->some, JSON_COMPACT | JSON_REAL_PRECISION(5));
	t->bytes = s != NULL ? strlen(s) : SIZE_MAX / 1024;
	free(s);
}

/* The largest plot loses a quarter of its points, or, where that are few, goes. */
static bool shrink(struct thinned *plot, int n)
{
	int most = 0;
	for (int i = 1; i < n; i++)
		if (plot[i].bytes > plot[most].bytes)
			most = i;
	if (n == 0 || plot[most].bytes == 0)
		return false;
	if (plot[most].points > 50) {
		set_points(&plot[most], plot[most].points * 3 / 4);
	} else {
		json_decref(plot[most].some);
		plot[most].some = NULL;
		plot[most].bytes = 0;
	}
	return true;
}

json_t *um_plots_read(const char *dir, size_t room)
{
	um_names files = um_names_list(dir, ".json");
	json_t *list = json_array();
	struct thinned *plot = um_new(sizeof(*plot) * (size_t)(files.n + 1));
	size_t total;
	for (int i = 0; i < files.n; i++) {
		plot[i].all = read_plot(dir, files.name[i]);
		if (json_array_size(json_object_get(plot[i].all, "x")) == 0)
			continue;
		thin_plot(plot[i].all, MOST);
		set_points(&plot[i], json_array_size(json_object_get(plot[i].all, "x")));
	}
	do {
		total = 0;
		for (int i = 0; i < files.n; i++)
			total += plot[i].bytes;
	} while (total > room && shrink(plot, files.n));
	for (int i = 0; i < files.n; i++) {
		if (plot[i].some != NULL)
			json_array_append_new(list, plot[i].some);
		json_decref(plot[i].all);
	}
	free(plot);
	um_names_free(&files);
	return list;
}
