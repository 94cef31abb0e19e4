/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A chain of element-wise operations as one loop: tile after tile, each operation on a tile that
 * stays in the first-level cache, so that every stored array is read and written once.
 *
 * An image of the loop is rows x cols numbers. Operands are full (rows x cols), a lane (cols numbers,
 * the same in every row), a row vector (rows numbers) or a scalar; anything else is expanded first.
 * Results are stored, as they are or as an operation does it (um_op.store), or summed on the spot: to
 * a lane, to rows, to a scalar, each image or over the batch. Where operands allow, the images of a batch are one image with more rows. */
#ifndef UMBRA_NN_FUSED_H
#define UMBRA_NN_FUSED_H

#include "nn/node.h"

enum { UM_TILE_LEN = 1024, UM_FUSED_OPERANDS = 24, UM_FUSED_INSTRS = 64, UM_FUSED_RESULTS = 8 };

typedef enum um_fit { UM_FULL, UM_LANE, UM_ROW, UM_SCALAR, UM_EXPAND } um_fit;

/* How an array of shape o lies in a loop over shape s; *cols is set for lanes and rows. */
um_fit um_fit_of(const um_node *o, const um_node *s, int64_t *cols);

typedef struct um_operand {
	const um_node *node;
	um_fit fit;
	int last;            /* instruction that reads it last; INT_MAX: a sum does */
	int expand;          /* number of its buffer, where it needs one, or -1 */
} um_operand;

/* Values are numbered: operands first, then instructions. */
typedef struct um_instr {
	const um_node *node;
	double imm;
	int a, b;            /* values; b is a for unary ones */
	int result;          /* stored as this result, or -1 */
	int reg;             /* the tile that holds it where it is not stored */
} um_instr;

typedef struct um_result {
	const um_node *node;
	int value;
	bool sum;
	um_fit fit;          /* of a sum */
	bool batch;          /* the sum is over the batch too */
	int64_t acc;         /* number of its first accumulator */
} um_result;

/* A value itself: neither summed nor stored by an operation of its own. */
static inline bool um_result_is_plain(const um_result *r)
{
	return !r->sum && r->node->op->store == NULL;
}

typedef struct um_fused {
	const um_node *shape; /* whose shape the loop has */
	int64_t rows, cols;
	bool batched, merged;
	int noperands, ninstrs, nresults, nregs, nexpand;
	int64_t naccs;
	um_operand operand[UM_FUSED_OPERANDS];
	um_instr instr[UM_FUSED_INSTRS];
	um_result result[UM_FUSED_RESULTS];
} um_fused;

/* Fixes rows, cols, registers and buffers of a group whose operands, instructions and results are
 * there; cols as the operands want it, 0 if they do not care. */
void um_fused_finish(um_fused *f, int64_t cols, int64_t count);

/* Bytes of scratch that a call with so many threads needs. */
int64_t um_fused_scratch(const um_fused *f, int64_t size, int threads);

/* What a call works on: memory of operands and results for the first image, and bytes to the next
 * (0: shared). */
typedef struct um_fused_call {
	int64_t count, size; /* images; bytes of a number */
	const char *in[UM_FUSED_OPERANDS];
	int64_t in_image[UM_FUSED_OPERANDS];
	char *out[UM_FUSED_RESULTS];
	int64_t out_image[UM_FUSED_RESULTS];
	bool add;            /* sums over the batch are added to what is there */
	int threads;
	char *scratch;
} um_fused_call;

void um_fused_run(const um_fused *f, const um_fused_call *call);

#endif
