/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Probabilistic principal components: what is learned against eigenvalues of the sample covariance,
 * densities, scores and posteriors against dense formulas. */
#include <umbra/dataset.h>
#include "posterior.h"

enum { ROWS = 6, COLUMNS = 8, N = ROWS * COLUMNS };

/* ---- data sets ---------------------------------------------------------------------------------- */

/* Correlated images: N directions with standard deviations decay^j, about a mean of 3. */
static um_array images(int64_t count, double decay)
{
	um_array x = { 0 };
	double u[N * N], v[N];
	um_rng r = um_rng_new(31, "images", 0);
	um_normal_fill(&r, u, N * N);
	CHECK_OK(um_orthonormal(N, N, u));
	CHECK_OK(um_array_new(&x, UM_F32, 6, (const int64_t[]){ count, 1, 1, 1, ROWS, COLUMNS }));
	for (int64_t b = 0; b < count; b++) {
		for (int j = 0; j < N; j++)
			v[j] = pow(decay, j) * um_normal(&r);
		for (int i = 0; i < N; i++) {
			double sum = 3 + 0.1 * i;
			for (int j = 0; j < N; j++)
				sum += v[j] * u[j * N + i];
			um_row_f(&x, b)[i] = (float)sum;
		}
	}
	return x;
}

static um_dataset *limited(const um_array *x, double held, double seconds)
{
	um_dataset *d = NULL;
	um_dataset_source s = { .name = "images", .key = "train/pca", .seed = 1, .threads = 1,
		.shape = { 1, 1, 1, ROWS, COLUMNS }, .images = *x, .held_out = held,
		.seconds = seconds };
	CHECK_OK(um_dataset_new(&s, &d));
	return d;
}

static um_dataset *dataset(const um_array *x, double held)
{
	return limited(x, held, 0);
}

/* Mean and covariance (divided by count - 1) of the first images, in double. */
static void covariance_of(um_dataset *d, int64_t count, double *mean, double *c)
{
	um_array x = { 0 };
	double *v = numbers(count * N);
	CHECK_OK(um_array_new(&x, UM_F32, 6, (const int64_t[]){ count, 1, 1, 1, ROWS, COLUMNS }));
	CHECK_OK(um_dataset_rows(d, false, 0, count, &x));
	memset(mean, 0, sizeof(double) * N);
	for (int64_t i = 0; i < count * N; i++)
		mean[i % N] += ((float *)x.data)[i] / (double)count;
	for (int64_t i = 0; i < count * N; i++)
		v[i] = (((float *)x.data)[i] - mean[i % N]) / sqrt((double)(count - 1));
	um_gemm(true, false, N, N, count, v, v, c);
	um_array_free(&x);
	free(v);
}

/* ---- fitted priors ------------------------------------------------------------------------------- */

typedef struct {
	plug p;
	um_memory memory;
} fitted;

static const double *tensor(const fitted *f, const char *name)
{
	const um_array *a = um_tensors_get(&f->memory.tensors, name);
	CHECK_FATAL(a != NULL && a->dtype == UM_F64);
	return a->data;
}

static fitted fit(um_dataset *d, const char *const *set)
{
	fitted f = { 0 };
	CHECK_OK(plug_try(&f.p, UM_PRIOR, "pca", plug_env(1, ROWS, COLUMNS), set));
	um_sink sink = um_memory_sink(&f.memory);
	CHECK_OK(f.p.prior.ops.fit(f.p.prior.self, d, &sink));
	return f;
}

static void fitted_free(fitted *f)
{
	plug_close(&f->p);
	um_memory_free(&f->memory);
}

/* Eigenvalues, eigenvectors, mean, noise and metrics of k components against those of the sample
 * covariance by dsyevd; tol is relative to the largest. */
