/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A law in other coordinates: u = c + T v, log q(u) = log q(v) - log |det T|, T lower triangular. Where T is the root
 * of a covariance that is close to the posterior's, v is nearly white and every family has an easy task. */
#include <cblas.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "base/mem.h"
#include "host/law.h"

typedef struct {
	um_law *inner;
	int64_t n;
	double log_det;
	um_array c, t;      /* [n] double, [n][n] float */
	um_array v, dv;     /* [batch][n] float */
	double *u;          /* [n] */
} affine;

static void destroy(um_law *law)
{
	affine *q = law->self;
	um_law_free(q->inner);
	um_array_free(&q->c);
	um_array_free(&q->t);
	um_array_free(&q->v);
	um_array_free(&q->dv);
	free(q->u);
	free(q);
}

static void measure(affine *q)
{
	q->log_det = 0;
	for (int64_t i = 0; i < q->n; i++)
		q->log_det += log(fabs((double)((const float *)q->t.data)[i * q->n + i]));
}

static um_status start(um_law *law, int64_t attempt, const double *mean, const double *sd)
{
	affine *q = law->self;
	measure(q);
	return q->inner->ops->start(q->inner, attempt, mean, sd);
}

static um_status draw(um_law *law, bool train, int64_t count, const double *z, um_array *u, double *logq)
{
	um_status st = UM_OK;
	affine *q = law->self;
	const int n = (int)q->n;
	const double *c = q->c.data;
	um_array v = um_array_rows(&q->v, 0, count);
	UM_TRY(q->inner->ops->draw(q->inner, train, count, z, &v, logq));
	float *to = u->data;
	memcpy(to, v.data, sizeof(float) * (size_t)(count * q->n));
	cblas_strmm(CblasRowMajor, CblasRight, CblasLower, CblasTrans, CblasNonUnit, (int)count, n, 1, q->t.data, n, to, n);
	for (int64_t b = 0; b < count; b++) {
		logq[b] -= q->log_det;
		for (int64_t i = 0; i < q->n; i++)
			to[b * q->n + i] = (float)(c[i] + (double)to[b * q->n + i]);
	}
out:
	return st;
}

static double entropy(um_law *law)
{
	const affine *q = law->self;
	return q->inner->ops->entropy(q->inner) + q->log_det;
}

/* dv = T^T du. */
static um_status step(um_law *law, const double *z, const um_array *du, double weight, const double *share)
{
	affine *q = law->self;
	const int n = (int)q->n;
	memcpy(q->dv.data, du->data, sizeof(float) * (size_t)um_array_len(&q->dv));
	cblas_strmm(CblasRowMajor, CblasRight, CblasLower, CblasNoTrans, CblasNonUnit, (int)q->dv.dim[0], n, 1, q->t.data, n,
		q->dv.data, n);
	return q->inner->ops->step(q->inner, z, &q->dv, weight, share);
}

static void mean(um_law *law, double *out)
{
	const affine *q = law->self;
	const float *t = q->t.data;
	q->inner->ops->mean(q->inner, q->u);
	for (int64_t i = 0; i < q->n; i++) {
		out[i] = ((const double *)q->c.data)[i];
		for (int64_t j = 0; j <= i; j++)
			out[i] += (double)t[i * q->n + j] * q->u[j];
	}
}

static void average(um_law *law, int64_t k)
{
	const affine *q = law->self;
	q->inner->ops->average(q->inner, k);
}

static void finish(um_law *law, int64_t averaged)
{
	const affine *q = law->self;
	q->inner->ops->finish(q->inner, averaged);
}

static void changed(um_law *law, int64_t steps)
{
	affine *q = law->self;
	measure(q);
	q->inner->ops->changed(q->inner, steps);
}

static const um_law_ops with_mean = { .destroy = destroy, .start = start, .draw = draw, .entropy = entropy, .step = step,
	.mean = mean, .average = average, .finish = finish, .changed = changed };
static const um_law_ops without_mean = { .destroy = destroy, .start = start, .draw = draw, .entropy = entropy,
	.step = step, .average = average, .finish = finish, .changed = changed };

um_status um_law_affine(um_law *inner, const um_law_spec *spec, um_law **out)
{
	um_status st = UM_OK;
	const int64_t n = spec->n, square[2] = { n, n }, rows[2] = { spec->batch, n };
	um_law *law = um_new(sizeof(*law));
	affine *q = law->self = um_new(sizeof(*q));
	law->ops = inner->ops->mean != NULL ? &with_mean : &without_mean;
	q->u = um_new(sizeof(double) * (size_t)n);
	q->n = n;
	UM_TRY(um_array_new(&q->c, UM_F64, 1, &n));
	UM_TRY(um_array_new(&q->t, UM_F32, 2, square));
	UM_TRY(um_array_new(&q->v, UM_F32, 2, rows));
	UM_TRY(um_array_new(&q->dv, UM_F32, 2, rows));
	law->noise = inner->noise;
	law->nstate = inner->nstate + 2;
	law->nresult = inner->nresult;
	for (int i = 0; i < inner->nstate; i++) {
		law->name[i] = inner->name[i];
		law->state[i] = inner->state[i];
	}
	law->name[inner->nstate] = "centre", law->state[inner->nstate] = &q->c;
	law->name[inner->nstate + 1] = "axes", law->state[inner->nstate + 1] = &q->t;
	q->inner = inner;
	*out = law;
	return UM_OK;
out:
	um_law_free(law);
	return st;
}
