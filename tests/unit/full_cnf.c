/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Amortized sampling (inference/cnf) at full size against closed forms, as lines of tables: "full_cnf gaussian
 * [setting...]" fits 64 numbers, "blind" 64 pixels whose noise level it is not told, "width" 64
 * that were blurred by it is not told how much, "toy" two modes whose weights depend on the
 * measurement, "steps" times a step with and without a condition. */
#include "cnf.h"

/* ---- full size ---------------------------------------------------------------------------------------- */

static const char *full[32]; /* settings of the command line */

/* Settings of a case, then those of the command line. */
static const char *const *with(const char *const *usual)
{
	static const char *all[64];
	int n = 0;
	for (; *usual != NULL; usual++)
		all[n++] = *usual;
	for (int i = 0; full[i] != NULL; i++)
		all[n++] = full[i];
	all[n] = NULL;
	return all;
}

/* 64 numbers: means, standard deviations, and ranks of the truth among samples (Talts et al. 2018, arXiv:1804.06788), which
 * are uniform. */
static void full_gaussian(void)
{
	enum { SIZE = 64, SAMPLES = 1000, MANY = 200, BINS = 20 };
	dense d = dense_random(SIZE, 48, 5);
	bench b;
	double x[SIZE], mean = 0, sd = 0, worst = 0, k = 0, ess = 0, rate = 0;
	int uniform = 0, fired = 0;
	static double ranks[SIZE][BINS];
	bench_dense(&b, &d, NULL, NULL);
	const double begun = um_clock();
	const double loss = learn(&b, with(SET("steps=1500", "rate=0.002")));
	const double took = um_clock() - begun;
	for (int j = 0; j < MANY; j++) {
		um_memory m = { 0 };
		measure(&d, (uint64_t)j, x);
		CHECK_OK(sample(&b, d.y, d.sigma, d.y, SAMPLES, NULL, &m));
		const errors e = compare(&d, &m.samples);
		mean += e.mean * e.mean / MANY, sd += e.sd * e.sd / MANY, worst = fmax(worst, e.worst);
		for (int64_t i = 0; i < SIZE; i++) {
			int below = 0;
			for (int64_t s = 0; s < SAMPLES; s++)
				below += um_row_f(&m.samples, s)[i] < x[i];
			ranks[i][below * BINS / (SAMPLES + 1)]++;
		}
		k += um_memory_metric(&m, "pareto_k") / MANY, ess += um_memory_metric(&m, "importance_ess") / MANY;
		rate = um_memory_metric(&m, "draws_per_second");
		fired += um_memory_metric(&m, "alarm") > 0;
		um_memory_free(&m);
	}
	for (int i = 0; i < SIZE; i++) {
		double chi2 = 0;
		for (int r = 0; r < BINS; r++)
			chi2 += pow(ranks[i][r] - (double)MANY / BINS, 2) / ((double)MANY / BINS);
		uniform += chi2 < 36.19; /* which 99 % of chi-squares of 19 degrees of freedom are */
	}
	printf("| %.3f | %.3f | %.3f | %d of %d | %.2f | %.2f | %d of %d | %.2f | %.0f | %.0f |\n", sqrt(mean), sqrt(sd), worst, uniform, SIZE,
		k, ess, fired, MANY, loss, took, rate);
	CHECK(sqrt(mean) < 0.08 && sqrt(sd) < 0.15 && uniform >= 61 && fired <= 12);
	bench_free(&b);
	dense_free(&d);
}

/* Adds the mean squares of errors of n pixels of samples: of their means, in units of the prior's deviation s, and of their
 * deviations, relative, against (mean, variance) of each in turn. */
static void add_errors(const um_array *samples, int64_t n, const double *want, double s, double *mean, double *sd)
{
	for (int64_t i = 0; i < n; i++) {
		double at, width;
		moments(samples, i, &at, &width);
		*mean += pow((at - want[2 * i]) / s, 2) / (double)n;
		*sd += pow(width / sqrt(want[2 * i + 1]) - 1, 2) / (double)n;
	}
}

