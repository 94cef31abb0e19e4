/* SPDX-License-Identifier: GPL-3.0-or-later */
/* From nodes to a program: what is needed, when it is computed, and with which kernels. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/mem.h"
#include "base/parallel.h"
#include "nn/compile.h"
#include "nn/lower.h"
#include "nn/tile.h"

UM_TILE_UNARY(output, a, a)
static const um_op op_output = { .name = "output", UM_TILE(output), .copy = true };

bool um_is_leaf(const um_node *n)
{
	return n->op->run[0] == NULL && n->op->tile.f32 == NULL && n->op->store == NULL && !n->op->view;
}

bool um_sums_batch(const um_node *n)
{
	bool batched = false;
	for (int k = 0; k < n->nin; k++)
		batched |= n->in[k]->batched;
	return batched && !n->batched;
}

um_step *um_program_add_step(um_program *p)
{
	if ((p->nsteps & (p->nsteps - 1)) == 0)
		p->step = um_grow(p->step, sizeof(*p->step) * (size_t)(p->nsteps > 0 ? 2 * p->nsteps : 1));
	um_step *s = &p->step[p->nsteps++];
	*s = (um_step){ 0 };
	return s;
}

/* ---- what is needed -------------------------------------------------------------------- */

static um_status check(int n, um_node *const outputs[])
{
	if (n < 1)
		return um_fail(UM_EARG, "um_compile: no outputs");
	for (int i = 0; i < n; i++)
		if (outputs[i] == NULL)
			return um_fail(UM_EARG, "um_compile: output %d is NULL; um_graph_status says why", i);
	for (int i = 0; i < n; i++)
		if (outputs[i]->graph != outputs[0]->graph)
			return um_fail(UM_EARG, "um_compile: the outputs belong to different graphs");
	return um_graph_status(outputs[0]->graph);
}

/* Outputs get nodes, and so memory, of their own where they would share it. */
static void own_outputs(um_program *p, int n, um_node *const outputs[])
{
	p->noutputs = n;
	p->output = um_new(sizeof(*p->output) * (size_t)n);
	for (int i = 0; i < n; i++) {
		const um_node *o = outputs[i];
		bool alone = !um_is_leaf(o) && !o->op->view;
		for (int j = 0; j < i; j++)
			alone &= outputs[j] != o;
		const double number = i; /* makes it differ from the copy for another output */
		p->output[i].node = alone ? o : um_node_1(&op_output, outputs[i], &number, sizeof(number));
	}
}

static void mark_live(um_program *p)
{
	p->nnodes = p->graph->n;
	p->fact = um_new(sizeof(*p->fact) * (size_t)p->nnodes);
	for (int i = 0; i < p->noutputs; i++)
		p->fact[p->output[i].node->id].live = p->fact[p->output[i].node->id].output = true;
	for (int i = p->nnodes - 1; i >= 0; i--) {
		const um_node *n = p->graph->node[i];
		p->fact[i].step = -1;
		if (!p->fact[i].live)
			continue;
		p->info.nodes++;
		for (int k = 0; k < n->nin; k++) {
			p->fact[n->in[k]->id].live = true;
			p->fact[n->in[k]->id].uses++;
		}
	}
}

/* ---- lanes --------------------------------------------------------------------------------- */

/* Numbers that a run makes, about; a number of a product counts its terms. */
static double work_of(const um_program *p)
{
	double work = 0;
	for (int i = 0; i < p->nnodes; i++) {
		const um_node *n = p->graph->node[i];
		if (!p->fact[i].live || !(n->batched || um_sums_batch(n)))
			continue;
		work += (double)um_node_len(n);
		if (n->op->flops != NULL)
			work += n->op->flops(n) / 16;
	}
	return work * (double)p->batch;
}

/* How long a product of all images takes on average on one thread, on a processor of 2023. */
static double seconds_a_product(const um_program *p)
{
	double seconds = 0;
	int count = 0;
	for (int i = 0; i < p->nnodes; i++) {
		const um_node *n = p->graph->node[i];
		if (!p->fact[i].live || n->op->flops == NULL || !(n->batched || um_sums_batch(n)))
			continue;
		const double rate = n->in[0]->number == UM_NUMBER_BF16 ? 2e12 : p->size == 4 ? 1.5e11 : 1e10;
		seconds += n->op->flops(n) * (double)p->batch / rate;
		count++;
	}
	return count > 0 ? seconds / count : 0;
}

