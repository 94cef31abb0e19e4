/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Scores of diffused densities: s is the gradient of log p where that is known, and J e,
 * J^T v, the trace of J and its gradient are derivatives of s, by differences. */
#include <math.h>
#include <string.h>
#include "host/conform.h"

enum { TRACE_MOST = 128 }; /* pixels for which the trace is taken column by column */

static const double steps[] = { 1e-2, 1e-3, 3e-2, 1e-1 };
enum { STEPS = sizeof(steps) / sizeof(*steps) };

static const double alpha = 0.8, sigma = 0.6;

static const char *no_score(const struct fixture *f)
{
	return f->prior.ops.score == NULL ? "not offered" : NULL;
}

static const char *no_limit(const struct fixture *f)
{
	const bool closed = f->prior.info.components > 0 && f->prior.ops.logp != NULL;
	const char *why = no_score(f);
	return why == NULL && !closed ? "not a closed form with a density" : why;
}

static const char *no_between(const struct fixture *f)
{
	return f->prior.info.between ? no_score(f) : "not offered";
}

static const char *no_trace(const struct fixture *f)
{
	const char *why = no_score(f);
	return why == NULL && f->n > TRACE_MOST ? "the image is too large to go column by column" : why;
}

static um_score_job job_at(const um_array *x)
{
	return (um_score_job){ .size = sizeof(um_score_job), .x = x, .alpha = &alpha, .sigma = &sigma };
}

static um_status score(struct fixture *f, const um_array *x, um_array *s)
{
	um_score_job job = job_at(x);
	job.s = s;
	return f->prior.ops.score(f->prior.self, &job);
}

static um_array *point(struct fixture *f, uint64_t stream)
{
	return conform_point(f, 1, f->prior.info.positive, stream);
}

/* s(x + h v) - s(x - h v), and the step d that was really taken. */
static um_status difference(struct fixture *f, const um_array *x, const um_array *v, double h, um_array *d,
	um_array *ds)
{
	um_status st = UM_OK;
	um_array *up = conform_images(f, 1), *down = conform_images(f, 1), *low = conform_images(f, 1);
	conform_step(x, v, h, up, down, d);
	UM_TRY(score(f, up, ds));
	UM_TRY(score(f, down, low));
	for (int64_t i = 0; i < f->n; i++)
		um_row_f(ds, 0)[i] -= um_row_f(low, 0)[i];
out:
	return st;
}

static um_status check_outputs(struct fixture *f)
{
	um_status st = UM_OK;
	um_array *x = point(f, 20), *s = conform_images(f, 1), *jtv = conform_images(f, 1);
	um_array *je = conform_images(f, 2), *ddiv = conform_images(f, 1), *alone = conform_images(f, 1);
	double div = NAN;
	um_score_job job = job_at(x);
	job.probes = 2;
	job.v = conform_normal(f, 1, 20);
	job.e = conform_normal(f, 2, 21);
	job.s = s, job.jtv = jtv, job.je = je, job.div = &div, job.ddiv = ddiv;
	UM_TRY(f->prior.ops.score(f->prior.self, &job));
	UM_TRY(conform_finite(s, "s"));
	UM_TRY(conform_finite(jtv, "jtv"));
	UM_TRY(conform_finite(je, "je"));
	UM_TRY(conform_numbers(&div, 1, "div"));
	UM_TRY(conform_finite(ddiv, "ddiv"));
	UM_TRY(score(f, x, alone));
	UM_TRY(conform_same(s, alone, 1e-5, "s with everything else against s alone"));
out:
	return st;
}

static um_status check_limit(struct fixture *f)
{
	um_status st = UM_OK;
	const double one = 1, none = 0;
	double lp;
	um_array *x = point(f, 22), *s = conform_images(f, 1), *g = conform_images(f, 1);
	um_score_job job = job_at(x);
	job.s = s;
	job.alpha = &one;
	job.sigma = &none;
	UM_TRY(f->prior.ops.score(f->prior.self, &job));
	UM_TRY(f->prior.ops.logp(f->prior.self, conform_rngs(f, 1), x, &lp, g));
	UM_TRY(conform_same(s, g, 1e-5, "s at alpha = 1, sigma = 0 against the gradient of logp"));
out:
	return st;
}