/* Of flows that are not told all. */
static void judge(double mean, double sd, double took)
{
	printf("| %.3f | %.3f | %.0f |\n", sqrt(mean), sqrt(sd), took);
	CHECK(sqrt(mean) < 0.15 && sqrt(sd) < 0.15);
}

/* Pixels N(0.5, 0.2^2) with noise whose level sigma is anywhere between 0.1 and 0.5. Given sigma the posterior of a pixel
 * is N(m + g (y - m), g sigma^2) with g = 0.2^2 / (0.2^2 + sigma^2); the posterior of sigma, of y of all pixels, is summed up.
 * (mean, variance) of pixel i, in turn. */
static void blind_posterior(int64_t n, const double *y, double *out)
{
	enum { GRID = 400 };
	const double m = 0.5, s2 = 0.2 * 0.2;
	double logp[GRID], g[GRID], v[GRID], most = -INFINITY, sum = 0, square = 0, eg = 0, egg = 0, ev = 0;
	for (int64_t i = 0; i < n; i++)
		square += (y[i] - m) * (y[i] - m);
	for (int k = 0; k < GRID; k++) {
		const double sigma = 0.1 + 0.4 * (k + 0.5) / GRID, all = s2 + sigma * sigma;
		g[k] = s2 / all;
		v[k] = g[k] * sigma * sigma;
		logp[k] = -0.5 * (double)n * log(all) - 0.5 * square / all;
		most = fmax(most, logp[k]);
	}
	for (int k = 0; k < GRID; k++) {
		const double w = exp(logp[k] - most);
		sum += w, eg += w * g[k], egg += w * g[k] * g[k], ev += w * v[k];
	}
	eg /= sum, egg /= sum, ev /= sum;
	for (int64_t i = 0; i < n; i++) {
		out[2 * i] = m + eg * (y[i] - m);
		out[2 * i + 1] = ev + (egg - eg * eg) * (y[i] - m) * (y[i] - m);
	}
}

static void full_blind(void)
{
	enum { SIZE = 64, SAMPLES = 1000, MANY = 200 };
	bench b;
	double mean = 0, sd = 0;
	bench_plugins(&b, plug_env(1, 8, 8), "denoise", SET("levels=[0.1, 0.5]"), "gaussian", SET("mean=0.5", "sigma=0.2"), false);
	const double begun = um_clock();
	learn(&b, with(SET("blind=true", "steps=6000", "rate=0.002")));
	const double took = um_clock() - begun;
	for (int j = 0; j < MANY; j++) {
		um_rng r = um_rng_new(78, "measurements", (uint64_t)j);
		const double level = 0.1 + 0.4 * um_uniform(&r);
		double y[SIZE], sigma[SIZE], want[2 * SIZE];
		um_memory m = { 0 };
		for (int i = 0; i < SIZE; i++) {
			const double x = 0.5 + 0.2 * um_normal(&r);
			y[i] = x + level * um_normal(&r);
			sigma[i] = level;
		}
		blind_posterior(SIZE, y, want);
		CHECK_OK(sample(&b, y, sigma, y, SAMPLES, NULL, &m));
		add_errors(&m.samples, SIZE, want, 0.2, &mean, &sd);
		um_memory_free(&m);
	}
	judge(mean / MANY, sd / MANY, took);
	bench_free(&b);
}

/* The same pixels blurred by a Gaussian of any width between 0.7 and 1.5, noise of 0.05. Given the width the posterior is a
 * Gaussian; that of the width, of y of all pixels, is summed up over so many. */
enum { WIDTHS = 40, BLURRED = 64 };

