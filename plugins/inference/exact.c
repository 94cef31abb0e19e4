/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Exact draws for a Gaussian or mixture prior sum_k w_k N(m_k, C_k) and linear data
 * y = A x + sigma n. In whitened form, B = A/sigma, z = y/sigma, G_k = B C_k B^T + 1:
 *   p(y) = sum_k w_k N(z; B m_k, G_k) / prod sigma,
 * posterior weights are the terms of that sum, and draws follow Matheron's rule (Journel &
 * Huijbregts 1978): x0 ~ N(m_k, C_k), x = x0 + C_k B^T G_k^-1 (z - B x0 - n).
 * More measurements than pixels are first compressed: with B^T B = V L V^T the pair
 * L^1/2 V^T, L^-1/2 V^T B^T z carries all that the data say. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <umbra/linalg.h>
#include <umbra/plugin.h>

enum { BLOCK = 64, DRAWS = 1 };
static const double LOG_2PI = 1.8378770664093453;

struct exact { int64_t limit; };

static const um_param params[] = {
	UM_PARAM(struct exact, limit, "4096", 1, 100000, "",
		"Largest size of the dense matrices, the smaller of pixels and measurements."),
};

typedef struct {
	um_problem *problem;
	const um_problem_info *about;
	um_sink *sink;
	int64_t n, rows, parts;  /* pixels, whitened measurements, components */
	um_array b, z;           /* [rows][n], [rows] */
	um_array l;              /* Cholesky factors of G_k, [parts][rows][rows] */
	um_array mean;           /* m_k, [parts][n] */
	um_array log_weight;     /* of the posterior, [parts] */
	double constant;         /* log density of y less that of z */
	double log_evidence;
} work;

static um_status matrix(um_array *a, int64_t rows, int64_t columns)
{
	return um_array_new(a, UM_F64, 2, (const int64_t[]){ rows, columns });
}

/* ---- the measurement in whitened form ---------------------------------------- */

/* B: the pullback of unit vectors gives the rows of A. */
static um_status whiten(work *w)
{
	um_status st = UM_OK;
	um_array unit = { 0 }, zero = { 0 }, row = { 0 };
	const int64_t ny = w->about->ny;
	const double *y = um_problem_y(w->problem), *sigma = um_problem_sigma(w->problem);
	UM_TRY(matrix(&w->b, ny, w->n));
	UM_TRY(matrix(&w->z, 1, ny));
	for (int64_t first = 0; first < ny; first += BLOCK) {
		int64_t count = ny - first < BLOCK ? ny - first : BLOCK;
		UM_TRY(matrix(&unit, count, ny));
		UM_TRY(um_problem_images(w->problem, count, &zero));
		UM_TRY(um_problem_images(w->problem, count, &row));
		for (int64_t i = 0; i < count; i++)
			um_row_d(&unit, i)[first + i] = 1;
		UM_TRY(um_problem_pullback(w->problem, &zero, &unit, &row));
		for (int64_t i = 0; i < count; i++)
			for (int64_t j = 0; j < w->n; j++)
				um_row_d(&w->b, first + i)[j] = um_row_f(&row, i)[j] / sigma[first + i];
		um_array_free(&unit);
		um_array_free(&zero);
		um_array_free(&row);
	}
	for (int64_t i = 0; i < ny; i++) {
		um_row_d(&w->z, 0)[i] = y[i] / sigma[i];
		w->constant -= log(sigma[i]);
	}
	w->rows = ny;
out:
	um_array_free(&unit);
	um_array_free(&zero);
	um_array_free(&row);
	return st;
}

/* Replaces B, z by at most n rows that carry the same information. */
static um_status compress(work *w)
{
	um_status st = UM_OK;
	const double tiny = 1e-13;
	um_array v = { 0 }, l = { 0 }, projected = { 0 }, z = { 0 };
	double *old = w->z.data;
	int64_t rows = 0;
	UM_TRY(matrix(&v, w->n, w->n));
	UM_TRY(matrix(&l, 1, w->n));
	UM_TRY(matrix(&projected, 1, w->n));
	UM_TRY(matrix(&z, 1, w->n));
	um_gemm(true, false, w->n, w->n, w->rows, w->b.data, w->b.data, v.data);
	um_gemv(true, w->rows, w->n, w->b.data, old, projected.data);
	UM_TRY(um_eigh(w->n, v.data, l.data));
	double *value = l.data, *zv = z.data;
	for (int64_t k = 0; k < w->n; k++) {
		if (value[k] <= tiny * value[w->n - 1])
			continue;
		double *from = um_row_d(&v, k), *to = um_row_d(&v, rows), root = sqrt(value[k]);
		zv[rows] = um_dot(w->n, from, projected.data) / root;
		for (int64_t j = 0; j < w->n; j++)
			to[j] = root * from[j];
		rows++;
	}
	w->constant -= 0.5 * (um_dot(w->rows, old, old) - um_dot(rows, zv, zv))
		+ 0.5 * (double)(w->rows - rows) * LOG_2PI;
	um_array_free(&w->b);
	um_array_free(&w->z);
	w->b = v, v = (um_array){ 0 };
	w->z = z, z = (um_array){ 0 };
	w->rows = rows;
out:
	um_array_free(&v);
	um_array_free(&l);
	um_array_free(&projected);
	um_array_free(&z);
	return st;
}

