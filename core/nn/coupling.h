/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Parts of a flow that dense and convolutional ones share. State is (1, n) in dense flows and
 * (rows, columns, channels) in convolutional ones; the last axis is that of units and channels. */
#ifndef UMBRA_NN_COUPLING_H
#define UMBRA_NN_COUPLING_H

#include <umbra/flow.h>

typedef struct um_coupling {
	um_graph *graph;
	const um_flow_spec *spec;
	const char *prefix;
	bool training, inverse;
	int64_t k;               /* number of the coupling, which names its weights */
	um_node *condition;      /* as the state, at its size of now, or NULL */
	um_node *logdet;         /* so far; NULL: 0 */
	um_node *mean, *var;     /* statistics of the batch so far */
} um_coupling;

/* x e^c + b with trainable c, b, one pair a unit or channel (ActNorm), or its inverse. */
um_node *um_couple_scale(um_coupling *c, const char *name, um_node *x);

/* b e^s + t, or its inverse, where s and t are functions of a and the condition; where mask is not NULL b stays as it
 * is where mask is 0. */
um_node *um_couple(um_coupling *c, um_node *a, um_node *b, um_node *mask);

/* A fixed shuffle of n numbers, of stream number k: index[i] is what comes to place i. */
void um_couple_shuffle(const um_flow_spec *spec, int64_t k, int64_t n, int64_t *index);

/* The layers of a convolutional flow, x (rows, columns, channels). */
um_node *um_couple_images(um_coupling *c, um_node *x);

#endif
