/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Amortized sampling. Slow cases, with figures: build/tests/unit/test_cnf slow. */
#include <umbra/amortized.h>
#include <umbra/dataset.h>
#include <umbra/program.h>
#include <umbra/rng.h>
#include "base/clock.h"
#include "posterior.h"

/* A fit of inference/cnf to a problem, and runs of what it made. */
typedef struct bench {
	um_env env;
	um_forward forward;
	um_prior prior;
	um_dataset *truths;
	char path[64];
} bench;

static um_status draw_prior(void *state, um_rng *rng, um_array *x)
{
	const um_prior *p = state;
	return p->ops.sample(p->self, rng, x);
}

/* Measurements of draws of the prior; or, files, those of the forward model. */
static void bench_data(bench *b, bool files)
{
	um_dataset_source s = { .name = "test", .key = "test", .seed = 3, .threads = 1, .draw = draw_prior, .state = &b->prior,
		.held_out = 2000 };
	memcpy(s.shape, b->env.shape, sizeof(s.shape));
	snprintf(b->path, sizeof(b->path), "/tmp/umbra-test-cnf-%d", (int)getpid());
	if (!files)
		CHECK_OK(um_dataset_new(&s, &b->truths));
}

static void bench_dense(bench *b, dense *d)
{
	*b = (bench){ .env = plug_env(1, 1, d->n) };
	CHECK_OK(um_forward_open(&dense_forward_plugin, d, &b->env, &b->forward));
	CHECK_OK(um_prior_open(&dense_prior_plugin, d, &b->env, &b->prior));
	bench_data(b, false);
}

static void bench_free(bench *b)
{
	um_dataset_free(b->truths);
	um_prior_close(&b->prior);
	um_forward_close(&b->forward);
	unlink(b->path);
}

static um_status fit_into(bench *b, const char *const *settings, um_sink *sink)
{
	um_status st = UM_OK;
	const um_plugin *p = plug_open("plugins/inference", "cnf");
	um_params *params = NULL;
	um_inference inference = { 0 };
	um_problem *problem = NULL;
	UM_TRY(plug_params(p, settings, &params));
	UM_TRY(um_inference_open(p, um_params_data(params), &b->env, &inference));
	UM_TRY(um_problem_new_fit(&b->forward, &b->prior, 1, b->truths, 0, "train/cnf", &problem));
	st = inference.ops.fit(inference.self, problem, sink);
out:
	um_problem_free(problem);
	um_inference_close(&inference);
	um_params_free(params);
	return st;
}

/* Fits and writes the weight file. */
static void learn(bench *b, const char *const *settings, um_memory *m)
{
	um_sink sink = um_memory_sink(m);
	CHECK_OK(fit_into(b, settings, &sink));
	CHECK_OK(um_tensors_write(b->path, &m->tensors));
}

/* Samples of the posterior of y, by the weight file. */
static um_status sample(bench *b, const double *y, const double *sigma, const double *op, int64_t samples, const char *more,
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

/* A truth and a measurement of a dense problem. */
static void measure(dense *d, uint64_t index, double *x)
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

/* ---- slow ------------------------------------------------------------------------------------- */

static const char *env_or(const char *name, const char *otherwise)
{
	const char *v = getenv(name);
	return v != NULL ? v : otherwise;
}

static void slow_gaussian(void)
{
	enum { N = 64, SAMPLES = 1000, MANY = 200, RANKS = 20 };
	dense d = dense_random(N, 48, 5);
	bench b;
	um_memory m = { 0 };
	double x[N], prior_sd = 0, mean2 = 0, sd_worst = 0, sd2 = 0, k_mean = 0, ess = 0, fired = 0;
	static double ranks[N][RANKS];
	bench_dense(&b, &d);
	double begun = um_clock();
	learn(&b, SET(env_or("STEPS", "steps=5000"), env_or("SET1", "batch=64"), env_or("SET2", "batch=64"), env_or("SET3", "batch=64")), &m);
	printf("fit: %.1f s, held-out loss %.4f\n", um_clock() - begun, um_memory_metric(&m, "held_out_loss"));
	for (int64_t i = 0; i < N; i++)
		prior_sd += um_dot(N, d.s + i * N, d.s + i * N) / N;
	prior_sd = sqrt(prior_sd);
	double evidence = 0;
	for (int j = 0; j < MANY; j++) {
		um_memory out = { 0 };
		measure(&d, (uint64_t)j, x);
		known z = dense_solve(&d);
		evidence += z.log_evidence / MANY;
		CHECK_OK(sample(&b, d.y, d.sigma, d.y, SAMPLES, NULL, &out));
		for (int64_t i = 0; i < N; i++) {
			double mean = 0, sq = 0;
			int below = 0;
			for (int64_t s = 0; s < SAMPLES; s++) {
				const double v = um_row_f(&out.samples, s)[i];
				mean += v / SAMPLES, sq += v * v / SAMPLES;
				below += v < x[i];
			}
			const double sd = sqrt(sq - mean * mean), want = sqrt(z.cov[i * N + i]);
			mean2 += pow(mean - z.mean[i], 2) / (N * MANY);
			sd2 += pow(sd / want - 1, 2) / (N * MANY);
			sd_worst = fmax(sd_worst, fabs(sd / want - 1));
			int bin = below * RANKS / (SAMPLES + 1);
			ranks[i][bin]++;
		}
		k_mean += um_memory_metric(&out, "pareto_k") / MANY;
		ess += um_memory_metric(&out, "importance_ess") / MANY;
		fired += um_memory_metric(&out, "alarm");
		if (j == 0)
			printf("draws a second: %.0f\n", um_memory_metric(&out, "draws_per_second"));
		um_memory_free(&out);
		known_free(&z);
	}
	int uniform = 0;
	for (int i = 0; i < N; i++) {
		double chi2 = 0;
		for (int r = 0; r < RANKS; r++)
			chi2 += pow(ranks[i][r] - (double)MANY / RANKS, 2) / ((double)MANY / RANKS);
		uniform += chi2 < 36.19; /* 99 % of 19 degrees of freedom */
	}
	printf("mean: %.4f of the prior sd (rms); sd: %.3f rms, %.3f worst; ranks uniform: %d of %d; k %.2f, ess %.3f, alarms %.0f\n",
		sqrt(mean2) / prior_sd, sqrt(sd2), sd_worst, uniform, N, k_mean, ess, fired);
	printf("-evidence %.4f\n", -evidence);
	bench_free(&b);
	um_memory_free(&m);
	dense_free(&d);
}

int main(int argc, char **argv)
{
	const check_case slow[] = { CHECK_CASE(slow_gaussian) };
	if (argc > 1 && strcmp(argv[1], "slow") == 0)
		return check_run(__FILE__, slow, sizeof(slow) / sizeof(*slow));
	return 0;
}
