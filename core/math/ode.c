/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Runge-Kutta for batches (umbra/ode.h). Solutions go through the stages of a step together, each at its
 * own time; those that are done leave. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <umbra/ode.h>
#include "base/mem.h"

enum { MOST_STEPS = 100000 };

typedef struct solver {
	const um_ode *o;
	const um_ode_table *m;
	int64_t n;
	const double *to;
	double *t, *h, *before; /* of each solution: time, step with its sign, error of the step before */
	double *y, *next;       /* [batch][n] states, and those after the step */
	double **k;             /* [stages]: [batch][n] */
	bool *known;            /* stage 0 is that of the state */
	um_ode_count *count;
	int64_t active, *row;   /* solutions that are not done */
	int64_t asked, *ask;    /* those of a call of f, and its arrays */
	double *at, *in, *out;
} solver;

static void *doubles(int64_t n)
{
	return um_new(sizeof(double) * (size_t)(n > 0 ? n : 1));
}

static void solver_new(solver *s, int64_t batch)
{
	const size_t rows = (size_t)(batch > 0 ? batch : 1);
	s->k = um_new(sizeof(*s->k) * (size_t)s->m->stages);
	for (int i = 0; i < s->m->stages; i++)
		s->k[i] = doubles(batch * s->n);
	s->t = doubles(batch);
	s->h = doubles(batch);
	s->before = doubles(batch);
	s->at = doubles(batch);
	s->next = doubles(batch * s->n);
	s->in = doubles(batch * s->n);
	s->out = doubles(batch * s->n);
	s->known = um_new(sizeof(*s->known) * rows);
	s->row = um_new(sizeof(*s->row) * rows);
	s->ask = um_new(sizeof(*s->ask) * rows);
	s->count = um_new(sizeof(*s->count) * rows);
}

static void solver_free(solver *s)
{
	for (int i = 0; i < s->m->stages; i++)
		free(s->k[i]);
	free(s->k);
	free(s->t);
	free(s->h);
	free(s->before);
	free(s->at);
	free(s->next);
	free(s->in);
	free(s->out);
	free(s->known);
	free(s->row);
	free(s->ask);
	free(s->count);
}

/* ---- the right-hand side ------------------------------------------------------------- */

/* Asks for f of solution r at time t; returns where its state goes. */
static double *ask(solver *s, int64_t r, double t)
{
	s->ask[s->asked] = r;
	s->at[s->asked] = t;
	return s->in + s->asked++ * s->n;
}

/* Answers what was asked; to [batch][n]. */
static um_status answer(solver *s, double *to)
{
	um_status st = UM_OK;
	if (s->asked > 0)
		st = s->o->f(s->o->context, s->asked, s->ask, s->at, s->in, s->out);
	for (int64_t k = 0; st == UM_OK && k < s->asked; k++) {
		memcpy(to + s->ask[k] * s->n, s->out + k * s->n, sizeof(*to) * (size_t)s->n);
		s->count[s->ask[k]].evaluations++;
	}
	s->asked = 0;
	return st;
}

/* to = y + h sum_j w_j k_j of solution r. */
static void combine(const solver *s, int64_t r, int stages, const double *w, double *to)
{
	memcpy(to, s->y + r * s->n, sizeof(*to) * (size_t)s->n);
	for (int j = 0; j < stages; j++) {
		const double *k = s->k[j] + r * s->n, factor = s->h[r] * w[j];
		for (int64_t i = 0; w[j] != 0 && i < s->n; i++)
			to[i] += factor * k[i];
	}
}

static um_status stage(solver *s, int i)
{
	for (int64_t a = 0; a < s->active; a++) {
		const int64_t r = s->row[a];
		if (i == 0 && s->known[r])
			continue;
		combine(s, r, i, s->m->a + i * s->m->stages, ask(s, r, s->t[r] + s->m->c[i] * s->h[r]));
	}
	return answer(s, s->k[i]);
}

/* ---- steps ------------------------------------------------------------------------------- */

static int64_t counted(const solver *s)
{
	return s->o->counted > 0 ? s->o->counted : s->n;
}

