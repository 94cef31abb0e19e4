/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Convolutions in float, of float or bfloat16, by oneDNN. Images stay as they are, channels last; weights have whatever
 * layout the implementation likes and are brought there when they change (fixed), else in each
 * call; a weight gradient is brought back in each call.
 *
 * conv_transposed with stride 1 is a convolution of y with the kernel turned by 180 degrees and its
 * channels swapped, for which oneDNN 2.6 has kernels up to 1.5 times faster than for the adjoint. */
#include <stdlib.h>
#include <string.h>
#include "base/mem.h"
#include "nn/conv.h"
#include "nn/dnnl.h"
#include "nn/tiles.h"

typedef struct conv32 {
	um_conv_form f;
	dnnl_data_type_t type;         /* of what is multiplied; results are float */
	bool fixed, turned;
	um_outer outer;
	bool tiles;                    /* a gradient of weights by um_outer, not by oneDNN */
	um_dnnl *main;                 /* arrays x, w, y */
	um_dnnl *reorder, *reorder_add; /* of weights, where the layouts differ */
	int64_t bytes;                 /* of weights in the layout of main */
	int64_t at_weights, at_turned; /* in the scratch memory */
	void *packed;
} conv32;

/* The adjoint in x as a convolution, if it is one. */
static bool turn(const um_conv_form *f, um_conv_form *t)
{
	const um_conv *s = &f->spec;
	*t = (um_conv_form){ .side = UM_CONV_Y, .rows = f->out_rows, .columns = f->out_columns, .ci = f->co,
		.out_rows = f->rows, .out_columns = f->columns, .co = f->ci, .kr = f->kr, .kc = f->kc };
	t->spec = (um_conv){ 1, f->kr - 1 - s->top, f->kr - 1 - s->bottom, f->kc - 1 - s->left,
		f->kc - 1 - s->right };
	return f->side == UM_CONV_X && s->stride == 1 && t->spec.top >= 0 && t->spec.bottom >= 0 &&
		t->spec.left >= 0 && t->spec.right >= 0;
}

static um_status plan(const um_conv_form *f, dnnl_data_type_t type, int64_t count,
	dnnl_primitive_desc_t *pd)
{
	um_status st = UM_OK;
	dnnl_primitive_desc_t forward = NULL;
	const um_conv *s = &f->spec;
	const dnnl_dims_t stride = { s->stride, s->stride }, before = { s->top, s->left };
	const dnnl_dims_t after = { s->bottom, s->right };
	const int64_t xd[] = { count, f->ci, f->rows, f->columns }, wd[] = { f->co, f->ci, f->kr, f->kc };
	const int64_t yd[] = { count, f->co, f->out_rows, f->out_columns };
	const dnnl_memory_desc_t x = um_dnnl_md(f->side == UM_CONV_X ? dnnl_f32 : type, 4, xd, dnnl_nhwc);
	const dnnl_memory_desc_t y = um_dnnl_md(f->side == UM_CONV_Y ? dnnl_f32 : type, 4, yd, dnnl_nhwc);
	const dnnl_memory_desc_t w = um_dnnl_md(f->side == UM_CONV_W ? dnnl_f32 : type, 4, wd,
		dnnl_format_tag_any);
	/* a forward convolution like it, which backward ones ask for */
	const dnnl_memory_desc_t hx = um_dnnl_md(type, 4, xd, dnnl_nhwc);
	const dnnl_memory_desc_t hw = um_dnnl_md(type, 4, wd, dnnl_format_tag_any);
	dnnl_convolution_desc_t d;
	*pd = NULL;
	/* direct: Winograd's sums lose digits */
	UM_TRY(um_dnnl_check(dnnl_convolution_forward_desc_init(&d, f->side == UM_CONV_Y ?
		dnnl_forward_inference : dnnl_forward_training, dnnl_convolution_direct, &hx, &hw, NULL, &y,
		stride, before, after), "convolution"));
	UM_TRY(um_dnnl_pd(&d, false, NULL, &forward));
	if (f->side == UM_CONV_X)
		UM_TRY(um_dnnl_check(dnnl_convolution_backward_data_desc_init(&d, dnnl_convolution_direct, &x,
			&w, &y, stride, before, after), "convolution"));
	if (f->side == UM_CONV_W)
		UM_TRY(um_dnnl_check(dnnl_convolution_backward_weights_desc_init(&d, dnnl_convolution_direct,
			&x, &w, NULL, &y, stride, before, after), "convolution"));
	if (f->side != UM_CONV_Y)
		UM_TRY(um_dnnl_pd(&d, false, forward, pd));
out:
	if (f->side == UM_CONV_Y)
		*pd = forward;
	else
		dnnl_primitive_desc_destroy(forward);
	return st;
}

