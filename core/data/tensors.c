/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The safetensors format: u64 header length, JSON {name: {dtype, shape, data_offsets}},
 * then the data, without gaps. https://github.com/huggingface/safetensors, "Format".
 * Stored types here: F32, F64, I64; hosts are little-endian. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <umbra/tensors.h>
#include "base/file.h"
#include "base/mem.h"

static const struct { const char *name; um_dtype type; int64_t size; } types[] = {
	{ "F32", UM_F32, 4 }, { "F64", UM_F64, 8 }, { "I64", UM_I64, 8 },
};
enum { NTYPES = sizeof(types) / sizeof(*types), HEADER_MOST = 100 << 20 };

static int type_index(um_dtype type)
{
	int i = 0;
	while (i < NTYPES - 1 && types[i].type != type)
		i++;
	return i;
}

/* Takes a. */
static void append(um_tensors *t, const char *name, um_array a)
{
	t->name = um_grow(t->name, sizeof(*t->name) * (size_t)(t->n + 1));
	t->array = um_grow(t->array, sizeof(*t->array) * (size_t)(t->n + 1));
	t->name[t->n] = um_strdup(name);
	t->array[t->n++] = a;
}

um_status um_tensors_add(um_tensors *t, const char *name, const um_array *a)
{
	um_status st = UM_OK;
	um_array copy = { 0 };
	if (um_tensors_get(t, name) != NULL)
		UM_TRY(um_fail(UM_EARG, "two tensors have the name '%s'", name));
	UM_TRY(um_array_new(&copy, a->dtype, a->rank, a->dim));
	UM_TRY(um_array_copy(&copy, a));
	append(t, name, copy);
	return UM_OK;
out:
	um_array_free(&copy);
	return st;
}

void um_tensors_note(um_tensors *t, const char *key, const char *value)
{
	for (int i = 0; i < t->nmeta; i++)
		if (strcmp(t->key[i], key) == 0) {
			free(t->value[i]);
			t->value[i] = um_strdup(value);
			return;
		}
	t->key = um_grow(t->key, sizeof(*t->key) * (size_t)(t->nmeta + 1));
	t->value = um_grow(t->value, sizeof(*t->value) * (size_t)(t->nmeta + 1));
	t->key[t->nmeta] = um_strdup(key);
	t->value[t->nmeta++] = um_strdup(value);
}

const um_array *um_tensors_get(const um_tensors *t, const char *name)
{
	for (int i = 0; i < t->n; i++)
		if (strcmp(t->name[i], name) == 0)
			return &t->array[i];
	return NULL;
}

const char *um_tensors_meta(const um_tensors *t, const char *key)
{
	for (int i = 0; i < t->nmeta; i++)
		if (strcmp(t->key[i], key) == 0)
			return t->value[i];
	return NULL;
}

void um_tensors_free(um_tensors *t)
{
	for (int i = 0; i < t->n; i++) {
		free(t->name[i]);
		um_array_free(&t->array[i]);
	}
	for (int i = 0; i < t->nmeta; i++) {
		free(t->key[i]);
		free(t->value[i]);
	}
	free(t->name);
	free(t->array);
	free(t->key);
	free(t->value);
	*t = (um_tensors){ 0 };
}

/* ---- writing ----------------------------------------------------------------- */

static json_t *header(const um_tensors *t)
{
	json_t *h = json_object(), *meta = json_object();
	int64_t at = 0;
	for (int i = 0; i < t->nmeta; i++)
		json_object_set_new(meta, t->key[i], json_string(t->value[i]));
	if (t->nmeta > 0)
		json_object_set(h, "__metadata__", meta);
	json_decref(meta);
	for (int i = 0; i < t->n; i++) {
		const um_array *a = &t->array[i];
		int k = type_index(a->dtype);
		json_t *shape = json_array();
		for (int d = 0; d < a->rank; d++)
			json_array_append_new(shape, json_integer(a->dim[d]));
		int64_t end = at + um_array_len(a) * types[k].size;
		json_object_set_new(h, t->name[i], json_pack("{s:s, s:o, s:[I, I]}", "dtype", types[k].name,
			"shape", shape, "data_offsets", (json_int_t)at, (json_int_t)end));
		at = end;
	}
	return h;
}