static double scale_of(const solver *s, double a, double b)
{
	const double most = fabs(b) > fabs(a) ? fabs(b) : fabs(a);
	return s->o->atol + s->o->rtol * most;
}

/* Root mean square of v over what y allows. */
static double size(const solver *s, const double *v, const double *y)
{
	double sum = 0;
	for (int64_t i = 0; i < counted(s); i++) {
		const double x = v[i] / scale_of(s, y[i], y[i]);
		sum += x * x;
	}
	return sqrt(sum / (double)counted(s));
}

/* Hairer, Norsett & Wanner, II.4, "starting step size". Stage 0 is known. */
static um_status first_steps(solver *s)
{
	um_status st = UM_OK;
	const double order = s->m->order;
	for (int64_t a = 0; a < s->active; a++) {
		const int64_t r = s->row[a];
		const double *y = s->y + r * s->n, *k = s->k[0] + r * s->n, span = s->to[r] - s->t[r];
		const double d0 = size(s, y, y), d1 = size(s, k, y);
		const double h = fmin(d0 < 1e-5 || d1 < 1e-5 ? 1e-6 : 0.01 * d0 / d1, fabs(span));
		s->h[r] = copysign(h, span);
		double *there = ask(s, r, s->t[r] + s->h[r]);
		for (int64_t i = 0; i < s->n; i++)
			there[i] = y[i] + s->h[r] * k[i];
	}
	UM_TRY(answer(s, s->next));
	for (int64_t a = 0; a < s->active; a++) {
		const int64_t r = s->row[a];
		const double *y = s->y + r * s->n, *k = s->k[0] + r * s->n, h = fabs(s->h[r]);
		const double span = s->to[r] - s->t[r], d1 = size(s, k, y);
		double *bend = s->next + r * s->n;
		for (int64_t i = 0; i < s->n; i++)
			bend[i] = (bend[i] - k[i]) / h;
		const double most = fmax(d1, size(s, bend, y));
		const double other = most <= 1e-15 ? fmax(1e-6, 1e-3 * h) : pow(0.01 / most, 1 / order);
		s->h[r] = copysign(fmin(fmin(100 * h, other), fabs(span)), span);
	}
out:
	return st;
}

/* The error of the step, 1 being what is allowed; infinite where the step went astray. */
static double error_of(const solver *s, int64_t r)
{
	const double *y = s->y + r * s->n, *next = s->next + r * s->n;
	double sum = 0;
	for (int64_t i = 0; i < s->n; i++)
		if (!isfinite(next[i]))
			return INFINITY;
	for (int64_t i = 0; i < counted(s); i++) {
		double e = 0;
		for (int j = 0; j < s->m->stages; j++)
			e += s->m->e[j] * s->k[j][r * s->n + i];
		e *= s->h[r] / scale_of(s, y[i], next[i]);
		sum += e * e;
	}
	const double error = sqrt(sum / (double)counted(s));
	return isfinite(error) ? error : INFINITY;
}

static um_status accept(solver *s, int64_t r, double error)
{
	const double p = s->m->order, small = fmax(error, 1e-10);
	um_status st = UM_OK;
	if (s->o->accepted != NULL)
		UM_TRY(s->o->accepted(s->o->context, r, s->t[r], s->h[r], s->y + r * s->n));
	s->t[r] += s->h[r];
	memcpy(s->y + r * s->n, s->next + r * s->n, sizeof(double) * (size_t)s->n);
	s->known[r] = s->m->first_same_as_last;
	if (s->known[r])
		memcpy(s->k[0] + r * s->n, s->k[s->m->stages - 1] + r * s->n, sizeof(double) * (size_t)s->n);
	if (s->o->steps == 0) {
		const double factor = 0.9 * pow(small, -0.7 / p) * pow(s->before[r], 0.4 / p);
		s->h[r] *= fmin(10, fmax(0.2, factor));
		s->before[r] = small;
	}
	s->count[r].steps++;
out:
	return st;
}

static void reject(solver *s, int64_t r, double error)
{
	s->known[r] = true;
	s->count[r].rejected++;
	s->h[r] *= fmin(0.9, fmax(0.2, 0.9 * pow(error, -1.0 / s->m->order)));
}

