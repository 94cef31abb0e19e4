/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Inference on a small problem with a known answer: independent Gaussian pixels seen with
 * white noise. It must deliver what was asked for, twice the same, and stop when told to. */
#include <math.h>
#include <string.h>
#include "host/conform.h"

enum { SAMPLES = 8 };

/* The problem, and where its samples go. */
struct trial {
	struct toy toy;
	um_array y, sigma; /* its measurement */
	um_problem *problem;
	um_memory kept;
	um_sink_ops ops;
	const um_sink *memory;
	int64_t asked, after; /* calls of progress: before and after it says stop */
	bool stop;
};

static um_answer progress(void *state, int64_t done, int64_t total, double loss)
{
	struct trial *t = state;
	(void)done, (void)total, (void)loss;
	t->asked++;
	t->after += t->stop && t->asked > 1;
	return t->stop ? UM_STOP : UM_GO;
}

static um_status samples(void *state, const um_array *u, const double *logq)
{
	struct trial *t = state;
	return t->memory->ops->samples(t->memory->state, u, logq);
}

static um_status metric(void *state, const char *name, double value)
{
	struct trial *t = state;
	return t->memory->ops->metric(t->memory->state, name, value);
}

/* A plugin with its defaults, to be freed by um_params_free. */
static um_status defaults(um_kind kind, const char *name, const um_plugin **p, um_params **params)
{
	um_status st = UM_OK;
	um_problems bad = { 0 };
	UM_TRY(um_plugin_find(kind, name, p));
	UM_TRY(um_params_fill((*p)->params, (*p)->nparams, (*p)->params_size, NULL, NULL, name, &bad, params));
	if (*params == NULL)
		st = um_fail(UM_EPLUGIN, "%s: its defaults are not valid", name);
out:
	um_problems_free(&bad);
	return st;
}

um_status conform_toy(const um_env *env, struct toy *t)
{
	um_status st = UM_OK;
	const um_plugin *forward, *prior;
	UM_TRY(defaults(UM_FORWARD, "denoise", &forward, &t->params[0]));
	UM_TRY(defaults(UM_PRIOR, "gaussian", &prior, &t->params[1]));
	UM_TRY(um_forward_open(forward, um_params_data(t->params[0]), env, &t->forward));
	UM_TRY(um_prior_open(prior, um_params_data(t->params[1]), env, &t->prior));
out:
	return st;
}

void conform_toy_close(struct toy *t)
{
	um_prior_close(&t->prior);
	um_forward_close(&t->forward);
	um_params_free(t->params[0]);
	um_params_free(t->params[1]);
}

static um_status open_trial(struct fixture *f, struct trial *t)
{
	um_status st = UM_OK;
	UM_TRY(conform_toy(&f->env, &t->toy));
	um_array *y = conform_rows(f, 1, f->n), *sigma = conform_rows(f, 1, f->n), *op = conform_rows(f, 1, 0);
	UM_TRY(um_forward_simulate(&t->toy.forward, conform_rngs(f, 1), conform_point(f, 1, true, 40), op, y, sigma,
		NULL));
	y->stride[0] = sigma->stride[0] = op->stride[0] = 0; /* one measurement for every sample */
	t->y = *y;
	t->sigma = *sigma;
	UM_TRY(um_problem_new(&t->toy.forward, &t->toy.prior, 1, y, sigma, op, SAMPLES, "conform", &t->problem));
out:
	return st;
}

static void close_trial(struct trial *t)
{
	um_problem_free(t->problem);
	conform_toy_close(&t->toy);
	um_memory_free(&t->kept);
}

/* Runs an instance for another measurement, and forgets it. */
static um_status run_other(struct fixture *f, struct fixture *fresh, struct trial *t)
{
	um_status st = UM_OK;
	um_memory forgotten = { 0 };
	um_sink sink = um_memory_sink(&forgotten);
	um_array *y = conform_rows(f, 1, f->n), *sigma = conform_rows(f, 1, f->n);
	const um_array *op = um_problem_op(t->problem);
	for (int64_t i = 0; i < f->n; i++) {
		um_row_d(sigma, 0)[i] = 1.5 * um_problem_sigma(t->problem)[i];
		um_row_d(y, 0)[i] = um_problem_y(t->problem)[i] + (i % 2 ? 3 : -1) * um_row_d(sigma, 0)[i];
	}
	um_problem_turn(t->problem, y, sigma, op, "other");
	UM_TRY(fresh->inference.ops.run(fresh->inference.self, t->problem, &sink));
	um_problem_turn(t->problem, &t->y, &t->sigma, op, "conform");
out:
	um_memory_free(&forgotten);
	return st;
}

