/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Runs programs: what depends on the weights when they changed, then either one step after the other
 * for the whole batch, or lanes that take images through all steps, one at a time or all of theirs. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/clock.h"
#include "base/mem.h"
#include "base/parallel.h"
#include "nn/compile.h"
#include "nn/dnnl.h"

/* What a step is called for: an image of a lane, or everything. */
typedef struct um_turn {
	int lane;
	int64_t image;         /* the first of the call; -1: the whole batch, or nothing batched */
	int64_t within;        /* its number in the chunk */
	int64_t first;         /* first image of the lane: sums are set there and added to later */
	uint64_t key;
} um_turn;

static char *address(um_program *p, const um_node *n, const um_turn *turn)
{
	um_slot *s = um_program_slot(p, n);
	char *base = s->base;
	if (base == NULL)
		base = (s->lane ? p->arena + p->shared_bytes + turn->lane * p->lane_bytes +
			turn->within * s->image : p->arena) + s->offset;
	return s->base != NULL && turn->image > 0 ? base + turn->image * s->image : base;
}

/* Where a step writes node n: sums over the batch have a place in each lane. */
static char *target(um_program *p, const um_node *n, const um_turn *turn)
{
	if (turn->image < 0 || turn->lane == 0 || !um_sums_batch(n))
		return address(p, n, turn);
	return p->sums[turn->lane] + p->fact[n->id].sum_at;
}

static bool adds(const um_node *n, const um_turn *turn)
{
	return turn->image > turn->first && um_sums_batch(n);
}

static void run_fused(um_program *p, um_step *s, const um_turn *turn)
{
	const um_fused *f = s->fused;
	um_fused_call c = { .size = p->size, .threads = s->threads };
	c.count = s->count;
	for (int k = 0; k < f->noperands; k++) {
		c.in[k] = address(p, f->operand[k].node, turn);
		c.in_image[k] = f->batched ? um_program_slot(p, f->operand[k].node)->image : 0;
	}
	for (int k = 0; k < f->nresults; k++) {
		c.out[k] = target(p, f->result[k].node, turn);
		c.out_image[k] = f->batched ? um_program_slot(p, f->result[k].node)->image : 0;
		c.add = turn->image > turn->first;
	}
	c.scratch = p->arena + s->scratch_at +
		(s->scratch_lane ? p->shared_bytes + turn->lane * p->lane_bytes : 0);
	um_fused_run(f, &c);
}

static um_call kernel_call(um_program *p, um_step *s, const um_turn *turn)
{
	const um_node *n = s->node;
	um_call c = { .node = n, .state = s->state, .size = p->size, .key = turn->key, .lane = turn->lane };
	c.count = s->count;
	for (int k = 0; k < n->nin; k++) {
		c.in[k] = address(p, n->in[k], turn);
		c.stride[k] = n->in[k]->batched ? um_node_len(n->in[k]) : 0;
	}
	c.out = target(p, n, turn);
	c.add = adds(n, turn);
	c.threads = s->threads;
	c.first = turn->image > 0 ? turn->image : 0;
	if (s->scratch > 0)
		c.scratch = p->arena + s->scratch_at +
			(s->scratch_lane ? p->shared_bytes + turn->lane * p->lane_bytes : 0);
	return c;
}

static um_status run_step(um_program *p, um_step *s, const um_turn *turn)
{
	um_status st = UM_OK;
	const bool timed = p->profiling && turn->lane == 0;
	const double begin = timed ? um_clock() : 0;
	if (s->fused != NULL) {
		run_fused(p, s, turn);
	} else {
		const um_call c = kernel_call(p, s, turn);
		st = s->node->op->run[p->precision](&c);
	}
	if (timed) {
		s->seconds += um_clock() - begin;
		s->calls++;
	}
	return st;
}

static um_status run_steps(um_program *p, int from, int to, const um_turn *turn)
{
	um_status st = UM_OK;
	for (int i = from; i < to; i++)
		UM_TRY(run_step(p, &p->step[i], turn));
out:
	return st;
}

/* ---- weights ---------------------------------------------------------------------------- */

static void widen(um_program *p)
{
	for (int i = 0; i < p->nnodes; i++) {
		const um_node *n = p->graph->node[i];
		if (n->op != &um_op_weight || !p->fact[i].live)
			continue;
		const um_array *a = &p->weights->array[um_weights_find(p->weights, n->name)];
		double *to = (double *)(void *)p->fact[i].slot.base;
		for (int64_t k = 0; k < um_node_len(n); k++)
			to[k] = (double)((const float *)a->data)[k];
	}
}