static void check_fit(um_dataset *d, int64_t count, int64_t k, const char *const *set, double tol)
{
	double mean[N], c[N * N], w[N], rest = 0, sum = 0;
	fitted f = fit(d, set);
	covariance_of(d, count, mean, c);
	CHECK_OK(um_eigh(N, c, w));
	const double top = w[N - 1], *got = tensor(&f, "eigenvalues"), *v = tensor(&f, "components");
	CHECK(um_tensors_get(&f.memory.tensors, "eigenvalues")->dim[0] == k);
	for (int64_t i = 0; i < N; i++) {
		const double want = w[N - 1 - i];
		CHECK_NEAR(tensor(&f, "mean")[i], mean[i], 1e-12);
		sum += want;
		if (i >= k) {
			rest += want / (double)(N - k);
			continue;
		}
		CHECK_NEAR(got[i], want, tol * top);
		/* a direction is known to the error of the matrix by the gap to its neighbours */
		if (i + 1 < k && i > 0 && fmin(w[N - i] - want, want - w[N - 2 - i]) > 1e3 * tol * top)
			CHECK_NEAR(fabs(um_dot(N, v + i * N, c + (N - 1 - i) * N)), 1, 1e-4);
	}
	CHECK_NEAR(tensor(&f, "noise")[0], rest, tol * top);
	CHECK_NEAR(um_memory_metric(&f.memory, "explained_variance"), 1 - rest * (double)(N - k) / sum, 50 * tol);
	CHECK_NEAR(um_memory_metric(&f.memory, "components"), (double)k, 0);
	fitted_free(&f);
}

/* Many images and few, few components and all of them, fast decay and slow. */
static void eigenvalues(void)
{
	static const struct { int64_t count; double decay; } cases[] = { { 700, 0.8 }, { 30, 0.8 }, { 700, 0.97 } };
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		um_array x = images(cases[i].count, cases[i].decay);
		um_dataset *d = dataset(&x, 0);
		const bool slow = cases[i].decay > 0.9;
		check_fit(d, cases[i].count, 6, SET("components=6", slow ? "power=20" : "power=3"), 1e-7);
		check_fit(d, cases[i].count, 20, SET("components=20", slow ? "power=20" : "power=2"), 1e-7);
		if (cases[i].count > N)
			check_fit(d, cases[i].count, N, SET("components=64"), 1e-12);
		um_dataset_free(d);
		um_array_free(&x);
	}
}

static um_status draw_shapes(void *state, um_rng *rng, um_array *x)
{
	plug *p = state;
	return p->prior.ops.sample(p->prior.self, rng, x);
}

/* Endless draws of the sampler of shapes: as many as asked for. */
static void shapes(void)
{
	plug p;
	um_dataset *d = NULL;
	CHECK_OK(plug_try(&p, UM_PRIOR, "geometric", plug_env(1, ROWS, COLUMNS), NULL));
	um_dataset_source s = { .name = "shapes", .key = "train/shapes", .seed = 2, .threads = 1,
		.shape = { 1, 1, 1, ROWS, COLUMNS }, .draw = draw_shapes, .state = &p, .held_out = 300 };
	CHECK_OK(um_dataset_new(&s, &d));
	check_fit(d, 1000, 16, SET("components=16", "draws=1000", "power=4"), 1e-6);
	um_dataset_free(d);
	plug_close(&p);
}

/* Held-out images: the metric is their mean log density by dense formulas. */
static void held_out(void)
{
	enum { HELD = 40 };
	um_array x = images(300, 0.9), held = { 0 };
	um_dataset *d = dataset(&x, HELD);
	fitted f = fit(d, SET("components=10", "floor=0.05"));
	const double *w = tensor(&f, "components"), *l = tensor(&f, "eigenvalues"), s2 = tensor(&f, "noise")[0];
	double c[N * N], e[N], b[N], sum = 0;
	for (int i = 0; i < N * N; i++) {
		c[i] = i % (N + 1) == 0 ? s2 + 0.05 * 0.05 : 0;
		for (int k = 0; k < 10; k++)
			c[i] += (l[k] - s2) * w[k * N + i / N] * w[k * N + i % N];
	}
	CHECK_OK(um_cholesky(N, c));
	CHECK_OK(um_array_new(&held, UM_F32, 6, (const int64_t[]){ HELD, 1, 1, 1, ROWS, COLUMNS }));
	CHECK_OK(um_dataset_rows(d, true, 0, HELD, &held));
	for (int k = 0; k < HELD; k++) {
		for (int i = 0; i < N; i++)
			e[i] = b[i] = um_row_f(&held, k)[i] - tensor(&f, "mean")[i];
		um_cholesky_solve(N, c, 1, b);
		sum -= (um_dot(N, e, b) + um_cholesky_log_det(N, c) + N * LOG_2PI_) / 2;
	}
	CHECK_REL(um_memory_metric(&f.memory, "held_out_logp"), sum / HELD, 1e-9);
	CHECK_REL(um_memory_metric(&f.memory, "held_out_bits_per_dim"), -sum / HELD / (N * log(2)), 1e-9);
	fitted_free(&f);
	um_dataset_free(d);
	um_array_free(&x), um_array_free(&held);
}

