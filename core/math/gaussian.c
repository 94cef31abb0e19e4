/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A Gaussian in its eigenbasis: density, scores at any diffusion time, draws. Image by image, so that a
 * result never depends on what else is in its batch. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <umbra/gaussian.h>

/* out = U gain U^T in for one image; in may be out. */
static void filter(const um_gaussian *g, const double *in, double *out)
{
	for (int64_t at = 0; at < g->n; at += g->c.n)
		um_spectral_apply(&g->c, g->gain, in + at, out + at);
}

static double trace(const um_gaussian *g)
{
	return um_spectral_trace(&g->c, g->gain) * (double)(g->n / g->c.n);
}

/* gain = -1 / (alpha^2 c + sigma^2): the Hessian of the diffused log density. */
static um_status hessian(um_gaussian *g, double alpha, double sigma)
{
	for (int64_t i = 0; i < g->c.count; i++) {
		double var = alpha * alpha * g->c.c[i] + sigma * sigma;
		if (!(var > 0))
			return um_fail(UM_ENUM, "there is no score at alpha = sigma = 0");
		g->gain[i] = -1 / var;
	}
	return UM_OK;
}

um_status um_gaussian_new(int64_t n, const double *mean, um_spectral *c, um_gaussian *out)
{
	*out = (um_gaussian){ .n = n, .c = *c };
	*c = (um_spectral){ 0 };
	out->mean = malloc(sizeof(double) * (size_t)n);
	out->v = malloc(sizeof(double) * (size_t)n);
	out->gain = malloc(sizeof(double) * (size_t)out->c.count);
	if (out->mean == NULL || out->v == NULL || out->gain == NULL) {
		um_gaussian_free(out);
		return um_fail(UM_ENOMEM, "no memory for a Gaussian of %lld pixels", (long long)n);
	}
	memcpy(out->mean, mean, sizeof(double) * (size_t)n);
	for (int64_t i = 0; i < out->c.count; i++)
		out->gain[i] = log(6.283185307179586 * out->c.c[i]);
	out->log_norm = -trace(out) / 2;
	return UM_OK;
}

void um_gaussian_free(um_gaussian *g)
{
	um_spectral_free(&g->c);
	free(g->mean);
	free(g->v);
	free(g->gain);
	*g = (um_gaussian){ 0 };
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

um_status um_gaussian_logp(um_gaussian *g, const um_array *x, double *lp, um_array *dx)
{
	um_status st = hessian(g, 1, 0);
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
static void product(um_gaussian *g, const um_array *in, um_array *out, int64_t row)
{
	load(in, row, g->v, g->n);
	filter(g, g->v, g->v);
	if (out != NULL)
		store(g->v, out, row, g->n);
}

um_status um_gaussian_score(um_gaussian *g, const um_score_job *job)
{
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

void um_gaussian_sample(um_gaussian *g, um_rng *rng, um_array *x)
{
	for (int64_t i = 0; i < g->c.count; i++)
		g->gain[i] = sqrt(g->c.c[i]);
	for (int64_t b = 0; b < x->dim[0]; b++) {
		um_normal_fill(&rng[b], g->v, g->n);
		filter(g, g->v, g->v);
		for (int64_t i = 0; i < g->n; i++)
			g->v[i] += g->mean[i];
		store(g->v, x, b, g->n);
	}
}

void um_gaussian_component(const um_gaussian *g, double *log_weight, double *mean)
{
	*log_weight = 0;
	if (mean != NULL)
		memcpy(mean, g->mean, sizeof(double) * (size_t)g->n);
}

void um_gaussian_covariance(um_gaussian *g, bool root, const um_array *v, um_array *out)
{
	for (int64_t i = 0; i < g->c.count; i++)
		g->gain[i] = root ? sqrt(g->c.c[i]) : g->c.c[i];
	for (int64_t b = 0; b < v->dim[0]; b++)
		filter(g, um_row_d(v, b), um_row_d(out, b));
}
