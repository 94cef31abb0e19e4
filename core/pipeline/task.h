/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The work of one process: a simulation, a fit, a cell, a comparison, the report. */
#ifndef UMBRA_PIPELINE_TASK_H
#define UMBRA_PIPELINE_TASK_H

#include <umbra/fits.h>
#include <umbra/host.h>
#include <umbra/tensors.h>
#include "host/evidence.h"
#include "pipeline/page.h"
#include "pipeline/plan.h"

enum { UM_EXIT_SKIPPED = 77 }; /* a cell that cannot work, where the stage allows that */

/* Does task name ("eht/tv+dpi", "simulate/eht", "compare", "report") of the run directory dir
 * with its own pipeline.cfg. The exit status of the process; the reason is in the page. */
UM_API int um_task_main(const char *dir, const char *name, int threads, bool resume);

/* ---- private to core/pipeline ------------------------------------------------- */

/* A cell's results on their way to its folder. */
typedef struct um_cell_out {
	const um_plan *plan;
	int task;
	char *folder;       /* DIR/eht/tv+dpi */
	um_page *page;
	bool resume;
	double started, saved, earlier; /* seconds; earlier: of interrupted runs */
	double every;       /* seconds between checkpoints */
	double earlier_calls, earlier_mb;
	um_array samples;   /* in instrument units */
	um_tensors weights; /* of a fit */
	um_problem *problem;
	um_evidence evidence;
	char *trace;
	size_t trace_len;
	bool restored;      /* it comes from an interrupted run */
	struct { char *name; double value; } metric[256];
	int nmetric;
	char **warning;     /* in words: what speaks against believing the samples */
	int nwarning;
} um_cell_out;

UM_API um_sink um_cell_sink(um_cell_out *c);
/* Writes trace.csv as far as it is. */
UM_API UM_USED um_status um_cell_write_trace(um_cell_out *c);
UM_API void um_cell_free(um_cell_out *c);
/* The most memory that this process, or an interrupted one before it, has held. */
UM_API double um_cell_peak_mb(const um_cell_out *c);
UM_API UM_USED um_status um_cell_metric(um_cell_out *c, const char *name, double value);
/* Adds to the warnings of metrics.json. */
UM_API void um_cell_warn(um_cell_out *c, const char *text);

UM_API UM_USED um_status um_cell_write_metrics(const um_cell_out *c);
/* How long interrupted runs worked on it, in seconds; 0 without a checkpoint. */
UM_API double um_cell_earlier(const um_cell_out *c);

/* Fits the prior or inference of train task number task: DIR/train/KEY with weight file, trace, metrics and
 * figures. */
UM_API UM_USED um_status um_train(const um_plan *p, int task, const char *dir, const um_env *env,
	um_page *page, bool resume);

/* The weight file of a train task that fitted item, from what the fit delivered. */
UM_API UM_USED um_status um_weight_file_write(const um_plan *p, int task, const um_item *item, um_tensors *t);

/* Aligns the samples where the stage asks for it and the data allow it; samples.fits, mean.fits,
 * std.fits, metrics.json and figures of a cell; truth [image] double in instrument
 * units, or NULL. */
UM_API UM_USED um_status um_cell_deliver(um_cell_out *c, um_forward *f, const um_array *y,
	const um_array *sigma, const um_array *op, const um_array *truth, const um_sky *sky);

/* Calls that the host makes for an inference plugin return to it, which is at work in a phase; NULL: no more. */
UM_API void um_task_worker(const um_plugin *p, const char *phase);

/* True once the process was asked to stop (SIGINT, SIGTERM, SIGUSR1). */
UM_API bool um_task_stopping(void);

/* An image array of a plan's shape as FITS wants it: axes of size 1 between samples and rows
 * dropped. x is [count][image]. */
UM_API um_array um_image_axes(const um_array *x, bool keep_count);

#endif
