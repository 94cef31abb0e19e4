/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Sets of named arrays, and how they are written: the safetensors format is a u64 header length,
 * JSON {name: {dtype, shape, data_offsets}}, then the data, without gaps. Hosts are little-endian.
 * https://github.com/huggingface/safetensors, "Format". */
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/file.h"
#include "base/half.h"
#include "base/mem.h"
#include "data/tensors.h"

const um_stored um_stored_types[UM_STORED_TYPES] = {
	{ "F64", UM_F64, 8, NULL, NULL },
	{ "I64", UM_I64, 8, NULL, NULL },
	{ "F32", UM_F32, 4, NULL, NULL },
	{ "F16", UM_F32, 2, um_f16_to_float, um_f16_from_float },
	{ "BF16", UM_F32, 2, um_bf16_to_float, um_bf16_from_float },
};

void um_tensors_take(um_tensors *t, const char *name, um_array a)
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
	um_tensors_take(t, name, copy);
	return UM_OK;
out:
	um_array_free(&copy);
	return st;
}

void um_tensors_push_note(um_tensors *t, const char *key, const char *value)
{
	t->key = um_grow(t->key, sizeof(*t->key) * (size_t)(t->nmeta + 1));
	t->value = um_grow(t->value, sizeof(*t->value) * (size_t)(t->nmeta + 1));
	t->key[t->nmeta] = um_strdup(key);
	t->value[t->nmeta++] = um_strdup(value);
}

void um_tensors_note(um_tensors *t, const char *key, const char *value)
{
	int i = 0;
	while (i < t->nmeta && strcmp(t->key[i], key) != 0)
		i++;
	if (i == t->nmeta) {
		um_tensors_push_note(t, key, value);
	} else {
		free(t->value[i]);
		t->value[i] = um_strdup(value);
	}
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

static const um_stored *stored_as(const um_array *a, um_store store)
{
	int i = 0;
	if (a->dtype == UM_F32 && store != UM_STORE_SAME)
		return &um_stored_types[store == UM_STORE_F16 ? 3 : 4];
	while (i < 2 && um_stored_types[i].type != a->dtype)
		i++;
	return &um_stored_types[i];
}

/* The next entry of the header; its data begin at *at, which moves behind them. */
static um_status add_entry(json_t *h, const char *name, const um_array *a, const um_stored *as, int64_t *at)
{
	json_t *shape = json_array();
	for (int d = 0; d < a->rank; d++)
		json_array_append_new(shape, json_integer(a->dim[d]));
	int64_t from = *at;
	*at += um_array_len(a) * as->size;
	json_t *entry = json_pack("{s:s, s:o, s:[I, I]}", "dtype", as->name, "shape", shape, "data_offsets",
		(json_int_t)from, (json_int_t)*at);
	const bool taken = strcmp(name, UM_TENSORS_META) == 0;
	if (json_object_set_new(h, name, entry) != 0 || taken)
		return um_fail(UM_EARG, "a tensor cannot have the name '%s'", name);
	return UM_OK;
}

/* Tensors are in the order of order[], which puts large elements first, so that each is aligned. */
static um_status make_header(const um_tensors *t, const int *order, char **text)
{
	um_status st = UM_OK;
	json_t *h = json_object(), *meta = json_object();
	int64_t at = 0;
	for (int i = 0; i < t->nmeta; i++)
		if (json_object_set_new(meta, t->key[i], json_string(t->value[i])) != 0)
			UM_TRY(um_fail(UM_EARG, "the note '%s' is not UTF-8 text", t->key[i]));
	if (t->nmeta > 0)
		json_object_set(h, UM_TENSORS_META, meta);
	for (int k = 0; k < t->n; k++) {
		const um_array *a = &t->array[order[k]];
		UM_TRY(add_entry(h, t->name[order[k]], a, stored_as(a, t->store), &at));
	}
	*text = json_dumps(h, JSON_COMPACT);
	if (*text == NULL || strlen(*text) > UM_TENSORS_HEADER - 8)
		UM_TRY(um_fail(UM_EARG, "the names of %d tensors do not fit a header", t->n));
out:
	json_decref(meta);
	json_decref(h);
	return st;
}

static int *by_size(const um_tensors *t)
{
	int *order = um_new(sizeof(*order) * (size_t)(t->n + 1)), k = 0;
	for (int64_t size = 8; size > 0; size /= 2)
		for (int i = 0; i < t->n; i++)
			if (stored_as(&t->array[i], t->store)->size == size)
				order[k++] = i;
	return order;
}

static um_status put(FILE *f, const char *path, const void *data, size_t bytes)
{
	if (bytes > 0 && fwrite(data, 1, bytes, f) != bytes)
		return um_fail(UM_EIO, "%s: cannot be written", path);
	return UM_OK;
}

static um_status put_rounded(FILE *f, const char *path, const char *name, const um_array *a, const um_stored *as)
{
	um_status st = UM_OK;
	uint16_t part[2048];
	const float *x = a->data;
	int64_t n = um_array_len(a);
	size_t k = 0;
	for (int64_t i = 0; i < n; i++) {
		part[k++] = as->from(x[i]);
		if (isfinite(x[i]) && !isfinite(as->to(part[k - 1])))
			UM_TRY(um_fail(UM_ENUM, "%s: %s: %g is too large for %s", path, name, (double)x[i], as->name));
		if (k == sizeof(part) / sizeof(*part) || i == n - 1) {
			UM_TRY(put(f, path, part, sizeof(*part) * k));
			k = 0;
		}
	}
out:
	return st;
}

static um_status put_all(FILE *f, const char *path, const um_tensors *t, const int *order, const char *text)
{
	um_status st = UM_OK;
	const size_t len = strlen(text), pad = (8 - len % 8) % 8;
	const uint64_t n = len + pad;
	UM_TRY(put(f, path, &n, sizeof(n)));
	UM_TRY(put(f, path, text, len));
	UM_TRY(put(f, path, "        ", pad));
	for (int k = 0; k < t->n; k++) {
		const um_array *a = &t->array[order[k]];
		const um_stored *as = stored_as(a, t->store);
		if (as->from != NULL)
			UM_TRY(put_rounded(f, path, t->name[order[k]], a, as));
		else
			UM_TRY(put(f, path, a->data, (size_t)(um_array_len(a) * as->size)));
	}
out:
	return st;
}

um_status um_tensors_write(const char *path, const um_tensors *t)
{
	um_status st = UM_OK;
	char *text = NULL, *temp = NULL;
	int *order = by_size(t);
	UM_TRY(make_header(t, order, &text));
	temp = um_file_begin(path);
	FILE *f = fopen(temp, "w");
	st = f == NULL ? um_fail(UM_EIO, "%s: cannot be written", temp) : put_all(f, temp, t, order, text);
	if (f != NULL && fclose(f) != 0 && st == UM_OK)
		st = um_fail(UM_EIO, "%s: cannot be written", temp);
	st = um_file_commit(temp, path, st);
out:
	free(temp);
	free(text);
	free(order);
	return st;
}
