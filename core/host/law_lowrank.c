/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Independent numbers plus few directions: u = mu + D z1 + U z2, D = diag(exp d). Adam moves
 * mu, d and V, where U = D0 V, in units of the standard deviations D0 that the fit started with. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <umbra/lowrank.h>
#include "host/law.h"

typedef struct {
	int64_t n, r, batch;
	uint64_t seed;
	um_lowrank law;
	um_adam adam;
	um_array theta;   /* [2 + r][n]: m, log D / D0, V^T, where mu = mu0 + D0 m */
	um_array origin;  /* [2][n] mu0, D0 */
	um_array sum, grad;
	double *mu, *d, *u, *du;          /* [n], [n], [n][r] twice */
	double *z1, *z2, *x, *dx, *logq;  /* [batch][n], [batch][r], [batch][n] twice, [batch] */
} lowrank;

static void destroy(um_law *law)
{
	lowrank *q = law->self;
	um_array *const all[] = { &q->theta, &q->origin, &q->sum, &q->grad };
	for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++)
		um_array_free(all[i]);
	um_lowrank_free(&q->law);
	um_adam_free(&q->adam);
	free(q->mu);
	free(q);
}

static um_status allocate(lowrank *q)
{
	um_status st = UM_OK;
	const int64_t n = q->n, r = q->r, b = q->batch, many[2] = { 2 + r, n }, two[2] = { 2, n };
	UM_TRY(um_array_new(&q->theta, UM_F64, 2, many));
	UM_TRY(um_array_new(&q->sum, UM_F64, 2, many));
	UM_TRY(um_array_new(&q->grad, UM_F64, 2, many));
	UM_TRY(um_array_new(&q->origin, UM_F64, 2, two));
	q->mu = calloc((size_t)(2 * n + 2 * n * r + 3 * b * n + b * r + b), sizeof(double));
	if (q->mu == NULL)
		UM_TRY(um_fail(UM_ENOMEM, "no memory for a law of %lld numbers", (long long)n));
	q->d = q->mu + n;
	q->u = q->d + n;
	q->du = q->u + n * r;
	q->z1 = q->du + n * r;
	q->x = q->z1 + b * n;
	q->dx = q->x + b * n;
	q->z2 = q->dx + b * n;
	q->logq = q->z2 + b * r;
out:
	return st;
}

static um_status create(um_law *law, const um_law_spec *spec)
{
	um_status st = UM_OK;
	lowrank *q = law->self = calloc(1, sizeof(*q));
	if (q == NULL)
		return um_fail(UM_ENOMEM, "no memory for a law");
	q->n = spec->n;
	q->r = spec->rank < spec->n ? spec->rank : spec->n;
	q->batch = spec->batch;
	q->seed = spec->seed;
	law->noise = q->n + q->r;
	UM_TRY(um_adam_new(&q->adam, (2 + q->r) * q->n, spec->rate));
	q->adam.warmup = spec->warmup;
	q->adam.clip = spec->clip;
	q->adam.decay = spec->floor < 1 ? UM_DECAY_COSINE : UM_DECAY_NONE;
	q->adam.span = spec->span;
	q->adam.floor = spec->floor;
	UM_TRY(um_lowrank_new(q->n, q->r, &q->law));
	UM_TRY(allocate(q));
	law->nstate = 4;
	law->nresult = 2;
	law->name[0] = "theta", law->state[0] = &q->theta;
	law->name[1] = "origin", law->state[1] = &q->origin;
	law->name[2] = "moments", law->state[2] = &q->adam.moments;
	law->name[3] = "sum", law->state[3] = &q->sum;
out:
	return st;
}

/* Starts with V of small random numbers: V = 0 is a saddle. */
static um_status start(um_law *law, int64_t attempt, const double *mean, const double *sd)
{
	lowrank *q = law->self;
	const int64_t n = q->n;
	um_rng rng = um_rng_new(q->seed, "directions", (uint64_t)attempt);
	memcpy(um_row_d(&q->origin, 0), mean, sizeof(double) * (size_t)n);
	memcpy(um_row_d(&q->origin, 1), sd, sizeof(double) * (size_t)n);
	memset(q->theta.data, 0, sizeof(double) * 2 * (size_t)n);
	um_normal_fill(&rng, um_row_d(&q->theta, 2), q->r * n);
	for (int64_t i = 0; i < q->r * n; i++)
		um_row_d(&q->theta, 2)[i] *= 0.1 / sqrt((double)q->r);
	memset(q->adam.moments.data, 0, sizeof(double) * 2 * (size_t)q->adam.n);
	memset(q->sum.data, 0, sizeof(double) * (size_t)q->adam.n);
	q->adam.step = 0;
	return UM_OK;
}

