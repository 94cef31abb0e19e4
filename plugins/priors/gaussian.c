/* SPDX-License-Identifier: GPL-3.0-or-later */
/* N(mu, C) with C = U diag(c) U^T, where U is the identity (white), the Fourier basis of the
 * torus (power law, c(k) ~ (k0^2 + k^2)^(-slope/2)) or eigenvectors (of an angular power law on a
 * mesh, of a matrix from a file). The planes of an image (frames, bands, channels) are independent,
 * unless the matrix covers all of them. umbra/gaussian.h does the rest. */
#include <stdlib.h>
#include <string.h>
#include <umbra/gaussian.h>
#include <umbra/mesh.h>
#include <umbra/plugin.h>
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
	UM_CHOICE(struct gaussian, spectrum, "white", "white|power|angular", "Whether pixels are independent, "
		"have a power-law spectrum on an image that wraps around, or, for vertices of a mesh, an angular one on the sphere."),
	UM_PARAM(struct gaussian, slope, "3", 0, 20, "", "Exponent of the power spectrum, "
		"proportional to (k0^2 + k^2)^(-slope/2); angular: k is the degree of the spherical harmonics."),
	UM_PARAM(struct gaussian, k0, "1", 1e-6, 1e6, "", "Frequency where the power law bends, in cycles per "
		"image width: structure larger than width/k0 is not correlated."),
	UM_PARAM(struct gaussian, floor, "0", 0, 1e12, "", "Standard deviation of white noise that is added "
		"on top, in units of x."),
	UM_FILE(struct gaussian, mean_file, "", "Image of the mean, FITS or .npy, instead of mean; of one "
		"plane or of all of them."),
	UM_FILE(struct gaussian, covariance, "", "Matrix n x n, FITS or .npy, instead of sigma and spectrum; "
		"n pixels of one plane or of all planes."),
};

static void destroy(void *self)
{
	um_gaussian_free(self);
	free(self);
}

static um_status read_mean(const struct gaussian *p, int64_t n, int64_t plane, double *mean)
{
	um_array a = { 0 };
	um_status st = UM_OK;
	if (*p->mean_file && um_table_image(p->mean_file, n, &a) != UM_OK)
		UM_TRY(um_table_image(p->mean_file, plane, &a));
	for (int64_t i = 0; i < n; i++)
		mean[i] = *p->mean_file ? ((const double *)a.data)[i % um_array_len(&a)] : p->mean;
out:
	um_array_free(&a);
	return st;
}

/* A matrix of one plane or of the whole image. */
static um_status read_matrix(const struct gaussian *p, int64_t n, int64_t plane, um_spectral *c)
{
	um_array a = { 0 };
	um_status st = UM_OK;
	UM_TRY(um_table_read(p->covariance, &a));
	int64_t m = a.dim[0];
	if (a.rank != 2 || a.dim[1] != m || (m != plane && m != n))
		UM_TRY(um_fail(UM_EDATA, "%s: the covariance must be a matrix of %lld x %lld numbers",
			p->covariance, (long long)plane, (long long)plane));
	st = um_spectral_dense(m, a.data, c);
	if (st != UM_OK)
		um_context(st, "%s", p->covariance);
out:
	um_array_free(&a);
	return st;
}

static um_status covariance_of(const struct gaussian *p, const um_env *env, int64_t n, um_spectral *c)
{
	const int64_t rows = env->shape[3], columns = env->shape[4];
	const double var = p->sigma * p->sigma;
	um_status st = UM_OK;
	if (*p->covariance)
		UM_TRY(read_matrix(p, n, rows * columns, c));
	else if (strcmp(p->spectrum, "power") == 0)
		UM_TRY(um_spectral_power(rows, columns, var, p->k0, p->slope, c));
	else if (strcmp(p->spectrum, "angular") == 0 && env->mesh == NULL)
		UM_TRY(um_fail(UM_EPARAM, "spectrum: angular is for signals on a mesh: image = { surface = \"icosphere:8\"; }"));
	else if (strcmp(p->spectrum, "angular") == 0)
		UM_TRY(um_spectral_angular(columns, env->mesh->vertex, var, p->k0, p->slope, c));
	else
		UM_TRY(um_spectral_white(rows * columns, var, c));
	st = um_spectral_floor(c, p->floor * p->floor);
	if (st != UM_OK)
		UM_TRY(um_context(st, "raise floor, now %g", p->floor));
out:
	return st;
}

static um_status create(void **self, const void *p, const um_env *env, um_prior_info *info)
{
	const int64_t *s = env->shape, plane = s[3] * s[4], n = s[0] * s[1] * s[2] * plane;
	um_status st = UM_OK;
	um_spectral c = { 0 };
	um_gaussian *g = calloc(1, sizeof(*g));
	double *mean = malloc(sizeof(double) * (size_t)n);
	if (g == NULL || mean == NULL)
		UM_TRY(um_fail(UM_ENOMEM, "no memory for gaussian"));
	UM_TRY(read_mean(p, n, plane, mean));
	UM_TRY(covariance_of(p, env, n, &c));
	UM_TRY(um_gaussian_new(n, mean, &c, g));
	info->components = 1;
	info->normalised = true;
	*self = g;
	g = NULL;
out:
	um_spectral_free(&c);
	free(mean);
	free(g);
	return st;
}

static um_status logp(void *self, um_rng *rng, const um_array *x, double *lp, um_array *dx)
{
	(void)rng;
	return um_gaussian_logp(self, x, lp, dx);
}

static um_status score(void *self, const um_score_job *job)
{
	return um_gaussian_score(self, job);
}

static um_status sample(void *self, um_rng *rng, um_array *x)
{
	um_gaussian_sample(self, rng, x);
	return UM_OK;
}

static um_status component(void *self, int64_t k, double *log_weight, double *mean)
{
	(void)k;
	um_gaussian_component(self, log_weight, mean);
	return UM_OK;
}

static um_status covariance(void *self, int64_t k, bool root, const um_array *v, um_array *out)
{
	(void)k;
	um_gaussian_covariance(self, root, v, out);
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
