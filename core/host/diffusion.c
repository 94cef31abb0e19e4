/* SPDX-License-Identifier: GPL-3.0-or-later */
/* From the keys of a diffusion to its network and its flow. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "base/mem.h"
#include "host/scorenet.h"

static um_precision precision(const char *name)
{
	static const char *const names[] = { UM_PRECISIONS };
	int i = 0;
	while (i < UM_AUTO && strcmp(names[i], name) != 0)
		i++;
	return (um_precision)i;
}

static bool same(const um_sde *a, const um_sde *b)
{
	if (a->kind != b->kind)
		return false;
	if (a->kind == UM_SDE_VP || a->kind == UM_SDE_SUBVP)
		return a->beta_min == b->beta_min && a->beta_max == b->beta_max;
	return a->kind == UM_SDE_FLOW || (a->sigma_min == b->sigma_min && a->sigma_max == b->sigma_max);
}

static um_sde sde_of(const um_diffusion *d)
{
	return (um_sde){ um_sde_named(d->sde), d->beta_min, d->beta_max, d->sigma_min, d->sigma_max };
}

/* ---- networks --------------------------------------------------------------------------------- */

static um_status plan_unet(um_scorenet *net)
{
	const um_diffusion *d = net->set;
	const int64_t *s = net->shape;
	um_unet_spec *u = &net->unet;
	const int64_t patch = net->patch = d->patch;
	if (s[3] % patch != 0 || s[4] % patch != 0)
		return um_fail(UM_EPARAM, "patch = %lld does not divide %lld x %lld pixels", (long long)patch, (long long)s[4],
			(long long)s[3]);
	*u = (um_unet_spec){ .rows = s[3] / patch, .columns = s[4] / patch, .channels = s[0] * s[1] * s[2] * patch * patch,
		.width = d->width > 0 ? d->width : 32, .blocks = d->blocks > 0 ? d->blocks : 2, .pyramid = d->pyramid,
		.plain_sums = !d->rescale, .dropout = d->dropout };
	u->resample = d->resample[0] == 'c' ? UM_RESAMPLE_CONV : d->resample[0] == 'm' ? UM_RESAMPLE_MEAN :
		UM_RESAMPLE_FIR;
	if (d->multipliers.n > UM_UNET_LEVELS)
		return um_fail(UM_EPARAM, "multipliers: %lld of them, for at most %d levels", (long long)d->multipliers.n,
			UM_UNET_LEVELS);
	u->levels = (int)d->multipliers.n;
	for (int i = 0; i < u->levels; i++) {
		u->multiplier[i] = (int64_t)d->multipliers.v[i];
		if ((double)u->multiplier[i] != d->multipliers.v[i])
			return um_fail(UM_EPARAM, "multipliers: %g is not a whole number", d->multipliers.v[i]);
		for (int64_t k = 0; k < d->attention.n; k++)
			u->attention[i] = u->attention[i] || (double)(u->rows >> i) == d->attention.v[k];
	}
	return um_unet_check(u);
}

/* The network that the keys ask for. */
static um_status plan_net(um_scorenet *net)
{
	const um_diffusion *d = net->set;
	const bool image = net->shape[3] > 1 && net->shape[4] > 1;
	net->dense = strcmp(d->network, "mlp") == 0 || (d->network[0] == 'a' && !image);
	net->sde = sde_of(d);
	net->least = d->least;
	net->most = net->sde.kind == UM_SDE_FLOW ? fmin(d->times.hi, 0.9999) : 1;
	if (!(net->least < net->most))
		return um_fail(UM_EPARAM, "least: the least time in training, %g, is not below the last, %g", net->least, net->most);
	if (d->range.hi > d->range.lo) {
		net->lo = d->range.lo;
		net->unit = d->range.hi - d->range.lo;
	}
	if (!net->dense)
		return plan_unet(net);
	net->mlp = (um_mlp_spec){ net->n, d->width > 0 ? d->width : 256, d->blocks > 0 ? d->blocks : 4, d->dropout };
	return um_mlp_check(&net->mlp);
}

static um_status check_size(const um_scorenet *net)
{
	const int64_t *s = net->shape, channels = s[0] * s[1] * s[2], p = net->patch;
	const um_unet_spec *u = &net->unet;
	if (net->dense && net->mlp.n != net->n)
		return um_fail(UM_EDATA, "the model is of %lld numbers, not %lld as here; train another",
			(long long)net->mlp.n, (long long)net->n);
	if (!net->dense && (u->rows * p != s[3] || u->columns * p != s[4] || u->channels != channels * p * p))
		return um_fail(UM_EDATA, "the model is of images of %lld x %lld pixels with %lld channels, not %lld x "
			"%lld with %lld as here; train another", (long long)(u->columns * p), (long long)(u->rows * p),
			(long long)(u->channels / (p * p)), (long long)s[4], (long long)s[3], (long long)channels);
	return UM_OK;
}

