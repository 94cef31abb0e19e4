/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copies by strides. The last axis is a run (step 1), a repeated element (step 0), or the axis with
 * step 1 is another: then the two are transposed in tiles that fit the first cache. */
#include <string.h>
#include "base/parallel.h"
#include "nn/rows.h"
#include "nn/tile.h"
#include "nn/walk.h"

void um_walk_simplify(um_walk *w)
{
	um_walk s = { .rank = 0 };
	for (int i = 0; i < w->rank; i++) {
		int last = s.rank - 1;
		if (w->dim[i] == 1)
			continue;
		if (last >= 0 && s.step[last] == w->step[i] * w->dim[i]) {
			s.dim[last] *= w->dim[i];
			s.step[last] = w->step[i];
			continue;
		}
		s.dim[s.rank] = w->dim[i];
		s.step[s.rank++] = w->step[i];
	}
	if (s.rank == 0) {
		s.dim[0] = s.step[0] = 1;
		s.rank = 1;
	}
	*w = s;
}

enum { TILE = 16 };

/* A walk over the outer axes; the inner one or two are done by "inner" for each of their places. */
typedef struct job job;
struct job {
	int outer;
	int64_t dim[UM_NN_RANK], in_step[UM_NN_RANK], out_step[UM_NN_RANK]; /* bytes */
	int64_t places, in_image, out_image;
	int64_t n, m;              /* of the last axis; of the one transposed with it */
	int64_t n_step, m_step;    /* bytes in the input; in the output */
	void (*inner)(const job *j, char *o, const char *x);
	char *out;
	const char *in;
};

static void run(const job *j, char *o, const char *x)
{
	memcpy(o, x, (size_t)j->n);
}

UM_KERNEL(void, walk_fill_4, (int64_t n, float *o, float v), (n, o, v))
{
	for (int64_t i = 0; i < n; i++)
		o[i] = v;
}

UM_KERNEL(void, walk_fill_8, (int64_t n, double *o, double v), (n, o, v))
{
	for (int64_t i = 0; i < n; i++)
		o[i] = v;
}

static void fill_4(const job *j, char *o, const char *x)
{
	walk_fill_4(j->n, (float *)(void *)o, *(const float *)(const void *)x);
}

static void fill_8(const job *j, char *o, const char *x)
{
	walk_fill_8(j->n, (double *)(void *)o, *(const double *)(const void *)x);
}

static inline void transpose(const job *j, char *o, const char *x, size_t size)
{
	for (int64_t b = 0; b < j->m; b += TILE)
		for (int64_t a = 0; a < j->n; a += TILE) {
			const int64_t nb = j->m - b < TILE ? j->m - b : TILE;
			const int64_t na = j->n - a < TILE ? j->n - a : TILE;
			for (int64_t k = b; k < b + nb; k++)
				for (int64_t i = a; i < a + na; i++)
					memcpy(o + k * j->m_step + i * (int64_t)size,
						x + i * j->n_step + k * (int64_t)size, size);
		}
}

static void transpose_4(const job *j, char *o, const char *x)
{
	transpose(j, o, x, 4);
}

static void transpose_8(const job *j, char *o, const char *x)
{
	transpose(j, o, x, 8);
}

/* Places from .. to - 1 of the outer axes of all images. */
static void part(const job *j, int64_t from, int64_t to)
{
	int64_t at[UM_NN_RANK] = { 0 }, left = from % j->places;
	const char *x = j->in + from / j->places * j->in_image;
	char *o = j->out + from / j->places * j->out_image;
	for (int i = j->outer - 1; i >= 0; i--) {
		at[i] = left % j->dim[i];
		left /= j->dim[i];
		x += at[i] * j->in_step[i];
		o += at[i] * j->out_step[i];
	}
	for (int64_t p = from; p < to; p++) {
		j->inner(j, o, x);
		int i = j->outer - 1;
		for (; i >= 0; i--) {
			x += j->in_step[i];
			o += j->out_step[i];
			if (++at[i] < j->dim[i])
				break;
			x -= j->dim[i] * j->in_step[i];
			o -= j->dim[i] * j->out_step[i];
			at[i] = 0;
		}
		if (i < 0) {
			x += j->in_image;
			o += j->out_image;
		}
	}
}

/* The axis that is done together with the last, or the last. */
static int partner(const um_walk *w)
{
	int last = w->rank - 1;
	for (int i = 0; w->step[last] > 1 && i < last; i++)
		if (w->step[i] == 1)
			return i;
	return last;
}

static void plan(job *j, const um_walk *w, int64_t size)
{
	int last = w->rank - 1, with = partner(w);
	int64_t out_step[UM_NN_RANK], step = size;
	for (int i = last; i >= 0; step *= w->dim[i], i--)
		out_step[i] = step;
	j->out_image = step;
	j->places = 1;
	for (int i = 0; i < last; i++) {
		if (i == with)
			continue;
		j->dim[j->outer] = w->dim[i];
		j->in_step[j->outer] = w->step[i] * size;
		j->out_step[j->outer++] = out_step[i];
		j->places *= w->dim[i];
	}
	j->n = w->dim[last];
	j->n_step = w->step[last] * size;
	j->m = w->dim[with];
	j->m_step = out_step[with];
	if (with != last)
		j->inner = size == 4 ? transpose_4 : transpose_8;
	else if (w->step[last] == 0)
		j->inner = size == 4 ? fill_4 : fill_8;
	else {
		j->inner = run;
		j->n *= size;
	}
}

void um_walk_run(const um_walk *w, const um_call *call)
{
	const int64_t size = call->size;
	job j = { .in = call->in[0], .out = call->out, .in_image = call->stride[0] * size };
	plan(&j, w, size);
	int64_t all = call->count * j.places;
	int lanes = um_lanes(call->threads, call->count * j.out_image / size);
	if (lanes == 1) {
		part(&j, 0, all);
		return;
	}
PARALLEL
	for (int t = 0; t < lanes; t++)
		part(&j, all * t / lanes, all * (t + 1) / lanes);
}
