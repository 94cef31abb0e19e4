/* SPDX-License-Identifier: GPL-3.0-or-later */
/* log p by the probability-flow equation. With F = f x - g^2 s / 2,
 *   dx/dt = F,  dl/dt = div F = f D - g^2 tr J / 2,  log p(x) = log N(x_T; 0, 1) + l_T,
 * and along it, for lambda = grad log p_t, from lambda_T = -x_T:
 *   dlambda/dt = -f lambda + g^2 (J^T lambda + grad tr J) / 2.
 * Where probes stand for the trace the gradient is that of the estimate. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "base/mem.h"
#include "host/flow_score.h"

/* Where a solution was when a step began. */
typedef struct mark {
	double t, h;
	double *x;
} mark;

typedef struct trail {
	int64_t n, room;
	mark *mark;
} trail;

typedef struct solution {
	const um_probflow *f;
	flow_score score;
	int64_t batch;
	trail *trail; /* [batch], where the way back is wanted */
} solution;

/* Standard deviation of the law at the end. */
static double end_noise(const um_probflow *f)
{
	return f->sde.kind == UM_SDE_FLOW ? um_sde_sigma(&f->sde, f->to) : um_sde_noise(&f->sde);
}

/* ---- forward ------------------------------------------------------------------------- */

/* States are x, then l. */
static um_status forward(void *context, int64_t count, const int64_t row[], const double t[], const double *y,
	double *dy)
{
	um_status st = UM_OK;
	solution *s = context;
	const um_probflow *f = s->f;
	const int64_t n = f->n;
	for (int64_t k = 0; k < count; k++)
		flow_score_put(&s->score, k, t[k], y + k * (n + 1));
	UM_TRY(flow_score_call(&s->score, count, row, FLOW_S | FLOW_DIV));
	for (int64_t k = 0; k < count; k++) {
		const double drift = um_sde_drift(&f->sde, t[k]), half = um_sde_diffusion2(&f->sde, t[k]) / 2;
		const float *score = flow_row(&s->score.s, k, n);
		for (int64_t i = 0; i < n; i++)
			dy[k * (n + 1) + i] = drift * y[k * (n + 1) + i] - half * (double)score[i];
		dy[k * (n + 1) + n] = drift * (double)n - half * s->score.div[k];
	}
out:
	return st;
}

static um_status remember(void *context, int64_t row, double t, double h, const double *y)
{
	solution *s = context;
	trail *way = &s->trail[row];
	if (way->n == way->room) {
		way->room = way->room > 0 ? 2 * way->room : 32;
		way->mark = um_grow(way->mark, sizeof(*way->mark) * (size_t)way->room);
	}
	mark *m = &way->mark[way->n++];
	*m = (mark){ t, h, um_new(sizeof(double) * (size_t)s->f->n) };
	memcpy(m->x, y, sizeof(double) * (size_t)s->f->n);
	return UM_OK;
}

static void forget(solution *s)
{
	for (int64_t r = 0; s->trail != NULL && r < s->batch; r++) {
		for (int64_t i = 0; i < s->trail[r].n; i++)
			free(s->trail[r].mark[i].x);
		free(s->trail[r].mark);
	}
	free(s->trail);
}

static double *repeat(int64_t n, double v)
{
	double *a = um_new(sizeof(*a) * (size_t)n);
	for (int64_t i = 0; i < n; i++)
		a[i] = v;
	return a;
}

/* y [batch][n + 1] starts at x and ends at time "to". */
static um_status solve(solution *s, const um_array *x, double *y)
{
	const um_probflow *f = s->f;
	const int64_t n = f->n;
	double *from = repeat(s->batch, f->from), *to = repeat(s->batch, f->to);
	const um_ode o = { .method = f->method, .rtol = f->rtol, .atol = f->atol, .steps = f->steps, .n = n + 1,
		.f = forward, .accepted = s->trail != NULL ? remember : NULL, .context = s };
	for (int64_t b = 0; b < s->batch; b++)
		for (int64_t i = 0; i < n; i++)
			y[b * (n + 1) + i] = flow_from_x(f, (double)um_row_f(x, b)[i]);
	const um_status st = um_ode_solve(&o, s->batch, from, to, y, NULL);
	free(from);
	free(to);
	return st;
}

