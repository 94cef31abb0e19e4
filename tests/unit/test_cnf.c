/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Amortized sampling (inference/cnf) against closed forms. */
#include "cnf.h"

/* ---- small sizes ----------------------------------------------------------------------------- */

#define SMALL "couplings=8", "hidden=32", "rate=0.003", "check=100", "draws=2", "balance=0"

/* Unseen measurements; the ELBO is the evidence; what is unlike the training raises the alarm. */
static void gaussian(void)
{
	static const char *const starts[] = { "start=prior", "start=regression" };
	static const char *const summaries[] = { "summary=raw", "summary=pseudoinverse" };
	for (int k = 0; k < 2; k++) {
		dense d = dense_random(5, 4, 5);
		bench b;
		double x[5], fired = 0, constant = 0;
		bench_dense(&b, &d, NULL, NULL);
		learn(&b, SET(SMALL, k == 0 ? "steps=1200" : "steps=200", starts[k], summaries[k]));
		for (int64_t i = 0; i < d.ny; i++)
			constant += 0.5 * LOG_2PI_ + log(d.sigma[i]); /* which log p(y | u) leaves out */
		for (uint64_t j = 0; j < 6; j++) {
			um_memory m = { 0 };
			measure(&d, j, x);
			known z = dense_solve(&d);
			CHECK_OK(sample(&b, d.y, d.sigma, d.y, 4000, NULL, &m));
			const errors e = compare(&d, &m.samples);
			CHECK(e.mean < 0.1 && e.sd < 0.1);
			CHECK_NEAR(um_memory_metric(&m, "elbo") - constant, z.log_evidence, 0.1);
			CHECK(um_memory_metric(&m, "pareto_k") < 0.7 && um_memory_metric(&m, "importance_ess") > 0.7);
			fired += um_memory_metric(&m, "alarm");
			known_free(&z);
			um_memory_free(&m);
		}
		CHECK(fired <= 1);
		um_memory m = { 0 };
		d.y[2] += 20; /* some 10 standard deviations of y */
		CHECK_OK(sample(&b, d.y, d.sigma, d.y, 100, NULL, &m));
		CHECK(um_memory_metric(&m, "alarm") == 1);
		CHECK(um_memory_metric(&m, "condition_distance") > 2 * um_memory_metric(&m, "condition_distance_limit"));
		um_memory_free(&m);
		bench_free(&b);
		dense_free(&d);
	}
}

/* Draws of a poor law, chosen by their weights, are closer to the posterior. */
static void resample(void)
{
	dense d = dense_random(4, 3, 6);
	bench b;
	double x[4], plain = 0, chosen = 0;
	bench_dense(&b, &d, NULL, NULL);
	learn(&b, SET(SMALL, "steps=60", "start=prior"));
	for (uint64_t j = 0; j < 8; j++) {
		um_memory m[2] = { { .nmetrics = 0 }, { .nmetrics = 0 } };
		measure(&d, j, x);
		CHECK_OK(sample(&b, d.y, d.sigma, d.y, 2000, "refine=4000", &m[0]));
		CHECK_OK(sample(&b, d.y, d.sigma, d.y, 2000, "resample=true", &m[1]));
		CHECK(m[1].samples.dim[0] == 2000);
		const errors e = compare(&d, &m[0].samples), f = compare(&d, &m[1].samples);
		plain += e.mean + e.sd, chosen += f.mean + f.sd;
		um_memory_free(&m[0]);
		um_memory_free(&m[1]);
	}
	CHECK(chosen < 0.6 * plain);
	bench_free(&b);
	dense_free(&d);
}

/* Steps for the one measurement bring a poor law close to its posterior. */
static void tune(void)
{
	dense d = dense_random(5, 4, 5);
	bench b;
	double x[5];
	bench_dense(&b, &d, NULL, NULL);
	learn(&b, SET(SMALL, "steps=60", "start=prior"));
	for (uint64_t j = 0; j < 2; j++) {
		um_memory m[2] = { { .nmetrics = 0 }, { .nmetrics = 0 } };
		measure(&d, j, x);
		CHECK_OK(sample(&b, d.y, d.sigma, d.y, 4000, NULL, &m[0]));
		CHECK_OK(sample(&b, d.y, d.sigma, d.y, 4000, "tune=500", &m[1]));
		const errors e = compare(&d, &m[0].samples), f = compare(&d, &m[1].samples);
		CHECK(f.mean < 0.1 && f.sd < 0.1 && f.mean + f.sd < 0.5 * (e.mean + e.sd));
		CHECK(um_memory_metric(&m[1], "elbo") > um_memory_metric(&m[0], "elbo"));
		CHECK(um_memory_metric(&m[1], "pareto_k") < 0.7);
		um_memory_free(&m[0]);
		um_memory_free(&m[1]);
	}
	bench_free(&b);
	dense_free(&d);
}

