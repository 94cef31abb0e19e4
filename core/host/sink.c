/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Sinks pass what plugins deliver to whoever keeps it; here also one that keeps
 * samples, metrics, tensors and notes in memory. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <umbra/host.h>
#include "base/mem.h"

/* Calls the member of a sink, or accepts and forgets. */
#define PASS(member, ...) (s != NULL && s->ops->member != NULL ? s->ops->member(s->state, __VA_ARGS__) : UM_OK)

um_answer um_sink_progress(um_sink *s, int64_t done, int64_t total, double loss)
{
	if (s == NULL || s->ops->progress == NULL)
		return UM_GO;
	return s->ops->progress(s->state, done, total, loss);
}

um_status um_sink_samples(um_sink *s, const um_array *u, const double *logq)
{
	return PASS(samples, u, logq);
}

um_status um_sink_metric(um_sink *s, const char *name, double value)
{
	return PASS(metric, name, value);
}

um_status um_sink_trace(um_sink *s, int64_t step, int n, const char *const names[], const double values[])
{
	return PASS(trace, step, n, names, values);
}

um_status um_sink_tensor(um_sink *s, const char *name, const um_array *a)
{
	return PASS(tensor, name, a);
}

um_status um_sink_note(um_sink *s, const char *key, const char *value)
{
	return PASS(note, key, value);
}

um_status um_sink_file(um_sink *s, const char *name, um_status (*write)(const char *path, void *context),
	void *context)
{
	return PASS(file, name, write, context);
}

um_status um_sink_checkpoint(um_sink *s, int n, const char *const names[], const um_array *const arrays[])
{
	return PASS(checkpoint, n, names, arrays);
}

um_status um_sink_restore(um_sink *s, int n, const char *const names[], um_array *const arrays[],
	bool *found)
{
	*found = false;
	return PASS(restore, n, names, arrays, found);
}

um_status um_sink_plot(um_sink *s, const um_plot *plot)
{
	return PASS(plot, plot);
}

um_status um_sink_picture(um_sink *s, const um_picture *picture)
{
	return PASS(picture, picture);
}

um_status um_sink_images(um_sink *s, const char *name, const char *title, const um_array *x)
{
	return PASS(images, name, title, x);
}

/* ---- in memory -------------------------------------------------------------- */

/* Room for more rows, the old ones kept. */
static um_status grow(um_array *kept, const um_array *more)
{
	um_status st = UM_OK;
	um_array bigger = { 0 };
	int64_t dim[UM_MAXRANK];
	memcpy(dim, more->dim, sizeof(dim));
	int64_t old = kept->data != NULL ? kept->dim[0] : 0;
	dim[0] += old;
	UM_TRY(um_array_new(&bigger, UM_F32, more->rank, dim));
	if (old > 0)
		memcpy(bigger.data, kept->data, sizeof(float) * (size_t)um_array_len(kept));
	memcpy((float *)bigger.data + old * um_array_rowlen(more), more->data,
		sizeof(float) * (size_t)um_array_len(more));
	um_array_free(kept);
	*kept = bigger;
out:
	return st;
}

static um_status keep_samples(void *state, const um_array *u, const double *logq)
{
	um_status st = UM_OK;
	um_memory *m = state;
	int64_t old = m->samples.data != NULL ? m->samples.dim[0] : 0;
	UM_TRY(grow(&m->samples, u));
	if (logq != NULL) {
		m->logq = um_grow(m->logq, sizeof(double) * (size_t)(old + u->dim[0]));
		memcpy(m->logq + old, logq, sizeof(double) * (size_t)u->dim[0]);
	}
out:
	return st;
}

static um_status keep_metric(void *state, const char *name, double value)
{
	um_memory *m = state;
	const int room = (int)(sizeof(m->metric) / sizeof(*m->metric));
	int i = 0;
	while (i < m->nmetrics && strcmp(m->metric[i].name, name) != 0)
		i++;
	if (i == room)
		return um_fail(UM_EARG, "more than %d metrics", room);
	snprintf(m->metric[i].name, sizeof(m->metric[i].name), "%s", name);
	m->metric[i].value = value;
	m->nmetrics += i == m->nmetrics;
	return UM_OK;
}

static um_status keep_tensor(void *state, const char *name, const um_array *a)
{
	um_memory *m = state;
	return um_tensors_add(&m->tensors, name, a);
}

static um_status keep_note(void *state, const char *key, const char *value)
{
	um_memory *m = state;
	um_tensors_note(&m->tensors, key, value);
	return UM_OK;
}

um_sink um_memory_sink(um_memory *m)
{
	static const um_sink_ops ops = { .samples = keep_samples, .metric = keep_metric, .tensor = keep_tensor,
		.note = keep_note };
	return (um_sink){ &ops, m };
}

void um_memory_free(um_memory *m)
{
	um_array_free(&m->samples);
	um_tensors_free(&m->tensors);
	free(m->logq);
	*m = (um_memory){ 0 };
}

double um_memory_metric(const um_memory *m, const char *name)
{
	for (int i = 0; i < m->nmetrics; i++)
		if (strcmp(m->metric[i].name, name) == 0)
			return m->metric[i].value;
	return NAN;
}
