/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Priors and inferences that learn: a short fit gives weights that can be opened and tested like any other plugin;
 * a fit that is stopped and resumed goes on as if nothing had happened. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <umbra/dataset.h>
#include "base/mem.h"
#include "host/conform.h"

enum { STEPS = 8 }; /* of the fit whose outcome is tested: by a count, so that every machine tests the same weights */

/* Smooth positive images: exp of a moving average of white noise. */
static um_status draw(void *state, um_rng *rng, um_array *x)
{
	const int64_t n = um_array_rowlen(x);
	(void)state;
	for (int64_t b = 0; b < x->dim[0]; b++) {
		double last = um_normal(&rng[b]);
		for (int64_t i = 0; i < n; i++) {
			last = 0.8 * last + 0.6 * um_normal(&rng[b]);
			um_row_f(x, b)[i] = (float)exp(0.3 * last);
		}
	}
	return UM_OK;
}

/* An inference learns from noisy images under a Gaussian prior, as conform_inference.c has them. */
static um_status fit_inference(struct battery *b, const um_env *env, double seconds, um_dataset *data, um_sink *sink)
{
	um_status st = UM_OK;
	struct toy toy = { 0 };
	um_inference inference = { 0 };
	um_problem *problem = NULL;
	UM_TRY(conform_toy(env, &toy));
	UM_TRY(um_inference_open(b->plugin, b->params, env, &inference));
	const char *refusal = um_cell_refusal(&inference, &toy.forward, &toy.prior, 1);
	if (refusal != NULL)
		UM_TRY(um_fail(UM_EPARAM, "%s", refusal));
	UM_TRY(um_problem_new_fit(&toy.forward, &toy.prior, 1, data, seconds, "conform", &problem));
	um_phase(b->plugin, "fit");
	st = inference.ops.fit(inference.self, problem, sink);
	um_phase(NULL, NULL);
out:
	um_problem_free(problem);
	um_inference_close(&inference);
	conform_toy_close(&toy);
	return st;
}

/* One fit from the start to where the sink or the budget ends it. */
static um_status fit(struct battery *b, const um_env *env, double seconds, um_sink *sink)
{
	um_status st = UM_OK;
	um_prior prior = { 0 };
	um_dataset *data = NULL;
	um_dataset_source s = { .name = "umbra test", .key = "conform", .seed = env->seed,
		.threads = env->threads,
		.draw = draw, .count = 600, .held_out = 0.1, .seconds = seconds };
	memcpy(s.shape, env->shape, sizeof(s.shape));
	if (b->plugin->kind == UM_INFERENCE) {
		UM_TRY(um_dataset_new(&s, &data));
		UM_TRY(fit_inference(b, env, seconds, data, sink));
		goto out;
	}
	UM_TRY(um_prior_open(b->plugin, b->params, env, &prior));
	UM_TRY(um_dataset_new(&s, &data));
	um_phase(b->plugin, "fit");
	st = prior.ops.fit(prior.self, data, sink);
	um_phase(NULL, NULL);
out:
	um_dataset_free(data);
	um_prior_close(&prior);
	return st;
}

/* Ends a fit after so many steps and keeps its checkpoint and its tensors. */
struct stopper {
	int64_t steps;
	um_tensors saved, out;
};

static um_answer progress(void *state, int64_t done, int64_t total, double loss)
{
	const struct stopper *s = state;
	(void)total, (void)loss;
	return done >= s->steps ? UM_STOP : UM_GO;
}

static um_status checkpoint(void *state, int n, const char *const names[], const um_array *const arrays[])
{
	struct stopper *s = state;
	um_status st = UM_OK;
	um_tensors_free(&s->saved);
	s->saved = (um_tensors){ 0 };
	for (int i = 0; i < n && st == UM_OK; i++)
		st = um_tensors_add(&s->saved, names[i], arrays[i]);
	return st;
}

static um_status restore(void *state, int n, const char *const names[], um_array *const arrays[],
	bool *found)
{
	struct stopper *s = state;
	*found = s->saved.n > 0;
	for (int i = 0; *found && i < n; i++) {
		const um_array *a = um_tensors_get(&s->saved, names[i]);
		if (a == NULL || a->dtype != arrays[i]->dtype || um_array_len(a) != um_array_len(arrays[i]))
			return um_fail(UM_EPLUGIN, "%s is asked for as it was not saved", names[i]);
		um_status st = um_array_copy(arrays[i], a);
		if (st != UM_OK)
			return st;
	}
	return UM_OK;
}

static um_status tensor(void *state, const char *name, const um_array *a)
{
	return um_tensors_add(&((struct stopper *)state)->out, name, a);
}

static um_status note(void *state, const char *key, const char *value)
{
	um_tensors_note(&((struct stopper *)state)->out, key, value);
	return UM_OK;
}

static void stopper_free(struct stopper *s)
{
	um_tensors_free(&s->saved);
	um_tensors_free(&s->out);
}

