/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Sound parts for the deliberately wrong plugins of this folder, each of which replaces one:
 * the prior N(0, scale^2 I), the forward models y = scale x^2 and y = scale x, and an
 * inference that delivers white noise in ten steps. */
#ifndef TESTS_SOUND_H
#define TESTS_SOUND_H

#include <math.h>
#include <stdlib.h>
#include <umbra/plugin.h>

struct sound { double scale; };

#define SOUND_ROW(def, doc) UM_PARAM(struct sound, scale, def, 1e-3, 1e3, "", doc)
static const um_param sound_params[] = { SOUND_ROW("1.5", "Scale of the image or of the measurements.") };
#define SOUND_PARAMS UM_PARAMS(struct sound, sound_params)

struct sound_self {
	double scale;
	int64_t n, calls;
};

static inline struct sound_self *sound_new(const void *params, const um_env *env)
{
	struct sound_self *s = calloc(1, sizeof(*s));
	if (s == NULL)
		return NULL;
	s->scale = ((const struct sound *)params)->scale;
	s->n = 1;
	for (int i = 0; i < 5; i++)
		s->n *= env->shape[i];
	return s;
}

/* ---- prior --------------------------------------------------------------------- */

static inline um_status sound_prior(void **self, const void *params, const um_env *env, um_prior_info *info)
{
	(void)info;
	*self = sound_new(params, env);
	return *self ? UM_OK : um_fail(UM_ENOMEM, "no memory");
}

static inline um_status sound_logp(void *self, um_rng *rng, const um_array *x, double *lp, um_array *dx)
{
	const struct sound_self *s = self;
	const double c = s->scale * s->scale;
	(void)rng;
	for (int64_t b = 0; b < x->dim[0]; b++) {
		lp[b] = -0.5 * (double)s->n * log(6.283185307179586 * c);
		for (int64_t i = 0; i < s->n; i++) {
			double v = um_row_f(x, b)[i];
			lp[b] -= v * v / (2 * c);
			if (dx != NULL)
				um_row_f(dx, b)[i] = (float)(-v / c);
		}
	}
	return UM_OK;
}

static inline void sound_times(double factor, const um_array *in, um_array *out)
{
	for (int64_t i = 0; in != NULL && out != NULL && i < um_array_len(in); i++)
		((float *)out->data)[i] = (float)(factor * ((const float *)in->data)[i]);
}

static inline um_status sound_score(void *self, const um_score_job *job)
{
	const struct sound_self *s = self;
	const int64_t count = job->x->dim[0], probes = job->probes;
	for (int64_t b = 0; b < count; b++) {
		const double h = -1 / (pow(job->alpha[b] * s->scale, 2) + pow(job->sigma[b], 2));
		const um_array *in[] = { job->x, job->v };
		um_array *out[] = { job->s, job->jtv };
		for (int k = 0; k < 2; k++)
			if (out[k] != NULL) {
				um_array i1 = um_array_rows(in[k], b, 1), o1 = um_array_rows(out[k], b, 1);
				sound_times(h, &i1, &o1);
			}
		double div = probes > 0 ? 0 : h * (double)s->n;
		for (int64_t k = b * probes; k < (b + 1) * probes; k++)
			for (int64_t i = 0; i < s->n; i++) {
				double e = um_row_f(job->e, k)[i];
				div += h * e * e / (double)probes;
				if (job->je != NULL)
					um_row_f(job->je, k)[i] = (float)(h * e);
			}
		if (job->div != NULL)
			job->div[b] = div;
		for (int64_t i = 0; job->ddiv != NULL && i < s->n; i++)
			um_row_f(job->ddiv, b)[i] = 0;
	}
	return UM_OK;
}

static inline um_status sound_sample(void *self, um_rng *rng, um_array *x)
{
	const struct sound_self *s = self;
	for (int64_t b = 0; b < x->dim[0]; b++)
		for (int64_t i = 0; i < s->n; i++)
			um_row_f(x, b)[i] = (float)(s->scale * um_normal(&rng[b]));
	return UM_OK;
}

/* ---- forward models -------------------------------------------------------------- */

