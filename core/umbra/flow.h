/* SPDX-License-Identifier: GPL-3.0-or-later */
/* RealNVP (Dinh et al. 2017, arXiv:1605.08803; Sun & Bouman 2021): an invertible network
 * x = G(z) of couplings with exact inverse and log-determinant. Not plugin ABI. */
#ifndef UMBRA_FLOW_H
#define UMBRA_FLOW_H

#include <umbra/array.h>
#include <umbra/graph.h>
#include <umbra/weights.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Sizes of a flow, all of which a weight file records. */
typedef struct um_flow_spec {
	bool convolutional;  /* couplings: dense nets on halves, or convolutions on checkerboards and channels */
	int64_t rows, columns, channels; /* of x; a vector of n numbers is 1, n, 1 */
	int64_t couplings;
	int64_t hidden;      /* width of the nets; 0: n / 8, between 32 and 1024 */
	int64_t depth;       /* layers of a net, >= 2 */
	bool batchnorm;      /* after each hidden layer; off: samples never depend on each other */
	double bound;        /* |log s| <= bound in a coupling */
	uint64_t seed;       /* of the permutations */
} um_flow_spec;

/* Checks the numbers and fills hidden; names the key that is wrong. */
UM_API UM_USED um_status um_flow_check(um_flow_spec *spec);

/* The nodes of one direction: from z (n numbers an image, rank 1) x of rank 1 and log |det dx/dz|
 * (rank 0), or back. prefix goes before the names of the weights. Both directions use the same
 * weights. training: BatchNorm takes the statistics of the batch; otherwise frozen ones. */
UM_API void um_flow_sample(um_graph *g, const um_flow_spec *spec, const char *prefix, bool training,
	um_node *z, um_node **x, um_node **logdet);
UM_API void um_flow_invert(um_graph *g, const um_flow_spec *spec, const char *prefix, bool training,
	um_node *x, um_node **z, um_node **logdet);

#ifdef __cplusplus
}
#endif
#endif
