/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Where plugins put results. The host owns the files behind it: a plugin never
 * opens one. What is handed in is copied or written before the call returns. Of a cell
 * with several measurements trace and pictures of the first are kept, and files of the
 * others are numbered: NAME-2.EXT. */
#ifndef UMBRA_SINK_H
#define UMBRA_SINK_H

#include <stdbool.h>
#include <umbra/array.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct um_sink um_sink;

/* What a plugin must do next. */
typedef enum um_answer {
	UM_GO,   /* carry on */
	UM_SAVE, /* write a checkpoint, then carry on */
	UM_STOP, /* write a checkpoint, deliver what samples there are, return UM_EINTR */
} um_answer;

/* done of total steps are finished; loss may be NaN. Cheap: call it every step. */
UM_API um_answer um_sink_progress(um_sink *s, int64_t done, int64_t total, double loss);

/* Appends samples u [count][image] float, as inference sees them, with the log
 * density of each under the approximating law where that is known, else NULL. */
UM_API UM_USED um_status um_sink_samples(um_sink *s, const um_array *u, const double *logq);

/* A named number for metrics.json; lower_case names. */
UM_API UM_USED um_status um_sink_metric(um_sink *s, const char *name, double value);

/* One row of trace.csv; the names must be the same in every call of a run. */
UM_API UM_USED um_status um_sink_trace(um_sink *s, int64_t step, int n, const char *const names[],
	const double values[]);

/* A tensor of a weight file; each name once. */
UM_API UM_USED um_status um_sink_tensor(um_sink *s, const char *name, const um_array *a);

/* A line in the header of the weight file, such as a size of the network: UTF-8 text, each key once
 * (the last value counts). */
UM_API UM_USED um_status um_sink_note(um_sink *s, const char *key, const char *value);

/* A file of the plugin's own kind: write(path, context) creates it at a temporary
 * path, and the host then moves it to name in the run directory. */
UM_API UM_USED um_status um_sink_file(um_sink *s, const char *name,
	um_status (*write)(const char *path, void *context), void *context);

/* Stores the arrays whole or not at all; the previous checkpoint stays until then. */
UM_API UM_USED um_status um_sink_checkpoint(um_sink *s, int n, const char *const names[],
	const um_array *const arrays[]);

/* Fills the arrays from the checkpoint of an interrupted run. *found is false, and
 * nothing is written, where there is none; a checkpoint of other shapes is an error. */
UM_API UM_USED um_status um_sink_restore(um_sink *s, int n, const char *const names[],
	um_array *const arrays[], bool *found);

/* Points with error bars and the bands that the posterior samples cover: a figure, and its numbers in a JSON
 * file of the same name. */
typedef struct um_plot {
	const char *name;              /* file name without ending: "amplitude" */
	const char *title, *xlabel, *ylabel;
	int64_t n;
	const double *x, *y, *sigma;   /* the data; sigma NULL: no bars */
	const double *lo, *mid, *hi;   /* model: 2.5, 50 and 97.5 % quantiles, or NULL */
	bool log_y;
	bool square;                   /* a unit is as long on both axes */
	const double *inner_lo, *inner_hi; /* model: 16 and 84 % quantiles, or NULL */
	const char *const *label;      /* [n] what each point is, as "AA-LM"; or NULL */
} um_plot;

UM_API UM_USED um_status um_sink_plot(um_sink *s, const um_plot *plot);

/* An image in colours with a colour bar; row 0 is at the top. */
typedef struct um_picture {
	const char *name, *title;      /* file name without ending: "dirty_beam" */
	const double *data;            /* [rows][columns] */
	int64_t rows, columns;
	const char *unit;              /* beside the colour bar, or NULL */
	double pixel;                  /* radians, where it is of the sky; else 0 */
} um_picture;

UM_API UM_USED um_status um_sink_picture(um_sink *s, const um_picture *picture);

/* Up to 64 images x [count][image] side by side on one scale: a figure of that name, which a later one of
 * the same name takes the place of. */
UM_API UM_USED um_status um_sink_images(um_sink *s, const char *name, const char *title, const um_array *x);

#ifdef __cplusplus
}
#endif
#endif