/* Whatever is done to all images is done by all threads together. */
static void go_together(um_program *p)
{
	p->apart = false;
	p->lanes = 1;
	p->chunk = p->batch;
}

/* Threads that take shares of a batch through the whole program meet once, where threads that share
 * each operation meet hundreds of times, and what a share needs stays in the cache of its core. But
 * each reads all weights, for which it needs enough images, and each has gradients of its own. Fewer
 * images than threads are worked on by all threads together, in the per-image schedule too, if operations
 * are long: threads that wait for their part of one go to sleep, and waking them takes as long as short
 * ones. */
static void choose_lanes(um_program *p)
{
	enum { LEAST_IMAGES = 16, LEAST_WORK = 1 << 18 };
	const double WORTH_SHARING = 6e-5;
	p->lanes = p->batch < p->threads ? (int)p->batch : p->threads;
	p->chunk = p->schedule == UM_PER_IMAGE ? 1 : p->batch / p->lanes;
	if (p->schedule == UM_PER_IMAGE)
		p->apart = p->lanes == p->threads || seconds_a_product(p) < WORTH_SHARING;
	else
		p->apart = p->lanes > 1 && p->batch % p->lanes == 0 && p->chunk >= LEAST_IMAGES &&
			work_of(p) >= LEAST_WORK;
	if (!p->apart)
		go_together(p);
}

/* A few numbers of each image, such as a time and what is made of it, are worked on for all images at
 * once before the images themselves are, so that their weights are read once. */
static um_phase phase_of(const um_program *p, const um_node *n)
{
	um_phase phase = n->op == &um_op_input ? UM_BEFORE : UM_ON_WEIGHTS;
	for (int k = 0; k < n->nin; k++) {
		const um_phase in = p->fact[n->in[k]->id].phase;
		phase = in > phase ? in : phase;
	}
	if (!p->apart)
		return phase > UM_ON_WEIGHTS || n->batched ? UM_IMAGES : phase;
	if (n->batched && phase <= UM_BEFORE && p->schedule == UM_PER_IMAGE && um_node_len(n) <= p->few)
		return UM_BEFORE;
	if (n->batched)
		return phase == UM_AFTER ? UM_AFTER : UM_IMAGES;
	return um_sums_batch(n) ? UM_AFTER : phase;
}

/* They stay in memory: where that is much, or where they are most of the work, nothing is. */
static bool too_many(const um_program *p)
{
	enum { MOST_BYTES = 1 << 24 };
	double bytes = 0, before = 0, all = 0;
	for (int i = 0; i < p->nnodes; i++) {
		const um_node *n = p->graph->node[i];
		if (!p->fact[i].live || !n->batched || um_is_leaf(n))
			continue;
		const double work = n->op->flops != NULL ? n->op->flops(n) : (double)um_node_len(n);
		all += work;
		if (p->fact[i].phase == UM_BEFORE) {
			before += work;
			bytes += (double)(um_node_len(n) * p->size * p->batch);
		}
	}
	return bytes > MOST_BYTES || before > all / 2;
}

/* Whether an image waits for a sum over the batch does not depend on threads: the first node that does. */
static const um_node *waits_for_batch(const um_program *p)
{
	const um_node *found = NULL;
	bool *after = um_new(sizeof(*after) * (size_t)(p->nnodes + 1));
	for (int i = 0; i < p->nnodes && found == NULL; i++) {
		const um_node *n = p->graph->node[i];
		after[i] = um_sums_batch(n);
		for (int k = 0; k < n->nin; k++)
			after[i] |= after[n->in[k]->id];
		if (p->fact[i].live && n->batched && after[i])
			found = n;
	}
	free(after);
	return found;
}

static um_status set_phases(um_program *p)
{
	const um_node *waits = p->schedule == UM_PER_IMAGE ? waits_for_batch(p) : NULL;
	if (waits != NULL)
		return um_fail(UM_EARG, "um_compile: %s %s of each image depends on a sum over the batch, "
			"which the per-image schedule cannot do; use the per-batch schedule", waits->op->name,
			um_node_shape(waits));
	for (int i = 0; i < p->nnodes; i++) {
		const um_node *n = p->graph->node[i];
		if (!p->fact[i].live)
			continue;
		p->fact[i].phase = phase_of(p, n);
		p->late |= n->late;
		if (n->batched && p->fact[i].phase == UM_AFTER && p->schedule == UM_PER_BATCH) {
			go_together(p);
			return set_phases(p);
		}
	}
	/* Each lane keeps the values of all its images from the early part to the late one. */
	if (p->late && p->schedule == UM_PER_IMAGE && p->apart && p->batch % p->lanes != 0) {
		go_together(p);
		return set_phases(p);
	}
	if (p->apart && p->few > 0 && too_many(p)) {
		p->few = 0;
		return set_phases(p);
	}
	return UM_OK;
}

