/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Derivatives and ways to run: element-wise operations, broadcasting, sums, softmax. */
#include "nnops.h"

#define SQ(a) um_nn_square(a)

OP_BUILD(b_add, SQ(um_nn_add(x[0], x[1])))
OP_BUILD(b_sub, SQ(um_nn_sub(x[0], x[1])))
OP_BUILD(b_mul, um_nn_mul(x[0], x[1]))
OP_BUILD(b_mul_self, um_nn_mul(x[0], um_nn_mul(x[0], x[0])))
OP_BUILD(b_div, um_nn_div(x[0], x[1]))
OP_BUILD(b_scale, SQ(um_nn_scale(x[0], -1.75)))
OP_BUILD(b_shift, SQ(um_nn_shift(x[0], 0.3)))
OP_BUILD(b_neg, um_nn_exp(um_nn_neg(x[0])))
OP_BUILD(b_exp, um_nn_exp(x[0]))
OP_BUILD(b_log, um_nn_log(x[0]))
OP_BUILD(b_sqrt, um_nn_sqrt(x[0]))
OP_BUILD(b_square, um_nn_square(x[0]))
OP_BUILD(b_sin, um_nn_sin(x[0]))
OP_BUILD(b_cos, um_nn_cos(x[0]))
OP_BUILD(b_tanh, um_nn_tanh(x[0]))
OP_BUILD(b_sigmoid, um_nn_sigmoid(x[0]))
OP_BUILD(b_silu, um_nn_silu(x[0]))
OP_BUILD(b_softplus, um_nn_softplus(x[0]))
OP_BUILD(b_relu, SQ(um_nn_relu(x[0])))
OP_BUILD(b_leaky, SQ(um_nn_leaky_relu(x[0], 0.2)))
OP_BUILD(b_step, um_nn_mul(SQ(x[0]), um_nn_step(x[0], 0.1)))
OP_BUILD(b_constants, um_nn_div(um_nn_sub(um_nn_scalar(g, 2), um_nn_mul(x[0], um_nn_scalar(g, 0.5))),
	um_nn_add(SQ(x[0]), um_nn_scalar(g, 1))))
OP_BUILD(b_chain, um_nn_mul(um_nn_silu(um_nn_tanh(x[0])), um_nn_exp(um_nn_neg(SQ(um_nn_sin(x[0]))))))
OP_BUILD(b_shared, um_nn_mul(um_nn_sigmoid(um_nn_mul(x[0], x[1])), um_nn_add(x[2], x[0])))

#define ON(f) OP(#f, b_##f, 1, IMAGE_IN(-2.5, 2.5, 2, 3, 5))
#define POSITIVE(f) OP(#f, b_##f, 1, IMAGE_IN(0.3, 3, 2, 3, 5))

static const op_case elements[] = {
	ON(scale), ON(shift), ON(neg), ON(exp), ON(square), ON(sin), ON(cos), ON(tanh), ON(sigmoid), ON(silu),
	ON(softplus), ON(relu), ON(leaky), ON(step), ON(mul_self), ON(constants), ON(chain),
	POSITIVE(log), POSITIVE(sqrt),
	OP("silu shared", b_silu, 1, SHARED(1, 7)),
	OP("tanh of a scalar", b_tanh, 1, IMAGE(0, 0)),
	OP("sin, large", b_sin, 1, IMAGE_IN(90, 120, 1, 5)),
};

static void element_by_element(void)
{
	OP_CHECK_ALL(elements);
}

