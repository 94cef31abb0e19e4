/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Runs fused loops; see fused.h. Everything but the operations themselves and the sums is copying,
 * and is written once for float and double. */
#include <string.h>
#include "base/parallel.h"
#include "nn/fused.h"
#include "nn/tile.h"
#include "nn/walk.h"

/* What one thread works with. */
typedef struct um_worker {
	const um_fused *f;
	const um_fused_call *call;
	double *acc;
	char *reg, *expand;
	int64_t tile_bytes, expand_bytes;
	const char *in[UM_FUSED_OPERANDS]; /* of the image */
	char *out[UM_FUSED_RESULTS];
	bool ready[UM_FUSED_OPERANDS];     /* its buffer holds what this image needs */
	const char *value[UM_FUSED_OPERANDS + UM_FUSED_INSTRS]; /* in the tile */
} um_worker;

/* ---- sums ------------------------------------------------------------------------- */

enum { WIDE = 32 }; /* columns summed at once */

#define SUMS(real) \
	/* In 32 partial sums, so that it vectorises and rounds little. */ \
	UM_KERNEL(double, all_##real, (int64_t n, const real *x), (n, x)) \
	{ \
		real part[32] = { 0 }; \
		int64_t i = 0; \
		for (; i + 32 <= n; i += 32) \
			for (int k = 0; k < 32; k++) \
				part[k] += x[i + k]; \
		double sum = 0; \
		for (; i < n; i++) \
			sum += (double)x[i]; \
		for (int k = 0; k < 32; k++) \
			sum += (double)part[k]; \
		return sum; \
	} \
	/* acc[c] += sum over rows of x[r][c]. */ \
	UM_KERNEL(void, down_##real, (int64_t rows, int64_t cols, const real *x, double *acc), \
		(rows, cols, x, acc)) \
	{ \
		int64_t c = 0; \
		for (; c + WIDE <= cols; c += WIDE) { \
			real part[WIDE] = { 0 }; \
			for (int64_t r = 0; r < rows; r++) \
				for (int k = 0; k < WIDE; k++) \
					part[k] += x[r * cols + c + k]; \
			for (int k = 0; k < WIDE; k++) \
				acc[c + k] += (double)part[k]; \
		} \
		for (; c < cols; c++) { \
			real part = 0; \
			for (int64_t r = 0; r < rows; r++) \
				part += x[r * cols + c]; \
			acc[c] += (double)part; \
		} \
	}
SUMS(float)
SUMS(double)

static double sum_all(int64_t size, int64_t n, const char *x)
{
	return size == 4 ? all_float(n, (const float *)x) : all_double(n, (const double *)x);
}

static void put(int64_t size, char *o, int64_t i, double v, bool add)
{
	if (size == 4)
		((float *)o)[i] = (float)(v + (add ? (double)((float *)o)[i] : 0));
	else
		((double *)o)[i] = v + (add ? ((double *)o)[i] : 0);
}

/* Adds a tile to the sum r; the tile is rows r0 .. of columns c0 .. */
static void accumulate(um_worker *w, int k, int64_t r0, int64_t nr, int64_t c0, int64_t nc)
{
	const um_result *r = &w->f->result[k];
	const int64_t size = w->call->size;
	const char *x = w->value[r->value];
	double *acc = w->acc + r->acc;
	if (r->fit == UM_SCALAR) {
		*acc += sum_all(size, nr * nc, x);
	} else if (r->fit == UM_ROW) {
		for (int64_t i = 0; i < nr; i++) {
			double sum = sum_all(size, nc, x + i * nc * size);
			*acc = c0 == 0 ? sum : *acc + sum;
			if (c0 + nc == w->f->cols)
				put(size, w->out[k], r0 + i, *acc, false);
		}
	} else if (size == 4) {
		down_float(nr, nc, (const float *)x, acc + c0);
	} else {
		down_double(nr, nc, (const double *)x, acc + c0);
	}
}

/* Writes the sums of acc that end here: those of an image, or those of the batch. */
static void flush(const um_fused *f, const um_fused_call *c, char *const out[], double *acc, bool batch)
{
	for (int k = 0; k < f->nresults; k++) {
		const um_result *r = &f->result[k];
		if (!r->sum || r->fit == UM_ROW || r->batch != batch)
			continue;
		const int64_t n = r->fit == UM_LANE ? f->cols : 1;
		for (int64_t i = 0; i < n; i++)
			put(c->size, out[k], i, acc[r->acc + i], batch && c->add);
		memset(acc + r->acc, 0, sizeof(*acc) * (size_t)n);
	}
}

/* ---- operands ----------------------------------------------------------------------- */

static void repeat(int64_t size, char *o, const char *value, int64_t n)
{
	if (size == 4)
		for (int64_t i = 0; i < n; i++)
			memcpy(o + 4 * i, value, 4);
	else
		for (int64_t i = 0; i < n; i++)
			memcpy(o + 8 * i, value, 8);
}

/* The whole image of an operand that broadcasts in no simple way. */
static void expand(const um_node *o, const um_node *s, int64_t size, const char *x, char *out)
{
	um_walk w = { .rank = s->rank };
	int64_t step = 1;
	for (int i = s->rank - 1, k = o->rank - 1; i >= 0; i--, k--) {
		const bool repeats = k < 0 || o->dim[k] == 1;
		w.dim[i] = s->dim[i];
		w.step[i] = repeats ? 0 : step;
		step *= repeats ? 1 : o->dim[k];
	}
	um_walk_simplify(&w);
	um_walk_run(&w, &(um_call){ .count = 1, .size = size, .in = { x }, .out = out, .threads = 1 });
}

/* Where the tile of operand k is. */
static const char *operand(um_worker *w, int k, int64_t r0, int64_t nr, int64_t c0, int64_t nc)
{
	const um_fused *f = w->f;
	const um_operand *o = &f->operand[k];
	const int64_t size = w->call->size, most = f->cols <= UM_TILE_LEN ? UM_TILE_LEN / f->cols : 1;
	char *buffer = w->expand + o->expand * w->expand_bytes;
	const char *x = w->in[k];
	if (o->fit == UM_FULL)
		return x + (r0 * f->cols + c0) * size;
	if (o->fit == UM_LANE && nc < f->cols)
		return x + c0 * size;
	if (o->fit == UM_ROW) {
		for (int64_t i = 0; i < nr; i++)
			repeat(size, buffer + i * nc * size, x + (r0 + i) * size, nc);
		return buffer;
	}
	if (!w->ready[k]) {
		w->ready[k] = true;
		if (o->fit == UM_SCALAR)
			repeat(size, buffer, x, most * (f->cols <= UM_TILE_LEN ? f->cols : UM_TILE_LEN));
		else if (o->fit == UM_EXPAND)
			expand(o->node, f->shape, size, x, buffer);
		else
			for (int64_t i = 0; i < most && i < f->rows * w->call->count; i++)
				memcpy(buffer + i * nc * size, x, (size_t)(nc * size));
	}
	return o->fit == UM_EXPAND ? buffer + (r0 * f->cols + c0) * size : buffer;
}

/* ---- the loop -------------------------------------------------------------------------- */

static void tile(um_worker *w, int64_t r0, int64_t nr, int64_t c0, int64_t nc)
{
	const um_fused *f = w->f;
	const int64_t size = w->call->size, n = nr * nc;
	for (int k = 0; k < f->noperands; k++)
		w->value[k] = operand(w, k, r0, nr, c0, nc);
	for (int i = 0; i < f->ninstrs; i++) {
		const um_instr *in = &f->instr[i];
		const um_tile *op = &in->node->op->tile;
		char *o = in->result >= 0 ? w->out[in->result] + (r0 * f->cols + c0) * size :
			w->reg + in->reg * w->tile_bytes;
		const char *a = w->value[in->a], *b = w->value[in->b];
		if (size == 4)
			op->f32(n, (float *)o, (const float *)a, (const float *)b, in->imm);
		else
			op->f64(n, (double *)o, (const double *)a, (const double *)b, in->imm);
		w->value[f->noperands + i] = o;
	}
	for (int k = 0; k < f->nresults; k++) {
		const um_result *r = &f->result[k];
		if (r->sum)
			accumulate(w, k, r0, nr, c0, nc);
		else if (!um_result_is_plain(r))
			r->node->op->store(r->node, r0 * f->cols + c0, n, (const float *)w->value[r->value],
				w->out[k]);
	}
}

/* Rows first .. last - 1 of the image whose memory is set. */
static void rows(um_worker *w, int64_t first, int64_t last)
{
	const int64_t cols = w->f->cols;
	if (cols <= UM_TILE_LEN) {
		const int64_t most = UM_TILE_LEN / cols;
		for (int64_t r = first; r < last; r += most)
			tile(w, r, last - r < most ? last - r : most, 0, cols);
		return;
	}
	for (int64_t r = first; r < last; r++)
		for (int64_t c = 0; c < cols; c += UM_TILE_LEN)
			tile(w, r, 1, c, cols - c < UM_TILE_LEN ? cols - c : UM_TILE_LEN);
}

static void image(um_worker *w, int64_t b)
{
	const um_fused *f = w->f;
	for (int k = 0; k < f->noperands; k++) {
		w->in[k] = w->call->in[k] + b * w->call->in_image[k];
		w->ready[k] = w->ready[k] && w->call->in_image[k] == 0;
	}
	for (int k = 0; k < f->nresults; k++)
		w->out[k] = w->call->out[k] + b * w->call->out_image[k];
}

static void worker(um_worker *w, const um_fused *f, const um_fused_call *c, int thread, int threads)
{
	const int64_t all = um_fused_scratch(f, c->size, 1);
	char *at = c->scratch + thread * all;
	*w = (um_worker){ .f = f, .call = c, .acc = (double *)(void *)at };
	w->tile_bytes = um_round_up(c->size * UM_TILE_LEN);
	at += um_round_up((int64_t)sizeof(double) * f->naccs);
	w->reg = at;
	w->expand = w->reg + f->nregs * w->tile_bytes;
	if (f->nexpand > 0)
		w->expand_bytes = (c->scratch + (thread + 1) * all - w->expand) / f->nexpand;
	memset(w->acc, 0, sizeof(double) * (size_t)f->naccs);
	const bool by_rows = f->merged || c->count == 1;
	const int64_t n = by_rows ? f->rows * c->count : c->count;
	const int64_t first = n * thread / threads, last = n * (thread + 1) / threads;
	image(w, 0);
	if (by_rows) {
		rows(w, first, last);
		return;
	}
	for (int64_t b = first; b < last; b++) {
		image(w, b);
		rows(w, 0, f->rows);
		flush(f, c, w->out, w->acc, false);
	}
}

void um_fused_run(const um_fused *f, const um_fused_call *c)
{
	const bool by_rows = f->merged || c->count == 1;
	const int64_t work = f->rows * f->cols * c->count * (f->ninstrs + 1);
	int lanes = c->threads;
	if (work < 65536)
		lanes = 1;
	if (lanes == 1) {
		um_worker w;
		worker(&w, f, c, 0, 1);
		if (by_rows)
			flush(f, c, c->out, w.acc, false);
		flush(f, c, c->out, w.acc, true);
		return;
	}
	PARALLEL
	for (int t = 0; t < lanes; t++) {
		um_worker w;
		worker(&w, f, c, t, lanes);
	}
	double *acc = (double *)(void *)c->scratch;
	for (int t = 1; t < lanes; t++) {
		const double *more = (double *)(void *)(c->scratch + t * um_fused_scratch(f, c->size, 1));
		for (int64_t i = 0; i < f->naccs; i++)
			acc[i] += more[i];
	}
	if (by_rows)
		flush(f, c, c->out, acc, false);
	flush(f, c, c->out, acc, true);
}
