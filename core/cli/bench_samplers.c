/* SPDX-License-Identifier: GPL-3.0-or-later */
/* umbra bench samplers: seconds a sample of samplers at equal evaluations of one score network, and what a step
 * costs in units of an evaluation of the network alone. Kinds take turns, and the best of their rounds counts,
 * so that other work on the machine does not decide. */
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <umbra/host.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/parallel.h"
#include "bench.h"

enum { SIDE = 32, MOST_SET = 8 };

/* One kind of row: a sampler and its settings; the first is the network alone. */
static const struct kind {
	const char *what, *plugin;
	const char *set[MOST_SET];
} kinds[] = {
	{ "evaluation", NULL, { NULL } },
	{ "dmps", "dmps", { NULL } },
	{ "dmps flow", "dmps", { "version=flow", NULL } },
	{ "dps", "dps", { NULL } },
	{ "dps flow", "dps", { "version=flow", NULL } },
	{ "pigdm", "pigdm", { NULL } },
	{ "ot-ode", "ot-ode", { NULL } },
	{ "mcg", "mcg", { NULL } },
	{ "sde-proj", "sde-proj", { NULL } },
	{ "ald", "ald", { "denoise=false", NULL } },
};
enum { KINDS = sizeof(kinds) / sizeof(*kinds), DMPS = 1 };

typedef struct options {
	int64_t samples, calls, rounds;
	const char *model, *forward;
} options;

typedef struct bench {
	options o;
	um_env env;
	um_params *prior_params, *forward_params, *params[KINDS];
	um_prior prior;
	um_forward forward;
	um_inference inference[KINDS];
	um_array y, sigma, op;
	um_problem *problem;
	double best[KINDS];
} bench;

/* ---- the problem ---------------------------------------------------------------------------- */

/* Settings are "key=value" texts; NULL ends each list. */
static um_status fill(const um_plugin *p, const char *const *set, const char *more, um_params **out)
{
	um_status st = UM_OK;
	um_node *root = NULL;
	um_problems bad = { 0 };
	UM_TRY(um_config_parse("", "bench", &root));
	for (; *set != NULL; set++)
		UM_TRY(um_config_set(root, *set));
	if (more != NULL)
		UM_TRY(um_config_set(root, more));
	UM_TRY(um_params_fill(p->params, p->nparams, p->params_size, root, NULL, p->name, &bad, out));
	if (*out == NULL)
		UM_TRY(um_fail(UM_EPARAM, "%s", bad.n > 0 ? bad.line[0] : p->name));
out:
	um_problems_free(&bad);
	um_node_free(root);
	return st;
}

static um_status open_problem(bench *b)
{
	um_status st = UM_OK;
	const um_plugin *prior, *forward;
	const char *none[] = { NULL };
	char *path = um_path_resolve(b->o.model, "."), *model = um_format("model=%s", path);
	um_rng rng = um_rng_new(1, "bench", 0);
	um_array x = { 0 };
	UM_TRY(um_plugin_find(UM_PRIOR, "score", &prior));
	UM_TRY(um_plugin_find(UM_FORWARD, b->o.forward, &forward));
	UM_TRY(fill(prior, none, model, &b->prior_params));
	UM_TRY(fill(forward, none, NULL, &b->forward_params));
	UM_TRY(um_prior_open(prior, um_params_data(b->prior_params), &b->env, &b->prior));
	UM_TRY(um_forward_open(forward, um_params_data(b->forward_params), &b->env, &b->forward));
	const int64_t ny = b->forward.info.ny;
	UM_TRY(um_array_new(&b->y, UM_F64, 2, (const int64_t[]){ 1, ny }));
	UM_TRY(um_array_new(&b->sigma, UM_F64, 2, (const int64_t[]){ 1, ny }));
	UM_TRY(um_array_new(&b->op, UM_F64, 2, (const int64_t[]){ 1, b->forward.info.nop }));
	UM_TRY(um_env_images(&b->env, 1, &x));
	UM_TRY(um_forward_simulate(&b->forward, &rng, &x, &b->op, &b->y, &b->sigma, NULL));
	UM_TRY(um_problem_new(&b->forward, &b->prior, 1, &b->y, &b->sigma, &b->op, b->o.samples, "bench", &b->problem));
out:
	um_array_free(&x);
	free(path);
	free(model);
	return st;
}

/* Images are clipped to the range of the model: what a bench asks for need not be stable. */
static um_status open_samplers(bench *b)
{
	um_status st = UM_OK;
	const um_problem_info *about = um_problem_about(b->problem);
	char *calls = um_format("calls=%lld", (long long)b->o.calls);
	char *clip = um_format("clip=[%.9e, %.9e]", about->lo, about->lo + about->unit);
	for (int k = DMPS; k < KINDS; k++) {
		const um_plugin *p;
		const char *set[MOST_SET + 1] = { calls };
		for (int i = 0; kinds[k].set[i] != NULL; i++)
			set[i + 1] = kinds[k].set[i];
		UM_TRY(um_plugin_find(UM_INFERENCE, kinds[k].plugin, &p));
		UM_TRY(fill(p, set, clip, &b->params[k]));
		UM_TRY(um_inference_open(p, um_params_data(b->params[k]), &b->env, &b->inference[k]));
	}
out:
	free(calls);
	free(clip);
	return st;
}

