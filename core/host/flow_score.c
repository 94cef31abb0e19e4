/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Arrays around calls of a score. */
#include <stdlib.h>
#include <string.h>
#include "base/mem.h"
#include "host/flow_score.h"

static um_status images(const um_probflow *f, int64_t count, um_array *a)
{
	const int64_t *s = f->shape;
	return um_array_new(a, UM_F32, 6, (const int64_t[]){ count, s[0], s[1], s[2], s[3], s[4] });
}

um_status flow_score_new(flow_score *c, const um_probflow *f, int64_t batch, const um_array *probes)
{
	um_status st = UM_OK;
	*c = (flow_score){ .f = f, .batch = batch, .probes = probes };
	UM_TRY(images(f, batch, &c->x));
	UM_TRY(images(f, batch, &c->v));
	UM_TRY(images(f, batch, &c->s));
	UM_TRY(images(f, batch, &c->jtv));
	UM_TRY(images(f, batch, &c->ddiv));
	if (probes != NULL)
		UM_TRY(images(f, batch * f->probes, &c->e));
	c->alpha = um_new(sizeof(double) * (size_t)batch);
	c->sigma = um_new(sizeof(double) * (size_t)batch);
	c->div = um_new(sizeof(double) * (size_t)batch);
out:
	return st;
}

void flow_score_free(flow_score *c)
{
	um_array_free(&c->x);
	um_array_free(&c->v);
	um_array_free(&c->e);
	um_array_free(&c->s);
	um_array_free(&c->jtv);
	um_array_free(&c->ddiv);
	free(c->alpha);
	free(c->sigma);
	free(c->div);
}

static void put(um_array *a, int64_t k, int64_t n, const double *v)
{
	float *to = (float *)a->data + k * n;
	for (int64_t i = 0; i < n; i++)
		to[i] = (float)v[i];
}

void flow_score_put(flow_score *c, int64_t k, double t, const double *x)
{
	put(&c->x, k, c->f->n, x);
	c->alpha[k] = um_sde_alpha(&c->f->sde, t);
	c->sigma[k] = um_sde_sigma(&c->f->sde, t);
}

void flow_score_vector(flow_score *c, int64_t k, const double *v)
{
	put(&c->v, k, c->f->n, v);
}

/* The first images of an array. */
static um_array some(const um_array *a, int64_t count)
{
	um_array view = *a;
	view.dim[0] = count;
	return view;
}

um_status flow_score_call(flow_score *c, int64_t count, const int64_t row[], int want)
{
	const bool probed = c->probes != NULL && (want & (FLOW_DIV | FLOW_DDIV)) != 0;
	const size_t bytes = sizeof(float) * (size_t)(c->f->n * c->f->probes);
	for (int64_t k = 0; probed && k < count; k++)
		memcpy((char *)c->e.data + (size_t)k * bytes, (const char *)c->probes->data + (size_t)row[k] * bytes,
			bytes);
	um_array x = some(&c->x, count), v = some(&c->v, count), s = some(&c->s, count);
	um_array jtv = some(&c->jtv, count), ddiv = some(&c->ddiv, count);
	um_array e = probed ? some(&c->e, count * c->f->probes) : (um_array){ 0 };
	const um_score_job job = { .size = sizeof(job), .x = &x, .alpha = c->alpha, .sigma = c->sigma,
		.probes = probed ? c->f->probes : 0, .e = probed ? &e : NULL,
		.v = want & FLOW_JTV ? &v : NULL, .s = want & FLOW_S ? &s : NULL,
		.jtv = want & FLOW_JTV ? &jtv : NULL, .div = want & FLOW_DIV ? c->div : NULL,
		.ddiv = want & FLOW_DDIV ? &ddiv : NULL };
	c->calls += count;
	return c->f->score(c->f->self, &job);
}
