/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Fits of inference/cnf and runs of what they made, for tests of it. */
#ifndef UMBRA_TEST_CNF_H
#define UMBRA_TEST_CNF_H

#include <umbra/dataset.h>
#include <umbra/flow.h>
#include <umbra/layers.h>
#include <umbra/program.h>
#include "base/clock.h"
#include "host/amortizer.h"
#include "posterior.h"

/* ---- fits and runs ----------------------------------------------------------------------- */

/* A forward model and a prior, and where the weight file of what is fitted to them lies. */
typedef struct bench {
	um_env env;
	um_params *params[2];
	um_forward forward;
	um_prior prior;
	um_dataset *truths;    /* draws of the prior; NULL: the forward model has measurements */
	char path[64];
} bench;

static inline um_status draw_prior(void *state, um_rng *rng, um_array *x)
{
	const um_prior *p = state;
	return p->ops.sample(p->self, rng, x);
}

static inline void bench_data(bench *b, bool files)
{
	um_dataset_source s = { .name = "test", .key = "test", .seed = 3, .threads = 1, .draw = draw_prior, .state = &b->prior,
		.held_out = 1000 };
	memcpy(s.shape, b->env.shape, sizeof(s.shape));
	snprintf(b->path, sizeof(b->path), "/tmp/umbra-test-cnf-%d", (int)getpid());
	if (!files)
		CHECK_OK(um_dataset_new(&s, &b->truths));
}

/* y = A x + sigma n of a dense problem; another forward model where one is given. */
static inline void bench_dense(bench *b, dense *d, const um_plugin *forward, const void *params)
{
	*b = (bench){ .env = plug_env(1, 1, d->n) };
	CHECK_OK(um_forward_open(forward != NULL ? forward : &dense_forward_plugin, forward != NULL ? params : d, &b->env, &b->forward));
	CHECK_OK(um_prior_open(&dense_prior_plugin, d, &b->env, &b->prior));
	bench_data(b, false);
}

static inline void bench_plugins(bench *b, um_env env, const char *forward, const char *const *fset, const char *prior,
	const char *const *pset, bool files)
{
	const um_plugin *f = plug_open("plugins/forward", forward), *p = plug_open("plugins/priors", prior);
	*b = (bench){ .env = env };
	CHECK_OK(plug_params(f, fset, &b->params[0]));
	CHECK_OK(plug_params(p, pset, &b->params[1]));
	CHECK_OK(um_forward_open(f, um_params_data(b->params[0]), &b->env, &b->forward));
	CHECK_OK(um_prior_open(p, um_params_data(b->params[1]), &b->env, &b->prior));
	bench_data(b, files);
}

static inline void bench_free(bench *b)
{
	um_dataset_free(b->truths);
	um_prior_close(&b->prior);
	um_forward_close(&b->forward);
	um_params_free(b->params[0]);
	um_params_free(b->params[1]);
	unlink(b->path);
}

static inline um_status fit(bench *b, const char *const *settings, um_sink *sink)
{
	um_status st = UM_OK;
	const um_plugin *p = plug_open("plugins/inference", "cnf");
	um_params *params = NULL;
	um_inference inference = { 0 };
	um_problem *problem = NULL;
	UM_TRY(plug_params(p, settings, &params));
	UM_TRY(um_inference_open(p, um_params_data(params), &b->env, &inference));
	const char *refusal = um_cell_refusal(&inference, &b->forward, &b->prior, 1);
	if (refusal != NULL)
		UM_TRY(um_fail(UM_EPARAM, "%s", refusal));
	UM_TRY(um_problem_new_fit(&b->forward, &b->prior, 1, b->truths, 0, "train/cnf", &problem));
	st = inference.ops.fit(inference.self, problem, sink);
out:
	um_problem_free(problem);
	um_inference_close(&inference);
	um_params_free(params);
	return st;
}

/* Fits and writes the weight file; the held-out loss. */
static inline double learn(bench *b, const char *const *settings)
{
	um_memory m = { 0 };
	um_sink sink = um_memory_sink(&m);
	CHECK_OK(fit(b, settings, &sink));
	CHECK_OK(um_tensors_write(b->path, &m.tensors));
	const double loss = um_memory_metric(&m, b->truths != NULL ? "held_out_loss" : "loss");
	um_memory_free(&m);
	return loss;
}