/* The law of theta. */
static um_status set(lowrank *q)
{
	const int64_t n = q->n, r = q->r;
	const double *mu0 = um_row_d(&q->origin, 0), *d0 = um_row_d(&q->origin, 1);
	const double *m = um_row_d(&q->theta, 0), *e = um_row_d(&q->theta, 1);
	for (int64_t i = 0; i < n; i++) {
		q->mu[i] = mu0[i] + d0[i] * m[i];
		q->d[i] = log(d0[i]) + e[i];
		for (int64_t k = 0; k < r; k++)
			q->u[i * r + k] = d0[i] * um_row_d(&q->theta, 2 + k)[i];
	}
	return um_lowrank_set(&q->law, q->d, q->u);
}

static void split(lowrank *q, int64_t count, const double *z)
{
	for (int64_t b = 0; b < count; b++) {
		memcpy(q->z1 + b * q->n, z + b * (q->n + q->r), sizeof(double) * (size_t)q->n);
		memcpy(q->z2 + b * q->r, z + b * (q->n + q->r) + q->n, sizeof(double) * (size_t)q->r);
	}
}

static um_status draw(um_law *law, bool train, int64_t count, const double *z, um_array *u, double *logq)
{
	um_status st = UM_OK;
	lowrank *q = law->self;
	(void)train;
	UM_TRY(set(q));
	split(q, count, z);
	um_lowrank_draw(&q->law, q->mu, count, q->z1, q->z2, q->x);
	for (int64_t i = 0; i < count * q->n; i++)
		((float *)u->data)[i] = (float)q->x[i];
	um_lowrank_logq(&q->law, q->mu, count, q->x, logq, NULL);
out:
	return st;
}

static double entropy(um_law *law)
{
	return um_lowrank_entropy(&((lowrank *)law->self)->law, 0, NULL, NULL);
}

/* The gradient of -H as the mean of that of log q along draws (at fixed q it has mean zero): its noise
 * vanishes where q is the target (Roeder et al. 2017, arXiv:1703.09194). */
static um_status step(um_law *law, const double *z, const um_array *du, double weight,
	const double *share)
{
	lowrank *q = law->self;
	const int64_t n = q->n, r = q->r, rows = q->batch;
	const double *d0 = um_row_d(&q->origin, 1);
	double *gm = um_row_d(&q->grad, 0), *ge = um_row_d(&q->grad, 1);
	(void)z, (void)share; /* z was split by draw */
	memset(q->grad.data, 0, sizeof(double) * (size_t)q->adam.n);
	memset(q->du, 0, sizeof(double) * (size_t)(n * r));
	um_lowrank_logq(&q->law, q->mu, rows, q->x, q->logq, q->dx);
	for (int64_t i = 0; i < rows * n; i++)
		q->dx[i] = (((const float *)du->data)[i] + weight * q->dx[i]) / (double)rows;
	um_lowrank_pull(&q->law, rows, q->z1, q->z2, q->dx, gm, ge, q->du);
	for (int64_t i = 0; i < n; i++) {
		gm[i] *= d0[i];
		for (int64_t k = 0; k < r; k++)
			um_row_d(&q->grad, 2 + k)[i] = q->du[i * r + k] * d0[i];
	}
	um_adam_step(&q->adam, q->theta.data, q->grad.data);
	return UM_OK;
}

static void mean(um_law *law, double *out)
{
	lowrank *q = law->self;
	for (int64_t i = 0; i < q->n; i++)
		out[i] = um_row_d(&q->origin, 0)[i] + um_row_d(&q->origin, 1)[i] * um_row_d(&q->theta, 0)[i];
}

static void average(um_law *law, int64_t k)
{
	lowrank *q = law->self;
	double *sum = q->sum.data;
	(void)k;
	for (int64_t i = 0; i < q->adam.n; i++)
		sum[i] += ((const double *)q->theta.data)[i];
}

static void finish(um_law *law, int64_t averaged)
{
	lowrank *q = law->self;
	for (int64_t i = 0; averaged > 0 && i < q->adam.n; i++)
		((double *)q->theta.data)[i] = ((const double *)q->sum.data)[i] / (double)averaged;
}

static void changed(um_law *law, int64_t steps)
{
	((lowrank *)law->self)->adam.step = steps;
}

const um_law_ops um_law_lowrank = { .create = create, .destroy = destroy, .start = start, .draw = draw,
	.entropy = entropy, .step = step, .mean = mean, .average = average, .finish = finish, .changed = changed };
