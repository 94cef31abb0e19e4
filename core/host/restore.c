/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Equations: restore.h. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <umbra/linalg.h>
#include "host/restore.h"

enum { ROUNDS = 4 };
static const double FIRST = 2, LAST = 0.2, LAMBDA = 0.23; /* UM_RESTORE */

typedef struct rooms {
	um_array step, s;       /* [rows][image] */
	um_array r, q;          /* [rows][ny] */
	double *alpha, *sigma;  /* [rows] */
} rooms;

static void free_rooms(rooms *m)
{
	um_array_free(&m->step);
	um_array_free(&m->s);
	um_array_free(&m->r);
	um_array_free(&m->q);
	free(m->alpha);
	free(m->sigma);
}

static um_status make_rooms(const um_problem *p, int64_t rows, rooms *m)
{
	um_status st = UM_OK;
	const int64_t size[2] = { rows, um_problem_about(p)->ny };
	UM_TRY(um_problem_images(p, rows, &m->step));
	UM_TRY(um_problem_images(p, rows, &m->s));
	UM_TRY(um_array_new(&m->r, UM_F64, 2, size));
	UM_TRY(um_array_new(&m->q, UM_F64, 2, size));
	m->alpha = malloc(sizeof(double) * (size_t)rows);
	m->sigma = malloc(sizeof(double) * (size_t)rows);
	if (m->alpha == NULL || m->sigma == NULL)
		st = um_fail(UM_ENOMEM, "no memory to restore %lld images", (long long)rows);
out:
	return st;
}

/* Towards the data. */
static um_status explain(um_problem *p, double t2, rooms *m, um_array *x)
{
	um_status st = UM_OK;
	const double *y = um_problem_y(p);
	UM_TRY(um_problem_apply(p, x, NULL, &m->r, NULL));
	for (int64_t i = 0; i < um_array_len(&m->r); i++)
		((double *)m->r.data)[i] = y[i] - ((double *)m->r.data)[i];
	UM_TRY(um_problem_solve(p, 1, t2, &m->r, &m->q));
	UM_TRY(um_problem_pullback(p, x, &m->q, &m->step));
	for (int64_t i = 0; i < um_array_len(x); i++)
		((float *)x->data)[i] += (float)t2 * ((float *)m->step.data)[i];
out:
	return st;
}

static um_status denoise(um_problem *p, double s, rooms *m, um_array *x)
{
	um_status st = UM_OK;
	for (int64_t b = 0; b < x->dim[0]; b++)
		m->alpha[b] = 1, m->sigma[b] = s;
	UM_TRY(um_problem_score(p, &(um_score_job){ .size = sizeof(um_score_job), .x = x, .alpha = m->alpha, .sigma = m->sigma,
		.s = &m->s }));
	for (int64_t i = 0; i < um_array_len(x); i++)
		((float *)x->data)[i] += (float)(s * s) * ((float *)m->s.data)[i];
out:
	return st;
}

um_status um_restore(um_problem *p, double sd, um_array *x)
{
	um_status st = UM_OK;
	rooms m = { 0 };
	UM_TRY(make_rooms(p, x->dim[0], &m));
	for (int k = 0; k < ROUNDS; k++) {
		const double s = sd * FIRST * pow(LAST / FIRST, (double)k / (ROUNDS - 1));
		UM_TRY(explain(p, s * s / LAMBDA, &m, x));
		UM_TRY(denoise(p, s, &m, x));
	}
out:
	free_rooms(&m);
	return st;
}
