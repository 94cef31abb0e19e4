/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The posterior that inference plugins see: p(u | y) with x = transform(u), the
 * instrument looking at scale x and the prior at x; see umbra/problem.h. */
#include <stdlib.h>
#include <string.h>
#include "base/mem.h"
#include "host/problem.h"

um_problem_info problem_known(const um_forward *f, const um_prior *priors, int npriors)
{
	const um_env *env = &f->env;
	const um_prior *one = npriors == 1 ? priors : NULL;
	um_problem_info info = { .size = sizeof(info), .threads = env->threads, .n = 1, .ny = f->info.ny, .nop = f->info.nop,
		.linear = f->info.linear, .transform = env->transform, .scale = env->scale, .angles = f->info.angles };
	info.simulates = um_forward_simulates(f);
	info.solves = f->info.linear && f->ops.solve != NULL;
	info.components = one != NULL ? one->info.components : 0;
	info.draws = one != NULL && one->ops.sample != NULL;
	info.normalised = one != NULL && one->info.normalised;
	info.lo = one != NULL ? one->info.lo : 0;
	info.unit = one != NULL ? one->info.unit : 0;
	for (int i = 0; i < npriors; i++)
		info.estimate |= priors[i].info.estimate;
	for (int i = 0; i < 5; i++) {
		info.shape[i] = env->shape[i];
		info.n *= env->shape[i];
	}
	return info;
}

/* All but the measurement. */
static um_problem *new_problem(um_forward *f, um_prior *priors, int npriors, const char *name)
{
	um_problem *p = um_new(sizeof(*p));
	p->forward = f;
	p->priors = priors;
	p->npriors = npriors;
	p->key = um_rng_new(f->env.seed, name, 0);
	p->scale = f->env.scale;
	p->info = problem_known(f, priors, npriors);
	return p;
}

um_status um_problem_new(um_forward *f, um_prior *priors, int npriors, const um_array *y,
	const um_array *sigma, const um_array *op, int64_t samples, const char *name, um_problem **out)
{
	if (y->dim[1] != f->info.ny || sigma->dim[1] != f->info.ny || op->dim[1] != f->info.nop)
		return um_fail(UM_EDATA, "the measurement has %lld numbers, %lld standard deviations and %lld "
			"operator parameters, but forward/%s wants %lld, %lld and %lld", (long long)y->dim[1],
			(long long)sigma->dim[1], (long long)op->dim[1], f->plugin->name,
			(long long)f->info.ny, (long long)f->info.ny, (long long)f->info.nop);
	um_problem *p = new_problem(f, priors, npriors, name);
	p->info.samples = samples;
	um_status st = um_array_new(&p->op, UM_F64, 2, (const int64_t[]){ 1, op->dim[1] });
	if (st != UM_OK) {
		free(p);
		return st;
	}
	p->op.stride[0] = 0;
	um_problem_turn(p, y, sigma, op, name);
	*out = p;
	return UM_OK;
}

void um_problem_turn(um_problem *p, const um_array *y, const um_array *sigma, const um_array *op, const char *name)
{
	p->key = um_rng_new(p->forward->env.seed, name, 0);
	p->y = *y;
	p->sigma = *sigma;
	p->y.stride[0] = p->sigma.stride[0] = 0;
	um_problem_set_op(p, um_row_d(op, 0));
}

um_status um_problem_new_fit(um_forward *f, um_prior *priors, int npriors, um_dataset *truths, double seconds,
	const char *name, um_problem **out)
{
	um_status st = UM_OK;
	um_problem *p = new_problem(f, priors, npriors, name);
	p->info.seconds = seconds;
	UM_TRY(um_measurements_new(f, truths, name, &p->many));
	um_measurements_count(p->many, &p->info.train, &p->info.held);
	*out = p;
	p = NULL;
out:
	um_problem_free(p);
	return st;
}

void um_problem_free(um_problem *p)
{
	if (p == NULL)
		return;
	if (p->many == NULL)
		um_array_free(&p->op);
	for (int i = 0; i < 3; i++)
		um_array_free(&p->room[i]);
	um_measurements_free(p->many);
	free(p->partial);
	free(p);
}

const um_problem_info *um_problem_about(const um_problem *p)
{
	return &p->info;
}

int64_t um_problem_calls(const um_problem *p)
{
	int64_t named = 0;
	bool any = false;
	for (int i = 0; i < p->npriors; i++) {
		const int64_t calls = um_prior_calls(&p->priors[i]);
		any |= calls >= 0;
		named += calls > 0 ? calls : 0;
	}
	return any ? named : p->calls;
}

const double *um_problem_y(const um_problem *p)
{
	return p->y.data;
}

const double *um_problem_sigma(const um_problem *p)
{
	return p->sigma.data;
}

const um_array *um_problem_op(const um_problem *p)
{
	return &p->op;
}

void um_problem_set_op(um_problem *p, const double *op)
{
	if (p->op.dim[1] > 0)
		memcpy(p->op.data, op, sizeof(double) * (size_t)p->op.dim[1]);
}

um_status um_problem_images(const um_problem *p, int64_t count, um_array *x)
{
	return um_env_images(&p->forward->env, count, x);
}

um_rng um_problem_rng(const um_problem *p, uint64_t purpose, uint64_t index)
{
	return um_rng_at(&p->key, purpose, index);
}

um_status um_problem_note(um_problem *p, um_sink *sink)
{
	return um_bond_note(p->forward, p->priors, p->npriors, true, sink);
}

um_status um_problem_suits(um_problem *p, const um_tensors *t)
{
	return um_bond_suits(p->forward, p->priors, p->npriors, true, t);
}