static um_status take_weights(um_program *p)
{
	um_status st = UM_OK;
	const um_turn turn = { .image = -1 };
	if (!p->fresh && (p->weights == NULL || p->weights->version == p->seen))
		return UM_OK;
	if (p->precision == UM_FLOAT64)
		widen(p);
	UM_TRY(run_steps(p, p->first[UM_ON_WEIGHTS], p->first[UM_BEFORE], &turn));
	for (int i = p->first[UM_BEFORE]; i < p->nsteps; i++) {
		um_step *s = &p->step[i];
		if (!s->packs)
			continue;
		um_call c = kernel_call(p, s, &turn);
		for (int k = 0; k < s->node->nin; k++)
			if (p->fact[s->node->in[k]->id].phase != UM_ON_WEIGHTS)
				c.in[k] = NULL;
		UM_TRY(s->node->op->pack(&c));
	}
	p->fresh = false;
	p->seen = p->weights != NULL ? p->weights->version : 0;
out:
	return st;
}

/* ---- images over lanes ---------------------------------------------------------------------- */

/* A part of a run: what needs late inputs, or what does not. */
typedef struct um_part {
	int from[UM_PHASES], to[UM_PHASES]; /* steps of each phase */
	bool late;
	uint64_t key;
} um_part;

static int end_of_segment(const um_program *p, int s, int last)
{
	const int segment = p->step[s].segment;
	while (s < last && p->step[s].segment == segment)
		s++;
	return s;
}

static um_status run_lane(um_program *p, const um_part *part, int lane)
{
	um_status st = UM_OK;
	const int64_t chunks = (p->active + p->chunk - 1) / p->chunk;
	const int64_t first = chunks * lane / p->lanes * p->chunk, last = chunks * (lane + 1) / p->lanes * p->chunk;
	for (int64_t i = first; i < last; i += p->chunk)
		for (int s = part->from[UM_IMAGES], end; s < part->to[UM_IMAGES]; s = end) {
			end = end_of_segment(p, s, part->to[UM_IMAGES]);
			for (int64_t k = 0; k < p->chunk; k += p->step[s].count) {
				const um_turn turn = { lane, i + k, k, first, part->key };
				UM_TRY(run_steps(p, s, end, &turn));
			}
		}
out:
	return st;
}

/* Adds share "share" of the sums of the other lanes to those of the first, in their order. */
static void join_share(um_program *p, bool late, int share)
{
	const um_turn turn = { .image = -1 };
	for (int i = 0; i < p->nnodes; i++) {
		const um_node *n = p->graph->node[i];
		if (!p->fact[i].live || !p->fact[i].stored || !um_sums_batch(n) || n->late != late)
			continue;
		char *sum = address(p, n, &turn);
		const int64_t len = um_node_len(n), at = p->fact[i].sum_at;
		const int64_t from = len * share / p->lanes, to = len * (share + 1) / p->lanes;
		for (int t = 1; t < p->lanes; t++) {
			const char *more = p->sums[t] + at;
			for (int64_t k = from; p->size == 4 && k < to; k++)
				((float *)(void *)sum)[k] += ((const float *)(const void *)more)[k];
			for (int64_t k = from; p->size == 8 && k < to; k++)
				((double *)(void *)sum)[k] += ((const double *)(const void *)more)[k];
		}
	}
}

static void join_sums(um_program *p, bool late)
{
	const int lanes = p->lanes;
	if (lanes == 1 || p->sums_bytes == 0)
		return;
	PARALLEL
	for (int t = 0; t < lanes; t++)
		join_share(p, late, t);
}

static um_status run_images(um_program *p, const um_part *part)
{
	um_status st = UM_OK;
	const int lanes = p->lanes;
	um_status *each = p->each;
	char message[512] = "";
	PARALLEL
	for (int t = 0; t < lanes; t++) {
		each[t] = run_lane(p, part, t);
		if (each[t] != UM_OK) {
#ifdef _OPENMP
#pragma omp critical(um_program_message)
#endif
			snprintf(message, sizeof(message), "%s", um_message());
		}
	}
	for (int t = 0; t < lanes && st == UM_OK; t++)
		st = each[t];
	return st != UM_OK ? um_fail(st, "%s", message) : UM_OK;
}

/* ---- running ----------------------------------------------------------------------------------- */

static um_part part_of(const um_program *p, bool late, uint64_t key)
{
	um_part part = { .late = late, .key = key };
	for (int phase = UM_BEFORE; phase < UM_PHASES; phase++) {
		int i = p->first[phase];
		while (i < p->first[phase + 1] && !p->step[i].late)
			i++;
		part.from[phase] = late ? i : p->first[phase];
		part.to[phase] = late ? p->first[phase + 1] : i;
	}
	return part;
}

static um_status run_part(um_program *p, bool late, uint64_t key)
{
	um_status st = UM_OK;
	const um_part part = part_of(p, late, key);
	const um_turn turn = { .image = -1, .key = key };
	UM_TRY(run_steps(p, part.from[UM_BEFORE], part.to[UM_BEFORE], &turn));
	if (!p->apart) {
		UM_TRY(run_steps(p, part.from[UM_IMAGES], part.to[UM_IMAGES], &turn));
	} else if (part.from[UM_IMAGES] < part.to[UM_IMAGES]) {
		UM_TRY(run_images(p, &part));
		join_sums(p, late);
	}
	UM_TRY(run_steps(p, part.from[UM_AFTER], part.to[UM_AFTER], &turn));
out:
	return st;
}

