/* SPDX-License-Identifier: GPL-3.0-or-later */
/* oneDNN (C interface, 2.6) for kernels: a primitive made once, with what each lane needs to run it
 * beside the others. Its working memory comes from the caller (user scratchpad mode). */
#ifndef UMBRA_NN_DNNL_H
#define UMBRA_NN_DNNL_H

#include <stdbool.h>
#include <stdint.h>
#include <oneapi/dnnl/dnnl.h>
#include <umbra/status.h>
#include "nn/node.h"

enum { UM_DNNL_ARGS = 3 };

typedef struct um_dnnl um_dnnl;

/* UM_OK, or what oneDNN would not do. */
UM_USED um_status um_dnnl_check(dnnl_status_t s, const char *what);

/* Whether products of bfloat16 go through the tiles of the processor. */
bool um_dnnl_has_tiles(void);

/* Arrays of a type with this rank, dims and format. */
dnnl_memory_desc_t um_dnnl_md(dnnl_data_type_t type, int rank, const int64_t dim[], dnnl_format_tag_t tag);
dnnl_memory_desc_t um_dnnl_strided(dnnl_data_type_t type, int rank, const int64_t dim[],
	const int64_t stride[]);
/* The type of the numbers of a node in programs of float32. */
dnnl_data_type_t um_dnnl_type(const um_node *n);
bool um_dnnl_same(const dnnl_memory_desc_t *a, const dnnl_memory_desc_t *b);

/* oneDNN plans for, and runs with, so many threads from now on in this thread; returns the number
 * before. */
int um_dnnl_plan_threads(int threads);

/* The best implementation of an operation; add: the result is added to what is there. hint: of the
 * forward operation, for backward ones, or NULL. */
UM_USED um_status um_dnnl_pd(const_dnnl_op_desc_t op, bool add, const_dnnl_primitive_desc_t hint,
	dnnl_primitive_desc_t *pd);
/* The layout that it chose for an argument (DNNL_ARG_...). */
dnnl_memory_desc_t um_dnnl_pd_md(const_dnnl_primitive_desc_t pd, int arg);

/* A primitive whose k-th array is argument args[k]. pd stays the caller's. */
UM_USED um_status um_dnnl_new(const_dnnl_primitive_desc_t pd, int lanes, int nargs, const int args[],
	um_dnnl **out);
/* Array 0 is copied into array 1, which has another layout, or added to it. */
UM_USED um_status um_dnnl_reorder(const dnnl_memory_desc_t *from, const dnnl_memory_desc_t *to, bool add,
	int lanes, um_dnnl **out);
void um_dnnl_free(um_dnnl *p);

int64_t um_dnnl_scratch(const um_dnnl *p); /* bytes; 0 for NULL */
const char *um_dnnl_name(const um_dnnl *p); /* what oneDNN calls its implementation */
/* Array k lies there in every lane from now on. */
UM_USED um_status um_dnnl_fix(um_dnnl *p, int k, void *data);
/* data[k] is where array k lies now; NULL: where it did last. */
UM_USED um_status um_dnnl_run(um_dnnl *p, int lane, const void *const data[], void *scratch);

#endif
