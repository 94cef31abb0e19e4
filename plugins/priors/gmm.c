/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A mixture of K Gaussians, sum_k w_k N(m_k, C_k). The law of alpha x0 + sigma z is again a
 * mixture, with means alpha m_k and covariances V_k = alpha^2 C_k + sigma^2 I. With
 * P_k = V_k^-1, s_k = -P_k (x - alpha m_k) and r_k the share of component k at x:
 *   s = sum r_k s_k,   J = sum r_k (s_k s_k^T - P_k) - s s^T  (symmetric),
 *   tr J = sum r_k g_k - |s|^2,        g_k = |s_k|^2 - tr P_k,
 *   grad tr J = sum r_k ((s_k - s) g_k - 2 P_k s_k) - 2 J s,
 * from grad r_k = r_k (s_k - s); for a probe e, e^T J e and its gradient likewise. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <umbra/linalg.h>
#include <umbra/plugin.h>
#include <umbra/spectral.h>
#include <umbra/table.h>

struct gmm {
	um_reals weights, means, variances;
	const char *means_file, *covariances;
};

static const um_param params[] = {
	UM_PARAM(struct gmm, weights, "[]", 0, 1e12, "", "Weights of the components, in any scale; empty: "
		"equal weights."),
	UM_PARAM(struct gmm, means, "[-0.5, -0.5, 0.5, 0.5]", -1e12, 1e12, "", "Means in units of x, one "
		"component after the other, as many numbers each as an image has pixels."),
	UM_PARAM(struct gmm, variances, "[0.01]", 1e-24, 1e24, "", "Variance of every pixel in units of x "
		"squared, one number a component or one for all."),
	UM_FILE(struct gmm, means_file, "", "The means instead, FITS or .npy, one row a component."),
	UM_FILE(struct gmm, covariances, "", "Full covariances instead of variances, FITS or .npy: a matrix "
		"a component."),
};

struct self {
	int64_t n, many;
	um_spectral *c;         /* [many] */
	double *log_w, *mean;   /* [many], [many][n] */
	double *log_r, *trace;  /* [many]: log joint, then the share r_k; tr P_k */
	double **gain;          /* [many][count]: eigenvalues of P_k */
	double *x, *s, *u, *t;  /* [n] work: x, s, and two more */
	double *sk, *pv;        /* [many][n]: s_k, and P_k times a vector */
};

static void destroy(void *self)
{
	struct self *g = self;
	for (int64_t k = 0; k < g->many; k++) {
		if (g->c != NULL)
			um_spectral_free(&g->c[k]);
		if (g->gain != NULL)
			free(g->gain[k]);
	}
	free(g->c);
	free(g->gain);
	free(g->log_w);
	free(g);
}

/* One block for all vectors, log_w first. */
static um_status allocate(struct self *g)
{
	const int64_t n = g->n, many = g->many;
	double *w = calloc((size_t)(3 * many + 3 * many * n + 4 * n), sizeof(double));
	g->log_w = w;
	g->c = calloc((size_t)many, sizeof(*g->c));
	g->gain = calloc((size_t)many, sizeof(*g->gain));
	if (w == NULL || g->c == NULL || g->gain == NULL)
		return um_fail(UM_ENOMEM, "no memory for %lld components", (long long)many);
	g->log_r = w + many;
	g->trace = w + 2 * many;
	g->mean = w + 3 * many;
	g->sk = g->mean + many * n;
	g->pv = g->sk + many * n;
	g->x = g->pv + many * n;
	g->s = g->x + n;
	g->u = g->s + n;
	g->t = g->u + n;
	return UM_OK;
}

static um_status set_means(struct self *g, const struct gmm *p)
{
	um_status st = UM_OK;
	um_array a = { 0 };
	const bool file = *p->means_file != '\0';
	if (file)
		UM_TRY(um_table_read(p->means_file, &a));
	const int64_t total = file ? um_array_len(&a) : p->means.n;
	if (total < 1 || total % g->n != 0)
		UM_TRY(um_fail(UM_EPARAM, "%s: %lld numbers are not means of images of %lld pixels",
			file ? p->means_file : "means", (long long)total, (long long)g->n));
	g->many = total / g->n;
	UM_TRY(allocate(g));
	memcpy(g->mean, file ? a.data : p->means.v, sizeof(double) * (size_t)total);
out:
	um_array_free(&a);
	return st;
}

static um_status set_weights(struct self *g, const struct gmm *p)
{
	double sum = 0;
	if (p->weights.n != 0 && p->weights.n != g->many)
		return um_fail(UM_EPARAM, "weights: %lld numbers for %lld components", (long long)p->weights.n,
			(long long)g->many);
	for (int64_t k = 0; k < p->weights.n; k++)
		sum += p->weights.v[k];
	if (p->weights.n != 0 && !(sum > 0))
		return um_fail(UM_EPARAM, "weights: at least one must be positive");
	for (int64_t k = 0; k < g->many; k++)
		g->log_w[k] = p->weights.n ? log(p->weights.v[k] / sum) : -log((double)g->many);
	return UM_OK;
}

