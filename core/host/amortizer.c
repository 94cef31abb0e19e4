/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The law and its weight file. */
#include <cblas.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <umbra/layers.h>
#include "base/mem.h"
#include "host/amortizer.h"
#include "host/law.h"

static const double SLOPE = 0.01; /* of the leaky ReLU of the embedding, as in couplings */

void um_amortized_close(um_amortizer *a)
{
	if (a == NULL)
		return;
	um_program_free(a->draw);
	um_graph_free(a->graph);
	um_weights_free(a->w);
	um_condition_free(&a->cond);
	um_array_free(&a->affine);
	um_array_free(&a->slope);
	um_array_free(&a->axes);
	um_array_free(&a->alarm);
	um_tensors_free(&a->file);
	free(a->work);
	free(a);
}

/* ---- the network ------------------------------------------------------------------------ */

/* Two convolutions of planes [k][rows][columns], also as one vector. */
static um_node *embed_planes(const um_amortizer *a, um_node *c)
{
	static const int last[] = { 1, 2, 0 }, first[] = { 2, 0, 1 };
	const int64_t rows = a->spec.rows, columns = a->spec.columns, wide = a->set.embedding;
	const int64_t planes[3] = { um_condition_width(&a->cond) / (rows * columns), rows, columns };
	const int64_t all = wide * rows * columns;
	um_node *h = um_nn_permute(um_nn_reshape(c, 3, planes), last);
	h = um_layer_conv(um_nn_leaky_relu(um_layer_conv(h, "embed.0", wide, 3, 1, 2), SLOPE), "embed.1", wide, 3, 1, 1);
	return um_nn_reshape(um_nn_permute(h, first), 1, &all);
}

um_node *um_amortizer_condition(const um_amortizer *a, um_graph *g)
{
	const int64_t width = um_condition_width(&a->cond), wide = a->set.embedding;
	um_node *c = um_nn_input(g, "c", 1, &width, true);
	if (wide == 0)
		return c;
	if (a->cond.planes)
		return embed_planes(a, c);
	return um_layer_dense(um_nn_leaky_relu(um_layer_dense(c, "embed.0", wide, 2), SLOPE), "embed.1", wide, 1);
}

static um_flow_nodes sample(const um_amortizer *a, um_graph *g)
{
	um_node *z = um_nn_input(g, "z", 1, &a->n, true);
	return um_flow_sample(g, &a->spec, "flow", false, z, um_amortizer_condition(a, g));
}

um_status um_amortizer_weights(um_amortizer *a, const um_rng *rng, const um_tensors *t)
{
	um_status st = UM_OK;
	um_graph *g = um_graph_new(1);
	if (g == NULL)
		UM_TRY(um_fail(UM_ENOMEM, "no memory for a network"));
	sample(a, g);
	UM_TRY(t != NULL ? um_weights_read(g, t, &a->w) : um_weights_new(g, rng, &a->w));
out:
	um_graph_free(g);
	return st;
}

um_status um_amortizer_ready(um_amortizer *a)
{
	um_status st = UM_OK;
	const um_compile_options how = { UM_PER_BATCH, UM_FLOAT32, a->threads, a->w };
	if ((a->graph = um_graph_new(UM_AMORTIZER_ROWS)) == NULL)
		UM_TRY(um_fail(UM_ENOMEM, "no memory for a network"));
	const um_flow_nodes f = sample(a, a->graph);
	um_node *out[2] = { f.out, f.logdet };
	UM_TRY(um_compile(2, out, &how, &a->draw));
out:
	return st;
}

/* ---- coordinates ------------------------------------------------------------------------ */

um_status um_amortizer_coordinates(um_amortizer *a)
{
	um_status st = UM_OK;
	const int64_t n = a->regression ? a->n : 1, nc = a->regression ? a->cond.nc : 1;
	UM_TRY(um_array_new(&a->slope, UM_F32, 2, (const int64_t[]){ n, nc }));
	UM_TRY(um_array_new(&a->axes, UM_F32, 2, (const int64_t[]){ n, n }));
out:
	return st;
}

void um_amortizer_changed(um_amortizer *a)
{
	a->log_d = 0;
	for (int64_t i = 0; i < a->n; i++)
		a->log_d += log(um_row_d(&a->affine, 1)[i]) + (a->regression ? log(um_row_f(&a->axes, i)[i]) : 0);
}

/* Room for rows of n numbers, which hold x. */
static float *work(um_amortizer *a, int64_t rows, const float *x)
{
	if (a->room < rows) {
		a->work = um_grow(a->work, sizeof(*a->work) * (size_t)(rows * a->n));
		a->room = rows;
	}
	memcpy(a->work, x, sizeof(*a->work) * (size_t)(rows * a->n));
	return a->work;
}

