/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The weights that ship, and what a learned score makes of a density that is known: gauss-16 against the Gaussian
 * that it learned. "test_score_learned tables [WHAT [FILE]]" prints what share/results/score-learned.md shows: log p and
 * its gradient in and out of distribution, solvers, probes; FILE has other weights of the same Gaussian. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <umbra/diffusion.h>
#include "plug.h"

enum { SIDE = 16, N = SIDE * SIDE };

static const char *other; /* weights of the command line */

static const char *weights(const char *name)
{
	static char text[4096];
	if (other != NULL)
		snprintf(text, sizeof(text), "model=%s", other);
	else
		snprintf(text, sizeof(text), "model=share/weights/%s.safetensors", name);
	FILE *f = fopen(text + 6, "rb");
	if (f == NULL)
		return NULL;
	fclose(f);
	return text;
}

/* The Gaussian, as in share/weights/gauss-16.cfg. */
static const char *const field[] = { "spectrum=power", "mean=0.5", "sigma=0.2", "floor=0.1", NULL };

typedef struct pair {
	plug known, learned;
} pair;

static bool pair_new(pair *p, const char *const *set)
{
	const char *all[16] = { weights("gauss-16") };
	um_env env = plug_env(1, SIDE, SIDE);
	env.threads = 2;
	if (all[0] == NULL) {
		printf("SKIPPED: share/weights/gauss-16.safetensors is not there\n");
		return false;
	}
	for (int i = 0; set != NULL && set[i] != NULL; i++)
		all[i + 1] = set[i];
	CHECK_OK(plug_try(&p->known, UM_PRIOR, "gaussian", env, field));
	CHECK_OK(plug_try(&p->learned, UM_PRIOR, "score", env, all));
	return true;
}

static void pair_free(pair *p)
{
	plug_close(&p->known);
	plug_close(&p->learned);
}

static um_array images(int64_t count)
{
	um_array x;
	CHECK_OK(um_array_new(&x, UM_F32, 6, (const int64_t[]){ count, 1, 1, 1, SIDE, SIDE }));
	return x;
}

static um_rng *streams(int64_t count, uint64_t of)
{
	um_rng *r = malloc(sizeof(*r) * (size_t)count);
	for (int64_t i = 0; i < count; i++)
		r[i] = um_rng_new(11, "learned", of + (uint64_t)i);
	return r;
}

static um_array draws(pair *p, int64_t count, uint64_t of)
{
	um_array x = images(count);
	um_rng *r = streams(count, of);
	CHECK_OK(p->known.prior.ops.sample(p->known.prior.self, r, &x));
	free(r);
	return x;
}

/* ---- always: the shipped weights ---------------------------------------------------------- */

/* Root mean square of the error of sigma s, relative to that of sigma s. */
static double score_error(pair *p, double t, int64_t count)
{
	const um_sde sde = um_sde_default(UM_SDE_VP);
	const double alpha = um_sde_alpha(&sde, t), sigma = um_sde_sigma(&sde, t);
	um_array x = draws(p, count, 1000), s = images(count), known = images(count);
	um_rng r = um_rng_new(12, "noise", 0);
	double *al = malloc(sizeof(double) * (size_t)count), *si = malloc(sizeof(double) * (size_t)count);
	double wrong = 0, all = 0;
	for (int64_t i = 0; i < count * N; i++)
		((float *)x.data)[i] = (float)(alpha * (double)((float *)x.data)[i] + sigma * um_normal(&r));
	for (int64_t b = 0; b < count; b++) {
		al[b] = alpha;
		si[b] = sigma;
	}
	um_score_job job = { .size = sizeof(job), .x = &x, .alpha = al, .sigma = si, .s = &s };
	CHECK_OK(p->learned.prior.ops.score(p->learned.prior.self, &job));
	job.s = &known;
	CHECK_OK(p->known.prior.ops.score(p->known.prior.self, &job));
	for (int64_t i = 0; i < count * N; i++) {
		const double k = (double)((float *)known.data)[i];
		wrong += pow((double)((float *)s.data)[i] - k, 2);
		all += k * k;
	}
	um_array_free(&x), um_array_free(&s), um_array_free(&known);
	free(al), free(si);
	return sqrt(wrong / all);
}

static void near_the_known_score(void)
{
	static const double times[] = { 1e-3, 0.01, 0.1, 0.3, 0.6, 1 };
	pair p;
	if (!pair_new(&p, NULL))
		return;
	for (size_t i = 0; i < sizeof(times) / sizeof(*times); i++)
		CHECK(score_error(&p, times[i], 16) < 0.2);
	pair_free(&p);
}