/* ---- masks, and noise of any level -------------------------------------------------------------- */

/* y = m x + sigma n: each number is seen by chance, the noise is between lo and hi. */
typedef struct masked { int64_t n; double lo, hi, seen; } masked;

static um_status masked_create(void **self, const void *p, const um_env *env, um_forward_info *info)
{
	const masked *d = p;
	(void)env;
	info->ny = info->nop = d->n;
	info->linear = true;
	*self = (void *)d;
	return UM_OK;
}

static um_status masked_apply(void *self, const um_array *op, const um_array *x, const um_array *dx, um_array *y,
	um_array *dy)
{
	const masked *d = self;
	for (int64_t b = 0; b < x->dim[0]; b++)
		for (int64_t i = 0; i < d->n; i++) {
			um_row_d(y, b)[i] = um_row_d(op, b)[i] * um_row_f(x, b)[i];
			if (dx != NULL)
				um_row_d(dy, b)[i] = um_row_d(op, b)[i] * um_row_f(dx, b)[i];
		}
	return UM_OK;
}

static um_status masked_pullback(void *self, const um_array *op, const um_array *x, const um_array *v, um_array *jtv)
{
	const masked *d = self;
	(void)x;
	for (int64_t b = 0; b < jtv->dim[0]; b++)
		for (int64_t i = 0; i < d->n; i++)
			um_row_f(jtv, b)[i] = (float)(um_row_d(op, b)[i] * um_row_d(v, b)[i]);
	return UM_OK;
}

static um_status masked_simulate(void *self, um_rng *rng, const um_array *x, um_array *op, um_array *y, um_array *sigma,
	um_sink *sink)
{
	const masked *d = self;
	(void)sink;
	for (int64_t b = 0; b < x->dim[0]; b++) {
		const double level = d->lo * pow(d->hi / d->lo, um_uniform(&rng[b]));
		for (int64_t i = 0; i < d->n; i++) {
			um_row_d(op, b)[i] = um_uniform(&rng[b]) < d->seen;
			um_row_d(sigma, b)[i] = level;
			um_row_d(y, b)[i] = um_row_d(op, b)[i] * (um_row_f(x, b)[i] + level * um_normal(&rng[b]));
		}
	}
	return UM_OK;
}

static const um_forward_ops masked_ops = { .create = masked_create, .destroy = dense_leave, .apply = masked_apply,
	.pullback = masked_pullback, .simulate = masked_simulate };
static const um_plugin masked_plugin = { UM_HEADER, UM_FORWARD, 0, "masked", "0", "Test.", "", sizeof(masked), NULL, 0,
	UM_OPS(masked_ops) };

/* The dense problem that one mask and level of noise make. */
static void put_mask(dense *d, unsigned mask, double level, double *op)
{
	for (int64_t i = 0; i < d->n; i++) {
		memset(d->a + i * d->n, 0, sizeof(double) * (size_t)d->n);
		op[i] = d->a[i * d->n + i] = mask >> i & 1;
		d->sigma[i] = level;
	}
}

/* Over eight masks of the set and levels of its noise, the worst error of the mean. */
static double worst_mean(bench *b, dense *d, const masked *set, int64_t samples)
{
	double x[12], op[12], worst = 0;
	for (unsigned j = 0; j < 8; j++) {
		um_memory m = { 0 };
		put_mask(d, (j * 1237 + 1091) % (1u << set->n), set->lo + (0.125 + 0.1 * j) * (set->hi - set->lo), op);
		measure(d, j, x);
		for (int64_t i = 0; i < set->n; i++)
			d->y[i] *= op[i];
		CHECK_OK(sample(b, d->y, d->sigma, op, samples, NULL, &m));
		worst = fmax(worst, compare(d, &m.samples).mean);
		um_memory_free(&m);
	}
	return worst;
}