/* ---- evidence ------------------------------------------------------------------ */

/* L of G_k = B C_k B^T + 1, and log w_k + log N(z; B m_k, G_k). */
static um_status weigh(work *w, int64_t k, um_array *cb, double *log_weight)
{
	um_status st = UM_OK;
	um_array r = { 0 };
	double *l = um_row_d(&w->l, k), *mean = um_row_d(&w->mean, k);
	um_array b = um_array_rows(&w->b, 0, w->rows), residual;
	UM_TRY(matrix(&r, 2, w->rows));
	double *whole = um_row_d(&r, 0), *solved = um_row_d(&r, 1);
	UM_TRY(um_problem_component(w->problem, k, log_weight, mean));
	UM_TRY(um_problem_covariance(w->problem, k, false, &b, cb));
	um_gemm(false, true, w->rows, w->rows, w->n, b.data, cb->data, l);
	for (int64_t i = 0; i < w->rows; i++)
		l[i * w->rows + i] += 1;
	UM_TRY(um_cholesky(w->rows, l));
	residual = um_array_rows(&r, 0, 1);
	um_gemv(false, w->rows, w->n, b.data, mean, residual.data);
	for (int64_t i = 0; i < w->rows; i++)
		solved[i] = whole[i] = ((double *)w->z.data)[i] - whole[i];
	um_cholesky_solve(w->rows, l, 1, solved);
	*log_weight -= 0.5 * (um_dot(w->rows, whole, solved) + um_cholesky_log_det(w->rows, l)
		+ (double)w->rows * LOG_2PI);
out:
	um_array_free(&r);
	return st;
}

static um_status weigh_all(work *w)
{
	um_status st = UM_OK;
	um_array cb = { 0 };
	const int64_t total = w->parts + w->about->samples;
	UM_TRY(matrix(&w->log_weight, 1, w->parts));
	UM_TRY(matrix(&w->mean, w->parts, w->n));
	UM_TRY(um_array_new(&w->l, UM_F64, 3, (const int64_t[]){ w->parts, w->rows, w->rows }));
	UM_TRY(matrix(&cb, w->rows, w->n));
	double *lw = w->log_weight.data;
	for (int64_t k = 0; k < w->parts; k++) {
		UM_TRY(weigh(w, k, &cb, &lw[k]));
		if (um_sink_progress(w->sink, k + 1, total, NAN) == UM_STOP)
			UM_TRY(um_fail(UM_EINTR, "exact: stopped after %lld of %lld components",
				(long long)k + 1, (long long)w->parts));
	}
	double sum = um_log_sum_exp(w->parts, lw), effective = 0;
	for (int64_t k = 0; k < w->parts; k++) {
		lw[k] -= sum;
		effective += exp(2 * lw[k]);
	}
	w->log_evidence = sum + w->constant;
	UM_TRY(um_sink_metric(w->sink, "log_evidence", w->log_evidence));
	UM_TRY(um_sink_metric(w->sink, "components", (double)w->parts));
	UM_TRY(um_sink_metric(w->sink, "effective_components", 1 / effective));
out:
	um_array_free(&cb);
	return st;
}

/* ---- draws ----------------------------------------------------------------------- */

static int64_t pick(const double *log_weight, int64_t parts, double u)
{
	int64_t k = 0;
	for (double sum = exp(log_weight[0]); u > sum && k < parts - 1; sum += exp(log_weight[k]))
		k++;
	return k;
}

/* One draw of component k into x; v [1][n], t [2][n] and r [1][rows] are room to work in. */
static um_status draw(work *w, int64_t k, um_rng *rng, um_array *v, um_array *t, um_array *r, float *x)
{
	um_status st = UM_OK;
	um_array first = um_array_rows(t, 0, 1), second = um_array_rows(t, 1, 1);
	double *x0 = first.data, *move = second.data, *rv = r->data, *vv = v->data;
	const double *mean = um_row_d(&w->mean, k), *z = w->z.data;
	um_normal_fill(rng, vv, w->n);
	UM_TRY(um_problem_covariance(w->problem, k, true, v, &first));
	for (int64_t j = 0; j < w->n; j++)
		x0[j] += mean[j];
	um_gemv(false, w->rows, w->n, w->b.data, x0, rv);
	for (int64_t i = 0; i < w->rows; i++)
		rv[i] = z[i] - rv[i] - um_normal(rng);
	um_cholesky_solve(w->rows, um_row_d(&w->l, k), 1, rv);
	um_gemv(true, w->rows, w->n, w->b.data, rv, vv);
	UM_TRY(um_problem_covariance(w->problem, k, false, v, &second));
	for (int64_t j = 0; j < w->n; j++)
		x[j] = (float)(x0[j] + move[j]);
out:
	return st;
}

