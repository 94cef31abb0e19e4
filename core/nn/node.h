/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What an operation is. One operation is one file in core/nn/ops: its attributes, its shape rule,
 * its kernels, its derivative, and its builder declared in umbra/graph.h; no list names it.
 *
 * A kernel is called for "count" images at a time. Arrays are contiguous; image i of input k begins
 * stride[k] elements after image i - 1, where stride[k] = 0 for shared inputs. A program in the
 * per-image schedule calls kernels from several threads at once with call.threads = 1 and different
 * call.lane, and so does one in the per-batch schedule whose threads share out the batch; else there
 * is one call for the whole batch and kernels may use call.threads threads. Nodes that do not depend
 * on the batch are computed with count = 1.
 * Kernels of products look at the numbers of their inputs, which are both real or both bfloat16; all
 * other operations have real ones.
 * Where an operation sums over the batch (um_op.sums_batch), call.add says whether to add to out or
 * to set it. */
#ifndef UMBRA_NN_NODE_H
#define UMBRA_NN_NODE_H

#include <stddef.h>
#include <umbra/graph.h>
#include <umbra/program.h>

enum { UM_NN_INPUTS = 3 };

typedef struct um_op um_op;

/* What the numbers of a node are: those of the program, float or double, or bfloat16. */
typedef enum um_number { UM_NUMBER_REAL, UM_NUMBER_BF16 } um_number;

/* What kernels are told at compile time and may keep in *state. */
typedef struct um_prepare {
	um_precision precision;
	int64_t count;            /* images in a call */
	int threads;              /* inside a call */
	int lanes;                /* calls that may run at once: 0 <= call.lane < lanes */
	bool fixed[UM_NN_INPUTS]; /* the input depends on weights and constants alone: pack it in pack() */
	int64_t scratch;          /* out: bytes a call needs, planned by the program */
	int64_t packed;           /* out: bytes of memory of its own, for the report */
	void *state;              /* out */
} um_prepare;

typedef struct um_call {
	const um_node *node;
	void *state;
	int64_t count;
	int64_t size;             /* bytes of a real number: for kernels that move numbers and never look at them */
	const void *in[UM_NN_INPUTS];
	int64_t stride[UM_NN_INPUTS];
	void *out;                /* image i at i * um_node_len(node) elements */
	void *scratch;            /* 64-byte aligned, or NULL */
	bool add;
	int threads, lane;
	int64_t first;            /* number of the first image in the batch */
	uint64_t key;             /* of the run */
} um_call;

/* An element-wise kernel: o[i] = f(a[i], b[i]; imm) for n numbers; o may be a or b. */
typedef struct um_tile {
	void (*f32)(int64_t n, float *o, const float *a, const float *b, double imm);
	void (*f64)(int64_t n, double *o, const double *a, const double *b, double imm);
} um_tile;

/* Bytes of memory whose end is aligned as its beginning is. */
static inline int64_t um_round_up(int64_t bytes)
{
	return (bytes + 63) / 64 * 64;
}

struct um_op {
	const char *name;
	/* Sets rank and dim of n from its inputs and attributes; batched is preset (any input is).
	 * A failure is um_graph_fail(n->graph, ...) and false. */
	bool (*shape)(um_node *n);
	/* dx[k] = contribution of n's adjoint dy to input k, as new nodes, for those with want[k]; NULL:
	 * none. dy has the shape of n and is batched if n is. um_grad sums dx[k] to the shape of input
	 * k, over the batch too where the input is shared, so broadcasting needs no care here. */
	void (*grad)(um_node *n, um_node *dy, const bool want[], um_node *dx[]);

	/* Either element-wise: attr is then one double, imm, or nothing; the shape rule may be NULL:
	 * broadcasting */
	um_tile tile;
	int cost;                 /* 0: cheap; 1: a transcendental function; fusion recomputes cheap ones */

	/* or the end of a loop: numbers first .. first + count - 1 of the input, of image 0 and those that
	 * follow it, become part of the result, whose image 0 is at out. */
	void (*store)(const um_node *n, int64_t first, int64_t count, const float *x, void *out);

