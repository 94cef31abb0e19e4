/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Probabilistic principal components (Tipping & Bishop 1999, doi:10.1111/1467-9868.00196):
 *   N(mu, C),  C = W diag(l_i - s^2) W^T + s^2 I,
 * with the k leading unit eigenvectors W and eigenvalues l_i of the sample covariance and s^2 the mean
 * of the eigenvalues left out. C is known by W, the l_i and s^2 = the eigenvalue of all that is
 * orthogonal to W, so that density, scores at any diffusion time and posteriors are closed forms.
 * Fitted in a few passes over the data, which need not fit in memory (um_svd_random). */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <umbra/dataset.h>
#include <umbra/gaussian.h>
#include <umbra/linalg.h>
#include <umbra/plugin.h>
#include <umbra/tensors.h>

enum { BLOCK = 256 };                         /* images read at once */
static const double KEEP_MOST = 1 << 30;      /* bytes of draws that are kept between passes */

struct pca {
	const char *model;
	int64_t components, extra, power, draws;
	double floor;
};

static const um_param params[] = {
	UM_FILE(struct pca, model, "", "Weight file that a train stage wrote; may be left out where a train "
		"stage of the same pipeline comes first."),
	UM_PARAM(struct pca, components, "64", 1, 1000000, "", "Principal components to learn; at most one a "
		"pixel and one less than training images."),
	UM_PARAM(struct pca, floor, "0", 0, 1e12, "", "Standard deviation of white noise that is added to the "
		"learned law, in units of x."),
	UM_PARAM(struct pca, extra, "32", 2, 100000, "", "Dimensions in which components are searched, beyond "
		"their number."),
	UM_PARAM(struct pca, power, "2", 0, 100, "", "Power iterations: each is a pass over the data and makes "
		"components sharper whose variances are close."),
	UM_PARAM(struct pca, draws, "10000", 2, 1000000000, "", "Images to learn from where the data are "
		"endless draws from a prior."),
};

/* The law as a weight file holds it. */
typedef struct {
	int64_t n, k;
	double *mean, *w, *l; /* [n], [k][n], [k] */
	double rest;          /* s^2 */
} law;

struct self {
	const struct pca *set;
	int64_t n, shape[5];
	um_gaussian g;        /* zeroed: not trained */
};

/* ---- the law -------------------------------------------------------------------------------- */

static void law_free(law *a)
{
	free(a->mean);
	free(a->w);
	free(a->l);
	*a = (law){ 0 };
}

static um_status law_new(int64_t n, int64_t k, law *a)
{
	*a = (law){ .n = n, .k = k };
	a->mean = calloc((size_t)n, sizeof(double));
	a->l = calloc((size_t)k, sizeof(double));
	if (k < INT64_MAX / 16 / n)
		a->w = calloc((size_t)(k * n), sizeof(double));
	if (a->mean != NULL && a->w != NULL && a->l != NULL)
		return UM_OK;
	law_free(a);
	return um_fail(UM_ENOMEM, "no memory for %lld components of %lld pixels", (long long)k, (long long)n);
}

static um_status use(struct self *p, const law *a)
{
	um_status st = UM_OK;
	um_spectral c = { 0 };
	um_gaussian_free(&p->g);
	UM_TRY(um_spectral_leading(a->n, a->k, a->w, a->l, a->rest, &c));
	st = um_spectral_floor(&c, p->set->floor * p->set->floor);
	if (st != UM_OK)
		UM_TRY(um_context(st, "raise floor, now %g, or lower components, now %lld", p->set->floor,
			(long long)a->k));
	UM_TRY(um_gaussian_new(a->n, a->mean, &c, &p->g));
out:
	um_spectral_free(&c);
	return st;
}

/* ---- weight files ----------------------------------------------------------------------------- */