um_status um_tensors_write(const char *path, const um_tensors *t)
{
	json_t *h = header(t);
	char *text = json_dumps(h, JSON_COMPACT);
	size_t len = strlen(text), padded = (len + 7) / 8 * 8;
	uint64_t n = padded;
	char *temp = um_file_begin(path);
	FILE *f = fopen(temp, "w");
	bool ok = f != NULL && fwrite(&n, sizeof(n), 1, f) == 1 && fwrite(text, 1, len, f) == len;
	for (size_t i = len; ok && i < padded; i++)
		ok = fputc(' ', f) != EOF;
	for (int i = 0; ok && i < t->n; i++) {
		size_t bytes = (size_t)(um_array_len(&t->array[i]) * types[type_index(t->array[i].dtype)].size);
		ok = fwrite(t->array[i].data, 1, bytes, f) == bytes;
	}
	ok = f != NULL && fclose(f) == 0 && ok;
	um_status st = um_file_commit(temp, path, ok ? UM_OK : um_fail(UM_EIO, "%s: cannot be written", temp));
	free(temp);
	free(text);
	json_decref(h);
	return st;
}

/* ---- reading ------------------------------------------------------------------ */

static um_status bad(const char *path, const char *name, const char *what)
{
	return um_fail(UM_EDATA, "%s: %s%s%s", path, name, *name ? ": " : "", what);
}

static um_status read_shape(const char *path, const char *name, const json_t *shape, um_array *a)
{
	int64_t dim[UM_MAXRANK] = { 1 }, rank = (int64_t)json_array_size(shape);
	if (!json_is_array(shape) || rank > UM_MAXRANK)
		return bad(path, name, "the shape is not a list of at most 8 sizes");
	for (int64_t i = 0; i < rank; i++) {
		const json_t *d = json_array_get(shape, (size_t)i);
		if (!json_is_integer(d) || json_integer_value(d) < 0)
			return bad(path, name, "a size is not a whole number");
		dim[i] = json_integer_value(d);
	}
	return um_array_new(a, a->dtype, rank > 0 ? (int)rank : 1, dim);
}

static um_status read_one(const char *path, const char *name, const json_t *entry, const char *data,
	int64_t room, um_tensors *t)
{
	um_status st = UM_OK;
	um_array a = { 0 };
	const char *dtype = json_string_value(json_object_get(entry, "dtype"));
	const json_t *span = json_object_get(entry, "data_offsets");
	int k = 0;
	while (k < NTYPES && (dtype == NULL || strcmp(types[k].name, dtype) != 0))
		k++;
	if (k == NTYPES)
		UM_TRY(bad(path, name, "its type is none of F32, F64, I64"));
	int64_t from = json_integer_value(json_array_get(span, 0)), to = json_integer_value(json_array_get(span, 1));
	if (from < 0 || to < from || to > room)
		UM_TRY(bad(path, name, "its data lie outside the file"));
	/* the size is checked before anything is allocated by it */
	int64_t count = 1;
	size_t i;
	json_t *d;
	json_array_foreach(json_object_get(entry, "shape"), i, d) {
		int64_t v = json_integer_value(d);
		if (v < 0 || (v > 0 && count > INT64_MAX / 16 / v))
			UM_TRY(bad(path, name, "its shape is larger than the file"));
		count *= v;
	}
	if (count * types[k].size != to - from)
		UM_TRY(bad(path, name, "its shape does not fit its data"));
	um_dtype type = types[k].type;
	a.dtype = type;
	UM_TRY(read_shape(path, name, json_object_get(entry, "shape"), &a));
	memcpy(a.data, data + from, (size_t)(to - from));
	append(t, name, a);
	return UM_OK;
out:
	um_array_free(&a);
	return st;
}

um_status um_tensors_read(const char *path, um_tensors *t)
{
	um_status st = UM_OK;
	char *file = NULL;
	size_t size = 0;
	uint64_t n = 0;
	json_t *h = NULL, *entry;
	const char *name;
	*t = (um_tensors){ 0 };
	UM_TRY(um_file_get(path, &file, &size));
	if (size >= 8)
		memcpy(&n, file, sizeof(n));
	if (size < 8 || n > size - 8 || n > HEADER_MOST)
		UM_TRY(bad(path, "", "not a safetensors file (the header's length is wrong)"));
	json_error_t error;
	h = json_loadb(file + 8, (size_t)n, JSON_REJECT_DUPLICATES, &error);
	if (!json_is_object(h))
		UM_TRY(bad(path, "", "not a safetensors file (the header is no JSON object)"));
	json_object_foreach(h, name, entry) {
		const char *key;
		json_t *value;
		if (strcmp(name, "__metadata__") == 0) {
			json_object_foreach(entry, key, value)
				if (json_is_string(value))
					um_tensors_note(t, key, json_string_value(value));
		} else {
			UM_TRY(read_one(path, name, entry, file + 8 + n, (int64_t)(size - 8 - n), t));
		}
	}
out:
	if (st != UM_OK)
		um_tensors_free(t);
	json_decref(h);
	free(file);
	return st;
}