/* The weights as the graph has them, or turned by turn_weights. */
static dnnl_memory_desc_t plain_weights(const um_conv_form *f, dnnl_data_type_t type, bool turned)
{
	const int64_t dim[] = { f->co, f->ci, f->kr, f->kc }, tap = f->ci * f->co;
	return um_dnnl_strided(type, 4, dim, (int64_t[]){ turned ? f->ci : 1, turned ? 1 : f->co, f->kc * tap, tap });
}

static void turn_weights(const um_conv_form *f, size_t number, const char *w, char *turned)
{
	const int64_t taps = f->kr * f->kc;
	const size_t tap = number * (size_t)(f->ci * f->co);
	for (int64_t i = 0; i < taps; i++)
		memcpy(turned + (size_t)(taps - 1 - i) * tap, w + (size_t)i * tap, tap);
}

/* Primitives; f: what main computes. */
static um_status make(conv32 *s, const um_conv_form *f, const um_prepare *how)
{
	static const int args[3][3] = {
		[UM_CONV_Y] = { DNNL_ARG_SRC, DNNL_ARG_WEIGHTS, DNNL_ARG_DST },
		[UM_CONV_X] = { DNNL_ARG_DIFF_SRC, DNNL_ARG_WEIGHTS, DNNL_ARG_DIFF_DST },
		[UM_CONV_W] = { DNNL_ARG_SRC, DNNL_ARG_DIFF_WEIGHTS, DNNL_ARG_DIFF_DST },
	};
	um_status st = UM_OK;
	const int *a = args[f->side];
	dnnl_primitive_desc_t pd = NULL;
	UM_TRY(plan(f, s->type, how->count, &pd));
	UM_TRY(um_dnnl_new(pd, how->lanes, 3, s->turned ? (int[]){ a[2], a[1], a[0] } : a, &s->main));
	const dnnl_memory_desc_t theirs = um_dnnl_pd_md(pd, a[1]);
	const dnnl_memory_desc_t ours = plain_weights(f, f->side == UM_CONV_W ? dnnl_f32 : s->type, s->turned);
	s->bytes = (int64_t)dnnl_memory_desc_get_size(&theirs);
	if (f->side == UM_CONV_W) {
		UM_TRY(um_dnnl_reorder(&theirs, &ours, false, how->lanes, &s->reorder));
		UM_TRY(um_dnnl_reorder(&theirs, &ours, true, how->lanes, &s->reorder_add));
	} else if (s->turned || !um_dnnl_same(&ours, &theirs)) {
		UM_TRY(um_dnnl_reorder(&ours, &theirs, false, how->lanes, &s->reorder));
	}
out:
	dnnl_primitive_desc_destroy(pd);
	return st;
}

static void lay_out(conv32 *s, um_prepare *how)
{
	const int64_t a = um_dnnl_scratch(s->main), b = um_dnnl_scratch(s->reorder);
	const int64_t c = um_dnnl_scratch(s->reorder_add), most = a > b ? a : b;
	how->scratch = um_round_up(most > c ? most : c);
	s->at_weights = how->scratch;
	if (s->reorder != NULL && !s->fixed)
		how->scratch += um_round_up(s->bytes);
	s->at_turned = how->scratch;
	if (s->turned)
		how->scratch += um_round_up((int64_t)dnnl_data_type_size(s->type) * s->f.kr * s->f.kc * s->f.ci * s->f.co);
}

/* They know no threads. */
static bool takes_tiles(conv32 *s, int threads)
{
	const um_conv_form *f = &s->f;
	s->outer = (um_outer){ f->rows, f->columns, f->ci, f->out_rows, f->out_columns, f->co, f->kr, f->kc,
		f->spec.top, f->spec.left };
	return f->side == UM_CONV_W && s->type == dnnl_bf16 && f->spec.stride == 1 &&
		threads == 1 && um_outer_possible(&s->outer);
}