/* The law is told mask and noise: one fit has the posteriors of all. */
static void told(void)
{
	static const char *const summaries[] = { "summary=raw", "summary=adjoint" };
	const masked set = { 4, 0.1, 0.5, 0.6 };
	for (int k = 0; k < 2; k++) {
		dense d = dense_random(4, 4, 8);
		bench b;
		bench_dense(&b, &d, &masked_plugin, &set);
		learn(&b, SET(SMALL, "steps=1200", summaries[k]));
		CHECK(worst_mean(&b, &d, &set, 2000) < 0.1);
		bench_free(&b);
		dense_free(&d);
	}
}

/* A Wiener filter for every mask and level of noise is the exact mean before anything is learned, told what they are; blind
 * it knows masks by zeros, and noise of the usual level. */
static void wiener(void)
{
	for (int k = 0; k < 2; k++) {
		const masked set = { 12, k ? 0.2 : 0.1, k ? 0.2 : 0.5, 0.6 };
		dense d = dense_random(12, 12, 8);
		bench b;
		bench_dense(&b, &d, &masked_plugin, &set);
		learn(&b, SET("couplings=2", "hidden=8", "steps=1", "rate=1e-9", "summary=wiener", k ? "blind=true" : "blind=false",
			"start=regression", "prior_draws=8000"));
		CHECK(worst_mean(&b, &d, &set, 4000) < 0.08);
		bench_free(&b);
		dense_free(&d);
	}
}

/* Blind it does not look at mask and noise, and cannot take A^T y. */
static void blind(void)
{
	const masked set = { 4, 0.1, 0.5, 0.6 };
	dense d = dense_random(4, 4, 8);
	bench b;
	double x[4], op[4], other[4], low[4] = { 0.12, 0.12, 0.12, 0.12 };
	um_memory m[2] = { { .nmetrics = 0 }, { .nmetrics = 0 } };
	um_sink sink = um_memory_sink(&m[0]);
	bench_dense(&b, &d, &masked_plugin, &set);
	learn(&b, SET(SMALL, "steps=50", "blind=true"));
	put_mask(&d, 5, 0.3, other);
	put_mask(&d, 15, 0.3, op);
	measure(&d, 0, x);
	CHECK_OK(sample(&b, d.y, d.sigma, op, 200, NULL, &m[0]));
	CHECK_OK(sample(&b, d.y, low, other, 200, NULL, &m[1]));
	CHECK(memcmp(m[0].samples.data, m[1].samples.data, sizeof(float) * 800) == 0);
	CHECK_FAILS(fit(&b, SET("blind=true", "summary=adjoint"), &sink), UM_EPARAM, "blind, the operator that adjoint takes");
	low[0] = 0.02;
	CHECK_OK(sample(&b, d.y, low, op, 2, NULL, &m[1]));
	CHECK(um_memory_metric(&m[1], "alarm") == 1 && um_memory_metric(&m[1], "noise_outside") == 0.25);
	low[1] = low[2] = 5;
	CHECK_FAILS(sample(&b, d.y, low, op, 2, NULL, &m[1]), UM_EDATA, "sigma of 3 of 4 numbers is far from all that it saw, the first 0.02");
	um_memory_free(&m[0]);
	um_memory_free(&m[1]);
	bench_free(&b);
	dense_free(&d);
}

/* ---- the gradient -------------------------------------------------------------------------------- */

/* Keeps the checkpoint of a fit that it stops, and its tensors. */
typedef struct lesson_sink {
	keeper k;
	um_memory memory;
} lesson_sink;

static um_status keep_tensor(void *state, const char *name, const um_array *a)
{
	return um_tensors_add(&((lesson_sink *)state)->memory.tensors, name, a);
}

static um_sink lesson_new(lesson_sink *s)
{
	static const um_sink_ops ops = { .progress = keeper_progress, .checkpoint = keeper_checkpoint, .restore = keeper_restore,
		.tensor = keep_tensor };
	return (um_sink){ &ops, s }; /* the keeper is its first member */
}

static void lesson_free(lesson_sink *s)
{
	keeper_free(&s->k);
	um_memory_free(&s->memory);
}

