/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Derivatives and ways to run: operations that rearrange. They are linear, so most results are
 * squared. */
#include "nnops.h"

#define SQ(a) um_nn_square(a)
#define DIMS(...) (const int64_t[]){ __VA_ARGS__ }
#define ORDER(...) (const int[]){ __VA_ARGS__ }

OP_BUILD(b_slice, SQ(um_nn_slice(x[0], 0, 1, 2)))
OP_BUILD(b_slice_middle, SQ(um_nn_slice(x[0], 1, 2, 1)))
OP_BUILD(b_slice_last, SQ(um_nn_slice(x[0], 2, 1, 3)))
OP_BUILD(b_slices, um_nn_mul(um_nn_slice(x[0], 2, 0, 2), um_nn_exp(um_nn_slice(x[0], 2, 3, 2))))
OP_BUILD(b_place, SQ(um_nn_place(SQ(x[0]), 0, 1, 6)))
OP_BUILD(b_place_middle, SQ(um_nn_place(SQ(x[0]), 1, 0, 5)))
OP_BUILD(b_place_last, SQ(um_nn_place(SQ(x[0]), 2, 2, 7)))
OP_BUILD(b_gather, SQ(um_nn_gather(x[0], 0, 5, DIMS(2, 0, 0, 1, 2))))
OP_BUILD(b_gather_middle, SQ(um_nn_gather(x[0], 1, 2, DIMS(2, 0))))
OP_BUILD(b_gather_last, SQ(um_nn_gather(x[0], 2, 6, DIMS(4, 3, 3, 0, 1, 4))))
OP_BUILD(b_scatter, SQ(um_nn_scatter(x[0], 0, 4, DIMS(3, 1, 3))))
OP_BUILD(b_scatter_middle, SQ(um_nn_scatter(x[0], 1, 2, DIMS(1, 1, 0))))
OP_BUILD(b_scatter_last, SQ(um_nn_scatter(x[0], 2, 6, DIMS(5, 0, 0, 2, 5))))
OP_BUILD(b_concat, SQ(um_nn_concat(x[0], x[1], 0)))
OP_BUILD(b_concat_middle, SQ(um_nn_concat(x[0], x[1], 1)))
OP_BUILD(b_concat_last, SQ(um_nn_concat(x[0], x[1], 2)))
OP_BUILD(b_concat_self, SQ(um_nn_concat(x[0], SQ(x[0]), 1)))
OP_BUILD(b_permute, SQ(um_nn_permute(x[0], ORDER(2, 0, 1))))
OP_BUILD(b_permute_two, SQ(um_nn_permute(x[0], ORDER(1, 0))))
OP_BUILD(b_permute_heads, SQ(um_nn_permute(x[0], ORDER(1, 0, 2))))
OP_BUILD(b_permute_five, SQ(um_nn_permute(x[0], ORDER(4, 1, 3, 0, 2))))
OP_BUILD(b_reshape, SQ(um_nn_reshape(SQ(x[0]), 2, DIMS(5, 6))))
OP_BUILD(b_reshape_input, um_nn_reshape(x[0], 1, DIMS(30)))
OP_BUILD(b_reshape_scalar, SQ(um_nn_reshape(um_nn_sum(SQ(x[0]), UM_NN_ALL), 3, DIMS(1, 1, 1))))
OP_BUILD(b_broadcast, SQ(um_nn_broadcast(x[0], 3, DIMS(2, 3, 5))))
OP_BUILD(b_broadcast_input, um_nn_broadcast(x[0], 2, DIMS(3, 5)))
OP_BUILD(b_detach, um_nn_add(um_nn_detach(um_nn_scale(x[0], 1)), um_nn_detach(um_nn_scalar(g, 2))))
OP_BUILD(b_mixed, um_nn_permute(um_nn_concat(
	um_nn_reshape(um_nn_slice(SQ(x[0]), 2, 0, 2), 2, DIMS(6, 2)),
	um_nn_place(um_nn_gather(um_nn_reshape(x[0], 2, DIMS(6, 5)), 1, 1, DIMS(3)), 1, 1, 3), 1),
	ORDER(1, 0)))

