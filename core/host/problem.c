/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The posterior that inference plugins see: p(u | y) with x = transform(u), the
 * instrument looking at scale x and the prior at x; see umbra/problem.h. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <umbra/host.h>
#include "base/mem.h"
#include "host/measurements.h"

struct um_problem {
	um_problem_info info;
	um_forward *forward;
	um_prior *priors;
	int npriors;
	um_array y, sigma; /* borrowed; their one row serves every sample */
	um_array op;       /* the same, but own */
	um_measurements *many; /* of a fit: then y, sigma and op are own, of the rows in use */
	um_array room[3];      /* and views of these */
	um_rng key;
	int64_t calls;
	double scale;
	double *partial; /* values of one factor of a product */
	int64_t npartial;
};

/* All but the measurement. */
static um_problem *new_problem(um_forward *f, um_prior *priors, int npriors, const char *name)
{
	const um_env *env = &f->env;
	um_problem *p = um_new(sizeof(*p));
	p->forward = f;
	p->priors = priors;
	p->npriors = npriors;
	p->key = um_rng_new(env->seed, name, 0);
	p->scale = env->scale;
	p->info = (um_problem_info){ .size = sizeof(p->info), .threads = env->threads, .n = 1,
		.ny = f->info.ny, .nop = f->info.nop, .linear = f->info.linear,
		.transform = env->transform, .components = npriors == 1 ? priors[0].info.components : 0 };
	p->info.simulates = f->ops.simulate != NULL || f->ops.noise != NULL;
	p->info.draws = npriors == 1 && priors[0].ops.sample != NULL;
	p->info.solves = f->info.linear && f->ops.solve != NULL;
	p->info.scale = env->scale;
	p->info.normalised = npriors == 1 && priors[0].info.normalised;
	p->info.angles = f->info.angles;
	p->info.lo = npriors == 1 ? priors[0].info.lo : 0;
	p->info.unit = npriors == 1 ? priors[0].info.unit : 0;
	for (int i = 0; i < npriors; i++)
		p->info.estimate |= priors[i].info.estimate;
	for (int i = 0; i < 5; i++) {
		p->info.shape[i] = env->shape[i];
		p->info.n *= env->shape[i];
	}
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

static um_status named(const um_plugin *plugin, um_status st);
static um_status check_d(const um_plugin *plugin, const char *function, const double *v, int64_t rows, int64_t len);
static um_status scaled(um_problem *p, const um_array *x, um_array *out);

/* ---- many measurements ------------------------------------------------------ */

/* y, sigma and op of so many rows; every repeat-th is filled later. */
static um_status rows_of(um_problem *p, int64_t count, um_array part[3])
{
	um_status st = UM_OK;
	const int64_t length[3] = { p->info.ny, p->info.ny, p->info.nop };
	um_array *const view[3] = { &p->y, &p->sigma, &p->op };
	for (int i = 0; i < 3; i++) {
		if (p->room[i].data == NULL || p->room[i].dim[0] < count) {
			um_array_free(&p->room[i]);
			UM_TRY(um_array_new(&p->room[i], UM_F64, 2, (const int64_t[]){ count, length[i] }));
		}
		*view[i] = um_array_rows(&p->room[i], 0, count);
		part[i] = *view[i];
	}
out:
	return st;
}

/* Rows 0 .. count - 1 spread so that each is there repeat times. */
static void spread(um_array part[3], int64_t count, int64_t repeat)
{
	for (int i = 0; i < 3; i++)
		for (int64_t b = count * repeat - 1; b > 0 && part[i].dim[1] > 0; b--)
			if (b / repeat != b)
				memcpy(um_row_d(&part[i], b), um_row_d(&part[i], b / repeat), sizeof(double) * (size_t)part[i].dim[1]);
}

static um_status take(um_problem *p, int64_t count, int64_t repeat, um_array part[3])
{
	if (p->many == NULL)
		return um_fail(UM_EARG, "this problem has one measurement: batches are for fits");
	if (count < 1 || repeat < 1)
		return um_fail(UM_EARG, "%lld measurements, each %lld times", (long long)count, (long long)repeat);
	um_status st = rows_of(p, count * repeat, part);
	for (int i = 0; i < 3; i++)
		part[i].dim[0] = count;
	return st;
}

um_status um_problem_batch(um_problem *p, int64_t step, int64_t count, int64_t repeat)
{
	um_status st = UM_OK;
	um_array part[3];
	UM_TRY(take(p, count, repeat, part));
	UM_TRY(um_measurements_batch(p->many, step, &part[0], &part[1], &part[2]));
	spread(part, count, repeat);
out:
	return st;
}

um_status um_problem_rows(um_problem *p, bool held, int64_t first, int64_t count, int64_t repeat)
{
	um_status st = UM_OK;
	um_array part[3];
	UM_TRY(take(p, count, repeat, part));
	UM_TRY(um_measurements_rows(p->many, held, first, &part[0], &part[1], &part[2]));
	spread(part, count, repeat);
out:
	return st;
}

um_status um_problem_measure(um_problem *p, um_rng *rng, const um_array *x)
{
	um_status st = UM_OK;
	um_array part[3], xs = { 0 };
	UM_TRY(take(p, x->dim[0], 1, part));
	UM_TRY(scaled(p, x, &xs));
	UM_TRY(named(p->forward->plugin, um_forward_simulate(p->forward, rng, &xs, &part[2], &part[0], &part[1], NULL)));
	UM_TRY(check_d(p->forward->plugin, "simulate", part[0].data, x->dim[0], p->info.ny));
out:
	um_phase(NULL, NULL);
	um_array_free(&xs);
	return st;
}

/* Rows of u belong to rows of measurements. */
static um_status fitting(const um_problem *p, int64_t rows)
{
	if (p->many == NULL || rows == p->y.dim[0])
		return UM_OK;
	return um_fail(UM_EARG, "%lld images come to %lld measurements", (long long)rows, (long long)p->y.dim[0]);
}

um_status um_problem_note(um_problem *p, um_sink *sink)
{
	return um_bond_note(p->forward, p->priors, p->npriors, true, sink);
}

um_status um_problem_suits(um_problem *p, const um_tensors *t)
{
	return um_bond_suits(p->forward, p->priors, p->npriors, true, t);
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

/* ---- transforms ----------------------------------------------------------- */

static double softplus(double u)
{
	return u > 30 ? u : log1p(exp(u));
}

static double sigmoid(double u)
{
	return 1 / (1 + exp(-u));
}

um_status um_problem_image(um_problem *p, const um_array *u, um_array *x)
{
	const float *uv = u->data;
	float *xv = x->data;
	int64_t n = um_array_len(u);
	if (p->info.transform == UM_IDENTITY)
		memmove(xv, uv, sizeof(float) * (size_t)n);
	else
		for (int64_t i = 0; i < n; i++)
			xv[i] = (float)softplus(uv[i]);
	return UM_OK;
}

um_status um_problem_preimage(um_problem *p, const um_array *x, um_array *u)
{
	const float *xv = x->data;
	float *uv = u->data;
	int64_t n = um_array_len(x);
	if (p->info.transform == UM_IDENTITY)
		memmove(uv, xv, sizeof(float) * (size_t)n);
	else
		for (int64_t i = 0; i < n; i++) {
			double v = xv[i] > 1e-30f ? xv[i] : 1e-30;
			uv[i] = (float)(v > 30 ? v : log(expm1(v)));
		}
	return UM_OK;
}

/* ---- checks ----------------------------------------------------------------- */

static um_status not_finite(const um_plugin *plugin, const char *function, int64_t sample)
{
	return um_fail(UM_ENUM, "%s/%s: %s returned a number that is not finite (sample %lld of the batch)",
		um_kind_names[plugin->kind], plugin->name, function, (long long)sample);
}

static um_status check_d(const um_plugin *plugin, const char *function, const double *v, int64_t rows,
	int64_t len)
{
	for (int64_t i = 0; i < rows * len; i++)
		if (!isfinite(v[i]))
			return not_finite(plugin, function, i / len);
	return UM_OK;
}

static um_status check_f(const um_plugin *plugin, const char *function, const um_array *a)
{
	const float *v = a->data;
	int64_t n = um_array_len(a), len = um_array_rowlen(a);
	for (int64_t i = 0; i < n; i++)
		if (!isfinite(v[i]))
			return not_finite(plugin, function, i / len);
	return UM_OK;
}

static um_status named(const um_plugin *plugin, um_status st)
{
	if (st == UM_OK)
		return st;
	return um_context(st, "%s/%s", um_kind_names[plugin->kind], plugin->name);
}

/* x = factor transform(u), new. */
static um_status instrument_image(um_problem *p, const um_array *u, double factor, um_array *x)
{
	um_status st = UM_OK;
	UM_TRY(um_problem_images(p, u->dim[0], x));
	UM_TRY(um_problem_image(p, u, x));
	float *xv = x->data;
	int64_t n = um_array_len(x);
	if (factor != 1)
		for (int64_t i = 0; i < n; i++)
			xv[i] = (float)(factor * xv[i]);
out:
	return st;
}

/* du *= factor dx/du. */
static void chain(const um_problem *p, const um_array *u, double factor, um_array *du)
{
	const float *uv = u->data;
	float *d = du->data;
	int64_t n = um_array_len(u);
	bool soft = p->info.transform == UM_SOFTPLUS;
	if (!soft && factor == 1)
		return;
	for (int64_t i = 0; i < n; i++)
		d[i] = (float)(d[i] * factor * (soft ? sigmoid(uv[i]) : 1));
}

/* ---- densities --------------------------------------------------------------- */

um_status um_problem_loglike(um_problem *p, const um_array *u, double *ll, um_array *du)
{
	um_status st = UM_OK;
	um_array x = { 0 };
	const um_plugin *plugin = p->forward->plugin;
	UM_TRY(fitting(p, u->dim[0]));
	UM_TRY(instrument_image(p, u, p->scale, &x));
	UM_TRY(named(plugin, um_forward_loglike(p->forward, &p->op, &x, &p->y, &p->sigma, ll, du)));
	UM_TRY(check_d(plugin, "loglike", ll, u->dim[0], 1));
	if (du != NULL) {
		UM_TRY(check_f(plugin, "the gradient of loglike", du));
		chain(p, u, p->scale, du);
	}
out:
	um_phase(NULL, NULL);
	um_array_free(&x);
	return st;
}

/* Adds one factor of the prior to lp and, through scratch, to du. */
static um_status add_factor(um_problem *p, um_prior *prior, um_rng *rng, const um_array *x, double *lp,
	um_array *du, um_array *scratch)
{
	um_status st = UM_OK;
	int64_t count = x->dim[0];
	if (prior->ops.logp == NULL)
		return um_fail(UM_EPARAM, "priors/%s has no log-density", prior->plugin->name);
	um_phase(prior->plugin, "logp");
	UM_TRY(named(prior->plugin, prior->ops.logp(prior->self, rng, x, p->partial, scratch)));
	UM_TRY(check_d(prior->plugin, "logp", p->partial, count, 1));
	for (int64_t i = 0; i < count; i++)
		lp[i] += p->partial[i];
	if (du != NULL) {
		UM_TRY(check_f(prior->plugin, "the gradient of logp", scratch));
		float *d = du->data;
		const float *s = scratch->data;
		int64_t n = um_array_len(du);
		for (int64_t i = 0; i < n; i++)
			d[i] += s[i];
	}
out:
	return st;
}

/* log |dx/du| = sum (u - softplus(u)) and its gradient 1 - sigmoid(u). */
static void add_jacobian(const um_problem *p, const um_array *u, double *lp, um_array *du)
{
	if (p->info.transform != UM_SOFTPLUS)
		return;
	for (int64_t b = 0; b < u->dim[0]; b++) {
		const float *uv = um_row_f(u, b);
		for (int64_t i = 0; i < p->info.n; i++)
			lp[b] += uv[i] - softplus(uv[i]);
		for (int64_t i = 0; du != NULL && i < p->info.n; i++)
			um_row_f(du, b)[i] += (float)(1 - sigmoid(uv[i]));
	}
}

um_status um_problem_logp(um_problem *p, um_rng *rng, const um_array *u, double *lp, um_array *du)
{
	um_status st = UM_OK;
	um_array x = { 0 }, scratch = { 0 };
	int64_t count = u->dim[0];
	if (count > p->npartial) {
		p->partial = um_grow(p->partial, sizeof(double) * (size_t)count);
		p->npartial = count;
	}
	UM_TRY(instrument_image(p, u, 1, &x));
	memset(lp, 0, sizeof(double) * (size_t)count);
	if (du != NULL) {
		UM_TRY(um_problem_images(p, count, &scratch));
		memset(du->data, 0, sizeof(float) * (size_t)um_array_len(du));
	}
	for (int i = 0; i < p->npriors; i++)
		UM_TRY(add_factor(p, &p->priors[i], rng, &x, lp, du, du != NULL ? &scratch : NULL));
	if (du != NULL)
		chain(p, u, 1, du);
	add_jacobian(p, u, lp, du);
	p->calls += count;
out:
	um_phase(NULL, NULL);
	um_array_free(&x);
	um_array_free(&scratch);
	return st;
}

/* ---- the forward model in the units of the prior ------------------------------ */

static um_status scaled(um_problem *p, const um_array *x, um_array *out)
{
	um_status st = UM_OK;
	UM_TRY(um_problem_images(p, x->dim[0], out));
	const float *xv = x->data;
	float *ov = out->data;
	int64_t n = um_array_len(x);
	for (int64_t i = 0; i < n; i++)
		ov[i] = (float)(p->scale * xv[i]);
out:
	return st;
}

um_status um_problem_apply(um_problem *p, const um_array *x, const um_array *dx, um_array *y, um_array *dy)
{
	um_status st = UM_OK;
	um_array xs = { 0 }, dxs = { 0 };
	const um_plugin *plugin = p->forward->plugin;
	UM_TRY(fitting(p, x->dim[0]));
	UM_TRY(scaled(p, x, &xs));
	if (dx != NULL)
		UM_TRY(scaled(p, dx, &dxs));
	um_phase(plugin, "apply");
	UM_TRY(named(plugin, p->forward->ops.apply(p->forward->self, &p->op, &xs,
		dx != NULL ? &dxs : NULL, y, dx != NULL ? dy : NULL)));
	UM_TRY(check_d(plugin, "apply", y->data, x->dim[0], p->info.ny));
	if (dx != NULL)
		UM_TRY(check_d(plugin, "the tangent of apply", dy->data, x->dim[0], p->info.ny));
out:
	um_phase(NULL, NULL);
	um_array_free(&xs);
	um_array_free(&dxs);
	return st;
}

um_status um_problem_pullback(um_problem *p, const um_array *x, const um_array *v, um_array *jtv)
{
	um_status st = UM_OK;
	um_array xs = { 0 };
	const um_plugin *plugin = p->forward->plugin;
	UM_TRY(fitting(p, x->dim[0]));
	UM_TRY(scaled(p, x, &xs));
	um_phase(plugin, "pullback");
	UM_TRY(named(plugin, p->forward->ops.pullback(p->forward->self, &p->op, &xs, v, jtv)));
	UM_TRY(check_f(plugin, "pullback", jtv));
	float *d = jtv->data;
	int64_t n = um_array_len(jtv);
	for (int64_t i = 0; i < n; i++)
		d[i] = (float)(d[i] * p->scale);
out:
	um_phase(NULL, NULL);
	um_array_free(&xs);
	return st;
}

um_status um_problem_calibrate(um_problem *p, const um_array *x, double *lp, um_sink *sink)
{
	um_status st = UM_OK;
	um_array xs = { 0 };
	const um_plugin *plugin = p->forward->plugin;
	if (p->forward->ops.calibrate == NULL || p->info.nop == 0)
		UM_TRY(um_fail(UM_EPARAM, "forward/%s has nothing to calibrate", plugin->name));
	UM_TRY(scaled(p, x, &xs));
	um_phase(plugin, "calibrate");
	UM_TRY(named(plugin, p->forward->ops.calibrate(p->forward->self, &xs, &p->y, &p->sigma, &p->op, lp,
		sink)));
	UM_TRY(check_d(plugin, "calibrate", p->op.data, 1, p->info.nop));
	UM_TRY(check_d(plugin, "calibrate", lp, 1, 1));
out:
	um_phase(NULL, NULL);
	um_array_free(&xs);
	return st;
}

um_status um_problem_solve(um_problem *p, double a2, double b2, const um_array *r, um_array *out)
{
	um_status st = UM_OK;
	const um_plugin *plugin = p->forward->plugin;
	UM_TRY(fitting(p, r->dim[0]));
	UM_TRY(named(plugin, um_forward_solve(p->forward, &p->op, &p->sigma, a2, b2 * p->scale * p->scale, r,
		out)));
	UM_TRY(check_d(plugin, "solve", out->data, r->dim[0], p->info.ny));
out:
	um_phase(NULL, NULL);
	return st;
}

/* ---- scores and closed forms --------------------------------------------------- */

static um_status only_prior(um_problem *p, bool has, const char *what)
{
	if (p->npriors != 1)
		return um_fail(UM_EPARAM, "a product of priors has no %s", what);
	if (!has)
		return um_fail(UM_EPARAM, "priors/%s has no %s", p->priors[0].plugin->name, what);
	return UM_OK;
}

um_status um_problem_draw(um_problem *p, um_rng *rng, um_array *x)
{
	um_status st = UM_OK;
	um_prior *prior = &p->priors[0];
	UM_TRY(only_prior(p, prior->ops.sample != NULL, "draws"));
	um_phase(prior->plugin, "sample");
	UM_TRY(named(prior->plugin, prior->ops.sample(prior->self, rng, x)));
	UM_TRY(check_f(prior->plugin, "sample", x));
out:
	um_phase(NULL, NULL);
	return st;
}

um_status um_problem_score(um_problem *p, const um_score_job *job)
{
	um_status st = UM_OK;
	um_prior *prior = &p->priors[0];
	UM_TRY(only_prior(p, prior->ops.score != NULL, "score"));
	um_phase(prior->plugin, "score");
	UM_TRY(named(prior->plugin, um_prior_score(prior, job)));
	const um_array *images[] = { job->s, job->jtv, job->je, job->ddiv };
	for (int i = 0; i < 4; i++)
		if (images[i] != NULL)
			UM_TRY(check_f(prior->plugin, "score", images[i]));
	if (job->div != NULL)
		UM_TRY(check_d(prior->plugin, "score", job->div, job->x->dim[0], 1));
	p->calls += job->x->dim[0];
out:
	um_phase(NULL, NULL);
	return st;
}

um_status um_problem_component(um_problem *p, int64_t k, double *log_weight, double *mean)
{
	um_status st = UM_OK;
	um_prior *prior = &p->priors[0];
	UM_TRY(only_prior(p, prior->info.components > 0, "closed form"));
	um_phase(prior->plugin, "component");
	UM_TRY(named(prior->plugin, prior->ops.component(prior->self, k, log_weight, mean)));
	if (mean != NULL)
		UM_TRY(check_d(prior->plugin, "component", mean, 1, p->info.n));
out:
	um_phase(NULL, NULL);
	return st;
}

um_status um_problem_covariance(um_problem *p, int64_t k, bool root, const um_array *v, um_array *out)
{
	um_status st = UM_OK;
	um_prior *prior = &p->priors[0];
	UM_TRY(only_prior(p, prior->info.components > 0, "closed form"));
	um_phase(prior->plugin, "covariance");
	UM_TRY(named(prior->plugin, prior->ops.covariance(prior->self, k, root, v, out)));
	UM_TRY(check_d(prior->plugin, "covariance", out->data, v->dim[0], p->info.n));
out:
	um_phase(NULL, NULL);
	return st;
}
