/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Simulation-based calibration of a kind of cell: replicates, which leave nothing but ranks, and what they say together.
 * DIR/calibrate/NAME/work has a file of ranks for each part until the verdict is there. */
#ifndef UMBRA_PIPELINE_CALIBRATE_H
#define UMBRA_PIPELINE_CALIBRATE_H

#include <umbra/calibration.h>
#include "pipeline/task.h"

/* Numbers that have ranks: sum of all pixels, log p(y | x), log p(x), squared distance from a draw of the truths'
 * prior; then single pixels, evenly spread, at most so many. */
enum { UM_RANK_FLUX, UM_RANK_LOGLIKE, UM_RANK_LOGP, UM_RANK_POINT, UM_RANK_PIXELS, UM_RANK_MOST_PIXELS = 256 };

/* Ranks of all replicates; those of a number that a cell does not have are -1. */
typedef struct um_replicates {
	int64_t n, samples;  /* replicates; ranks are 0 .. samples */
	int64_t columns;     /* UM_RANK_PIXELS and the pixels */
	int64_t image;       /* pixels of the image; the k-th that has ranks is k image / (columns - UM_RANK_PIXELS) */
	int64_t *rank;       /* [n][columns] */
} um_replicates;

/* Work on the replicates of a task with a part, those left out that have their ranks; and the verdict of one without:
 * its files, and in the page a sentence, with which it fails (UM_ENUM) where the verdict is FAIL. One that is there
 * is not made again. */
UM_API UM_USED um_status um_calibrate_part(const um_plan *p, int task, const char *dir, const um_env *env, um_page *page,
	bool resume);
UM_API UM_USED um_status um_calibrate_verdict(const um_plan *p, int task, const char *dir, um_page *page);

/* Whether nothing is left to do for a task with a part; and whether there is a verdict. */
UM_API bool um_calibrate_done(const um_plan *p, int task, const char *dir);
UM_API bool um_calibrate_judged(const um_plan *p, int task, const char *dir);

/* DIR/calibrate/NAME of a task of the stage; free it. */
UM_API char *um_calibrate_folder(const um_plan *p, int task, const char *dir);

/* ---- private to calibrate.c, calibration.c, verdict.c and verdict_files.c --------------- */

/* The replicates of a part, *first .. *end - 1. */
UM_API void um_calibrate_range(const um_plan *p, int task, int64_t *first, int64_t *end);

/* Where the checkpoint of a replicate is (free it); and no longer, for replicates first .. end - 1. */
UM_API char *um_calibrate_replicate(const char *folder, int64_t i);
UM_API void um_calibrate_clean(const char *folder, int64_t first, int64_t end);

/* How many columns ranks have, and room for those of so many replicates. */
UM_API int64_t um_ranks_columns(const um_env *env);
UM_API int64_t *um_ranks_new(int64_t rows, int64_t columns);

/* Ranks of the replicates of a part that are done: r->n of them into r->rank, which has room for most; none where there
 * is no file. And all of r as that file. */
UM_API UM_USED um_status um_ranks_read(const char *folder, int part, int64_t most, um_replicates *r);
UM_API UM_USED um_status um_ranks_write(const char *folder, int part, const um_replicates *r);

/* What is wrong and how surely: PASS, WARN where chance makes something like it in at most 5 % of the calibrations of
 * right posteriors, FAIL in at most 0.1 %. */
typedef enum um_verdict_kind { UM_PASS, UM_WARNING, UM_FAILURE } um_verdict_kind;

enum { UM_LEVELS = 12, UM_TESTS = 7 };

/* Of one number, or of the pixels. */
typedef struct um_rank_test {
	const char *name;
	double p;          /* that chance makes ranks as far from uniform, of this test alone */
	char says[320];    /* in words what is wrong if anything is */
} um_rank_test;

typedef struct um_verdict {
	um_verdict_kind kind;
	char reason[1000];
	int ntests;
	um_rank_test test[UM_TESTS];
	double coverage[UM_LEVELS], error[UM_LEVELS]; /* of central intervals of the pixels, and standard errors */
	int64_t worst;     /* the pixel (of those with ranks) that is furthest from uniform */
} um_verdict;

UM_API extern const double um_levels[UM_LEVELS];

/* Judges replicates; law is that of their ranks. */
UM_API UM_USED um_status um_verdict_of(const um_replicates *r, const um_rank_law *law, um_verdict *out);

/* How many of the truths lie in the central interval of level p of their samples, for the number of a column. */
UM_API double um_verdict_coverage(const um_replicates *r, int64_t column, double p);

/* In folder: replicates.csv, all ranks; ranks, coverage and tarp as tables and in figures; verdict.json. */
UM_API UM_USED um_status um_verdict_write(const char *folder, const um_plan *p, const um_stage *s, const um_replicates *r,
	const um_rank_law *law, const um_verdict *v);

#endif
