/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The same value, constant for derivatives. */
#include "nn/tile.h"

UM_TILE_UNARY(detach, a, a)

static bool shape(um_node *n)
{
	um_node_set(n, n->in[0]->rank, n->in[0]->dim);
	return true;
}

static void grad(um_node *n, um_node *dy, const bool want[], um_node *dx[])
{
	(void)n, (void)dy, (void)want;
	dx[0] = NULL;
}

static const um_op detach = { .name = "detach", .shape = shape, .grad = grad, UM_TILE(detach), .copy = true };

um_node *um_nn_detach(um_node *a)
{
	return um_node_1(&detach, a, NULL, 0);
}