/* ---- tables ----------------------------------------------------------------------------------- */

static double correlation(int64_t n, const double *a, const double *b)
{
	double ma = 0, mb = 0, aa = 0, bb = 0, ab = 0;
	for (int64_t i = 0; i < n; i++) {
		ma += a[i] / (double)n;
		mb += b[i] / (double)n;
	}
	for (int64_t i = 0; i < n; i++) {
		aa += (a[i] - ma) * (a[i] - ma);
		bb += (b[i] - mb) * (b[i] - mb);
		ab += (a[i] - ma) * (b[i] - mb);
	}
	return ab / sqrt(aa * bb);
}

/* Images that the Gaussian never drew: blobs, checkerboards of several sizes, ramps, white noise. */
static um_array strangers(int64_t count)
{
	um_array x = images(count);
	for (int64_t b = 0; b < count; b++) {
		um_rng r = um_rng_new(13, "strangers", (uint64_t)b);
		const double low = 0.2 + 0.3 * um_uniform(&r), high = low + 0.1 + 0.4 * um_uniform(&r);
		const double row = SIDE * um_uniform(&r), column = SIDE * um_uniform(&r), size = 1.5 + 4 * um_uniform(&r);
		const int cell = 1 + (int)(4 * um_uniform(&r));
		for (int i = 0; i < N; i++) {
			const double y = i / SIDE, z = i % SIDE;
			const double shape[4] = { exp(-0.5 * ((y - row) * (y - row) + (z - column) * (z - column)) / (size * size)),
				((int)y / cell + (int)z / cell) % 2, (y * cos(row) + z * sin(row)) / SIDE, um_uniform(&r) };
			um_row_f(&x, b)[i] = (float)(low + (high - low) * shape[b % 4]);
		}
	}
	return x;
}

/* least: of the correlation of both densities. */
static void densities_of(pair *p, const char *name, double least, um_array *x)
{
	const int64_t count = x->dim[0];
	double *lp = malloc(sizeof(double) * (size_t)count), *known = malloc(sizeof(double) * (size_t)count), off = 0;
	um_rng *r = streams(count, 2000);
	CHECK_OK(p->learned.prior.ops.logp(p->learned.prior.self, r, x, lp, NULL));
	CHECK_OK(p->known.prior.ops.logp(p->known.prior.self, r, x, known, NULL));
	for (int64_t i = 0; i < count; i++)
		off += (lp[i] - known[i]) / (double)count;
	double lo = INFINITY, hi = -INFINITY, spread = 0;
	for (int64_t i = 0; i < count; i++) {
		lo = fmin(lo, known[i]);
		hi = fmax(hi, known[i]);
		spread += pow(lp[i] - known[i] - off, 2) / (double)count;
	}
	const double together = correlation(count, lp, known);
	printf("| %s | %d | %.0f to %.0f | %.4f | %.1f | %.1f |\n", name, (int)count, lo, hi, together, off, sqrt(spread));
	CHECK(together >= least);
	free(lp), free(known), free(r);
}

static void densities(void)
{
	pair p;
	if (!pair_new(&p, SET("probes=64", "rtol=1e-2", "atol=1e-3")))
		return;
	pair few;
	if (!pair_new(&few, SET("probes=16", "rtol=1e-2", "atol=1e-3")))
		return;
	printf("| images | number | known log p | correlation | mean difference | scatter |\n| --- | --- | --- | --- | --- | --- |\n");
	um_array in = draws(&p, 64, 3000), out = strangers(128);
	densities_of(&p, "in distribution", 0.98, &in);
	densities_of(&few, "out of it", 0.95, &out);
	um_array_free(&in), um_array_free(&out);
	pair_free(&p);
	pair_free(&few);
}

static double cosine_distance(const float *a, const float *b)
{
	double aa = 0, bb = 0, ab = 0;
	for (int i = 0; i < N; i++) {
		aa += (double)a[i] * (double)a[i];
		bb += (double)b[i] * (double)b[i];
		ab += (double)a[i] * (double)b[i];
	}
	return 1 - ab / sqrt(aa * bb);
}

