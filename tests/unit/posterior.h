/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Problems whose posterior is known: y = A x + sigma n with a dense A and a mixture prior of
 * dense Gaussians, as plugins inside the test, and the dense formulas for the posterior. Also a
 * sink that interrupts and keeps the checkpoint in memory. */
#ifndef TESTS_POSTERIOR_H
#define TESTS_POSTERIOR_H

#include <umbra/linalg.h>
#include "plug.h"

#define LOG_2PI_ 1.8378770664093453

/* ---- the problem -------------------------------------------------------------- */

/* Component k: weight w[k], mean m[k], root s[k] with C = S S^T (row-major, [n][n]). */
typedef struct dense {
	int64_t n, ny, parts;
	double *a, *sigma, *y;
	double *w, *m, *s;
	double *l;             /* Cholesky factors of C_k */
	uint64_t seed;         /* of the run; 0: 1 */
	int threads;           /* 0: 1 */
	const um_plugin *forward, *prior; /* NULL: A x, the mixture */
} dense;

static inline double *numbers(int64_t n)
{
	return calloc((size_t)n, sizeof(double));
}

static inline dense dense_new(int64_t n, int64_t ny, int64_t parts)
{
	return (dense){ n, ny, parts, numbers(ny * n), numbers(ny), numbers(ny), numbers(parts),
		numbers(parts * n), numbers(parts * n * n), numbers(parts * n * n), 0, 0, NULL, NULL };
}

static inline void dense_free(dense *d)
{
	free(d->a), free(d->sigma), free(d->y), free(d->w), free(d->m), free(d->s), free(d->l);
}

/* Call it when a, sigma, y, w, m and s are set. */
static inline void dense_ready(dense *d)
{
	const int64_t n = d->n;
	for (int64_t k = 0; k < d->parts; k++) {
		um_gemm(false, true, n, n, n, d->s + k * n * n, d->s + k * n * n, d->l + k * n * n);
		CHECK_OK(um_cholesky(n, d->l + k * n * n));
	}
}

/* Correlated pixels of standard deviation near 1, an A of random rows, y from the model. */
static inline dense dense_random(int64_t n, int64_t ny, uint64_t seed)
{
	dense d = dense_new(n, ny, 1);
	um_rng r = um_rng_new(seed, "dense", 0);
	double *x = numbers(n), *v = numbers(n);
	d.w[0] = 1;
	for (int64_t i = 0; i < n; i++) {
		d.m[i] = um_normal(&r);
		for (int64_t j = 0; j <= i; j++)
			d.s[i * n + j] = i == j ? 0.8 : 0.5 * um_normal(&r) / sqrt((double)n);
	}
	um_normal_fill(&r, d.a, ny * n);
	um_normal_fill(&r, v, n);
	um_gemv(false, n, n, d.s, v, x);
	for (int64_t i = 0; i < ny * n; i++)
		d.a[i] /= sqrt((double)n);
	for (int64_t i = 0; i < n; i++)
		x[i] += d.m[i];
	um_gemv(false, ny, n, d.a, x, d.y);
	for (int64_t i = 0; i < ny; i++) {
		d.sigma[i] = 0.1 + 0.2 * um_uniform(&r);
		d.y[i] += d.sigma[i] * um_normal(&r);
	}
	dense_ready(&d);
	free(x), free(v);
	return d;
}

/* The two-dimensional toy: two Gaussians of variance 0.01 and one measurement. */
static inline dense dense_toy(void)
{
	dense d = dense_new(2, 1, 2);
	d.a[0] = -2, d.a[1] = 1.7, d.sigma[0] = 0.2, d.y[0] = 0.3;
	d.w[0] = d.w[1] = 0.5;
	d.m[0] = d.m[1] = -0.5, d.m[2] = d.m[3] = 0.5;
	d.s[0] = d.s[3] = d.s[4] = d.s[7] = 0.1;
	dense_ready(&d);
	return d;
}

