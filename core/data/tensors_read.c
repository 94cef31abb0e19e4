/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Reading safetensors files of any origin. The header is checked as a whole before anything is
 * allocated by it: known types, shapes that fit their data, data that cover the file without holes
 * or overlaps (so that a small file cannot ask for much memory), names once. */
#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include "base/file.h"
#include "base/mem.h"
#include "data/tensors.h"

typedef struct {
	const char *name;
	const um_stored *as;
	int rank;
	int64_t dim[UM_MAXRANK];
	int64_t from, to; /* bytes of the data */
} entry;

static um_status bad(const char *path, const char *name, const char *what)
{
	return um_fail(UM_EDATA, "%s: %s%s%s", path, name, *name ? ": " : "", what);
}

/* The number of elements in *count, at most INT64_MAX / 8. */
static um_status read_shape(const char *path, const json_t *shape, entry *e, int64_t *count)
{
	size_t i;
	json_t *d;
	bool empty = false;
	if (!json_is_array(shape) || json_array_size(shape) > UM_MAXRANK)
		return bad(path, e->name, "its shape is not a list of at most 8 sizes");
	e->dim[0] = *count = 1;
	json_array_foreach(shape, i, d) {
		e->dim[i] = json_integer_value(d);
		if (!json_is_integer(d) || e->dim[i] < 0)
			return bad(path, e->name, "a size in its shape is not a whole number");
		empty = empty || e->dim[i] == 0;
		if (e->dim[i] > 0 && *count > INT64_MAX / 8 / e->dim[i])
			return bad(path, e->name, "its shape is larger than any file");
		*count *= e->dim[i] > 0 ? e->dim[i] : 1;
	}
	e->rank = i > 0 ? (int)i : 1;
	*count = empty ? 0 : *count;
	return UM_OK;
}

static um_status read_entry(const char *path, const json_t *j, int64_t room, entry *e)
{
	um_status st = UM_OK;
	const char *dtype = json_string_value(json_object_get(j, "dtype"));
	const json_t *span = json_object_get(j, "data_offsets");
	const json_t *from = json_array_get(span, 0), *to = json_array_get(span, 1);
	int64_t count = 0;
	int k = 0;
	while (k < UM_STORED_TYPES && (dtype == NULL || strcmp(um_stored_types[k].name, dtype) != 0))
		k++;
	if (k == UM_STORED_TYPES)
		UM_TRY(bad(path, e->name, "its type is none of F32, F64, F16, BF16, I64"));
	e->as = &um_stored_types[k];
	if (json_array_size(span) != 2 || !json_is_integer(from) || !json_is_integer(to))
		UM_TRY(bad(path, e->name, "its data_offsets are not two whole numbers"));
	e->from = json_integer_value(from);
	e->to = json_integer_value(to);
	if (e->from < 0 || e->to < e->from || e->to > room)
		UM_TRY(bad(path, e->name, "its data lie outside the file"));
	UM_TRY(read_shape(path, json_object_get(j, "shape"), e, &count));
	if (count * e->as->size != e->to - e->from)
		UM_TRY(bad(path, e->name, "its shape does not fit its data"));
out:
	return st;
}

static int by_place(const void *a, const void *b)
{
	const entry *x = *(entry *const *)a, *y = *(entry *const *)b;
	if (x->from != y->from)
		return x->from < y->from ? -1 : 1;
	return (x->to > y->to) - (x->to < y->to);
}

/* Each tensor begins where the one before ended, and the last one ends with the file. */
static um_status check_places(const char *path, const entry *e, int n, int64_t room)
{
	um_status st = UM_OK;
	int64_t at = 0;
	const entry **order = um_new(sizeof(*order) * (size_t)(n + 1));
	for (int i = 0; i < n; i++)
		order[i] = &e[i];
	qsort(order, (size_t)n, sizeof(*order), by_place);
	for (int i = 0; i < n; i++) {
		if (order[i]->from < at)
			UM_TRY(um_fail(UM_EDATA, "%s: %s: its data overlap those of %s", path, order[i]->name,
				order[i - 1]->name));
		if (order[i]->from > at)
			UM_TRY(um_fail(UM_EDATA, "%s: %s: %" PRId64 " bytes before its data belong to no tensor", path,
				order[i]->name, order[i]->from - at));
		at = order[i]->to;
	}
	if (at != room)
		UM_TRY(um_fail(UM_EDATA, "%s: %" PRId64 " bytes after the data belong to no tensor", path,
			room - at));
out:
	free(order);
	return st;
}

static um_status read_data(const char *data, const entry *e, um_tensors *t)
{
	um_array a;
	um_status st = um_array_new(&a, e->as->type, e->rank, e->dim);
	if (st != UM_OK)
		return um_context(st, "%s", e->name);
	if (e->as->to == NULL)
		memcpy(a.data, data + e->from, (size_t)(e->to - e->from));
	for (int64_t i = 0; e->as->to != NULL && i < (e->to - e->from) / 2; i++) {
		uint16_t h;
		memcpy(&h, data + e->from + 2 * i, sizeof(h));
		((float *)a.data)[i] = e->as->to(h);
	}
	um_tensors_take(t, e->name, a);
	return UM_OK;
}

static um_status read_notes(const char *path, json_t *meta, um_tensors *t)
{
	const char *key;
	json_t *value;
	if (!json_is_object(meta))
		return bad(path, UM_TENSORS_META, "not an object of texts");
	json_object_foreach(meta, key, value) {
		if (!json_is_string(value))
			return um_fail(UM_EDATA, "%s: the note '%s' is not a text", path, key);
		um_tensors_push_note(t, key, json_string_value(value));
	}
	return UM_OK;
}

static um_status read_header(const char *path, const char *file, size_t size, size_t *n, json_t **h)
{
	uint64_t length = 0;
	json_error_t error;
	if (size >= 8)
		memcpy(&length, file, sizeof(length));
	if (size < 8 || length > size - 8 || length > UM_TENSORS_HEADER)
		return bad(path, "", "not a safetensors file (the header's length is wrong)");
	*n = (size_t)length;
	*h = json_loadb(file + 8, *n, JSON_REJECT_DUPLICATES, &error);
	if (*h == NULL && json_error_code(&error) == json_error_duplicate_key)
		return um_fail(UM_EDATA, "%s: the header has a name twice (%s)", path, error.text);
	if (!json_is_object(*h) || file[8] != '{')
		return bad(path, "", "not a safetensors file (the header is no JSON object)");
	return UM_OK;
}

um_status um_tensors_read(const char *path, um_tensors *t)
{
	um_status st = UM_OK;
	char *file = NULL;
	size_t size = 0, n = 0;
	json_t *h = NULL, *j;
	entry *e = NULL;
	const char *name;
	int count = 0;
	*t = (um_tensors){ 0 };
	UM_TRY(um_file_get(path, &file, &size));
	UM_TRY(read_header(path, file, size, &n, &h));
	const int64_t room = (int64_t)(size - 8 - n);
	e = um_new(sizeof(*e) * (json_object_size(h) + 1));
	json_object_foreach(h, name, j) {
		if (strcmp(name, UM_TENSORS_META) == 0) {
			UM_TRY(read_notes(path, j, t));
		} else {
			e[count].name = name;
			UM_TRY(read_entry(path, j, room, &e[count++]));
		}
	}
	UM_TRY(check_places(path, e, count, room));
	for (int i = 0; i < count; i++)
		UM_TRY(read_data(file + 8 + n, &e[i], t));
out:
	if (st != UM_OK)
		um_tensors_free(t);
	free(e);
	json_decref(h);
	free(file);
	return st;
}
