/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Derivatives and ways to run: matrix products, convolutions, sparse products, filters, and small
 * networks of them. Bilinear operations are squared, so that second derivatives have all terms. */
#include "nnops.h"

#define SQ(a) um_nn_square(a)

OP_BUILD(b_nn, SQ(um_nn_matmul(x[0], x[1], false, false)))
OP_BUILD(b_tn, SQ(um_nn_matmul(x[0], x[1], true, false)))
OP_BUILD(b_nt, SQ(um_nn_matmul(x[0], x[1], false, true)))
OP_BUILD(b_tt, SQ(um_nn_matmul(x[0], x[1], true, true)))
OP_BUILD(b_plain, um_nn_matmul(x[0], x[1], false, false))
OP_BUILD(b_gram, um_nn_matmul(x[0], x[0], false, true))

static const op_case matmuls[] = {
	OP("matmul", b_nn, 2, IMAGE(2, 3, 5), IMAGE(2, 5, 2)),
	OP("matmul, a transposed", b_tn, 2, IMAGE(2, 5, 3), IMAGE(2, 5, 2)),
	OP("matmul, b transposed", b_nt, 2, IMAGE(2, 3, 5), IMAGE(2, 2, 5)),
	OP("matmul, both transposed", b_tt, 2, IMAGE(2, 5, 3), IMAGE(2, 2, 5)),
	OP("matmul, weights", b_nn, 2, IMAGE(2, 3, 5), SHARED(2, 5, 2)),
	OP("matmul, weights, a transposed", b_tn, 2, IMAGE(2, 5, 3), SHARED(2, 5, 2)),
	OP("matmul, weights transposed", b_nt, 2, IMAGE(2, 3, 5), SHARED(2, 2, 5)),
	OP("matmul, weights, both transposed", b_tt, 2, IMAGE(2, 5, 3), SHARED(2, 2, 5)),
	OP("matmul, weights first", b_nn, 2, SHARED(2, 3, 5), IMAGE(2, 5, 2)),
	OP("matmul, weights first, transposed", b_tt, 2, SHARED(2, 5, 3), IMAGE(2, 2, 5)),
	OP("matmul, shared", b_nn, 2, SHARED(2, 3, 5), SHARED(2, 5, 2)),
	OP("matmul, one row", b_plain, 2, IMAGE(2, 1, 7), SHARED(2, 7, 3)),
	OP("matmul, one row, b transposed", b_nt, 2, IMAGE(2, 1, 7), SHARED(2, 3, 7)),
	OP("matmul, one column", b_plain, 2, IMAGE(2, 4, 3), SHARED(2, 3, 1)),
	OP("matmul, outer", b_plain, 2, IMAGE(2, 3, 1), IMAGE(2, 1, 5)),
	OP("matmul, leading axes", b_nn, 2, IMAGE(3, 2, 3, 5), IMAGE(3, 2, 5, 2)),
	OP("matmul, leading axes, transposed", b_tt, 2, IMAGE(4, 2, 1, 5, 3), IMAGE(4, 2, 1, 2, 5)),
	OP("matmul, leading axes of a", b_nn, 2, IMAGE(3, 2, 3, 5), SHARED(2, 5, 2)),
	OP("matmul, leading axes of a, a transposed", b_tn, 2, IMAGE(3, 2, 5, 3), SHARED(2, 5, 2)),
	OP("matmul, leading axes of b", b_nn, 2, SHARED(2, 3, 5), IMAGE(3, 2, 5, 2)),
	OP("matmul, leading axes of one, images", b_nt, 2, IMAGE(3, 2, 3, 5), IMAGE(2, 2, 5)),
	OP("matmul, leading axes shared", b_nn, 2, IMAGE(3, 2, 3, 5), SHARED(3, 2, 5, 2)),
	OP("matmul, with itself", b_gram, 1, IMAGE(2, 3, 5)),
};

static void matrix_products(void)
{
	OP_CHECK_ALL(matmuls);
}

