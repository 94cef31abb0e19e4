/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Memory of the conformance battery between two pages that nobody may touch: a plugin that writes far
 * outside of an array ends there, and one that writes close by is found by the bytes around it. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include "base/mem.h"
#include "host/conform.h"

enum { MARK = 0xA5, ALIGN = 64 }; /* arrays begin where um_array_new would put them */

/* first page | marks | data | marks, at least ALIGN of them | last page */
struct guarded {
	char *map, *data;
	size_t mapped, bytes, page;
};

void *conform_guarded(struct fixture *f, size_t bytes)
{
	const size_t page = (size_t)sysconf(_SC_PAGESIZE);
	const size_t behind = (bytes + ALIGN - 1) / ALIGN * ALIGN + ALIGN; /* from the data to the last page */
	const size_t inner = (behind + page - 1) / page * page, mapped = inner + 2 * page;
	void *map = NULL;
	if (posix_memalign(&map, page, mapped) != 0)
		map = NULL;
	f->guarded = um_grow(f->guarded, sizeof(*f->guarded) * (size_t)(f->nguarded + 1));
	struct guarded *g = &f->guarded[f->nguarded];
	*g = (struct guarded){ .map = map, .mapped = mapped, .bytes = bytes, .page = page };
	if (map == NULL)
		return um_new(bytes); /* it cannot be; then nothing is guarded */
	f->nguarded++;
	memset(g->map, MARK, mapped);
	g->data = g->map + page + inner - behind;
	mprotect(g->map, page, PROT_NONE);
	mprotect(g->map + page + inner, page, PROT_NONE);
	return g->data;
}

static um_status look(const struct guarded *g)
{
	const unsigned char *data = (unsigned char *)g->data;
	const unsigned char *to = (unsigned char *)g->map + g->mapped - g->page;
	for (const unsigned char *p = (unsigned char *)g->map + g->page; p < to; p++)
		if ((p < data || p >= data + g->bytes) && *p != MARK)
			return um_fail(UM_EPLUGIN, "it wrote outside of its arrays: at byte %lld of one of %zu bytes",
				(long long)(p - data), g->bytes);
	return UM_OK;
}

um_status conform_unharmed(const struct fixture *f)
{
	um_status st = UM_OK;
	for (int i = 0; i < f->nguarded && st == UM_OK; i++)
		st = look(&f->guarded[i]);
	return st;
}

void conform_release(struct fixture *f)
{
	for (int i = 0; i < f->nguarded; i++) {
		mprotect(f->guarded[i].map, f->guarded[i].mapped, PROT_READ | PROT_WRITE);
		free(f->guarded[i].map);
	}
	for (int i = 0; i < f->npool; i++)
		free(f->memory[i]);
	free(f->guarded);
	free(f->memory);
	f->guarded = NULL;
	f->memory = NULL;
	f->nguarded = f->npool = 0;
}