/* Posterior of a single Gaussian: precision P = C^-1 + A^T A / sigma^2, Cholesky factor of P,
 * covariance and mean; log p(y) = log p(y | mean) + log p(mean) - log p(mean | y). */
typedef struct known { double *p, *l, *cov, *mean, log_evidence; } known;

static inline double quadratic(int64_t n, const double *p, const double *v)
{
	double *pv = numbers(n), q;
	um_gemv(false, n, n, p, v, pv);
	q = um_dot(n, v, pv);
	free(pv);
	return q;
}

static inline known dense_solve(const dense *d)
{
	const int64_t n = d->n, ny = d->ny;
	known z = { numbers(n * n), numbers(n * n), numbers(n * n), numbers(n), 0 };
	double *w = numbers(ny), *inv = numbers(n * n), *b = numbers(n), *t = numbers(n), *r = numbers(ny);
	for (int64_t k = 0; k < ny; k++)
		w[k] = 1 / (d->sigma[k] * d->sigma[k]);
	for (int64_t i = 0; i < n; i++)
		inv[i * n + i] = z.cov[i * n + i] = 1;
	um_cholesky_solve(n, d->l, n, inv);
	um_gemv(false, n, n, inv, d->m, b);
	for (int64_t i = 0; i < n; i++)
		for (int64_t j = 0; j < n; j++) {
			z.p[i * n + j] = inv[i * n + j];
			for (int64_t k = 0; k < ny; k++)
				z.p[i * n + j] += d->a[k * n + i] * d->a[k * n + j] * w[k];
		}
	for (int64_t i = 0; i < n; i++)
		for (int64_t k = 0; k < ny; k++)
			b[i] += d->a[k * n + i] * d->y[k] * w[k];
	memcpy(z.l, z.p, sizeof(double) * (size_t)(n * n));
	CHECK_OK(um_cholesky(n, z.l));
	memcpy(z.mean, b, sizeof(double) * (size_t)n);
	um_cholesky_solve(n, z.l, 1, z.mean);
	um_cholesky_solve(n, z.l, n, z.cov);
	um_gemv(false, ny, n, d->a, z.mean, r);
	for (int64_t i = 0; i < n; i++)
		t[i] = z.mean[i] - d->m[i];
	z.log_evidence = -0.5 * (quadratic(n, inv, t) + um_cholesky_log_det(n, d->l) +
		um_cholesky_log_det(n, z.l));
	for (int64_t k = 0; k < ny; k++) {
		double e = (d->y[k] - r[k]) / d->sigma[k];
		z.log_evidence -= 0.5 * (e * e + LOG_2PI_) + log(d->sigma[k]);
	}
	free(w), free(inv), free(b), free(t), free(r);
	return z;
}

static inline void known_free(known *z)
{
	free(z->p), free(z->l), free(z->cov), free(z->mean);
}

/* ---- as plugins ------------------------------------------------------------------ */

static um_status dense_model(void **self, const void *p, const um_env *env, um_forward_info *info)
{
	const dense *d = p;
	(void)env;
	info->ny = d->ny;
	info->linear = true;
	*self = (void *)d;
	return UM_OK;
}

static um_status dense_prior(void **self, const void *p, const um_env *env, um_prior_info *info)
{
	const dense *d = p;
	(void)env;
	info->components = d->parts;
	info->normalised = true;
	*self = (void *)d;
	return UM_OK;
}

static void dense_leave(void *self)
{
	(void)self;
}

static um_status dense_apply(void *self, const um_array *op, const um_array *x, const um_array *dx,
	um_array *y, um_array *dy)
{
	const dense *d = self;
	const um_array *in[] = { x, dx };
	um_array *out[] = { y, dy };
	(void)op;
	for (int s = 0; s < 2; s++)
		for (int64_t b = 0; in[s] != NULL && b < x->dim[0]; b++)
			for (int64_t k = 0; k < d->ny; k++) {
				double sum = 0;
				for (int64_t i = 0; i < d->n; i++)
					sum += d->a[k * d->n + i] * um_row_f(in[s], b)[i];
				um_row_d(out[s], b)[k] = sum;
			}
	return UM_OK;
}

