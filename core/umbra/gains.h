/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Complex station gains as operator parameters of an interferometer, and solving for them where
 * a model of the visibilities is known. Versioned with libumbra; not part of the plugin ABI.
 *
 * A station's gain is exp(l + i phi), one in each solution interval; the visibility of (1,2)
 * becomes exp(l1 + l2 + i (phi1 - phi2)) V. The parameters p are all l [interval][station],
 * then all phi. Zeros mean gains of 1. */
#ifndef UMBRA_GAINS_H
#define UMBRA_GAINS_H

#include <umbra/sink.h>
#include <umbra/uvdata.h>

#ifdef __cplusplus
extern "C" {
#endif

/* How long gains last: for ever, for a scan (time stamps not more than UM_SCAN_GAP apart), or
 * for one time stamp. */
typedef enum um_gain_interval { UM_GAIN_CONSTANT, UM_GAIN_SCAN, UM_GAIN_TIME } um_gain_interval;

/* Which gains the rows of some data see. Release with um_gainset_free. */
typedef struct um_gainset {
	int nstations;
	int64_t nintervals, nrows;
	int64_t nparams;       /* 2 nstations nintervals */
	int64_t *first;        /* [nintervals + 1] rows, where an interval begins */
	double *start, *stop;  /* [nintervals] first and last time stamp, hours */
	int *t1, *t2;          /* [nrows] */
} um_gainset;

/* The interval of this name (constant, scan, time); false where there is none. */
UM_API bool um_gain_interval_named(const char *name, um_gain_interval *out);

UM_API UM_USED um_status um_gainset_new(const um_uvdata *d, um_gain_interval each, um_gainset *out);
UM_API void um_gainset_free(um_gainset *s);

/* re[i] + i im[i] = g1 conj(g2) of row i. */
UM_API void um_gainset_factor(const um_gainset *s, const double *p, double *re, double *im);

/* Measured and model visibilities, nrows each. l is normal about 0 and phi about the common
 * phase of its interval, with these standard deviations (phases in radians); 0 leaves what p
 * has. */
typedef struct um_gainfit {
	const double *re, *im, *sigma;
	const double *model_re, *model_im;
	double amplitude_sd, phase_sd;
	int64_t sweeps;     /* at most; 0: 1000 */
	double tolerance;   /* stop when no parameter moves by more; 0: 1e-10 */
	double logp;        /* result: log p(gains) up to a constant */
} um_gainfit;

/* Improves p until log p(V | gains, model) + log p(gains) of every interval is at a maximum; it
 * never falls. Where phases are solved for, that of the first station (in the order of the data)
 * with data in an interval becomes 0; stations without data keep what p has. */
UM_API UM_USED um_status um_gainset_solve(const um_gainset *s, um_gainfit *fit, double *p);

/* Sends the metrics gain_amplitude_rms, of l, and gain_phase_rms_deg. */
UM_API UM_USED um_status um_gainset_rms(const um_gainset *s, const double *p, um_sink *sink);

/* Sends gains.csv, in the format of um_gains_write, and the plots gain_amplitude and gain_phase
 * to the sink; d is what s was made of. */
UM_API UM_USED um_status um_gainset_show(const um_gainset *s, const um_uvdata *d, const double *p,
	um_sink *sink);

#ifdef __cplusplus
}
#endif
#endif
