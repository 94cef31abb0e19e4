/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What does not fit is refused when it is built, with one message that names the operation and the
 * shapes; what is built on it is NULL too. */
#include "nnops.h"

static const um_conv conv = { 1, 1, 1, 1, 1 }, no_stride = { -1, 0, 0, 0, 0 }, bare = { 2, 0, 0, 0, 0 };
static const um_conv negative = { 1, -1, 0, 0, 0 };
static const int64_t start[] = { 0, 1, 2 }, column[] = { 0, 2 }, outside[] = { 0, 3 },
	falling[] = { 0, 2, 1 };
static const double value[] = { 1, 2 };
static const um_csr csr = { 2, 3, start, column, value }, csr_outside = { 2, 3, start, outside, value };
static const um_csr csr_falling = { 2, 3, falling, column, value };
static const um_fir fir = { 1, 1, 1, 2, value, 0, 0, 0, 0 }, no_step = { 1, 0, 1, 2, value, 0, 0, 0, 0 };

/* x[0] (3, 4), x[1] (3, 5), x[2] (4, 5, 2), all one an image. */
static const op_input inputs[] = { IMAGE(2, 3, 4), IMAGE(2, 3, 5), IMAGE(3, 4, 5, 2) };

#define DIMS(...) (const int64_t[]){ __VA_ARGS__ }
OP_BUILD(e_add, um_nn_add(x[0], x[1]))
OP_BUILD(e_sub, um_nn_sub(x[2], x[1]))
OP_BUILD(e_mul, um_nn_mul(x[0], x[2]))
OP_BUILD(e_div, um_nn_div(x[1], x[0]))
OP_BUILD(e_softmax, um_nn_softmax(um_nn_sum(x[0], UM_NN_ALL)))
OP_BUILD(e_rate, um_nn_dropout_mask(g, 1, DIMS(3), 1))
OP_BUILD(e_nan_rate, um_nn_dropout_mask(g, 1, DIMS(3), NAN))
OP_BUILD(e_mask_axes, um_nn_dropout_mask(g, 6, DIMS(1, 1, 1, 1, 1, 1), 0.5))
OP_BUILD(e_mask_empty, um_nn_dropout_mask(g, 2, DIMS(3, 0), 0.5))
OP_BUILD(e_sum_to, um_nn_sum_to(x[0], 1, DIMS(3), true))
OP_BUILD(e_broadcast, um_nn_broadcast(x[0], 2, DIMS(3, 8)))
OP_BUILD(e_narrow, um_nn_broadcast(x[2], 2, DIMS(5, 2)))
OP_BUILD(e_reshape, um_nn_reshape(x[0], 2, DIMS(5, 2)))
OP_BUILD(e_permute, um_nn_permute(x[2], (const int[]){ 0, 2, 0 }))
OP_BUILD(e_concat, um_nn_concat(x[0], x[1], 0))
OP_BUILD(e_concat_rank, um_nn_concat(x[0], x[2], 1))
OP_BUILD(e_concat_axis, um_nn_concat(x[0], x[0], 2))
OP_BUILD(e_slice, um_nn_slice(x[0], 1, 2, 3))
OP_BUILD(e_slice_axis, um_nn_slice(x[0], -1, 0, 1))
OP_BUILD(e_slice_far, um_nn_slice(x[0], 1, INT64_MAX, 2))
OP_BUILD(e_place, um_nn_place(x[0], 0, 2, 4))
OP_BUILD(e_gather, um_nn_gather(x[0], 1, 2, DIMS(0, 4)))
OP_BUILD(e_gather_axis, um_nn_gather(x[0], 2, 2, DIMS(0, 1)))
OP_BUILD(e_scatter, um_nn_scatter(x[0], 0, 2, DIMS(0, 1, 2)))
OP_BUILD(e_matmul, um_nn_matmul(x[0], x[1], false, false))
OP_BUILD(e_matmul_t, um_nn_matmul(x[0], x[1], true, true))
OP_BUILD(e_matmul_rank,
	um_nn_matmul(x[0], um_nn_slice(um_nn_reshape(x[1], 1, DIMS(15)), 0, 0, 4), false, false))
OP_BUILD(e_matmul_lead,
	um_nn_matmul(x[2], um_nn_broadcast(x[0], 3, DIMS(3, 3, 4)), false, true))