/* A tensor of real numbers as doubles; *count is its first dimension. */
static um_status numbers(const um_tensors *t, const char *path, const char *name, int64_t *count, double **out)
{
	um_status st = UM_OK;
	const um_array *a = um_tensors_get(t, name);
	um_array d = { 0 };
	if (a == NULL || (a->dtype != UM_F32 && a->dtype != UM_F64))
		return um_fail(UM_EDATA, "%s: no real tensor '%s'; a model of pca has mean, components, eigenvalues "
			"and noise", path, name);
	const int64_t len = um_array_len(a);
	UM_TRY(um_array_new(&d, UM_F64, 1, &len));
	UM_TRY(um_array_copy(&d, a));
	for (int64_t i = 0; i < len; i++)
		if (!isfinite(((double *)d.data)[i]))
			UM_TRY(um_fail(UM_EDATA, "%s: tensor '%s' has numbers that are not finite", path, name));
	*count = a->rank > 0 ? a->dim[0] : 1;
	free(*out);
	*out = d.data;
	d.data = NULL;
out:
	um_array_free(&d);
	return st;
}

static bool shaped(const um_tensors *t, const char *name, int first, const int64_t shape[5])
{
	const um_array *a = um_tensors_get(t, name);
	return a != NULL && a->rank == first + 5 && memcmp(a->dim + first, shape, sizeof(int64_t[5])) == 0;
}

/* Rows that float32 rounded are made orthonormal again; others are refused. */
static um_status straighten(const char *path, law *a)
{
	double *was = malloc(sizeof(double) * (size_t)(a->k * a->n));
	um_status st = UM_OK;
	if (was == NULL)
		UM_TRY(um_fail(UM_ENOMEM, "no memory for %lld components", (long long)a->k));
	memcpy(was, a->w, sizeof(double) * (size_t)(a->k * a->n));
	UM_TRY(um_orthonormal(a->k, a->n, a->w));
	for (int64_t i = 0; i < a->k * a->n; i++)
		if (!(fabs(a->w[i] - was[i]) < 1e-4))
			UM_TRY(um_fail(UM_EDATA, "%s: the components are not orthonormal", path));
out:
	free(was);
	return st;
}

static um_status load(struct self *p, const char *path)
{
	um_tensors t = { 0 };
	um_status st = UM_OK;
	double *noise = NULL;
	int64_t k = 0, l = 0, one = 0, first = 0;
	law a = { 0 };
	UM_TRY(um_tensors_read(path, &t));
	UM_TRY(numbers(&t, path, "mean", &first, &a.mean));
	UM_TRY(numbers(&t, path, "components", &k, &a.w));
	UM_TRY(numbers(&t, path, "eigenvalues", &l, &a.l));
	UM_TRY(numbers(&t, path, "noise", &one, &noise));
	if (!shaped(&t, "mean", 0, p->shape) || !shaped(&t, "components", 1, p->shape))
		UM_TRY(um_fail(UM_EDATA, "%s: the model is not of images of %lld x %lld pixels with %lld channels; "
			"train another", path, (long long)p->shape[4], (long long)p->shape[3], (long long)p->shape[2]));
	if (k < 1 || k > p->n || l != k || um_array_len(um_tensors_get(&t, "eigenvalues")) != k || one != 1)
		UM_TRY(um_fail(UM_EDATA, "%s: %lld components and %lld eigenvalues of %lld pixels", path, (long long)k,
			(long long)l, (long long)p->n));
	a.n = p->n;
	a.k = k;
	a.rest = noise[0];
	UM_TRY(straighten(path, &a));
	if ((st = use(p, &a)) != UM_OK)
		um_context(st, "%s", path);
out:
	law_free(&a);
	free(noise);
	um_tensors_free(&t);
	return st;
}

static um_status save(const struct self *p, const law *a, um_sink *sink)
{
	const int64_t *s = p->shape, one = 1, images[6] = { a->k, s[0], s[1], s[2], s[3], s[4] };
	const um_array mean = um_array_view(a->mean, UM_F64, 5, s);
	const um_array w = um_array_view(a->w, UM_F64, 6, images);
	const um_array l = um_array_view(a->l, UM_F64, 1, &a->k);
	double noise = a->rest;
	const um_array rest = um_array_view(&noise, UM_F64, 1, &one);
	um_status st = UM_OK;
	UM_TRY(um_sink_tensor(sink, "mean", &mean));
	UM_TRY(um_sink_tensor(sink, "components", &w));
	UM_TRY(um_sink_tensor(sink, "eigenvalues", &l));
	UM_TRY(um_sink_tensor(sink, "noise", &rest));
out:
	return st;
}

/* ---- learning ----------------------------------------------------------------------------------- */

