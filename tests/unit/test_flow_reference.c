/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A dense flow with its shuffles and a flow of images against PyTorch: both directions, the loss of
 * variational inference and its gradients. tests/bench/flow_reference.py made the files. */
#include <umbra/flow.h>
#include "nnprogram.h"

static const double tolerance[] = { [UM_FLOAT32] = 1e-5, [UM_FLOAT64] = 1e-12 };

static void fill(um_program *p, const char *name, const um_array *from)
{
	um_array to = um_program_input(p, name);
	CHECK_FATAL(from != NULL && um_array_len(&to) == um_array_len(from));
	for (int64_t i = 0; i < um_array_len(from); i++) {
		if (to.dtype == UM_F64)
			((double *)to.data)[i] = at(from, i);
		else
			((float *)to.data)[i] = (float)at(from, i);
	}
}

/* |sign a - b| <= tol |b| for output k and a tensor of the file. */
static void agrees(um_program *p, int k, const um_tensors *t, const char *name, double sign, double tol)
{
	const um_array a = um_program_output(p, k), *b = um_tensors_get(t, name);
	double d = 0, n = 0;
	CHECK_FATAL(b != NULL && um_array_len(&a) == um_array_len(b));
	for (int64_t i = 0; i < um_array_len(b); i++) {
		d += pow(sign * at(&a, i) - at(b, i), 2);
		n += pow(at(b, i), 2);
	}
	if (!(n > 0 && d <= tol * tol * n))
		fprintf(stderr, "%s: relative error %g, at most %g\n", name, sqrt(d / n), tol);
	CHECK(n > 0 && d <= tol * tol * n);
}

enum { X, LOGDET, Z, INVERSE, LOSS, DZ, FIXED, MOST = 96 };

static void compare(const um_tensors *t, um_precision precision)
{
	static const char *const name[FIXED] = { "output.x", "output.logdet", "input.z", "output.logdet",
		"training.loss", "output.dz" };
	const int64_t batch = um_tensors_get(t, "input.z")->dim[0], n = um_tensors_get(t, "input.z")->dim[1];
	const double tol = tolerance[precision];
	um_flow_spec spec;
	um_weights *w = NULL;
	um_program *p = NULL;
	um_rng r = um_rng_new(1, "start", 0);
	um_graph *g = um_graph_new(batch);
	CHECK_OK(um_flow_read(&spec, t));
	um_node *z = um_nn_input(g, "z", 1, &n, true), *x = um_nn_input(g, "x", 1, &n, true);
	const um_flow_nodes to = um_flow_sample(g, &spec, "flow", false, z, NULL);
	const um_flow_nodes back = um_flow_invert(g, &spec, "flow", false, x, NULL);
	um_node *half = um_nn_scale(um_nn_sum(um_nn_square(to.out), UM_NN_ALL), 0.5);
	um_node *out[MOST] = { to.out, to.logdet, back.out, back.logdet };
	out[LOSS] = um_nn_batch_mean(um_nn_sub(half, to.logdet));
	CHECK_OK(um_graph_status(g));
	CHECK_OK(um_weights_new(g, &r, &w));
	CHECK_OK(um_weights_load(w, t));
	CHECK_FATAL(FIXED + w->n <= MOST);
	CHECK_OK(um_grad(1, &out[LOSS], NULL, 1, &z, &out[DZ]));
	CHECK_OK(um_weights_grad(w, out[LOSS], &out[FIXED]));
	CHECK_OK(um_compile(FIXED + w->n, out, &(um_compile_options){ .precision = precision, .weights = w }, &p));
	fill(p, "z", um_tensors_get(t, "input.z"));
	fill(p, "x", um_tensors_get(t, "output.x"));
	CHECK_OK(um_program_run(p, 0));
	for (int k = 0; k < FIXED; k++)
		agrees(p, k, t, name[k], k == INVERSE ? -1 : 1, tol);
	for (int k = 0; k < w->n; k++) {
		char full[128];
		snprintf(full, sizeof(full), "training.%s", w->name[k]);
		agrees(p, FIXED + k, t, full, 1, tol);
	}
	um_program_free(p);
	um_weights_free(w);
	um_graph_free(g);
}

static void file(const char *path)
{
	um_tensors t = { 0 };
	CHECK_OK(um_tensors_read(path, &t));
	compare(&t, UM_FLOAT32);
	compare(&t, UM_FLOAT64);
	um_tensors_free(&t);
}

static void dense(void)
{
	file("tests/data/flow_dense.safetensors");
}

static void images(void)
{
	file("tests/data/flow_images.safetensors");
}

CHECK_MAIN(CHECK_CASE(dense), CHECK_CASE(images))
