/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Residual nets of dense layers that know the time: scores of vectors, and of signals on a mesh,
 * whose neighbourhoods they do not know. Not plugin ABI. */
#ifndef UMBRA_MLP_H
#define UMBRA_MLP_H

#include <stdbool.h>
#include <umbra/graph.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Sizes of a net, all of which a weight file records. */
typedef struct um_mlp_spec {
	int64_t n;      /* numbers in and out */
	int64_t width;  /* of hidden layers */
	int64_t blocks;
	double dropout; /* in training */
} um_mlp_spec;

/* Checks the numbers; names the key that is wrong. */
UM_API UM_USED um_status um_mlp_check(const um_mlp_spec *spec);

/* The output, n numbers as x, for the time label t (rank 0, usually 0 to 999):
 *   h = in(x);  h <- (h + out_i(silu(norm(mid_i(silu(norm(h))) + time_i)))) / sqrt 2 in each block i;
 *   out(silu(norm(h))) + gate(t) x,
 * a gate for each number because norms forget sizes. Like the output it begins at almost 0. */
UM_API um_node *um_mlp(const um_mlp_spec *spec, const char *prefix, bool training, um_node *x, um_node *t);

#ifdef __cplusplus
}
#endif
#endif