static inline um_status sound_forward(void **self, const void *params, const um_env *env, um_forward_info *info)
{
	struct sound_self *s = sound_new(params, env);
	*self = s;
	if (s == NULL)
		return um_fail(UM_ENOMEM, "no memory");
	info->ny = s->n;
	return UM_OK;
}

static inline um_status sound_linear(void **self, const void *params, const um_env *env, um_forward_info *info)
{
	um_status st = sound_forward(self, params, env, info);
	info->linear = true;
	return st;
}

static inline um_status sound_square(void *self, const um_array *op, const um_array *x, const um_array *dx,
	um_array *y, um_array *dy)
{
	const struct sound_self *s = self;
	(void)op;
	for (int64_t b = 0; b < x->dim[0]; b++)
		for (int64_t i = 0; i < s->n; i++) {
			double v = um_row_f(x, b)[i];
			um_row_d(y, b)[i] = s->scale * v * v;
			if (dx != NULL)
				um_row_d(dy, b)[i] = 2 * s->scale * v * um_row_f(dx, b)[i];
		}
	return UM_OK;
}

static inline um_status sound_square_back(void *self, const um_array *op, const um_array *x, const um_array *v,
	um_array *jtv)
{
	const struct sound_self *s = self;
	(void)op;
	for (int64_t b = 0; b < x->dim[0]; b++)
		for (int64_t i = 0; i < s->n; i++)
			um_row_f(jtv, b)[i] = (float)(2 * s->scale * um_row_f(x, b)[i] * um_row_d(v, b)[i]);
	return UM_OK;
}

static inline um_status sound_scale(void *self, const um_array *op, const um_array *x, const um_array *dx,
	um_array *y, um_array *dy)
{
	const struct sound_self *s = self;
	(void)op;
	for (int64_t b = 0; b < x->dim[0]; b++)
		for (int64_t i = 0; i < s->n; i++) {
			um_row_d(y, b)[i] = s->scale * um_row_f(x, b)[i];
			if (dx != NULL)
				um_row_d(dy, b)[i] = s->scale * um_row_f(dx, b)[i];
		}
	return UM_OK;
}

static inline um_status sound_scale_back(void *self, const um_array *op, const um_array *x, const um_array *v,
	um_array *jtv)
{
	const struct sound_self *s = self;
	(void)op, (void)x;
	for (int64_t b = 0; b < jtv->dim[0]; b++)
		for (int64_t i = 0; i < s->n; i++)
			um_row_f(jtv, b)[i] = (float)(s->scale * um_row_d(v, b)[i]);
	return UM_OK;
}

static inline um_status sound_noise(void *self, um_array *sigma, um_array *op)
{
	const struct sound_self *s = self;
	(void)op;
	for (int64_t i = 0; i < s->n; i++)
		um_row_d(sigma, 0)[i] = 0.1;
	return UM_OK;
}

/* ---- inference ------------------------------------------------------------------- */

static inline um_status sound_inference(void **self, const void *params, const um_env *env,
	um_inference_info *info)
{
	(void)info;
	*self = sound_new(params, env);
	return *self ? UM_OK : um_fail(UM_ENOMEM, "no memory");
}

/* White noise, count samples of it. */
static inline um_status sound_noises(um_problem *problem, um_sink *sink, int64_t count, um_rng r)
{
	um_status st = UM_OK;
	um_array u = { 0 };
	UM_TRY(um_problem_images(problem, count, &u));
	for (int64_t i = 0; i < um_array_len(&u); i++)
		((float *)u.data)[i] = (float)um_normal(&r);
	st = um_sink_samples(sink, &u, NULL);
out:
	um_array_free(&u);
	return st;
}

static inline um_status sound_deliver(um_problem *problem, um_sink *sink, int64_t count)
{
	return sound_noises(problem, sink, count, um_problem_rng(problem, 1, 0));
}

static inline um_status sound_run(void *self, um_problem *problem, um_sink *sink)
{
	(void)self;
	for (int64_t k = 0; k < 10; k++)
		if (um_sink_progress(sink, k, 10, NAN) == UM_STOP)
			return um_fail(UM_EINTR, "stopped on request");
	return sound_deliver(problem, sink, um_problem_about(problem)->samples);
}

#endif