/* Arrays of a checkpoint, in the order of um_training, then of the law. */
enum { WEIGHTS, AVERAGE, MOMENTS, COUNTS, AFFINE, SLOPE, AXES, C_MOMENTS, C_BASIS };
enum { DRAWS = 2, MEASURED = 3, STEP = 7, N = 4 };
#define GRADIENT "couplings=3", "hidden=6", "depth=2", "batch=3", "draws=2", "balance=2", "rate=0.01", "warmup=0", "steps=20", \
	"start=regression", "prior_draws=100", "embedding=5"

/* f(theta) = mean over rows of log q(u | y), at the weights of the start, - log p(y | u) - log p(u), u at theta, and less
 * shares log q at theta of u of the start: its derivative at the start is what the fit goes down. Double, of rows that
 * step STEP had. */
typedef struct objective {
	um_weights *w[2];      /* at theta, at the start */
	um_program *p[2];      /* u of z; log q of u */
	um_graph *g;
	um_problem *problem;
	const um_array *kept;
	double u0[DRAWS * MEASURED * N], share[DRAWS * MEASURED];
} objective;

static um_node *condition(um_graph *g, int64_t width)
{
	um_node *c = um_nn_input(g, "c", 1, &width, true);
	return um_layer_dense(um_nn_leaky_relu(um_layer_dense(c, "embed.0", 5, 2), 0.01), "embed.1", 5, 1);
}

/* Weights of a checkpoint into w, which has them in the same order. */
static void put_weights(um_weights *w, const float *v)
{
	memcpy(w->data, v, sizeof(float) * (size_t)w->len);
	um_weights_touch(w);
}

static void objective_new(objective *o, um_problem *problem, const um_array *kept)
{
	const int64_t n = N, width = kept[C_BASIS].dim[0];
	const um_rng rng = um_rng_new(1, "w", 0);
	um_flow_spec spec = { .rows = 1, .columns = N, .channels = 1, .couplings = 3, .hidden = 6, .depth = 2, .bound = 2, .seed = 1 };
	*o = (objective){ .problem = problem, .kept = kept };
	o->g = um_graph_new(DRAWS * MEASURED);
	um_node *z = um_nn_input(o->g, "z", 1, &n, true), *x = um_nn_input(o->g, "x", 1, &n, true);
	um_flow_nodes s = um_flow_sample(o->g, &spec, "flow", false, z, condition(o->g, width));
	um_flow_nodes i = um_flow_invert(o->g, &spec, "flow", false, x, condition(o->g, width));
	um_node *logq = um_nn_sub(i.logdet, um_nn_scale(um_nn_sum(um_nn_square(i.out), UM_NN_ALL), 0.5));
	CHECK_OK(um_weights_new(o->g, &rng, &o->w[0]));
	CHECK((o->w[1] = um_weights_copy(o->w[0])) != NULL);
	CHECK(o->w[0]->len == um_array_len(&kept[WEIGHTS]));
	const um_compile_options draw = { UM_PER_BATCH, UM_FLOAT64, 1, o->w[0] }, held = { UM_PER_BATCH, UM_FLOAT64, 1, o->w[1] };
	CHECK_OK(um_compile(1, &s.out, &draw, &o->p[0]));
	CHECK_OK(um_compile(1, &logq, &held, &o->p[1]));
}

static void objective_free(objective *o)
{
	for (int k = 0; k < 2; k++) {
		um_program_free(o->p[k]);
		um_weights_free(o->w[k]);
	}
	um_graph_free(o->g);
}

/* c = basis (y - mean) / sd and the level of the noise, for all rows. */
static void put_condition(objective *o, um_program *p)
{
	const um_array *mo = &o->kept[C_MOMENTS], *basis = &o->kept[C_BASIS];
	const int64_t nf = mo->dim[1], ny = nf - 1;
	double *to = um_program_input(p, "c").data;
	for (int64_t b = 0; b < DRAWS * MEASURED; b++) {
		double f[8], level = 0;
		for (int64_t i = 0; i < ny; i++) {
			f[i] = um_problem_y(o->problem)[b * ny + i];
			level += log(um_problem_sigma(o->problem)[b * ny + i]) / (double)ny;
		}
		f[ny] = level;
		for (int64_t k = 0; k < basis->dim[0]; k++) {
			to[b * basis->dim[0] + k] = 0;
			for (int64_t i = 0; i < nf; i++)
				if (um_row_d(mo, 1)[i] > 0)
					to[b * basis->dim[0] + k] += um_row_f(basis, k)[i] * (f[i] - um_row_d(mo, 0)[i]) / um_row_d(mo, 1)[i];
		}
	}
}