/* log p(x | y) = log p(y | x) + log p(x) - log p(y), with the constant of the likelihood. */
static um_status log_posterior(work *w, um_array *x, double *logq)
{
	um_status st = UM_OK;
	const double *sigma = um_problem_sigma(w->problem);
	um_rng rng[BLOCK];
	double lp[BLOCK], constant = -w->log_evidence - 0.5 * (double)w->about->ny * LOG_2PI;
	for (int64_t i = 0; i < w->about->ny; i++)
		constant -= log(sigma[i]);
	for (int64_t i = 0; i < x->dim[0]; i++)
		rng[i] = um_problem_rng(w->problem, DRAWS + 1, (uint64_t)i);
	UM_TRY(um_problem_loglike(w->problem, x, logq, NULL));
	UM_TRY(um_problem_logp(w->problem, rng, x, lp, NULL));
	for (int64_t i = 0; i < x->dim[0]; i++)
		logq[i] += lp[i] + constant;
out:
	return st;
}

static um_status draw_all(work *w)
{
	um_status st = UM_OK;
	um_array x = { 0 }, v = { 0 }, t = { 0 }, r = { 0 };
	double logq[BLOCK];
	const int64_t samples = w->about->samples;
	UM_TRY(matrix(&v, 1, w->n));
	UM_TRY(matrix(&t, 2, w->n));
	UM_TRY(matrix(&r, 1, w->rows));
	for (int64_t first = 0; first < samples; first += BLOCK) {
		int64_t count = samples - first < BLOCK ? samples - first : BLOCK;
		UM_TRY(um_problem_images(w->problem, count, &x));
		for (int64_t i = 0; i < count; i++) {
			um_rng rng = um_problem_rng(w->problem, DRAWS, (uint64_t)(first + i));
			int64_t k = pick(w->log_weight.data, w->parts, um_uniform(&rng));
			UM_TRY(draw(w, k, &rng, &v, &t, &r, um_row_f(&x, i)));
		}
		UM_TRY(log_posterior(w, &x, logq));
		UM_TRY(um_sink_samples(w->sink, &x, logq));
		um_array_free(&x);
		if (um_sink_progress(w->sink, w->parts + first + count, w->parts + samples, NAN) == UM_STOP
			&& first + count < samples)
			UM_TRY(um_fail(UM_EINTR, "exact: stopped after %lld of %lld samples",
				(long long)(first + count), (long long)samples));
	}
out:
	um_array_free(&x);
	um_array_free(&v);
	um_array_free(&t);
	um_array_free(&r);
	return st;
}

/* ---- plugin ------------------------------------------------------------------------ */

static um_status create(void **self, const void *p, const um_env *env, um_inference_info *info)
{
	(void)env;
	info->needs = UM_NEEDS_LINEAR | UM_NEEDS_CLOSED | UM_NEEDS_IDENTITY | UM_NEEDS_LOGP;
	struct exact *e = malloc(sizeof(*e));
	if (e == NULL)
		return um_fail(UM_ENOMEM, "exact: out of memory");
	memcpy(e, p, sizeof(*e));
	*self = e;
	return UM_OK;
}

static void destroy(void *self)
{
	free(self);
}

static um_status suits(void *self, const um_problem_info *about)
{
	const struct exact *e = self;
	const int64_t smaller = about->n < about->ny ? about->n : about->ny;
	if (smaller > e->limit)
		return um_fail(UM_EPARAM, "exact: %lld pixels and %lld measurements need dense matrices of "
			"%lld rows; allow them with limit = %lld, or use dpi", (long long)about->n,
			(long long)about->ny, (long long)smaller, (long long)smaller);
	return UM_OK;
}

/* An interrupted run starts over: nothing here takes long, and streams make it repeat. */
static um_status run(void *self, um_problem *problem, um_sink *sink)
{
	um_status st = UM_OK;
	const um_problem_info *about = um_problem_about(problem);
	work w = { .problem = problem, .about = about, .sink = sink, .n = about->n,
		.parts = about->components };
	(void)self;
	UM_TRY(whiten(&w));
	if (w.rows > w.n)
		UM_TRY(compress(&w));
	UM_TRY(weigh_all(&w));
	UM_TRY(draw_all(&w));
out:
	um_array_free(&w.b);
	um_array_free(&w.z);
	um_array_free(&w.l);
	um_array_free(&w.mean);
	um_array_free(&w.log_weight);
	return st;
}

static const um_inference_ops ops = { .create = create, .destroy = destroy, .run = run, .suits = suits };

UM_PLUGIN = {
	UM_HEADER, UM_INFERENCE, 0, "exact", "0.1.0",
	"Exact posterior draws and evidence for Gaussian and mixture priors with linear data.", "",
	UM_PARAMS(struct exact, params), UM_OPS(ops),
};