OP_BUILD(e_matmul_sum, um_nn_matmul_sum(x[0], x[1], false, true))
OP_BUILD(e_conv, um_nn_conv(x[2], um_nn_constant(g, 4, DIMS(1, 1, 1, 2), value), &conv))
OP_BUILD(e_conv_rank, um_nn_conv(x[0], um_nn_constant(g, 4, DIMS(1, 1, 2, 1), value), &conv))
OP_BUILD(e_conv_batched, um_nn_conv(x[2], um_nn_reshape(x[0], 4, DIMS(2, 1, 2, 3)), &conv))
OP_BUILD(e_conv_stride, um_nn_conv(x[2], um_nn_constant(g, 4, DIMS(1, 1, 2, 1), value), &no_stride))
OP_BUILD(e_conv_padding, um_nn_conv(x[2], um_nn_constant(g, 4, DIMS(1, 1, 2, 1), value), &negative))
OP_BUILD(e_transposed,
	um_nn_conv_transposed(x[2], um_nn_constant(g, 4, DIMS(1, 1, 2, 1), value), &bare, 9, 9))
OP_BUILD(e_rows, um_nn_conv_transposed(x[2], um_nn_constant(g, 4, DIMS(1, 1, 1, 2), value), &bare, 9, 9))
OP_BUILD(e_weight, um_nn_conv_weight(x[2], x[2], &bare, 1, 1))
OP_BUILD(e_sparse, um_nn_sparse(x[0], &csr, true))
OP_BUILD(e_sparse_rank, um_nn_sparse(x[2], &csr, false))
OP_BUILD(e_sparse_column, um_nn_sparse(x[0], &csr_outside, false))
OP_BUILD(e_sparse_rows, um_nn_sparse(x[0], &csr_falling, false))
OP_BUILD(e_fir, um_nn_fir(x[0], &fir))
OP_BUILD(e_fir_step, um_nn_fir(x[2], &no_step))
OP_BUILD(e_axes, um_nn_input(g, "many", 6, DIMS(1, 1, 1, 1, 1, 1), true))
OP_BUILD(e_empty, um_nn_input(g, "none", 2, DIMS(3, 0), true))
OP_BUILD(e_again, um_nn_input(g, "x0", 2, DIMS(4, 4), true))

static const struct {
	um_node *(*build)(um_graph *g, um_node *const x[]);
	const char *says[3];
} errors[] = {
	{ e_add, { "add", "(3, 4)", "(3, 5)" } },
	{ e_sub, { "sub", "(4, 5, 2)", "(3, 5)" } },
	{ e_mul, { "mul", "(3, 4)", "(4, 5, 2)" } },
	{ e_div, { "div", "(3, 5)", "(3, 4)" } },
	{ e_softmax, { "softmax", "()", "axis" } },
	{ e_rate, { "dropout_mask", "rate", "1" } },
	{ e_nan_rate, { "dropout_mask", "rate", "nan" } },
	{ e_mask_axes, { "dropout_mask", "6 axes", "5" } },
	{ e_mask_empty, { "dropout_mask", "(3, 0)", "empty" } },
	{ e_sum_to, { "sum", "(3, 4)", "(3)" } },
	{ e_broadcast, { "broadcast", "(3, 4)", "(3, 8)" } },
	{ e_narrow, { "broadcast", "(4, 5, 2)", "(5, 2)" } },
	{ e_reshape, { "reshape", "(3, 4)", "(5, 2)" } },
	{ e_permute, { "permute", "(4, 5, 2)", "axis 0" } },
	{ e_concat, { "concat", "(3, 4)", "(3, 5)" } },
	{ e_concat_rank, { "concat", "(3, 4)", "(4, 5, 2)" } },
	{ e_concat_axis, { "concat", "(3, 4)", "axis 2" } },
	{ e_slice, { "slice", "(3, 4)", "axis 1" } },
	{ e_slice_axis, { "slice", "(3, 4)", "axis -1" } },
	{ e_slice_far, { "slice", "(3, 4)", "9223372036854775807" } },
	{ e_place, { "place", "(3, 4)", "4" } },
	{ e_gather, { "gather", "(3, 4)", "4" } },
	{ e_gather_axis, { "gather", "(3, 4)", "axis 2" } },
	{ e_scatter, { "scatter", "(3, 4)", "2" } },
	{ e_matmul, { "matmul", "(3, 4)", "(3, 5)" } },
	{ e_matmul_t, { "matmul", "(3, 4) transposed", "(3, 5) transposed" } },
	{ e_matmul_rank, { "matmul", "(3, 4)", "(4)" } },
	{ e_matmul_lead, { "matmul", "(4, 5, 2)", "(3, 3, 4)" } },
	{ e_matmul_sum, { "matmul_sum", "(3, 4)", "(3, 5)" } },
	{ e_conv, { "conv", "(4, 5, 2)", "(1, 1, 1, 2)" } },
	{ e_conv_rank, { "conv", "(3, 4)", "channels" } },
	{ e_conv_batched, { "conv", "(2, 1, 2, 3)", "batched" } },
	{ e_conv_stride, { "conv", "stride", "-1" } },
	{ e_conv_padding, { "conv", "negative", "padding" } },
	{ e_transposed, { "conv_transposed", "(4, 5, 2)", "(1, 1, 2, 1)" } },
	{ e_rows, { "conv_transposed", "(4, 5, 2)", "(9, 9, 1)" } },
	{ e_weight, { "conv_weight", "(4, 5, 2)", "1 x 1" } },
	{ e_sparse, { "sparse", "3 x 2", "(3, 4)" } },
	{ e_sparse_rank, { "sparse", "2 x 3", "(4, 5, 2)" } },
	{ e_sparse_column, { "sparse", "column 3", "2 x 3" } },
	{ e_sparse_rows, { "sparse", "ascending", "2 x 3" } },
	{ e_fir, { "fir", "(3, 4)", "channels" } },
	{ e_fir_step, { "fir", "down 0", "1 x 2" } },
	{ e_axes, { "input many", "6 axes", "5" } },
	{ e_empty, { "input", "(3, 0)", "empty" } },
	{ e_again, { "input x0", "(3, 4)", "another shape" } },
};