static um_status keep_tensor(void *state, const char *name, const um_array *a)
{
	keeper *k = state;
	return um_tensors_add(&k->memory.tensors, name, a);
}

/* Stopped anywhere, in the mean or a later pass (three blocks each), and resumed: the same bytes. */
static void resumes(void)
{
	um_array x = images(600, 0.9);
	um_dataset *d = dataset(&x, 0);
	fitted whole = fit(d, SET("components=7"));
	for (int64_t stop = 1; stop <= 15; stop += 2) {
		keeper k = { .stop = stop };
		um_sink_ops ops = *keeper_sink(&k).ops;
		um_sink sink = { &ops, &k };
		plug p;
		ops.tensor = keep_tensor;
		CHECK_OK(plug_try(&p, UM_PRIOR, "pca", plug_env(1, ROWS, COLUMNS), SET("components=7")));
		CHECK_FAILS(p.prior.ops.fit(p.prior.self, d, &sink), UM_EINTR, "stopped");
		const int64_t passes = (stop - 1) / 3;
		CHECK_FATAL(k.n == 3);
		CHECK(((double *)k.kept[0].data)[0] == (double)passes);
		CHECK_OK(p.prior.ops.fit(p.prior.self, d, &sink));
		CHECK(k.calls == stop + 3 * (5 - passes));
		for (int i = 0; i < whole.memory.tensors.n; i++) {
			const um_array *want = &whole.memory.tensors.array[i];
			const um_array *got = um_tensors_get(&k.memory.tensors, whole.memory.tensors.name[i]);
			CHECK_FATAL(got != NULL);
			CHECK(memcmp(got->data, want->data, sizeof(double) * (size_t)um_array_len(want)) == 0);
		}
		plug_close(&p);
		keeper_free(&k);
	}
	fitted_free(&whole);
	um_dataset_free(d);
	um_array_free(&x);
}

/* A budget that is over leaves power iterations out, and nothing else. */
static void budget(void)
{
	um_array x = images(600, 0.8);
	um_dataset *d = dataset(&x, 0), *hurry = limited(&x, 0, 1e-9);
	fitted f = fit(d, SET("components=6", "power=0")), g = fit(hurry, SET("components=6", "power=5"));
	CHECK(memcmp(tensor(&f, "components"), tensor(&g, "components"), sizeof(double) * 6 * N) == 0);
	fitted_free(&f), fitted_free(&g);
	um_dataset_free(d), um_dataset_free(hurry);
	um_array_free(&x);
}

static um_answer refuse(void *state, int64_t done, int64_t total, double loss)
{
	int64_t *calls = state;
	CHECK(isnan(loss) && done > 0 && done <= total);
	return ++*calls == 3 ? UM_STOP : UM_GO;
}

