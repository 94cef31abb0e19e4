/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Where values live. Inputs, constants, outputs and what depends on the weights alone have memory of
 * their own. The rest shares arenas: a value occupies bytes from the step that makes it to the last
 * step that reads it, the largest values are placed first, each in the tightest gap among those
 * that overlap it in time. A fused loop may write its result over an operand that it reads last. */
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include "base/mem.h"
#include "nn/compile.h"

um_slot *um_program_slot(um_program *p, const um_node *n)
{
	return &p->fact[p->fact[n->id].slot.root->id].slot;
}

/* ---- memory of its own ------------------------------------------------------------------- */

static int64_t bytes_of(const um_program *p, const um_node *n)
{
	return um_node_len(n) * um_node_size(n, p->size);
}

static um_status fill_constant(const um_program *p, const um_node *n, void *memory)
{
	const double *v = n->blob->data;
	for (int64_t i = 0; i < um_node_len(n); i++) {
		if (p->size == 8)
			((double *)memory)[i] = v[i];
		else
			((float *)memory)[i] = (float)v[i];
	}
	return UM_OK;
}

static um_status weight_slot(um_program *p, const um_node *n, um_slot *s)
{
	const int k = p->weights != NULL ? um_weights_find(p->weights, n->name) : -1;
	if (k < 0)
		return um_fail(UM_EARG, "um_compile: there are no values of the weight %s", n->name);
	const um_array *a = &p->weights->array[k];
	bool same = a->rank == n->rank;
	for (int i = 0; same && i < n->rank; i++)
		same = a->dim[i] == n->dim[i];
	if (!same)
		return um_fail(UM_EARG, "um_compile: the weight %s has another shape than %s", n->name,
			um_node_shape(n));
	if (p->precision == UM_FLOAT32)
		s->base = a->data;
	return UM_OK;
}

/* Memory that lives as long as the program. */
static um_status own_slot(um_program *p, const um_node *n, um_slot *s)
{
	um_status st = UM_OK;
	if (n->op == &um_op_weight)
		UM_TRY(weight_slot(p, n, s));
	if (s->base == NULL && (s->base = um_program_memory(p, s->size)) == NULL)
		return UM_ENOMEM;
	if (n->op == &um_op_constant)
		UM_TRY(fill_constant(p, n, s->base));
out:
	return st;
}

/* With late inputs the parts before, in and after the work on images run twice, so that the order of
 * steps is not that of time for what images share. */
static bool lives_long(const um_program *p, const um_node *n)
{
	if (p->apart && p->late && !n->batched)
		return true;
	if (p->apart && n->batched && p->fact[n->id].phase == UM_BEFORE)
		return true;
	return um_is_leaf(n) || p->fact[n->id].output || p->fact[n->id].phase == UM_ON_WEIGHTS;
}

/* ---- lifetimes ------------------------------------------------------------------------------ */

static void read_by(um_program *p, const um_node *n, int step)
{
	um_slot *s = um_program_slot(p, n);
	s->death = step > s->death ? step : s->death;
}

static void lifetimes(um_program *p)
{
	for (int i = 0; i < p->nsteps; i++) {
		const um_step *s = &p->step[i];
		for (int k = 0; s->node != NULL && k < s->node->nin; k++)
			read_by(p, s->node->in[k], i);
		for (int k = 0; s->fused != NULL && k < s->fused->noperands; k++)
			read_by(p, s->fused->operand[k].node, i);
	}
}

/* A value that is made and read within a segment needs room for one image, others for a chunk; where
 * the whole batch is worked on at once, or a value stays, for all. */
static void set_size(const um_program *p, const um_node *n, um_slot *s)
{
	int64_t images = p->batch;
	s->image = n->batched ? bytes_of(p, n) : 0;
	if (!n->batched)
		images = 1;
	else if (p->apart && !lives_long(p, n))
		images = p->step[s->birth].count == 1 &&
			p->step[s->birth].segment == p->step[s->death].segment ? 1 : p->chunk;
	if (images == 1 && p->apart && !lives_long(p, n))
		s->image = 0;
	s->size = bytes_of(p, n) * images;
}

/* While one image goes through a segment, the values of the others that it made or still has to read
 * wait. */
static void wait_for_others(const um_program *p, um_slot *s)
{
	if (!p->apart || p->chunk == 1 || s->birth < 0 || s->image == 0)
		return;
	while (p->step[s->birth].count < p->chunk && s->birth > 0 &&
		p->step[s->birth - 1].segment == p->step[s->birth].segment)
		s->birth--;
	while (p->step[s->death].count < p->chunk && s->death + 1 < p->nsteps &&
		p->step[s->death + 1].segment == p->step[s->death].segment)
		s->death++;
}