/* ---- the adjoint equation --------------------------------------------------------------- */

/* States are x, then lambda. */
static um_status backward(void *context, int64_t count, const int64_t row[], const double t[], const double *y,
	double *dy)
{
	um_status st = UM_OK;
	solution *s = context;
	const um_probflow *f = s->f;
	const int64_t n = f->n;
	for (int64_t k = 0; k < count; k++) {
		flow_score_put(&s->score, k, t[k], y + 2 * k * n);
		flow_score_vector(&s->score, k, y + (2 * k + 1) * n);
	}
	UM_TRY(flow_score_call(&s->score, count, row, FLOW_S | FLOW_JTV | FLOW_DDIV));
	for (int64_t k = 0; k < count; k++) {
		const double drift = um_sde_drift(&f->sde, t[k]), half = um_sde_diffusion2(&f->sde, t[k]) / 2;
		const double *x = y + 2 * k * n, *lambda = x + n;
		double *dx = dy + 2 * k * n, *dl = dx + n;
		for (int64_t i = 0; i < n; i++) {
			dx[i] = drift * x[i] - half * (double)flow_row(&s->score.s, k, n)[i];
			dl[i] = -drift * lambda[i] + half * ((double)flow_row(&s->score.jtv, k, n)[i] +
				(double)flow_row(&s->score.ddiv, k, n)[i]);
		}
	}
out:
	return st;
}

/* What solutions of a part of the batch see: their number in the batch. */
typedef struct part {
	solution *s;
	const int64_t *row;
	int64_t *whose;
} part;

static um_status backward_part(void *context, int64_t count, const int64_t row[], const double t[],
	const double *y, double *dy)
{
	part *p = context;
	for (int64_t k = 0; k < count; k++)
		p->whose[k] = p->row[row[k]];
	return backward(p->s, count, p->whose, t, y, dy);
}

/* The step before the last "back" ones of all solutions that have it: x starts where that step
 * ended, so that it does not go astray. lambda [batch][n], end [batch][n + 1]. */
static um_status back_one(solution *s, int64_t back, const double *end, double *lambda, int64_t *left)
{
	const um_probflow *f = s->f;
	const int64_t n = f->n;
	int64_t count = 0, *row = um_new(sizeof(*row) * (size_t)s->batch);
	int64_t *whose = um_new(sizeof(*whose) * (size_t)s->batch);
	double *from = um_new(sizeof(double) * (size_t)s->batch), *to = um_new(sizeof(double) * (size_t)s->batch);
	double *y = um_new(sizeof(double) * (size_t)(2 * n * s->batch));
	part p = { s, row, whose };
	for (int64_t b = 0; b < s->batch; b++) {
		const trail *way = &s->trail[b];
		if (back >= way->n)
			continue;
		const mark *m = &way->mark[way->n - 1 - back];
		const double *after = back == 0 ? end + b * (n + 1) : m[1].x;
		memcpy(y + 2 * count * n, after, sizeof(double) * (size_t)n);
		memcpy(y + (2 * count + 1) * n, lambda + b * n, sizeof(double) * (size_t)n);
		from[count] = back == 0 ? f->to : m[1].t;
		to[count] = m->t;
		row[count++] = b;
	}
	const um_ode o = { .method = f->method, .rtol = f->rtol, .atol = f->atol, .steps = f->steps > 0, .n = 2 * n,
		.whole = true, .f = backward_part, .context = &p };
	const um_status st = count > 0 ? um_ode_solve(&o, count, from, to, y, NULL) : UM_OK;
	for (int64_t k = 0; k < count; k++)
		memcpy(lambda + row[k] * n, y + (2 * k + 1) * n, sizeof(double) * (size_t)n);
	*left = count;
	free(row);
	free(whose);
	free(from);
	free(to);
	free(y);
	return st;
}