OP_BUILD(b_sum_nn, um_nn_matmul_sum(x[0], x[1], false, false))
OP_BUILD(b_sum_tn, um_nn_matmul_sum(x[0], x[1], true, false))
OP_BUILD(b_sum_nt, um_nn_matmul_sum(x[0], x[1], false, true))
OP_BUILD(b_sum_tt, um_nn_matmul_sum(x[0], x[1], true, true))
OP_BUILD(b_sum_square, SQ(um_nn_matmul_sum(x[0], x[1], true, false)))

static const op_case matmul_sums[] = {
	OP("matmul_sum", b_sum_nn, 2, IMAGE(2, 3, 5), IMAGE(2, 5, 2)),
	OP("matmul_sum, a transposed", b_sum_tn, 2, IMAGE(2, 5, 3), IMAGE(2, 5, 2)),
	OP("matmul_sum, b transposed", b_sum_nt, 2, IMAGE(2, 3, 5), IMAGE(2, 2, 5)),
	OP("matmul_sum, both transposed", b_sum_tt, 2, IMAGE(2, 5, 3), IMAGE(2, 2, 5)),
	OP("matmul_sum, one row", b_sum_tn, 2, IMAGE(2, 1, 3), IMAGE(2, 1, 4)),
	OP("matmul_sum, leading axes", b_sum_nt, 2, IMAGE(3, 2, 3, 5), IMAGE(3, 2, 2, 5)),
	OP_WITH(OP_WHOLE, "matmul_sum squared", b_sum_square, 2, IMAGE(2, 5, 3), IMAGE(2, 5, 2)),
};

static void matrix_products_of_the_batch(void)
{
	OP_CHECK_ALL(matmul_sums);
}

static const um_conv same = { 1, 1, 1, 1, 1 }, bare = { 1, 0, 0, 0, 0 }, odd = { 2, 1, 0, 2, 1 };
static const um_conv two = { 2, 0, 1, 0, 1 }, wide = { 3, 2, 2, 2, 2 };
OP_BUILD(b_same, SQ(um_nn_conv(x[0], x[1], &same)))
OP_BUILD(b_bare, SQ(um_nn_conv(x[0], x[1], &bare)))
OP_BUILD(b_odd, SQ(um_nn_conv(x[0], x[1], &odd)))
OP_BUILD(b_two, SQ(um_nn_conv(x[0], x[1], &two)))
OP_BUILD(b_wide, SQ(um_nn_conv(x[0], x[1], &wide)))
OP_BUILD(b_up_same, SQ(um_nn_conv_transposed(x[0], x[1], &same, 4, 5)))
OP_BUILD(b_up_two, SQ(um_nn_conv_transposed(x[0], x[1], &two, 5, 7)))
OP_BUILD(b_up_even, SQ(um_nn_conv_transposed(x[0], x[1], &two, 6, 8)))
OP_BUILD(b_up_bare, SQ(um_nn_conv_transposed(x[0], x[1], &bare, 4, 5)))
OP_BUILD(b_weight_same, um_nn_conv_weight(x[0], x[1], &same, 3, 3))
OP_BUILD(b_weight_two, um_nn_conv_weight(x[0], x[1], &two, 3, 3))
OP_BUILD(b_weight_one, um_nn_conv_weight(x[0], x[1], &bare, 1, 1))
OP_BUILD(b_weight_square, SQ(um_nn_conv_weight(x[0], x[1], &bare, 1, 1)))

