/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a network learned: named float32 tensors in one block of memory, which an optimiser moves as
 * one vector and several programs share. Not plugin ABI. */
#ifndef UMBRA_WEIGHTS_H
#define UMBRA_WEIGHTS_H

#include <umbra/graph.h>
#include <umbra/rng.h>
#include <umbra/sink.h>
#include <umbra/tensors.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Open for reading; whoever writes into data calls um_weights_touch. A copy, set to zero, can hold a
 * gradient: programs write tensor i to array[i].data, and an optimiser moves len floats at once. */
typedef struct um_weights {
	int n;
	char **name;
	um_array *array;   /* views into data; each begins at a multiple of 64 bytes */
	int64_t len;       /* floats in data, gaps (always zero) included */
	float *data;
	uint64_t version;  /* moves when data does; programs pack anew */
} um_weights;

/* Every weight that the graph names, in the order of its making, at its initial law; tensor i
 * draws from um_rng_at(base, hash of its name, 0), so order changes nothing. */
UM_API UM_USED um_status um_weights_new(const um_graph *g, const um_rng *base, um_weights **w);
/* NULL, with a message, where there is no memory for it. */
UM_API um_weights *um_weights_copy(const um_weights *w);
UM_API void um_weights_free(um_weights *w);
UM_API void um_weights_touch(um_weights *w);

/* The number of a name, or -1. */
UM_API int um_weights_find(const um_weights *w, const char *name);
/* The gradient of scalar node loss (its sum over the batch, where it is batched) with respect to
 * tensors 0 .. n-1 of w, as nodes of its graph, which has them all. */
UM_API UM_USED um_status um_weights_grad(const um_weights *w, um_node *loss, um_node *grad[]);

/* Fills w from tensors of its names and shapes, and ignores others; a missing name, another shape or
 * a number that is not finite is an error that names the tensor and leaves w as it was. */
UM_API UM_USED um_status um_weights_load(um_weights *w, const um_tensors *t);
/* Every weight that the graph names, at the values of t: as um_weights_new and um_weights_load, but names and shapes are
 * checked before anything of the network's size is allocated. */
UM_API UM_USED um_status um_weights_read(const um_graph *g, const um_tensors *t, um_weights **w);
/* All tensors to a sink, which the host writes as a weight file; rank 0 becomes an array of one. */
UM_API UM_USED um_status um_weights_sink(const um_weights *w, um_sink *sink);

/* mean <- rate mean + (1 - rate) w, the exponential moving average; same tensors. */
UM_API void um_weights_average(um_weights *mean, const um_weights *w, double rate);

#ifdef __cplusplus
}
#endif
#endif
