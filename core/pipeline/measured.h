/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The measurements of a forward model in a run, simulated or of its own files, and truths where they are known. */
#ifndef UMBRA_PIPELINE_MEASURED_H
#define UMBRA_PIPELINE_MEASURED_H

#include <umbra/fits.h>
#include <umbra/host.h>
#include "pipeline/plan.h"

typedef struct um_measured {
	um_forward forward;
	um_sky sky;             /* pixel 0: not of the sky */
	int64_t count;
	um_array y, sigma, op;  /* double [count][ny], [count][ny], [count][nop] */
	um_array truth;         /* double [count][image] in instrument units; data NULL: not known */
} um_measured;

/* Opens the forward model; no measurements yet. Free m also where it fails. */
UM_API UM_USED um_status um_measured_open(const um_plan *p, int forward, const um_env *env, um_measured *m);
/* Zeroed measurements. */
UM_API UM_USED um_status um_measured_room(um_measured *m, int64_t count);
/* Truths from a FITS file, one a measurement. */
UM_API UM_USED um_status um_measured_truth(um_measured *m, const char *path);
/* Numbers are finite, standard deviations positive. */
UM_API UM_USED um_status um_measured_check(const um_measured *m);
/* Reads what the simulate stage left in the run directory dir, or the forward model's own files. */
UM_API UM_USED um_status um_measured_read(const um_plan *p, int forward, const char *dir, um_measured *m);
UM_API void um_measured_free(um_measured *m);

/* Measurement k of y, sigma or op: one row that serves every sample; and the truth [image], data NULL where it is not known. */
UM_API um_array um_measured_row(const um_array *a, int64_t k);
UM_API um_array um_measured_image(const um_measured *m, int64_t k);

/* How many measurements a forward model has in this run, f being what was opened of it; 0: none. */
UM_API int64_t um_plan_measurements(const um_plan *p, int forward, const um_forward *f);

#endif
