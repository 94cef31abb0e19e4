/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a task finds out: metrics and warnings, and for a cell the samples of each measurement that is finished. */
#ifndef UMBRA_PIPELINE_RESULTS_H
#define UMBRA_PIPELINE_RESULTS_H

#include <umbra/tensors.h>

typedef struct um_result {
	char *name;
	double *value;       /* one a measurement; NaN: not reported, infinite: reported, but no finite number */
} um_result;

/* Zeroed it is for one measurement; of is set before anything is put. */
typedef struct um_results {
	int64_t of, n;       /* how many measurements there are; how many are finished, the next one is at work */
	um_array samples;    /* float [of][samples][image], of which n are there */
	int nmetric;
	um_result *metric;
	int nwarning;        /* at most a few, in words: what speaks against believing the samples */
	char **warning;
	int64_t unsaid;      /* warnings beyond those */
	int settled;         /* both, of measurements that are finished */
	int64_t settled_unsaid;
} um_results;

/* A metric of the measurement at work; the last value of a name counts. And whether there is one. */
UM_API UM_USED um_status um_results_put(um_results *r, const char *name, double value);
UM_API bool um_results_has(const um_results *r, const char *name);
UM_API void um_results_warn(um_results *r, const char *text);
/* The measurement at work is finished: takes its samples [samples][image], leaving them empty. */
UM_API UM_USED um_status um_results_add(um_results *r, um_array *samples);
/* Forgets metrics and warnings of the measurement at work, which is not finished. */
UM_API void um_results_drop(um_results *r);

/* A metric of all measurements that are finished: the mean, total or extreme that its name asks for, of those that report
 * it; infinite where one of these has no finite number. Of one measurement its own. */
UM_API double um_results_all(const um_results *r, int metric);
/* A file of comma-separated values: one row a measurement, one column a metric. */
UM_API UM_USED um_status um_results_table(const um_results *r, const char *path);

/* Adds what is finished to a checkpoint; and has it from there. */
UM_API UM_USED um_status um_results_store(const um_results *r, um_tensors *t);
UM_API UM_USED um_status um_results_restore(um_results *r, const um_tensors *t);

UM_API void um_results_free(um_results *r);

#endif
