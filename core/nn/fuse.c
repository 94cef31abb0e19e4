/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Which element-wise nodes are kept in memory, and which are computed inside the loops that need
 * them. A node with one reader moves into that reader's loop. One with several is computed again in
 * each of them if that reads no more memory than reading it back would: at most one full array.
 * Results over the same shape that share an operand are made in one loop. */
#include <stdlib.h>
#include <string.h>
#include "base/mem.h"
#include "nn/compile.h"
#include "nn/sum.h"

enum { MOST_AGAIN = 10, MOST_INSTRS = 40, MOST_OPERANDS = 16, LOOK_BACK = 12 };

/* An expression: the nodes that are computed in it, the stored ones that it reads, and the columns
 * that its lanes and rows want (0: any). */
typedef struct um_expr {
	int ninside, nleaves;
	const um_node *inside[UM_FUSED_INSTRS];
	const um_node *leaf[UM_FUSED_OPERANDS];
	int64_t cols;
	bool ok;     /* neither too long nor at odds about columns */
} um_expr;

static bool elementwise(const um_node *n)
{
	return n->op->tile.f32 != NULL;
}

/* What ends a loop: it is made of the value of its input, in the loop that has the shape of that. */
static bool is_end(const um_node *n)
{
	return n->op == &um_op_sum || n->op->store != NULL;
}

static const um_node *loop_shape(const um_node *n)
{
	return is_end(n) ? n->in[0] : n;
}

/* (1, ..., 1, n) or less. */
static bool one_row(const um_node *n)
{
	return n->rank == 0 || um_node_len(n) == n->dim[n->rank - 1];
}

/* Sums that a loop can do: to a lane, rows or a scalar. */
static bool fusable_sum(const um_node *n)
{
	int64_t cols = 0;
	if (n->op != &um_op_sum)
		return false;
	const um_fit fit = um_fit_of(n, n->in[0], &cols);
	return fit == UM_LANE || fit == UM_SCALAR || (fit == UM_ROW && n->batched == n->in[0]->batched) ||
		(fit == UM_FULL && one_row(n->in[0]));
}

static bool fusable(const um_node *n)
{
	return elementwise(n) || n->op->store != NULL || fusable_sum(n);
}

/* Copies and broadcasts do no work inside a loop. */
static const um_node *behind(const um_program *p, const um_node *n)
{
	while (n->op->copy && !p->fact[n->id].stored)
		n = n->in[0];
	return n;
}

static bool joins(int64_t *cols, int64_t more)
{
	if (more > 0 && *cols > 0 && more != *cols)
		return false;
	*cols = more > 0 ? more : *cols;
	return true;
}

static bool has(const um_node *const *list, int n, const um_node *x)
{
	for (int i = 0; i < n; i++)
		if (list[i] == x)
			return true;
	return false;
}

static void visit(const um_program *p, const um_node *n, const um_node *shape, um_expr *e);

static void visit_leaf(const um_node *n, const um_node *shape, um_expr *e)
{
	int64_t cols = 0;
	const um_fit fit = um_fit_of(n, shape, &cols);
	if (has(e->leaf, e->nleaves, n))
		return;
	if (e->nleaves == MOST_OPERANDS) {
		e->ok = false;
		return;
	}
	e->leaf[e->nleaves++] = n;
	if ((fit == UM_LANE || fit == UM_ROW) && !joins(&e->cols, cols))
		e->ok = false;
}

static void visit(const um_program *p, const um_node *n, const um_node *shape, um_expr *e)
{
	if (has(e->inside, e->ninside, n) || !e->ok)
		return;
	for (int k = 0; k < n->nin; k++) {
		if (p->fact[n->in[k]->id].stored)
			visit_leaf(n->in[k], shape, e);
		else
			visit(p, n->in[k], shape, e);
	}
	if (e->ninside == MOST_INSTRS)
		e->ok = false;
	else
		e->inside[e->ninside++] = n;
}

static um_expr expression(const um_program *p, const um_node *n)
{
	um_expr e = { .ok = true };
	if (!is_end(n))
		visit(p, n, n, &e);
	else if (p->fact[n->in[0]->id].stored)
		visit_leaf(n->in[0], n->in[0], &e);
	else
		visit(p, n->in[0], n->in[0], &e);
	if (fusable_sum(n)) {
		int64_t cols = 0;
		const um_fit fit = um_fit_of(n, n->in[0], &cols);
		if ((fit == UM_LANE || fit == UM_ROW) && !joins(&e.cols, cols))
			e.ok = false;
	}
	return e;
}

/* ---- what is stored ------------------------------------------------------------------ */