/* log q of x in the coordinates of the flow, at the weights w[1]. */
static void log_q(objective *o, const double *x, double *lq)
{
	memcpy(um_program_input(o->p[1], "x").data, x, sizeof(double) * DRAWS * MEASURED * N);
	put_condition(o, o->p[1]);
	CHECK_OK(um_program_run(o->p[1], 0));
	memcpy(lq, um_program_output(o->p[1], 0).data, sizeof(double) * DRAWS * MEASURED);
}

/* x of the noise of that step at the weights w[0]; f(u) = -log p(y | u) - log p(u) of each row. */
static void draw_rows(objective *o, double *x, double *f)
{
	const int64_t rows = DRAWS * MEASURED;
	const double *w;
	double ll[DRAWS * MEASURED], lp[DRAWS * MEASURED];
	um_rng rng[DRAWS * MEASURED];
	um_array u = { 0 };
	for (int64_t b = 0; b < rows; b++) {
		um_rng r = um_problem_rng(o->problem, UM_AMORTIZED_NOISE, (uint64_t)(STEP * rows + b));
		um_normal_fill(&r, (double *)um_program_input(o->p[0], "z").data + b * N, N);
		rng[b] = r;
	}
	put_condition(o, o->p[0]);
	CHECK_OK(um_program_run(o->p[0], 0));
	memcpy(x, um_program_output(o->p[0], 0).data, sizeof(double) * (size_t)rows * N);
	w = um_program_input(o->p[0], "c").data;
	CHECK_OK(um_problem_images(o->problem, rows, &u));
	for (int64_t b = 0; b < rows; b++)
		for (int64_t i = 0; i < N; i++) {
			double v = 0;
			for (int64_t j = 0; j <= i; j++)
				v += um_row_f(&o->kept[AXES], i)[j] * x[b * N + j];
			for (int64_t k = 0; k < o->kept[SLOPE].dim[1]; k++)
				v += um_row_f(&o->kept[SLOPE], i)[k] * w[b * o->kept[SLOPE].dim[1] + k];
			um_row_f(&u, b)[i] = (float)(um_row_d(&o->kept[AFFINE], 0)[i] + um_row_d(&o->kept[AFFINE], 1)[i] * v);
		}
	CHECK_OK(um_problem_loglike(o->problem, &u, ll, NULL));
	CHECK_OK(um_problem_logp(o->problem, rng, &u, lp, NULL));
	for (int64_t b = 0; b < rows; b++)
		f[b] = -ll[b] - lp[b];
	um_array_free(&u);
}

/* The shares by the formula: truncated importance weights of the draws of each measurement, less their mean. */
static void set_shares(objective *o)
{
	double f[DRAWS * MEASURED], lq[DRAWS * MEASURED];
	draw_rows(o, o->u0, f);
	log_q(o, o->u0, lq);
	for (int m = 0; m < MEASURED; m++) {
		const int a = m * DRAWS;
		const double r = 1 / (1 + exp(f[a + 1] + lq[a + 1] - f[a] - lq[a])); /* weight of the second */
		for (int k = 0; k < DRAWS; k++)
			o->share[a + k] = 2 * (fmin(k == 1 ? r : 1 - r, 1 / sqrt(2.0)) - 0.5) / MEASURED;
	}
}

static double value(objective *o, const float *start, const float *v, double h)
{
	const int64_t rows = DRAWS * MEASURED;
	double x[DRAWS * MEASURED * N], f[DRAWS * MEASURED], lq[DRAWS * MEASURED], sum = 0;
	put_weights(o->w[1], start);
	put_weights(o->w[0], start);
	for (int64_t i = 0; i < o->w[0]->len; i++)
		o->w[0]->data[i] += (float)(h * v[i]);
	draw_rows(o, x, f);
	log_q(o, x, lq);
	for (int64_t b = 0; b < rows; b++)
		sum += (f[b] + lq[b]) / (double)rows;
	put_weights(o->w[1], o->w[0]->data);
	log_q(o, o->u0, lq);
	for (int64_t b = 0; b < rows; b++)
		sum -= o->share[b] * lq[b];
	return sum;
}

