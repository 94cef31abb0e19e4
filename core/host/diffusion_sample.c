/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Samples of a diffusion, from noise to images. The reverse equation is
 *   dx = (f x - g^2 s) dt + g dw,  t falling;
 * a step of Langevin's equation at fixed t is x += e s + sqrt(2 e) z with e = 2 (snr sigma)^2, that is
 * 2 (snr |z| / |s|)^2 of algorithm 4 with |s| what it is of noise alone: its own norm would make an
 * image depend on others, or steps without bound where the score is small. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "base/mem.h"
#include "host/flow_score.h"

typedef struct walk {
	const um_probflow *f;
	flow_score score;
	um_rng *rng;
	int64_t batch, n;
	double *x, *z;      /* [batch][n] */
	int64_t *row;
} walk;

static um_status score_at(walk *w, double t)
{
	for (int64_t b = 0; b < w->batch; b++)
		flow_score_put(&w->score, b, t, w->x + b * w->n);
	return flow_score_call(&w->score, w->batch, w->row, FLOW_S);
}

static void noise(walk *w)
{
	for (int64_t b = 0; b < w->batch; b++)
		um_normal_fill(&w->rng[b], w->z + b * w->n, w->n);
}

/* A step from t to t - h, without noise if it is the last. */
static um_status predict(walk *w, double t, double h, bool last)
{
	um_status st = UM_OK;
	const double drift = um_sde_drift(&w->f->sde, t), g2 = um_sde_diffusion2(&w->f->sde, t);
	UM_TRY(score_at(w, t));
	if (!last)
		noise(w);
	for (int64_t i = 0; i < w->batch * w->n; i++)
		w->x[i] += -h * (drift * w->x[i] - g2 * (double)((const float *)w->score.s.data)[i]) +
			(last ? 0 : sqrt(g2 * h) * w->z[i]);
out:
	return st;
}

static um_status correct(walk *w, double t, double snr)
{
	um_status st = UM_OK;
	const double size = snr * um_sde_sigma(&w->f->sde, t), e = 2 * size * size;
	UM_TRY(score_at(w, t));
	noise(w);
	for (int64_t i = 0; i < w->batch * w->n; i++)
		w->x[i] += e * (double)((const float *)w->score.s.data)[i] + sqrt(2 * e) * w->z[i];
out:
	return st;
}

static um_status by_steps(walk *w, int64_t steps, bool corrected, double snr)
{
	um_status st = UM_OK;
	const double h = (w->f->to - w->f->from) / (double)steps;
	for (int64_t k = 0; k < steps; k++) {
		UM_TRY(predict(w, w->f->to - (double)k * h, h, k == steps - 1 && !corrected));
		if (corrected && k < steps - 1)
			UM_TRY(correct(w, w->f->to - (double)(k + 1) * h, snr));
	}
out:
	return st;
}

static um_status velocity(void *context, int64_t count, const int64_t row[], const double t[], const double *y,
	double *dy)
{
	um_status st = UM_OK;
	walk *w = context;
	for (int64_t k = 0; k < count; k++)
		flow_score_put(&w->score, k, t[k], y + k * w->n);
	UM_TRY(flow_score_call(&w->score, count, row, FLOW_S));
	for (int64_t k = 0; k < count; k++) {
		const double drift = um_sde_drift(&w->f->sde, t[k]), half = um_sde_diffusion2(&w->f->sde, t[k]) / 2;
		for (int64_t i = 0; i < w->n; i++)
			dy[k * w->n + i] = drift * y[k * w->n + i] - half *
				(double)flow_row(&w->score.s, k, w->n)[i];
	}
out:
	return st;
}

static um_status by_equation(walk *w)
{
	const um_probflow *f = w->f;
	double *from = um_new(sizeof(double) * (size_t)w->batch), *to = um_new(sizeof(double) * (size_t)w->batch);
	const um_ode o = { .method = f->method, .rtol = f->rtol, .atol = f->atol, .steps = f->steps, .n = f->n,
		.f = velocity, .context = w };
	for (int64_t b = 0; b < w->batch; b++) {
		from[b] = f->to;
		to[b] = f->from;
	}
	const um_status st = um_ode_solve(&o, w->batch, from, to, w->x, NULL);
	free(from);
	free(to);
	return st;
}

um_status um_probflow_sample(const um_probflow *f, um_diffusion_sampler how, int64_t steps, double snr, um_rng *rng,
	um_array *x, um_probflow_count *count)
{
	um_status st = UM_OK;
	const int64_t batch = x->dim[0];
	const double start = f->sde.kind == UM_SDE_FLOW ? um_sde_sigma(&f->sde, f->to) : um_sde_noise(&f->sde);
	walk w = { .f = f, .rng = rng, .batch = batch, .n = f->n };
	w.x = um_new(sizeof(double) * (size_t)(batch * f->n));
	w.z = um_new(sizeof(double) * (size_t)(batch * f->n));
	w.row = um_new(sizeof(*w.row) * (size_t)batch);
	UM_TRY(flow_score_new(&w.score, f, batch, NULL));
	for (int64_t b = 0; b < batch; b++) {
		w.row[b] = b;
		um_normal_fill(&rng[b], w.x + b * f->n, f->n);
	}
	for (int64_t i = 0; i < batch * f->n; i++)
		w.x[i] *= start;
	UM_TRY(how == UM_SAMPLE_ODE ? by_equation(&w) : by_steps(&w, steps, how == UM_SAMPLE_PC, snr));
	for (int64_t b = 0; b < batch; b++)
		for (int64_t i = 0; i < f->n; i++)
			um_row_f(x, b)[i] = (float)(f->lo + flow_unit(f) * w.x[b * f->n + i]);
	if (count != NULL)
		*count = (um_probflow_count){ w.score.calls, 0 };
out:
	flow_score_free(&w.score);
	free(w.x);
	free(w.z);
	free(w.row);
	return st;
}