/* Runs a fresh instance, or one that has worked for another measurement; *refusal says why it cannot work on this problem. */
static um_status run(struct fixture *f, bool stop, bool used, struct trial *t, const char **refusal)
{
	um_status st = UM_OK;
	struct fixture fresh = { 0 };
	*t = (struct trial){ .stop = stop };
	um_sink memory = um_memory_sink(&t->kept), sink = { &t->ops, t };
	t->memory = &memory;
	t->ops = (um_sink_ops){ .progress = progress, .samples = samples, .metric = metric };
	UM_TRY(open_trial(f, t));
	*refusal = um_cell_refusal(&f->inference, &t->toy.forward, &t->toy.prior, 1);
	if (*refusal == um_message()) /* which does not last */
		*refusal = "its suits refuses the small problem of this battery";
	if (*refusal != NULL)
		goto out;
	UM_TRY(conform_instance(f->b, &f->env, &fresh));
	if (used)
		UM_TRY(run_other(f, &fresh, t));
	UM_TRY(fresh.inference.ops.run(fresh.inference.self, t->problem, &sink));
out:
	t->memory = NULL;
	conform_close(&fresh);
	return st;
}

static um_status check_run(struct fixture *f)
{
	um_status st = UM_OK;
	struct trial t = { 0 };
	UM_TRY(run(f, false, false, &t, &f->absent));
	if (f->absent != NULL)
		goto out;
	const int64_t got = t.kept.samples.data != NULL ? t.kept.samples.dim[0] : 0;
	const bool estimate = got == 1; /* a best image rather than draws: one is all there is */
	if ((got != SAMPLES && !estimate) || um_array_rowlen(&t.kept.samples) != f->n)
		UM_TRY(um_fail(UM_EPLUGIN, "%lld samples of %lld pixels were delivered, %d of %lld were asked for",
			(long long)got, (long long)(got ? um_array_rowlen(&t.kept.samples) : 0), SAMPLES,
			(long long)f->n));
	UM_TRY(conform_finite(&t.kept.samples, "samples"));
	if (t.kept.logq != NULL)
		UM_TRY(conform_numbers(t.kept.logq, got, "logq"));
out:
	close_trial(&t);
	return st;
}

/* Two runs of one measurement, the second of an instance that is used. */
static um_status compare_runs(struct fixture *f, bool used, const char *what)
{
	um_status st = UM_OK;
	struct trial t = { 0 }, again = { 0 };
	UM_TRY(run(f, false, false, &t, &f->absent));
	if (f->absent != NULL)
		goto out;
	UM_TRY(run(f, false, used, &again, &f->absent));
	if (t.kept.samples.data == NULL || um_array_len(&t.kept.samples) != um_array_len(&again.kept.samples))
		UM_TRY(um_fail(UM_EPLUGIN, "two runs with one seed deliver different numbers of samples"));
	st = conform_bytes(&t.kept.samples, &again.kept.samples, what);
out:
	close_trial(&t);
	close_trial(&again);
	return st;
}

static um_status check_repeat(struct fixture *f)
{
	const um_status st = compare_runs(f, false, "samples of two runs with one seed");
	f->b->flaky = st != UM_OK;
	return st;
}

static const char *no_repeat(const struct fixture *f)
{
	return f->b->flaky ? "runs do not repeat" : NULL;
}

static um_status check_used(struct fixture *f)
{
	return compare_runs(f, true, "samples of a fresh instance and of one that has run for another measurement");
}

static um_status check_stop(struct fixture *f)
{
	struct trial t = { 0 };
	um_status st = run(f, true, false, &t, &f->absent);
	if (st == UM_EINTR || f->absent != NULL)
		st = UM_OK;
	if (st == UM_OK && t.after > 2)
		st = um_fail(UM_EPLUGIN, "told to stop, it went on for %lld steps; deliver what there is and return "
			"UM_EINTR", (long long)t.after);
	close_trial(&t);
	return st;
}

static um_status run_alone(struct fixture *f, um_array **out)
{
	um_status st = UM_OK;
	struct trial t = { 0 };
	struct fixture first = { 0 };
	UM_TRY(conform_instance(f->b, &f->env, &first)); /* whose needs run() asks about */
	f->inference.info = first.inference.info;
	UM_TRY(run(f, false, false, &t, &f->absent));
	if (f->absent != NULL || t.kept.samples.data == NULL)
		goto out;
	*out = conform_images(f, t.kept.samples.dim[0]);
	UM_TRY(um_array_copy(*out, &t.kept.samples));
out:
	f->inference.info = (um_inference_info){ 0 };
	conform_close(&first);
	close_trial(&t);
	return st;
}

static um_status check_threads(struct fixture *f)
{
	return conform_threads(f, run_alone);
}

static const struct check checks[] = {
	{ "run", check_run, NULL }, { "run repeats", check_repeat, NULL }, { "run after another", check_used, no_repeat },
	{ "instances in threads", check_threads, no_repeat }, { "stops when told to", check_stop, NULL },
};

void conform_inference(struct battery *b, struct fixture *f, int n)
{
	conform_run(b, f, n, checks, sizeof(checks) / sizeof(*checks));
}