static um_status adjoint(solution *s, const double *end, double *lambda)
{
	um_status st = UM_OK;
	int64_t left = 1;
	for (int64_t back = 0; left > 0; back++)
		UM_TRY(back_one(s, back, end, lambda, &left));
out:
	return st;
}

/* ---- the derivative of steps ---------------------------------------------------------------- */

/* One step of one solution: x_(n+1) = x_n + h sum b_i F(X_i), l likewise. lambda at its end becomes that
 * at its beginning: from the last stage to the first
 *   m_i = h (b_i lambda + sum_(j>i) a_ji nu_j),  nu_i = J_F(X_i)^T m_i + h b_i grad div F(X_i) ,
 *   lambda += sum nu_i, where m_i excludes what nu_j counts with its own h. */
static um_status step_back(solution *s, int64_t b, const mark *m, double *lambda)
{
	um_status st = UM_OK;
	const um_probflow *f = s->f;
	const um_ode_table *tab = um_ode_table_of(f->method);
	const int64_t n = f->n, all = tab->stages;
	double *k = um_new(sizeof(double) * (size_t)(3 * n * all)), *at = k + n * all, *nu = at + n * all;
	double *v = um_new(sizeof(double) * (size_t)n);
	for (int64_t i = 0; i < all; i++) {
		const double t = m->t + tab->c[i] * m->h;
		double *x = at + i * n;
		memcpy(x, m->x, sizeof(double) * (size_t)n);
		for (int64_t j = 0; j < i; j++)
			for (int64_t q = 0; q < n; q++)
				x[q] += m->h * tab->a[i * all + j] * k[j * n + q];
		flow_score_put(&s->score, 0, t, x);
		UM_TRY(flow_score_call(&s->score, 1, &b, FLOW_S));
		const double drift = um_sde_drift(&f->sde, t), half = um_sde_diffusion2(&f->sde, t) / 2;
		for (int64_t q = 0; q < n; q++)
			k[i * n + q] = drift * x[q] - half * (double)flow_row(&s->score.s, 0, n)[q];
	}
	for (int64_t i = all - 1; i >= 0; i--) {
		const double t = m->t + tab->c[i] * m->h;
		const double drift = um_sde_drift(&f->sde, t), half = um_sde_diffusion2(&f->sde, t) / 2;
		for (int64_t q = 0; q < n; q++) {
			v[q] = tab->b[i] * lambda[q];
			for (int64_t j = i + 1; j < all; j++)
				v[q] += tab->a[j * all + i] * nu[j * n + q];
			v[q] *= m->h;
		}
		flow_score_put(&s->score, 0, t, at + i * n);
		flow_score_vector(&s->score, 0, v);
		UM_TRY(flow_score_call(&s->score, 1, &b, FLOW_JTV | FLOW_DDIV));
		for (int64_t q = 0; q < n; q++)
			nu[i * n + q] = drift * v[q] - half * ((double)flow_row(&s->score.jtv, 0, n)[q] +
				m->h * tab->b[i] * (double)flow_row(&s->score.ddiv, 0, n)[q]);
	}
	for (int64_t i = 0; i < all; i++)
		for (int64_t q = 0; q < n; q++)
			lambda[q] += nu[i * n + q];
out:
	free(k);
	free(v);
	return st;
}

static um_status steps_back(solution *s, double *lambda)
{
	um_status st = UM_OK;
	for (int64_t b = 0; b < s->batch; b++)
		for (int64_t i = s->trail[b].n - 1; i >= 0; i--)
			UM_TRY(step_back(s, b, &s->trail[b].mark[i], lambda + b * s->f->n));
out:
	return st;
}

/* ---- the whole ---------------------------------------------------------------------------- */

