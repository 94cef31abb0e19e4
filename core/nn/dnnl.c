/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Primitives of oneDNN with one stream and one set of memory objects a lane, so that several lanes
 * run one primitive at once and nothing is made while running. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#ifdef _OPENMP
#include <omp.h>
#endif
#include "base/isa.h"
#include "base/mem.h"
#include "nn/dnnl.h"

typedef struct lane {
	dnnl_stream_t stream;
	dnnl_exec_arg_t arg[UM_DNNL_ARGS + 1]; /* the last: working memory, if any */
	const void *at[UM_DNNL_ARGS + 1];
} lane;

struct um_dnnl {
	dnnl_primitive_t primitive;
	int nargs, lanes;
	int64_t scratch;
	char name[64];
	lane *lane;
};

um_status um_dnnl_check(dnnl_status_t s, const char *what)
{
	if (s == dnnl_success)
		return UM_OK;
	return um_fail(s == dnnl_out_of_memory ? UM_ENOMEM : UM_EARG, "%s: oneDNN: %s", what,
		s == dnnl_out_of_memory ? "out of memory" :
		s == dnnl_unimplemented ? "not implemented for these shapes" : "wrong arguments");
}

/* The processor, as oneDNN calls it: no state, made once, shared by every program, never released,
 * because primitives that oneDNN keeps for reuse refer to it. */
static dnnl_engine_t processor;
static dnnl_status_t processor_status;
static pthread_once_t processor_once = PTHREAD_ONCE_INIT;

static void make_processor(void)
{
	static const dnnl_cpu_isa_t most[] = { [UM_ISA_BASE] = dnnl_cpu_isa_sse41,
		[UM_ISA_AVX2] = dnnl_cpu_isa_avx2, [UM_ISA_AVX512] = dnnl_cpu_isa_avx512_core };
	if (um_isa_now() < UM_ISA_AMX)
		(void)dnnl_set_max_cpu_isa(most[um_isa_now()]); /* refused once oneDNN is in use: no harm */
	processor_status = dnnl_engine_create(&processor, dnnl_cpu, 0);
}

static um_status engine(dnnl_engine_t *e)
{
	pthread_once(&processor_once, make_processor);
	*e = processor;
	return um_dnnl_check(processor_status, "processor");
}

bool um_dnnl_has_tiles(void)
{
	dnnl_engine_t e;
	return engine(&e) == UM_OK && (dnnl_get_effective_cpu_isa() &
		dnnl_cpu_isa_avx512_core_amx) == dnnl_cpu_isa_avx512_core_amx;
}

dnnl_data_type_t um_dnnl_type(const um_node *n)
{
	return n->number == UM_NUMBER_BF16 ? dnnl_bf16 : dnnl_f32;
}

dnnl_memory_desc_t um_dnnl_md(dnnl_data_type_t type, int rank, const int64_t dim[], dnnl_format_tag_t tag)
{
	dnnl_memory_desc_t md = { 0 };
	(void)dnnl_memory_desc_init_by_tag(&md, rank, dim, type, tag); /* wrong ones fail in um_dnnl_pd */
	return md;
}

dnnl_memory_desc_t um_dnnl_strided(dnnl_data_type_t type, int rank, const int64_t dim[],
	const int64_t stride[])
{
	dnnl_memory_desc_t md = { 0 };
	(void)dnnl_memory_desc_init_by_strides(&md, rank, dim, type, stride);
	return md;
}

bool um_dnnl_same(const dnnl_memory_desc_t *a, const dnnl_memory_desc_t *b)
{
	return dnnl_memory_desc_equal(a, b) != 0;
}

int um_dnnl_plan_threads(int threads)
{
#ifdef _OPENMP
	int before = omp_get_max_threads();
	omp_set_num_threads(threads);
	return before;
#else
	return threads; /* oneDNN plans for its own default then */
#endif
}

/* Working memory from the caller; the sum as a last step where asked. */
static um_status attributes(bool add, dnnl_primitive_attr_t *attr)
{
	dnnl_post_ops_t sum = NULL;
	dnnl_status_t s = dnnl_primitive_attr_create(attr);
	if (s == dnnl_success)
		s = dnnl_primitive_attr_set_scratchpad_mode(*attr, dnnl_scratchpad_mode_user);
	if (s == dnnl_success && add) {
		s = dnnl_post_ops_create(&sum);
		if (s == dnnl_success)
			s = dnnl_post_ops_append_sum(sum, 1);
		if (s == dnnl_success)
			s = dnnl_primitive_attr_set_post_ops(*attr, sum);
		dnnl_post_ops_destroy(sum);
	}
	return um_dnnl_check(s, "attributes");
}

um_status um_dnnl_pd(const_dnnl_op_desc_t op, bool add, const_dnnl_primitive_desc_t hint,
	dnnl_primitive_desc_t *pd)
{
	um_status st = UM_OK;
	dnnl_engine_t e;
	dnnl_primitive_attr_t attr = NULL;
	*pd = NULL;
	UM_TRY(engine(&e));
	UM_TRY(attributes(add, &attr));
	UM_TRY(um_dnnl_check(dnnl_primitive_desc_create(pd, op, attr, e, hint), "primitive"));
out:
	dnnl_primitive_attr_destroy(attr);
	return st;
}

