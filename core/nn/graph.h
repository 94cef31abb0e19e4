/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The inside of a graph: its nodes in order of making. */
#ifndef UMBRA_NN_GRAPH_H
#define UMBRA_NN_GRAPH_H

#include "nn/node.h"

enum { UM_GRAPH_MESSAGE = 512 };

struct um_graph {
	int64_t batch;
	int n, room;
	um_node **node;
	int nbuckets;            /* a power of two */
	um_node **bucket;        /* equal nodes are found here */
	int nblobs;
	um_blob **blob;
	char error[UM_GRAPH_MESSAGE]; /* the first mistake, or "" */
};

int um_graph_nodes(const um_graph *g);
um_node *um_graph_node(const um_graph *g, int i);

#endif