static um_status set_covariances(struct self *g, const struct gmm *p)
{
	um_status st = UM_OK;
	um_array a = { 0 };
	const int64_t n = g->n, given = p->variances.n;
	const bool file = *p->covariances != '\0';
	if (file)
		UM_TRY(um_table_read(p->covariances, &a));
	if (file && um_array_len(&a) != g->many * n * n)
		UM_TRY(um_fail(UM_EDATA, "%s: %lld numbers, but %lld matrices of %lld x %lld are needed",
			p->covariances, (long long)um_array_len(&a), (long long)g->many, (long long)n, (long long)n));
	if (!file && given != 1 && given != g->many)
		UM_TRY(um_fail(UM_EPARAM, "variances: %lld numbers for %lld components", (long long)given,
			(long long)g->many));
	for (int64_t k = 0; k < g->many; k++) {
		if (file)
			UM_TRY(um_spectral_dense(n, (double *)a.data + k * n * n, &g->c[k]));
		else
			UM_TRY(um_spectral_white(n, p->variances.v[given > 1 ? k : 0], &g->c[k]));
		st = um_spectral_floor(&g->c[k], 0);
		if (st != UM_OK)
			UM_TRY(um_context(st, "component %lld", (long long)k));
		g->gain[k] = calloc((size_t)g->c[k].count, sizeof(double));
		if (g->gain[k] == NULL)
			UM_TRY(um_fail(UM_ENOMEM, "no memory for %lld components", (long long)g->many));
	}
out:
	um_array_free(&a);
	return st;
}

static um_status create(void **self, const void *p, const um_env *env, um_prior_info *info)
{
	um_status st = UM_OK;
	struct self *g = calloc(1, sizeof(*g));
	if (g == NULL)
		return um_fail(UM_ENOMEM, "no memory for gmm");
	g->n = 1;
	for (int i = 0; i < 5; i++)
		g->n *= env->shape[i];
	UM_TRY(set_means(g, p));
	UM_TRY(set_weights(g, p));
	UM_TRY(set_covariances(g, p));
	info->components = g->many;
	info->normalised = true;
	*self = g;
out:
	if (st != UM_OK)
		destroy(g);
	return st;
}

/* For row b of x: shares r_k, s_k, s; returns the log density. */
static double evaluate(struct self *g, const um_array *x, int64_t b, double alpha, double sigma)
{
	const int64_t n = g->n;
	for (int64_t i = 0; i < n; i++)
		g->x[i] = um_row_f(x, b)[i];
	for (int64_t k = 0; k < g->many; k++) {
		const um_spectral *c = &g->c[k];
		double *sk = g->sk + k * n, log_det = 0, square = 0;
		for (int64_t i = 0; i < c->count; i++) {
			double var = alpha * alpha * c->c[i] + sigma * sigma;
			log_det += c->many[i] * log(6.283185307179586 * var);
			g->gain[k][i] = -1 / var;
		}
		for (int64_t i = 0; i < n; i++)
			g->t[i] = g->x[i] - alpha * g->mean[k * n + i];
		um_spectral_apply(c, g->gain[k], g->t, sk);
		square = -um_dot(n, g->t, sk);
		g->trace[k] = -um_spectral_trace(c, g->gain[k]);
		g->log_r[k] = g->log_w[k] - (log_det + square) / 2;
	}
	const double lp = um_log_sum_exp(g->many, g->log_r);
	memset(g->s, 0, sizeof(double) * (size_t)n);
	for (int64_t k = 0; k < g->many; k++) {
		g->log_r[k] = exp(g->log_r[k] - lp);
		for (int64_t i = 0; i < n; i++)
			g->s[i] += g->log_r[k] * g->sk[k * n + i];
	}
	return lp;
}

/* out = J v, and -P_k v in pv. */
static void jacobian(struct self *g, const double *v, double *out)
{
	const int64_t n = g->n;
	const double sv = um_dot(n, g->s, v);
	for (int64_t i = 0; i < n; i++)
		out[i] = -g->s[i] * sv;
	for (int64_t k = 0; k < g->many; k++) {
		const double *sk = g->sk + k * n, r = g->log_r[k], skv = um_dot(n, sk, v);
		um_spectral_apply(&g->c[k], g->gain[k], v, g->pv + k * n);
		for (int64_t i = 0; i < n; i++)
			out[i] += r * (sk[i] * skv + g->pv[k * n + i]);
	}
}

/* tr J, and its gradient in t. */
static double exact_trace(struct self *g)
{
	const int64_t n = g->n;
	double div = -um_dot(n, g->s, g->s);
	jacobian(g, g->s, g->t);
	for (int64_t i = 0; i < n; i++)
		g->t[i] *= -2;
	for (int64_t k = 0; k < g->many; k++) {
		const double *sk = g->sk + k * n, r = g->log_r[k], gk = um_dot(n, sk, sk) - g->trace[k];
		um_spectral_apply(&g->c[k], g->gain[k], sk, g->pv);
		for (int64_t i = 0; i < n; i++)
			g->t[i] += r * ((sk[i] - g->s[i]) * gk + 2 * g->pv[i]);
		div += r * gk;
	}
	return div;
}

