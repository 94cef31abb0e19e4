/* SPDX-License-Identifier: GPL-3.0-or-later */
/* From images to visibilities by whichever transform costs less: the direct one of
 * <umbra/dft.h> or the gridded one of <umbra/nufft.h>. Versioned with libumbra; not part of
 * the plugin ABI. */
#ifndef UMBRA_UVOP_H
#define UMBRA_UVOP_H

#include <umbra/dft.h>
#include <umbra/nufft.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum um_uvhow { UM_UV_AUTO, UM_UV_DIRECT, UM_UV_NUFFT } um_uvhow;

typedef struct um_uvspec {
	int64_t rows, columns; /* of an image */
	double pixel;          /* radians */
	um_pulse pulse;
	um_uvhow how;
	double tolerance;      /* of the gridded transform, as in <umbra/nufft.h> */
} um_uvspec;

typedef struct um_uvop um_uvop; /* immutable: any number of threads may use one */

/* The way of this name (auto, direct, nufft); false where there is none. */
UM_API int um_uvhow_named(const char *name, um_uvhow *out);

/* What one image takes one way, in seconds on the machine where this was measured; only the
 * ratio matters. how is not UM_UV_AUTO. */
UM_API double um_uvop_cost(int64_t n, const um_uvspec *s, um_uvhow how);

/* For n points u, v in wavelengths (copied). */
UM_API UM_USED um_status um_uvop_new(const double *u, const double *v, int64_t n,
	const um_uvspec *s, um_uvop **out);
UM_API void um_uvop_free(um_uvop *o);

/* As um_dft_forward and um_dft_adjoint. */
UM_API UM_USED um_status um_uvop_forward(const um_uvop *o, int64_t batch, const double *images,
	double *re, double *im);
UM_API UM_USED um_status um_uvop_adjoint(const um_uvop *o, int64_t batch, const double *re,
	const double *im, double *images);

/* What was chosen, never UM_UV_AUTO; and the bytes that it keeps. */
UM_API um_uvhow um_uvop_how(const um_uvop *o);
UM_API double um_uvop_bytes(const um_uvop *o);

#ifdef __cplusplus
}
#endif
#endif