/* ---- order -------------------------------------------------------------------------------- */

static int by_time(const void *x, const void *y)
{
	const um_step *a = x, *b = y;
	if (a->phase != b->phase)
		return a->phase < b->phase ? -1 : 1;
	if (a->late != b->late)
		return a->late ? 1 : -1;
	return (a->order > b->order) - (a->order < b->order);
}

static void order_steps(um_program *p)
{
	qsort(p->step, (size_t)p->nsteps, sizeof(*p->step), by_time);
	for (int s = p->nsteps - 1; s >= 0; s--) {
		const um_step *step = &p->step[s];
		if (step->node != NULL)
			p->fact[step->node->id].step = s;
		for (int k = 0; step->fused != NULL && k < step->fused->nresults; k++)
			p->fact[step->fused->result[k].node->id].step = s;
	}
	for (int phase = 0, s = 0; phase <= UM_PHASES; phase++) {
		while (s < p->nsteps && p->step[s].phase < (um_phase)phase)
			s++;
		p->first[phase] = s;
	}
}

/* ---- kernels -------------------------------------------------------------------------------- */

/* As the caller's graph has it: a product of split factors counts once. */
static double flops_of(const um_node *n)
{
	return n->op->flops(n) / um_node_terms(n->in[0]);
}

static um_status prepare_step(um_program *p, um_step *s)
{
	const um_node *n = s->node;
	const bool lanes = s->phase == UM_IMAGES && p->apart;
	const bool batched = n->batched || um_sums_batch(n);
	um_prepare how = { .precision = p->precision, .count = s->count, .threads = s->threads,
		.lanes = lanes ? p->lanes : 1 };
	for (int k = 0; k < n->nin; k++)
		how.fixed[k] = p->fact[n->in[k]->id].phase == UM_ON_WEIGHTS && s->phase != UM_ON_WEIGHTS;
	if (n->op->flops != NULL)
		p->info.flops += flops_of(n) * (double)(batched ? p->batch : 1);
	if (n->op->prepare == NULL)
		return UM_OK;
	const um_status st = n->op->prepare(n, &how);
	s->state = how.state;
	s->scratch = how.scratch;
	s->packs = n->op->pack != NULL;
	p->info.packed_bytes += how.packed;
	return st != UM_OK ? um_context(st, "um_compile: %s %s", n->op->name, um_node_shape(n)) : UM_OK;
}

/* What a step reads and writes for all images. */
static double bytes_of(const um_program *p, const um_step *s)
{
	double bytes = 0;
	const um_node *n = s->node;
	for (int k = 0; n != NULL && k < n->nin + 1; k++) {
		const um_node *x = k < n->nin ? n->in[k] : n;
		bytes += (double)(um_node_len(x) * um_node_size(x, p->size)) * (x->batched ? (double)p->batch : 1);
	}
	for (int k = 0; n == NULL && k < s->fused->noperands + s->fused->nresults; k++) {
		const um_node *x = k < s->fused->noperands ? s->fused->operand[k].node :
			s->fused->result[k - s->fused->noperands].node;
		bytes += (double)(um_node_len(x) * um_node_size(x, p->size)) * (x->batched ? (double)p->batch : 1);
	}
	return bytes;
}

/* The kernel that most flops are made by. */
static const char *main_kernel(const um_program *p)
{
	const char *name = "";
	double most = 0;
	for (int i = 0; i < p->nsteps; i++) {
		double flops = 0;
		const um_node *n = p->step[i].node;
		if (n == NULL || n->op->kernel == NULL)
			continue;
		const char *mine = n->op->kernel(p->step[i].state);
		for (int k = 0; k < p->nsteps; k++) {
			const um_node *m = p->step[k].node;
			if (m != NULL && m->op->kernel != NULL && strcmp(m->op->kernel(p->step[k].state), mine) == 0)
				flops += m->op->flops(m);
		}
		if (flops > most) {
			most = flops;
			name = mine;
		}
	}
	return name;
}