/* e^T J e for e in u, after which u = J e; adds its gradient / probes to t. */
static double probe_trace(struct self *g, double probes)
{
	const int64_t n = g->n;
	double *e = g->u, *je = g->x;
	const double se = um_dot(n, g->s, e);
	jacobian(g, e, je);
	for (int64_t k = 0; k < g->many; k++) {
		const double *sk = g->sk + k * n, *pe = g->pv + k * n;
		const double ske = um_dot(n, sk, e), r = g->log_r[k] / probes, h = ske * ske + um_dot(n, e, pe);
		for (int64_t i = 0; i < n; i++)
			g->t[i] += r * ((sk[i] - g->s[i]) * h + 2 * ske * pe[i]);
	}
	for (int64_t i = 0; i < n; i++)
		g->t[i] -= 2 * se * je[i] / probes;
	const double quadratic = um_dot(n, e, je);
	memcpy(e, je, sizeof(double) * (size_t)n);
	return quadratic;
}

static void store(const double *from, um_array *to, int64_t row, int64_t n)
{
	for (int64_t i = 0; to != NULL && i < n; i++)
		um_row_f(to, row)[i] = (float)from[i];
}

static void load(const um_array *from, int64_t row, double *to, int64_t n)
{
	for (int64_t i = 0; i < n; i++)
		to[i] = um_row_f(from, row)[i];
}

static um_status logp(void *self, um_rng *rng, const um_array *x, double *lp, um_array *dx)
{
	struct self *g = self;
	(void)rng;
	for (int64_t b = 0; b < x->dim[0]; b++) {
		lp[b] = evaluate(g, x, b, 1, 0);
		store(g->s, dx, b, g->n);
	}
	return UM_OK;
}

static void score_row(struct self *g, const um_score_job *job, int64_t b)
{
	const int64_t n = g->n, probes = job->probes;
	evaluate(g, job->x, b, job->alpha[b], job->sigma[b]);
	store(g->s, job->s, b, n);
	if (job->jtv != NULL) {
		load(job->v, b, g->u, n);
		jacobian(g, g->u, g->t);
		store(g->t, job->jtv, b, n);
	}
	if (job->je == NULL && job->div == NULL && job->ddiv == NULL)
		return;
	memset(g->t, 0, sizeof(double) * (size_t)n);
	double div = probes > 0 ? 0 : exact_trace(g);
	for (int64_t k = b * probes; k < (b + 1) * probes; k++) {
		load(job->e, k, g->u, n);
		div += probe_trace(g, (double)probes) / (double)probes;
		store(g->u, job->je, k, n);
	}
	if (job->div != NULL)
		job->div[b] = div;
	store(g->t, job->ddiv, b, n);
}

static um_status score(void *self, const um_score_job *job)
{
	for (int64_t b = 0; b < job->x->dim[0]; b++) {
		if (job->alpha[b] == 0 && job->sigma[b] == 0)
			return um_fail(UM_ENUM, "there is no score at alpha = sigma = 0");
		score_row(self, job, b);
	}
	return UM_OK;
}

/* out = S_k v or C_k v. */
static void spread(struct self *g, int64_t k, bool root, const double *v, double *out)
{
	const um_spectral *c = &g->c[k];
	for (int64_t i = 0; i < c->count; i++)
		g->gain[k][i] = root ? sqrt(c->c[i]) : c->c[i];
	um_spectral_apply(c, g->gain[k], v, out);
}

static um_status sample(void *self, um_rng *rng, um_array *x)
{
	struct self *g = self;
	for (int64_t b = 0; b < x->dim[0]; b++) {
		double left = um_uniform(&rng[b]);
		int64_t k = 0;
		while (k < g->many - 1 && (left -= exp(g->log_w[k])) > 0)
			k++;
		um_normal_fill(&rng[b], g->u, g->n);
		spread(g, k, true, g->u, g->t);
		for (int64_t i = 0; i < g->n; i++)
			um_row_f(x, b)[i] = (float)(g->mean[k * g->n + i] + g->t[i]);
	}
	return UM_OK;
}

static um_status component(void *self, int64_t k, double *log_weight, double *mean)
{
	const struct self *g = self;
	*log_weight = g->log_w[k];
	if (mean != NULL)
		memcpy(mean, g->mean + k * g->n, sizeof(double) * (size_t)g->n);
	return UM_OK;
}

static um_status covariance(void *self, int64_t k, bool root, const um_array *v, um_array *out)
{
	for (int64_t b = 0; b < v->dim[0]; b++)
		spread(self, k, root, um_row_d(v, b), um_row_d(out, b));
	return UM_OK;
}

static const um_prior_ops ops = {
	.create = create, .destroy = destroy, .logp = logp, .score = score, .sample = sample,
	.component = component, .covariance = covariance,
};

UM_PLUGIN = {
	UM_HEADER, UM_PRIOR, 0, "gmm", "1.0",
	"A mixture of Gaussians, by default two round ones in the plane.", "",
	UM_PARAMS(struct gmm, params), UM_OPS(ops),
};
