/* SPDX-License-Identifier: GPL-3.0-or-later */
/* How well samples describe a known truth. Images are contiguous; the last two axes are
 * rows and columns and whatever stands before them (frames, bands, channels) counts as
 * planes. All arithmetic is double. */
#ifndef UM_REPORT_METRICS_H
#define UM_REPORT_METRICS_H

#include <umbra/array.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The figures of metrics.json, under the same names; NaN or infinite where undefined
 * (a truth without a positive pixel has no peak, equal images have an infinite PSNR). */
typedef struct um_truth_metrics {
	double psnr_mean, psnr_samples;
	double ssim_mean, ssim_samples;
	double nrmse;
	double coverage_68, coverage_95, coverage_3sd;
} um_truth_metrics;

/* samples: float or double [S][image], S >= 1; truth: float or double [image] with the same
 * number of pixels, whose last two axes are rows and columns (rank 1: one row). "_mean" is
 * the figure of the mean image, "_samples" the average of the figures of the samples. */
UM_API UM_USED um_status um_metrics_truth(const um_array *samples, const um_array *truth,
	um_truth_metrics *out);

/* Mean and standard deviation (divided by S, as numpy.std) of every pixel over the samples,
 * into contiguous double arrays of one image; std may be NULL. */
UM_API UM_USED um_status um_metrics_moments(const um_array *samples, um_array *mean, um_array *std);

/* 10 log10(peak^2 / mse) in dB, peak = max(truth). */
UM_API double um_metrics_psnr(const double *x, const double *truth, int64_t n);

/* Mean structural similarity (Wang et al. 2004): Gaussian window of 11 x 11, sigma 1.5,
 * K1 = 0.01, K2 = 0.03, range = max(truth), moments divided by the sum of weights. Only
 * windows that lie wholly inside a plane count ("valid"), so borders need no padding. Along
 * an axis shorter than 11 the window has the largest odd length that fits. Planes are
 * averaged. NaN where range is not positive; UM_ENOMEM is the only failure. */
UM_API UM_USED um_status um_metrics_ssim(const double *x, const double *truth, int64_t planes,
	int64_t rows, int64_t columns, double *out);

/* |x - truth| / |truth|, Euclidean norms. */
UM_API double um_metrics_nrmse(const double *x, const double *truth, int64_t n);

/* Fraction of pixels whose truth lies in the central p (0..1) of the samples, ends included;
 * quantiles are interpolated linearly between order statistics (numpy's default). */
UM_API UM_USED um_status um_metrics_coverage(const um_array *samples, const um_array *truth, double p,
	double *out);

/* Fraction of pixels whose truth is at most so many standard deviations from the mean. */
UM_API double um_metrics_within(const double *mean, const double *std, const double *truth, int64_t n, double many);

#ifdef __cplusplus
}
#endif
#endif