typedef struct blurs {
	double a[WIDTHS][BLURRED * BLURRED];    /* y = A x + n */
	double l[WIDTHS][BLURRED * BLURRED];    /* L L^T, the covariance of y */
	double gain[WIDTHS][BLURRED * BLURRED]; /* x - m on average: gain (y - A m) */
	double left[WIDTHS][BLURRED];           /* variances */
} blurs;

static double width_of(int k)
{
	return 0.7 + 0.8 * (k + 0.5) / WIDTHS;
}

static void blurred(const bench *b, double width, const double *x, double *y)
{
	um_array image, op, out;
	const int64_t one[2] = { 1, 1 }, row[2] = { 1, BLURRED };
	CHECK_OK(um_env_images(&b->env, 1, &image));
	op = um_array_view(&width, UM_F64, 2, one);
	out = um_array_view(y, UM_F64, 2, row);
	for (int i = 0; i < BLURRED; i++)
		um_row_f(&image, 0)[i] = (float)x[i];
	CHECK_OK(b->forward.ops.apply(b->forward.self, &op, &image, NULL, &out, NULL));
	um_array_free(&image);
}

static void put_blurs(const bench *b, double s2, double n2, blurs *t)
{
	double pixel[BLURRED], y[BLURRED], rows[BLURRED * BLURRED];
	for (int k = 0; k < WIDTHS; k++) {
		double *a = t->a[k], *l = t->l[k], *gain = t->gain[k];
		for (int j = 0; j < BLURRED; j++) {
			for (int i = 0; i < BLURRED; i++)
				pixel[i] = i == j;
			blurred(b, width_of(k), pixel, y);
			for (int i = 0; i < BLURRED; i++)
				a[i * BLURRED + j] = rows[j * BLURRED + i] = y[i];
		}
		um_gemm(false, true, BLURRED, BLURRED, BLURRED, a, a, l);
		for (int i = 0; i < BLURRED; i++)
			for (int j = 0; j < BLURRED; j++)
				l[i * BLURRED + j] = s2 * l[i * BLURRED + j] + (i == j ? n2 : 0);
		CHECK_OK(um_cholesky(BLURRED, l));
		um_cholesky_solve(BLURRED, l, BLURRED, rows); /* A^T C^-1 */
		for (int i = 0; i < BLURRED; i++) {
			t->left[k][i] = s2;
			for (int j = 0; j < BLURRED; j++) {
				gain[i * BLURRED + j] = s2 * rows[i * BLURRED + j];
				t->left[k][i] -= s2 * gain[i * BLURRED + j] * a[j * BLURRED + i];
			}
		}
	}
}

/* (mean, variance) of each pixel, in turn. */
static void width_posterior(const blurs *t, double m, const double *y, double *out)
{
	static double mean[WIDTHS][BLURRED];
	double logp[WIDTHS], flat[BLURRED], r[BLURRED], solved[BLURRED], all;
	for (int i = 0; i < BLURRED; i++)
		flat[i] = m;
	for (int k = 0; k < WIDTHS; k++) {
		um_gemv(false, BLURRED, BLURRED, t->a[k], flat, r);
		for (int i = 0; i < BLURRED; i++)
			solved[i] = r[i] = y[i] - r[i];
		um_gemv(false, BLURRED, BLURRED, t->gain[k], r, mean[k]);
		um_cholesky_solve(BLURRED, t->l[k], 1, solved);
		logp[k] = -0.5 * um_dot(BLURRED, r, solved) - 0.5 * um_cholesky_log_det(BLURRED, t->l[k]);
	}
	all = um_log_sum_exp(WIDTHS, logp);
	for (int i = 0; i < BLURRED; i++) {
		double e = 0, square = 0, v = 0;
		for (int k = 0; k < WIDTHS; k++) {
			const double w = exp(logp[k] - all);
			e += w * mean[k][i], square += w * mean[k][i] * mean[k][i], v += w * t->left[k][i];
		}
		out[2 * i] = m + e;
		out[2 * i + 1] = v + square - e * e;
	}
}