static const op_case convs[] = {
	OP("conv 3x3", b_same, 2, IMAGE(3, 4, 5, 3), SHARED(4, 3, 3, 3, 2)),
	OP("conv 1x1", b_bare, 2, IMAGE(3, 3, 5, 3), SHARED(4, 1, 1, 3, 4)),
	OP("conv 3x2, no padding", b_bare, 2, IMAGE(3, 5, 4, 2), SHARED(4, 3, 2, 2, 3)),
	OP("conv, stride 2, uneven padding", b_odd, 2, IMAGE(3, 5, 6, 2), SHARED(4, 3, 3, 2, 3)),
	OP("conv, stride 2, padding below", b_two, 2, IMAGE(3, 6, 5, 2), SHARED(4, 3, 3, 2, 3)),
	OP("conv 5x5, stride 3", b_wide, 2, IMAGE(3, 7, 5, 1), SHARED(4, 5, 5, 1, 2)),
	OP("conv, one channel", b_same, 2, IMAGE(3, 5, 5, 1), SHARED(4, 3, 3, 1, 1)),
	OP("conv, shared image", b_same, 2, SHARED(3, 4, 3, 2), SHARED(4, 3, 3, 2, 2)),
	OP("conv_transposed 3x3", b_up_same, 2, IMAGE(3, 4, 5, 2), SHARED(4, 3, 3, 3, 2)),
	OP("conv_transposed, stride 2", b_up_two, 2, IMAGE(3, 2, 3, 3), SHARED(4, 3, 3, 2, 3)),
	OP("conv_transposed, stride 2, even", b_up_even, 2, IMAGE(3, 3, 4, 2), SHARED(4, 3, 3, 2, 2)),
	OP("conv_transposed 1x1", b_up_bare, 2, IMAGE(3, 4, 5, 2), SHARED(4, 1, 1, 3, 2)),
	OP("conv_transposed, shared image", b_up_same, 2, SHARED(3, 4, 5, 2), SHARED(4, 3, 3, 1, 2)),
	OP("conv_weight 3x3", b_weight_same, 2, IMAGE(3, 4, 5, 3), IMAGE(3, 4, 5, 2)),
	OP("conv_weight, stride 2", b_weight_two, 2, IMAGE(3, 6, 5, 2), IMAGE(3, 3, 2, 3)),
	OP("conv_weight 1x1", b_weight_one, 2, IMAGE(3, 3, 5, 3), IMAGE(3, 3, 5, 2)),
	OP_WITH(OP_WHOLE, "conv_weight squared", b_weight_square, 2, IMAGE(3, 2, 3, 2), IMAGE(3, 2, 3, 2)),
	OP_WITH(OP_BIG, "large: conv 3x3", b_same, 2, IMAGE(3, 17, 19, 33), SHARED(4, 3, 3, 33, 18)),
	OP_WITH(OP_BIG, "large: conv, stride 2", b_two, 2, IMAGE(3, 16, 18, 32), SHARED(4, 3, 3, 32, 48)),
	OP_WITH(OP_BIG, "large: conv_weight", b_weight_same, 2, IMAGE(3, 17, 13, 16), IMAGE(3, 17, 13, 32)),
	OP_WITH(OP_BIG, "large: matmul", b_nt, 2, IMAGE(2, 67, 129), SHARED(2, 65, 129)),
};

static void convolutions(void)
{
	OP_CHECK_ALL(convs);
}

/* 4 rows of 6 columns; one row is empty, one entry stands twice. */
static const int64_t start[] = { 0, 2, 2, 6, 8 }, column[] = { 0, 5, 1, 2, 2, 4, 3, 0 };
static const double entry[] = { 0.5, -1.25, 2, 0.75, 0.25, -0.5, 1, 1.5 };
static const um_csr csr = { 4, 6, start, column, entry };
OP_BUILD(b_sparse, SQ(um_nn_sparse(x[0], &csr, false)))
OP_BUILD(b_sparse_t, SQ(um_nn_sparse(x[0], &csr, true)))

static const double taps[12] = { 0.1, -0.4, 0.3, 0.8, 1, -0.2, 0.6, 0.7, -0.5, 0.25, 0.9, -1.1 };
static const um_fir up2 = { 2, 1, 3, 4, taps, 2, 1, 1, 2 }, down2 = { 1, 2, 3, 4, taps, 1, 1, 2, 1 };
static const um_fir both = { 3, 2, 4, 3, taps, 1, 2, 0, 3 }, plain = { 1, 1, 1, 3, taps, 0, 0, 1, 1 };
OP_BUILD(b_fir_up, SQ(um_nn_fir(x[0], &up2)))
OP_BUILD(b_fir_down, SQ(um_nn_fir(x[0], &down2)))
OP_BUILD(b_fir_both, SQ(um_nn_fir(x[0], &both)))
OP_BUILD(b_fir_plain, SQ(um_nn_fir(x[0], &plain)))

