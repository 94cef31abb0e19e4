/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The sink of a cell: samples and metrics in memory, trace, checkpoints, pictures and
 * foreign files in the cell's folder. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <umbra/tensors.h>
#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "pipeline/checkpoint.h"
#include "pipeline/task.h"
#include "report/figure.h"

static bool many(const um_cell_out *c)
{
	return c->results.of > 1;
}

/* Seconds between checkpoints. */
static double save_every(void)
{
	const char *wish = getenv("UMBRA_CHECKPOINT");
	char *end;
	const double seconds = wish != NULL ? strtod(wish, &end) : 30;
	return wish == NULL || (end != wish && *end == '\0' && seconds >= 0) ? seconds : 30;
}

static um_answer progress(void *state, int64_t done, int64_t total, double loss)
{
	um_cell_out *c = state;
	const int64_t before = c->measurement * total, all = (many(c) ? c->results.of : 1) * total;
	if (c->page->total == 0)
		c->page->first = before + (done > 0 ? done - 1 : 0);
	c->page->done = before + done;
	c->page->total = all;
	c->page->loss = loss;
	if (um_task_stopping())
		return UM_STOP;
	double now = um_clock();
	if (now - c->saved < c->every)
		return UM_GO;
	c->saved = now;
	return UM_SAVE;
}

/* Appends x = scale transform(u). */
static um_status samples(void *state, const um_array *u, const double *logq)
{
	um_cell_out *c = state;
	um_status st = UM_OK;
	um_array all = { 0 };
	if (c->problem == NULL)
		return um_fail(UM_EPLUGIN, "only inference delivers samples");
	const double begun = um_clock();
	um_evidence_add(&c->evidence, c->problem, u, logq);
	c->started += um_clock() - begun; /* which is no time of the inference */
	int64_t old = c->samples.data != NULL ? c->samples.dim[0] : 0;
	UM_TRY(um_problem_images(c->problem, old + u->dim[0], &all));
	if (old > 0)
		memcpy(all.data, c->samples.data, sizeof(float) * (size_t)um_array_len(&c->samples));
	um_array fresh = um_array_rows(&all, old, u->dim[0]);
	UM_TRY(um_problem_image(c->problem, u, &fresh));
	float *v = fresh.data;
	double scale = c->plan->env.scale;
	int64_t n = um_array_len(&fresh);
	for (int64_t i = 0; i < n; i++) {
		v[i] = (float)(scale * v[i]);
		if (!isfinite(v[i]))
			UM_TRY(um_fail(UM_ENUM, "a sample holds a number that is not finite"));
	}
	um_array_free(&c->samples);
	c->samples = all;
	all = (um_array){ 0 };
out:
	um_array_free(&all);
	return st;
}

um_status um_cell_metric(um_cell_out *c, const char *name, double value)
{
	return um_results_put(&c->results, name, value);
}

double um_cell_calls(const um_cell_out *c)
{
	return c->problem == NULL ? c->earlier_calls : c->earlier_calls +
		(double)(um_problem_calls(c->problem) - c->calls_before - c->evidence.calls);
}

static um_status metric(void *state, const char *name, double value)
{
	return um_cell_metric(state, name, value);
}

static void append(um_cell_out *c, char *text)
{
	size_t n = strlen(text);
	c->trace = um_grow(c->trace, c->trace_len + n + 1);
	memcpy(c->trace + c->trace_len, text, n + 1);
	c->trace_len += n;
	free(text);
}

/* What an interrupted run wrote of this step and later ones, which are now done again. */
static void forget(um_cell_out *c, int64_t step)
{
	char *line = strchr(c->trace, '\n');
	while (line != NULL && line[1] != '\0' && strtoll(line + 1, NULL, 10) < step)
		line = strchr(line + 1, '\n');
	if (line == NULL)
		return;
	line[1] = '\0';
	c->trace_len = (size_t)(line + 1 - c->trace);
}

static um_status trace(void *state, int64_t step, int n, const char *const names[], const double values[])
{
	um_cell_out *c = state;
	if (c->measurement > 0) /* there is one file */
		return UM_OK;
	if (c->restored)
		forget(c, step);
	c->restored = false;
	if (c->trace_len == 0) {
		append(c, um_strdup("step"));
		for (int i = 0; i < n; i++)
			append(c, um_format(",%s", names[i]));
		append(c, um_strdup("\n"));
	}
	append(c, um_format("%lld", (long long)step));
	for (int i = 0; i < n; i++)
		append(c, isfinite(values[i]) ? um_format(",%.9g", values[i]) : um_strdup(","));
	append(c, um_strdup("\n"));
	return UM_OK;
}

um_status um_cell_write_trace(um_cell_out *c)
{
	if (c->trace_len == 0)
		return UM_OK;
	char *path = um_format("%s/trace.csv", c->folder);
	um_status st = um_file_put(path, c->trace, c->trace_len);
	free(path);
	return st;
}