static um_status check_je(struct fixture *f)
{
	um_status st = UM_OK;
	um_array *x = point(f, 23), *v = conform_normal(f, 1, 23), *d = conform_images(f, 1);
	um_array *je = conform_images(f, 1), *ds = conform_images(f, 1);
	um_score_job job = job_at(x);
	job.probes = 1;
	job.e = d;
	job.je = je;
	for (int k = 0; k < STEPS; k++) {
		UM_TRY(difference(f, x, v, steps[k], d, ds));
		UM_TRY(f->prior.ops.score(f->prior.self, &job));
		st = conform_same(je, ds, 2e-3, "je against differences of s");
		if (st == UM_OK)
			break;
	}
out:
	return st;
}

static um_status check_jtv(struct fixture *f)
{
	um_status st = UM_OK;
	um_array *x = point(f, 24), *e = conform_normal(f, 1, 24), *v = conform_normal(f, 1, 25);
	um_array *d = conform_images(f, 1), *ds = conform_images(f, 1), *jtv = conform_images(f, 1);
	um_score_job job = job_at(x);
	job.v = v;
	job.jtv = jtv;
	UM_TRY(f->prior.ops.score(f->prior.self, &job));
	for (int k = 0; k < STEPS; k++) {
		UM_TRY(difference(f, x, e, steps[k], d, ds));
		double scale = conform_norm(v) * conform_norm(ds) / sqrt((double)f->n);
		st = conform_near(conform_dot(d, jtv), conform_dot(ds, v), 2e-3, scale,
			"<e, J^T v> against <J e, v> by differences");
		if (st == UM_OK)
			break;
	}
out:
	return st;
}

/* v made within a pass: half of s, by a row a call or more, in order. */
struct made {
	const um_array *s;
	um_array *v;
	int64_t next;
	bool strange;
};

static um_status half(void *context, int64_t first, int64_t count)
{
	struct made *m = context;
	m->strange = m->strange || first != m->next || count < 1 || first + count > m->s->dim[0];
	m->next = first + count;
	for (int64_t b = first; b < first + count && !m->strange; b++)
		for (int64_t i = 0; i < um_array_rowlen(m->s); i++)
			um_row_f(m->v, b)[i] = um_row_f(m->s, b)[i] / 2;
	return UM_OK;
}

static um_status check_between(struct fixture *f)
{
	um_status st = UM_OK;
	const double alphas[] = { 0.8, 0.5, 0.9 }, sigmas[] = { 0.6, 0.7, 0.3 };
	um_array *x = conform_point(f, CONFORM_BATCH, f->prior.info.positive, 30), *s = conform_images(f, CONFORM_BATCH);
	um_array *jtv = conform_images(f, CONFORM_BATCH), *v = conform_images(f, CONFORM_BATCH);
	um_array *want = conform_images(f, CONFORM_BATCH);
	struct made m = { .s = s, .v = v };
	um_score_job job = { .size = sizeof(job), .x = x, .alpha = alphas, .sigma = sigmas, .v = v, .s = s, .jtv = jtv,
		.between = half, .context = &m };
	UM_TRY(f->prior.ops.score(f->prior.self, &job));
	if (m.strange || m.next != CONFORM_BATCH)
		UM_TRY(um_fail(UM_EPLUGIN, "between was not called for the rows in order, each once"));
	job.between = NULL;
	job.s = NULL;
	job.jtv = want;
	UM_TRY(f->prior.ops.score(f->prior.self, &job));
	UM_TRY(conform_same(jtv, want, 1e-4, "jtv of a v made within the pass against that of the same v"));
out:
	return st;
}

