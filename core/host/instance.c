/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Created plugins, with what a smaller or older plugin leaves out. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <umbra/host.h>
#include "base/mem.h"

static um_phase_fn *phase_hook;

void um_phase_hook(um_phase_fn *fn)
{
	phase_hook = fn;
}

void um_phase(const um_plugin *p, const char *phase)
{
	if (phase_hook != NULL)
		phase_hook(p, phase);
}

um_status um_in_phase(const um_plugin *p, const char *phase, um_status st)
{
	if (st == UM_OK || st == UM_EINTR)
		return st;
	return um_context(st, "%s/%s in %s", um_kind_names[p->kind], p->name, phase);
}

um_status um_env_images(const um_env *env, int64_t count, um_array *x)
{
	const int64_t *s = env->shape;
	return um_array_new(x, UM_F32, 6, (const int64_t[]){ count, s[0], s[1], s[2], s[3], s[4] });
}

/* The plugin's ops in a struct of this host's size: absent members are NULL. */
static um_status copy_ops(const um_plugin *p, um_kind kind, void *ops, size_t size)
{
	if (p->kind != kind)
		return um_fail(UM_EPARAM, "%s/%s is not of the kind %s", um_kind_names[p->kind], p->name,
			um_kind_names[kind]);
	memset(ops, 0, size);
	memcpy(ops, p->ops, p->ops_size < size ? p->ops_size : size);
	return UM_OK;
}

static um_status named(const um_plugin *p, um_status st)
{
	if (st == UM_OK)
		return st;
	return um_context(st, "%s/%s", um_kind_names[p->kind], p->name);
}

static um_status lacks(const um_plugin *p, const char *what)
{
	return um_fail(UM_EPLUGIN, "%s/%s lacks %s, which every plugin of its kind must have",
		um_kind_names[p->kind], p->name, what);
}

um_status um_forward_open(const um_plugin *p, const void *params, const um_env *env, um_forward *out)
{
	um_status st = UM_OK;
	*out = (um_forward){ .plugin = p, .env = *env, .info = { .size = sizeof(um_forward_info) } };
	UM_TRY(copy_ops(p, UM_FORWARD, &out->ops, sizeof(out->ops)));
	if (out->ops.create == NULL || out->ops.destroy == NULL || out->ops.apply == NULL ||
		out->ops.pullback == NULL)
		return lacks(p, "create, destroy, apply or pullback");
	um_phase(p, "create");
	UM_TRY(named(p, out->ops.create(&out->self, params, &out->env, &out->info)));
	if (out->info.ny < 1)
		UM_TRY(um_fail(UM_EPLUGIN, "forward/%s: create left info.ny at %lld", p->name,
			(long long)out->info.ny));
	if (out->info.measurements > 0 && out->ops.data == NULL)
		UM_TRY(um_fail(UM_EPLUGIN, "forward/%s: info.measurements is set without data()", p->name));
out:
	if (st != UM_OK)
		um_forward_close(out);
	return st;
}

/* A prior and what another one sees of it. */
typedef struct um_named {
	um_prior prior;
	um_source source;
	int64_t calls;         /* images whose score was asked for */
} um_named;

um_status um_prior_score(um_prior *p, const um_score_job *job)
{
	um_status st = UM_OK;
	um_score_job first = *job, second = *job;
	if (job->between == NULL || p->info.between)
		return p->ops.score(p->self, job);
	first.jtv = NULL;
	first.between = second.between = NULL;
	second.s = second.je = second.ddiv = NULL;
	second.div = NULL;
	UM_TRY(p->ops.score(p->self, &first));
	UM_TRY(job->between(job->context, 0, job->x->dim[0]));
	UM_TRY(p->ops.score(p->self, &second));
out:
	return st;
}

static um_status named_score(void *self, const um_score_job *job)
{
	um_named *n = self;
	n->calls += job->x->dim[0];
	return um_prior_score(&n->prior, job);
}

int64_t um_prior_calls(const um_prior *p)
{
	return p->named != NULL ? p->named->calls : -1;
}

const char *um_prior_key(const um_plugin *p, const void *params)
{
	for (size_t i = 0; p->kind == UM_PRIOR && params != NULL && i < p->nparams; i++)
		if (p->params[i].type == UM_KEY) {
			const char *key;
			memcpy(&key, (const char *)params + p->params[i].offset, sizeof(key));
			return *key != '\0' ? key : NULL;
		}
	return NULL;
}

static um_status name_prior(um_prior *out, const um_prior *other)
{
	out->named = um_new(sizeof(*out->named));
	out->named->prior = *other;
	out->named->source = (um_source){ sizeof(um_source), other->plugin->name, other->ops.score != NULL ?
		named_score : NULL, out->named };
	out->env.source = &out->named->source;
	if (other->ops.score == NULL)
		return um_fail(UM_EPARAM, "priors/%s: the prior that it names, priors/%s, has no score", out->plugin->name,
			other->plugin->name);
	return UM_OK;
}