/* Samples of the posterior of y by the weight file; more is a setting or NULL. */
static inline um_status sample(bench *b, const double *y, const double *sigma, const double *op, int64_t samples, const char *more,
	um_memory *m)
{
	um_status st = UM_OK;
	const um_plugin *p = plug_open("plugins/inference", "cnf");
	char model[96], name[64];
	um_params *params = NULL;
	um_inference inference = { 0 };
	um_problem *problem = NULL;
	um_sink sink = um_memory_sink(m);
	const int64_t row[2] = { 1, b->forward.info.ny }, ops[2] = { 1, b->forward.info.nop };
	um_array ya = um_array_view((void *)y, UM_F64, 2, row), s = um_array_view((void *)sigma, UM_F64, 2, row);
	um_array o = um_array_view((void *)op, UM_F64, 2, ops);
	snprintf(model, sizeof(model), "model=%s", b->path);
	snprintf(name, sizeof(name), "cell %.9g", y[0]); /* every measurement has noise of its own */
	UM_TRY(plug_params(p, SET(model, more), &params));
	UM_TRY(um_inference_open(p, um_params_data(params), &b->env, &inference));
	UM_TRY(um_problem_new(&b->forward, &b->prior, 1, &ya, &s, &o, samples, name, &problem));
	st = inference.ops.run(inference.self, problem, &sink);
out:
	um_problem_free(problem);
	um_inference_close(&inference);
	um_params_free(params);
	return st;
}

/* Truth number index of a dense problem, and its measurement in d->y. */
static inline void measure(dense *d, uint64_t index, double *x)
{
	um_rng r = um_rng_new(77, "measurements", index);
	double *z = numbers(d->n);
	um_normal_fill(&r, z, d->n);
	um_gemv(false, d->n, d->n, d->s, z, x);
	for (int64_t i = 0; i < d->n; i++)
		x[i] += d->m[i];
	um_gemv(false, d->ny, d->n, d->a, x, d->y);
	for (int64_t i = 0; i < d->ny; i++)
		d->y[i] += d->sigma[i] * um_normal(&r);
	free(z);
}

static inline void moments(const um_array *x, int64_t i, double *mean, double *sd)
{
	const int64_t count = x->dim[0];
	double square = 0;
	*mean = 0;
	for (int64_t b = 0; b < count; b++) {
		const double v = um_row_f(x, b)[i];
		*mean += v / (double)count;
		square += v * v / (double)count;
	}
	*sd = sqrt(square - *mean * *mean);
}

/* How far samples are from the posterior of d: means in units of the prior's standard deviations and relative standard
 * deviations, root mean square; and the worst of the latter. */
typedef struct errors { double mean, sd, worst; } errors;

static inline errors compare(const dense *d, const um_array *x)
{
	known z = dense_solve(d);
	errors e = { 0, 0, 0 };
	for (int64_t i = 0; i < d->n; i++) {
		double mean, sd;
		const double want = sqrt(z.cov[i * d->n + i]), prior = um_dot(d->n, d->s + i * d->n, d->s + i * d->n);
		moments(x, i, &mean, &sd);
		e.mean += pow(mean - z.mean[i], 2) / prior / (double)d->n;
		e.sd += pow(sd / want - 1, 2) / (double)d->n;
		e.worst = fmax(e.worst, fabs(sd / want - 1));
	}
	known_free(&z);
	return (errors){ sqrt(e.mean), sqrt(e.sd), e.worst };
}

/* 441 measurements y = -2 x1 + 1.7 x2 + 0.2 n from -1.1 to 1.1, and two narrow Gaussians at +-(0.5, 0.5). */
static inline void open_toy(bench *b)
{
	enum { MANY = 441 };
	char values[MANY * 10 + 16] = "values=[", *end = values + strlen(values);
	for (int i = 0; i < MANY; i++)
		end += sprintf(end, "%.3f%s", -1.1 + 2.2 * i / (MANY - 1), i < MANY - 1 ? ", " : "]");
	bench_plugins(b, plug_env(1, 1, 2), "linear", SET("rows=[-2.0, 1.7]", "sigma=0.2", values), "gmm",
		SET("means=[-0.5, -0.5, 0.5, 0.5]", "variances=[0.01]"), true);
}

#endif