static um_status draw_probes(const um_probflow *f, int64_t batch, um_rng *rng, um_array *e)
{
	const int64_t *s = f->shape, each = f->probes * f->n;
	const um_status st = um_array_new(e, UM_F32, 6, (const int64_t[]){ batch * f->probes, s[0], s[1], s[2], s[3],
		s[4] });
	for (int64_t b = 0; st == UM_OK && b < batch; b++)
		for (int64_t i = 0; i < each; i++)
			((float *)e->data)[b * each + i] = (float)(f->gaussian ? um_normal(&rng[b]) :
				um_rademacher(&rng[b]));
	return st;
}

static double log_end(const um_probflow *f, const double *x)
{
	const double v = end_noise(f) * end_noise(f);
	double square = 0;
	for (int64_t i = 0; i < f->n; i++)
		square += x[i] * x[i];
	return -0.5 * (square / v + (double)f->n * log(6.283185307179586 * v));
}

static um_status gradient(solution *s, const double *y, um_array *dx)
{
	const um_probflow *f = s->f;
	const int64_t n = f->n;
	const double v = end_noise(f) * end_noise(f);
	double *lambda = um_new(sizeof(double) * (size_t)(n * s->batch));
	for (int64_t b = 0; b < s->batch; b++)
		for (int64_t i = 0; i < n; i++)
			lambda[b * n + i] = -y[b * (n + 1) + i] / v;
	const um_status st = f->gradient == UM_GRADIENT_STEPS ? steps_back(s, lambda) : adjoint(s, y, lambda);
	for (int64_t b = 0; b < s->batch; b++)
		for (int64_t i = 0; i < n; i++)
			um_row_f(dx, b)[i] = (float)(lambda[b * n + i] / flow_unit(f));
	free(lambda);
	return st;
}

um_status um_probflow_logp(const um_probflow *f, um_rng *rng, const um_array *x, double *lp, um_array *dx,
	um_probflow_count *count)
{
	um_status st = UM_OK;
	const int64_t n = f->n, batch = x->dim[0];
	solution s = { .f = f, .batch = batch };
	um_array probes = { 0 };
	double *y = um_new(sizeof(double) * (size_t)((n + 1) * batch));
	if (f->probes > 0)
		UM_TRY(draw_probes(f, batch, rng, &probes));
	if (dx != NULL)
		s.trail = um_new(sizeof(*s.trail) * (size_t)batch);
	UM_TRY(flow_score_new(&s.score, f, batch, f->probes > 0 ? &probes : NULL));
	UM_TRY(solve(&s, x, y));
	const int64_t calls = s.score.calls;
	for (int64_t b = 0; b < batch; b++)
		lp[b] = log_end(f, y + b * (n + 1)) + y[b * (n + 1) + n] - (double)n * log(flow_unit(f));
	if (dx != NULL)
		UM_TRY(gradient(&s, y, dx));
	if (count != NULL)
		*count = (um_probflow_count){ calls, s.score.calls - calls };
out:
	flow_score_free(&s.score);
	um_array_free(&probes);
	forget(&s);
	free(y);
	return st;
}

um_status um_probflow_check(const um_probflow *f)
{
	const um_sde *s = &f->sde;
	if (!(f->from < f->to))
		return um_fail(UM_EPARAM, "times: [%g, %g] has no length", f->from, f->to);
	if (s->kind == UM_SDE_FLOW && f->to >= 1)
		return um_fail(UM_EPARAM, "times: the equation of a flow has no end at 1; end at 0.9999, say");
	if (s->kind != UM_SDE_VE && s->beta_max < s->beta_min)
		return um_fail(UM_EPARAM, "beta_max = %g is below beta_min = %g", s->beta_max, s->beta_min);
	if (s->kind == UM_SDE_VE && !(s->sigma_min < s->sigma_max))
		return um_fail(UM_EPARAM, "sigma_max = %g is not above sigma_min = %g", s->sigma_max, s->sigma_min);
	if (f->steps == 0 && f->method == UM_ODE_EULER)
		return um_fail(UM_EPARAM, "solver: euler cannot judge its steps: give steps, or take heun");
	if (f->steps == 0 && !(f->rtol + f->atol > 0))
		return um_fail(UM_EPARAM, "rtol and atol: one of them must be above 0");
	return UM_OK;
}
