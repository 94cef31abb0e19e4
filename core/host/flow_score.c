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
	c->sigma_x = um_new(sizeof(double) * (size_t)batch);
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
	free(c->sigma_x);
	free(c->div);
}

void flow_score_put(flow_score *c, int64_t k, double t, const double *x)
{
	const um_probflow *f = c->f;
	const double alpha = um_sde_alpha(&f->sde, t), sigma = um_sde_sigma(&f->sde, t), unit = flow_unit(f);
	float *to = (float *)c->x.data + k * f->n;
	for (int64_t i = 0; i < f->n; i++)
		to[i] = (float)(alpha * f->lo + unit * x[i]);
	c->alpha[k] = alpha;
	c->sigma[k] = sigma;
	c->sigma_x[k] = unit * sigma;
}

void flow_score_vector(flow_score *c, int64_t k, const double *v)
{
	float *to = (float *)c->v.data + k * c->f->n;
	for (int64_t i = 0; i < c->f->n; i++)
		to[i] = (float)v[i];
}

/* The first images of an array. */
static um_array some(const um_array *a, int64_t count)
{
	um_array view = *a;
	view.dim[0] = count;
	return view;
}

static void scale(const um_array *a, int64_t n, double factor)
{
	for (int64_t i = 0; i < n; i++)
		((float *)a->data)[i] *= (float)factor;
}

/* From derivatives by x to those by u: each counts unit once. */
static void to_unit(flow_score *c, int64_t count, int want)
{
	const double unit = flow_unit(c->f);
	const int64_t n = count * c->f->n;
	if (unit == 1)
		return;
	if (want & FLOW_S)
		scale(&c->s, n, unit);
	if (want & (FLOW_JTV | FLOW_RESIDUAL))
		scale(&c->jtv, n, unit * unit);
	if (want & FLOW_DDIV)
		scale(&c->ddiv, n, unit * unit * unit);
	for (int64_t k = 0; want & FLOW_DIV && k < count; k++)
		c->div[k] *= unit * unit;
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
	const um_score_job job = { .size = sizeof(job), .x = &x, .alpha = c->alpha, .sigma = c->sigma_x,
		.probes = probed ? c->f->probes : 0, .e = probed ? &e : NULL,
		.v = want & (FLOW_JTV | FLOW_RESIDUAL) ? &v : NULL, .s = want & FLOW_S ? &s : NULL,
		.jtv = want & (FLOW_JTV | FLOW_RESIDUAL) ? &jtv : NULL, .div = want & FLOW_DIV ? c->div : NULL,
		.ddiv = want & FLOW_DDIV ? &ddiv : NULL, .between = c->between, .context = c->context };
	c->calls += count;
	const um_status st = (want & FLOW_RESIDUAL ? c->f->residual : c->f->score)(c->f->self, &job);
	if (st == UM_OK)
		to_unit(c, count, want);
	return st;
}