static const op_case broadcasts[] = {
	OP("add", b_add, 2, IMAGE(2, 3, 5), IMAGE(2, 3, 5)),
	OP("add, row", b_add, 2, IMAGE(2, 3, 5), SHARED(1, 5)),
	OP("add, column", b_add, 2, SHARED(2, 3, 1), IMAGE(2, 3, 5)),
	OP("add, images and shared", b_add, 2, SHARED(2, 3, 5), IMAGE(2, 3, 5)),
	OP("sub, scalar", b_sub, 2, IMAGE(0, 0), IMAGE(3, 2, 3, 3)),
	OP("sub, both ways", b_sub, 2, IMAGE(2, 3, 1), SHARED(2, 1, 5)),
	OP("sub, shared", b_sub, 2, SHARED(1, 3), SHARED(1, 3)),
	OP("mul", b_mul, 2, IMAGE(2, 3, 5), IMAGE(2, 3, 5)),
	OP("mul, row", b_mul, 2, IMAGE(1, 5), SHARED(2, 3, 5)),
	OP("mul, middle", b_mul, 2, IMAGE(3, 2, 1, 3), IMAGE(3, 2, 5, 3)),
	OP("mul, rank 5", b_mul, 2, IMAGE(5, 2, 1, 3, 1, 2), SHARED(4, 3, 3, 2, 1)),
	OP("div", b_div, 2, IMAGE(2, 3, 5), IMAGE_IN(0.7, 2, 2, 3, 5)),
	OP("div, column", b_div, 2, IMAGE(2, 3, 5), IMAGE_IN(-2, -0.7, 2, 3, 1)),
	OP("div, shared", b_div, 2, IMAGE(2, 1, 5), SHARED_IN(0.7, 2, 2, 3, 1)),
	OP("three shapes", b_shared, 3, IMAGE(2, 3, 5), SHARED(1, 5),
		IMAGE(2, 3, 1)),
};

static void broadcasting(void)
{
	OP_CHECK_ALL(broadcasts);
}

OP_BUILD(b_sum_all, SQ(um_nn_sum(SQ(x[0]), UM_NN_ALL)))
OP_BUILD(b_sum_first, SQ(um_nn_sum(x[0], 1)))
OP_BUILD(b_sum_last, um_nn_exp(um_nn_sum(x[0], 4)))
OP_BUILD(b_sum_middle, SQ(um_nn_sum(x[0], 2)))
OP_BUILD(b_sum_outer, SQ(um_nn_sum(x[0], 5)))
OP_BUILD(b_mean, SQ(um_nn_mean(x[0], 3)))
OP_BUILD(b_normal, um_nn_div(um_nn_sub(x[0], um_nn_mean(x[0], UM_NN_ALL)),
	um_nn_sqrt(um_nn_shift(um_nn_mean(SQ(x[0]), UM_NN_ALL), 0.1))))
OP_BUILD(b_batch_sum, um_nn_batch_sum(SQ(x[0])))
OP_BUILD(b_batch_square, SQ(um_nn_batch_sum(x[0])))
OP_BUILD(b_batch_norm, um_nn_div(um_nn_sub(x[0], um_nn_batch_mean(x[0])),
	um_nn_sqrt(um_nn_shift(um_nn_batch_mean(SQ(x[0])), 0.1))))
OP_BUILD(b_sum_to, SQ(um_nn_sum_to(SQ(x[0]), 2, (const int64_t[]){ 3, 1 }, false)))
OP_BUILD(b_sum_to_images, SQ(um_nn_sum_to(SQ(x[0]), 1, (const int64_t[]){ 3 }, true)))
OP_BUILD(b_loss,
	um_nn_batch_mean(um_nn_sum(SQ(um_nn_sub(um_nn_tanh(um_nn_mul(x[0], x[1])), x[2])), UM_NN_ALL)))

OP_BUILD(b_group_mean, SQ(um_nn_group_mean(SQ(x[0]), 3, 0.7)))
/* The sum of what is left after a sample is taken away is that of what is, less the sample's. */
OP_BUILD(b_sample, SQ(um_nn_add(um_nn_sum_to(um_nn_sub(um_nn_mul(x[0], x[1]), um_nn_sample(um_nn_mul(x[0], x[1]))),
	1, (const int64_t[]){ 5 }, true), um_nn_scale(um_nn_sample(um_nn_mul(x[0], x[1])), 6))))