	/* or a kernel. */
	um_status (*prepare)(const um_node *n, um_prepare *how);      /* (optional) */
	/* (optional) The fixed inputs changed: pack them. call->in of those that are not fixed is NULL;
	 * call->scratch is there as in run. */
	um_status (*pack)(const um_call *call);
	um_status (*run[2])(const um_call *call);                     /* by um_precision */
	void (*release)(void *state);                                 /* (optional) */
	double (*flops)(const um_node *n);                            /* (optional) an image */
	const char *(*kernel)(const void *state);                     /* (optional) its name, for a person */
	/* (optional) A product of inputs 0 and 1 that may come in bfloat16: the axis of each that it sums
	 * over, -1 for positions of images. False: it is not worth it. */
	bool (*factors)(const um_node *n, int axis[2]);
	bool sums_batch;          /* the result is shared though inputs are batched */
	bool view;                /* reshape: the result is the input's memory */
	bool copy;                /* element-wise: the input itself, repeated where the shape is larger */
};

/* Large constant data of a node (indices, a sparse matrix), owned by the graph. */
typedef struct um_blob {
	size_t size;
	uint64_t hash;
	void *data;
} um_blob;

struct um_node {
	um_graph *graph;
	const um_op *op;
	int id;                   /* order of making: inputs come first */
	int nin;
	um_node *in[UM_NN_INPUTS];
	int rank;
	int64_t dim[UM_NN_RANK];
	um_number number;
	bool batched;
	bool late;                /* depends on a late input */
	const void *attr;         /* plain bytes (no padding, no pointers): part of the node's identity */
	size_t attr_size;
	const um_blob *blob;      /* or NULL */
	const char *name;         /* of leaves */
	um_node *next;            /* in the same bucket */
};

/* A node of op; attr is copied. NULL inputs or a failing shape rule give NULL; an equal node that
 * exists is returned instead. For leaves rank and dim come from shape rules that read attr. */
um_node *um_node_new(um_graph *g, const um_op *op, int nin, um_node *const in[], const void *attr,
	size_t attr_size);
um_node *um_node_new_blob(um_graph *g, const um_op *op, int nin, um_node *const in[], const void *attr,
	size_t attr_size, const void *data, size_t data_size);
/* The same operation on other inputs, in graph g. */
um_node *um_node_copy(um_graph *g, const um_node *n, um_node *const in[]);
/* For operations on one node, or two. */
um_node *um_node_1(const um_op *op, um_node *a, const void *attr, size_t attr_size);
um_node *um_node_2(const um_op *op, um_node *a, um_node *b, const void *attr, size_t attr_size);

/* Bytes of one of its numbers, where real ones have so many. */
static inline int64_t um_node_size(const um_node *n, int64_t real)
{
	return n->number == UM_NUMBER_BF16 ? 2 : real;
}

/* "(32, 32, 64)" for messages; four buffers a thread in turn. */
const char *um_node_shape(const um_node *n);
bool um_node_same_shape(const um_node *a, const um_node *b);
/* Sets rank and dim. */
void um_node_set(um_node *n, int rank, const int64_t dim[]);

/* A constant zero, or the value of a constant node whose elements are all equal. */
bool um_node_is(const um_node *n, double value);

extern const um_op um_op_input, um_op_weight, um_op_constant;
typedef struct um_leaf_attr {
	double scale;             /* of a weight: its initial law */
	int64_t law, rank, dim[UM_NN_RANK], batched, late;
} um_leaf_attr;

/* A leaf with a name, and the one that exists, or NULL. */
um_node *um_node_new_named(um_graph *g, const um_op *op, const char *name, const void *attr,
	size_t attr_size);
um_node *um_node_find(const um_graph *g, const um_op *op, const char *name);

/* a rounded to bfloat16 (terms = 1), or split along an axis into terms of products, 3 or 4 of
 * [high, low, high, low] for the left factor and [high, high, low, low] for the right one; see
 * core/nn/ops/parts.c. And the terms of such a node, or of a view of one; 1 for others. */
um_node *um_node_parts(um_node *a, int axis, int terms, bool right);
int um_node_terms(const um_node *n);

/* What um_nn_careful asks for: nothing, better products where they are split already, or everywhere. */
typedef enum um_care { UM_CARE_NONE, UM_CARE_SPLIT, UM_CARE } um_care;
um_care um_node_care(const um_node *n);

/* (.., channels) to (channels): the numbers at the first position, without a derivative. */
um_node *um_node_first(um_node *a);

/* A shared node as a batched one, the same for every image; batched nodes stay themselves. */
um_node *um_nn_spread(um_node *a);

#endif