static um_status run_early(um_program *p, uint64_t key)
{
	um_status st = UM_OK;
	p->early = false;
	UM_TRY(take_weights(p));
	UM_TRY(run_part(p, false, key));
	p->early = true;
out:
	return st;
}

/* Kernels of oneDNN have to get the threads that they were planned for. Returns how many there were
 * before, or 0: inside a parallel region of the caller there is one. */
static int take_threads(const um_program *p)
{
#ifdef _OPENMP
	if (p->threads > 1 && omp_in_parallel()) {
		(void)um_fail(UM_EARG, "um_program_run: a program for %d threads runs inside a parallel region; "
			"compile it for one", p->threads);
		return 0;
	}
#endif
	return um_dnnl_plan_threads(p->threads);
}

um_status um_program_run_early(um_program *p, uint64_t key)
{
	const int before = take_threads(p);
	if (before == 0)
		return UM_EARG;
	const um_status st = run_early(p, key);
	um_dnnl_plan_threads(before);
	return st;
}

void um_program_images(um_program *p, int64_t n)
{
	const bool some = p->schedule == UM_PER_IMAGE && p->apart && p->sums_bytes == 0;
	p->active = some && n < p->batch ? n : p->batch;
}

um_status um_program_run(um_program *p, uint64_t key)
{
	const int before = take_threads(p);
	if (before == 0)
		return UM_EARG;
	um_status st = p->early ? UM_OK : run_early(p, key);
	p->early = false;
	if (st == UM_OK)
		st = run_part(p, true, key);
	um_dnnl_plan_threads(before);
	return st;
}

/* ---- inputs and outputs --------------------------------------------------------------------------- */

static um_array view(const um_program *p, const um_node *n, void *memory)
{
	int64_t dim[UM_NN_RANK + 1] = { p->batch };
	const int lead = n->batched ? 1 : 0;
	for (int i = 0; i < n->rank; i++)
		dim[lead + i] = n->dim[i];
	if (n->rank + lead == 0)
		dim[0] = 1;
	const int rank = n->rank + lead;
	return um_array_view(memory, p->size == 8 ? UM_F64 : UM_F32, rank > 0 ? rank : 1, dim);
}

um_array um_program_input(um_program *p, const char *name)
{
	const um_node *n = um_node_find(p->graph, &um_op_input, name);
	if (n == NULL || n->id >= p->nnodes || !p->fact[n->id].live)
		return (um_array){ 0 };
	return view(p, n, p->fact[n->id].slot.base);
}

um_array um_program_output(um_program *p, int k)
{
	return view(p, p->output[k].node, um_program_slot(p, p->output[k].node)->base);
}

void um_program_output_to(um_program *p, int k, void *memory)
{
	um_program_slot(p, p->output[k].node)->base = memory != NULL ? memory : p->output[k].memory;
}

/* ---- profile ------------------------------------------------------------------------------------- */

static void label(const um_step *s, char *text, size_t size)
{
	if (s->node != NULL)
		snprintf(text, size, "%s %s%s%s", s->node->op->name, um_node_shape(s->node),
			s->node->nin > 0 ? " of " : "", s->node->nin > 0 ? um_node_shape(s->node->in[0]) : "");
	else
		snprintf(text, size, "fused %d on %d, %s as %lld x %lld", s->fused->ninstrs,
			s->fused->noperands, um_node_shape(s->fused->shape), (long long)s->fused->rows,
			(long long)s->fused->cols);
}

typedef struct um_line {
	char label[160];
	double seconds;
	int64_t calls;
} um_line;

static int by_seconds(const void *x, const void *y)
{
	const um_line *a = x, *b = y;
	return (a->seconds < b->seconds) - (a->seconds > b->seconds);
}

const char *um_program_profile(um_program *p)
{
	int n = 0;
	um_line *line = um_new(sizeof(*line) * (size_t)(p->nsteps + 1));
	double all = 0;
	for (int i = 0; p->profiling && i < p->nsteps; i++) {
		char text[160];
		int k = 0;
		label(&p->step[i], text, sizeof(text));
		while (k < n && strcmp(line[k].label, text) != 0)
			k++;
		n = k == n ? n + 1 : n;
		memcpy(line[k].label, text, sizeof(text));
		line[k].seconds += p->step[i].seconds;
		line[k].calls += p->step[i].calls;
		all += p->step[i].seconds;
	}
	qsort(line, (size_t)n, sizeof(*line), by_seconds);
	free(p->profile);
	p->profile = um_new((size_t)(n + 1) * 256);
	for (int i = 0, at = 0; i < n; i++)
		at += snprintf(p->profile + at, 256, "%5.1f %% %9.3f ms %8lld calls  %s\n",
			100 * line[i].seconds / (all > 0 ? all : 1), 1e3 * line[i].seconds,
			(long long)line[i].calls, line[i].label);
	free(line);
	return p->profile;
}