/* Equal bytes again; an order to stop ends it; images without noise need a floor. */
static void repeats_stops_refuses(void)
{
	static const um_sink_ops stopping = { .progress = refuse };
	int64_t calls = 0;
	um_sink sink = { &stopping, &calls };
	um_array x = images(600, 0.9), same = images(30, 0.9);
	um_dataset *d = dataset(&x, 0), *few = dataset(&same, 0);
	fitted f = fit(d, SET("components=7")), g = fit(d, SET("components=7"));
	CHECK(memcmp(tensor(&f, "components"), tensor(&g, "components"), sizeof(double) * 7 * N) == 0);
	CHECK(memcmp(tensor(&f, "eigenvalues"), tensor(&g, "eigenvalues"), sizeof(double) * 7) == 0);
	CHECK_FAILS(f.p.prior.ops.fit(f.p.prior.self, d, &sink), UM_EINTR, "stopped");
	fitted_free(&f), fitted_free(&g);
	plug p;
	CHECK_OK(plug_try(&p, UM_PRIOR, "pca", plug_env(1, ROWS, COLUMNS), SET("components=40")));
	CHECK_FAILS(p.prior.ops.fit(p.prior.self, few, NULL), UM_ENUM, "raise floor, now 0, or lower components");
	plug_close(&p);
	f = fit(few, SET("components=40", "floor=0.1"));
	CHECK_NEAR(um_memory_metric(&f.memory, "components"), 29, 0);
	fitted_free(&f);
	um_dataset_free(d), um_dataset_free(few);
	um_array_free(&x), um_array_free(&same);
}

/* ---- the law ------------------------------------------------------------------------------------- */

static const char file[] = "tests/data/pca.safetensors";

/* Mean and covariance that the file of tests/data/pca.py must mean, floor added. */
static void dense_law(double floor, double *mean, double *c)
{
	um_tensors t = { 0 };
	CHECK_OK(um_tensors_read(file, &t));
	const double *w = um_tensors_get(&t, "components")->data, *l = um_tensors_get(&t, "eigenvalues")->data;
	const double s2 = *(const double *)um_tensors_get(&t, "noise")->data;
	const int64_t k = um_tensors_get(&t, "components")->dim[0];
	memcpy(mean, um_tensors_get(&t, "mean")->data, sizeof(double) * N);
	for (int i = 0; i < N * N; i++) {
		c[i] = i % (N + 1) == 0 ? s2 + floor * floor : 0;
		for (int64_t j = 0; j < k; j++)
			c[i] += (l[j] - s2) * w[j * N + i / N] * w[j * N + i % N];
	}
	um_tensors_free(&t);
}

/* log N(x; alpha mean, alpha^2 C + sigma^2 I), L its Cholesky factor. */
static double log_density(const double *l, const double *mean, double alpha, const double *x)
{
	double e[N], b[N];
	for (int i = 0; i < N; i++)
		e[i] = b[i] = x[i] - alpha * mean[i];
	um_cholesky_solve(N, l, 1, b);
	return -(um_dot(N, e, b) + um_cholesky_log_det(N, l) + N * LOG_2PI_) / 2;
}

/* The score is the slope of the diffused log density, J its second derivative, div their trace. */
static void check_score(double alpha, double sigma)
{
	double mean[N], c[N * N], x[N], trace = 0, inverse[N * N] = { 0 }, div;
	const double h = 1e-4;
	um_array a = { 0 }, s = { 0 }, v = { 0 }, jtv = { 0 }, ddiv = { 0 };
	um_rng r = um_rng_new(41, "points", (uint64_t)(alpha * 100));
	plug p;
	CHECK_OK(plug_try(&p, UM_PRIOR, "pca", plug_env(1, ROWS, COLUMNS), SET("floor=0.1",
		"model=tests/data/pca.safetensors")));
	um_array *all[] = { &a, &s, &v, &jtv, &ddiv };
	for (int i = 0; i < 5; i++)
		CHECK_OK(um_env_images(&p.env, 1, all[i]));
	dense_law(0.1, mean, c);
	for (int i = 0; i < N * N; i++)
		c[i] = alpha * alpha * c[i] + (i % (N + 1) == 0 ? sigma * sigma : 0);
	CHECK_OK(um_cholesky(N, c));
	for (int i = 0; i < N; i++) {
		x[i] = um_row_f(&a, 0)[i] = (float)um_normal(&r);
		um_row_f(&v, 0)[i] = (float)um_normal(&r);
		inverse[i * (N + 1)] = 1;
	}
	um_cholesky_solve(N, c, N, inverse);
	um_score_job job = { .size = sizeof(job), .x = &a, .alpha = &alpha, .sigma = &sigma, .s = &s, .v = &v,
		.jtv = &jtv, .div = &div, .ddiv = &ddiv };
	CHECK_OK(p.prior.ops.score(p.prior.self, &job));
	for (int i = 0; i < N; i++) {
		const double keep = x[i];
		double jv = 0;
		x[i] = keep + h;
		double up = log_density(c, mean, alpha, x);
		x[i] = keep - h;
		double slope = (up - log_density(c, mean, alpha, x)) / (2 * h);
		x[i] = keep;
		CHECK_NEAR(um_row_f(&s, 0)[i], slope, 1e-5 * (1 + fabs(slope)));
		for (int j = 0; j < N; j++)
			jv -= inverse[i * N + j] * um_row_f(&v, 0)[j];
		CHECK_NEAR(um_row_f(&jtv, 0)[i], jv, 1e-5 * (1 + fabs(jv)));
		CHECK(um_row_f(&ddiv, 0)[i] == 0);
		trace -= inverse[i * (N + 1)];
	}
	CHECK_REL(div, trace, 1e-10);
	for (int i = 0; i < 5; i++)
		um_array_free(all[i]);
	plug_close(&p);
}