static um_status place_long(um_program *p)
{
	um_status st = UM_OK;
	for (int i = 0; i < p->nnodes; i++) {
		const um_node *n = p->graph->node[i];
		um_fact *f = &p->fact[i];
		if (!f->live || !f->stored || n->op->view)
			continue;
		set_size(p, n, &f->slot);
		if (lives_long(p, n))
			UM_TRY(own_slot(p, n, &f->slot));
	}
	/* views have the images of what they are views of */
	for (int i = 0; i < p->nnodes; i++)
		if (p->fact[i].slot.root != NULL && p->fact[i].slot.root != p->graph->node[i])
			p->fact[i].slot.image = um_program_slot(p, p->graph->node[i])->image;
out:
	return st;
}

static void make_slots(um_program *p)
{
	for (int i = 0; i < p->nnodes; i++) {
		const um_node *n = p->graph->node[i];
		um_fact *f = &p->fact[i];
		if (!f->live || !f->stored)
			continue;
		f->slot = (um_slot){ .root = n, .birth = f->step, .death = f->step };
		f->slot.lane = n->batched && p->apart;
		if (n->op->view) {
			f->slot.root = p->fact[n->in[0]->id].slot.root;
		} else if (p->apart && um_sums_batch(n)) {
			f->slot.birth = p->first[UM_IMAGES];  /* added to from the first image on */
			f->slot.death = p->first[UM_AFTER] - 1;
		}
	}
}

/* ---- in place ---------------------------------------------------------------------------------- */

/* Whether an operand that lies where o does, which is it or a reshape of it, is read after an
 * instruction. */
static bool read_later(um_program *p, const um_fused *f, const um_operand *o, int instr)
{
	const um_slot *at = um_program_slot(p, o->node);
	for (int k = 0; k < f->noperands; k++)
		if (f->operand[k].last > instr && um_program_slot(p, f->operand[k].node) == at)
			return true;
	return false;
}

/* Whether result r may overwrite operand o of the loop of step i. */
static bool may_reuse(um_program *p, int i, const um_result *r, const um_operand *o)
{
	const um_fused *f = p->step[i].fused;
	const um_slot *to = um_program_slot(p, r->node), *from = um_program_slot(p, o->node);
	return um_result_is_plain(r) && o->fit == UM_FULL && to->base == NULL && from->base == NULL && to->reuse == NULL &&
		to->lane == from->lane && to->size == from->size && from->death == i && !from->taken &&
		from->birth < i && !read_later(p, f, o, r->value - f->noperands);
}

static void find_reuse(um_program *p)
{
	for (int i = 0; i < p->nsteps; i++) {
		const um_fused *f = p->step[i].fused;
		for (int k = 0; f != NULL && k < f->nresults; k++)
			for (int j = 0; j < f->noperands; j++)
				if (may_reuse(p, i, &f->result[k], &f->operand[j])) {
					um_slot *from = um_program_slot(p, f->operand[j].node);
					um_program_slot(p, f->result[k].node)->reuse = from->root;
					from->taken = true;
				}
	}
}

/* ---- placing -------------------------------------------------------------------------------------- */

/* A stretch of time in which bytes are needed: a slot with those that take it over, or scratch. */
typedef struct um_block {
	int birth, death;
	int64_t size, *offset;
	int64_t at;
} um_block;

static int by_size(const void *x, const void *y)
{
	const um_block *a = x, *b = y;
	if (a->size != b->size)
		return a->size > b->size ? -1 : 1;
	return (a->birth > b->birth) - (a->birth < b->birth);
}

static int by_place(const void *x, const void *y)
{
	const um_block *a = *(um_block *const *)x, *b = *(um_block *const *)y;
	return (a->at > b->at) - (a->at < b->at);
}

/* The tightest gap among the placed blocks that overlap b in time. */
static int64_t best_gap(um_block *block, int placed, const um_block *b, um_block **busy)
{
	int n = 0;
	int64_t end = 0, best = -1, slack = INT64_MAX;
	for (int i = 0; i < placed; i++)
		if (block[i].birth <= b->death && b->birth <= block[i].death)
			busy[n++] = &block[i];
	qsort(busy, (size_t)n, sizeof(*busy), by_place);
	for (int i = 0; i < n; i++) {
		const int64_t gap = busy[i]->at - end - b->size;
		if (gap >= 0 && gap < slack) {
			slack = gap;
			best = end;
		}
		const int64_t stop = busy[i]->at + busy[i]->size;
		end = stop > end ? stop : end;
	}
	return best >= 0 ? best : end;
}

