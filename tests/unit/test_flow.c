/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Flows: the inverse inverts, log-determinants are those of the Jacobian, densities integrate to one. */
#include <umbra/flow.h>
#include <umbra/linalg.h>
#include <umbra/program.h>
#include "check.h"

enum { BATCH = 6 };

/* z -> x -> z again, with weights that are not those of the start. */
typedef struct flow {
	um_flow_spec spec;
	int64_t n;
	um_graph *g;
	um_weights *w;
	um_program *p;  /* outputs x, log det, z of x, its log det */
	double in[BATCH * 4096], given[BATCH * 4096]; /* given: the condition */
} flow;

static void fill_weights(um_weights *w, uint64_t seed, double size)
{
	um_rng r = um_rng_new(seed, "flow", 0);
	for (int i = 0; i < w->n; i++)
		for (int64_t j = 0; j < um_array_len(&w->array[i]); j++)
			((float *)w->array[i].data)[j] += (float)(size * um_normal(&r));
	int var = um_weights_find(w, "f.running_var");
	for (int64_t j = 0; var >= 0 && j < um_array_len(&w->array[var]); j++)
		((float *)w->array[var].data)[j] = (float)(0.5 + um_uniform(&r));
	um_weights_touch(w);
}

/* condition: how many numbers, or of convolutional flows planes, the nets are given; 0: no condition. */
static flow *flow_new(um_flow_spec spec, int64_t condition, um_precision precision, double size)
{
	flow *f = calloc(1, sizeof(*f));
	const int64_t many = condition * (spec.convolutional ? spec.rows * spec.columns : 1);
	um_rng base = um_rng_new(5, "start", 0), r = um_rng_new(6, "z", 0);
	CHECK_OK(um_flow_check(&spec));
	f->spec = spec;
	f->n = spec.rows * spec.columns * spec.channels;
	f->g = um_graph_new(BATCH);
	um_node *z = um_nn_input(f->g, "z", 1, &f->n, true);
	um_node *c = many > 0 ? um_nn_input(f->g, "c", 1, &many, true) : NULL;
	um_flow_nodes s = um_flow_sample(f->g, &f->spec, "f", false, z, c);
	um_flow_nodes i = um_flow_invert(f->g, &f->spec, "f", false, s.out, c);
	um_node *out[] = { s.out, s.logdet, i.out, i.logdet };
	CHECK_OK(um_graph_status(f->g));
	CHECK_OK(um_weights_new(f->g, &base, &f->w));
	fill_weights(f->w, 9, size);
	const um_compile_options how = { UM_PER_BATCH, precision, 1, f->w };
	CHECK_OK(um_compile(4, out, &how, &f->p));
	um_normal_fill(&r, f->in, BATCH * f->n);
	um_normal_fill(&r, f->given, BATCH * many);
	return f;
}

static void flow_free(flow *f)
{
	um_program_free(f->p);
	um_weights_free(f->w);
	um_graph_free(f->g);
	free(f);
}

static double get(const um_array *a, int64_t i)
{
	return a->dtype == UM_F64 ? ((double *)a->data)[i] : ((float *)a->data)[i];
}

static void feed(const um_array *to, const double *v)
{
	for (int64_t i = 0; to->data != NULL && i < um_array_len(to); i++)
		if (to->dtype == UM_F64)
			((double *)to->data)[i] = v[i];
		else
			((float *)to->data)[i] = (float)v[i];
}

static void run(flow *f)
{
	const um_array z = um_program_input(f->p, "z"), c = um_program_input(f->p, "c");
	feed(&z, f->in);
	feed(&c, f->given);
	CHECK_OK(um_program_run(f->p, 0));
}

static const struct {
	const char *what;
	um_flow_spec spec;
	int64_t condition;
} cases[] = {
	{ "even", { false, 1, 8, 1, 4, 8, 3, false, 0, 1 }, 0 },
	{ "odd", { false, 1, 7, 1, 5, 8, 2, false, 0, 2 }, 0 },
	{ "two", { false, 1, 2, 1, 6, 16, 3, false, 0.5, 3 }, 0 },
	{ "frozen BatchNorm", { false, 3, 3, 1, 3, 8, 3, true, 0, 4 }, 0 },
	{ "conditional", { false, 1, 7, 1, 5, 8, 3, false, 0, 8 }, 3 },
	{ "images, checkerboards", { true, 3, 3, 1, 3, 4, 3, false, 0, 5 }, 0 },
	{ "images, channels", { true, 14, 14, 2, 6, 4, 2, true, 0, 6 }, 0 },
	{ "images, two squeezes", { true, 28, 28, 1, 7, 4, 3, false, 0, 7 }, 0 },
	{ "conditional images", { true, 14, 14, 2, 6, 4, 2, false, 0, 9 }, 3 },
};
enum { CASES = sizeof(cases) / sizeof(*cases) };