static um_status dense_pullback(void *self, const um_array *op, const um_array *x, const um_array *v,
	um_array *jtv)
{
	const dense *d = self;
	double *out = numbers(d->n);
	(void)op;
	for (int64_t b = 0; b < x->dim[0]; b++) {
		um_gemv(true, d->ny, d->n, d->a, um_row_d(v, b), out);
		for (int64_t i = 0; i < d->n; i++)
			um_row_f(jtv, b)[i] = (float)out[i];
	}
	free(out);
	return UM_OK;
}

static um_status dense_noise(void *self, um_array *sigma, um_array *op)
{
	const dense *d = self;
	(void)op;
	memcpy(sigma->data, d->sigma, sizeof(double) * (size_t)d->ny);
	return UM_OK;
}

/* log w_k N(x; m_k, C_k), and C_k^-1 (m_k - x) into g. */
static inline double dense_part(const dense *d, int64_t k, const float *x, double *g)
{
	const int64_t n = d->n;
	const double *l = d->l + k * n * n;
	double *r = numbers(n), q;
	for (int64_t i = 0; i < n; i++)
		g[i] = r[i] = d->m[k * n + i] - x[i];
	um_cholesky_solve(n, l, 1, g);
	q = um_dot(n, r, g);
	free(r);
	return log(d->w[k]) - 0.5 * (q + um_cholesky_log_det(n, l) + (double)n * LOG_2PI_);
}

static um_status dense_logp(void *self, um_rng *rng, const um_array *x, double *lp, um_array *dx)
{
	const dense *d = self;
	double *g = numbers(d->parts * d->n), *part = numbers(d->parts);
	(void)rng;
	for (int64_t b = 0; b < x->dim[0]; b++) {
		for (int64_t k = 0; k < d->parts; k++)
			part[k] = dense_part(d, k, um_row_f(x, b), g + k * d->n);
		lp[b] = um_log_sum_exp(d->parts, part);
		for (int64_t i = 0; dx != NULL && i < d->n; i++) {
			double sum = 0;
			for (int64_t k = 0; k < d->parts; k++)
				sum += exp(part[k] - lp[b]) * g[k * d->n + i];
			um_row_f(dx, b)[i] = (float)sum;
		}
	}
	free(g), free(part);
	return UM_OK;
}

static um_status dense_component(void *self, int64_t k, double *log_weight, double *mean)
{
	const dense *d = self;
	*log_weight = log(d->w[k]);
	if (mean != NULL)
		memcpy(mean, d->m + k * d->n, sizeof(double) * (size_t)d->n);
	return UM_OK;
}

static um_status dense_covariance(void *self, int64_t k, bool root, const um_array *v, um_array *out)
{
	const dense *d = self;
	const double *s = d->s + k * d->n * d->n;
	double *t = numbers(d->n);
	for (int64_t b = 0; b < v->dim[0]; b++) {
		um_gemv(true, d->n, d->n, s, um_row_d(v, b), t);
		um_gemv(false, d->n, d->n, s, root ? um_row_d(v, b) : t, um_row_d(out, b));
	}
	free(t);
	return UM_OK;
}

static um_status dense_sample(void *self, um_rng *rng, um_array *x)
{
	const dense *d = self;
	double *z = numbers(d->n), *t = numbers(d->n);
	for (int64_t b = 0; b < x->dim[0]; b++) {
		double left = d->parts > 1 ? um_uniform(&rng[b]) : 0;
		int64_t k = 0;
		for (; k + 1 < d->parts && left > d->w[k]; k++)
			left -= d->w[k];
		um_normal_fill(&rng[b], z, d->n);
		um_gemv(false, d->n, d->n, d->s + k * d->n * d->n, z, t);
		for (int64_t i = 0; i < d->n; i++)
			um_row_f(x, b)[i] = (float)(d->m[k * d->n + i] + t[i]);
	}
	free(z), free(t);
	return UM_OK;
}

