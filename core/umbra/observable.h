/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Data products of visibilities: amplitudes, closure phases, closure amplitudes and their
 * logarithms, bispectra; their values for model visibilities, derivatives, and reduced chi-squares as eht-imaging defines
 * them. Versioned with libumbra; not part of the plugin ABI. */
#ifndef UMBRA_OBSERVABLE_H
#define UMBRA_OBSERVABLE_H

#include <umbra/uvdata.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum um_product { UM_VIS, UM_AMP, UM_CPHASE, UM_LOGCAMP, UM_CAMP, UM_BISPECTRUM } um_product;

#define UM_PRODUCTS 6

/* A bispectrum is V1 V2 V3, a closure phase its argument; a closure amplitude is
 * |V1 V2 / (V3 V4)|. A row is taken as its conjugate where the closure runs against it. */
typedef struct um_closure {
	double time;
	int station[4];
	int64_t row[4];
	bool conj[4];
} um_closure;

/* What is measured, one product. Release with um_observable_free. */
typedef struct um_observable {
	um_product product;
	int64_t rows;        /* visibilities that the closures refer to */
	int64_t n;           /* data: complex numbers for UM_VIS and UM_BISPECTRUM */
	int64_t len;         /* real numbers: 2 n for these two (all real parts first), else n */
	um_closure *closure; /* n of them where the product has closures, else NULL */
	double *y, *sigma;   /* len numbers; closure phases in radians */
} um_observable;

typedef struct um_observe {
	bool maximal; /* every closure instead of an independent set */
	bool debias;  /* amplitudes and closure amplitudes less their noise bias */
} um_observe;

/* The name used in files and on the command line: vis, amp, cphase, logcamp, camp, bispectrum;
 * the product of a name, false where there is none; and the rows of a closure: 3, 4, or 0 where
 * a product has no closures. */
UM_API const char *um_product_name(um_product p);
UM_API int um_product_named(const char *name, um_product *out);
UM_API int um_product_terms(um_product p);

/* Finds the closures of d at equal times and measures them. Minimal sets refer to the first
 * station present at a time, in the order of d->stations; closures that lack a baseline, or
 * have an amplitude of zero, are left out. Closures of the maximal set have their stations in
 * alphabetical order. */
UM_API UM_USED um_status um_observable_new(const um_uvdata *d, um_product p, const um_observe *how,
	um_observable *out);
UM_API void um_observable_free(um_observable *o);

/* y and sigma again, from other visibilities in the same rows. */
UM_API void um_observable_measure(const um_observable *o, const um_uvdata *d, bool debias,
	double *y, double *sigma);

/* f = values for model visibilities; df = J (dre, dim); gre, gim += J^T w. Where an amplitude
 * is zero the derivatives of its data are taken to be zero. */
UM_API void um_observable_model(const um_observable *o, const double *re, const double *im, double *f);
UM_API void um_observable_jvp(const um_observable *o, const double *re, const double *im,
	const double *dre, const double *dim, double *df);
UM_API void um_observable_vjp(const um_observable *o, const double *re, const double *im,
	const double *w, double *gre, double *gim);

/* The reduced chi-square of f against y and sigma (len numbers each), and its derivative with
 * respect to f where df is given. Minus half of len times it is the log likelihood: Gaussian or,
 * for closure phases, (cos d - 1) / sigma^2. */
UM_API double um_observable_chi2(const um_observable *o, const double *y, const double *sigma,
	const double *f, double *df);

#ifdef __cplusplus
}
#endif
#endif
