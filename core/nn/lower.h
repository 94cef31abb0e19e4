/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A graph whose large products are made of bfloat16 numbers. */
#ifndef UMBRA_NN_LOWER_H
#define UMBRA_NN_LOWER_H

#include "nn/node.h"

/* The precision that a program gets where it asks for one: what the processor has no fast products
 * for becomes float32. */
um_precision um_lower_precision(um_precision asked, um_schedule schedule);

/* Whether a graph becomes another one. */
bool um_lower_changes(const um_graph *g, um_precision precision);

/* A new graph that computes the n outputs, in UM_BFLOAT16 or UM_BFLOAT16X3 by other products; lowered[]
 * become its nodes. Names of inputs and weights stay. */
UM_USED um_status um_lower(int n, um_node *const outputs[], um_precision precision, um_graph **g,
	um_node *lowered[]);

#endif