static void scores(void)
{
	check_score(1, 0);
	check_score(0.9, 0.4);
	check_score(0.3, 0.95);
	check_score(0, 1);
}

static void density(void)
{
	double mean[N], c[N * N], x[N], lp;
	um_array a = { 0 };
	um_rng r = um_rng_new(42, "density", 0);
	plug p;
	CHECK_OK(plug_try(&p, UM_PRIOR, "pca", plug_env(1, ROWS, COLUMNS), SET("floor=0.2",
		"model=tests/data/pca.safetensors")));
	CHECK_OK(um_env_images(&p.env, 1, &a));
	dense_law(0.2, mean, c);
	CHECK_OK(um_cholesky(N, c));
	for (int i = 0; i < N; i++)
		x[i] = um_row_f(&a, 0)[i] = (float)um_normal(&r);
	CHECK_OK(p.prior.ops.logp(p.prior.self, NULL, &a, &lp, NULL));
	CHECK_REL(lp, log_density(c, mean, 1, x), 1e-11);
	um_array_free(&a);
	plug_close(&p);
}

/* Moments of draws, to five standard errors. */
static void draws(void)
{
	enum { MANY = 8000 };
	double mean[N], c[N * N], got[N] = { 0 }, *cross = numbers(N * N);
	um_array x = { 0 };
	um_rng *r = calloc(MANY, sizeof(*r));
	plug p;
	CHECK_OK(plug_try(&p, UM_PRIOR, "pca", plug_env(1, ROWS, COLUMNS), SET("model=tests/data/pca.safetensors")));
	CHECK_OK(um_env_images(&p.env, MANY, &x));
	for (uint64_t i = 0; i < MANY; i++)
		r[i] = um_rng_new(1, "draws", i);
	CHECK_OK(p.prior.ops.sample(p.prior.self, r, &x));
	dense_law(0, mean, c);
	for (int64_t b = 0; b < MANY; b++)
		for (int i = 0; i < N; i++) {
			const double e = um_row_f(&x, b)[i] - mean[i];
			got[i] += e / MANY;
			for (int j = 0; j < N; j++)
				cross[i * N + j] += e * (um_row_f(&x, b)[j] - mean[j]) / MANY;
		}
	for (int i = 0; i < N * N; i++) {
		const double ii = c[i / N * (N + 1)], jj = c[i % N * (N + 1)];
		CHECK_NEAR(got[i / N], 0, 5 * sqrt(ii / MANY));
		CHECK_NEAR(cross[i], c[i], 5 * sqrt((ii * jj + c[i] * c[i]) / MANY));
	}
	free(cross), free(r);
	um_array_free(&x);
	plug_close(&p);
}

/* ---- its posterior --------------------------------------------------------------------------------- */

enum { KEEP = 3, NY = 2 * KEEP * KEEP, MANY_SAMPLES = 4096 };

