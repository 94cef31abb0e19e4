/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Priors: the gradient is the gradient of the density, draws repeat, batches are loops. */
#include <math.h>
#include <string.h>
#include "host/conform.h"

static um_status logp(struct fixture *f, const um_array *x, double *lp, um_array *dx)
{
	um_rng *rng = conform_rngs(f, x->dim[0]); /* the same stream every time */
	return f->prior.ops.logp(f->prior.self, rng, x, lp, dx);
}

static const char *no_logp(const struct fixture *f)
{
	return f->prior.ops.logp == NULL ? "not offered" : NULL;
}

static const char *no_sample(const struct fixture *f)
{
	return f->prior.ops.sample == NULL ? "not offered" : NULL;
}

static um_status check_logp(struct fixture *f)
{
	um_status st = UM_OK;
	double lp[2] = { NAN, NAN };
	um_array *x = conform_point(f, 1, f->prior.info.positive, 0), *dx = conform_images(f, 1);
	UM_TRY(logp(f, x, &lp[0], dx));
	UM_TRY(conform_numbers(lp, 1, "lp"));
	UM_TRY(conform_finite(dx, "dx"));
	UM_TRY(logp(f, x, &lp[1], NULL));
	UM_TRY(conform_near(lp[1], lp[0], 1e-6, 0, "lp without gradient against lp with it"));
out:
	return st;
}

static um_status density(struct fixture *f, const void *context, const um_array *x, double *lp)
{
	(void)context;
	return logp(f, x, lp, NULL);
}

/* Along random directions, and along the gradient itself. */
static um_status check_gradient(struct fixture *f)
{
	um_status st = UM_OK;
	double lp;
	um_array *x = conform_point(f, 1, f->prior.info.positive, 1), *g = conform_images(f, 1);
	um_array *v = conform_images(f, 1);
	UM_TRY(logp(f, x, &lp, g));
	const double size = conform_norm(g) / sqrt((double)f->n);
	for (int64_t i = 0; i < f->n; i++)
		um_row_f(v, 0)[i] = size > 0 ? (float)(um_row_f(g, 0)[i] / size) : 1;
	UM_TRY(conform_gradient(f, x, g, v, density, NULL));
	for (uint64_t k = 0; k < 3; k++)
		UM_TRY(conform_gradient(f, x, g, conform_normal(f, 1, k), density, NULL));
out:
	return st;
}

static um_status check_sample(struct fixture *f)
{
	um_status st = UM_OK;
	um_array *x = conform_images(f, 2);
	UM_TRY(f->prior.ops.sample(f->prior.self, conform_rngs(f, 2), x));
	UM_TRY(conform_finite(x, "x"));
	for (int64_t i = 0; f->prior.info.positive && i < 2 * f->n; i++)
		if (!(((float *)x->data)[i] > 0))
			UM_TRY(um_fail(UM_EPLUGIN, "info.positive is set, but pixel %lld of a sample is %g", (long long)i,
				((float *)x->data)[i]));
	if (memcmp(um_row_f(x, 0), um_row_f(x, 1), sizeof(float) * (size_t)f->n) == 0)
		UM_TRY(um_fail(UM_EPLUGIN, "two random streams give the same sample"));
out:
	return st;
}

static um_status check_repeat(struct fixture *f)
{
	um_status st = UM_OK;
	um_array *x = conform_images(f, 1), *again = conform_images(f, 1);
	UM_TRY(f->prior.ops.sample(f->prior.self, conform_rngs(f, 1), x));
	UM_TRY(f->prior.ops.sample(f->prior.self, conform_rngs(f, 1), again));
	st = conform_bytes(x, again, "one random stream, drawn from twice");
	f->b->flaky = st != UM_OK;
out:
	return st;
}

static um_status batch_logp(struct fixture *f)
{
	um_status st = UM_OK;
	um_array *x = conform_point(f, CONFORM_BATCH, f->prior.info.positive, 2);
	um_array *all = conform_images(f, CONFORM_BATCH), *each = conform_images(f, CONFORM_BATCH);
	um_array *lp = conform_rows(f, 2, CONFORM_BATCH);
	um_rng *rng = conform_rngs(f, CONFORM_BATCH);
	UM_TRY(logp(f, x, um_row_d(lp, 0), all));
	for (int64_t b = 0; b < CONFORM_BATCH; b++) {
		um_array x1 = um_array_rows(x, b, 1), g1 = um_array_rows(each, b, 1);
		um_rng stream = rng[b];
		UM_TRY(f->prior.ops.logp(f->prior.self, &stream, &x1, um_row_d(lp, 1) + b, &g1));
	}
	for (int b = 0; b < CONFORM_BATCH; b++)
		UM_TRY(conform_near(um_row_d(lp, 0)[b], um_row_d(lp, 1)[b], 1e-6, (double)f->n, "logp")); /* a sum of n terms */
	UM_TRY(conform_same(all, each, 1e-5, "gradient of logp"));
out:
	return st;
}

static um_status batch_sample(struct fixture *f)
{
	um_status st = UM_OK;
	um_array *all = conform_images(f, CONFORM_BATCH), *each = conform_images(f, CONFORM_BATCH);
	um_rng *rng = conform_rngs(f, CONFORM_BATCH);
	UM_TRY(f->prior.ops.sample(f->prior.self, conform_rngs(f, CONFORM_BATCH), all));
	for (int64_t b = 0; b < CONFORM_BATCH; b++) {
		um_array x1 = um_array_rows(each, b, 1);
		UM_TRY(f->prior.ops.sample(f->prior.self, &rng[b], &x1));
	}
	UM_TRY(conform_same(all, each, 1e-5, "sample"));
out:
	return st;
}

