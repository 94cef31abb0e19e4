/* SPDX-License-Identifier: GPL-3.0-or-later */
/* N(mu, C) with C = U diag(c) U^T, where U is the identity (white), the Fourier basis of the
 * torus (power law, c(k) ~ (k0^2 + k^2)^(-slope/2)) or eigenvectors (a matrix from a file).
 * The law of alpha x0 + sigma z is N(alpha mu, alpha^2 C + sigma^2 I), so every function here
 * is one pass v -> U g(c) U^T v. The planes of an image (frames, bands, channels) are
 * independent, unless the matrix covers all of them. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <umbra/plugin.h>
#include <umbra/spectral.h>
#include <umbra/table.h>

struct gaussian {
	double mean, sigma;
	const char *spectrum;
	double slope, k0, floor;
	const char *mean_file, *covariance;
};

static const um_param params[] = {
	UM_PARAM(struct gaussian, mean, "0", -1e12, 1e12, "", "Mean of every pixel, in units of x."),
	UM_PARAM(struct gaussian, sigma, "1", 1e-12, 1e12, "", "Standard deviation of every pixel about the "
		"mean, in units of x; not used with covariance."),
	UM_CHOICE(struct gaussian, spectrum, "white", "white|power", "Whether pixels are independent or "
		"have a power-law spectrum on an image that wraps around."),
	UM_PARAM(struct gaussian, slope, "3", 0, 20, "", "Exponent of the power spectrum, "
		"proportional to (k0^2 + k^2)^(-slope/2)."),
	UM_PARAM(struct gaussian, k0, "1", 1e-6, 1e6, "", "Frequency where the power law bends, in cycles per "
		"image width: structure larger than width/k0 is not correlated."),
	UM_PARAM(struct gaussian, floor, "0", 0, 1e12, "", "Standard deviation of white noise that is added "
		"on top, in units of x."),
	UM_FILE(struct gaussian, mean_file, "", "Image of the mean, FITS or .npy, instead of mean; of one "
		"plane or of all of them."),
	UM_FILE(struct gaussian, covariance, "", "Matrix n x n, FITS or .npy, instead of sigma and spectrum; "
		"n pixels of one plane or of all planes."),
};

struct self {
	int64_t n;         /* pixels of an image; each block of c.n of them is independent */
	um_spectral c;
	double *mean;      /* [n] */
	double *v;         /* [n] work */
	double *gain;      /* [c.count] work, a function of the eigenvalues */
	double log_norm;
};

static void destroy(void *self)
{
	struct self *g = self;
	um_spectral_free(&g->c);
	free(g->mean);
	free(g->v);
	free(g->gain);
	free(g);
}

/* out = U gain U^T in for one image; in may be out. */
static void filter(const struct self *g, const double *in, double *out)
{
	for (int64_t at = 0; at < g->n; at += g->c.n)
		um_spectral_apply(&g->c, g->gain, in + at, out + at);
}

static double trace(const struct self *g)
{
	return um_spectral_trace(&g->c, g->gain) * (double)(g->n / g->c.n);
}

/* gain = -1 / (alpha^2 c + sigma^2): the Hessian of the diffused log density. */
static um_status hessian(struct self *g, double alpha, double sigma)
{
	for (int64_t i = 0; i < g->c.count; i++) {
		double var = alpha * alpha * g->c.c[i] + sigma * sigma;
		if (!(var > 0))
			return um_fail(UM_ENUM, "there is no score at alpha = sigma = 0");
		g->gain[i] = -1 / var;
	}
	return UM_OK;
}

static void load(const um_array *from, int64_t row, double *to, int64_t n)
{
	const float *in = um_row_f(from, row);
	for (int64_t i = 0; i < n; i++)
		to[i] = in[i];
}

static void store(const double *from, um_array *to, int64_t row, int64_t n)
{
	float *out = um_row_f(to, row);
	for (int64_t i = 0; i < n; i++)
		out[i] = (float)from[i];
}

static um_status set_mean(struct self *g, const struct gaussian *p, int64_t plane)
{
	um_array a = { 0 };
	um_status st = UM_OK;
	if (*p->mean_file && um_table_image(p->mean_file, g->n, &a) != UM_OK)
		UM_TRY(um_table_image(p->mean_file, plane, &a));
	for (int64_t i = 0; i < g->n; i++)
		g->mean[i] = *p->mean_file ? ((const double *)a.data)[i % um_array_len(&a)] : p->mean;
out:
	um_array_free(&a);
	return st;
}

/* A matrix of one plane or of the whole image. */
static um_status set_matrix(struct self *g, const struct gaussian *p, int64_t plane)
{
	um_array a = { 0 };
	um_status st = UM_OK;
	UM_TRY(um_table_read(p->covariance, &a));
	int64_t m = a.dim[0];
	if (a.rank != 2 || a.dim[1] != m || (m != plane && m != g->n))
		UM_TRY(um_fail(UM_EDATA, "%s: the covariance must be a matrix of %lld x %lld numbers",
			p->covariance, (long long)plane, (long long)plane));
	st = um_spectral_dense(m, a.data, &g->c);
	if (st != UM_OK)
		um_context(st, "%s", p->covariance);
out:
	um_array_free(&a);
	return st;
}

