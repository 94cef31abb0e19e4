/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The work of one process: a simulation, a fit, a cell, a comparison, the report. */
#ifndef UMBRA_PIPELINE_TASK_H
#define UMBRA_PIPELINE_TASK_H

#include <umbra/fits.h>
#include <umbra/host.h>
#include <umbra/tensors.h>
#include "host/evidence.h"
#include "pipeline/measured.h"
#include "pipeline/page.h"
#include "pipeline/plan.h"
#include "pipeline/results.h"

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
	double written;     /* when the last one was */
	const char *start;  /* the image that the inference starts from, made by another task; NULL: none */
	double earlier_calls, earlier_mb;
	int64_t calls_before; /* of measurements before, in this process */
	int64_t measurement; /* the one at work; its number of results.of */
	int64_t kept;       /* measurements in the last checkpoint */
	um_results results;
	um_array samples;   /* of the measurement at work, in instrument units */
	um_tensors weights; /* of a fit */
	um_problem *problem;
	um_evidence evidence;
	char *trace;
	size_t trace_len;
	bool restored;      /* it comes from an interrupted run */
} um_cell_out;

UM_API um_sink um_cell_sink(um_cell_out *c);
/* Writes trace.csv as far as it is. */
UM_API UM_USED um_status um_cell_write_trace(um_cell_out *c);
UM_API void um_cell_free(um_cell_out *c);
/* The most memory that this process, or an interrupted one before it, has held. */
UM_API double um_cell_peak_mb(const um_cell_out *c);
UM_API UM_USED um_status um_cell_metric(um_cell_out *c, const char *name, double value);
/* Evaluations of the prior for the measurement at work. */
UM_API double um_cell_calls(const um_cell_out *c);

/* Several measurements: has those that an interrupted run finished; goes over to measurement k; writes a checkpoint of
 * what is finished, where the last one lacks some of it. */
UM_API UM_USED um_status um_cell_resume(um_cell_out *c);
UM_API void um_cell_turn(um_cell_out *c, int64_t k);
UM_API UM_USED um_status um_cell_keep(um_cell_out *c);

UM_API UM_USED um_status um_cell_write_metrics(const um_cell_out *c);
/* How long interrupted runs worked on it, in seconds; 0 without a checkpoint. */
UM_API double um_cell_earlier(const um_cell_out *c);

/* Fits the prior or inference of train task number task: DIR/train/KEY with weight file, trace, metrics and
 * figures. */
UM_API UM_USED um_status um_train(const um_plan *p, int task, const char *dir, const um_env *env,
	um_page *page, bool resume);

/* The weight file of a train task that fitted item, from what the fit delivered. */
UM_API UM_USED um_status um_weight_file_write(const um_plan *p, int task, const um_item *item, um_tensors *t);

/* Measures c->samples, of measurement c->measurement of m, with op (NULL: that of m): aligns them where the stage asks for it
 * and the data allow it, metrics and, of the first measurement, figures. They are then among the results. */
UM_API UM_USED um_status um_cell_judge(um_cell_out *c, um_measured *m, const um_array *op);
/* samples.fits, mean.fits, std.fits, metrics.json and, of several measurements, measurements.csv of a cell from its results;
 * trace.csv. */
UM_API UM_USED um_status um_cell_deliver(um_cell_out *c, const um_measured *m);

/* The work of stages. */
UM_API UM_USED um_status um_simulate(const um_plan *p, int task, const char *dir, const um_env *env, um_page *page);
/* *impossible: the parts of the cell do not go together. */
UM_API UM_USED um_status um_infer(const um_plan *p, int task, const char *dir, const um_env *env, um_page *page, bool resume,
	bool *impossible);
/* Images of another program, judged as those of umbra are. */
UM_API UM_USED um_status um_import(const um_plan *p, int task, const char *dir, const um_env *env, um_page *page);

/* From now on warnings are of this cell; NULL: of none. */
UM_API void um_task_hear(um_cell_out *c);
/* Calls that the host makes for an inference plugin return to it, which is at work in a phase; NULL: no more. */
UM_API void um_task_worker(const um_plugin *p, const char *phase);

/* True once the process was asked to stop (SIGINT, SIGTERM, SIGUSR1). */
UM_API bool um_task_stopping(void);

#endif
