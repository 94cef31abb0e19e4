/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A U-Net against PyTorch: tests/data/unet.safetensors, which tests/bench/unet_reference.py made. With
 * files of U-Nets on the command line only prints their errors. */
#include <umbra/unet.h>
#include "nnprogram.h"

/* ---- a U-Net ----------------------------------------------------------------------------- */

enum { Y, VJP, JVP, SECOND, LOSS, FIXED };
static const char *const output_names[FIXED] = { "output.y", "output.vjp", "output.jvp", "output.second",
	"training.loss" };

static um_unet_spec spec_of(const um_tensors *t)
{
	um_unet_spec s = { .channels = 1, .width = atoi(um_tensors_meta(t, "nf")),
		.blocks = atoi(um_tensors_meta(t, "blocks")) };
	int64_t size = atoi(um_tensors_meta(t, "size"));
	s.rows = s.columns = size;
	for (const char *m = um_tensors_meta(t, "mult"); m != NULL; m = strchr(m, ','), m = m ? m + 1 : NULL, size /= 2) {
		s.attention[s.levels] = size == atoi(um_tensors_meta(t, "attn"));
		s.multiplier[s.levels++] = atoi(m);
	}
	return s;
}

/* |a - b| / |b|. */
static double distance(const um_array *a, const um_array *b)
{
	double d = 0, n = 0;
	CHECK_FATAL(um_array_len(a) == um_array_len(b));
	for (int64_t i = 0; i < um_array_len(a); i++) {
		d += (at(a, i) - at(b, i)) * (at(a, i) - at(b, i));
		n += at(b, i) * at(b, i);
	}
	return sqrt(d / n);
}

/* Relative errors of the outputs of a file; the last is the largest among weight gradients. */
static void errors_of(const um_tensors *t, um_precision precision, um_schedule schedule, int threads,
	double error[FIXED + 1])
{
	static const char *const inputs[] = { "x", "t", "v", "e" };
	const um_unet_spec spec = spec_of(t);
	const int64_t batch = um_tensors_get(t, "input.x")->dim[0];
	um_weights *w = NULL;
	um_rng r = um_rng_new(1, "", 0);
	um_graph *g = um_graph_new(batch);
	um_node *in[4], *out[64] = { NULL };
	const char *name[64];
	for (int k = 0; k < 4; k++)
		in[k] = um_nn_input(g, inputs[k], k == 1 ? 0 : 3, (int64_t[]){ spec.rows, spec.columns, 1 }, true);
	out[Y] = um_unet(&spec, "", false, in[0], in[1]);
	CHECK_OK(um_graph_status(g));
	CHECK_OK(um_grad(1, out, &in[2], 1, in, &out[VJP]));
	CHECK_OK(um_tangent(1, in, &in[3], 1, out, &out[JVP]));
	um_node *je = NULL;
	CHECK_OK(um_grad(1, out, &in[3], 1, in, &je));
	je = um_nn_sum(um_nn_mul(je, in[3]), UM_NN_ALL);
	CHECK_OK(um_grad(1, &je, NULL, 1, in, &out[SECOND]));
	out[LOSS] = um_nn_batch_mean(um_nn_mean(um_nn_square(um_nn_add(out[Y], in[2])), UM_NN_ALL));
	CHECK_OK(um_weights_new(g, &r, &w));
	CHECK_OK(um_weights_load(w, t));
	um_node **grad = calloc((size_t)w->n, sizeof(*grad));
	CHECK_OK(um_weights_grad(w, out[LOSS], grad));
	int n = FIXED;
	for (int k = 0; k < FIXED; k++)
		name[k] = output_names[k];
	for (int i = 0; i < t->n && n < 64; i++)
		if (strncmp(t->name[i], "training.", 9) == 0 && i > 0 && strcmp(t->name[i], "training.loss") != 0) {
			int k = um_weights_find(w, t->name[i] + 9);
			CHECK_FATAL(k >= 0);
			name[n] = t->name[i];
			out[n++] = grad[k];
		}
	um_program *p = NULL;
	CHECK_OK(um_compile(n, out, &(um_compile_options){ .precision = precision, .schedule = schedule,
		.threads = threads, .weights = w }, &p));
	for (int k = 0; k < 4; k++) {
		char full[16];
		snprintf(full, sizeof(full), "input.%s", inputs[k]);
		const um_array *from = um_tensors_get(t, full);
		um_array to = um_program_input(p, inputs[k]);
		for (int64_t i = 0; i < um_array_len(from); i++)
			put(&to, i, at(from, i));
	}
	CHECK_OK(um_program_run(p, 0));
	error[FIXED] = 0;
	for (int k = 0; k < n; k++) {
		um_array a = um_program_output(p, k);
		double e = distance(&a, um_tensors_get(t, name[k]));
		error[k < FIXED ? k : FIXED] = k < FIXED ? e : fmax(error[FIXED], e);
	}
	um_program_free(p);
	um_weights_free(w);
	um_graph_free(g);
	free(grad);
}