static um_status set_covariance(struct self *g, const struct gaussian *p, int64_t rows, int64_t columns)
{
	const double var = p->sigma * p->sigma;
	um_status st = UM_OK;
	if (*p->covariance)
		UM_TRY(set_matrix(g, p, rows * columns));
	else if (strcmp(p->spectrum, "power") == 0)
		UM_TRY(um_spectral_power(rows, columns, var, p->k0, p->slope, &g->c));
	else
		UM_TRY(um_spectral_white(rows * columns, var, &g->c));
	st = um_spectral_floor(&g->c, p->floor * p->floor);
	if (st != UM_OK)
		UM_TRY(um_context(st, "raise floor, now %g", p->floor));
	g->gain = calloc((size_t)g->c.count, sizeof(double));
	if (g->gain == NULL)
		UM_TRY(um_fail(UM_ENOMEM, "no memory for gaussian"));
	for (int64_t i = 0; i < g->c.count; i++)
		g->gain[i] = log(6.283185307179586 * g->c.c[i]);
	g->log_norm = -trace(g) / 2;
out:
	return st;
}

static um_status create(void **self, const void *p, const um_env *env, um_prior_info *info)
{
	const int64_t *s = env->shape, plane = s[3] * s[4];
	um_status st = UM_OK;
	struct self *g = calloc(1, sizeof(*g));
	if (g == NULL)
		return um_fail(UM_ENOMEM, "no memory for gaussian");
	g->n = s[0] * s[1] * s[2] * plane;
	g->mean = calloc((size_t)g->n, sizeof(double));
	g->v = calloc((size_t)g->n, sizeof(double));
	if (g->mean == NULL || g->v == NULL)
		UM_TRY(um_fail(UM_ENOMEM, "no memory for gaussian"));
	UM_TRY(set_mean(g, p, plane));
	UM_TRY(set_covariance(g, p, s[3], s[4]));
	info->components = 1;
	*self = g;
out:
	if (st != UM_OK)
		destroy(g);
	return st;
}

static um_status logp(void *self, um_rng *rng, const um_array *x, double *lp, um_array *dx)
{
	struct self *g = self;
	um_status st = hessian(g, 1, 0);
	(void)rng;
	for (int64_t b = 0; b < x->dim[0] && st == UM_OK; b++) {
		double sum = 0;
		load(x, b, g->v, g->n);
		for (int64_t i = 0; i < g->n; i++)
			g->v[i] -= g->mean[i];
		filter(g, g->v, g->v);
		for (int64_t i = 0; i < g->n; i++)
			sum += g->v[i] * (um_row_f(x, b)[i] - g->mean[i]);
		lp[b] = g->log_norm + sum / 2;
		if (dx != NULL)
			store(g->v, dx, b, g->n);
	}
	return st;
}

/* out = H in for one row. */
static void product(struct self *g, const um_array *in, um_array *out, int64_t row)
{
	load(in, row, g->v, g->n);
	filter(g, g->v, g->v);
	if (out != NULL)
		store(g->v, out, row, g->n);
}

static um_status score(void *self, const um_score_job *job)
{
	struct self *g = self;
	for (int64_t b = 0; b < job->x->dim[0]; b++) {
		um_status st = hessian(g, job->alpha[b], job->sigma[b]);
		if (st != UM_OK)
			return st;
		if (job->s != NULL) {
			load(job->x, b, g->v, g->n);
			for (int64_t i = 0; i < g->n; i++)
				g->v[i] -= job->alpha[b] * g->mean[i];
			filter(g, g->v, g->v);
			store(g->v, job->s, b, g->n);
		}
		if (job->jtv != NULL)
			product(g, job->v, job->jtv, b);
		double div = job->probes > 0 ? 0 : trace(g);
		for (int64_t k = b * job->probes; k < (b + 1) * job->probes; k++) {
			if (job->je == NULL && job->div == NULL)
				break;
			product(g, job->e, job->je, k);
			for (int64_t i = 0; i < g->n; i++)
				div += um_row_f(job->e, k)[i] * g->v[i] / (double)job->probes;
		}
		if (job->div != NULL)
			job->div[b] = div;
		if (job->ddiv != NULL)
			memset(um_row_f(job->ddiv, b), 0, sizeof(float) * (size_t)g->n);
	}
	return UM_OK;
}

static um_status sample(void *self, um_rng *rng, um_array *x)
{
	struct self *g = self;
	for (int64_t i = 0; i < g->c.count; i++)
		g->gain[i] = sqrt(g->c.c[i]);
	for (int64_t b = 0; b < x->dim[0]; b++) {
		um_normal_fill(&rng[b], g->v, g->n);
		filter(g, g->v, g->v);
		for (int64_t i = 0; i < g->n; i++)
			g->v[i] += g->mean[i];
		store(g->v, x, b, g->n);
	}
	return UM_OK;
}

static um_status component(void *self, int64_t k, double *log_weight, double *mean)
{
	const struct self *g = self;
	(void)k;
	*log_weight = 0;
	if (mean != NULL)
		memcpy(mean, g->mean, sizeof(double) * (size_t)g->n);
	return UM_OK;
}

static um_status covariance(void *self, int64_t k, bool root, const um_array *v, um_array *out)
{
	struct self *g = self;
	(void)k;
	for (int64_t i = 0; i < g->c.count; i++)
		g->gain[i] = root ? sqrt(g->c.c[i]) : g->c.c[i];
	for (int64_t b = 0; b < v->dim[0]; b++)
		filter(g, um_row_d(v, b), um_row_d(out, b));
	return UM_OK;
}

static const um_prior_ops ops = {
	.create = create, .destroy = destroy, .logp = logp, .score = score, .sample = sample,
	.component = component, .covariance = covariance,
};

UM_PLUGIN = {
	UM_HEADER, UM_PRIOR, 0, "gaussian", "1.0",
	"A Gaussian: independent pixels, a power-law spectrum, or a given mean and covariance.", "",
	UM_PARAMS(struct gaussian, params), UM_OPS(ops),
};