static const op_case cut[] = {
	OP("slice, first axis", b_slice, 1, IMAGE(3, 4, 3, 2)),
	OP("slice, middle axis", b_slice_middle, 1, IMAGE(3, 2, 3, 5)),
	OP("slice, last axis", b_slice_last, 1, IMAGE(3, 2, 3, 5)),
	OP("slice, shared", b_slice, 1, SHARED(2, 3, 5)),
	OP("slices", b_slices, 1, IMAGE(3, 2, 3, 5)),
	OP("place, first axis", b_place, 1, IMAGE(3, 3, 2, 3)),
	OP("place, middle axis", b_place_middle, 1, IMAGE(3, 2, 3, 3)),
	OP("place, last axis", b_place_last, 1, IMAGE(3, 2, 3, 5)),
	OP("place, shared", b_place, 1, SHARED(1, 5)),
	OP("gather, first axis", b_gather, 1, IMAGE(3, 3, 2, 3)),
	OP("gather, middle axis", b_gather_middle, 1, IMAGE(3, 2, 3, 3)),
	OP("gather, last axis", b_gather_last, 1, IMAGE(3, 2, 3, 5)),
	OP("gather, shared", b_gather, 1, SHARED(1, 3)),
	OP("scatter, first axis", b_scatter, 1, IMAGE(3, 3, 2, 3)),
	OP("scatter, middle axis", b_scatter_middle, 1, IMAGE(3, 2, 3, 3)),
	OP("scatter, last axis", b_scatter_last, 1, IMAGE(3, 2, 3, 5)),
	OP("scatter, shared", b_scatter, 1, SHARED(2, 3, 2)),
	OP_WITH(OP_BIG, "large: slices", b_slices, 1, IMAGE(3, 71, 73, 5)),
	OP_WITH(OP_BIG, "large: gather, last axis", b_gather_last, 1, IMAGE(3, 71, 73, 5)),
	OP_WITH(OP_BIG, "large: scatter, middle axis", b_scatter_middle, 1, IMAGE(3, 71, 3, 173)),
};

static void parts_of_an_axis(void)
{
	OP_CHECK_ALL(cut);
}

static const op_case arranged[] = {
	OP("concat, first axis", b_concat, 2, IMAGE(2, 3, 5), IMAGE(2, 1, 5)),
	OP("concat, middle axis", b_concat_middle, 2, IMAGE(3, 2, 1, 5), IMAGE(3, 2, 3, 5)),
	OP("concat, last axis", b_concat_last, 2, IMAGE(3, 2, 3, 2), IMAGE(3, 2, 3, 5)),
	OP("concat, image and shared", b_concat_middle, 2, IMAGE(2, 3, 5), SHARED(2, 3, 2)),
	OP("concat, shared and image", b_concat_last, 2, SHARED(3, 2, 3, 1), IMAGE(3, 2, 3, 3)),
	OP("concat, shared", b_concat, 2, SHARED(1, 3), SHARED(1, 5)),
	OP("concat with itself", b_concat_self, 1, IMAGE(2, 3, 5)),
	OP("permute", b_permute, 1, IMAGE(3, 2, 3, 5)),
	OP("permute, transpose", b_permute_two, 1, IMAGE(2, 3, 7)),
	OP("permute, shared", b_permute_two, 1, SHARED(2, 3, 5)),
	OP("permute, last axis stays", b_permute_heads, 1, IMAGE(3, 3, 5, 2)),
	OP("permute, five axes", b_permute_five, 1, IMAGE(5, 2, 3, 1, 2, 3)),
	OP("reshape", b_reshape, 1, IMAGE(3, 2, 3, 5)),
	OP("reshape, shared", b_reshape, 1, SHARED(3, 2, 3, 5)),
	OP("reshape of an input", b_reshape_input, 1, IMAGE(2, 6, 5)),
	OP("reshape of a scalar", b_reshape_scalar, 1, IMAGE(2, 3, 2)),
	OP("broadcast, rows", b_broadcast, 1, IMAGE(1, 5)),
	OP("broadcast, columns", b_broadcast, 1, IMAGE(3, 2, 3, 1)),
	OP("broadcast, middle", b_broadcast, 1, IMAGE(3, 2, 1, 5)),
	OP("broadcast, scalar, shared", b_broadcast, 1, SHARED(0, 0)),
	OP("broadcast of an input", b_broadcast_input, 1, IMAGE(2, 3, 1)),
	OP("mixed", b_mixed, 1, IMAGE(3, 2, 3, 5)),
	OP_WITH(OP_BIG, "large: permute", b_permute, 1, IMAGE(3, 37, 41, 43)),
	OP_WITH(OP_BIG, "large: concat", b_concat_last, 2, IMAGE(3, 37, 41, 16), IMAGE(3, 37, 41, 17)),
};

static void whole_arrays(void)
{
	OP_CHECK_ALL(arranged);
}

/* The value passes, the derivative does not. */
static void detached(void)
{
	static const op_case c = OP("detach", b_detach, 1, IMAGE(2, 3, 5));
	op_net t;
	op_values r;
	op_build(&t, &c);
	op_values_new(&t, &r);
	um_program *p = op_compile(&t, UM_PER_BATCH, UM_FLOAT64, 1);
	op_run(&t, p, &r);
	for (int64_t i = 0; i < r.len[OP_Y]; i++) {
		CHECK(r.v[OP_Y][i] == t.leaf[0].value[i] + 2);
		CHECK(r.v[OP_DY][i] == 0 && r.v[OP_DX][i] == 0 && r.v[OP_DX + 1][i] == 0);
	}
	um_program_free(p);
	op_values_free(&t, &r);
	op_net_free(&t);
}

CHECK_MAIN(CHECK_CASE(parts_of_an_axis), CHECK_CASE(whole_arrays), CHECK_CASE(detached))