um_status um_prior_open(const um_plugin *p, const void *params, const um_env *env, um_prior *out)
{
	return um_prior_open_on(p, params, env, NULL, out);
}

um_status um_prior_open_on(const um_plugin *p, const void *params, const um_env *env, const um_prior *other,
	um_prior *out)
{
	um_status st = UM_OK;
	*out = (um_prior){ .plugin = p, .env = *env, .info = { .size = sizeof(um_prior_info) } };
	if (other != NULL)
		UM_TRY(name_prior(out, other));
	else if (um_prior_key(p, params) != NULL)
		UM_TRY(um_fail(UM_EPARAM, "priors/%s: nobody opened the prior that it names", p->name));
	UM_TRY(copy_ops(p, UM_PRIOR, &out->ops, sizeof(out->ops)));
	if (out->ops.create == NULL || out->ops.destroy == NULL ||
		(out->ops.logp == NULL && out->ops.score == NULL && out->ops.sample == NULL))
		return lacks(p, "create, destroy, or one of logp, score and sample");
	um_phase(p, "create");
	UM_TRY(named(p, out->ops.create(&out->self, params, &out->env, &out->info)));
	if (out->info.components > 0 && (out->ops.component == NULL || out->ops.covariance == NULL))
		UM_TRY(um_fail(UM_EPLUGIN, "priors/%s: info.components is set without component() and "
			"covariance()", p->name));
	if (out->ops.fit != NULL && um_plugin_model(p) == NULL)
		UM_TRY(um_fail(UM_EPLUGIN, "priors/%s: it has fit() without a parameter model that names a file", p->name));
out:
	if (st != UM_OK)
		um_prior_close(out);
	return st;
}

static bool learns(const um_plugin *p)
{
	um_prior_ops prior = { 0 };
	um_inference_ops inference = { 0 };
	if (p->kind == UM_PRIOR)
		memcpy(&prior, p->ops, p->ops_size < sizeof(prior) ? p->ops_size : sizeof(prior));
	if (p->kind == UM_INFERENCE)
		memcpy(&inference, p->ops, p->ops_size < sizeof(inference) ? p->ops_size : sizeof(inference));
	return prior.fit != NULL || inference.fit != NULL;
}

const um_param *um_plugin_model(const um_plugin *p)
{
	for (size_t i = 0; learns(p) && i < p->nparams; i++)
		if (strcmp(p->params[i].name, "model") == 0 && p->params[i].type == UM_PATH)
			return &p->params[i];
	return NULL;
}

const um_param *um_plugin_image(const um_plugin *p)
{
	for (size_t i = 0; p->kind == UM_INFERENCE && i < p->nparams; i++)
		if (strcmp(p->params[i].name, "image") == 0 && p->params[i].type == UM_PATH)
			return &p->params[i];
	return NULL;
}

void *um_plugin_with_file(const um_plugin *p, const void *params, const um_param *which, const char *path)
{
	char *copy = um_new(p->params_size);
	memcpy(copy, params, p->params_size);
	memcpy(copy + which->offset, &path, sizeof(path));
	return copy;
}

um_status um_inference_open(const um_plugin *p, const void *params, const um_env *env, um_inference *out)
{
	um_status st = UM_OK;
	*out = (um_inference){ .plugin = p, .env = *env, .info = { .size = sizeof(um_inference_info) } };
	UM_TRY(copy_ops(p, UM_INFERENCE, &out->ops, sizeof(out->ops)));
	if (out->ops.create == NULL || out->ops.destroy == NULL || out->ops.run == NULL)
		return lacks(p, "create, destroy or run");
	um_phase(p, "create");
	UM_TRY(named(p, out->ops.create(&out->self, params, &out->env, &out->info)));
	if (out->info.needs & ~(uint32_t)UM_NEEDS_ALL)
		UM_TRY(um_fail(UM_EPLUGIN, "inference/%s: needs %#x are unknown to this umbra", p->name,
			out->info.needs));
	if (out->ops.fit != NULL && um_plugin_model(p) == NULL)
		UM_TRY(um_fail(UM_EPLUGIN, "inference/%s: it has fit() without a parameter model that names a file", p->name));
out:
	if (st != UM_OK)
		um_inference_close(out);
	return st;
}

void um_forward_close(um_forward *f)
{
	if (f->self != NULL)
		f->ops.destroy(f->self);
	um_array_free(&f->y);
	um_array_free(&f->sigma);
	um_array_free(&f->op);
	*f = (um_forward){ 0 };
}

void um_prior_close(um_prior *p)
{
	if (p->self != NULL)
		p->ops.destroy(p->self);
	if (p->named != NULL)
		um_prior_close(&p->named->prior);
	free(p->named);
	*p = (um_prior){ 0 };
}

void um_inference_close(um_inference *i)
{
	if (i->self != NULL)
		i->ops.destroy(i->self);
	*i = (um_inference){ 0 };
}