/* Whether n may be computed inside the loop of its reader. */
static bool may_join(const um_program *p, const um_node *n, const um_node *reader)
{
	int64_t cols = 0;
	const um_fact *a = &p->fact[n->id], *b = &p->fact[reader->id];
	const um_node *shape = loop_shape(reader);
	const um_phase phase = um_sums_batch(reader) && a->phase == UM_IMAGES ? UM_IMAGES : b->phase;
	return fusable(reader) && n->batched == shape->batched && a->phase == phase &&
		um_fit_of(n, shape, &cols) == UM_FULL && n->rank == shape->rank;
}

static void mark_stored(um_program *p)
{
	for (int i = 0; i < p->nnodes; i++) {
		const um_node *n = p->graph->node[i];
		um_fact *f = &p->fact[i];
		if (!f->live)
			continue;
		f->stored |= !elementwise(n) || f->output;
		for (int k = 0; k < n->nin; k++)
			if (!may_join(p, n->in[k], n))
				p->fact[n->in[k]->id].stored = true;
	}
}

static bool worth_again(const um_expr *e, const um_node *shape)
{
	int full = 0, cost = 0;
	int64_t cols = 0;
	for (int i = 0; i < e->nleaves; i++)
		full += um_fit_of(e->leaf[i], shape, &cols) == UM_FULL;
	for (int i = 0; i < e->ninside; i++)
		cost += e->inside[i]->op->cost;
	return full <= 1 && e->ninside <= MOST_AGAIN && cost <= 1;
}

/* Of an expression that does not work, stores what n reads, the longest first. */
static bool split(um_program *p, const um_node *n)
{
	um_fact *most = NULL;
	int longest = 0;
	for (int k = 0; k < n->nin; k++) {
		um_fact *f = &p->fact[n->in[k]->id];
		if (f->stored)
			continue;
		const um_expr e = expression(p, n->in[k]);
		if (e.ninside > longest) {
			longest = e.ninside;
			most = f;
		}
	}
	if (most != NULL)
		most->stored = true;
	return most != NULL;
}

static void decide(um_program *p)
{
	bool again = true;
	while (again) {
		again = false;
		for (int i = 0; i < p->nnodes; i++) {
			const um_node *n = p->graph->node[i];
			um_fact *f = &p->fact[i];
			if (!f->live || !fusable(n))
				continue;
			um_expr e = expression(p, n);
			while (!e.ok && split(p, n)) {
				again = true;
				e = expression(p, n);
			}
			if (!f->stored && f->uses > 1 && !worth_again(&e, n))
				f->stored = again = true;
		}
	}
}

/* ---- groups ---------------------------------------------------------------------------- */

static int value_of(const um_program *p, const um_fused *f, const um_node *n)
{
	n = behind(p, n);
	for (int i = 0; i < f->noperands; i++)
		if (f->operand[i].node == n)
			return i;
	for (int i = 0; i < f->ninstrs; i++)
		if (f->instr[i].node == n)
			return f->noperands + i;
	return -1;
}

/* Whether the loop makes the value of n. */
static bool makes(const um_fused *f, const um_node *n)
{
	for (int i = 0; i < f->ninstrs; i++)
		if (f->instr[i].node == n)
			return true;
	return false;
}

static void add_operand(um_fused *f, const um_node *n)
{
	if (makes(f, n))
		return;
	for (int i = 0; i < f->noperands; i++)
		if (f->operand[i].node == n)
			return;
	f->operand[f->noperands++] = (um_operand){ .node = n };
}

static void add_instr(const um_program *p, um_fused *f, const um_node *n, bool root)
{
	if (makes(f, n))
		return;
	if (n->op->copy && !root)
		return;
	um_instr *in = &f->instr[f->ninstrs];
	*in = (um_instr){ .node = n };
	in->a = value_of(p, f, n->in[0]);
	in->b = n->nin > 1 ? value_of(p, f, n->in[1]) : in->a;
	if (n->attr_size == sizeof(double))
		memcpy(&in->imm, n->attr, sizeof(double));
	f->ninstrs++;
}

