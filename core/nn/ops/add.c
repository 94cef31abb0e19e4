/* SPDX-License-Identifier: GPL-3.0-or-later */
/* a + b. */
#include "nn/rows.h"
#include "nn/tile.h"

UM_TILE_BINARY(add, a + b)

static void grad(um_node *n, um_node *dy, const bool want[], um_node *dx[])
{
	(void)n;
	for (int k = 0; k < 2; k++)
		dx[k] = want[k] ? dy : NULL;
}

static const um_op op = { .name = "add", .grad = grad, UM_TILE(add) };

um_node *um_nn_add(um_node *a, um_node *b)
{
	if (a == NULL || b == NULL)
		return NULL;
	if (um_node_is(b, 0) && um_tile_fits(a, b))
		return a;
	if (um_node_is(a, 0) && um_tile_fits(b, a))
		return b;
	um_node *moved = um_scatter_sum(a, b);
	if (moved != NULL)
		return moved;
	return um_node_2(&op, a, b, NULL, 0);
}