#define CUBE IMAGE(3, 2, 3, 5)
static const op_case sums[] = {
	OP("sum, all", b_sum_all, 1, CUBE),
	OP("sum, first axis", b_sum_first, 1, CUBE),
	OP("sum, last axis", b_sum_last, 1, IMAGE_IN(-0.5, 0.5, 3, 2, 3, 5)),
	OP("sum, middle axis", b_sum_middle, 1, CUBE),
	OP("sum, outer axes", b_sum_outer, 1, CUBE),
	OP("sum, shared", b_sum_first, 1, SHARED(2, 3, 2)),
	OP("mean", b_mean, 1, CUBE),
	OP("group mean", b_group_mean, 1, IMAGE(1, 6)),
	OP("sample", b_sample, 2, CUBE, SHARED(1, 5)),
	OP("normalised", b_normal, 1, CUBE),
	OP_WITH(OP_WHOLE, "sum_to", b_sum_to, 1, IMAGE(3, 2, 3, 5)),
	OP("sum_to, images", b_sum_to_images, 1, IMAGE(3, 2, 5, 3)),
	OP("batch_sum", b_batch_sum, 1, CUBE),
	OP_WITH(OP_WHOLE, "batch_sum squared", b_batch_square, 1, IMAGE(2, 3, 3)),
	OP_WITH(OP_WHOLE, "batch norm", b_batch_norm, 1, IMAGE(2, 3, 3)),
	OP("loss", b_loss, 3, IMAGE(2, 3, 5), SHARED(1, 5), IMAGE(1, 1)),
};

static void over_axes_and_images(void)
{
	OP_CHECK_ALL(sums);
}

OP_BUILD(b_softmax, um_nn_softmax(x[0]))
OP_BUILD(b_entropy, um_nn_sum(um_nn_mul(um_nn_softmax(x[0]), um_nn_log(um_nn_softmax(x[0]))), 2))

static const op_case softmaxes[] = {
	OP("softmax", b_softmax, 1, IMAGE(2, 3, 5)),
	OP("softmax, one axis", b_softmax, 1, SHARED(1, 7)),
	OP("softmax, long rows", b_softmax, 1, IMAGE_IN(-4, 4, 2, 1, 37)),
	OP("softmax, entropy", b_entropy, 1, IMAGE(2, 3, 5)),
	OP("softmax, one column", b_softmax, 1, IMAGE(2, 3, 1)),
};

static void softmax(void)
{
	OP_CHECK_ALL(softmaxes);
}

/* Large enough for several tiles, and for threads inside. */
static const op_case large[] = {
	OP_WITH(OP_BIG, "large: chain", b_chain, 1, IMAGE(2, 211, 173)),
	OP_WITH(OP_BIG, "large: three shapes", b_shared, 3, IMAGE(2, 211, 173), SHARED(1, 173),
		IMAGE(2, 211, 1)),
	OP_WITH(OP_BIG, "large: long rows", b_shared, 3, IMAGE(2, 7, 5003), IMAGE(1, 5003),
		SHARED(0, 0)),
	OP_WITH(OP_BIG, "large: loss", b_loss, 3, IMAGE(2, 311, 97), SHARED(1, 97),
		IMAGE(1, 1)),
	OP_WITH(OP_BIG, "large: sum over the first axis", b_sum_first, 1, IMAGE(2, 301, 101)),
	OP_WITH(OP_BIG, "large: normalised", b_normal, 1, IMAGE(3, 31, 37, 33)),
	OP_WITH(OP_BIG, "large: softmax", b_softmax, 1, IMAGE_IN(-3, 3, 2, 129, 257)),
};

static void many_tiles(void)
{
	OP_CHECK_ALL(large);
}

CHECK_MAIN(CHECK_CASE(element_by_element), CHECK_CASE(broadcasting), CHECK_CASE(over_axes_and_images),
	CHECK_CASE(softmax), CHECK_CASE(many_tiles))