static const double tolerance[][FIXED + 1] = {
	[UM_FLOAT32] = { 2e-6, 1e-5, 1e-5, 1e-5, 1e-5, 1e-5 },
	[UM_FLOAT64] = { 1e-12, 1e-12, 1e-12, 1e-11, 1e-12, 1e-11 },
	[UM_BFLOAT16] = { 6e-3, 2e-2, 2e-2, 4e-2, 1e-2, 6e-2 },
	[UM_BFLOAT16X3] = { 1e-5, 2e-5, 2e-5, 4e-5, 1e-5, 1e-4 },
};
static const char *const precisions[] = { UM_PRECISIONS };

static void unet(void)
{
	um_tensors t = { 0 };
	CHECK_OK(um_tensors_read("tests/data/unet.safetensors", &t));
	for (int precision = UM_FLOAT32; precision < UM_AUTO; precision++)
		for (int way = 0; way < 4; way++) { /* one thread takes all three images through segments */
			double error[FIXED + 1];
			errors_of(&t, (um_precision)precision, way & 1 ? UM_PER_IMAGE : UM_PER_BATCH, 1 + way / 2, error);
			for (int k = 0; k <= FIXED; k++)
				CHECK_NEAR(error[k], 0, tolerance[precision][k]);
		}
	um_tensors_free(&t);
}

/* ---- files by name --------------------------------------------------------------------------- */

/* A line for each precision of an image by itself: relative errors. */
static int print(const char *path)
{
	um_tensors t = { 0 };
	double error[FIXED + 1];
	int bad = 0;
	if (um_tensors_read(path, &t) != UM_OK) {
		fprintf(stderr, "%s\n", um_message());
		return 1;
	}
	for (int precision = UM_FLOAT32; precision < UM_AUTO; precision++) {
		errors_of(&t, (um_precision)precision, UM_PER_IMAGE, 0, error);
		printf("%-10s ", precisions[precision]);
		for (int k = 0; k <= FIXED; k++) {
			printf("%s %.2g%s", k < FIXED ? output_names[k] : "training.weights", error[k],
				k < FIXED ? ", " : "\n");
			bad |= !(error[k] <= tolerance[precision][k]);
		}
	}
	um_tensors_free(&t);
	return bad;
}

static int bad_files;
static char **files;

static void named_files(void)
{
	for (; *files != NULL; files++)
		bad_files |= print(*files);
}

int main(int argc, char **argv)
{
	const check_case cases[] = { CHECK_CASE(unet) };
	const check_case print_cases[] = { CHECK_CASE(named_files) };
	files = argv + 1;
	if (argc > 1)
		return check_run(__FILE__, print_cases, 1) | bad_files;
	return check_run(__FILE__, cases, sizeof(cases) / sizeof(*cases));
}