/* Moments of Adam at two steps tell the gradient between them: m' = 0.9 m + 0.1 g. */
static void gradient(void)
{
	dense d = dense_random(N, 3, 9);
	bench b;
	lesson_sink s[2] = { { .k = { .stop = STEP } }, { .k = { .stop = STEP + 1 } } };
	um_problem *problem = NULL;
	objective o;
	bench_dense(&b, &d, NULL, NULL);
	for (int k = 0; k < 2; k++) {
		s[k].k.stop += 2 * 2 + 16; /* progress is asked while prior and measurements are looked at too */
		um_sink sink = lesson_new(&s[k]);
		CHECK_FAILS(fit(&b, SET(GRADIENT), &sink), UM_EINTR, k == 0 ? "after step 7" : "after step 8");
		CHECK_FATAL(s[k].k.n == 15);
	}
	CHECK_OK(um_problem_new_fit(&b.forward, &b.prior, 1, b.truths, 0, "train/cnf", &problem));
	CHECK_OK(um_problem_batch(problem, STEP, MEASURED, DRAWS));
	objective_new(&o, problem, s[0].k.kept);
	const float *start = s[0].k.kept[WEIGHTS].data, *m0 = s[0].k.kept[MOMENTS].data, *m1 = s[1].k.kept[MOMENTS].data;
	const int64_t len = o.w[0]->len;
	put_weights(o.w[0], start);
	put_weights(o.w[1], start);
	set_shares(&o);
	float *v = calloc((size_t)len, sizeof(*v));
	for (uint64_t k = 0; k < 4; k++) {
		um_rng r = um_rng_new(3, "direction", k);
		double along = 0;
		for (int64_t i = 0; i < len; i++) {
			v[i] = (float)um_normal(&r);
			along += ((double)m1[i] - 0.9 * m0[i]) / 0.1 * v[i];
		}
		const double h = 2e-3, up = value(&o, start, v, h), down = value(&o, start, v, -h);
		CHECK(fabs(along) > 0.1);
		CHECK_NEAR(along, (up - down) / (2 * h), 2e-3 * fabs(along) + 0.01);
	}
	free(v);
	objective_free(&o);
	um_problem_free(problem);
	lesson_free(&s[0]);
	lesson_free(&s[1]);
	bench_free(&b);
	dense_free(&d);
}

/* ---- stopping, files, refusals ---------------------------------------------------------------------- */

/* A fit that was stopped, during its steps or before, ends with the same bytes. */
static void resume(void)
{
	static const int64_t stops[] = { 3, 20, 50, 90 }; /* calls of progress, of which 32 come before the first step */
	dense d = dense_random(4, 3, 9);
	bench b;
	lesson_sink whole = { .k = { .n = 0 } };
	um_sink sink = lesson_new(&whole);
	bench_dense(&b, &d, NULL, NULL);
	CHECK_OK(fit(&b, SET(SMALL, "steps=60", "prior_draws=500"), &sink));
	for (int k = 0; k < 4; k++) {
		lesson_sink parts = { .k = { .stop = stops[k] } };
		sink = lesson_new(&parts);
		CHECK_FAILS(fit(&b, SET(SMALL, "steps=60", "prior_draws=500"), &sink), UM_EINTR, "stopped");
		CHECK(parts.memory.tensors.n == 0 && (parts.k.n > 0) == (k > 1));
		CHECK_OK(fit(&b, SET(SMALL, "steps=60", "prior_draws=500"), &sink));
		CHECK_FATAL(parts.memory.tensors.n == whole.memory.tensors.n);
		for (int i = 0; i < whole.memory.tensors.n; i++) {
			const um_array *a = &whole.memory.tensors.array[i], *c = um_tensors_get(&parts.memory.tensors, whole.memory.tensors.name[i]);
			CHECK_FATAL(c != NULL && um_array_len(a) == um_array_len(c));
			CHECK(memcmp(a->data, c->data, (a->dtype == UM_F32 ? 4 : 8) * (size_t)um_array_len(a)) == 0);
		}
		lesson_free(&parts);
	}
	lesson_free(&whole);
	bench_free(&b);
	dense_free(&d);
}

static void open_toy(bench *b);