static const um_forward_ops dense_forward_ops = { .create = dense_model, .destroy = dense_leave,
	.apply = dense_apply, .pullback = dense_pullback, .noise = dense_noise };
static const um_prior_ops dense_prior_ops = { .create = dense_prior, .destroy = dense_leave,
	.logp = dense_logp, .sample = dense_sample, .component = dense_component, .covariance = dense_covariance };
static const um_plugin dense_forward_plugin = { UM_HEADER, UM_FORWARD, 0, "dense", "0", "Test.", "",
	sizeof(dense), NULL, 0, UM_OPS(dense_forward_ops) };
static const um_plugin dense_prior_plugin = { UM_HEADER, UM_PRIOR, 0, "dense", "0", "Test.", "",
	sizeof(dense), NULL, 0, UM_OPS(dense_prior_ops) };

/* ---- a sink that interrupts --------------------------------------------------------- */

/* Keeps samples and metrics; answers the calls stop and save (from 1) of progress. */
typedef struct keeper {
	um_memory memory;
	int64_t calls, stop, save, traced, room;
	double last; /* first figure of the last row of the trace */
	int n;
	um_array kept[24];
} keeper;

static um_answer keeper_progress(void *state, int64_t done, int64_t total, double loss)
{
	keeper *k = state;
	(void)loss;
	CHECK(done >= 0 && done <= total);
	k->calls++;
	return k->calls == k->stop ? UM_STOP : k->calls == k->save ? UM_SAVE : UM_GO;
}

/* Room doubles, so that many small batches do not copy what is there each time. */
static um_status keeper_samples(void *state, const um_array *u, const double *logq)
{
	keeper *k = state;
	um_array *all = &k->memory.samples, bigger = { 0 };
	int64_t old = all->data != NULL ? all->dim[0] : 0, now = old + u->dim[0], dim[UM_MAXRANK];
	if (now > k->room) {
		memcpy(dim, u->dim, sizeof(dim));
		k->room = dim[0] = 2 * now;
		CHECK_OK(um_array_new(&bigger, UM_F32, u->rank, dim));
		if (old > 0)
			memcpy(bigger.data, all->data, sizeof(float) * (size_t)um_array_len(all));
		um_array_free(all);
		*all = bigger;
		k->memory.logq = realloc(k->memory.logq, sizeof(double) * (size_t)k->room);
	}
	all->dim[0] = now;
	memcpy(um_row_f(all, old), u->data, sizeof(float) * (size_t)um_array_len(u));
	for (int64_t b = 0; logq != NULL && b < u->dim[0]; b++)
		k->memory.logq[old + b] = logq[b];
	return UM_OK;
}

static um_status keeper_metric(void *state, const char *name, double value)
{
	keeper *k = state;
	return um_memory_sink(&k->memory).ops->metric(&k->memory, name, value);
}

static um_status keeper_trace(void *state, int64_t step, int n, const char *const names[],
	const double values[])
{
	keeper *k = state;
	CHECK(step > 0 && n > 0 && names[0] != NULL && isfinite(values[0]));
	k->traced++;
	k->last = values[0];
	return UM_OK;
}

static um_status keeper_checkpoint(void *state, int n, const char *const names[], const um_array *const a[])
{
	keeper *k = state;
	(void)names;
	for (int i = 0; i < n; i++) {
		um_array_free(&k->kept[i]);
		CHECK_OK(um_array_new(&k->kept[i], a[i]->dtype, a[i]->rank, a[i]->dim));
		CHECK_OK(um_array_copy(&k->kept[i], a[i]));
	}
	k->n = n;
	return UM_OK;
}

static um_status keeper_restore(void *state, int n, const char *const names[], um_array *const a[],
	bool *found)
{
	keeper *k = state;
	(void)names;
	*found = k->n == n;
	for (int i = 0; *found && i < n; i++)
		CHECK_OK(um_array_copy(a[i], &k->kept[i]));
	return UM_OK;
}