static void full_width(void)
{
	enum { SAMPLES = 1000, MANY = 200 };
	const double m = 0.5, s = 0.2, noise = 0.05;
	static blurs t;
	bench b;
	double mean = 0, sd = 0, sigma[BLURRED];
	bench_plugins(&b, plug_env(1, 8, 8), "blur", SET("boundary=reflecting", "widths=[0.7, 1.5]", "sigma=0.05"), "gaussian",
		SET("mean=0.5", "sigma=0.2"), false);
	put_blurs(&b, s * s, noise * noise, &t);
	for (int i = 0; i < BLURRED; i++)
		sigma[i] = noise;
	const double begun = um_clock();
	learn(&b, with(SET("blind=true", "steps=6000", "rate=0.002")));
	const double took = um_clock() - begun;
	for (int j = 0; j < MANY; j++) {
		um_rng r = um_rng_new(79, "measurements", (uint64_t)j);
		const double width = 0.7 + 0.8 * um_uniform(&r);
		double x[BLURRED], y[BLURRED], want[2 * BLURRED];
		um_memory k = { 0 };
		for (int i = 0; i < BLURRED; i++)
			x[i] = m + s * um_normal(&r);
		blurred(&b, width, x, y);
		for (int i = 0; i < BLURRED; i++)
			y[i] += noise * um_normal(&r);
		width_posterior(&t, m, y, want);
		CHECK_OK(sample(&b, y, sigma, &width, SAMPLES, NULL, &k));
		add_errors(&k.samples, BLURRED, want, s, &mean, &sd);
		um_memory_free(&k);
	}
	judge(mean / MANY, sd / MANY, took);
	bench_free(&b);
}

/* Two narrow Gaussians at +-(0.5, 0.5) and y = -2 x1 + 1.7 x2 + 0.2 n: the weight of the upper one, given y. */
static double upper(double y)
{
	const double var = 0.2 * 0.2 + 0.01 * (2 * 2 + 1.7 * 1.7), at = 0.5 * (-2 + 1.7);
	return 1 / (1 + exp((pow(y - at, 2) - pow(y + at, 2)) / (2 * var)));
}

static void full_toy(void)
{
	enum { SAMPLES = 4000 };
	bench b;
	double worst = 0, ess = 1;
	const double sigma = 0.2, begun = um_clock();
	open_toy(&b);
	learn(&b, with(SET("steps=4000", "batch=256", "couplings=16", "hidden=32")));
	const double took = um_clock() - begun;
	for (int i = -10; i <= 10; i++) {
		const double y = 0.1 * i + (i < 10 ? 0.0025 : -0.0025); /* none of those of training */
		um_memory m = { 0 };
		double weight = 0;
		CHECK_OK(sample(&b, &y, &sigma, &y, SAMPLES, NULL, &m));
		for (int64_t s = 0; s < SAMPLES; s++)
			weight += um_row_f(&m.samples, s)[0] + um_row_f(&m.samples, s)[1] > 0;
		worst = fmax(worst, fabs(weight / SAMPLES - upper(y)));
		ess = fmin(ess, um_memory_metric(&m, "importance_ess"));
		um_memory_free(&m);
	}
	printf("| %.4f | %.2f | %.0f |\n", worst, ess, took);
	CHECK(worst < 0.05);
	bench_free(&b);
}

/* ---- seconds a step ---------------------------------------------------------------------------------------- */

/* Times between calls of progress for steps that were made. */
typedef struct watch {
	int64_t n, last;
	double at, took[64];
} watch;

static um_answer watch_progress(void *state, int64_t done, int64_t total, double loss)
{
	watch *w = state;
	const double now = um_clock();
	(void)total, (void)loss;
	if (done == w->last + 1 && w->last > 0 && w->n < 64)
		w->took[w->n++] = now - w->at;
	w->last = done;
	w->at = now;
	return UM_GO;
}