/* The frequencies of lowfreq as a matrix, data drawn from prior and noise, the prior of the file. */
static dense deblurring(void)
{
	dense d = dense_new(N, NY, 1);
	um_rng r = um_rng_new(43, "truth", 0);
	double x[N], z[N];
	d.w[0] = 1;
	dense_law(0, d.m, d.s);
	CHECK_OK(um_cholesky(N, d.s));
	dense_ready(&d);
	for (int k = 0; k < KEEP * KEEP; k++)
		for (int i = 0; i < N; i++) {
			double turn = 6.283185307179586 * ((double)(k / KEEP * (i / COLUMNS)) / ROWS +
				(double)(k % KEEP * (i % COLUMNS)) / COLUMNS);
			d.a[k * N + i] = cos(turn);
			d.a[(k + KEEP * KEEP) * N + i] = -sin(turn);
		}
	um_normal_fill(&r, z, N);
	um_gemv(false, N, N, d.s, z, x);
	for (int i = 0; i < N; i++)
		x[i] += d.m[i];
	um_gemv(false, NY, N, d.a, x, d.y);
	for (int k = 0; k < NY; k++) {
		d.sigma[k] = 0.5 / sqrt(2);
		d.y[k] += d.sigma[k] * um_normal(&r);
	}
	return d;
}

static void sampled(dense *d, keeper *k)
{
	const um_plugin *e = plug_open("plugins/inference", "exact");
	const int64_t row[2] = { 1, NY }, none[2] = { 1, 0 };
	um_array y = um_array_view(d->y, UM_F64, 2, row), s = um_array_view(d->sigma, UM_F64, 2, row);
	um_array op = um_array_view(d->y, UM_F64, 2, none);
	um_params *params = NULL;
	um_inference inference = { 0 };
	um_problem *problem = NULL;
	um_sink sink = keeper_sink(k);
	plug f, p;
	CHECK_OK(plug_try(&f, UM_FORWARD, "lowfreq", plug_env(1, ROWS, COLUMNS), SET("keep=3", "sigma=0.5")));
	CHECK_OK(plug_try(&p, UM_PRIOR, "pca", plug_env(1, ROWS, COLUMNS), SET("model=tests/data/pca.safetensors")));
	CHECK_OK(plug_params(e, NULL, &params));
	CHECK_OK(um_inference_open(e, um_params_data(params), &p.env, &inference));
	CHECK(um_cell_refusal(&inference, &f.forward, &p.prior, 1) == NULL);
	CHECK_OK(um_problem_new(&f.forward, &p.prior, 1, &y, &s, &op, MANY_SAMPLES, "cell", &problem));
	CHECK_OK(inference.ops.run(inference.self, problem, &sink));
	um_problem_free(problem);
	um_inference_close(&inference);
	um_params_free(params);
	plug_close(&f), plug_close(&p);
}

/* Samples of exact: their density is that of the dense posterior, one by one, and so are their moments
 * and the evidence. */
static void posterior(void)
{
	dense d = deblurring();
	known z = dense_solve(&d);
	keeper k = { 0 };
	double mean[N] = { 0 }, var[N] = { 0 }, r[N];
	sampled(&d, &k);
	for (int64_t b = 0; b < MANY_SAMPLES; b++) {
		for (int i = 0; i < N; i++) {
			r[i] = um_row_f(&k.memory.samples, b)[i] - z.mean[i];
			mean[i] += r[i] / MANY_SAMPLES;
			var[i] += r[i] * r[i] / MANY_SAMPLES;
		}
		double want = 0.5 * (um_cholesky_log_det(N, z.l) - quadratic(N, z.p, r) - N * LOG_2PI_);
		CHECK_NEAR(k.memory.logq[b], want, 2e-3);
	}
	for (int i = 0; i < N; i++) {
		const double c = z.cov[i * (N + 1)];
		CHECK_NEAR(mean[i], 0, 5 * sqrt(c / MANY_SAMPLES));
		CHECK_NEAR(var[i], c, 5 * c * sqrt(2.0 / MANY_SAMPLES));
	}
	CHECK_NEAR(um_memory_metric(&k.memory, "log_evidence"), z.log_evidence, 1e-3);
	keeper_free(&k);
	known_free(&z);
	dense_free(&d);
}

/* ---- weight files ---------------------------------------------------------------------------------- */

static double at_zero(plug *p)
{
	um_array x = { 0 };
	double lp = NAN;
	CHECK_OK(um_env_images(&p->env, 1, &x));
	CHECK_OK(p->prior.ops.logp(p->prior.self, NULL, &x, &lp, NULL));
	um_array_free(&x);
	return lp;
}

