/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The shape of a fused loop: rows and columns, registers, buffers. */
#include <limits.h>
#include "nn/fused.h"

um_fit um_fit_of(const um_node *o, const um_node *s, int64_t *cols)
{
	const int pad = s->rank - o->rank;
	int first = s->rank, last = -1; /* axes where o and s are both longer than 1 */
	bool whole = true, leading = true, trailing = true;
	if (pad < 0)
		return um_node_len(o) == um_node_len(s) ? UM_FULL : UM_EXPAND;
	for (int i = 0; i < s->rank; i++) {
		const bool here = i >= pad && o->dim[i - pad] == s->dim[i];
		if (s->dim[i] == 1)
			continue;
		whole &= here;
		if (here) {
			first = first == s->rank ? i : first;
			last = i;
		}
	}
	if (whole)
		return UM_FULL;
	if (last < 0)
		return UM_SCALAR;
	for (int i = 0; i < s->rank; i++) {
		const bool here = i >= pad && o->dim[i - pad] == s->dim[i];
		if (s->dim[i] == 1)
			continue;
		trailing &= here == (i >= first);
		leading &= here == (i <= last);
	}
	int64_t n = 1;
	if (trailing)
		for (int i = first; i < s->rank; i++)
			n *= s->dim[i];
	else
		for (int i = last + 1; i < s->rank; i++)
			n *= s->dim[i];
	*cols = n;
	return trailing ? UM_LANE : leading ? UM_ROW : UM_EXPAND;
}

/* With one row a batched scalar is a value a row, and a shared array a lane: then images are rows. */
static um_fit one_row(um_fit fit, bool batched)
{
	if (fit == UM_LANE || fit == UM_FULL)
		return batched ? UM_FULL : UM_LANE;
	return batched && fit == UM_SCALAR ? UM_ROW : fit;
}

static bool can_merge(const um_fused *f, int64_t count)
{
	if (!f->batched || count == 1)
		return false;
	for (int i = 0; i < f->noperands; i++) {
		const um_operand *o = &f->operand[i];
		if (o->fit == UM_EXPAND ||
			(o->fit == UM_FULL || o->fit == UM_ROW) != o->node->batched)
			return false;
	}
	for (int i = 0; i < f->nresults; i++) {
		const um_result *r = &f->result[i];
		if (r->sum && !r->batch && r->fit != UM_ROW)
			return false;
		if (r->sum && r->batch && r->fit != UM_LANE && r->fit != UM_SCALAR)
			return false;
	}
	return true;
}

static int last_use(const um_fused *f, int value)
{
	int last = -1;
	for (int i = 0; i < f->ninstrs; i++)
		if (f->instr[i].a == value || f->instr[i].b == value)
			last = i;
	for (int i = 0; i < f->nresults; i++)
		if (!um_result_is_plain(&f->result[i]) && f->result[i].value == value)
			last = INT_MAX;
	return last;
}

/* Tiles for values that are not stored: the first free one. */
static void registers(um_fused *f)
{
	int busy[UM_FUSED_INSTRS];  /* last use of what is in a tile */
	for (int i = 0; i < f->ninstrs; i++) {
		um_instr *k = &f->instr[i];
		k->reg = k->result = -1;
		for (int r = 0; r < f->nresults; r++)
			if (um_result_is_plain(&f->result[r]) && f->result[r].value == f->noperands + i)
				k->result = r;
		if (k->result >= 0)
			continue;
		int r = 0;
		while (r < f->nregs && busy[r] >= i)
			r++;
		k->reg = r;
		busy[r] = last_use(f, f->noperands + i);
		f->nregs = r < f->nregs ? f->nregs : r + 1;
	}
}

/* Where operands do not care: trailing axes as long as a tile, so that threads can share the rows. */
static int64_t some_columns(const um_node *s)
{
	int64_t cols = s->rank > 0 ? s->dim[s->rank - 1] : 1;
	for (int i = s->rank - 2; i >= 0 && cols * s->dim[i] <= UM_TILE_LEN; i--)
		cols *= s->dim[i];
	return cols;
}

void um_fused_finish(um_fused *f, int64_t cols, int64_t count)
{
	const int64_t len = um_node_len(f->shape);
	f->cols = cols > 0 ? cols : some_columns(f->shape);
	f->rows = len / f->cols;
	f->nregs = f->nexpand = 0;
	for (int i = 0; i < f->noperands; i++) {
		um_operand *o = &f->operand[i];
		int64_t own = f->cols;
		o->fit = um_fit_of(o->node, f->shape, &own);
		if ((o->fit == UM_LANE || o->fit == UM_ROW) && own != f->cols)
			o->fit = UM_EXPAND;
		if (f->rows == 1 && f->batched)
			o->fit = one_row(o->fit, o->node->batched);
		o->last = last_use(f, i);
		o->expand = o->fit == UM_FULL ? -1 : f->nexpand++;
	}
	for (int i = 0; i < f->nresults; i++) {
		um_result *r = &f->result[i];
		if (!r->sum)
			continue;
		if (f->rows == 1 && f->batched)
			r->fit = one_row(r->fit, !r->batch);
		if (r->fit == UM_FULL) /* only (1, ..., 1, n) has such sums */
			r->fit = UM_LANE;
		r->acc = f->naccs;
		f->naccs += r->fit == UM_LANE ? f->cols : 1;
	}
	f->merged = can_merge(f, count);
	registers(f);
}

static bool expands(const um_fused *f)
{
	for (int i = 0; i < f->noperands; i++)
		if (f->operand[i].fit == UM_EXPAND)
			return true;
	return false;
}

/* Of one thread: accumulators, tiles, buffers (whole images where something is expanded). */
int64_t um_fused_scratch(const um_fused *f, int64_t size, int threads)
{
	const int64_t buffer = expands(f) ? um_node_len(f->shape) : UM_TILE_LEN;
	const int64_t longest = buffer > UM_TILE_LEN ? buffer : UM_TILE_LEN;
	return threads * (um_round_up((int64_t)sizeof(double) * f->naccs) +
		um_round_up(size * UM_TILE_LEN) * f->nregs + um_round_up(size * longest) * f->nexpand);
}
