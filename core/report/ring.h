/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The ring in an image of the sky, measured as in section 9.1 of EHT Collaboration 2019, paper IV
 * (ApJL 875, L4, doi:10.3847/2041-8213/ab0e85). I(r, t) is the brightness at radius r and position
 * angle t (from north through east) about a centre; r runs to R = 50 uas, t over 72 rays. <.> are
 * means and std are standard deviations. The equations are numbered here, not in the paper:
 *   (1) p(t) = argmax_r I(r, t)                                the peak of each ray
 *   (2) (x, y) = argmin std(p) / <p>, 5 uas <= <p>             the centre
 *   (3) diameter d = 2 <p>
 *   (4) width w = <FWHM of I(r, t) - floor>_t,  floor = <I(R, t)>_t
 *   (5) orientation = <arg m(r)>, m(r) = sum_t I(r, t) exp(i t), (d - w)/2 <= r <= (d + w)/2
 *   (6) asymmetry = <|m(r)| / sum_t I(r, t)>, the same radii
 *   (7) central brightness = mean of I over the disk r <= 5 uas / <I(d/2, t)>_t */
#ifndef UM_REPORT_RING_H
#define UM_REPORT_RING_H

#include <umbra/array.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Lengths in microarcseconds. Each is NaN where the image does not define it: all are where no
 * centre has a ring of peaks around it (a constant image, zeros, less than a ring's size). */
typedef struct um_ring {
	double x, y;                         /* column and row of the centre; 0: middle of the first */
	double diameter, diameter_std;       /* std: 2 std(p), over rays */
	double width, width_std;             /* std over rays */
	double orientation, orientation_std; /* degrees east of north, 0..360; circular std over radii */
	double asymmetry, asymmetry_std;     /* 0 even, 1 a point; std over radii */
	double central;
} um_ring;

/* Measures image [rows][columns] (row 0 north, column 0 east) of pixel radians a pixel; it is zero
 * outside. A ring is found wherever it lies, but not one that is cut by an edge. */
UM_API void um_ring_measure(const double *image, int64_t rows, int64_t columns, double pixel, um_ring *out);

/* A figure of the mean image, and its median and central 68 % over the samples. The names are
 * ring_diameter_uas, ring_width_uas, ring_orientation_deg, ring_asymmetry, ring_central and
 * ring_scatter, std(p) / <p>, which is large (a tenth and more) where there is no ring. */
typedef struct um_ring_figure {
	const char *name;
	double mean, p16, p50, p84;
} um_ring_figure;

enum { UM_RING_FIGURES = 6 };

/* samples: float or double [S][image], S >= 1, whose last two axes are rows and columns; what
 * stands before them (frames, bands, channels) is added up. Samples without a ring do not count.
 * Quantiles of the orientation are taken about its circular mean: they are in order, and p16 or
 * p84 may lie outside 0..360. Free of the number of threads. */
UM_API UM_USED um_status um_ring_samples(const um_array *samples, double pixel,
	um_ring_figure out[UM_RING_FIGURES]);

#ifdef __cplusplus
}
#endif
#endif