static void inverse(void)
{
	for (int k = 0; k < CASES; k++)
		for (int single = 0; single < 2; single++) {
			flow *f = flow_new(cases[k].spec, cases[k].condition, single ? UM_FLOAT32 : UM_FLOAT64, k < 6 ? 0.1 : 0.03);
			const double eps = single ? 1e-5 : 1e-12;
			double worst = 0, gap = 0, moved = 0;
			run(f);
			um_array x = um_program_output(f->p, 0), z = um_program_output(f->p, 2);
			um_array up = um_program_output(f->p, 1), down = um_program_output(f->p, 3);
			for (int64_t i = 0; i < BATCH * f->n; i++) {
				worst = fmax(worst, fabs(get(&z, i) - f->in[i]) / (1 + fabs(f->in[i])));
				moved = fmax(moved, fabs(get(&x, i) - f->in[i]));
			}
			for (int64_t b = 0; b < BATCH; b++)
				gap = fmax(gap, fabs(get(&up, b) + get(&down, b)) / (1 + fabs(get(&up, b))));
			if (!(worst < eps && gap < eps))
				fprintf(stderr, "%s: z comes back within %g, log det within %g\n", cases[k].what, worst, gap);
			CHECK(worst < eps && gap < eps);
			CHECK(moved > 0.5 && fabs(get(&up, 0)) > 1e-3);
			flow_free(f);
		}
}

/* log |det| of the Jacobian by central differences. */
static double dense_logdet(flow *f)
{
	const int64_t n = f->n;
	const double h = 1e-5;
	double *j = calloc((size_t)(2 * n * n), sizeof(double)), *jj = j + n * n;
	for (int64_t i = 0; i < n; i++)
		for (int s = -1; s <= 1; s += 2) {
			f->in[i] += s * h;
			run(f);
			f->in[i] -= s * h;
			um_array x = um_program_output(f->p, 0);
			for (int64_t k = 0; k < n; k++)
				j[k * n + i] += s * get(&x, k) / (2 * h);
		}
	um_gemm(true, false, n, n, n, j, j, jj);
	CHECK_OK(um_cholesky(n, jj));
	double v = 0.5 * um_cholesky_log_det(n, jj);
	free(j);
	return v;
}

static void determinant(void)
{
	for (int k = 0; k < 6; k++) {
		flow *f = flow_new(cases[k].spec, cases[k].condition, UM_FLOAT64, 0.1);
		run(f);
		um_array logdet = um_program_output(f->p, 1);
		double got = get(&logdet, 0);
		CHECK_NEAR(got, dense_logdet(f), 1e-7);
		flow_free(f);
	}
}

/* At its start a flow moves numbers about and does nothing else. */
static void start(void)
{
	for (int k = 0; k < CASES; k++) {
		flow *f = flow_new(cases[k].spec, cases[k].condition, UM_FLOAT64, 0);
		double a = 0, b = 0, c = 0, d = 0;
		run(f);
		um_array x = um_program_output(f->p, 0), logdet = um_program_output(f->p, 1);
		for (int64_t i = 0; i < f->n; i++) {
			a += f->in[i], b += get(&x, i);
			c += pow(f->in[i], 4), d += pow(get(&x, i), 4);
		}
		CHECK_NEAR(a, b, 1e-10);
		CHECK_NEAR(c, d, 1e-8);
		CHECK(get(&logdet, 0) == 0);
		flow_free(f);
	}
}

/* log q of the inverse direction on a grid: its sum is 1, and so is that of its second moments. */
static void density(void)
{
	enum { SIDE = 400, GRID = SIDE * SIDE };
	um_flow_spec spec = cases[2].spec;
	const int64_t two = 2;
	um_rng base = um_rng_new(5, "start", 0);
	um_weights *w = NULL;
	um_program *p = NULL;
	CHECK_OK(um_flow_check(&spec));
	um_graph *g = um_graph_new(GRID);
	um_node *x = um_nn_input(g, "x", 1, &two, true);
	um_flow_nodes i = um_flow_invert(g, &spec, "f", false, x, NULL);
	um_node *out[] = { um_nn_sub(i.logdet, um_nn_scale(um_nn_sum(um_nn_square(i.out), UM_NN_ALL), 0.5)) };
	CHECK_OK(um_graph_status(g));
	CHECK_OK(um_weights_new(g, &base, &w));
	fill_weights(w, 3, 0.2);
	const um_compile_options how = { UM_PER_BATCH, UM_FLOAT64, 1, w };
	CHECK_OK(um_compile(1, out, &how, &p));
	double *at = um_program_input(p, "x").data, sum = 0;
	const double step = 24.0 / SIDE;
	for (int64_t k = 0; k < GRID; k++) {
		at[2 * k] = -12 + step * ((double)(k / SIDE) + 0.5);
		at[2 * k + 1] = -12 + step * ((double)(k % SIDE) + 0.5);
	}
	CHECK_OK(um_program_run(p, 0));
	um_array logq = um_program_output(p, 0);
	for (int64_t k = 0; k < GRID; k++)
		sum += exp(get(&logq, k)) / (2 * 3.14159265358979) * step * step;
	CHECK_NEAR(sum, 1, 2e-3);
	um_program_free(p);
	um_weights_free(w);
	um_graph_free(g);
}

/* BatchNorm in training: hidden layers have the statistics that come out, and following them for long
 * freezes a flow that does what the last batch saw. */