static const um_sink_ops stopping = { .progress = progress, .checkpoint = checkpoint, .restore = restore, .tensor = tensor,
	.note = note };

static um_status fit_until(struct battery *b, const um_env *env, struct stopper *s, int64_t steps)
{
	um_sink sink = { &stopping, s };
	s->steps = steps;
	um_status st = fit(b, env, 0, &sink);
	if (st == UM_EINTR && s->saved.n == 0)
		return um_fail(UM_EPLUGIN, "fit was told to stop after step %lld and wrote no "
			"checkpoint", (long long)steps);
	return st == UM_EINTR ? UM_OK : st;
}

static um_status write_weights(struct battery *b, const um_env *env, struct learned *l)
{
	um_status st = UM_OK;
	struct stopper s = { 0 };
	um_sink sink = { &stopping, &s };
	const char *dir = getenv("TMPDIR");
	l->path = um_format("%s/umbra-test-XXXXXX", dir != NULL ? dir : "/tmp");
	int fd = mkstemp(l->path);
	if (fd < 0)
		return um_fail(UM_EIO, "%s cannot be made", l->path);
	close(fd);
	st = fit_until(b, env, &s, STEPS);
	if (st == UM_OK && s.out.n == 0) { /* it was stopped: going on without any time to spare ends it */
		s.steps = INT64_MAX;
		st = fit(b, env, 1e-9, &sink);
	}
	if (st != UM_OK)
		UM_TRY(um_context(st, "fit"));
	if (s.out.n == 0)
		UM_TRY(um_fail(UM_EPLUGIN, "fit delivered no weights"));
	UM_TRY(um_tensors_write(l->path, &s.out));
	l->params = um_plugin_with_file(b->plugin, b->params, um_plugin_model(b->plugin), l->path);
out:
	stopper_free(&s);
	return st;
}

um_status conform_learned(struct battery *b, const um_env *env, const void **params)
{
	const um_param *q = um_plugin_model(b->plugin);
	*params = b->params;
	if (q == NULL || um_prior_key(b->plugin, b->params) != NULL || **(const char *const *)((const char *)b->params + q->offset) != '\0')
		return UM_OK;
	for (int i = 0; i < b->nlearned; i++)
		if (memcmp(b->learned[i].shape, env->shape, sizeof(env->shape)) == 0 &&
			b->learned[i].params != NULL) {
			*params = b->learned[i].params;
			return UM_OK;
		}
	b->learned = um_grow(b->learned, sizeof(*b->learned) * (size_t)(b->nlearned + 1));
	struct learned *l = &b->learned[b->nlearned++];
	*l = (struct learned){ 0 };
	memcpy(l->shape, env->shape, sizeof(l->shape));
	um_status st = write_weights(b, env, l);
	*params = l->params;
	return st;
}

void conform_forget(struct battery *b)
{
	for (int i = 0; i < b->nlearned; i++) {
		unlink(b->learned[i].path);
		free(b->learned[i].path);
		free(b->learned[i].params);
	}
	free(b->learned);
}

/* ---- a fit, done twice ----------------------------------------------------------- */

static um_status compare(const um_tensors *a, const um_tensors *b, const char *what)
{
	um_status st = UM_OK;
	for (int i = 0; i < a->n && st == UM_OK; i++) {
		const um_array *other = um_tensors_get(b, a->name[i]);
		if (other == NULL || a->n != b->n || um_array_len(other) != um_array_len(&a->array[i]))
			return um_fail(UM_EPLUGIN, "%s: %s is not there both times", what, a->name[i]);
		st = conform_bytes(&a->array[i], other, what);
	}
	return st;
}

static const char *no_fit(const struct fixture *f)
{
	const um_plugin *p = f->b->plugin;
	return um_plugin_model(p) == NULL || um_prior_key(p, f->b->params) != NULL ? "not offered" : NULL;
}

/* Three steps, against two and then one more; of fits without steps, two whole ones. */
static um_status check_resume(struct fixture *f)
{
	um_status st = UM_OK;
	struct stopper whole = { 0 }, parts = { 0 };
	UM_TRY(fit_until(f->b, &f->env, &whole, 3));
	if (whole.out.n == 0)
		UM_TRY(fit_until(f->b, &f->env, &parts, 2));
	UM_TRY(fit_until(f->b, &f->env, &parts, 3));
	UM_TRY(compare(&whole.out, &parts.out, "a fit, done twice"));
	UM_TRY(compare(&whole.saved, &parts.saved, "a fit, and one that was stopped and resumed"));
out:
	stopper_free(&whole);
	stopper_free(&parts);
	return st;
}

static const struct check checks[] = { { "fit resumes", check_resume, no_fit } };

void conform_fit(struct battery *b, struct fixture *f, int n)
{
	conform_run(b, f, n, checks, sizeof(checks) / sizeof(*checks));
}
