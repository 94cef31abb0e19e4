/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Networks as static graphs. A node is a real array computed from other nodes; um_grad adds the
 * nodes of a derivative, so that derivatives of derivatives come out; um_compile (umbra/program.h)
 * turns chosen nodes into a program that runs many times. Not plugin ABI.
 *
 * Shapes are those of ONE image, at most UM_NN_RANK axes, row-major; the batch is not an axis. A
 * node is batched (one value an image) or shared (one value: weights, constants, sums over the
 * batch); a node made of anything batched is batched. Images on a grid are (rows, columns, channels), points (vertices, channels): the channel
 * comes last. Arithmetic broadcasts as NumPy does, axes aligned on the right.
 *
 * Errors: a builder that cannot work records one message in the graph, which names the operation
 * and the shapes, and returns NULL; builders given NULL return NULL. So a network is written
 * without checks, and um_graph_status or um_compile reports the first mistake.
 *
 * Nodes belong to the graph; equal nodes are made once. A graph is used by one thread at a time. */
#ifndef UMBRA_GRAPH_H
#define UMBRA_GRAPH_H

#include <stdbool.h>
#include <stdint.h>
#include <umbra/status.h>

#ifdef __cplusplus
extern "C" {
#endif

#define UM_NN_RANK 5

typedef struct um_graph um_graph;
typedef struct um_node um_node;

/* A graph for so many images at a time. */
UM_API um_graph *um_graph_new(int64_t batch);
UM_API void um_graph_free(um_graph *g);
UM_API int64_t um_graph_batch(const um_graph *g);
/* UM_OK, or the first mistake made in building, as the message of this thread. */
UM_API UM_USED um_status um_graph_status(const um_graph *g);
/* Records a mistake, unless there is one already; returns NULL. For builders of layers. */
UM_API um_node *um_graph_fail(um_graph *g, const char *fmt, ...) UM_PRINTF(2, 3);

UM_API um_graph *um_node_graph(const um_node *x);
UM_API int um_node_rank(const um_node *x);
UM_API const int64_t *um_node_dim(const um_node *x);
UM_API int64_t um_node_len(const um_node *x); /* of one image */
UM_API bool um_node_batched(const um_node *x);

/* ---- leaves ---------------------------------------------------------------- */

/* What the caller fills before each run. late: it may depend on outputs that do not need it; see
 * um_program_run_early. */
UM_API um_node *um_nn_input(um_graph *g, const char *name, int rank, const int64_t dim[], bool batched);
UM_API um_node *um_nn_late_input(um_graph *g, const char *name, int rank, const int64_t dim[],
	bool batched);

/* How a weight starts. */
typedef enum um_init_law {
	UM_INIT_CONSTANT, /* scale */
	UM_INIT_NORMAL,   /* scale N(0, 1) */
	UM_INIT_FAN,      /* uniform, variance scale / mean of fan-in and fan-out; 0 means 1e-10 */
} um_init_law;
typedef struct um_init {
	um_init_law law;
	double scale;
} um_init;

/* What is learned; the same name and shape give the same node. Fans are those of the last two
 * axes, times the product of the axes before. */
UM_API um_node *um_nn_weight(um_graph *g, const char *name, int rank, const int64_t dim[], um_init init);

/* Numbers known now (copied). */
UM_API um_node *um_nn_constant(um_graph *g, int rank, const int64_t dim[], const double *values);
UM_API um_node *um_nn_scalar(um_graph *g, double value);

/* ---- element by element ------------------------------------------------------ */

UM_API um_node *um_nn_add(um_node *a, um_node *b);
UM_API um_node *um_nn_sub(um_node *a, um_node *b);
UM_API um_node *um_nn_mul(um_node *a, um_node *b);
UM_API um_node *um_nn_div(um_node *a, um_node *b);
UM_API um_node *um_nn_scale(um_node *a, double factor);
UM_API um_node *um_nn_shift(um_node *a, double term);
UM_API um_node *um_nn_neg(um_node *a);
UM_API um_node *um_nn_exp(um_node *a);
UM_API um_node *um_nn_log(um_node *a);
UM_API um_node *um_nn_sqrt(um_node *a);
UM_API um_node *um_nn_square(um_node *a);
UM_API um_node *um_nn_sin(um_node *a);
UM_API um_node *um_nn_cos(um_node *a);
UM_API um_node *um_nn_tanh(um_node *a);
UM_API um_node *um_nn_sigmoid(um_node *a);
UM_API um_node *um_nn_silu(um_node *a);     /* a sigmoid(a) */
UM_API um_node *um_nn_softplus(um_node *a); /* log(1 + e^a) */
UM_API um_node *um_nn_relu(um_node *a);
UM_API um_node *um_nn_leaky_relu(um_node *a, double slope); /* slope a for a < 0 */
UM_API um_node *um_nn_step(um_node *a, double below);       /* 1 for a > 0, else below; derivative 0 */

/* ---- sums ---------------------------------------------------------------------- */

/* Over the axes whose bits are set (bit i = axis i), which stay with length 1. */
UM_API um_node *um_nn_sum(um_node *a, unsigned axes);
UM_API um_node *um_nn_mean(um_node *a, unsigned axes);
#define UM_NN_ALL 0xffu /* every axis; the result has rank 0 */
/* Over the images of the batch: a shared node of the same shape. */
UM_API um_node *um_nn_batch_sum(um_node *a);
UM_API um_node *um_nn_batch_mean(um_node *a);
/* (channels) to (channels): factor times the mean of the group of neighbours that a channel is in. */
UM_API um_node *um_nn_group_mean(um_node *a, int64_t groups, double factor);
/* The value at the first position of all axes but the last, (.., channels) to (channels), constant for
 * um_grad: a number of the size of the others, for sums of what is left. */
UM_API um_node *um_nn_sample(um_node *a);
/* The adjoint of broadcasting: sums until the shape is (rank, dim), and over the batch where
 * batched is false but a is. */
UM_API um_node *um_nn_sum_to(um_node *a, int rank, const int64_t dim[], bool batched);

/* ---- rearranging ------------------------------------------------------------------ */

UM_API um_node *um_nn_broadcast(um_node *a, int rank, const int64_t dim[]);
UM_API um_node *um_nn_reshape(um_node *a, int rank, const int64_t dim[]);
/* Axis i of the result is axis order[i] of a. */
UM_API um_node *um_nn_permute(um_node *a, const int order[]);
UM_API um_node *um_nn_concat(um_node *a, um_node *b, int axis);
/* Entries first .. first + count - 1 of an axis; um_nn_place is its adjoint, zeros elsewhere. */
UM_API um_node *um_nn_slice(um_node *a, int axis, int64_t first, int64_t count);
UM_API um_node *um_nn_place(um_node *a, int axis, int64_t first, int64_t length);
/* Entry i of an axis becomes entry index[i] (count of them, copied); um_nn_scatter is its adjoint:
 * entry i is added to entry index[i] of an axis of that length. */
UM_API um_node *um_nn_gather(um_node *a, int axis, int64_t count, const int64_t index[]);
UM_API um_node *um_nn_scatter(um_node *a, int axis, int64_t length, const int64_t index[]);

/* ---- products ----------------------------------------------------------------------- */

/* (..., m, k) (..., k, n) -> (..., m, n), where a is stored (..., k, m) with ta and b (..., n, k)
 * with tb. Leading axes are equal, or one side has none. One of a and b may be shared. */
UM_API um_node *um_nn_matmul(um_node *a, um_node *b, bool ta, bool tb);
/* The same, summed over the batch: a weight gradient. a and b are batched, the result shared. */
UM_API um_node *um_nn_matmul_sum(um_node *a, um_node *b, bool ta, bool tb);

/* Convolution (as networks define it: a correlation) of (rows, columns, ci) with weights
 * (kernel rows, kernel columns, ci, co), shared. */
typedef struct um_conv {
	int64_t stride;             /* of rows and columns; 0: 1 */
	int64_t top, bottom, left, right; /* zeros added around */
} um_conv;
UM_API um_node *um_nn_conv(um_node *x, um_node *w, const um_conv *spec);
/* Its adjoint in x, also known as transposed convolution: y (rows', columns', co) -> (rows,
 * columns, ci) of the given rows and columns. */
UM_API um_node *um_nn_conv_transposed(um_node *y, um_node *w, const um_conv *spec, int64_t rows,
	int64_t columns);
/* Its adjoint in w, summed over the batch: (kernel rows, kernel columns, ci, co). */
UM_API um_node *um_nn_conv_weight(um_node *x, um_node *y, const um_conv *spec, int64_t kernel_rows,
	int64_t kernel_columns);

/* A sparse matrix by rows: row i has entries start[i] .. start[i+1] - 1. */
typedef struct um_csr {
	int64_t rows, columns;
	const int64_t *start, *column;
	const double *value;
} um_csr;
/* (columns, channels) -> (rows, channels), or with transpose the adjoint. The matrix is copied. */
UM_API um_node *um_nn_sparse(um_node *x, const um_csr *a, bool transpose);

/* Each channel: zeros between samples (up), padding, correlation with one kernel
 * [kernel_rows][kernel_columns], every down-th sample. As upfirdn2d of StyleGAN, whose kernel is
 * flipped in addition. */
typedef struct um_fir {
	int64_t up, down;
	int64_t kernel_rows, kernel_columns;
	const double *kernel;       /* copied */
	int64_t top, bottom, left, right;
} um_fir;
UM_API um_node *um_nn_fir(um_node *x, const um_fir *spec);

/* The same value, constant for um_grad: where an expression does not change with a. */
UM_API um_node *um_nn_detach(um_node *a);

/* The same value. Products that it is a factor of are made with more digits in programs of bfloat16
 * (umbra/program.h): for what a small part of the work does to the result. */
UM_API um_node *um_nn_careful(um_node *a);

/* ---- others ----------------------------------------------------------------------------- */

/* Over the last axis. */
UM_API um_node *um_nn_softmax(um_node *a);
/* 0 with probability rate, else 1 / (1 - rate): one number an element, a function of the key of
 * the run, the image and this node. Multiply by it. */
UM_API um_node *um_nn_dropout_mask(um_graph *g, int rank, const int64_t dim[], double rate);

/* ---- derivatives ---------------------------------------------------------------------------- */

/* dx[j] = sum_i (d y_i / d x_j)^T v_i, with the shape of x_j; zeros where nothing depends on it.
 * v_i has the shape of y_i, NULL means ones. For a shared x_j it is the sum over the batch. */
UM_API UM_USED um_status um_grad(int ny, um_node *const y[], um_node *const v[], int nx,
	um_node *const x[], um_node *dx[]);

/* dy[i] = sum_j (d y_i / d x_j) e_j, by differentiating v -> J^T v once more. */
UM_API UM_USED um_status um_tangent(int nx, um_node *const x[], um_node *const e[], int ny,
	um_node *const y[], um_node *dy[]);

#ifdef __cplusplus
}
#endif
#endif
