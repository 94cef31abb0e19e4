/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A measurement of a truth has a stream of its own for its noise: in a batch that of its place in the stream of
 * all batches, else that of its number. Those of files are shuffled and split as images are, by a data set of
 * their numbers. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "base/mem.h"
#include "host/measurements.h"

enum { BATCH = 1, TRAIN, HELD };

struct um_measurements {
	um_forward *forward;
	um_dataset *truths;     /* borrowed, or NULL: files */
	um_dataset *numbers;    /* images of one pixel, the number of a measurement */
	um_array index;         /* [n] all of these */
	um_array y, sigma, op;  /* of the files */
	um_array x;             /* truths or numbers in use, grows */
	um_rng key;
};

void um_measurements_free(um_measurements *m)
{
	if (m == NULL)
		return;
	um_dataset_free(m->numbers);
	um_array *const all[] = { &m->index, &m->y, &m->sigma, &m->op, &m->x };
	for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++)
		um_array_free(all[i]);
	free(m);
}

void um_measurements_count(const um_measurements *m, int64_t *train, int64_t *held)
{
	const um_dataset_info *about = um_dataset_about(m->truths != NULL ? m->truths : m->numbers);
	*train = about->train;
	*held = about->held;
}

static um_status check(const um_measurements *m, const um_array *y, const um_array *sigma)
{
	for (int64_t b = 0; b < y->dim[0]; b++)
		for (int64_t i = 0; i < y->dim[1]; i++)
			if (!isfinite(um_row_d(y, b)[i]) || !(um_row_d(sigma, b)[i] > 0) || !isfinite(um_row_d(sigma, b)[i]))
				return um_fail(UM_EDATA, "forward/%s: number %lld of a measurement to learn from is not finite or "
					"its sigma is not positive", m->forward->plugin->name, (long long)i + 1);
	return UM_OK;
}

static um_status read_files(um_measurements *m, const char *name)
{
	um_status st = UM_OK;
	const um_forward_info *info = &m->forward->info;
	const int64_t n = info->measurements;
	um_dataset_source s = { .name = m->forward->plugin->name, .key = name, .seed = m->forward->env.seed,
		.threads = 1, .shape = { 1, 1, 1, 1, 1 }, .held_out = 0.1 };
	if (n < 1)
		return um_fail(UM_EPARAM, "forward/%s brings no measurements to learn from: train needs data = { files = \"...\"; } "
			"or data = { prior = \"...\"; }", m->forward->plugin->name);
	if (n > 1 << 24)
		return um_fail(UM_EDATA, "forward/%s: %lld measurements are too many; at most 2^24", m->forward->plugin->name,
			(long long)n);
	UM_TRY(um_array_new(&m->y, UM_F64, 2, (const int64_t[]){ n, info->ny }));
	UM_TRY(um_array_new(&m->sigma, UM_F64, 2, (const int64_t[]){ n, info->ny }));
	UM_TRY(um_array_new(&m->op, UM_F64, 2, (const int64_t[]){ n, info->nop }));
	um_phase(m->forward->plugin, "data");
	UM_TRY(um_in_phase(m->forward->plugin, "data", m->forward->ops.data(m->forward->self, &m->y, &m->sigma, &m->op)));
	um_phase(NULL, NULL);
	UM_TRY(check(m, &m->y, &m->sigma));
	UM_TRY(um_array_new(&m->index, UM_F32, 6, (const int64_t[]){ n, 1, 1, 1, 1, 1 }));
	for (int64_t i = 0; i < n; i++)
		((float *)m->index.data)[i] = (float)i;
	s.images = m->index;
	UM_TRY(um_dataset_new(&s, &m->numbers));
out:
	return st;
}

um_status um_measurements_new(um_forward *f, um_dataset *truths, const char *name, um_measurements **out)
{
	um_status st = UM_OK;
	um_measurements *m = um_new(sizeof(*m));
	char *key = um_format("%s measurements", name);
	m->forward = f;
	m->truths = truths;
	m->key = um_rng_new(f->env.seed, key, 0);
	free(key);
	if (truths == NULL)
		UM_TRY(read_files(m, name));
	*out = m;
	m = NULL;
out:
	um_measurements_free(m);
	return st;
}

/* ---- delivering ------------------------------------------------------------------- */

/* Room for count truths or numbers, as a view. */
static um_status room(um_measurements *m, int64_t count, um_array *x)
{
	um_status st = UM_OK;
	if (m->x.data == NULL || m->x.dim[0] < count) {
		um_array_free(&m->x);
		if (m->truths != NULL)
			UM_TRY(um_env_images(&m->forward->env, count, &m->x));
		else
			UM_TRY(um_array_new(&m->x, UM_F32, 6, (const int64_t[]){ count, 1, 1, 1, 1, 1 }));
	}
	*x = um_array_rows(&m->x, 0, count);
out:
	return st;
}

static void copy_row(const um_array *from, int64_t i, um_array *to, int64_t b)
{
	if (to->dim[1] > 0)
		memcpy(um_row_d(to, b), um_row_d(from, i), sizeof(double) * (size_t)to->dim[1]);
}

/* Truths in x, in the units of priors, are measured with streams first .. of a purpose; numbers are looked up. */
static um_status deliver(um_measurements *m, um_array *x, uint64_t purpose, int64_t first, um_array *y,
	um_array *sigma, um_array *op)
{
	um_status st = UM_OK;
	const int64_t count = x->dim[0], all = um_array_len(x);
	float *v = x->data;
	um_rng *rng = NULL;
	if (m->truths == NULL) {
		for (int64_t b = 0; b < count; b++) {
			copy_row(&m->y, (int64_t)v[b], y, b);
			copy_row(&m->sigma, (int64_t)v[b], sigma, b);
			copy_row(&m->op, (int64_t)v[b], op, b);
		}
		return UM_OK;
	}
	for (int64_t i = 0; i < all; i++)
		v[i] = (float)(m->forward->env.scale * v[i]);
	rng = um_new(sizeof(*rng) * (size_t)count);
	for (int64_t b = 0; b < count; b++)
		rng[b] = um_rng_at(&m->key, purpose, (uint64_t)(first + b));
	UM_TRY(um_forward_simulate(m->forward, rng, x, op, y, sigma, NULL));
	UM_TRY(check(m, y, sigma));
out:
	um_phase(NULL, NULL);
	free(rng);
	return st;
}

um_status um_measurements_batch(um_measurements *m, int64_t step, um_array *y, um_array *sigma, um_array *op)
{
	um_status st = UM_OK;
	um_array x;
	const int64_t count = y->dim[0];
	UM_TRY(room(m, count, &x));
	UM_TRY(um_dataset_batch(m->truths != NULL ? m->truths : m->numbers, step, count, &x));
	UM_TRY(deliver(m, &x, BATCH, step * count, y, sigma, op));
out:
	return st;
}

um_status um_measurements_rows(um_measurements *m, bool held, int64_t first, um_array *y, um_array *sigma,
	um_array *op)
{
	um_status st = UM_OK;
	um_array x;
	UM_TRY(room(m, y->dim[0], &x));
	UM_TRY(um_dataset_rows(m->truths != NULL ? m->truths : m->numbers, held, first, y->dim[0], &x));
	UM_TRY(deliver(m, &x, held ? HELD : TRAIN, first, y, sigma, op));
out:
	return st;
}