/* s, J^T v, J e, trace and its gradient of images first.. of a batch, written at their rows. */
static um_status score_rows(struct fixture *f, um_array *in[3], const double *alpha, const double *sigma,
	int64_t first, int64_t count, um_array *out[4], double *div)
{
	um_array x = um_array_rows(in[0], first, count), v = um_array_rows(in[1], first, count);
	um_array e = um_array_rows(in[2], 2 * first, 2 * count), s = um_array_rows(out[0], first, count);
	um_array jtv = um_array_rows(out[1], first, count), je = um_array_rows(out[2], 2 * first, 2 * count);
	um_array ddiv = um_array_rows(out[3], first, count);
	um_score_job job = { .size = sizeof(job), .x = &x, .alpha = alpha + first, .sigma = sigma + first,
		.probes = 2, .v = &v, .e = &e, .s = &s, .jtv = &jtv, .je = &je, .div = div + first, .ddiv = &ddiv };
	return f->prior.ops.score(f->prior.self, &job);
}

static um_status batch_score(struct fixture *f)
{
	static const char *const names[] = { "score", "jtv of score", "je of score", "ddiv of score" };
	static const double alpha[CONFORM_BATCH] = { 0.9, 0.6, 0.3 }, sigma[CONFORM_BATCH] = { 0.436, 0.8, 0.954 };
	um_status st = UM_OK;
	um_array *in[3] = { conform_point(f, CONFORM_BATCH, f->prior.info.positive, 3),
		conform_normal(f, CONFORM_BATCH, 3), conform_normal(f, 2 * CONFORM_BATCH, 4) };
	um_array *all[4], *each[4];
	double *div = conform_doubles(f, CONFORM_BATCH), *div1 = conform_doubles(f, CONFORM_BATCH);
	for (int k = 0; k < 4; k++) {
		all[k] = conform_images(f, k == 2 ? 2 * CONFORM_BATCH : CONFORM_BATCH);
		each[k] = conform_images(f, k == 2 ? 2 * CONFORM_BATCH : CONFORM_BATCH);
	}
	UM_TRY(score_rows(f, in, alpha, sigma, 0, CONFORM_BATCH, all, div));
	for (int64_t b = 0; b < CONFORM_BATCH; b++) {
		UM_TRY(score_rows(f, in, alpha, sigma, b, 1, each, div1));
		UM_TRY(conform_near(div[b], div1[b], 1e-5, 0, "div of score"));
	}
	for (int k = 0; k < 4; k++)
		UM_TRY(conform_same(all[k], each[k], 1e-5, names[k]));
out:
	return st;
}

static um_status check_batch(struct fixture *f)
{
	um_status st = UM_OK;
	if (f->prior.ops.logp != NULL)
		UM_TRY(batch_logp(f));
	if (f->prior.ops.score != NULL)
		UM_TRY(batch_score(f));
	if (f->prior.ops.sample != NULL && !f->b->flaky)
		UM_TRY(batch_sample(f));
	if (f->b->flaky)
		f->absent = "samples do not repeat";
out:
	return st;
}

/* What an instance says first: its density, else its score, else a sample. */
static um_status speak(struct fixture *f, um_array *out)
{
	const double alpha = 0.8, sigma = 0.6;
	double lp;
	um_array *x = conform_point(f, 1, f->prior.info.positive, 5);
	um_score_job job = { .size = sizeof(job), .x = x, .alpha = &alpha, .sigma = &sigma, .s = out };
	if (f->prior.ops.logp != NULL)
		return logp(f, x, &lp, out);
	if (f->prior.ops.score != NULL)
		return f->prior.ops.score(f->prior.self, &job);
	return f->prior.ops.sample(f->prior.self, conform_rngs(f, 1), out);
}

static um_status check_instances(struct fixture *f)
{
	um_status st = UM_OK;
	um_array *want = conform_images(f, 1), *last = conform_images(f, 1);
	UM_TRY(speak(f, want));
	for (int k = 0; k < 2; k++) {
		struct fixture other;
		um_array *got = conform_images(f, 1);
		UM_TRY(conform_instance(f->b, &f->env, &other));
		st = speak(&other, got);
		conform_close(&other);
		UM_TRY(st);
		UM_TRY(conform_bytes(got, want, "two instances with one seed"));
	}
	if (f->prior.ops.logp != NULL || f->prior.ops.score != NULL) {
		UM_TRY(speak(f, last));
		UM_TRY(conform_bytes(last, want, "before and after another instance"));
	}
out:
	return st;
}

static um_status speak_alone(struct fixture *f, um_array **out)
{
	um_status st = UM_OK;
	struct fixture own = { 0 };
	*out = conform_images(f, 1);
	UM_TRY(conform_instance(f->b, &f->env, &own));
	st = speak(&own, *out);
out:
	conform_close(&own);
	return st;
}

static um_status check_threads(struct fixture *f)
{
	return conform_threads(f, speak_alone);
}

static const struct check checks[] = {
	{ "instances", check_instances, NULL }, { "instances in threads", check_threads, NULL },
	{ "logp", check_logp, no_logp }, { "gradient of logp", check_gradient, no_logp },
	{ "sample", check_sample, no_sample }, { "sample repeats", check_repeat, no_sample }, { "batch = loop", check_batch, NULL },
};

void conform_prior(struct battery *b, struct fixture *f, int n)
{
	conform_run(b, f, n, checks, sizeof(checks) / sizeof(*checks));
}
