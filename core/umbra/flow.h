/* SPDX-License-Identifier: GPL-3.0-or-later */
/* RealNVP (Dinh et al. 2017, arXiv:1605.08803; Sun & Bouman 2021): an invertible network
 * x = G(z) of couplings with exact inverse and log-determinant. Not plugin ABI. */
#ifndef UMBRA_FLOW_H
#define UMBRA_FLOW_H

#include <umbra/array.h>
#include <umbra/graph.h>
#include <umbra/tensors.h>
#include <umbra/weights.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Sizes of a flow, all of which a weight file records. */
typedef struct um_flow_spec {
	bool convolutional;  /* couplings: dense nets on halves, or convolutions on checkerboards and channels */
	int64_t rows, columns, channels; /* of x, stored [channels][rows][columns]; n numbers are 1, n, 1 */
	int64_t couplings;
	int64_t hidden;      /* width of the nets; 0: n / 8 between 32 and 1024, convolutional 32 */
	int64_t depth;       /* layers of a net, >= 2 */
	bool batchnorm;      /* after each hidden layer; off: samples never depend on each other */
	double bound;        /* |log s| <= bound in a coupling; 0: 2 */
	uint64_t seed;       /* of the permutations */
} um_flow_spec;

/* Checks the numbers and fills those that are 0; names the key that is wrong. */
UM_API UM_USED um_status um_flow_check(um_flow_spec *spec);

/* The nodes of one direction. */
typedef struct um_flow_nodes {
	um_node *out;        /* x or z, rank 1 */
	um_node *logdet;     /* log |det d out / d in|, rank 0 */
	um_node *mean, *var; /* BatchNorm in training: statistics of this batch, for um_flow_follow; else NULL */
} um_flow_nodes;

/* From z (n numbers an image, rank 1) to x, or back; both use the same weights, whose names begin
 * with prefix and a dot. A flow at its start is a permutation. training: BatchNorm takes the
 * statistics of the batch (logdet then leaves out how they depend on the image), otherwise the frozen
 * ones. condition: NULL, or what every net of the couplings sees besides the half that stays as it is
 * (Sun & Bouman 2021; Mammadov et al. 2024, arXiv:2407.17907): numbers (rank 1), for convolutional
 * couplings planes [k][rows][columns], also as one vector. Mistakes are found by um_graph_status. */
UM_API um_flow_nodes um_flow_sample(um_graph *g, const um_flow_spec *spec, const char *prefix,
	bool training, um_node *z, um_node *condition);
UM_API um_flow_nodes um_flow_invert(um_graph *g, const um_flow_spec *spec, const char *prefix,
	bool training, um_node *x, um_node *condition);

/* The frozen statistics of BatchNorm move towards those of a batch: 0.9 old + 0.1 new. */
UM_API void um_flow_follow(um_weights *w, const char *prefix, const um_array *mean, const um_array *var);

/* The spec as metadata of a weight file, and back; what is missing or wrong is an error. */
UM_API UM_USED um_status um_flow_note(const um_flow_spec *spec, um_sink *sink);
UM_API UM_USED um_status um_flow_read(um_flow_spec *spec, const um_tensors *t);

#ifdef __cplusplus
}
#endif
#endif