typedef struct {
	um_dataset *data;
	um_sink *sink;
	um_array x;            /* [BLOCK][image] */
	um_array kept;         /* [rows][image] of draws, which are slow to make; or empty */
	int64_t have;          /* how many of these there are */
	int64_t rows, n;
	int64_t done, total;   /* images read and to read, over all passes */
	double started;
	um_svd_job search;     /* for components */
	um_array state;        /* passes over the images that are done, variance */
	um_array mean, basis;  /* [n]; [dimensions][n] of the search */
} reader;

static um_status checkpoint(reader *r)
{
	static const char *const names[] = { "state", "mean", "basis" };
	const um_array *const arrays[] = { &r->state, &r->mean, &r->basis };
	return um_sink_checkpoint(r->sink, 3, names, arrays);
}

static um_status restore(reader *r)
{
	static const char *const names[] = { "state", "mean", "basis" };
	um_array *const arrays[] = { &r->state, &r->mean, &r->basis };
	bool found;
	return um_sink_restore(r->sink, 3, names, arrays, &found);
}

/* Images first .. first + count - 1 of the training set. */
static um_status next(reader *r, int64_t first, int64_t count, const float **images)
{
	um_status st = UM_OK;
	const bool keep = r->kept.data != NULL;
	um_array x = um_array_rows(keep ? &r->kept : &r->x, keep ? first : 0, count);
	if (first + count > r->have)
		UM_TRY(um_dataset_rows(r->data, false, first, count, &x));
	if (keep && first + count > r->have)
		r->have = first + count;
	*images = x.data;
	r->done += count;
	um_answer answer = um_sink_progress(r->sink, r->done, r->total, NAN);
	if (answer != UM_GO)
		UM_TRY(checkpoint(r));
	if (answer == UM_STOP)
		st = um_fail(UM_EINTR, "stopped while components were learned");
out:
	return st;
}

/* Deviations from the mean, for um_svd_random. */
static um_status deviations(void *context, int64_t first, int64_t count, double *a)
{
	reader *r = context;
	const double *mean = r->mean.data;
	const float *x = NULL;
	um_status st = next(r, first, count, &x);
	for (int64_t i = 0; st == UM_OK && i < count; i++)
		for (int64_t j = 0; j < r->n; j++)
			a[i * r->n + j] = x[i * r->n + j] - mean[j];
	return st;
}