/* A root joins a loop: operands have to be there before instructions count from them. */
static void add_root(const um_program *p, um_fused *f, const um_node *n, const um_expr *e)
{
	const int before = f->noperands;
	for (int i = 0; i < e->nleaves; i++)
		add_operand(f, e->leaf[i]);
	const int moved = f->noperands - before;
	for (int i = 0; i < f->ninstrs; i++) {
		f->instr[i].a += f->instr[i].a >= before ? moved : 0;
		f->instr[i].b += f->instr[i].b >= before ? moved : 0;
	}
	for (int i = 0; i < f->nresults; i++)
		f->result[i].value += f->result[i].value >= before ? moved : 0;
	for (int i = 0; i < e->ninside; i++)
		add_instr(p, f, e->inside[i], e->inside[i] == n);
	um_result *r = &f->result[f->nresults++];
	*r = (um_result){ .node = n, .sum = n->op == &um_op_sum };
	if (is_end(n))
		r->value = value_of(p, f, n->in[0]);
	if (r->sum) {
		int64_t cols = 0;
		r->fit = um_fit_of(n, f->shape, &cols);
		r->batch = um_sums_batch(n);
	} else if (!is_end(n)) {
		for (int i = 0; i < f->ninstrs; i++)
			r->value = f->instr[i].node == n ? f->noperands + i : r->value;
	}
}

/* Whether n, with expression e, can be made by the loop of step s. */
static bool fits_loop(const um_program *p, int s, const um_node *n, const um_expr *e, int64_t cols)
{
	const um_step *step = &p->step[s];
	const um_fused *f = step->fused;
	int64_t ignored;
	bool shared = false;
	if (f == NULL || f->nresults == UM_FUSED_RESULTS || !um_node_same_shape(f->shape, loop_shape(n)) ||
		f->batched != loop_shape(n)->batched || step->late != n->late)
		return false;
	const um_phase phase = um_sums_batch(n) ? UM_IMAGES : p->fact[n->id].phase;
	if (step->phase != phase || !joins(&cols, e->cols) ||
		f->noperands + e->nleaves > UM_FUSED_OPERANDS || f->ninstrs + e->ninside > UM_FUSED_INSTRS)
		return false;
	for (int i = 0; i < e->nleaves; i++) {
		if (p->fact[e->leaf[i]->id].step == s && makes(f, e->leaf[i])) {
			shared = true;
			continue;
		}
		if (p->fact[e->leaf[i]->id].step >= s)
			return false;
		for (int k = 0; k < f->noperands; k++)
			shared |= f->operand[k].node == e->leaf[i] &&
				um_fit_of(e->leaf[i], f->shape, &ignored) == UM_FULL;
	}
	return shared;
}

static um_step *find_loop(um_program *p, const um_node *n, const um_expr *e, const int64_t *cols)
{
	for (int s = p->nsteps - 1; s >= 0 && s >= p->nsteps - LOOK_BACK; s--)
		if (fits_loop(p, s, n, e, cols[s]))
			return &p->step[s];
	return NULL;
}

static int64_t *note_cols(um_program *p, int64_t *cols, int64_t value)
{
	cols = um_grow(cols, sizeof(*cols) * (size_t)p->nsteps);
	cols[p->nsteps - 1] = value;
	return cols;
}

static um_step *new_step(um_program *p, const um_node *n)
{
	um_step *s = um_program_add_step(p);
	s->phase = um_sums_batch(n) ? UM_IMAGES : p->fact[n->id].phase;
	s->late = n->late;
	s->order = n->id;
	return s;
}

static int64_t *make_loop(um_program *p, const um_node *n, int64_t *cols)
{
	const um_expr e = expression(p, n);
	um_step *s = find_loop(p, n, &e, cols);
	if (s == NULL) {
		s = new_step(p, n);
		s->fused = um_new(sizeof(*s->fused));
		s->fused->shape = loop_shape(n);
		s->fused->batched = s->fused->shape->batched;
		cols = note_cols(p, cols, 0);
	}
	const int at = (int)(s - p->step);
	joins(&cols[at], e.cols);
	add_root(p, s->fused, n, &e);
	p->fact[n->id].step = at;
	return cols;
}

um_status um_program_fuse(um_program *p)
{
	int64_t *cols = NULL;
	mark_stored(p);
	decide(p);
	for (int i = 0; i < p->nnodes; i++) {
		const um_node *n = p->graph->node[i];
		if (!p->fact[i].live || !p->fact[i].stored || um_is_leaf(n))
			continue;
		if (n->op->view) {
			p->fact[i].step = p->fact[n->in[0]->id].step;
			continue;
		}
		if (fusable(n)) {
			cols = make_loop(p, n, cols);
			continue;
		}
		um_step *s = new_step(p, n);
		s->node = n;
		cols = note_cols(p, cols, 0);
		p->fact[i].step = p->nsteps - 1;
	}
	um_program_choose_chunk(p);
	for (int s = 0; s < p->nsteps; s++)
		if (p->step[s].fused != NULL)
			um_fused_finish(p->step[s].fused, cols[s], um_program_count(p, &p->step[s]));
	free(cols);
	return UM_OK;
}
