/* SPDX-License-Identifier: GPL-3.0-or-later */
/* hmc against closed forms. "test_hmc toy [setting...]" samples the posterior of two modes at full size from
 * five seeds and prints a line a run (make validate). */
#include <unistd.h>
#include <umbra/chains.h>
#include "mixture.h"
#include "posterior.h"

/* ---- Gaussian posteriors ------------------------------------------------------------------ */

/* The mean of f over samples, which come from the chains in turn, and its standard error. */
static double mean_of(const double *f, int64_t chains, int64_t draws, double *error)
{
	double *x = numbers(chains * draws), sum = 0, square = 0;
	um_convergence c;
	for (int64_t s = 0; s < chains * draws; s++) {
		x[s % chains * draws + s / chains] = f[s];
		sum += f[s] / (double)(chains * draws);
	}
	for (int64_t s = 0; s < chains * draws; s++)
		square += (f[s] - sum) * (f[s] - sum) / (double)(chains * draws);
	CHECK_OK(um_chains(chains, draws, x, &c));
	*error = sqrt(square / c.ess_mean);
	free(x);
	return sum;
}

/* Every mean and covariance within five standard errors, which must be small. */
static void check_gaussian(const dense *d, const um_array *u, int64_t chains)
{
	const int64_t n = d->n, count = u->dim[0];
	known z = dense_solve(d);
	double *f = numbers(count), error, mean;
	for (int64_t i = 0; i < n; i++)
		for (int64_t j = -1; j <= i; j++) { /* -1: the mean */
			for (int64_t s = 0; s < count; s++) {
				const double a = um_row_f(u, s)[i] - z.mean[i];
				f[s] = j < 0 ? a : a * (um_row_f(u, s)[j] - z.mean[j]);
			}
			mean = mean_of(f, chains, count / chains, &error);
			const double sd = sqrt(z.cov[i * n + i] * (j < 0 ? 1 : z.cov[j * n + j]));
			CHECK_NEAR(mean, j < 0 ? 0 : z.cov[i * n + j], 5 * error);
			CHECK(error < 0.1 * sd);
		}
	free(f);
	known_free(&z);
}

static void gaussian(void)
{
	enum { CHAINS = 8, COUNT = 8000 };
	dense d = dense_random(16, 6, 3);
	for (int k = 0; k < 3; k++) {
		keeper g = { 0 };
		CHECK_OK(infer("hmc", k == 0 ? SET("trace=100") : k == 1 ? SET("mass=dense", "start=flat") :
			SET("ladder=[1.0, 1.6, 2.5]"), &d, UM_IDENTITY, COUNT, &g));
		CHECK(g.memory.samples.dim[0] == COUNT);
		check_gaussian(&d, &g.memory.samples, CHAINS);
		CHECK(um_memory_metric(&g.memory, "converged") == 1);
		CHECK(um_memory_metric(&g.memory, "rhat") < 1.01);
		CHECK(um_memory_metric(&g.memory, "ess_bulk") > 1000 && um_memory_metric(&g.memory, "ess_tail") > 1000);
		CHECK(um_memory_metric(&g.memory, "divergences") == 0 && um_memory_metric(&g.memory, "cut_off") == 0);
		CHECK_NEAR(um_memory_metric(&g.memory, "acceptance"), 0.8, 0.1);
		CHECK(um_memory_metric(&g.memory, "draws") == COUNT / CHAINS);
		CHECK(isnan(um_memory_metric(&g.memory, "swaps")) == (k < 2)); /* no ladder, no figure of it */
		CHECK(g.traced == (k == 0 ? 15 : 100));
		keeper_free(&g);
	}
	dense_free(&d);
}

/* Places are swapped between temperatures far apart, where gradients differ as much. */
static void ladder(void)
{
	enum { CHAINS = 8, COUNT = 160000 };
	dense d = dense_random(1, 1, 3);
	keeper k = { 0 };
	CHECK_OK(infer("hmc", SET("ladder=[1.0, 20.0]"), &d, UM_IDENTITY, COUNT, &k));
	check_gaussian(&d, &k.memory.samples, CHAINS);
	CHECK(um_memory_metric(&k.memory, "swaps") > 0.2);
	keeper_free(&k);
	dense_free(&d);
}

/* Numbers of very different scales, seen together: one measurement couples them. Chains start up to a
 * thousand deviations away. */
