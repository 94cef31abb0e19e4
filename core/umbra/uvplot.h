/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Pictures and tables of interferometric data against images. Versioned with libumbra; not
 * part of the plugin ABI. */
#ifndef UMBRA_UVPLOT_H
#define UMBRA_UVPLOT_H

#include <umbra/sink.h>
#include <umbra/uvmodel.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct um_uvview {
	const um_uvmodel *m;
	const um_uvdata *d; /* the rows that m refers to */
	double pixel;       /* radians */
	bool measured;      /* the visibilities of d were measured */
} um_uvview;

/* Sends to the sink, for measurements y, sigma [1][ny] and images x [S]:
 * plots amplitude, closure_phase, closure_amplitude, log_closure_amplitude (where y has them),
 * residual_PRODUCT ((data - median of the samples) / sigma) and uv_coverage;
 * pictures dirty_beam, restored (the mean with the clean beam) and, where there are measured
 * visibilities in y or else in d, dirty_image; none where no baseline resolves the field;
 * files triangles.csv, quadrangles.csv and stations.csv: chi-squares per datum, averaged over
 * samples, the worst first. At most the first 256 images count. */
UM_API UM_USED um_status um_uvplot(const um_uvview *v, const um_array *x, const um_array *y,
	const um_array *sigma, um_sink *sink);

#ifdef __cplusplus
}
#endif
#endif