/* Bytes of an arena for the blocks; *live becomes the most that any step needs. */
static int64_t place(um_block *block, int n, int nsteps, int64_t *live)
{
	int64_t total = 0;
	um_block **busy = um_new(sizeof(*busy) * (size_t)(n + 1));
	qsort(block, (size_t)n, sizeof(*block), by_size);
	for (int i = 0; i < n; i++) {
		block[i].at = best_gap(block, i, &block[i], busy);
		*block[i].offset = block[i].at;
		if (block[i].at + block[i].size > total)
			total = block[i].at + block[i].size;
	}
	free(busy);
	int64_t *use = um_new(sizeof(*use) * (size_t)(nsteps + 2));
	for (int i = 0; i < n; i++) {
		use[block[i].birth] += block[i].size;
		use[block[i].death + 1] -= block[i].size;
	}
	int64_t now = 0, most = 0;
	for (int i = 0; i <= nsteps; i++) {
		now += use[i];
		most = now > most ? now : most;
	}
	free(use);
	*live = most;
	return total;
}

static const um_node *taker(const um_program *p, const um_node *n)
{
	for (int i = 0; i < p->nnodes; i++)
		if (p->fact[i].slot.reuse == n)
			return p->graph->node[i];
	return NULL;
}

static int collect(um_program *p, bool lane, um_block *block)
{
	int n = 0;
	for (int i = 0; i < p->nnodes; i++) {
		um_slot *s = &p->fact[i].slot;
		if (s->root != p->graph->node[i] || s->base != NULL || s->lane != lane || s->reuse != NULL)
			continue;
		um_block b = { s->birth, s->death, um_round_up(s->size), &s->offset, 0 };
		for (const um_node *t = s->root; p->fact[t->id].slot.taken && (t = taker(p, t)) != NULL;)
			b.death = p->fact[t->id].slot.death;
		block[n++] = b;
	}
	for (int i = 0; i < p->nsteps; i++) {
		um_step *s = &p->step[i];
		if (s->scratch > 0 && s->scratch_lane == lane)
			block[n++] = (um_block){ i, i, um_round_up(s->scratch), &s->scratch_at, 0 };
	}
	return n;
}

static void hand_over(um_program *p)
{
	for (int i = 0; i < p->nnodes; i++) {
		const um_node *from = p->fact[i].slot.reuse;
		if (from != NULL)
			p->fact[i].slot.offset = p->fact[from->id].slot.offset;
	}
}

/* Sums over the images of lanes other than the first, which adds to the result itself. */
static um_status lane_sums(um_program *p)
{
	int64_t bytes = 0;
	if (!p->apart)
		return UM_OK;
	for (int i = 0; i < p->nnodes; i++) {
		if (!p->fact[i].live || !p->fact[i].stored || !um_sums_batch(p->graph->node[i]))
			continue;
		p->fact[i].sum_at = bytes;
		bytes += um_round_up(bytes_of(p, p->graph->node[i]));
	}
	p->sums = um_new(sizeof(*p->sums) * (size_t)p->lanes);
	p->sums_bytes = bytes;
	for (int t = 1; t < p->lanes; t++)
		if ((p->sums[t] = um_program_memory(p, bytes)) == NULL)
			return UM_ENOMEM;
	return UM_OK;
}

um_status um_program_plan(um_program *p)
{
	um_status st = UM_OK;
	um_block *block = um_new(sizeof(*block) * (size_t)(p->nnodes + p->nsteps + 1));
	int64_t live = 0, lane_live = 0;
	make_slots(p);
	lifetimes(p);
	UM_TRY(place_long(p));
	find_reuse(p);
	for (int i = 0; i < p->nnodes; i++)
		wait_for_others(p, &p->fact[i].slot);
	p->shared_bytes = place(block, collect(p, false, block), p->nsteps, &live);
	p->lane_bytes = place(block, collect(p, true, block), p->nsteps, &lane_live);
	hand_over(p);
	UM_TRY(lane_sums(p));
	p->info.arena_bytes = p->shared_bytes + p->lanes * p->lane_bytes;
	p->info.live_bytes = live + p->lanes * lane_live;
	if ((p->arena = um_program_memory(p, p->info.arena_bytes)) == NULL)
		st = UM_ENOMEM;
	for (int i = 0; st == UM_OK && i < p->noutputs; i++)
		p->output[i].memory = um_program_slot(p, p->output[i].node)->base;
out:
	free(block);
	return st;
}