static um_graph *new_graph(um_node *x[3])
{
	um_graph *g = um_graph_new(2);
	for (int i = 0; i < 3; i++) {
		char name[8];
		snprintf(name, sizeof name, "x%d", i);
		x[i] = um_nn_input(g, name, inputs[i].rank, inputs[i].dim, inputs[i].batched);
	}
	return g;
}

static void shapes_that_do_not_fit(void)
{
	for (size_t i = 0; i < sizeof(errors) / sizeof(*errors); i++) {
		um_node *x[3];
		um_graph *g = new_graph(x);
		um_node *y = errors[i].build(g, x);
		CHECK(y == NULL);
		if (y != NULL)
			fprintf(stderr, "%s was built\n", errors[i].says[0]);
		CHECK(um_nn_tanh(y) == NULL && um_nn_add(x[0], y) == NULL);
		for (int k = 0; k < 3; k++)
			CHECK_FAILS(um_graph_status(g), UM_EARG, errors[i].says[k]);
		um_graph_free(g);
	}
}

/* The first mistake is the one that is told, by the graph and by um_compile. */
static void first_mistake(void)
{
	um_node *x[3];
	um_graph *g = new_graph(x);
	um_program *p = NULL;
	um_node *sum = um_nn_add(x[0], x[1]), *both = um_nn_concat(x[0], x[2], 0);
	um_node *y = um_nn_matmul(sum, both, false, false);
	CHECK(y == NULL);
	CHECK_FAILS(um_graph_status(g), UM_EARG, "add");
	CHECK_FAILS(um_compile(1, &y, &(um_compile_options){ 0 }, &p), UM_EARG, "");
	CHECK(p == NULL);
	CHECK_FAILS(um_compile(1, x, &(um_compile_options){ 0 }, &p), UM_EARG, "add");
	um_graph_free(g);
}

static void derivatives_that_do_not_fit(void)
{
	um_node *x[3], *dx = NULL;
	um_graph *g = new_graph(x), *other = um_graph_new(2);
	um_node *y = um_nn_tanh(x[0]), *foreign = um_nn_scalar(other, 1);
	CHECK_FAILS(um_grad(1, &y, &x[1], 1, x, &dx), UM_EARG, "(3, 5)");
	CHECK_FAILS(um_grad(0, &y, NULL, 1, x, &dx), UM_EARG, "um_grad");
	CHECK_FAILS(um_grad(1, (um_node *[]){ NULL }, NULL, 1, x, &dx), UM_EARG, "NULL");
	CHECK(um_nn_add(x[0], foreign) == NULL);
	CHECK_FAILS(um_graph_status(g), UM_EARG, "different graphs");
	um_graph_free(g);
	um_graph_free(other);
}

/* A value of each image that depends on a sum over the images needs the whole batch. */
static void per_image_limits(void)
{
	um_node *x[3];
	um_program *p = NULL;
	um_graph *g = new_graph(x);
	um_node *y = um_nn_sub(x[0], um_nn_batch_mean(x[0]));
	CHECK_FAILS(um_compile(1, &y, &(um_compile_options){ .schedule = UM_PER_IMAGE }, &p), UM_EARG,
		"(3, 4)");
	CHECK_OK(um_compile(1, &y, &(um_compile_options){ .schedule = UM_PER_BATCH }, &p));
	um_program_free(p);
	um_graph_free(g);
}

CHECK_MAIN(CHECK_CASE(shapes_that_do_not_fit), CHECK_CASE(first_mistake),
	CHECK_CASE(derivatives_that_do_not_fit), CHECK_CASE(per_image_limits))