static um_status file(void *state, const char *name, um_status (*write)(const char *path, void *context),
	void *context)
{
	um_cell_out *c = state;
	if (strchr(name, '/') != NULL || name[0] == '.')
		return um_fail(UM_EPLUGIN, "'%s' is not a plain file name", name);
	const char *dot = strrchr(name, '.');
	const int stem = (int)(dot != NULL ? (size_t)(dot - name) : strlen(name));
	char *path = c->measurement == 0 ? um_format("%s/%s", c->folder, name) : um_format("%s/%.*s-%lld%s", c->folder, stem, name,
		(long long)c->measurement + 1, name + stem);
	char *temp = um_file_begin(path);
	um_status st = um_file_commit(temp, path, write(temp, context));
	free(temp);
	free(path);
	return st;
}

static void note_number(um_tensors *t, const char *key, double value)
{
	char text[40];
	snprintf(text, sizeof(text), "%.3f", value);
	um_tensors_note(t, key, text);
}

/* What a plugin keeps of the measurement at work, and what is finished; measurement < 0: only that. */
static um_status save(um_cell_out *c, int64_t measurement, int n, const char *const names[], const um_array *const arrays[])
{
	um_status st = UM_OK;
	um_tensors t = { 0 };
	for (int i = 0; i < n; i++)
		UM_TRY(um_tensors_add(&t, names[i], arrays[i]));
	note_number(&t, "trace_bytes", (double)c->trace_len);
	note_number(&t, "seconds", c->earlier + um_clock() - c->started);
	note_number(&t, "nfe", um_cell_calls(c));
	note_number(&t, "peak_mb", um_cell_peak_mb(c));
	note_number(&t, "measurement", (double)measurement);
	UM_TRY(um_results_store(&c->results, &t));
	UM_TRY(um_cell_write_trace(c));
	UM_TRY(um_checkpoint_write(c->folder, &t));
	c->kept = c->results.n;
	c->written = um_clock();
out:
	um_tensors_free(&t);
	return st;
}

static um_status checkpoint(void *state, int n, const char *const names[], const um_array *const arrays[])
{
	um_cell_out *c = state;
	return save(c, c->measurement, n, names, arrays);
}

static um_status tensor(void *state, const char *name, const um_array *a)
{
	um_cell_out *c = state;
	const um_array rows = um_array_view(NULL, a->dtype, a->rank, a->dim);
	for (int k = 0; k < a->rank; k++)
		if (a->stride[k] != rows.stride[k] && a->dim[k] > 1)
			return um_fail(UM_EPLUGIN, "the tensor %s is not contiguous", name);
	for (int64_t i = 0; a->dtype != UM_I64 && i < um_array_len(a); i++)
		if (!isfinite(a->dtype == UM_F32 ? (double)((const float *)a->data)[i] : ((const double *)a->data)[i]))
			return um_fail(UM_ENUM, "the fit gave a number that is not finite, in %s", name);
	return um_tensors_add(&c->weights, name, a);
}

static um_status note(void *state, const char *key, const char *value)
{
	um_cell_out *c = state;
	um_tensors_note(&c->weights, key, value);
	return UM_OK;
}

/* The trace as long as it was when the checkpoint was written. */
static um_status restore_trace(um_cell_out *c, const um_tensors *t)
{
	const size_t want = (size_t)um_checkpoint_number(t, "trace_bytes");
	if (want == 0 || c->trace != NULL)
		return UM_OK;
	char *path = um_format("%s/trace.csv", c->folder);
	um_status st = um_file_get(path, &c->trace, NULL);
	if (st == UM_OK) {
		c->trace[want] = '\0';
		c->trace_len = want;
		c->restored = true;
	}
	free(path);
	return st;
}

/* The checkpoint that there is; of a damaged one the user hears. */
static bool last_checkpoint(const um_cell_out *c, um_tensors *t)
{
	char *complaint = NULL;
	const bool found = c->resume && um_checkpoint_read(c->folder, t, &complaint);
	if (complaint != NULL) {
		um_log(UM_INFO, "%s", complaint);
		snprintf(c->page->note, sizeof(c->page->note), "%s", complaint);
	}
	free(complaint);
	return found;
}

static um_status restore(void *state, int n, const char *const names[], um_array *const arrays[], bool *found)
{
	um_cell_out *c = state;
	um_status st = UM_OK;
	um_tensors t = { 0 };
	*found = last_checkpoint(c, &t) && um_checkpoint_number(&t, "measurement") == (double)c->measurement;
	for (int i = 0; *found && i < n; i++) {
		const um_array *a = um_tensors_get(&t, names[i]);
		if (a == NULL || a->dtype != arrays[i]->dtype || um_array_len(a) != um_array_len(arrays[i]))
			UM_TRY(um_fail(UM_EDATA, "%s: the checkpoint's %s has another shape than this pipeline makes; start in a "
				"new folder", c->folder, names[i]));
		UM_TRY(um_array_copy(arrays[i], a));
	}
	if (*found) {
		c->earlier = um_checkpoint_number(&t, "seconds");
		c->earlier_calls = um_checkpoint_number(&t, "nfe");
		c->earlier_mb = um_checkpoint_number(&t, "peak_mb");
		UM_TRY(restore_trace(c, &t));
	}
out:
	um_tensors_free(&t);
	return st;
}

