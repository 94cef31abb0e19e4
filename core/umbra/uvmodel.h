/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Data products of visibilities, and a batch of images against them: model values, tangents, adjoints,
 * log likelihoods. What a forward model of an interferometer needs of images, apart from where
 * its visibilities come from. Versioned with libumbra; not part of the plugin ABI. */
#ifndef UMBRA_UVMODEL_H
#define UMBRA_UVMODEL_H

#include <umbra/array.h>
#include <umbra/correlation.h>
#include <umbra/gains.h>
#include <umbra/observable.h>
#include <umbra/uvop.h>

#ifdef __cplusplus
extern "C" {
#endif

/* y holds the products one after the other and, where flux is true, the sum of the pixels.
 * The caller fills what is above the line; um_uvmodel_see_at makes the rest. Images are float
 * [B][...][rows][columns], in Jy a pixel; y, sigma, v double [B][ny], one row may be shared. */
typedef struct um_uvmodel {
	int n;                          /* products */
	um_observable o[UM_PRODUCTS];
	bool flux;
	int64_t rows, columns;          /* of an image */
	const um_gainset *gains;        /* what acts on visibilities before products are formed, */
	const um_array *gain;           /* and its parameters [B][nparams], a row an image or one */
	                                /* shared; NULL: gains of 1. Neither is released */
	const um_array *noise;          /* relative variances of the visibilities [B][nvis], for the */
	                                /* correlations of closures, likewise; NULL: none are counted */
	/* ---- */
	int64_t nvis, ny;
	int64_t first[UM_PRODUCTS + 1]; /* where a product begins in y; the flux after the last */
	um_uvop *op;
	um_correlation *correlation[UM_PRODUCTS];
} um_uvmodel;

/* Forms the products of d with these names (see um_product_name): n and o of m. UM_EPARAM where a name is unknown or comes
 * twice, or where there is none; UM_EDATA where a product has no data. */
UM_API UM_USED um_status um_uvmodel_form(um_uvmodel *m, const um_uvdata *d, const um_observe *how, int64_t n,
	const char *const names[]);

/* Where a product is in m->o, or -1. */
UM_API int um_uvmodel_find(const um_uvmodel *m, um_product p);

/* Makes the transform to the rows of d, from which the products were formed; rows and columns
 * of s are those of m. */
UM_API UM_USED um_status um_uvmodel_see_at(um_uvmodel *m, const um_uvdata *d, const um_uvspec *s);

/* Makes likelihoods and chi-squares count the correlations of closure phases and log closure
 * amplitudes, given noise; after the products were made. */
UM_API UM_USED um_status um_uvmodel_correlate(um_uvmodel *m);

/* What is added to the thermal noise of visibilities. */
typedef struct um_uverrors {
	double systematic;    /* of every visibility, as a fraction of its amplitude */
	const double *budget; /* unknown gain of each station, a fraction, in the errors of amplitudes; NULL: none */
	bool debias;          /* as in um_observe */
} um_uverrors;

/* y and sigma of the products, not of the flux, from visibilities in the same rows whose sigma is thermal noise. Where it is
 * given, noise [nvis] becomes relative variances of visibilities, for m->noise. */
UM_API UM_USED um_status um_uvmodel_measure(const um_uvmodel *m, const um_uvdata *thermal, const um_uverrors *e, double *y,
	double *sigma, double *noise);

/* Releases transform, correlations and products. */
UM_API void um_uvmodel_free(um_uvmodel *m);

/* Visibilities of image b of x: nvis numbers each. */
UM_API UM_USED um_status um_uvmodel_see(const um_uvmodel *m, const um_array *x, int64_t b, double *re,
	double *im);

/* The sum of the pixels of image b. */
UM_API double um_uvmodel_flux(const um_uvmodel *m, const um_array *x, int64_t b);

/* y = f(x) and, where dx is given, dy = J dx; jtv = J^T v. */
UM_API UM_USED um_status um_uvmodel_apply(const um_uvmodel *m, const um_array *x, const um_array *dx,
	um_array *y, um_array *dy);
UM_API UM_USED um_status um_uvmodel_pullback(const um_uvmodel *m, const um_array *x, const um_array *v,
	um_array *jtv);

/* ll[b] = log p(y | x) up to a constant, and its gradient where dx is given. */
UM_API UM_USED um_status um_uvmodel_loglike(const um_uvmodel *m, const um_array *x, const um_array *y,
	const um_array *sigma, double *ll, um_array *dx);

/* values[b][n + 1]: the reduced chi-square of each product, then the flux. */
UM_API UM_USED um_status um_uvmodel_stats(const um_uvmodel *m, const um_array *x, const um_array *y,
	const um_array *sigma, double *values);

/* [ny] which data are angles, closure phases; to be freed. NULL where there are none. */
UM_API bool *um_uvmodel_angles(const um_uvmodel *m);

/* Improves op [1][nparams] of m->gains for the visibilities among y and image 0 of x, with
 * standard deviations and *logp as in um_gainfit. UM_EARG where m has no gains or no product
 * UM_VIS. */
UM_API UM_USED um_status um_uvmodel_calibrate(const um_uvmodel *m, double amplitude_sd, double phase_sd,
	const um_array *x, const um_array *y, const um_array *sigma, um_array *op, double *logp);

#ifdef __cplusplus
}
#endif
#endif
