/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Sums over the planes of images, and what is measured in one. */
#include <stdlib.h>
#include <string.h>
#include <umbra/planes.h>

um_planes um_planes_of(const um_env *env, um_plane_density *density)
{
	const int64_t *s = env->shape;
	return (um_planes){ s[0] * s[1] * s[2], s[3], s[4], density };
}

um_status um_planes_logp(void *self, um_rng *rng, const um_array *x, double *lp, um_array *dx)
{
	um_status st = UM_OK;
	const um_planes *p = self;
	const int64_t pixels = p->rows * p->columns;
	const size_t bytes = sizeof(double) * (size_t)pixels;
	double *g = NULL;
	(void)rng;
	if (dx != NULL && (g = malloc(bytes)) == NULL)
		return um_fail(UM_ENOMEM, "no memory for %lld pixels", (long long)pixels);
	for (int64_t b = 0; b < x->dim[0]; b++) {
		lp[b] = 0;
		for (int64_t at = 0; at < p->count * pixels; at += pixels) {
			if (g != NULL)
				memset(g, 0, bytes);
			UM_TRY(p->density(self, um_row_f(x, b) + at, &lp[b], g));
			for (int64_t i = 0; g != NULL && i < pixels; i++)
				um_row_f(dx, b)[at + i] = (float)g[i];
		}
	}
out:
	free(g);
	return st;
}

um_status um_planes_centroid(const um_planes *p, const float *x, double *flux, double *column, double *row)
{
	double sum = 0, cx = 0, cy = 0;
	for (int64_t i = 0; i < p->rows * p->columns; i++) {
		sum += x[i];
		cx += x[i] * (double)(i % p->columns);
		cy += x[i] * (double)(i / p->columns);
	}
	if (!(sum > 0))
		return um_fail(UM_ENUM, "an image of total flux %g has no centroid; positive images are needed, as with "
			"transform = \"softplus\"", sum);
	*flux = sum;
	*column = cx / sum;
	*row = cy / sum;
	return UM_OK;
}

um_status um_env_uas(const um_env *env, const char *what, const char *instead, double *pixels)
{
	if (!(env->pixel > 0))
		return um_fail(UM_EPARAM, "%s is in micro-arcseconds, but the image is not of the sky; give image.fov_uas, or %s",
			what, instead);
	*pixels = UM_UAS / env->pixel;
	return UM_OK;
}