/* Measurements of files: each is seen once before any is seen again, and those held out never. */
static void files(void)
{
	bench b;
	um_problem *p = NULL;
	int seen[441] = { 0 }, held = 0;
	open_toy(&b);
	CHECK_OK(um_problem_new_fit(&b.forward, &b.prior, 1, NULL, 0, "train/cnf", &p));
	const um_problem_info *about = um_problem_about(p);
	CHECK(about->train == 397 && about->held == 44);
	for (int64_t step = 0; step < 397; step++) {
		CHECK_OK(um_problem_batch(p, step, 1, 2));
		CHECK(um_problem_y(p)[0] == um_problem_y(p)[1]);
		seen[(int)lround((um_problem_y(p)[0] + 1.1) / 0.005)]++;
	}
	CHECK_OK(um_problem_rows(p, true, 0, 44, 1));
	for (int i = 0; i < 44; i++)
		held += seen[(int)lround((um_problem_y(p)[i] + 1.1) / 0.005)] != 0;
	CHECK(held == 0);
	for (int i = 0; i < 441; i++)
		CHECK(seen[i] <= 1);
	CHECK_FAILS(um_problem_rows(p, true, 40, 5, 1), UM_EARG, "were asked for");
	um_problem_free(p);
	bench_free(&b);
}

/* What was learned belongs to its forward model and its prior. */
static void bonds(void)
{
	dense d = dense_random(4, 3, 9), other = dense_random(4, 3, 10), longer = dense_random(4, 4, 9);
	bench b, c;
	um_memory m = { 0 };
	double sigma[3];
	bench_dense(&b, &d, NULL, NULL);
	learn(&b, SET(SMALL, "steps=3"));
	CHECK_OK(sample(&b, d.y, d.sigma, d.y, 5, NULL, &m));
	for (int k = 0; k < 3; k++)
		sigma[k] = 2 * d.sigma[k];
	CHECK_FAILS(sample(&b, d.y, sigma, d.y, 5, NULL, &m), UM_EDATA, "the model was trained for other noise: sigma of 3 of 3 numbers");
	double *const parts[2][2] = { { d.a, other.a }, { d.m, other.m } };
	static const char *const says[] = { "other settings of forward/dense", "other settings of priors/dense" };
	for (int k = 0; k < 2; k++) {
		double kept[12];
		const size_t bytes = sizeof(double) * (k == 0 ? 12 : 4);
		memcpy(kept, parts[k][0], bytes);
		memcpy(parts[k][0], parts[k][1], bytes);
		CHECK_FAILS(sample(&b, d.y, d.sigma, d.y, 5, NULL, &m), UM_EDATA, says[k]);
		memcpy(parts[k][0], kept, bytes);
	}
	bench_dense(&c, &longer, NULL, NULL);
	strcpy(c.path, b.path);
	CHECK_FAILS(sample(&c, longer.y, longer.sigma, longer.y, 5, NULL, &m), UM_EDATA, "trained for 3 numbers of measurement");
	const um_plugin *p = plug_open("plugins/inference", "cnf");
	um_params *params = NULL;
	um_inference inference = { 0 };
	CHECK_OK(plug_params(p, NULL, &params));
	CHECK_OK(um_inference_open(p, um_params_data(params), &b.env, &inference));
	um_sink sink = um_memory_sink(&m);
	um_problem *problem = NULL;
	CHECK_OK(um_problem_new_fit(&b.forward, &b.prior, 1, b.truths, 0, "x", &problem));
	CHECK_FAILS(inference.ops.run(inference.self, problem, &sink), UM_EPARAM, "it has not been trained");
	um_problem_free(problem);
	um_inference_close(&inference);
	um_params_free(params);
	um_memory_free(&m);
	bench_free(&c);
	bench_free(&b);
	dense_free(&d);
	dense_free(&other);
	dense_free(&longer);
}

/* The weight file again, with another note, or with a table of this name that is as large as shape says and has no numbers. */
static void alter(const bench *b, const char *key, const char *value, const char *name, const int64_t shape[2])
{
	um_tensors t = { 0 }, out = { 0 };
	CHECK_OK(um_tensors_read(b->path, &t));
	for (int i = 0; i < t.n; i++) {
		const um_array empty = um_array_view(t.array[i].data, t.array[i].dtype, 2, name != NULL ? shape : (const int64_t[]){ 0, 0 });
		CHECK_OK(um_tensors_add(&out, t.name[i], name != NULL && strcmp(t.name[i], name) == 0 ? &empty : &t.array[i]));
	}
	for (int i = 0; i < t.nmeta; i++)
		um_tensors_note(&out, t.key[i], t.value[i]);
	if (key != NULL)
		um_tensors_note(&out, key, value);
	CHECK_OK(um_tensors_write(b->path, &out));
	um_tensors_free(&t);
	um_tensors_free(&out);
}

