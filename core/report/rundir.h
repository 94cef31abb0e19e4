/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A run directory as its readers see it (report, compare): cells, their metrics, and which
 * metrics anybody has. Names of cells come from a file and are never trusted as paths.
 * Private to core/report. */
#ifndef UM_REPORT_RUNDIR_H
#define UM_REPORT_RUNDIR_H

#include <jansson.h>
#include <stdbool.h>
#include <umbra/status.h>

/* Sorted names. */
typedef struct um_names {
	int n;
	char **name;
} um_names;

typedef struct um_cell {
	char *name;         /* "eht/tv+dpi" */
	char *forward;      /* "eht" */
	char *dir;          /* its folder, NULL where the name is not a plain path below the run */
	const char *status; /* "done", "failed", "interrupted" or whatever the file says */
	const char *reason; /* NULL: none */
	json_t *metrics;    /* object, NULL: none */
} um_cell;

typedef struct um_rundir {
	char *dir;
	json_t *run;
	int ncells;
	um_cell *cells;   /* in the order of run.json */
	um_names metrics; /* union of the keys, in the order that readers want */
} um_rundir;

bool um_cell_is_done(const um_cell *c);

/* UM_EDATA where run.json is missing or not what it should be; a metrics.json that cannot
 * be read is logged and counts as missing. Release it with um_rundir_free. */
UM_USED um_status um_rundir_open(const char *dir, um_rundir *r);
void um_rundir_free(um_rundir *r);

/* The object of a JSON file; NULL where there is no file, and NULL with *st set where it is not
 * what it should be. */
json_t *um_rundir_object(const char *path, um_status *st);

/* Names of what lies in dir and ends in suffix (hidden entries left out); none where there
 * is no such folder. */
um_names um_names_list(const char *dir, const char *suffix);
void um_names_add(um_names *l, const char *name); /* unless it is there already */
void um_names_free(um_names *l);

/* How to head the column of a metric: name, and a second line in small print. */
void um_metric_title(const char *key, char title[80], char small[40]);

/* +1 where more is better, -1 where less is, 0 where neither is known. */
int um_metric_sense(const char *key);

#endif
