/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A sound prior that is trained: independent Gaussian pixels, whose means and variances a fit finds
 * by running averages over batches. For tests of the train stage. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <umbra/dataset.h>
#include <umbra/plugin.h>
#include <umbra/tensors.h>

#ifndef NAME
#define NAME "meanfit"
#define SKIPPED 0 /* steps that a resumed fit leaves out: none */
#endif

struct meanfit {
	const char *model;
	int64_t steps, batch;
	double nap;
};

static const um_param params[] = {
	UM_FILE(struct meanfit, model, "", "Weights of an earlier fit; made by a train stage."),
	UM_PARAM(struct meanfit, steps, "100", 1, 1e6, "", "Batches that the fit looks at."),
	UM_PARAM(struct meanfit, batch, "32", 1, 1e4, "", "Images in a batch."),
	UM_PARAM(struct meanfit, nap, "0", 0, 1, "s", "Rest after every batch."),
};

struct self {
	struct meanfit p;
	int64_t n;
	double *mean, *var;  /* NULL mean: not trained */
	um_tensors file;
};

static void destroy(void *self)
{
	struct self *s = self;
	um_tensors_free(&s->file);
	free(s);
}

static um_status create(void **self, const void *p, const um_env *env, um_prior_info *info)
{
	um_status st = UM_OK;
	struct self *s = calloc(1, sizeof(*s));
	if (s == NULL)
		return um_fail(UM_ENOMEM, "no memory");
	s->p = *(const struct meanfit *)p;
	s->n = 1;
	for (int i = 0; i < 5; i++)
		s->n *= env->shape[i];
	(void)info;
	if (*s->p.model) {
		UM_TRY(um_tensors_read(s->p.model, &s->file));
		const um_array *m = um_tensors_get(&s->file, "mean"), *v = um_tensors_get(&s->file, "var");
		if (m == NULL || v == NULL || um_array_len(m) != s->n || um_array_len(v) != s->n ||
			m->dtype != UM_F64)
			UM_TRY(um_fail(UM_EDATA, "%s: not weights of meanfit for this image", s->p.model));
		s->mean = m->data;
		s->var = v->data;
	}
	*self = s;
out:
	if (st != UM_OK)
		destroy(s);
	return st;
}

static um_status logp(void *self, um_rng *rng, const um_array *x, double *lp, um_array *dx)
{
	const struct self *s = self;
	(void)rng;
	for (int64_t b = 0; b < x->dim[0]; b++) {
		lp[b] = 0;
		for (int64_t i = 0; i < s->n; i++) {
			double d = um_row_f(x, b)[i] - s->mean[i];
			lp[b] -= 0.5 * (d * d / s->var[i] + log(6.283185307179586 * s->var[i]));
			if (dx != NULL)
				um_row_f(dx, b)[i] = (float)(-d / s->var[i]);
		}
	}
	return UM_OK;
}

static um_status sample(void *self, um_rng *rng, um_array *x)
{
	const struct self *s = self;
	for (int64_t b = 0; b < x->dim[0]; b++)
		for (int64_t i = 0; i < s->n; i++)
			um_row_f(x, b)[i] = (float)(s->mean[i] + sqrt(s->var[i]) * um_normal(&rng[b]));
	return UM_OK;
}

static double now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* Welford's update for every image of a batch; sum[0] counts, then means and squares. */
static void learn(const struct self *s, const um_array *x, double *sum)
{
	for (int64_t b = 0; b < x->dim[0]; b++) {
		sum[0] += 1;
		for (int64_t i = 0; i < s->n; i++) {
			double *mean = sum + 1, *square = mean + s->n, v = um_row_f(x, b)[i],
				d = v - mean[i];
			mean[i] += d / sum[0];
			square[i] += d * (v - mean[i]);
		}
	}
}

static double held_out(const struct self *s, um_dataset *data, const double *sum, um_status *st)
{
	const um_dataset_info *info = um_dataset_about(data);
	um_array x = { 0 };
	double error = 0;
	*st = um_array_new(&x, UM_F32, 2, (const int64_t[]){ info->held, s->n });
	if (*st == UM_OK)
		*st = um_dataset_rows(data, true, 0, info->held, &x);
	for (int64_t b = 0; *st == UM_OK && b < info->held; b++)
		for (int64_t i = 0; i < s->n; i++)
			error += pow(um_row_f(&x, b)[i] - sum[1 + i], 2) / (double)(info->held * s->n);
	um_array_free(&x);
	return info->held > 0 ? error : NAN;
}

static um_status deliver(struct self *s, um_dataset *data, double *sum, um_sink *sink)
{
	um_status st = UM_OK;
	for (int64_t i = 0; i < s->n; i++)
		sum[1 + s->n + i] = fmax(1e-6, sum[1 + s->n + i] / sum[0]);
	um_array mean = um_array_view(sum + 1, UM_F64, 1, &s->n),
		var = um_array_view(sum + 1 + s->n, UM_F64, 1, &s->n);
	double error = held_out(s, data, sum, &st);
	UM_TRY(st);
	UM_TRY(um_sink_metric(sink, "held_out_error", error));
	UM_TRY(um_sink_metric(sink, "images_seen", sum[0]));
	UM_TRY(um_sink_tensor(sink, "mean", &mean));
	UM_TRY(um_sink_tensor(sink, "var", &var));
out:
	return st;
}

static um_status fit(void *self, um_dataset *data, um_sink *sink)
{
	static const char *const loss[] = { "loss" }, *const names[] = { "sum", "step" };
	struct self *s = self;
	um_status st = UM_OK;
	um_array x = { 0 }, sum = { 0 };
	int64_t step = 0, one = 1;
	const double start = now(), budget = um_dataset_about(data)->seconds;
	bool found;
	UM_TRY(um_array_new(&x, UM_F32, 2, (const int64_t[]){ s->p.batch, s->n }));
	UM_TRY(um_array_new(&sum, UM_F64, 1, (const int64_t[]){ 1 + 2 * s->n }));
	um_array at = um_array_view(&step, UM_I64, 1, &one), *const state[] = { &sum, &at };
	UM_TRY(um_sink_restore(sink, 2, names, state, &found));
	step += found ? SKIPPED : 0;
	for (; step < s->p.steps && (budget == 0 || now() - start < budget);) {
		UM_TRY(um_dataset_batch(data, step, s->p.batch, &x));
		learn(s, &x, sum.data);
		double spread = 0, *v = sum.data;
		for (int64_t i = 0; i < s->n; i++)
			spread += v[1 + s->n + i] / v[0] / (double)s->n;
		UM_TRY(um_sink_trace(sink, step, 1, loss, &spread));
		step++;
		nanosleep(&(struct timespec){ 0, (long)(1e9 * s->p.nap) }, NULL);
		um_answer answer = um_sink_progress(sink, step, s->p.steps, spread);
		if (answer != UM_GO)
			UM_TRY(um_sink_checkpoint(sink, 2, names, (const um_array *const *)state));
		if (answer == UM_STOP)
			UM_TRY(um_fail(UM_EINTR, "stopped on request"));
	}
	UM_TRY(deliver(s, data, sum.data, sink));
out:
	um_array_free(&x);
	um_array_free(&sum);
	return st;
}

static const um_prior_ops ops = { .create = create, .destroy = destroy, .logp = logp, .sample = sample,
	.fit = fit };

UM_PLUGIN = {
	UM_HEADER, UM_PRIOR, 0, NAME, "1.0", "Independent Gaussian pixels, fitted; for tests.", "",
	UM_PARAMS(struct meanfit, params), UM_OPS(ops),
};