/* 1/K sum e^T J e, for K = 2. */
static um_status check_probes(struct fixture *f)
{
	um_status st = UM_OK;
	um_array *x = point(f, 26), *e = conform_normal(f, 2, 26), *d = conform_images(f, 1);
	um_array *ds = conform_images(f, 1);
	double div = NAN;
	um_score_job job = job_at(x);
	job.probes = 2;
	job.e = e;
	job.div = &div;
	UM_TRY(f->prior.ops.score(f->prior.self, &job));
	for (int k = 0; k < STEPS; k++) {
		double want = 0, size = 0;
		for (int64_t p = 0; p < 2; p++) {
			um_array e1 = um_array_rows(e, p, 1);
			UM_TRY(difference(f, x, &e1, steps[k], d, ds));
			want += conform_dot(&e1, ds) / (2 * steps[k]) / 2;
			size += conform_norm(&e1) * conform_norm(ds) / (4 * steps[k] * sqrt((double)f->n));
		}
		st = conform_near(div, want, 2e-3, size, "mean of e^T J e against differences");
		if (st == UM_OK)
			break;
	}
out:
	return st;
}

static um_status check_trace(struct fixture *f)
{
	um_status st = UM_OK;
	um_array *x = point(f, 27), *e = conform_images(f, 1), *d = conform_images(f, 1), *ds = conform_images(f, 1);
	double div = NAN;
	um_score_job job = job_at(x);
	job.div = &div;
	UM_TRY(f->prior.ops.score(f->prior.self, &job));
	UM_TRY(conform_numbers(&div, 1, "div without probes"));
	for (int k = 0; k < STEPS; k++) {
		double want = 0, size = 0;
		for (int64_t i = 0; i < f->n; i++) {
			memset(e->data, 0, sizeof(float) * (size_t)f->n);
			um_row_f(e, 0)[i] = 1;
			UM_TRY(difference(f, x, e, steps[k], d, ds));
			want += um_row_f(ds, 0)[i] / um_row_f(d, 0)[i];
			size += fabs(um_row_f(ds, 0)[i] / um_row_f(d, 0)[i]);
		}
		st = conform_near(div, want, 2e-3, size, "trace of J against differences");
		if (st == UM_OK)
			break;
	}
out:
	return st;
}

/* The gradient of div along v, with probes or exact. */
static um_status trace_gradient(struct fixture *f, int64_t probes)
{
	um_status st = UM_OK;
	um_array *x = point(f, 28), *v = conform_normal(f, 1, 28), *ddiv = conform_images(f, 1);
	um_array *up = conform_images(f, 1), *down = conform_images(f, 1), *d = conform_images(f, 1);
	double div[3];
	um_score_job job = job_at(x);
	job.probes = probes;
	job.e = probes > 0 ? conform_normal(f, probes, 29) : NULL;
	job.div = &div[0];
	job.ddiv = ddiv;
	UM_TRY(f->prior.ops.score(f->prior.self, &job));
	UM_TRY(conform_finite(ddiv, "ddiv"));
	job.ddiv = NULL;
	for (int k = 0; k < STEPS; k++) {
		conform_step(x, v, steps[k], up, down, d);
		job.x = up;
		job.div = &div[1];
		UM_TRY(f->prior.ops.score(f->prior.self, &job));
		job.x = down;
		job.div = &div[2];
		UM_TRY(f->prior.ops.score(f->prior.self, &job));
		double scale = fmax(conform_norm(ddiv) * conform_norm(d) / sqrt((double)f->n),
			1e-3 * fabs(div[0]) * steps[k]);
		st = conform_near(conform_dot(ddiv, d), div[1] - div[2], 5e-3, scale, probes > 0 ?
			"gradient of the probed trace against differences" :
			"gradient of the exact trace against differences");
		if (st == UM_OK)
			break;
	}
out:
	return st;
}

static um_status check_ddiv(struct fixture *f)
{
	um_status st = UM_OK;
	UM_TRY(trace_gradient(f, 2));
	if (f->n <= TRACE_MOST)
		UM_TRY(trace_gradient(f, 0));
out:
	return st;
}

static const struct check checks[] = {
	{ "score", check_outputs, no_score }, { "score against gradient", check_limit, no_limit },
	{ "je of score", check_je, no_score }, { "jtv of score", check_jtv, no_score },
	{ "jtv of v made of s", check_between, no_between }, { "div with probes", check_probes, no_score },
	{ "exact div", check_trace, no_trace }, { "ddiv of score", check_ddiv, no_score },
};

void conform_score(struct battery *b, struct fixture *f, int n)
{
	conform_run(b, f, n, checks, sizeof(checks) / sizeof(*checks));
}