dnnl_memory_desc_t um_dnnl_pd_md(const_dnnl_primitive_desc_t pd, int arg)
{
	const dnnl_memory_desc_t *md = dnnl_primitive_desc_query_md(pd, dnnl_query_exec_arg_md, arg);
	return md != NULL ? *md : (dnnl_memory_desc_t){ 0 };
}

static um_status lane_new(lane *l, dnnl_engine_t e, const_dnnl_primitive_desc_t pd, int nargs,
	const int args[])
{
	dnnl_status_t s = dnnl_stream_create(&l->stream, e, dnnl_stream_default_flags);
	for (int k = 0; s == dnnl_success && k < nargs; k++) {
		dnnl_memory_desc_t md = um_dnnl_pd_md(pd, args[k]);
		l->arg[k].arg = args[k];
		s = dnnl_memory_create(&l->arg[k].memory, &md, e, DNNL_MEMORY_NONE);
	}
	return um_dnnl_check(s, "memory");
}

um_status um_dnnl_new(const_dnnl_primitive_desc_t pd, int lanes, int nargs, const int args[], um_dnnl **out)
{
	um_status st = UM_OK;
	dnnl_engine_t e;
	um_dnnl *p = um_new(sizeof(*p));
	dnnl_memory_desc_t work = um_dnnl_pd_md(pd, DNNL_ARG_SCRATCHPAD);
	int all[UM_DNNL_ARGS + 1];
	p->lanes = lanes;
	p->lane = um_new((size_t)lanes * sizeof(*p->lane));
	p->scratch = (int64_t)dnnl_memory_desc_get_size(&work);
	p->nargs = nargs + (p->scratch > 0);
	for (int k = 0; k < p->nargs; k++)
		all[k] = k < nargs ? args[k] : DNNL_ARG_SCRATCHPAD;
	const char *name = NULL;
	if (dnnl_primitive_desc_query(pd, dnnl_query_impl_info_str, 0, &name) == dnnl_success)
		snprintf(p->name, sizeof(p->name), "%s", name);
	UM_TRY(engine(&e));
	UM_TRY(um_dnnl_check(dnnl_primitive_create(&p->primitive, pd), "primitive"));
	for (int i = 0; i < lanes; i++)
		UM_TRY(lane_new(&p->lane[i], e, pd, p->nargs, all));
out:
	if (st != UM_OK) {
		um_dnnl_free(p);
		p = NULL;
	}
	*out = p;
	return st;
}

um_status um_dnnl_reorder(const dnnl_memory_desc_t *from, const dnnl_memory_desc_t *to, bool add, int lanes,
	um_dnnl **out)
{
	um_status st = UM_OK;
	dnnl_engine_t e;
	dnnl_primitive_attr_t attr = NULL;
	dnnl_primitive_desc_t pd = NULL;
	const int args[] = { DNNL_ARG_FROM, DNNL_ARG_TO };
	*out = NULL;
	UM_TRY(engine(&e));
	UM_TRY(attributes(add, &attr));
	UM_TRY(um_dnnl_check(dnnl_reorder_primitive_desc_create(&pd, from, e, to, e, attr), "reorder"));
	UM_TRY(um_dnnl_new(pd, lanes, 2, args, out));
out:
	dnnl_primitive_desc_destroy(pd);
	dnnl_primitive_attr_destroy(attr);
	return st;
}

void um_dnnl_free(um_dnnl *p)
{
	if (p == NULL)
		return;
	for (int i = 0; i < p->lanes; i++) {
		for (int k = 0; k < p->nargs; k++)
			dnnl_memory_destroy(p->lane[i].arg[k].memory);
		if (p->lane[i].stream != NULL)
			dnnl_stream_destroy(p->lane[i].stream);
	}
	if (p->primitive != NULL)
		dnnl_primitive_destroy(p->primitive);
	free(p->lane);
	free(p);
}

const char *um_dnnl_name(const um_dnnl *p)
{
	return p->name;
}

int64_t um_dnnl_scratch(const um_dnnl *p)
{
	return p != NULL ? p->scratch : 0;
}

/* Setting a pointer also clears the padding of blocked layouts: only where it changes. */
static dnnl_status_t point(lane *l, int k, const void *data)
{
	if (data == NULL || data == l->at[k])
		return dnnl_success;
	l->at[k] = data;
	return dnnl_memory_set_data_handle(l->arg[k].memory, (void *)(uintptr_t)data);
}

um_status um_dnnl_fix(um_dnnl *p, int k, void *data)
{
	dnnl_status_t s = dnnl_success;
	for (int i = 0; s == dnnl_success && i < p->lanes; i++)
		s = point(&p->lane[i], k, data);
	return um_dnnl_check(s, "memory");
}

um_status um_dnnl_run(um_dnnl *p, int lane_of_call, const void *const data[], void *scratch)
{
	lane *l = &p->lane[lane_of_call];
	int given = p->nargs - (p->scratch > 0);
	dnnl_status_t s = dnnl_success;
	for (int k = 0; s == dnnl_success && k < given; k++)
		s = point(l, k, data[k]);
	if (s == dnnl_success && p->scratch > 0)
		s = point(l, given, scratch);
	if (s == dnnl_success)
		s = dnnl_primitive_execute(p->primitive, l->stream, p->nargs, l->arg);
	return um_dnnl_check(s, "primitive");
}
