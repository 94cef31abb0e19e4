/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The U-Net of denoising diffusion (Ho et al. 2020, arXiv:2006.11239), and its relatives DDPM++ and NCSN++
 * (Song et al. 2021, arXiv:2011.13456): sums divided by sqrt 2, residual blocks that change the number
 * of pixels, an input pyramid; one attention head. Convolutions of few channels or pixels
 * that lie on the way of everything, and the last one, ask for care where it is not training: they are
 * little work. */
#include <math.h>
#include <stdio.h>
#include <umbra/layers.h>
#include <umbra/unet.h>

enum { MOST_SKIPS = 256 };

/* A network under construction; skips are taken from the end. */
typedef struct unet {
	const um_unet_spec *spec;
	const char *prefix;
	um_residual residual; /* but for the channels */
	um_node *h, *temb, *pyramid;
	int nskips, pieces;   /* pieces so far on this way: the number in names */
	um_node *skip[MOST_SKIPS];
	char name[128];
} unet;

um_status um_unet_check(const um_unet_spec *s)
{
	if (s->rows < 1 || s->columns < 1 || s->channels < 1)
		return um_fail(UM_EPARAM, "U-Net: an image of %lld x %lld x %lld", (long long)s->rows,
			(long long)s->columns, (long long)s->channels);
	if (s->levels < 1 || s->levels > UM_UNET_LEVELS)
		return um_fail(UM_EPARAM, "U-Net: multipliers: %d of them: 1 to %d levels", s->levels,
			UM_UNET_LEVELS);
	const int64_t size = (int64_t)1 << (s->levels - 1);
	if (s->rows % size != 0 || s->columns % size != 0)
		return um_fail(UM_EPARAM, "U-Net: %d levels need rows and columns that are multiples of %lld, "
			"not %lld x %lld", s->levels, (long long)size, (long long)s->rows, (long long)s->columns);
	if (s->width < 4 || s->width % 2 != 0)
		return um_fail(UM_EPARAM, "U-Net: width: %lld: it must be even and at least 4",
			(long long)s->width);
	if (s->blocks < 1 || (s->blocks + 1) * s->levels > MOST_SKIPS)
		return um_fail(UM_EPARAM, "U-Net: blocks: %lld: 1 to %d", (long long)s->blocks,
			MOST_SKIPS / s->levels - 1);
	for (int i = 0; i < s->levels; i++)
		if (s->multiplier[i] < 1)
			return um_fail(UM_EPARAM, "U-Net: multipliers: number %d is %lld", i + 1,
				(long long)s->multiplier[i]);
	return UM_OK;
}

/* "prefix" "down.3.res" */
static const char *named(unet *u, const char *way, const char *piece)
{
	if (u->pieces < 0)
		snprintf(u->name, sizeof(u->name), "%s%s%s", u->prefix, way, piece);
	else
		snprintf(u->name, sizeof(u->name), "%s%s.%d.%s", u->prefix, way, u->pieces, piece);
	return u->name;
}

static int64_t groups(const unet *u)
{
	if (u->spec->groups != 0 || u->h == NULL)
		return u->spec->groups;
	return um_layer_groups(um_node_dim(u->h)[2]);
}

static um_node *careful(const unet *u, um_node *x)
{
	return u->residual.careful ? um_nn_careful(x) : x;
}

static void residual(unet *u, const char *way, int level)
{
	u->residual.channels = u->spec->width * u->spec->multiplier[level];
	u->h = um_layer_residual(u->h, u->temb, named(u, way, "res"), &u->residual);
}

static void attention(unet *u, const char *way)
{
	u->h = um_layer_attention(u->h, named(u, way, "attn"), groups(u), u->residual.factor);
}

/* A residual block that changes the number of pixels. */
static void resampled(unet *u, const char *way, int level, um_node *(*how)(um_node *x))
{
	u->residual.resampled = how;
	residual(u, way, level);
	u->residual.resampled = NULL;
}