static int by_size(const void *a, const void *b)
{
	const double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

static void quartiles(const char *name, int64_t n, double *v, int64_t closer)
{
	qsort(v, (size_t)n, sizeof(*v), by_size);
	printf("| %s | %.4f | %.4f | %.4f | %.4f | %d of %d |\n", name, v[n / 4], v[n / 2], v[3 * n / 4], v[n - 1], (int)closer, (int)n);
}

/* The gradient of log p against that of the Gaussian, and against the output of the net at the first time, of the
 * image as that time shrinks it: noise of that time would be an error of the image, not of the net. */
static void gradients_of(pair *p, const char *name, um_array *x)
{
	const int64_t count = x->dim[0];
	const um_sde sde = um_sde_default(UM_SDE_VP);
	um_array g = images(count), known = images(count), s = images(count), first = images(count);
	double *lp = malloc(sizeof(double) * (size_t)count), *by_ode = malloc(sizeof(double) * (size_t)count);
	double *by_output = malloc(sizeof(double) * (size_t)count);
	double *al = malloc(sizeof(double) * (size_t)count), *si = malloc(sizeof(double) * (size_t)count);
	um_rng *r = streams(count, 4000);
	int64_t closer = 0;
	char text[64];
	CHECK_OK(p->known.prior.ops.logp(p->known.prior.self, r, x, lp, &known));
	CHECK_OK(p->learned.prior.ops.logp(p->learned.prior.self, r, x, lp, &g));
	for (int64_t b = 0; b < count; b++) {
		al[b] = um_sde_alpha(&sde, 1e-3);
		si[b] = um_sde_sigma(&sde, 1e-3);
		for (int i = 0; i < N; i++)
			um_row_f(&first, b)[i] = (float)(al[b] * (double)um_row_f(x, b)[i]);
	}
	um_score_job job = { .size = sizeof(job), .x = &first, .alpha = al, .sigma = si, .s = &s };
	CHECK_OK(p->learned.prior.ops.score(p->learned.prior.self, &job));
	for (int64_t b = 0; b < count; b++) {
		by_ode[b] = cosine_distance(um_row_f(&g, b), um_row_f(&known, b));
		by_output[b] = cosine_distance(um_row_f(&s, b), um_row_f(&known, b));
		closer += by_ode[b] < by_output[b];
	}
	snprintf(text, sizeof(text), "%s, gradient of log p", name);
	quartiles(text, count, by_ode, closer);
	snprintf(text, sizeof(text), "%s, s(x, 0.001)", name);
	quartiles(text, count, by_output, count - closer);
	um_array_free(&g), um_array_free(&known), um_array_free(&s), um_array_free(&first);
	free(lp), free(by_ode), free(by_output), free(al), free(si), free(r);
}

static void gradients(void)
{
	pair p;
	printf("| cosine distance to the known gradient | quarter | median | three quarters | most | closer |\n"
		"| --- | --- | --- | --- | --- | --- |\n");
	if (!pair_new(&p, SET("probes=32", "rtol=1e-2", "atol=1e-3")))
		return;
	um_array in = draws(&p, 32, 3000);
	gradients_of(&p, "in distribution", &in);
	um_array_free(&in);
	pair_free(&p);
	if (!pair_new(&p, SET("probes=4", "rtol=1e-2", "atol=1e-3")))
		return;
	um_array out = strangers(128);
	gradients_of(&p, "out of it", &out);
	um_array_free(&out);
	pair_free(&p);
}

/* KL(q || p) of samples by the equation (dopri5), as the mean of log q(x) - log p(x), log q by each solver with one
 * probe; of methods that take long, for the first of them. */
static void solvers(void)
{
	enum { COUNT = 512, SOME = 96, FEW = 32 };
	static const struct { um_ode_method method; int64_t steps, count; const char *name; } how[] = {
		{ UM_ODE_EULER, 4092, FEW, "euler" }, { UM_ODE_HEUN, 0, COUNT, "heun" }, { UM_ODE_BOSH3, 0, COUNT, "bosh3" },
		{ UM_ODE_TSIT5, 0, COUNT, "tsit5" }, { UM_ODE_DOPRI5, 0, COUNT, "dopri5" }, { UM_ODE_DOPRI8, 0, SOME, "dopri8" } };
	pair p;
	um_scorenet *net = NULL;
	double lq[COUNT], lp[COUNT];
	if (!pair_new(&p, SET("sampler=ode")))
		return;
	const um_diffusion *d = um_params_data(p.learned.params);
	um_array x = images(COUNT);
	um_rng *r = streams(COUNT, 5000);
	CHECK_OK(p.learned.prior.ops.sample(p.learned.prior.self, r, &x));
	CHECK_OK(p.known.prior.ops.logp(p.known.prior.self, r, &x, lp, NULL));
	CHECK_OK(um_scorenet_new(d, &p.learned.env, &net));
	printf("| solver | samples | KL(q, p) (nats) | standard error | evaluations a sample |\n| --- | --- | --- | --- | --- |\n");
	for (size_t i = 0; i < sizeof(how) / sizeof(*how); i++) {
		um_probflow f = um_probflow_of(d, &p.learned.env, net, false);
		um_probflow_count count;
		const int64_t n = how[i].count;
		um_array some = um_array_rows(&x, 0, n);
		double kl = 0, square = 0;
		f.method = how[i].method;
		f.steps = how[i].steps;
		f.probes = 1;
		CHECK_OK(um_probflow_logp(&f, r, &some, lq, NULL, &count));
		for (int64_t b = 0; b < n; b++) {
			kl += (lq[b] - lp[b]) / (double)n;
			square += pow(lq[b] - lp[b], 2) / (double)n;
		}
		printf("| %s | %d | %.3f | %.3f | %.0f |\n", how[i].name, (int)n, kl, sqrt((square - kl * kl) / (double)n),
			(double)count.forward / (double)n);
		fflush(stdout);
	}
	um_scorenet_free(net);
	um_array_free(&x);
	free(r);
	pair_free(&p);
}

static void probes(void)
{
	enum { TRIALS = 50, MOST = 64 };
	pair p;
	printf("| probes | mean of log p | spread of %d |\n| --- | --- | --- |\n", TRIALS);
	for (int64_t k = 1; k <= MOST; k *= 2) {
		char text[32];
		snprintf(text, sizeof(text), "probes=%d", (int)k);
		if (!pair_new(&p, SET(text, "rtol=1e-2", "atol=1e-3"))) /* what probes scatter by is much more */
			return;
		um_array one = draws(&p, 1, 3000), x = images(TRIALS);
		um_rng *r = streams(TRIALS, 6000);
		double lp[TRIALS], mean = 0, square = 0;
		for (int b = 0; b < TRIALS; b++)
			memcpy(um_row_f(&x, b), one.data, sizeof(float) * N);
		CHECK_OK(p.learned.prior.ops.logp(p.learned.prior.self, r, &x, lp, NULL));
		for (int b = 0; b < TRIALS; b++) {
			mean += lp[b] / TRIALS;
			square += lp[b] * lp[b] / TRIALS;
		}
		printf("| %d | %.2f | %.2f |\n", (int)k, mean, sqrt(square - mean * mean));
		fflush(stdout);
		um_array_free(&one), um_array_free(&x);
		free(r);
		pair_free(&p);
	}
	if (pair_new(&p, SET("probes=0", "rtol=1e-2", "atol=1e-3"))) {
		um_array x = draws(&p, 1, 3000);
		double lp, known;
		CHECK_OK(p.learned.prior.ops.logp(p.learned.prior.self, NULL, &x, &lp, NULL));
		CHECK_OK(p.known.prior.ops.logp(p.known.prior.self, NULL, &x, &known, NULL));
		printf("| exact trace | %.2f | |\n| the Gaussian itself | %.2f | |\n", lp, known);
		um_array_free(&x);
		pair_free(&p);
	}
}

static void errors(void)
{
	pair p;
	static const double times[] = { 1e-3, 0.003, 0.01, 0.03, 0.1, 0.2, 0.3, 0.5, 0.7, 1 };
	if (!pair_new(&p, NULL))
		return;
	printf("| t | error of the score, relative |\n| --- | --- |\n");
	for (size_t i = 0; i < sizeof(times) / sizeof(*times); i++)
		printf("| %g | %.3f |\n", times[i], score_error(&p, times[i], 256));
	pair_free(&p);
}

int main(int argc, char **argv)
{
	const check_case cases[] = { CHECK_CASE(near_the_known_score) };
	const check_case tables[] = { CHECK_CASE(errors), CHECK_CASE(densities), CHECK_CASE(gradients), CHECK_CASE(solvers),
		CHECK_CASE(probes) };
	if (argc < 2 || strcmp(argv[1], "tables") != 0)
		return check_run(__FILE__, cases, sizeof(cases) / sizeof(*cases));
	other = argc > 3 ? argv[3] : NULL;
	for (size_t i = 0; argc > 2 && i < sizeof(tables) / sizeof(*tables); i++)
		if (strcmp(tables[i].name, argv[2]) == 0)
			return check_run("tables", &tables[i], 1);
	return check_run("tables", tables, sizeof(tables) / sizeof(*tables));
}