static void stiff(void)
{
	enum { N = 6, CHAINS = 4, COUNT = 8000 };
	dense d = dense_new(N, 1, 1);
	keeper k = { 0 };
	d.w[0] = 1, d.sigma[0] = 0.5, d.y[0] = 1;
	for (int i = 0; i < N; i++) {
		const double sd = pow(10, -3.0 * i / (N - 1));
		d.s[i * N + i] = sd;
		d.m[i] = 0.3 * i * sd;
		d.a[i] = 1 / sd;
	}
	dense_ready(&d);
	CHECK_OK(infer("hmc", SET("chains=4", "start=flat", "level=1", "draws=2000"), &d, UM_IDENTITY, COUNT, &k));
	check_gaussian(&d, &k.memory.samples, CHAINS);
	CHECK(um_memory_metric(&k.memory, "steps_per_draw") < 16);
	CHECK(um_memory_metric(&k.memory, "converged") == 1);
	keeper_free(&k);
	dense_free(&d);
}

/* ---- other laws -------------------------------------------------------------------------------- */

/* Against quadrature of p(u | y) du = N(y; x, sigma) N(x; m, s) dx: a pixel at its lower end. */
static void softplus(void)
{
	enum { COUNT = 16000 };
	dense d = dense_new(1, 1, 1);
	keeper k = { 0 };
	double norm = 0, want[2] = { 0 }, *f = numbers(COUNT), error;
	d.a[0] = 1, d.sigma[0] = 0.5, d.y[0] = 0.3;
	d.w[0] = 1, d.m[0] = 0.2, d.s[0] = 1;
	dense_ready(&d);
	CHECK_OK(infer("hmc", SET("accept=0.9"), &d, UM_SOFTPLUS, COUNT, &k));
	for (double x = 5e-5; x < 8; x += 1e-4) {
		const double rl = (d.y[0] - x) / d.sigma[0], rp = (x - d.m[0]) / d.s[0];
		const double p = exp(-0.5 * (rl * rl + rp * rp));
		norm += p;
		want[0] += p * x;
		want[1] += p * x * x;
	}
	for (int q = 0; q < 2; q++) {
		for (int64_t s = 0; s < COUNT; s++) {
			const double x = log1p(exp(um_row_f(&k.memory.samples, s)[0]));
			f[s] = q == 0 ? x : x * x;
		}
		const double mean = mean_of(f, 8, COUNT / 8, &error);
		CHECK_NEAR(mean, want[q] / norm, 5 * error);
		CHECK(error < 0.01);
	}
	free(f);
	keeper_free(&k);
	dense_free(&d);
}

static um_status plain_prior(void **self, const void *p, const um_env *env, um_prior_info *info)
{
	(void)env, (void)info;
	*self = (void *)p;
	return UM_OK;
}

static um_status noisy_prior(void **self, const void *p, const um_env *env, um_prior_info *info)
{
	info->estimate = true;
	return plain_prior(self, p, env, info);
}

/* log p is not a number below 0, and that of N(0, 1) above. */
static um_status half_logp(void *self, um_rng *rng, const um_array *x, double *lp, um_array *dx)
{
	(void)self, (void)rng;
	for (int64_t b = 0; b < x->dim[0]; b++) {
		const float v = um_row_f(x, b)[0];
		lp[b] = v < 0 ? NAN : -0.5 * v * v;
		if (dx != NULL)
			um_row_f(dx, b)[0] = -v;
	}
	return UM_OK;
}

/* A funnel (Neal 2003): v ~ N(0, 3^2), the others N(0, e^v). */
static um_status funnel_logp(void *self, um_rng *rng, const um_array *x, double *lp, um_array *dx)
{
	const int64_t n = ((const dense *)self)->n;
	(void)rng;
	for (int64_t b = 0; b < x->dim[0]; b++) {
		const float *u = um_row_f(x, b);
		const double e = exp(-u[0]);
		double sum = 0;
		for (int64_t i = 1; i < n; i++)
			sum += (double)u[i] * u[i];
		lp[b] = -0.5 * u[0] * u[0] / 9 - 0.5 * (double)(n - 1) * u[0] - 0.5 * e * sum;
		for (int64_t i = 1; dx != NULL && i < n; i++)
			um_row_f(dx, b)[i] = (float)(-e * u[i]);
		if (dx != NULL)
			um_row_f(dx, b)[0] = (float)(-u[0] / 9 - 0.5 * (double)(n - 1) + 0.5 * e * sum);
	}
	return UM_OK;
}