/* Keys that say another diffusion than the file's, which are not defaults, are a mistake. */
static um_status check_keys(const um_scorenet *net)
{
	const um_diffusion *d = net->set;
	const um_sde asked = sde_of(d), usual = um_sde_default(UM_SDE_VP);
	if (!same(&asked, &usual) && !same(&asked, &net->sde))
		return um_fail(UM_EPARAM, "sde: the model has a diffusion of its own, another one; leave sde and its numbers out");
	if (d->range.hi > d->range.lo && (d->range.lo != net->lo || fabs(d->range.hi - net->lo - net->unit) > 1e-9 * net->unit))
		return um_fail(UM_EPARAM, "range: the model has its own, [%g, %g]; leave range out", net->lo,
			net->lo + net->unit);
	return UM_OK;
}

static um_status load(um_scorenet *net, const char *path)
{
	um_status st = UM_OK;
	um_tensors t = { 0 };
	UM_TRY(um_tensors_read(path, &t)); /* its message names the file */
	st = scorenet_read(net, &t);
	if (st == UM_OK)
		st = check_size(net);
	if (st == UM_OK)
		st = scorenet_weights(net, NULL, &t, &net->w);
	if (st != UM_OK)
		UM_TRY(um_context(UM_EDATA, "%s", path));
	UM_TRY(check_keys(net));
	net->lo *= net->set->factor;
	net->unit *= net->set->factor;
out:
	um_tensors_free(&t);
	return st;
}

um_status um_scorenet_new(const um_diffusion *d, const um_env *env, um_scorenet **out)
{
	um_status st = UM_OK;
	const bool chosen = d->precision[0] != 'a';
	um_scorenet *net = NULL;
	*out = NULL;
	if (env->source != NULL && *d->model != '\0')
		return um_fail(UM_EPARAM, "score and model: give one of them");
	if (d->factor != 1 && *d->model == '\0')
		return um_fail(UM_EPARAM, "factor: of the units of a model, and there is none");
	if (env->source != NULL)
		return UM_OK;
	net = um_new(sizeof(*net));
	net->set = d;
	net->threads = env->threads;
	net->fine = chosen ? precision(d->precision) : UM_AUTO;
	net->fast = chosen ? precision(d->precision) : UM_BFLOAT16;
	net->n = 1;
	for (int i = 0; i < 5; i++)
		net->n *= net->shape[i] = env->shape[i];
	if (*d->model != '\0')
		UM_TRY(load(net, d->model));
	else
		UM_TRY(plan_net(net));
	*out = net;
	net = NULL;
out:
	um_scorenet_free(net);
	return st;
}

void um_scorenet_free(um_scorenet *net)
{
	if (net == NULL)
		return;
	scorenet_forget(net);
	um_weights_free(net->w);
	free(net);
}

/* ---- flows --------------------------------------------------------------------------------------- */

um_probflow um_probflow_of(const um_diffusion *d, const um_env *env, um_scorenet *net, bool fast)
{
	um_probflow f = { .n = 1, .sde = sde_of(d), .from = d->times.lo, .to = d->times.hi, .method = UM_ODE_DOPRI5,
		.rtol = 1e-3, .atol = 1e-5 };
	if (net != NULL) {
		f.score = fast ? um_scorenet_score_fast : um_scorenet_score;
		f.residual = fast ? scorenet_residual : NULL;
		f.self = net;
		f.sde = net->sde;
		f.lo = net->lo;
		f.unit = net->unit;
	} else {
		f.score = env->source->score;
		f.self = env->source->self;
		f.unit = d->range.hi - d->range.lo;
		f.lo = f.unit > 0 ? d->range.lo : 0;
	}
	for (int i = 0; i < 5; i++) {
		f.shape[i] = env->shape[i];
		f.n *= env->shape[i];
	}
	return f;
}

/* ---- priors ---------------------------------------------------------------------------------------- */

um_status um_diffused_new(const um_diffusion *d, const um_env *env, um_diffused *s, um_prior_info *info)
{
	um_status st = UM_OK;
	UM_TRY(um_scorenet_new(d, env, &s->net));
	s->flow = um_probflow_of(d, env, s->net, false);
	s->fast = um_probflow_of(d, env, s->net, true);
	info->between = true;
	info->lo = s->flow.lo;
	info->unit = s->flow.unit;
out:
	return st;
}

void um_diffused_destroy(void *self)
{
	um_scorenet_free(((um_diffused *)self)->net);
	free(self);
}

um_status um_diffused_score(void *self, const um_score_job *job)
{
	const um_probflow *f = &((const um_diffused *)self)->fast;
	return f->score(f->self, job);
}

um_status um_diffused_fit(void *self, um_dataset *data, um_sink *sink)
{
	return um_scorenet_fit(((um_diffused *)self)->net, data, sink);
}