/* Of the quickest step: what others do on the machine can only make it slower. */
static double quickest(watch *w)
{
	double v = INFINITY;
	for (int64_t i = 0; i < w->n; i++)
		v = fmin(v, w->took[i]);
	*w = (watch){ 0 };
	return v;
}

/* The unconditional flow of dpi on one measurement. */
static void fit_dpi(bench *b, const char *const *settings, um_sink *sink)
{
	const um_plugin *p = plug_open("plugins/inference", "dpi");
	const int64_t ny = b->forward.info.ny, row[2] = { 1, ny }, none[2] = { 1, 0 };
	um_params *params = NULL;
	um_inference inference = { 0 };
	um_problem *problem = NULL;
	double *y = numbers(2 * ny);
	for (int64_t i = 0; i < ny; i++)
		y[i] = 0.3, y[ny + i] = 0.2;
	um_array ya = um_array_view(y, UM_F64, 2, row), s = um_array_view(y + ny, UM_F64, 2, row), o = um_array_view(y, UM_F64, 2, none);
	CHECK_OK(plug_params(p, settings, &params));
	CHECK_OK(um_inference_open(p, um_params_data(params), &b->env, &inference));
	CHECK_OK(um_problem_new(&b->forward, &b->prior, 1, &ya, &s, &o, 1, "cell", &problem));
	CHECK_OK(inference.ops.run(inference.self, problem, sink));
	um_problem_free(problem);
	um_inference_close(&inference);
	um_params_free(params);
	free(y);
}

/* 32 x 32 pixels, all of them the condition, 48 couplings, 64 draws a step. */
static void full_steps(void)
{
	static const um_sink_ops ops = { .progress = watch_progress };
	static const struct { const char *prior, *setting, *steps, *says; } cases[] = {
		{ "gaussian", "mean=0.3", "steps=40", "flow and forward model alone" },
		{ "surrogate", "model=share/weights/ring-32.safetensors", "steps=16", "with a score network as the prior" },
	};
	for (int k = 0; k < 2; k++) {
		watch w = { 0 };
		um_sink sink = { &ops, &w };
		bench b, cheap;
		um_env env = plug_env(1, 32, 32);
		bench_plugins(&cheap, env, "denoise", NULL, "gaussian", SET("mean=0.3"), false);
		bench_plugins(&b, env, "denoise", NULL, cases[k].prior, SET(cases[k].setting), true);
		b.truths = cheap.truths;
		CHECK_OK(fit(&b, SET("hidden=128", "start=prior", "prior_draws=0", "check=100000", cases[k].steps), &sink));
		const double given = quickest(&w);
		fit_dpi(&b, SET("family=realnvp", "couplings=48", "hidden=128", "batch=64", "warm=none", "level=0.3", "sd=0.5",
			"elbo_draws=0", "seeds=1", cases[k].steps), &sink);
		const double plain = quickest(&w);
		printf("| %s | %.3f | %.3f | %.2f |\n", cases[k].says, given, plain, given / plain);
		CHECK(k == 0 || given / plain < 1.25);
		b.truths = NULL;
		bench_free(&b);
		bench_free(&cheap);
	}
}

int main(int argc, char **argv)
{
	const check_case sizes[] = { { "gaussian", full_gaussian }, { "blind", full_blind }, { "width", full_width },
		{ "toy", full_toy }, { "steps", full_steps } };
	for (int i = 2; i < argc && i < 30; i++)
		full[i - 2] = argv[i];
	for (size_t i = 0; argc > 1 && i < sizeof(sizes) / sizeof(*sizes); i++)
		if (strcmp(argv[1], sizes[i].name) == 0)
			return check_run("full size", &sizes[i], 1);
	fprintf(stderr, "usage: %s gaussian|blind|width|toy|steps [SETTING...]\n", argv[0]);
	return 2;
}