/* N(z, 1) with a new z every time. */
static um_status noisy_logp(void *self, um_rng *rng, const um_array *x, double *lp, um_array *dx)
{
	(void)self;
	for (int64_t b = 0; b < x->dim[0]; b++) {
		const double e = um_row_f(x, b)[0] - um_normal(&rng[b]);
		lp[b] = -0.5 * e * e;
		if (dx != NULL)
			um_row_f(dx, b)[0] = (float)-e;
	}
	return UM_OK;
}

#define PRIOR(NAME, CREATE) static const um_prior_ops NAME##_ops = { .create = CREATE, .destroy = dense_leave, \
	.logp = NAME##_logp }; \
	static const um_plugin NAME##_plugin = { UM_HEADER, UM_PRIOR, 0, #NAME, "0", "Test.", "", sizeof(dense), NULL, 0, \
	UM_OPS(NAME##_ops) }
PRIOR(half, plain_prior);
PRIOR(funnel, plain_prior);
PRIOR(noisy, noisy_prior);

/* n numbers that the data say nothing about. */
static dense prior_alone(int64_t n, const um_plugin *prior)
{
	dense d = dense_new(n, 1, 1);
	d.sigma[0] = 1;
	d.prior = prior;
	return d;
}

/* What goes to stderr while hmc runs. */
static char *heard(const char *const *settings, dense *d, int64_t samples, keeper *k)
{
	char *text = calloc(1, 10000);
	FILE *f = tmpfile();
	fflush(stderr);
	const int old = dup(STDERR_FILENO);
	CHECK_FATAL(f != NULL && old >= 0 && dup2(fileno(f), STDERR_FILENO) >= 0);
	const um_status st = infer("hmc", settings, d, UM_IDENTITY, samples, k);
	fflush(stderr);
	dup2(old, STDERR_FILENO);
	close(old);
	CHECK_OK(st);
	rewind(f);
	CHECK(fread(text, 1, 9999, f) < 9999);
	fclose(f);
	return text;
}

static void outside(void)
{
	enum { COUNT = 16000 };
	dense d = prior_alone(1, &half_plugin);
	keeper k = { 0 };
	double *f = numbers(COUNT), error;
	CHECK_OK(infer("hmc", SET("level=1", "spread=0.1"), &d, UM_IDENTITY, COUNT, &k));
	for (int64_t s = 0; s < COUNT; s++) {
		f[s] = um_row_f(&k.memory.samples, s)[0];
		CHECK_FATAL(f[s] >= 0);
	}
	CHECK_NEAR(mean_of(f, 8, COUNT / 8, &error), sqrt(2 / acos(-1)), 5 * error);
	CHECK(error < 0.02);
	keeper_free(&k);
	CHECK_FAILS(infer("hmc", SET("level=1", "spread=100"), &d, UM_IDENTITY, 8, &k), UM_ENUM, "where chain");
	keeper_free(&k);
	free(f);
	dense_free(&d);
}

static void funnel(void)
{
	dense d = prior_alone(10, &funnel_plugin);
	keeper k = { 0 };
	char *text = heard(SET("start=flat", "level=1"), &d, 100, &k);
	CHECK(um_memory_metric(&k.memory, "divergences") > 0 && um_memory_metric(&k.memory, "converged") == 0);
	CHECK(strstr(text, "diverged") != NULL && strstr(text, "accept closer to 1") != NULL);
	keeper_free(&k);
	free(text);
	dense_free(&d);
}

static void estimates(void)
{
	enum { COUNT = 8000 };
	dense d = prior_alone(1, &noisy_plugin);
	keeper k = { 0 };
	double mean = 0, square = 0;
	CHECK_FAILS(infer("hmc", NULL, &d, UM_IDENTITY, 8, &k), UM_EPARAM, "probes = 0");
	CHECK_OK(infer("hmc", SET("estimate=freeze", "start=flat"), &d, UM_IDENTITY, COUNT, &k));
	for (int64_t s = 0; s < COUNT; s++) {
		const double u = um_row_f(&k.memory.samples, s)[0];
		mean += u / COUNT;
		square += u * u / COUNT;
	}
	CHECK_NEAR(square - mean * mean, 1, 0.1); /* of one z; a new one each time would add to it */
	CHECK(um_memory_metric(&k.memory, "acceptance") > 0.7 && um_memory_metric(&k.memory, "rhat") < 1.01);
	keeper_free(&k);
	dense_free(&d);
}

/* ---- two modes ------------------------------------------------------------------------------------- */

#define LADDER "ladder=[1.0, 2.5, 6.0, 15.0, 40.0]"

/* KL of the mixture that fits the samples, and its weight. */
static double toy(const char *const *set, uint64_t seed, int64_t count, keeper *k, double *weight)
{
	const mixture truth = mixture_truth();
	dense d = dense_toy();
	d.seed = seed;
	CHECK_OK(infer("hmc", set, &d, UM_IDENTITY, count, k));
	const mixture fit = mixture_fit(count, k->memory.samples.data);
	*weight = fit.w[0];
	dense_free(&d);
	return mixture_kl(&fit, &truth);
}

static void tempered(void)
{
	keeper k = { 0 };
	double weight, kl = toy(SET(LADDER, "draws=2500", "warmup=301", "trace=2801"), 1, 10000, &k, &weight);
	CHECK(kl < 5e-3); /* equal weights have 0.083; here 0.0010 */
	CHECK_NEAR(weight, mixture_truth().w[0], 0.05);
	CHECK(um_memory_metric(&k.memory, "swaps") > 0.3 && um_memory_metric(&k.memory, "round_trips") > 500);
	CHECK(um_memory_metric(&k.memory, "converged") == 1);
	/* The trace ends with the mean log p(y | u) + log p(u) = log p(u | y) + log p(y), less the constant of the
	 * likelihood, of the last draws. */
	const mixture truth = mixture_truth();
	double density = log(0.7836814324719196) + 0.5 * LOG_2PI_ + log(0.2);
	for (int64_t s = 10000 - 8; s < 10000; s++) {
		const float *u = um_row_f(&k.memory.samples, s);
		const double x[2] = { u[0], u[1] };
		density += mixture_log(&truth, x) / 8;
	}
	CHECK_NEAR(k.last, density, 1e-3);
	keeper_free(&k);
}

/* Chains that cannot cross say so, and those that cross too rarely. */
static void stuck(void)
{
	dense d = dense_toy();
	keeper k = { 0 };
	char *text = heard(NULL, &d, 100, &k);
	CHECK(um_memory_metric(&k.memory, "rhat") > 1.3 && um_memory_metric(&k.memory, "converged") == 0);
	CHECK(um_memory_metric(&k.memory, "ess_bulk") < 100);
	CHECK(strstr(text, "chains disagree") != NULL && strstr(text, "ladder such as") != NULL);
	CHECK(strstr(text, "independent ones") != NULL);
	free(text);
	keeper_free(&k);
	text = heard(SET("ladder=[1.0, 1000.0]"), &d, 100, &k);
	CHECK(um_memory_metric(&k.memory, "swaps") < 0.1);
	CHECK(strstr(text, "put a temperature between") != NULL);
	free(text);
	keeper_free(&k);
	dense_free(&d);
}

/* y = x1 x2: two modes that mirror each other, and a prior N(0, 1) with one. */
static um_status product_model(void **self, const void *p, const um_env *env, um_forward_info *info)
{
	(void)env;
	info->ny = 1;
	*self = (void *)p;
	return UM_OK;
}

static um_status product_apply(void *self, const um_array *op, const um_array *x, const um_array *dx, um_array *y,
	um_array *dy)
{
	(void)self, (void)op;
	for (int64_t b = 0; b < x->dim[0]; b++) {
		const float *u = um_row_f(x, b);
		um_row_d(y, b)[0] = (double)u[0] * u[1];
		if (dx != NULL)
			um_row_d(dy, b)[0] = (double)u[1] * um_row_f(dx, b)[0] + (double)u[0] * um_row_f(dx, b)[1];
	}
	return UM_OK;
}

static um_status product_pullback(void *self, const um_array *op, const um_array *x, const um_array *v, um_array *jtv)
{
	(void)self, (void)op;
	for (int64_t b = 0; b < x->dim[0]; b++)
		for (int i = 0; i < 2; i++)
			um_row_f(jtv, b)[i] = (float)(um_row_d(v, b)[0] * um_row_f(x, b)[1 - i]);
	return UM_OK;
}

static const um_forward_ops product_ops = { .create = product_model, .destroy = dense_leave, .apply = product_apply,
	.pullback = product_pullback };
static const um_plugin product_plugin = { UM_HEADER, UM_FORWARD, 0, "product", "0", "Test.", "", sizeof(dense), NULL, 0,
	UM_OPS(product_ops) };

/* E |x1| of it, by quadrature. */
static double product_mean(const dense *d)
{
	double norm = 0, sum = 0;
	for (double a = -6; a < 6; a += 0.01)
		for (double b = -6; b < 6; b += 0.01) {
			const double e = (d->y[0] - a * b) / d->sigma[0], p = exp(-0.5 * (a * a + b * b + e * e));
			norm += p;
			sum += p * fabs(a);
		}
	return sum / norm;
}

static void what_is_tempered(void)
{
	enum { COUNT = 16000 };
	static const char *const temper[] = { "temper=likelihood", "temper=posterior" };
	dense d = dense_new(2, 1, 1);
	double *sign = numbers(COUNT), *size = numbers(COUNT), error;
	d.forward = &product_plugin;
	d.w[0] = 1, d.sigma[0] = 0.5, d.y[0] = 5;
	d.s[0] = d.s[3] = 1;
	dense_ready(&d);
	for (int k = 0; k < 2; k++) {
		keeper g = { 0 };
		CHECK_OK(infer("hmc", SET("ladder=[1.0, 3.0, 10.0, 30.0, 100.0]", temper[k], "draws=2000"), &d, UM_IDENTITY,
			COUNT, &g));
		for (int64_t s = 0; s < COUNT; s++) {
			sign[s] = um_row_f(&g.memory.samples, s)[0] > 0;
			size[s] = fabs(um_row_f(&g.memory.samples, s)[0]);
		}
		CHECK_NEAR(mean_of(sign, 8, COUNT / 8, &error), 0.5, 5 * error);
		CHECK(error < 0.03);
		CHECK_NEAR(mean_of(size, 8, COUNT / 8, &error), product_mean(&d), 5 * error);
		CHECK(error < 0.02 && um_memory_metric(&g.memory, "rhat") < 1.02);
		keeper_free(&g);
	}
	free(sign), free(size);
	dense_free(&d);
}

/* ---- repetition -------------------------------------------------------------------------------------- */

static void same_bytes(void)
{
	const char *const *set = SET("ladder=[1.0, 4.0]", "warmup=40", "draws=20", "chains=3");
	dense d = dense_random(24, 12, 3);
	keeper one = { 0 }, four = { 0 }, other = { 0 };
	CHECK_OK(infer("hmc", set, &d, UM_SOFTPLUS, 40, &one));
	um_threads(4);
	d.threads = 4;
	CHECK_OK(infer("hmc", set, &d, UM_SOFTPLUS, 40, &four));
	um_threads(1);
	d.seed = 2;
	CHECK_OK(infer("hmc", set, &d, UM_SOFTPLUS, 40, &other));
	const um_array *a = &one.memory.samples, *b = &four.memory.samples, *c = &other.memory.samples;
	CHECK(a->dim[0] == 40 && memcmp(a->data, b->data, sizeof(float) * (size_t)um_array_len(a)) == 0);
	CHECK(memcmp(a->data, c->data, sizeof(float) * (size_t)um_array_len(a)) != 0);
	keeper_free(&one);
	keeper_free(&four);
	keeper_free(&other);
	dense_free(&d);
}

/* Stopped at any point of a trajectory: in the warm-up, while a step size is sought, among the draws. */
static void resume(void)
{
	enum { STOPS = 9 };
	dense d = dense_random(16, 8, 3);
	const char *const *const set[] = {
		SET("warmup=30", "draws=20", "chains=3", "trace=7", "start=flat"),
		SET("warmup=30", "draws=20", "chains=2", "mass=dense"),
		SET("warmup=20", "draws=40", "chains=2", "ladder=[1.0, 1.2, 1.5]"),
	};
	for (int k = 0; k < 3; k++) {
		keeper once = { 0 };
		CHECK_OK(infer("hmc", set[k], &d, k == 0 ? UM_SOFTPLUS : UM_IDENTITY, 24, &once));
		const int64_t calls = once.calls;
		keeper_free(&once);
		for (int i = 0; i < STOPS; i++)
			check_resume("hmc", set[k], &d, k == 0 ? UM_SOFTPLUS : UM_IDENTITY, 24, 2 + i * (calls - 2) / STOPS);
	}
	dense_free(&d);
}

/* What there is when it is stopped, samples spread over the draws, and no more samples than wanted. */
static void deliveries(void)
{
	dense d = dense_random(4, 2, 3);
	keeper all = { 0 }, few = { 0 }, none = { .stop = 1 }, some = { .stop = 400 };
	CHECK_OK(infer("hmc", SET("warmup=30", "chains=3"), &d, UM_IDENTITY, 1500, &all));
	CHECK(um_memory_metric(&all.memory, "draws") == 1000 && all.memory.samples.dim[0] == 1500);
	CHECK_OK(infer("hmc", SET("warmup=30", "chains=3", "draws=5"), &d, UM_IDENTITY, 16, &few));
	CHECK(um_memory_metric(&few.memory, "draws") == 6 && few.memory.samples.dim[0] == 16);
	/* The last of each chain is in the samples: those of all that were spread over 1000 draws are others. */
	CHECK(memcmp(um_row_f(&few.memory.samples, 0), um_row_f(&all.memory.samples, 0), 4 * sizeof(float)) != 0);
	CHECK_FAILS(infer("hmc", NULL, &d, UM_IDENTITY, 8, &none), UM_EINTR, "transition 0");
	CHECK(none.n == 0 && none.memory.samples.data == NULL);
	CHECK_FAILS(infer("hmc", SET("warmup=10", "chains=3"), &d, UM_IDENTITY, 3000, &some), UM_EINTR, "stopped");
	CHECK(some.memory.samples.dim[0] > 30 && some.memory.samples.dim[0] < 1200);
	keeper_free(&all);
	keeper_free(&few);
	keeper_free(&none);
	keeper_free(&some);
	dense_free(&d);
}

static void refusals(void)
{
	dense d = dense_random(2, 1, 3), wide = dense_new(1001, 1, 1);
	keeper k = { 0 };
	static const char *const ladders[] = { "ladder=[2.0, 3.0]", "ladder=[1.0, 3.0, 3.0]", "ladder=[]" };
	for (int i = 0; i < 3; i++)
		CHECK_FAILS(infer("hmc", SET(ladders[i]), &d, UM_IDENTITY, 4, &k), UM_EPARAM, "begins with 1.0");
	CHECK_FAILS(infer("hmc", SET("mass=dense"), &wide, UM_IDENTITY, 4, &k), UM_EPARAM, "at most 1000");
	wide.prior = &half_plugin;
	CHECK_FAILS(infer("hmc", SET("start=draws"), &wide, UM_IDENTITY, 4, &k), UM_EPARAM, "cannot be drawn");
	keeper_free(&k);
	dense_free(&d);
	dense_free(&wide);
}

/* ---- full size ------------------------------------------------------------------------------------------ */

static const char *full[32] = { LADDER, "draws=10000" };

static void full_toy(void)
{
	double sum = 0;
	printf("| seed | KL of the mixture | weight (0.696) | R-hat | bulk size | swaps | round trips |\n"
		"| --- | --- | --- | --- | --- | --- | --- |\n");
	for (uint64_t seed = 1; seed <= 5; seed++) {
		keeper k = { 0 };
		double weight, kl = toy(full, seed, 10000, &k, &weight);
		printf("| %d | %.4f | %.3f | %.4f | %.0f | %.2f | %.0f |\n", (int)seed, kl, weight,
			um_memory_metric(&k.memory, "rhat"), um_memory_metric(&k.memory, "ess_bulk"),
			um_memory_metric(&k.memory, "swaps"), um_memory_metric(&k.memory, "round_trips"));
		fflush(stdout);
		CHECK(kl <= 5e-3);
		sum += kl / 5;
		keeper_free(&k);
	}
	printf("| mean | %.4f | | | | | |\n", sum);
	CHECK(sum <= 5e-3);
}

int main(int argc, char **argv)
{
	const check_case small[] = { CHECK_CASE(gaussian), CHECK_CASE(ladder), CHECK_CASE(stiff), CHECK_CASE(softplus),
		CHECK_CASE(outside), CHECK_CASE(funnel), CHECK_CASE(estimates), CHECK_CASE(tempered), CHECK_CASE(stuck),
		CHECK_CASE(what_is_tempered), CHECK_CASE(same_bytes), CHECK_CASE(resume), CHECK_CASE(deliveries),
		CHECK_CASE(refusals) };
	const check_case toys[] = { CHECK_CASE(full_toy) };
	for (int i = 2; i < argc && i < 30; i++)
		full[i] = argv[i];
	if (argc > 1)
		return check_run("full size", toys, 1);
	return check_run(__FILE__, small, sizeof(small) / sizeof(*small));
}