static void halve(unet *u, int level)
{
	const int64_t channels = u->spec->width * u->spec->multiplier[level];
	if (u->spec->resample == UM_RESAMPLE_CONV)
		u->h = um_layer_conv(careful(u, u->h), named(u, "down", "conv"), channels, 3, 2, 1);
	else
		resampled(u, "down", level, u->spec->resample == UM_RESAMPLE_FIR ? um_layer_fir_down : um_layer_halve);
	if (u->spec->pyramid) {
		u->pyramid = um_layer_conv(careful(u, um_layer_fir_down(u->pyramid)), named(u, "down", "pyramid"),
			channels, 3, 1, 1);
		u->h = u->pyramid = um_nn_scale(um_nn_add(u->h, u->pyramid), u->residual.factor);
	}
	u->h = careful(u, u->h);
}

static void double_size(unet *u, int level)
{
	if (u->spec->resample == UM_RESAMPLE_CONV)
		u->h = um_layer_conv_up(u->h, named(u, "up", "conv"), u->spec->width * u->spec->multiplier[level], 1);
	else
		resampled(u, "up", level, u->spec->resample == UM_RESAMPLE_FIR ? um_layer_fir_up : um_layer_double);
}

static void push(unet *u)
{
	u->skip[u->nskips++] = u->h;
	u->pieces++;
}

static void way_down(unet *u)
{
	u->pieces = 0;
	for (int i = 0; i < u->spec->levels; i++) {
		for (int64_t j = 0; j < u->spec->blocks; j++) {
			residual(u, "down", i);
			if (u->spec->attention[i])
				attention(u, "down");
			push(u);
		}
		if (i + 1 == u->spec->levels)
			break;
		halve(u, i);
		push(u);
	}
}

static void bottom(unet *u)
{
	u->pieces = 0;
	residual(u, "mid", u->spec->levels - 1);
	u->pieces++;
	attention(u, "mid");
	u->pieces++;
	residual(u, "mid", u->spec->levels - 1);
}

static void way_up(unet *u)
{
	u->pieces = 0;
	for (int i = u->spec->levels - 1; i >= 0; i--) {
		for (int64_t j = 0; j <= u->spec->blocks; j++, u->pieces++) {
			u->h = um_nn_concat(u->h, u->skip[--u->nskips], 2);
			residual(u, "up", i);
			if (u->spec->attention[i] && j == u->spec->blocks)
				attention(u, "up");
		}
		if (i == 0)
			break;
		double_size(u, i);
		u->pieces++;
	}
}

um_node *um_unet(const um_unet_spec *spec, const char *prefix, bool training, um_node *x, um_node *t)
{
	if (x == NULL || t == NULL)
		return NULL;
	if (um_unet_check(spec) != UM_OK)
		return um_graph_fail(um_node_graph(x), "%s", um_message());
	const int64_t *dim = um_node_dim(x);
	if (um_node_rank(x) != 3 || dim[0] != spec->rows || dim[1] != spec->columns || dim[2] != spec->channels)
		return um_graph_fail(um_node_graph(x), "U-Net: the image is not %lld x %lld x %lld",
			(long long)spec->rows, (long long)spec->columns, (long long)spec->channels);
	unet u = { .spec = spec, .prefix = prefix, .pieces = -1,
		.residual = { .groups = spec->groups, .dropout = training ? spec->dropout : 0,
			.factor = spec->plain_sums ? 1 : sqrt(0.5), .careful = !training } };
	u.pyramid = x;
	u.temb = um_layer_dense(um_layer_time(t, spec->width), named(&u, "time", ".0"), 4 * spec->width, 1);
	u.temb = um_layer_dense(um_nn_silu(u.temb), named(&u, "time", ".1"), 4 * spec->width, 1);
	u.h = um_layer_conv(x, named(&u, "in", ""), spec->width, 3, 1, 1);
	u.skip[u.nskips++] = u.h;
	way_down(&u);
	bottom(&u);
	way_up(&u);
	u.pieces = -1;
	u.h = um_nn_silu(um_layer_group_norm(u.h, named(&u, "out", ".norm"), groups(&u)));
	u.h = um_layer_conv(careful(&u, u.h), named(&u, "out", ".conv"), spec->channels, 3, 1, 0);
	return careful(&u, u.h);
}
