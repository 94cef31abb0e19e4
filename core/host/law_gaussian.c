/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Independent numbers: u = mu + s z, H = n/2 (1 + log 2 pi) + sum log s. For a Gaussian posterior of
 * precision P the optimum is its mean and s_i^2 = 1/P_ii. The entropy enters the gradient of log s as
 * z^2 instead of its mean 1, which cancels noise at the optimum (Roeder et al. 2017,
 * arXiv:1703.09194). */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "host/law.h"

typedef struct {
	int64_t n, batch;
	um_adam adam;
	um_array theta;   /* [2][n] mu, log s */
	um_array sum;     /* [2][n] of theta over the averaged steps */
	um_array grad;    /* [2][n] of the loss */
	double *s;        /* [n] exp(log s) */
} gauss;

static void destroy(um_law *law)
{
	gauss *q = law->self;
	um_array_free(&q->theta);
	um_array_free(&q->sum);
	um_array_free(&q->grad);
	um_adam_free(&q->adam);
	free(q->s);
	free(q);
}

static um_status create(um_law *law, const um_law_spec *spec)
{
	um_status st = UM_OK;
	const int64_t two[2] = { 2, spec->n };
	gauss *q = law->self = calloc(1, sizeof(*q));
	if (q == NULL || (q->s = calloc((size_t)spec->n, sizeof(double))) == NULL)
		UM_TRY(um_fail(UM_ENOMEM, "no memory for a law of %lld numbers", (long long)spec->n));
	q->n = law->noise = spec->n;
	q->batch = spec->batch;
	UM_TRY(um_adam_new(&q->adam, 2 * spec->n, spec->rate));
	q->adam.warmup = spec->warmup;
	q->adam.clip = spec->clip;
	q->adam.decay = spec->floor < 1 ? UM_DECAY_COSINE : UM_DECAY_NONE;
	q->adam.span = spec->span;
	q->adam.floor = spec->floor;
	UM_TRY(um_array_new(&q->theta, UM_F64, 2, two));
	UM_TRY(um_array_new(&q->sum, UM_F64, 2, two));
	UM_TRY(um_array_new(&q->grad, UM_F64, 2, two));
	law->nstate = 3;
	law->nresult = 1;
	law->name[0] = "theta", law->state[0] = &q->theta;
	law->name[1] = "moments", law->state[1] = &q->adam.moments;
	law->name[2] = "sum", law->state[2] = &q->sum;
out:
	return st;
}

static um_status start(um_law *law, int64_t attempt, const double *mean, const double *sd)
{
	gauss *q = law->self;
	(void)attempt;
	for (int64_t i = 0; i < q->n; i++) {
		um_row_d(&q->theta, 0)[i] = mean[i];
		um_row_d(&q->theta, 1)[i] = log(sd[i]);
	}
	memset(q->adam.moments.data, 0, sizeof(double) * 2 * (size_t)q->n);
	memset(q->sum.data, 0, sizeof(double) * 2 * (size_t)q->n);
	q->adam.step = 0;
	return UM_OK;
}

static double entropy(um_law *law)
{
	const gauss *q = law->self;
	const double *ls = um_row_d(&q->theta, 1);
	double h = 0.5 * (double)q->n * (1 + UM_LOG_2PI);
	for (int64_t i = 0; i < q->n; i++)
		h += ls[i];
	return h;
}

static um_status draw(um_law *law, bool train, int64_t count, const double *z, um_array *u, double *logq)
{
	gauss *q = law->self;
	const int64_t n = q->n;
	const double *mu = um_row_d(&q->theta, 0), *ls = um_row_d(&q->theta, 1);
	const double h = entropy(law);
	(void)train;
	for (int64_t i = 0; i < n; i++)
		q->s[i] = exp(ls[i]);
	for (int64_t b = 0; b < count; b++) {
		const double *zb = z + b * n;
		double square = 0;
		for (int64_t i = 0; i < n; i++) {
			um_row_f(u, b)[i] = (float)(mu[i] + q->s[i] * zb[i]);
			square += zb[i] * zb[i];
		}
		logq[b] = 0.5 * ((double)n - square) - h;
	}
	return UM_OK;
}

/* One step of Adam in log s and in m, where mu = m s with s held: the rate then is relative to
 * s in both, and the noise of a step stays a fraction of the width of the posterior. */
static void descend(gauss *q)
{
	double *mu = um_row_d(&q->theta, 0), *gm = um_row_d(&q->grad, 0);
	for (int64_t i = 0; i < q->n; i++) {
		mu[i] /= q->s[i];
		gm[i] *= q->s[i];
	}
	um_adam_step(&q->adam, q->theta.data, q->grad.data);
	for (int64_t i = 0; i < q->n; i++)
		mu[i] *= q->s[i];
}

static um_status step(um_law *law, const double *z, const um_array *du, double weight,
	const double *share)
{
	gauss *q = law->self;
	const double batch = (double)q->batch;
	double *gm = um_row_d(&q->grad, 0), *gs = um_row_d(&q->grad, 1);
	(void)share;
	memset(q->grad.data, 0, sizeof(double) * 2 * (size_t)q->n);
	for (int64_t b = 0; b < q->batch; b++) {
		const double *zb = z + b * q->n;
		const float *d = um_row_f(du, b);
		for (int64_t i = 0; i < q->n; i++) {
			double g = d[i] / batch;
			gm[i] += g;
			gs[i] += g * zb[i] * q->s[i] - weight * zb[i] * zb[i] / batch;
		}
	}
	descend(q);
	return UM_OK;
}

static void mean(um_law *law, double *out)
{
	const gauss *q = law->self;
	memcpy(out, q->theta.data, sizeof(double) * (size_t)q->n);
}

static void average(um_law *law, int64_t k)
{
	gauss *q = law->self;
	double *sum = q->sum.data;
	const double *theta = q->theta.data;
	(void)k;
	for (int64_t i = 0; i < 2 * q->n; i++)
		sum[i] += theta[i];
}

static void finish(um_law *law, int64_t averaged)
{
	gauss *q = law->self;
	double *theta = q->theta.data;
	const double *sum = q->sum.data;
	for (int64_t i = 0; averaged > 0 && i < 2 * q->n; i++)
		theta[i] = sum[i] / (double)averaged;
}

static void changed(um_law *law, int64_t steps)
{
	((gauss *)law->self)->adam.step = steps;
}

const um_law_ops um_law_gaussian = { .create = create, .destroy = destroy, .start = start, .draw = draw,
	.entropy = entropy, .step = step, .mean = mean, .average = average, .finish = finish, .changed = changed };