/* Equal steps end where they should; others are cut short there. */
static bool done(const solver *s, int64_t r)
{
	if (s->o->steps > 0)
		return s->count[r].steps >= s->o->steps;
	return s->t[r] == s->to[r];
}

static void land(solver *s, int64_t r)
{
	const double left = s->to[r] - s->t[r];
	if (s->o->steps > 0)
		return;
	if (fabs(s->h[r]) >= fabs(left) * (1 - 1e-12))
		s->h[r] = left;
}

static um_status check(const solver *s, int64_t r)
{
	const int64_t most = s->o->most > 0 ? s->o->most : MOST_STEPS, all = s->count[r].steps + s->count[r].rejected;
	if (s->o->steps == 0 && s->t[r] + 0.1 * s->h[r] == s->t[r])
		return um_fail(UM_ENUM, "differential equation %lld needs steps below rounding at t = %g", (long long)r,
			s->t[r]);
	if (s->o->steps == 0 && all >= most)
		return um_fail(UM_ENUM, "differential equation %lld is at t = %g after %lld steps; allow larger errors",
			(long long)r, s->t[r], (long long)all);
	return UM_OK;
}

/* One step of all active solutions; those that are done leave. */
static um_status step(solver *s)
{
	um_status st = UM_OK;
	int64_t left = 0;
	for (int64_t a = 0; a < s->active; a++) {
		land(s, s->row[a]);
		UM_TRY(check(s, s->row[a]));
	}
	for (int i = 0; i < s->m->stages; i++)
		UM_TRY(stage(s, i));
	for (int64_t a = 0; a < s->active; a++) {
		const int64_t r = s->row[a];
		combine(s, r, s->m->stages, s->m->b, s->next + r * s->n);
		const bool last = s->t[r] + s->h[r] == s->to[r] || s->h[r] == s->to[r] - s->t[r];
		const double error = s->o->steps > 0 ? 0 : error_of(s, r);
		if (error < 1)
			UM_TRY(accept(s, r, error));
		else
			reject(s, r, error);
		if (error < 1 && last && s->o->steps == 0)
			s->t[r] = s->to[r];
	}
	for (int64_t a = 0; a < s->active; a++)
		if (!done(s, s->row[a]))
			s->row[left++] = s->row[a];
	s->active = left;
out:
	return st;
}

static um_status begin(solver *s, int64_t batch, const double from[])
{
	um_status st = UM_OK;
	for (int64_t r = 0; r < batch; r++) {
		s->t[r] = from[r];
		s->before[r] = 1;
		if (s->o->steps > 0)
			s->h[r] = (s->to[r] - from[r]) / (double)s->o->steps;
		if (s->to[r] != from[r])
			s->row[s->active++] = r;
	}
	if (s->o->steps > 0)
		return UM_OK;
	UM_TRY(stage(s, 0));
	for (int64_t a = 0; a < s->active; a++)
		s->known[s->row[a]] = true;
	for (int64_t a = 0; s->o->whole && a < s->active; a++)
		s->h[s->row[a]] = s->to[s->row[a]] - s->t[s->row[a]];
	if (!s->o->whole)
		UM_TRY(first_steps(s));
out:
	return st;
}

um_status um_ode_solve(const um_ode *o, int64_t batch, const double from[], const double to[], double *y,
	um_ode_count *count)
{
	um_status st = UM_OK;
	solver s = { .o = o, .m = um_ode_table_of(o->method), .n = o->n, .to = to, .y = y };
	if (o->steps == 0 && s.m->e == NULL)
		return um_fail(UM_EPARAM, "the Euler method cannot judge its steps: it needs a number of steps");
	if (o->steps == 0 && !(o->rtol >= 0 && o->atol >= 0 && o->rtol + o->atol > 0))
		return um_fail(UM_EPARAM, "differential equation: tolerances %g and %g", o->rtol, o->atol);
	solver_new(&s, batch);
	UM_TRY(begin(&s, batch, from));
	while (s.active > 0)
		UM_TRY(step(&s));
out:
	for (int64_t r = 0; count != NULL && r < batch; r++)
		count[r] = s.count[r];
	solver_free(&s);
	return st;
}