/* Sizes that a weight file states and its tensors do not have. */
static void inflated(void)
{
	static const int64_t many[2] = { INT64_C(1) << 40, 0 }, wide[2] = { 0, INT64_C(1) << 40 };
	static const struct { const char *key, *value, *name; const int64_t *shape; const char *says; } cases[] = {
		{ "flow.hidden", "65536", NULL, NULL, "this network needs" },
		{ "flow.couplings", "4096", NULL, NULL, "4096 couplings of 3 layers, and the file has" },
		{ "embedding", "65536", NULL, NULL, "weight embed.0.w is missing" },
		{ "embedding", "99999999999999999999", NULL, NULL, "is not a whole number in 0 .. 65536" },
		{ "embedding", "-1", NULL, NULL, "is not a whole number in 0 .. 65536" },
		{ "embedding", "4 GB", NULL, NULL, "is not a whole number in 0 .. 65536" },
		{ NULL, NULL, "condition.basis", many, "tensors of its condition do not belong together" },
		{ NULL, NULL, "condition.modes", many, "the model is of images of another size" },
		{ NULL, NULL, "condition.noise", wide, "tensors of its condition do not belong together" },
		{ NULL, NULL, "condition.seen", wide, "tensors of its condition do not belong together" },
		{ NULL, NULL, "axes", wide, "no tensor 'axes' of 16 numbers" },
	};
	dense d = dense_random(4, 3, 9);
	bench b;
	um_memory m = { 0 };
	bench_dense(&b, &d, NULL, NULL);
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		learn(&b, SET(SMALL, "steps=2", "start=regression"));
		alter(&b, cases[i].key, cases[i].value, cases[i].name, cases[i].shape);
		CHECK_FAILS(sample(&b, d.y, d.sigma, d.y, 5, NULL, &m), UM_EDATA, cases[i].says);
	}
	um_memory_free(&m);
	bench_free(&b);
	dense_free(&d);
}

/* Convolutional couplings are told images: pixels of a white prior seen with white noise, in closed form. */
static void planes(void)
{
	bench b;
	um_memory m = { 0 };
	um_sink sink = um_memory_sink(&m);
	double y[64], sigma[64], mean = 0, sd = 0;
	um_rng r = um_rng_new(5, "planes", 0);
	bench_plugins(&b, plug_env(1, 8, 8), "denoise", SET("sigma=0.5"), "gaussian", SET("mean=0.2"), false);
	learn(&b, SET("couplings_of=images", "couplings=4", "hidden=8", "steps=300", "rate=0.01", "decay=0.05", "start=prior", "embedding=4"));
	for (int i = 0; i < 64; i++)
		y[i] = 0.2 + sqrt(1.25) * um_normal(&r), sigma[i] = 0.5;
	CHECK_OK(sample(&b, y, sigma, y, 500, NULL, &m));
	for (int64_t i = 0; i < 64; i++) {
		double at, width;
		moments(&m.samples, i, &at, &width);
		mean += pow(at - 0.2 - 0.8 * (y[i] - 0.2), 2) / 64; /* C / (C + sigma^2) = 0.8 */
		sd += width / sqrt(0.2) / 64;
	}
	CHECK(sqrt(mean) < 0.2);
	CHECK_NEAR(sd, 1, 0.15);
	um_memory_free(&m);
	bench_free(&b);
	dense d = dense_random(4, 3, 9);
	bench_dense(&b, &d, NULL, NULL);
	b.env.shape[3] = b.env.shape[4] = 2;
	CHECK_FAILS(fit(&b, SET("couplings_of=images"), &sink), UM_EPARAM, "take summary = \"adjoint\"");
	bench_free(&b);
	dense_free(&d);
}

CHECK_MAIN(CHECK_CASE(gaussian), CHECK_CASE(resample), CHECK_CASE(tune), CHECK_CASE(told), CHECK_CASE(wiener),
	CHECK_CASE(blind), CHECK_CASE(gradient), CHECK_CASE(resume), CHECK_CASE(files), CHECK_CASE(bonds), CHECK_CASE(inflated),
	CHECK_CASE(planes))