static void batchnorm(void)
{
	um_flow_spec spec = cases[3].spec;
	const int64_t n = 9;
	um_rng base = um_rng_new(5, "start", 0), r = um_rng_new(6, "z", 0);
	um_weights *w = NULL;
	um_program *p = NULL;
	CHECK_OK(um_flow_check(&spec));
	um_graph *g = um_graph_new(BATCH);
	um_node *z = um_nn_input(g, "z", 1, &n, true);
	um_flow_nodes t = um_flow_sample(g, &spec, "f", true, z, NULL);
	um_flow_nodes e = um_flow_sample(g, &spec, "f", false, z, NULL);
	um_flow_nodes back = um_flow_invert(g, &spec, "f", true, t.out, NULL);
	um_node *out[] = { t.out, e.out, t.mean, t.var, back.mean, back.var };
	CHECK_OK(um_graph_status(g));
	CHECK_OK(um_weights_new(g, &base, &w));
	fill_weights(w, 4, 0.3);
	const um_compile_options how = { UM_PER_BATCH, UM_FLOAT64, 1, w };
	CHECK_OK(um_compile(6, out, &how, &p));
	um_normal_fill(&r, um_program_input(p, "z").data, BATCH * n);
	for (int k = 0; k < 400; k++) {
		CHECK_OK(um_program_run(p, 0));
		um_array mean = um_program_output(p, 2), var = um_program_output(p, 3);
		CHECK(um_array_len(&mean) == 3 * 2 * 8);
		um_flow_follow(w, "f", &mean, &var);
	}
	double far = 0, stats = 0;
	um_array a = um_program_output(p, 0), b = um_program_output(p, 1);
	for (int64_t i = 0; i < BATCH * n; i++)
		far = fmax(far, fabs(get(&a, i) - get(&b, i)));
	for (int k = 2; k < 4; k++) {
		um_array s = um_program_output(p, k), i = um_program_output(p, k + 2);
		for (int64_t j = 0; j < um_array_len(&s); j++)
			stats = fmax(stats, fabs(get(&s, j) - get(&i, j)));
	}
	CHECK_NEAR(far, 0, 1e-4); /* frozen statistics are float */
	CHECK_NEAR(stats, 0, 1e-6);
	um_program_free(p);
	um_weights_free(w);
	um_graph_free(g);
}

/* The condition of an image moves that image, and no other. */
static void condition(void)
{
	for (int k = 0; k < CASES; k++) {
		double before[BATCH * 400], moved[BATCH] = { 0 };
		if (cases[k].condition == 0)
			continue;
		flow *f = flow_new(cases[k].spec, cases[k].condition, UM_FLOAT64, 0.1);
		run(f);
		um_array x = um_program_output(f->p, 0);
		CHECK_FATAL(um_array_len(&x) <= BATCH * 400);
		memcpy(before, x.data, sizeof(double) * (size_t)um_array_len(&x));
		f->given[0] += 1; /* the first number of the first image's */
		run(f);
		for (int64_t i = 0; i < BATCH * f->n; i++)
			moved[i / f->n] = fmax(moved[i / f->n], fabs(get(&x, i) - before[i]));
		CHECK(moved[0] > 1e-3);
		for (int b = 1; b < BATCH; b++)
			CHECK(moved[b] == 0);
		flow_free(f);
	}
}

static void refusals(void)
{
	um_flow_spec s = { false, 1, 1, 1, 4, 0, 3, false, 0, 1 };
	CHECK_FAILS(um_flow_check(&s), UM_EPARAM, "at least two numbers");
	s.columns = 8, s.couplings = 0;
	CHECK_FAILS(um_flow_check(&s), UM_EPARAM, "couplings");
	s.couplings = 2, s.depth = 1;
	CHECK_FAILS(um_flow_check(&s), UM_EPARAM, "depth");
	s.depth = 2, s.convolutional = true;
	CHECK_FAILS(um_flow_check(&s), UM_EPARAM, "use dense");
	s.convolutional = false;
	CHECK_OK(um_flow_check(&s));
	CHECK(s.hidden == 32 && s.bound == 2);
	um_graph *g = um_graph_new(2);
	const int64_t nine = 9, sixteen = 16;
	um_flow_sample(g, &s, "f", false, um_nn_input(g, "z", 1, &nine, true), NULL);
	CHECK_FAILS(um_graph_status(g), UM_EARG, "9 numbers come to a flow of 8");
	um_graph_free(g);
	s.rows = s.columns = 4, s.convolutional = true;
	g = um_graph_new(2);
	um_flow_sample(g, &s, "f", false, um_nn_input(g, "z", 1, &sixteen, true), um_nn_input(g, "c", 1, &nine, true));
	CHECK_FAILS(um_graph_status(g), UM_EARG, "a condition of 9 numbers is not planes");
	um_graph_free(g);
}

CHECK_MAIN(CHECK_CASE(inverse), CHECK_CASE(determinant), CHECK_CASE(start), CHECK_CASE(density),
	CHECK_CASE(batchnorm), CHECK_CASE(condition), CHECK_CASE(refusals))
