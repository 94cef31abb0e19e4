/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Residual nets of dense layers (umbra/mlp.h). */
#include <math.h>
#include <stdio.h>
#include <umbra/layers.h>
#include <umbra/mlp.h>

enum { TIMES = 64 }; /* width of the embedding of the time */

um_status um_mlp_check(const um_mlp_spec *s)
{
	if (s->n < 1)
		return um_fail(UM_EPARAM, "net: %lld numbers", (long long)s->n);
	if (s->width < 1 || s->width > 65536)
		return um_fail(UM_EPARAM, "net: width: %lld is not in 1 .. 65536", (long long)s->width);
	if (s->blocks < 1 || s->blocks > 256)
		return um_fail(UM_EPARAM, "net: blocks: %lld is not in 1 .. 256", (long long)s->blocks);
	return UM_OK;
}

typedef struct label {
	char text[128];
} label;

static label named(const char *prefix, int64_t block, const char *piece)
{
	label l;
	if (block < 0)
		snprintf(l.text, sizeof(l.text), "%s%s", prefix, piece);
	else
		snprintf(l.text, sizeof(l.text), "%sblock.%lld.%s", prefix, (long long)block, piece);
	return l;
}

static um_node *block(const um_mlp_spec *s, const char *prefix, int64_t i, bool training, um_node *h, um_node *temb)
{
	um_node *a = um_nn_silu(um_layer_norm(h, named(prefix, i, "norm1").text));
	a = um_layer_dense(a, named(prefix, i, "mid").text, s->width, 1);
	a = um_nn_add(a, um_layer_dense(temb, named(prefix, i, "time").text, s->width, 1));
	a = um_nn_silu(um_layer_norm(a, named(prefix, i, "norm2").text));
	a = um_layer_dense(um_layer_dropout(a, training ? s->dropout : 0), named(prefix, i, "out").text, s->width, 0);
	return um_nn_scale(um_nn_add(h, a), sqrt(0.5));
}

um_node *um_mlp(const um_mlp_spec *s, const char *prefix, bool training, um_node *x, um_node *t)
{
	if (x == NULL || t == NULL)
		return NULL;
	if (um_mlp_check(s) != UM_OK)
		return um_graph_fail(um_node_graph(x), "%s", um_message());
	if (um_node_rank(x) != 1 || um_node_len(x) != s->n)
		return um_graph_fail(um_node_graph(x), "net: the input is not a vector of %lld", (long long)s->n);
	um_node *temb = um_layer_dense(um_layer_time(t, TIMES), named(prefix, -1, "time.0").text, 4 * TIMES, 1);
	temb = um_nn_silu(um_layer_dense(um_nn_silu(temb), named(prefix, -1, "time.1").text, 4 * TIMES, 1));
	um_node *h = um_layer_dense(x, named(prefix, -1, "in").text, s->width, 1);
	for (int64_t i = 0; i < s->blocks; i++)
		h = block(s, prefix, i, training, h, temb);
	h = um_nn_silu(um_layer_norm(h, named(prefix, -1, "norm").text));
	h = um_layer_dense(h, named(prefix, -1, "out").text, s->n, 0);
	return um_nn_add(h, um_nn_mul(x, um_layer_dense(temb, named(prefix, -1, "gate").text, s->n, 0)));
}