static double seconds(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* Remembers how far um_svd_random is; beyond the budget this power iteration was the last. */
static um_status after(void *context, int64_t done, const double *basis)
{
	reader *r = context;
	const double budget = um_dataset_about(r->data)->seconds;
	if (budget > 0 && seconds() - r->started > budget && r->search.power > done - 1) {
		r->search.power = done - 1;
		r->total = r->rows * (1 + um_svd_passes(&r->search));
	}
	*(double *)r->state.data = (double)(1 + done);
	memcpy(r->basis.data, basis, sizeof(double) * (size_t)um_array_len(&r->basis));
	return UM_OK;
}

/* The mean, and the variance summed over pixels; sums are of differences from the first image. */
static um_status moments(reader *r)
{
	const int64_t n = r->n;
	double *from = calloc((size_t)n, 2 * sizeof(double)), *sum = from + n, square = 0;
	double *state = r->state.data;
	const float *x = NULL;
	um_status st = from == NULL ? um_fail(UM_ENOMEM, "no memory for an image") : UM_OK;
	for (int64_t first = 0, count; st == UM_OK && first < r->rows; first += count) {
		count = r->rows - first < BLOCK ? r->rows - first : BLOCK;
		st = next(r, first, count, &x);
		for (int64_t i = 0; st == UM_OK && first == 0 && i < n; i++)
			from[i] = x[i];
		for (int64_t i = 0; st == UM_OK && i < count * n; i++) {
			const double v = x[i] - from[i % n];
			sum[i % n] += v;
			square += v * v;
		}
	}
	for (int64_t i = 0; st == UM_OK && i < n; i++) {
		((double *)r->mean.data)[i] = from[i] + sum[i] / (double)r->rows;
		square -= sum[i] * sum[i] / (double)r->rows;
	}
	state[0] = st == UM_OK;
	state[1] = fmax(0, square) / (double)(r->rows - 1);
	free(from);
	return st;
}

/* Eigenvalues are of the covariance that divides by one less than the images. */
static um_status learn(struct self *p, reader *r, law *a)
{
	um_svd_job *job = &r->search;
	um_status st = UM_OK;
	*job = (um_svd_job){ .rows = r->rows, .columns = r->n, .read = deviations, .context = r, .rank = a->k,
		.extra = p->set->extra, .power = p->set->power, .block = BLOCK, .after = after,
		.rng = um_dataset_about(r->data)->rng };
	r->started = seconds();
	UM_TRY(um_array_new(&r->state, UM_F64, 1, (const int64_t[]){ 2 }));
	UM_TRY(um_array_new(&r->mean, UM_F64, 1, &r->n));
	UM_TRY(um_array_new(&r->basis, UM_F64, 2, (const int64_t[]){ um_svd_dimensions(job), r->n }));
	UM_TRY(restore(r));
	const double *state = r->state.data;
	r->total = r->rows * (1 + um_svd_passes(job));
	r->done = r->rows * (int64_t)state[0];
	if (state[0] == 0)
		UM_TRY(moments(r));
	job->done = (int64_t)state[0] - 1;
	job->basis = r->basis.data;
	UM_TRY(um_svd_random(job, a->l, a->w));
	memcpy(a->mean, r->mean.data, sizeof(double) * (size_t)r->n);
	a->rest = state[1];
	for (int64_t i = 0; i < a->k; i++) {
		a->l[i] *= a->l[i] / (double)(r->rows - 1);
		a->rest -= a->l[i];
	}
	a->rest = a->k < a->n ? fmax(0, a->rest) / (double)(a->n - a->k) : 0;
out:
	return st;
}

static um_status report(um_sink *sink, const law *a, double variance)
{
	static const char *const names[] = { "eigenvalue", "explained" };
	um_status st = UM_OK;
	double sum = 0, *number = calloc((size_t)a->k, sizeof(double));
	for (int64_t i = 0; i < a->k; i++) {
		sum += a->l[i];
		const double values[] = { a->l[i], variance > 0 ? sum / variance : 1 };
		UM_TRY(um_sink_trace(sink, i + 1, 2, names, values));
		if (number != NULL)
			number[i] = (double)(i + 1);
	}
	UM_TRY(um_sink_metric(sink, "components", (double)a->k));
	UM_TRY(um_sink_metric(sink, "explained_variance", variance > 0 ? sum / variance : 1));
	UM_TRY(um_sink_metric(sink, "noise_sd", sqrt(a->rest)));
	if (number != NULL && a->l[a->k - 1] > 0)
		UM_TRY(um_sink_plot(sink, &(um_plot){ .name = "eigenvalues", .title = "Variance along components",
			.xlabel = "component", .ylabel = "variance", .n = a->k, .x = number, .y = a->l, .log_y = true }));
out:
	free(number);
	return st;
}

/* The mean log density of held-out images, also in bits a pixel: of the integers, where noise hides
 * their rounding. */
static um_status judge(struct self *p, reader *r)
{
	const um_dataset_info *about = um_dataset_about(r->data);
	double lp[BLOCK], sum = 0;
	um_status st = UM_OK;
	if (about->held == 0)
		return UM_OK;
	for (int64_t first = 0, count; first < about->held; first += count) {
		count = about->held - first < BLOCK ? about->held - first : BLOCK;
		um_array x = um_array_rows(&r->x, 0, count);
		UM_TRY(um_dataset_rows(r->data, true, first, count, &x));
		UM_TRY(um_gaussian_logp(&p->g, &x, lp, NULL));
		for (int64_t i = 0; i < count; i++)
			sum += lp[i];
	}
	const double mean = sum / (double)about->held;
	UM_TRY(um_sink_metric(r->sink, "held_out_logp", mean));
	const double bits = -mean / ((double)p->n * log(2)) - (about->step > 0 ? log2(about->step) : 0);
	UM_TRY(um_sink_metric(r->sink, "held_out_bits_per_dim", bits));
out:
	return st;
}

static um_status fit(void *self, um_dataset *data, um_sink *sink)
{
	struct self *p = self;
	const um_dataset_info *about = um_dataset_about(data);
	const int64_t *s = p->shape, rows = about->train > 0 ? about->train : p->set->draws;
	reader r = { .data = data, .sink = sink, .rows = rows, .n = p->n };
	um_status st = UM_OK;
	law a = { 0 };
	if (rows < 2)
		UM_TRY(um_fail(UM_EDATA, "%s: components need two images at least", about->source));
	int64_t most = rows - 1 < p->n ? rows - 1 : p->n;
	UM_TRY(law_new(p->n, p->set->components < most ? p->set->components : most, &a));
	UM_TRY(um_array_new(&r.x, UM_F32, 6, (const int64_t[]){ BLOCK, s[0], s[1], s[2], s[3], s[4] }));
	if (about->train == 0 && (double)(rows * p->n) * sizeof(float) <= KEEP_MOST)
		UM_TRY(um_array_new(&r.kept, UM_F32, 6, (const int64_t[]){ rows, s[0], s[1], s[2], s[3], s[4] }));
	UM_TRY(learn(p, &r, &a));
	UM_TRY(use(p, &a));
	UM_TRY(save(p, &a, sink));
	UM_TRY(report(sink, &a, ((const double *)r.state.data)[1]));
	UM_TRY(judge(p, &r));
out:
	um_array_free(&r.x);
	um_array_free(&r.kept);
	um_array_free(&r.state);
	um_array_free(&r.mean);
	um_array_free(&r.basis);
	law_free(&a);
	return st;
}

/* ---- the prior ------------------------------------------------------------------------------------ */

static void destroy(void *self)
{
	struct self *p = self;
	um_gaussian_free(&p->g);
	free(p);
}

static um_status create(void **self, const void *params_, const um_env *env, um_prior_info *info)
{
	um_status st = UM_OK;
	struct self *p = calloc(1, sizeof(*p));
	if (p == NULL)
		return um_fail(UM_ENOMEM, "no memory for pca");
	p->set = params_;
	p->n = 1;
	for (int i = 0; i < 5; i++)
		p->n *= p->shape[i] = env->shape[i];
	if (*p->set->model)
		UM_TRY(load(p, p->set->model));
	info->components = 1;
	info->normalised = true;
	*self = p;
out:
	if (st != UM_OK)
		destroy(p);
	return st;
}

static um_status trained(const struct self *p)
{
	return p->g.n > 0 ? UM_OK : um_fail(UM_EPARAM, "nothing is learned yet; give model, or a train stage "
		"before");
}

static um_status logp(void *self, um_rng *rng, const um_array *x, double *lp, um_array *dx)
{
	struct self *p = self;
	um_status st = trained(p);
	(void)rng;
	return st == UM_OK ? um_gaussian_logp(&p->g, x, lp, dx) : st;
}

static um_status score(void *self, const um_score_job *job)
{
	struct self *p = self;
	um_status st = trained(p);
	return st == UM_OK ? um_gaussian_score(&p->g, job) : st;
}

static um_status sample(void *self, um_rng *rng, um_array *x)
{
	struct self *p = self;
	um_status st = trained(p);
	if (st == UM_OK)
		um_gaussian_sample(&p->g, rng, x);
	return st;
}

static um_status component(void *self, int64_t k, double *log_weight, double *mean)
{
	struct self *p = self;
	um_status st = trained(p);
	(void)k;
	if (st == UM_OK)
		um_gaussian_component(&p->g, log_weight, mean);
	return st;
}

static um_status covariance(void *self, int64_t k, bool root, const um_array *v, um_array *out)
{
	struct self *p = self;
	um_status st = trained(p);
	(void)k;
	if (st == UM_OK)
		um_gaussian_covariance(&p->g, root, v, out);
	return st;
}

static const um_prior_ops ops = {
	.create = create, .destroy = destroy, .logp = logp, .score = score, .sample = sample,
	.component = component, .covariance = covariance, .fit = fit,
};

UM_PLUGIN = {
	UM_HEADER, UM_PRIOR, 0, "pca", "1.0",
	"A Gaussian learned from images: their principal components, and white noise for the rest.",
	"Tipping & Bishop 1999, doi:10.1111/1467-9868.00196", UM_PARAMS(struct pca, params), UM_OPS(ops),
};
