/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Checkpoints: a safetensors file with a checksum of all that it holds, and the one before it, from
 * which work goes on where the last one turns out to be damaged. */
#include <nettle/sha2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/file.h"
#include "base/mem.h"
#include "pipeline/checkpoint.h"

#define SUM "sha256"

static char *path_of(const char *folder, bool previous)
{
	return um_format("%s/checkpoint%s.safetensors", folder, previous ? ".previous" : "");
}

static void add_text(struct sha256_ctx *ctx, const char *text)
{
	sha256_update(ctx, strlen(text) + 1, (const uint8_t *)text);
}

typedef struct item { const char *name; int index; } item;

static int by_name(const void *a, const void *b)
{
	return strcmp(((const item *)a)->name, ((const item *)b)->name);
}

/* Names in order, since a file lists tensors by their sizes. Free the result. */
static item *in_order(char *const *names, int n)
{
	item *order = um_new(sizeof(*order) * (size_t)(n + 1));
	for (int i = 0; i < n; i++)
		order[i] = (item){ names[i], i };
	qsort(order, (size_t)n, sizeof(*order), by_name);
	return order;
}

/* Of all tensors, with names and shapes, and all notes but the sum itself. */
static void checksum(const um_tensors *t, char hex[2 * SHA256_DIGEST_SIZE + 1])
{
	struct sha256_ctx ctx;
	uint8_t digest[SHA256_DIGEST_SIZE];
	item *order = in_order(t->name, t->n), *notes = in_order(t->key, t->nmeta);
	sha256_init(&ctx);
	for (int i = 0; i < t->n; i++) {
		const um_array *a = &t->array[order[i].index];
		add_text(&ctx, order[i].name);
		sha256_update(&ctx, sizeof(*a->dim) * (size_t)a->rank, (const uint8_t *)a->dim);
		sha256_update(&ctx, (size_t)um_array_len(a) * (a->dtype == UM_F32 ? 4 : 8), a->data);
	}
	for (int i = 0; i < t->nmeta; i++)
		if (strcmp(notes[i].name, SUM) != 0) {
			add_text(&ctx, notes[i].name);
			add_text(&ctx, t->value[notes[i].index]);
		}
	sha256_digest(&ctx, sizeof(digest), digest);
	for (int i = 0; i < SHA256_DIGEST_SIZE; i++)
		snprintf(hex + 2 * i, 3, "%02x", digest[i]);
	free(order);
	free(notes);
}

um_status um_checkpoint_write(const char *folder, um_tensors *t)
{
	char hex[2 * SHA256_DIGEST_SIZE + 1];
	char *path = path_of(folder, false), *previous = path_of(folder, true);
	checksum(t, hex);
	um_tensors_note(t, SUM, hex);
	if (um_file_exists(path)) {
		unlink(previous);
		if (link(path, previous) != 0) /* not every file system has links */
			(void)rename(path, previous);
	}
	um_status st = um_tensors_write(path, t);
	free(path);
	free(previous);
	return st;
}

/* The trace that belongs to a checkpoint is at least as long as it was then. */
static bool has_trace(const char *folder, const um_tensors *t)
{
	char *path = um_format("%s/trace.csv", folder);
	struct stat s;
	const double want = um_checkpoint_number(t, "trace_bytes");
	const bool is = want == 0 || (stat(path, &s) == 0 && (double)s.st_size >= want);
	free(path);
	return is;
}

static um_status read_one(const char *folder, const char *path, um_tensors *t)
{
	char hex[2 * SHA256_DIGEST_SIZE + 1];
	um_status st = um_tensors_read(path, t);
	if (st != UM_OK)
		return st;
	const char *sum = um_tensors_meta(t, SUM);
	checksum(t, hex);
	if (sum == NULL || strcmp(sum, hex) != 0)
		st = um_fail(UM_EDATA, "%s: its checksum is wrong", path);
	else if (!has_trace(folder, t))
		st = um_fail(UM_EDATA, "%s/trace.csv: shorter than when %s was written", folder, path);
	if (st != UM_OK)
		um_tensors_free(t);
	return st;
}

bool um_checkpoint_read(const char *folder, um_tensors *t, char **complaint)
{
	char *path = path_of(folder, false), *previous = path_of(folder, true), *why = NULL;
	const bool any = um_file_exists(path);
	bool found = any && read_one(folder, path, t) == UM_OK;
	if (any && !found)
		why = um_strdup(um_message());
	if (!found && um_file_exists(previous)) {
		found = read_one(folder, previous, t) == UM_OK;
		if (found) /* or the next checkpoint would take its place */
			(void)rename(previous, path);
	}
	if (why != NULL)
		*complaint = um_format("%s; going on %s", why, found ? "from the checkpoint before it" : "from the beginning");
	free(why);
	free(path);
	free(previous);
	return found;
}

double um_checkpoint_number(const um_tensors *t, const char *key)
{
	const char *text = um_tensors_meta(t, key);
	return text != NULL ? strtod(text, NULL) : 0;
}

double um_checkpoint_seconds(const char *folder)
{
	um_tensors t = { 0 };
	char *complaint = NULL;
	const double seconds = um_checkpoint_read(folder, &t, &complaint) ? um_checkpoint_number(&t, "seconds") : 0;
	if (complaint != NULL)
		um_log(UM_WARN, "%s", complaint);
	um_tensors_free(&t);
	free(complaint);
	return seconds;
}

void um_checkpoint_remove(const char *folder)
{
	for (int previous = 1; previous >= 0; previous--) {
		char *path = path_of(folder, previous != 0);
		unlink(path);
		free(path);
	}
}