static void bench_close(bench *b)
{
	for (int k = DMPS; k < KINDS; k++) {
		um_inference_close(&b->inference[k]);
		um_params_free(b->params[k]);
	}
	um_problem_free(b->problem);
	um_forward_close(&b->forward);
	um_prior_close(&b->prior);
	um_params_free(b->forward_params);
	um_params_free(b->prior_params);
	um_array_free(&b->y);
	um_array_free(&b->sigma);
	um_array_free(&b->op);
}

/* ---- runs -------------------------------------------------------------------------------------- */

/* The network alone: as many evaluations, of noise. */
static um_status evaluate(bench *b)
{
	um_status st = UM_OK;
	const int64_t samples = b->o.samples, n = um_problem_about(b->problem)->n;
	um_array x = { 0 }, s = { 0 };
	double *alpha = um_new(2 * sizeof(double) * (size_t)samples), *sigma = alpha + samples;
	um_rng rng = um_rng_new(2, "bench", 0);
	UM_TRY(um_problem_images(b->problem, samples, &x));
	UM_TRY(um_problem_images(b->problem, samples, &s));
	for (int64_t i = 0; i < samples; i++)
		alpha[i] = 0.7, sigma[i] = 0.7 * um_problem_about(b->problem)->unit;
	for (int64_t i = 0; i < samples * n; i++)
		((float *)x.data)[i] = (float)(sigma[0] * um_normal(&rng));
	const um_score_job job = { .size = sizeof(job), .x = &x, .alpha = alpha, .sigma = sigma, .s = &s };
	for (int64_t k = 0; k < b->o.calls; k++)
		UM_TRY(um_problem_score(b->problem, &job));
out:
	um_array_free(&x);
	um_array_free(&s);
	free(alpha);
	return st;
}

static um_status once(bench *b, int k)
{
	um_memory kept = { 0 };
	um_sink sink = um_memory_sink(&kept);
	const um_status st = k < DMPS ? evaluate(b) : b->inference[k].ops.run(b->inference[k].self, b->problem, &sink);
	um_memory_free(&kept);
	return st;
}

static um_status measure(bench *b)
{
	um_status st = UM_OK;
	for (int k = 0; k < KINDS; k++)
		b->best[k] = HUGE_VAL;
	for (int64_t round = 0; round <= b->o.rounds; round++)
		for (int k = 0; k < KINDS; k++) {
			const double begun = um_clock();
			UM_TRY(once(b, k));
			if (round > 0) /* the first compiles */
				b->best[k] = fmin(b->best[k], um_clock() - begun);
		}
out:
	return st;
}

static void report(const bench *b, json_t *rows)
{
	for (int k = 0; k < KINDS; k++)
		json_array_append_new(rows, json_pack("{s:s, s:I, s:I, s:i, s:f, s:f, s:f}", "what", kinds[k].what,
			"samples", (json_int_t)b->o.samples, "calls", (json_int_t)b->o.calls, "threads", b->env.threads,
			"seconds_a_sample", b->best[k] / (double)b->o.samples, "evaluations_a_step", b->best[k] / b->best[0],
			"times_dmps", b->best[k] / b->best[DMPS]));
}

/* ---- the command line ----------------------------------------------------------------------------- */

static bool number(const char *text, int64_t *n)
{
	char *end;
	*n = strtoll(text, &end, 10);
	return *end == '\0' && *n >= 1 && *n <= 65536;
}

static bool set(options *o, const char *key, const char *value)
{
	if (strcmp(key, "--samples") == 0)
		return number(value, &o->samples);
	if (strcmp(key, "--calls") == 0)
		return number(value, &o->calls) && o->calls >= 5;
	if (strcmp(key, "--rounds") == 0)
		return number(value, &o->rounds);
	if (strcmp(key, "--model") == 0)
		return (o->model = value) != NULL;
	return strcmp(key, "--forward") == 0 && (o->forward = value) != NULL;
}

um_status um_bench_samplers(json_t *rows, int argc, char *argv[])
{
	um_status st = UM_OK;
	bench b = { .o = { 16, 10, 3, "share:weights/ring-32.safetensors", "lowfreq" } };
	b.env = (um_env){ .size = sizeof(um_env), .threads = THREADS(), .seed = 1, .shape = { 1, 1, 1, SIDE, SIDE },
		.scale = 1 };
	for (int i = 0; i < argc; i += 2)
		if (i + 1 == argc || !set(&b.o, argv[i], argv[i + 1]))
			return um_fail(UM_EPARAM, "%s: options of umbra bench samplers: --samples N --calls N (5 at least) --rounds N "
				"--forward PLUGIN --model FILE (a score of 32 x 32 pixels)", argv[i]);
	UM_TRY(open_problem(&b));
	UM_TRY(open_samplers(&b));
	UM_TRY(measure(&b));
	report(&b, rows);
out:
	bench_close(&b);
	return st;
}