static const op_case linear[] = {
	OP("sparse", b_sparse, 1, IMAGE(2, 6, 3)),
	OP("sparse, transposed", b_sparse_t, 1, IMAGE(2, 4, 3)),
	OP("sparse, shared", b_sparse, 1, SHARED(2, 6, 1)),
	OP_WITH(OP_BIG, "large: sparse", b_sparse, 1, IMAGE(2, 6, 1029)),
	OP("fir up", b_fir_up, 1, IMAGE(3, 3, 5, 2)),
	OP("fir down", b_fir_down, 1, IMAGE(3, 5, 7, 2)),
	OP("fir up and down", b_fir_both, 1, IMAGE(3, 5, 3, 1)),
	OP("fir", b_fir_plain, 1, SHARED(3, 3, 5, 3)),
	OP_WITH(OP_BIG, "large: fir", b_fir_up, 1, IMAGE(3, 15, 17, 33)),
};

static void sparse_products_and_filters(void)
{
	OP_CHECK_ALL(linear);
}

/* softmax(q k' / sqrt d) v with q = x w. */
static um_node *b_attention(um_graph *g, um_node *const x[])
{
	um_node *q = um_nn_matmul(x[0], x[1], false, false);
	um_node *s = um_nn_softmax(um_nn_scale(um_nn_matmul(q, x[0], false, true), 0.5));
	(void)g;
	return um_nn_matmul(s, x[0], false, false);
}

/* Convolution, normalisation over the image, SiLU, convolution, and what came in. */
static um_node *b_residual(um_graph *g, um_node *const x[])
{
	um_node *h = um_nn_conv(x[0], x[1], &same);
	um_node *c = um_nn_sub(h, um_nn_mean(h, 3));
	(void)g;
	h = um_nn_div(c, um_nn_sqrt(um_nn_shift(um_nn_mean(SQ(c), 3), 0.1)));
	h = um_nn_silu(um_nn_add(um_nn_mul(h, x[2]), um_nn_scalar(g, 0.25)));
	return um_nn_add(um_nn_conv(h, x[1], &same), x[0]);
}

/* Two dense layers, loss of the batch. */
static um_node *b_dense(um_graph *g, um_node *const x[])
{
	um_node *h = um_nn_tanh(um_nn_matmul(x[0], x[1], false, false));
	(void)g;
	h = um_nn_softplus(um_nn_matmul(h, x[2], false, true));
	return um_nn_batch_mean(um_nn_sum(SQ(um_nn_sub(h, x[0])), UM_NN_ALL));
}

static const op_case networks[] = {
	OP("attention", b_attention, 2, IMAGE(2, 5, 3), SHARED(2, 3, 3)),
	OP("residual block", b_residual, 3, IMAGE(3, 4, 3, 2), SHARED(4, 3, 3, 2, 2), SHARED(1, 2)),
	OP("dense", b_dense, 3, IMAGE(2, 1, 5), SHARED(2, 5, 4), SHARED(2, 5, 4)),
	OP_WITH(OP_BIG, "large: attention", b_attention, 2, IMAGE(2, 65, 33),
		SHARED_IN(-0.2, 0.2, 2, 33, 33)),
	OP_WITH(OP_BIG, "large: residual block", b_residual, 3, IMAGE(3, 16, 17, 24),
		SHARED_IN(-0.2, 0.2, 4, 3, 3, 24, 24), SHARED(1, 24)),
};

static void small_networks(void)
{
	OP_CHECK_ALL(networks);
}

CHECK_MAIN(CHECK_CASE(matrix_products), CHECK_CASE(matrix_products_of_the_batch),
	CHECK_CASE(convolutions), CHECK_CASE(sparse_products_and_filters), CHECK_CASE(small_networks))