void um_amortizer_place(um_amortizer *a, int64_t rows, const double *z, const float *x, const float *logdet, const float *w,
	um_array *u, double *logq)
{
	const double *c = um_row_d(&a->affine, 0), *d = um_row_d(&a->affine, 1);
	const int n = (int)a->n, nc = (int)a->cond.nc;
	if (a->regression) { /* x T^T + w B^T */
		float *to = work(a, rows, x);
		cblas_strmm(CblasRowMajor, CblasRight, CblasLower, CblasTrans, CblasNonUnit, (int)rows, n, 1, a->axes.data, n, to, n);
		cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, (int)rows, n, nc, 1, w, nc, a->slope.data, nc, 1, to, n);
		x = to;
	}
	for (int64_t b = 0; b < rows; b++) {
		double square = 0;
		for (int64_t i = 0; i < a->n; i++) {
			um_row_f(u, b)[i] = (float)(c[i] + d[i] * x[b * a->n + i]);
			square += z[b * a->n + i] * z[b * a->n + i];
		}
		logq[b] = -0.5 * (square + (double)a->n * UM_LOG_2PI) - logdet[b] - a->log_d;
	}
}

void um_amortizer_pull(um_amortizer *a, int64_t rows, const float *g, float *v)
{
	const double *d = um_row_d(&a->affine, 1);
	const int n = (int)a->n;
	for (int64_t b = 0; b < rows; b++)
		for (int64_t i = 0; i < a->n; i++)
			v[b * a->n + i] = (float)(g[b * a->n + i] * d[i]);
	if (a->regression)
		cblas_strmm(CblasRowMajor, CblasRight, CblasLower, CblasNoTrans, CblasNonUnit, (int)rows, n, 1, a->axes.data, n, v, n);
}

um_status um_amortizer_draw(um_amortizer *a, int64_t rows, const double *z, const float *c, const float *w, um_array *u,
	double *logq)
{
	um_status st = UM_OK;
	const int64_t width = um_condition_width(&a->cond);
	float *to = um_program_input(a->draw, "z").data, *told = um_program_input(a->draw, "c").data;
	for (int64_t i = 0; i < UM_AMORTIZER_ROWS * a->n; i++)
		to[i] = i < rows * a->n ? (float)z[i] : 0;
	memset(told, 0, sizeof(float) * (size_t)(UM_AMORTIZER_ROWS * width));
	memcpy(told, c, sizeof(float) * (size_t)(rows * width));
	UM_TRY(um_program_run(a->draw, 0));
	um_amortizer_place(a, rows, z, um_program_output(a->draw, 0).data, um_program_output(a->draw, 1).data, w, u, logq);
out:
	return st;
}

um_status um_amortizer_chi2(um_problem *p, const um_array *u, double *chi2)
{
	um_status st = UM_OK;
	const int64_t rows = u->dim[0], ny = um_problem_about(p)->ny;
	const bool shared = um_problem_about(p)->train == 0 && um_problem_about(p)->held == 0;
	um_array x = { 0 }, f = { 0 };
	UM_TRY(um_problem_images(p, rows, &x));
	UM_TRY(um_array_new(&f, UM_F64, 2, (const int64_t[]){ rows, ny }));
	UM_TRY(um_problem_image(p, u, &x));
	UM_TRY(um_problem_apply(p, &x, NULL, &f, NULL));
	for (int64_t b = 0; b < rows; b++) {
		const double *y = um_problem_y(p) + (shared ? 0 : b * ny), *sigma = um_problem_sigma(p) + (shared ? 0 : b * ny);
		chi2[b] = 0;
		for (int64_t i = 0; i < ny; i++)
			chi2[b] += pow((y[i] - um_row_d(&f, b)[i]) / sigma[i], 2) / (double)ny;
	}
out:
	um_array_free(&x);
	um_array_free(&f);
	return st;
}

/* ---- weight files ------------------------------------------------------------------------- */

static um_status find(const um_tensors *t, const char *name, int64_t len, const um_array **a)
{
	*a = um_tensors_get(t, name);
	if (*a == NULL || (*a)->dtype == UM_I64 || um_array_len(*a) != len)
		return um_fail(UM_EDATA, "no tensor '%s' of %lld numbers", name, (long long)len);
	return UM_OK;
}

static um_status fetch(const um_tensors *t, const char *name, um_array *out)
{
	const um_array *a;
	const um_status st = find(t, name, um_array_len(out), &a);
	return st == UM_OK ? um_array_copy(out, a) : st;
}

static um_status embedding_of(const um_tensors *t, int64_t *value)
{
	const char *text = um_tensors_meta(t, "embedding");
	char *end;
	if (text == NULL)
		return um_fail(UM_EDATA, "no weights of an amortized law: metadata has no embedding");
	*value = strtoll(text, &end, 10);
	if (end == text || *end != '\0' || *value < 0 || *value > UM_AMORTIZER_EMBEDDING)
		return um_fail(UM_EDATA, "metadata embedding = \"%.40s\" is not a whole number in 0 .. %d", text,
			UM_AMORTIZER_EMBEDDING);
	return UM_OK;
}

