/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Many measurements in place of one, for fits: those of a step, some to judge by, or simulated ones become the rows in
 * use. */
#include <string.h>
#include "host/problem.h"

/* y, sigma and op of so many rows; every repeat-th is filled later. */
static um_status rows_of(um_problem *p, int64_t count, um_array part[3])
{
	um_status st = UM_OK;
	const int64_t length[3] = { p->info.ny, p->info.ny, p->info.nop };
	um_array *const view[3] = { &p->y, &p->sigma, &p->op };
	for (int i = 0; i < 3; i++) {
		if (p->room[i].data == NULL || p->room[i].dim[0] < count) {
			um_array_free(&p->room[i]);
			UM_TRY(um_array_new(&p->room[i], UM_F64, 2, (const int64_t[]){ count, length[i] }));
		}
		*view[i] = um_array_rows(&p->room[i], 0, count);
		part[i] = *view[i];
	}
out:
	return st;
}

/* Rows 0 .. count - 1 spread so that each is there repeat times. */
static void spread(um_array part[3], int64_t count, int64_t repeat)
{
	for (int i = 0; i < 3; i++)
		for (int64_t b = count * repeat - 1; b > 0 && part[i].dim[1] > 0; b--)
			if (b / repeat != b)
				memcpy(um_row_d(&part[i], b), um_row_d(&part[i], b / repeat), sizeof(double) * (size_t)part[i].dim[1]);
}

static um_status take(um_problem *p, int64_t count, int64_t repeat, um_array part[3])
{
	if (p->many == NULL)
		return um_fail(UM_EARG, "this problem has one measurement: batches are for fits");
	if (count < 1 || repeat < 1)
		return um_fail(UM_EARG, "%lld measurements, each %lld times", (long long)count, (long long)repeat);
	um_status st = rows_of(p, count * repeat, part);
	for (int i = 0; i < 3; i++)
		part[i].dim[0] = count;
	return st;
}

um_status um_problem_batch(um_problem *p, int64_t step, int64_t count, int64_t repeat)
{
	um_status st = UM_OK;
	um_array part[3];
	UM_TRY(take(p, count, repeat, part));
	UM_TRY(um_measurements_batch(p->many, step, &part[0], &part[1], &part[2]));
	spread(part, count, repeat);
out:
	return st;
}

um_status um_problem_rows(um_problem *p, bool held, int64_t first, int64_t count, int64_t repeat)
{
	um_status st = UM_OK;
	um_array part[3];
	UM_TRY(take(p, count, repeat, part));
	UM_TRY(um_measurements_rows(p->many, held, first, &part[0], &part[1], &part[2]));
	spread(part, count, repeat);
out:
	return st;
}

um_status um_problem_measure(um_problem *p, um_rng *rng, const um_array *x)
{
	um_status st = UM_OK;
	um_array part[3], xs = { 0 };
	UM_TRY(take(p, x->dim[0], 1, part));
	UM_TRY(problem_scaled(p, x, &xs));
	UM_TRY(um_forward_simulate(p->forward, rng, &xs, &part[2], &part[0], &part[1], NULL));
	UM_TRY(problem_check_d(p->forward->plugin, "simulate", part[0].data, x->dim[0], p->info.ny));
out:
	um_phase(NULL, NULL);
	um_array_free(&xs);
	return st;
}

um_status problem_fitting(const um_problem *p, int64_t rows)
{
	if (p->many == NULL || rows == p->y.dim[0])
		return UM_OK;
	return um_fail(UM_EARG, "%lld images come to %lld measurements", (long long)rows, (long long)p->y.dim[0]);
}