static um_status prepare_steps(um_program *p)
{
	um_status st = UM_OK;
	for (int i = 0; i < p->nsteps; i++) {
		um_step *s = &p->step[i];
		s->scratch_lane = s->phase == UM_IMAGES && p->apart;
		if (s->phase != UM_ON_WEIGHTS)
			p->info.bytes += bytes_of(p, s);
		if (s->fused != NULL)
			s->scratch = um_fused_scratch(s->fused, p->size, s->threads);
		else
			UM_TRY(prepare_step(p, s));
	}
out:
	return st;
}

/* Kernels of oneDNN wait for, or leave out the work of, threads that they do not get. */
static int threads_for(const um_compile_options *options)
{
	int threads = options->threads > 0 ? options->threads : THREADS();
#ifdef _OPENMP
	if (threads > omp_get_thread_limit())
		threads = omp_get_thread_limit();
	if (omp_get_dynamic())
		threads = 1;
#endif
	return threads;
}

/* ---- the whole --------------------------------------------------------------------------------- */

/* The graph to compile: what the caller built, or a copy of it with other products. */
static um_status choose_graph(um_program *p, int n, um_node *const outputs[], um_node ***lowered)
{
	*lowered = um_new(sizeof(**lowered) * (size_t)n);
	memcpy(*lowered, outputs, sizeof(**lowered) * (size_t)n);
	if (!um_lower_changes(outputs[0]->graph, p->info.precision))
		return UM_OK;
	return um_lower(n, outputs, p->info.precision, &p->lowered, *lowered);
}

um_status um_compile(int n, um_node *const outputs[], const um_compile_options *options,
	um_program **program)
{
	um_status st = UM_OK;
	um_program *p = NULL;
	um_node **lowered = NULL;
	UM_TRY(check(n, outputs));
	p = um_new(sizeof(*p));
	p->info.precision = um_lower_precision(options->precision, options->schedule);
	UM_TRY(choose_graph(p, n, outputs, &lowered));
	p->graph = lowered[0]->graph;
	p->schedule = options->schedule;
	p->precision = options->precision == UM_FLOAT64 ? UM_FLOAT64 : UM_FLOAT32;
	p->size = p->precision == UM_FLOAT64 ? 8 : 4;
	p->threads = threads_for(options);
	p->batch = p->active = p->graph->batch;
	p->weights = options->weights;
	p->fresh = true;
	p->few = 2048;
	p->profiling = getenv("UMBRA_PROFILE") != NULL;
	own_outputs(p, n, lowered);
	UM_TRY(um_graph_status(p->graph));
	mark_live(p);
	choose_lanes(p);
	UM_TRY(set_phases(p));
	p->each = um_new(sizeof(*p->each) * (size_t)p->lanes);
	UM_TRY(um_program_fuse(p));
	order_steps(p);
	um_program_segments(p);
	UM_TRY(prepare_steps(p));
	UM_TRY(um_program_plan(p));
	snprintf(p->info.kernel, sizeof(p->info.kernel), "%s", main_kernel(p));
	p->info.steps = p->nsteps;
	p->info.threads = p->threads;
	*program = p;
	p = NULL;
out:
	free(lowered);
	um_program_free(p);
	return st;
}

void *um_program_memory(um_program *p, int64_t bytes)
{
	void *memory = NULL;
	if (posix_memalign(&memory, 64, (size_t)(bytes > 0 ? bytes : 64)) != 0) {
		(void)um_fail(UM_ENOMEM, "a network needs %.1f MB more than there is", (double)bytes / 1e6);
		return NULL;
	}
	memset(memory, 0, (size_t)(bytes > 0 ? bytes : 64));
	p->owned = um_grow(p->owned, sizeof(*p->owned) * (size_t)(p->nowned + 1));
	return p->owned[p->nowned++] = memory;
}

void um_program_free(um_program *p)
{
	if (p == NULL)
		return;
	for (int s = 0; s < p->nsteps; s++) {
		const um_step *step = &p->step[s];
		if (step->node != NULL && step->node->op->release != NULL && step->state != NULL)
			step->node->op->release(step->state);
		free(step->fused);
	}
	for (int i = 0; i < p->nowned; i++)
		free(p->owned[i]);
	free(p->owned);
	free(p->step);
	free(p->fact);
	free(p->output);
	free(p->sums);
	free(p->each);
	free(p->profile);
	um_graph_free(p->lowered);
	free(p);
}

um_program_info um_program_about(const um_program *p)
{
	return p->info;
}