um_status um_conv_prepare(const um_node *n, um_conv_side side, um_prepare *how)
{
	um_status st = UM_OK;
	if (how->precision != UM_FLOAT32)
		return UM_OK;
	conv32 *s = um_new(sizeof(*s));
	um_conv_form t;
	const int before = um_dnnl_plan_threads(how->threads);
	s->f = um_conv_form_of(n, side);
	s->type = um_dnnl_type(n->in[0]);
	s->turned = turn(&s->f, &t);
	s->fixed = side != UM_CONV_W && how->fixed[1];
	s->tiles = takes_tiles(s, how->threads);
	if (s->tiles)
		how->scratch = um_outer_scratch(&s->outer, how->count);
	else
		UM_TRY(make(s, s->turned ? &t : &s->f, how));
	if (!s->tiles)
		lay_out(s, how);
	if (s->fixed && s->reorder != NULL) {
		how->packed = um_round_up(s->bytes);
		s->packed = aligned_alloc(64, (size_t)how->packed);
		if (s->packed == NULL)
			UM_TRY(um_fail(UM_ENOMEM, "%s: no memory for %lld bytes of weights", n->op->name,
				(long long)how->packed));
		UM_TRY(um_dnnl_fix(s->main, 1, s->packed));
	}
	how->state = s;
	s = NULL;
out:
	um_dnnl_plan_threads(before);
	um_conv_release(s);
	return st;
}

/* The weights w where main wants them. */
static um_status bring(const conv32 *s, const um_call *c, void *to)
{
	const void *w = c->in[1];
	if (s->turned) {
		char *turned = (char *)c->scratch + s->at_turned;
		turn_weights(&s->f, dnnl_data_type_size(s->type), w, turned);
		w = turned;
	}
	return um_dnnl_run(s->reorder, c->lane, (const void *[]){ w, to }, c->scratch);
}

um_status um_conv_pack(const um_call *c)
{
	const conv32 *s = c->state;
	return s != NULL && s->packed != NULL ? bring(s, c, s->packed) : UM_OK;
}

static um_status weight_gradient(const conv32 *s, const um_call *c)
{
	um_status st = UM_OK;
	void *w = (char *)c->scratch + s->at_weights;
	if (s->tiles) {
		um_outer_run(&s->outer, c->count, c->in[0], c->in[1], c->add, c->out, c->scratch);
		return UM_OK;
	}
	UM_TRY(um_dnnl_run(s->main, c->lane, (const void *[]){ c->in[0], w, c->in[1] }, c->scratch));
	UM_TRY(um_dnnl_run(c->add ? s->reorder_add : s->reorder, c->lane, (const void *[]){ w, c->out },
		c->scratch));
out:
	return st;
}

um_status um_conv_run32(const um_call *c)
{
	um_status st = UM_OK;
	const conv32 *s = c->state;
	const void *w = s->reorder == NULL ? c->in[1] : s->packed != NULL ? NULL :
		(char *)c->scratch + s->at_weights;
	if (s->f.side == UM_CONV_W)
		return weight_gradient(s, c);
	if (s->reorder != NULL && s->packed == NULL)
		UM_TRY(bring(s, c, (char *)c->scratch + s->at_weights));
	if (s->f.side == UM_CONV_Y)
		UM_TRY(um_dnnl_run(s->main, c->lane, (const void *[]){ c->in[0], w, c->out }, c->scratch));
	else
		UM_TRY(um_dnnl_run(s->main, c->lane, (const void *[]){ c->out, w, c->in[0] }, c->scratch));
out:
	return st;
}

void um_conv_release(void *state)
{
	conv32 *s = state;
	if (s == NULL)
		return;
	um_dnnl_free(s->main);
	um_dnnl_free(s->reorder);
	um_dnnl_free(s->reorder_add);
	free(s->packed);
	free(s);
}

const char *um_conv_kernel(const void *state)
{
	const conv32 *s = state;
	return s == NULL ? "loops" : s->tiles ? "umbra:amx_outer" : um_dnnl_name(s->main);
}