/* Opens the tensors as a file. */
static um_status reopened(const um_tensors *t, plug *p)
{
	char path[64], set[80];
	snprintf(path, sizeof(path), "/tmp/umbra-pca-%ld.safetensors", (long)getpid());
	snprintf(set, sizeof(set), "model=%s", path);
	CHECK_OK(um_tensors_write(path, t));
	um_status st = plug_try(p, UM_PRIOR, "pca", plug_env(1, ROWS, COLUMNS), SET(set));
	unlink(path);
	if (st != UM_OK)
		plug_close(p);
	return st;
}

/* What fit delivers is, from a file, the law that it left in the instance; float32 is enough. */
static void files(void)
{
	um_array x = images(400, 0.85);
	um_dataset *d = dataset(&x, 0);
	fitted f = fit(d, SET("components=12"));
	const double lp = at_zero(&f.p);
	um_tensors single = { 0 };
	plug p;
	CHECK_OK(reopened(&f.memory.tensors, &p));
	CHECK_REL(at_zero(&p), lp, 1e-12);
	plug_close(&p);
	for (int i = 0; i < f.memory.tensors.n; i++) {
		const um_array *a = &f.memory.tensors.array[i];
		um_array half = { 0 };
		CHECK_OK(um_array_new(&half, UM_F32, a->rank, a->dim));
		CHECK_OK(um_array_copy(&half, a));
		CHECK_OK(um_tensors_add(&single, f.memory.tensors.name[i], &half));
		um_array_free(&half);
	}
	CHECK_OK(reopened(&single, &p));
	CHECK_REL(at_zero(&p), lp, 1e-4);
	plug_close(&p);
	um_tensors_free(&single);
	fitted_free(&f);
	um_dataset_free(d);
	um_array_free(&x);
}

static um_array *writable(um_tensors *t, const char *name)
{
	return (um_array *)um_tensors_get(t, name);
}

static void refused_files(void)
{
	um_tensors t = { 0 };
	plug p;
	um_array x = { 0 };
	double lp;
	CHECK_OK(um_tensors_read(file, &t));
	double *w = writable(&t, "components")->data, *l = writable(&t, "eigenvalues")->data, keep = w[5];
	w[5] += 0.01;
	CHECK_FAILS(reopened(&t, &p), UM_EDATA, "not orthonormal");
	w[5] = NAN;
	CHECK_FAILS(reopened(&t, &p), UM_EDATA, "'components' has numbers that are not finite");
	w[5] = keep;
	keep = l[1];
	l[1] = -1;
	CHECK_FAILS(reopened(&t, &p), UM_ENUM, "raise floor");
	l[1] = keep;
	t.name[0][0] ^= 1;
	CHECK(reopened(&t, &p) == UM_EDATA);
	t.name[0][0] ^= 1;
	CHECK_FAILS(plug_try(&p, UM_PRIOR, "pca", plug_env(1, COLUMNS, ROWS), SET("model=tests/data/pca.safetensors")),
		UM_EDATA, "not of images of 6 x 8 pixels");
	plug_close(&p);
	CHECK_OK(plug_try(&p, UM_PRIOR, "pca", plug_env(1, ROWS, COLUMNS), NULL));
	CHECK_OK(um_env_images(&p.env, 1, &x));
	CHECK_FAILS(p.prior.ops.logp(p.prior.self, NULL, &x, &lp, NULL), UM_EPARAM, "give model, or a train stage");
	CHECK(p.prior.info.components == 1);
	um_array_free(&x);
	plug_close(&p);
	um_tensors_free(&t);
}

CHECK_MAIN(CHECK_CASE(eigenvalues), CHECK_CASE(shapes), CHECK_CASE(held_out), CHECK_CASE(repeats_stops_refuses),
	CHECK_CASE(resumes), CHECK_CASE(budget), CHECK_CASE(scores), CHECK_CASE(density), CHECK_CASE(draws), CHECK_CASE(posterior), CHECK_CASE(files),
	CHECK_CASE(refused_files))