/* ---- several measurements -------------------------------------------------------------------- */

um_status um_cell_resume(um_cell_out *c)
{
	um_status st = UM_OK;
	um_tensors t = { 0 };
	if (!many(c) || !c->resume)
		return UM_OK;
	c->resume = last_checkpoint(c, &t);
	UM_TRY(um_results_restore(&c->results, &t));
	if (c->results.n > 0) {
		c->earlier_mb = um_checkpoint_number(&t, "peak_mb");
		UM_TRY(restore_trace(c, &t));
	}
	c->kept = c->results.n;
out:
	um_tensors_free(&t);
	return st;
}

void um_cell_turn(um_cell_out *c, int64_t k)
{
	c->resume = c->resume && c->started == 0; /* a checkpoint is of the first that is not finished */
	c->measurement = k;
	c->earlier = c->earlier_calls = 0;
	c->calls_before = c->problem != NULL ? um_problem_calls(c->problem) : 0;
	um_evidence_free(&c->evidence);
	um_array_free(&c->samples);
}

um_status um_cell_keep(um_cell_out *c)
{
	return c->results.n > c->kept ? save(c, -1, 0, NULL, NULL) : UM_OK;
}

double um_cell_earlier(const um_cell_out *c)
{
	um_tensors t = { 0 };
	const double seconds = last_checkpoint(c, &t) ? um_checkpoint_number(&t, "seconds") : 0;
	um_tensors_free(&t);
	return seconds;
}

/* Where the figure of this name goes, as a file that ends so. */
static um_status figure_path(const um_cell_out *c, const char *name, const char *end, char **path)
{
	if (strchr(name, '/') != NULL || name[0] == '.')
		return um_fail(UM_EPLUGIN, "'%s' is not a plain file name", name);
	char *dir = um_format("%s/figures", c->folder);
	um_status st = um_file_mkdirs(dir);
	if (st == UM_OK)
		*path = um_format("%s/%s%s", dir, name, end);
	free(dir);
	return st;
}

/* Figures are of the first measurement. */
static bool pictured(const um_cell_out *c)
{
	return c->measurement == 0;
}

static um_status plot(void *state, const um_plot *p)
{
	char *path = NULL, *numbers = NULL;
	um_status st = UM_OK;
	if (!pictured(state))
		return UM_OK;
	UM_TRY(figure_path(state, p->name, ".png", &path));
	UM_TRY(figure_path(state, p->name, ".json", &numbers));
	UM_TRY(um_plot_write(path, p));
	UM_TRY(um_plot_numbers(numbers, p));
out:
	free(path);
	free(numbers);
	return st;
}

static um_status picture(void *state, const um_picture *p)
{
	char *path = NULL;
	const um_panel panel = { .data = p->data, .rows = p->rows, .columns = p->columns };
	const um_scale scale = { .map = UM_AFMHOT, .label = p->unit };
	const um_figure f = { .title = p->title, .panels = &panel, .npanels = 1, .scales = &scale,
		.nscales = 1, .smooth = p->pixel > 0, .pixel = p->pixel };
	if (!pictured(state))
		return UM_OK;
	um_status st = figure_path(state, p->name, ".png", &path);
	if (st == UM_OK)
		st = um_figure_write(path, &f);
	free(path);
	return st;
}

static um_status images(void *state, const char *name, const char *title, const um_array *x)
{
	const um_cell_out *c = state;
	char *path = NULL;
	if (!pictured(c))
		return UM_OK;
	um_status st = figure_path(c, name, ".png", &path);
	if (st == UM_OK)
		st = um_figure_gallery(path, title, x, NULL, c->plan->env.pixel, c->plan->env.mesh);
	free(path);
	return st;
}

um_sink um_cell_sink(um_cell_out *c)
{
	static const um_sink_ops ops = { .progress = progress, .samples = samples, .metric = metric,
		.trace = trace, .file = file, .checkpoint = checkpoint, .restore = restore, .plot = plot,
		.picture = picture, .tensor = tensor, .note = note, .images = images };
	c->every = save_every();
	return (um_sink){ &ops, c };
}

void um_cell_free(um_cell_out *c)
{
	um_results_free(&c->results);
	um_array_free(&c->samples);
	um_evidence_free(&c->evidence);
	um_tensors_free(&c->weights);
	free(c->trace);
	free(c->folder);
}