static um_status take(um_amortizer *a)
{
	um_status st = UM_OK;
	const um_tensors *t = &a->file;
	const um_array *slope, *axes;
	UM_TRY(um_flow_read(&a->spec, t));
	if (a->spec.rows * a->spec.columns * a->spec.channels != a->n || a->spec.columns != a->shape[4] || a->spec.rows != a->shape[3])
		UM_TRY(um_fail(UM_EDATA, "the model is of images of %lld x %lld pixels with %lld channels, not %lld x %lld with "
			"%lld as here; train another", (long long)a->spec.columns, (long long)a->spec.rows,
			(long long)a->spec.channels, (long long)a->shape[4], (long long)a->shape[3],
			(long long)(a->shape[0] * a->shape[1] * a->shape[2])));
	UM_TRY(um_condition_read(t, a->shape, &a->cond));
	UM_TRY(embedding_of(t, &a->set.embedding));
	UM_TRY(fetch(t, "affine", &a->affine));
	UM_TRY(fetch(t, "alarm", &a->alarm));
	a->regression = um_tensors_get(t, "slope") != NULL;
	if (a->regression) {
		UM_TRY(find(t, "slope", a->n * a->cond.nc, &slope));
		UM_TRY(find(t, "axes", a->n * a->n, &axes));
	}
	UM_TRY(um_amortizer_coordinates(a));
	if (a->regression) {
		UM_TRY(um_array_copy(&a->slope, slope));
		UM_TRY(um_array_copy(&a->axes, axes));
	}
	UM_TRY(um_amortizer_weights(a, NULL, t));
	um_amortizer_changed(a);
	if (!isfinite(a->log_d))
		UM_TRY(um_fail(UM_EDATA, "the tensors affine and axes are no coordinates: a width in them is not positive"));
	UM_TRY(um_amortizer_ready(a));
out:
	return st;
}

static um_status load(um_amortizer *a, const char *path)
{
	um_status st = UM_OK;
	UM_TRY(um_tensors_read(path, &a->file)); /* its message names the file */
	st = take(a);
	if (st != UM_OK)
		st = um_context(st == UM_EPARAM ? UM_EDATA : st, "%s", path);
out:
	return st;
}

um_status um_amortizer_save(um_amortizer *a, um_sink *sink)
{
	um_status st = UM_OK;
	char embedding[32];
	snprintf(embedding, sizeof(embedding), "%" PRId64, a->set.embedding);
	UM_TRY(um_flow_note(&a->spec, sink));
	UM_TRY(um_sink_note(sink, "embedding", embedding));
	UM_TRY(um_sink_tensor(sink, "affine", &a->affine));
	if (a->regression) {
		UM_TRY(um_sink_tensor(sink, "slope", &a->slope));
		UM_TRY(um_sink_tensor(sink, "axes", &a->axes));
	}
	UM_TRY(um_sink_tensor(sink, "alarm", &a->alarm));
	UM_TRY(um_condition_save(&a->cond, sink));
	UM_TRY(um_weights_sink(a->w, sink));
out:
	return st;
}

/* Settings that are 0 or negative by the size: few numbers can have several modes, which takes several draws of a
 * measurement to weigh. */
static void fill(um_amortized *set, int64_t n)
{
	if (set->draws == 0)
		set->draws = n <= 8 ? 16 : 1;
	if (set->balance < 0)
		set->balance = n <= 8 ? 8 : 0;
}

bool um_amortized_restores(const um_amortizer *a)
{
	return a->w != NULL ? a->cond.summary == UM_SUMMARY_RESTORED : strcmp(a->set.summary, "restored") == 0;
}

um_status um_amortized_open(const um_amortized *set, const um_env *env, um_amortizer **out)
{
	um_status st = UM_OK;
	const int64_t *s = env->shape, limits = UM_ALARMS;
	um_amortizer *a = um_new(sizeof(*a));
	a->set = *set;
	a->threads = env->threads;
	memcpy(a->shape, s, sizeof(a->shape));
	a->n = s[0] * s[1] * s[2] * s[3] * s[4];
	fill(&a->set, a->n);
	a->spec = (um_flow_spec){ set->couplings_of[0] == 'i', s[3], s[4], s[0] * s[1] * s[2], set->couplings, set->hidden,
		set->depth, false, set->bound, env->seed };
	um_flow_spec filled = a->spec;
	UM_TRY(um_flow_check(&filled));
	if (a->set.draws < 2 && a->set.balance > 0)
		UM_TRY(um_fail(UM_EPARAM, "balance: importance weights compare draws of one measurement; set draws to more than 1"));
	UM_TRY(um_array_new(&a->affine, UM_F64, 2, (const int64_t[]){ 2, a->n }));
	UM_TRY(um_array_new(&a->alarm, UM_F64, 1, &limits));
	if (*set->model != '\0')
		UM_TRY(load(a, set->model));
	*out = a;
	a = NULL;
out:
	um_amortized_close(a);
	return st;
}