static inline um_sink keeper_sink(keeper *k)
{
	static const um_sink_ops ops = { .progress = keeper_progress, .samples = keeper_samples,
		.metric = keeper_metric, .trace = keeper_trace, .checkpoint = keeper_checkpoint,
		.restore = keeper_restore };
	return (um_sink){ &ops, k };
}

static inline void keeper_free(keeper *k)
{
	um_memory_free(&k->memory);
	for (int i = 0; i < k->n; i++)
		um_array_free(&k->kept[i]);
	*k = (keeper){ 0 };
}

/* ---- running an inference plugin -------------------------------------------------------- */

static inline um_status infer(const char *name, const char *const *settings, dense *d,
	um_transform transform, int64_t samples, keeper *k)
{
	const um_plugin *p = plug_open("plugins/inference", name);
	um_env env = plug_env(1, 1, d->n);
	um_params *params = NULL;
	um_forward f = { 0 };
	um_prior prior = { 0 };
	um_inference inference = { 0 };
	um_problem *problem = NULL;
	um_sink sink = keeper_sink(k);
	const int64_t row[2] = { 1, d->ny }, none[2] = { 1, 0 };
	um_array y = um_array_view(d->y, UM_F64, 2, row), s = um_array_view(d->sigma, UM_F64, 2, row);
	um_array op = um_array_view(d->y, UM_F64, 2, none);
	um_status st = UM_OK;
	env.transform = transform;
	env.seed = d->seed > 0 ? d->seed : env.seed;
	env.threads = d->threads > 0 ? d->threads : env.threads;
	UM_TRY(plug_params(p, settings, &params));
	UM_TRY(um_forward_open(d->forward != NULL ? d->forward : &dense_forward_plugin, d, &env, &f));
	UM_TRY(um_prior_open(d->prior != NULL ? d->prior : &dense_prior_plugin, d, &env, &prior));
	UM_TRY(um_inference_open(p, um_params_data(params), &env, &inference));
	const char *refusal = um_cell_refusal(&inference, &f, &prior, 1);
	if (refusal != NULL)
		UM_TRY(um_fail(UM_EPARAM, "%s", refusal));
	UM_TRY(um_problem_new(&f, &prior, 1, &y, &s, &op, samples, "cell", &problem));
	st = inference.ops.run(inference.self, problem, &sink);
out:
	um_problem_free(problem);
	um_inference_close(&inference);
	um_prior_close(&prior);
	um_forward_close(&f);
	um_params_free(params);
	return st;
}

/* An interrupted and resumed run delivers what one run does. */
static inline void check_resume(const char *name, const char *const *settings, dense *d,
	um_transform transform, int64_t samples, int64_t stop)
{
	keeper whole = { 0 }, broken = { .stop = stop };
	CHECK_OK(infer(name, settings, d, transform, samples, &whole));
	CHECK_FAILS(infer(name, settings, d, transform, samples, &broken), UM_EINTR, "stopped");
	CHECK(broken.n > 0);
	um_memory_free(&broken.memory);
	broken.room = 0;
	CHECK_OK(infer(name, settings, d, transform, samples, &broken));
	const um_array *a = &whole.memory.samples, *b = &broken.memory.samples;
	CHECK(um_array_len(a) == um_array_len(b));
	CHECK(memcmp(a->data, b->data, sizeof(float) * (size_t)um_array_len(a)) == 0);
	CHECK(whole.memory.nmetrics == broken.memory.nmetrics);
	for (int i = 0; i < whole.memory.nmetrics; i++) {
		double v = whole.memory.metric[i].value;
		double w = um_memory_metric(&broken.memory, whole.memory.metric[i].name);
		CHECK(v == w || (isnan(v) && isnan(w)));
	}
	keeper_free(&whole);
	keeper_free(&broken);
}

#endif
