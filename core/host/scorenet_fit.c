/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Denoising score matching. With u = (x - lo) / unit of a training image, u_t = alpha u + sigma z and the noise N that
 * the net sees in it, the loss is the mean over images, pixels and times of
 *   w(t) |N(u_t, t) - z|^2,
 * where w = 1, or g^2 / sigma^2 for the likelihood, over the density that t was drawn with. Times of a batch come from
 * equal shares of their law. The result is the moving average of the weights. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <umbra/training.h>
#include "base/mem.h"
#include "base/parallel.h"
#include "host/scorenet.h"

enum { MOMENTS = 4096, HELD = 512, SHEET = 16, SHEET_STEPS = 100 };
enum { STREAM_TIMES = 0x74696d65, STREAM_NOISE, STREAM_HELD, STREAM_SHEET };
/* Beside the weights: the range of the net, the held-out loss of the last look. */
enum { LO, UNIT, HELD_LOSS, LOSS, RANGE };

typedef struct lesson {
	um_scorenet *net;      /* its weights are the average */
	um_dataset *data;
	const um_dataset_info *about;
	um_sink *sink;
	um_training training;
	um_graph *graph;       /* of the loss of the average */
	um_program *held;
	um_array x, range;     /* images; [RANGE] double */
} lesson;

static double *at(lesson *t, int i)
{
	return (double *)t->range.data + i;
}

/* ---- noise ------------------------------------------------------------------------------ */

/* The time at fraction u of its law, and the weight of its loss. Weights are about 1: those of the likelihood
 * are divided by their integral. */
static double draw_time(const um_scorenet *net, double u, double *weight)
{
	const um_sde *s = &net->sde;
	const double from = net->least, to = net->most;
	const bool importance = net->set->law[0] == 'i', likelihood = net->set->weighting[0] == 'l';
	const double t = importance ? um_sde_draw(s, from, to, u) : from + u * (to - from), sigma = um_sde_sigma(s, t);
	const double density = um_sde_diffusion2(s, t) / (sigma * sigma * um_sde_importance(s, from, to));
	*weight = importance == likelihood ? 1 : importance ? 1 / (density * (to - from)) : density * (to - from);
	return t;
}

/* Noisy images at fractions u (of image 0; image b is b / batch further) as inputs of p; the stream of image b
 * is (stream, first + b). */
static void put_noisy(const lesson *t, um_program *p, const um_array *x, double u, uint64_t stream, int64_t first)
{
	const um_scorenet *net = t->net;
	const int64_t n = net->n, batch = x->dim[0];
	float *y = um_program_input(p, "y").data, *z = um_program_input(p, "z").data;
	float *label = um_program_input(p, "t").data, *weight = um_program_input(p, "weight").data;
	const int lanes = net->threads;
	(void)lanes;
	PARALLEL
	for (int64_t b = 0; b < batch; b++) {
		um_rng rng = um_rng_at(t->about->rng, stream, (uint64_t)(first + b));
		double w;
		const double share = u + (double)b / (double)batch, time = draw_time(net, share - floor(share), &w);
		const double a = um_sde_alpha(&net->sde, time), s = um_sde_sigma(&net->sde, time);
		const double in = scorenet_factor(&net->sde, time);
		const float *row = um_row_f(x, b);
		for (int64_t i = 0; i < n; i++) {
			const double noise = um_normal(&rng), clean = ((double)row[i] - net->lo) / net->unit;
			z[b * n + i] = (float)noise;
			y[b * n + i] = (float)(in * (a * clean + s * noise) - 1);
		}
		label[b] = (float)(999 * time);
		weight[b] = (float)w;
	}
}

/* ---- programs ---------------------------------------------------------------------------------- */

static um_node *loss_of(const um_scorenet *net, um_graph *g, bool training)
{
	um_node *y = um_nn_input(g, "y", 1, &net->n, true), *z = um_nn_input(g, "z", 1, &net->n, true);
	um_node *noise = scorenet_node(net, training, y, um_nn_input(g, "t", 0, NULL, true));
	um_node *square = um_nn_mean(um_nn_square(um_nn_sub(noise, z)), UM_NN_ALL);
	return um_nn_batch_mean(um_nn_mul(square, um_nn_input(g, "weight", 0, NULL, true)));
}

static um_node *training_loss(void *self, um_graph *g)
{
	return loss_of(((lesson *)self)->net, g, true);
}

static um_status compile_held(lesson *t)
{
	um_status st = UM_OK;
	um_compile_options how = t->training.how;
	how.weights = t->net->w;
	if ((t->graph = um_graph_new(t->net->set->batch)) == NULL)
		UM_TRY(um_fail(UM_ENOMEM, "no memory for a network"));
	um_node *loss = loss_of(t->net, t->graph, false);
	UM_TRY(um_compile(1, &loss, &how, &t->held));
out:
	return st;
}

/* ---- data ------------------------------------------------------------------------------------------ */

/* What is 0 and 1 to the net, where nobody said it: two standard deviations of all pixels to both sides of
 * their mean. */
static um_status measure_range(lesson *t)
{
	um_status st = UM_OK;
	um_scorenet *net = t->net;
	const int64_t batch = t->x.dim[0];
	const int64_t rows = t->about->train > 0 && t->about->train < MOMENTS ? t->about->train : MOMENTS;
	double sum = 0, square = 0;
	for (int64_t first = 0, count; first < rows; first += count) {
		count = rows - first < batch ? rows - first : batch;
		um_array x = um_array_rows(&t->x, 0, count);
		UM_TRY(um_dataset_rows(t->data, false, first, count, &x));
		for (int64_t i = 0; i < count * net->n; i++) {
			const double v = ((const float *)x.data)[i];
			sum += v;
			square += v * v;
		}
	}
	const double many = (double)(rows * net->n), mean = sum / many;
	const double sd = sqrt(fmax(0, square / many - mean * mean));
	if (!(sd > 0))
		UM_TRY(um_fail(UM_EDATA, "%s: all pixels are equal", t->about->source));
	net->lo = mean - 2 * sd;
	net->unit = 4 * sd;
out:
	return st;
}

/* ---- steps ------------------------------------------------------------------------------------------ */

static um_status sheet(lesson *t)
{
	um_status st = UM_OK;
	um_scorenet *net = t->net;
	const int64_t *s = net->shape;
	um_rng rng[SHEET];
	um_array x = { 0 };
	um_probflow f = { .score = um_scorenet_score_fast, .self = net, .n = net->n, .sde = net->sde, .lo = net->lo,
		.unit = net->unit, .from = fmax(net->least, 1e-3), .to = net->most };
	memcpy(f.shape, s, sizeof(f.shape));
	for (uint64_t i = 0; i < SHEET; i++)
		rng[i] = um_rng_at(t->about->rng, STREAM_SHEET, i);
	UM_TRY(um_array_new(&x, UM_F32, 6, (const int64_t[]){ SHEET, s[0], s[1], s[2], s[3], s[4] }));
	UM_TRY(um_probflow_sample(&f, UM_SAMPLE_SDE, SHEET_STEPS, 0, rng, &x, NULL));
	UM_TRY(um_sink_images(t->sink, "samples", "Samples so far", &x));
out:
	um_array_free(&x);
	return st;
}

static um_status learn(void *self, int64_t step, double *loss)
{
	um_status st = UM_OK;
	lesson *t = self;
	const um_diffusion *d = t->net->set;
	um_program *p = t->training.program;
	um_rng rng = um_rng_at(t->about->rng, STREAM_TIMES, (uint64_t)step);
	if (d->sheet > 0 && step > 0 && step % d->sheet == 0)
		UM_TRY(sheet(t));
	UM_TRY(um_dataset_batch(t->data, step, d->batch, &t->x));
	put_noisy(t, p, &t->x, um_uniform(&rng), STREAM_NOISE, step * d->batch);
	UM_TRY(um_program_run(p, (uint64_t)step));
	*loss = (double)*(float *)um_program_output(p, 0).data;
out:
	return st;
}

/* Of held-out images (of training images where none are held out) at fixed times and noises. */
static um_status held_out_loss(lesson *t, double *loss)
{
	um_status st = UM_OK;
	const bool held = t->about->held > 0;
	const int64_t batch = t->x.dim[0];
	const int64_t all = held ? t->about->held : t->about->train > 0 ? t->about->train : HELD;
	const int64_t some = all < HELD ? all : HELD, turns = some / batch < 1 ? 1 : some / batch;
	*loss = 0;
	for (int64_t i = 0; i < turns; i++) {
		const int64_t count = all < batch ? all : batch;
		um_array x = um_array_rows(&t->x, 0, count);
		UM_TRY(um_dataset_rows(t->data, held, i * batch, count, &x));
		for (int64_t b = count; b < batch; b++)
			memcpy(um_row_f(&t->x, b), um_row_f(&t->x, b % count), sizeof(float) * (size_t)t->net->n);
		put_noisy(t, t->held, &t->x, ((double)i + 0.5) / (double)(turns * batch), STREAM_HELD, i * batch);
		UM_TRY(um_program_run(t->held, 0));
		*loss += (double)*(float *)um_program_output(t->held, 0).data / (double)turns;
	}
out:
	return st;
}

static um_status look(void *self, int64_t step, double loss, bool *end)
{
	static const char *const names[] = { "loss", "held_out_loss" };
	um_status st = UM_OK;
	lesson *t = self;
	double *held = at(t, HELD_LOSS);
	(void)end;
	UM_TRY(held_out_loss(t, held));
	const double row[] = { isnan(loss) ? *held : loss, *held };
	*at(t, LOSS) = row[0];
	if (!isfinite(*held))
		UM_TRY(um_fail(UM_ENUM, "the training diverged at step %lld; a smaller rate or clip may help", (long long)step));
	UM_TRY(um_sink_trace(t->sink, step, 2, names, row));
out:
	return st;
}

/* ---- the whole ----------------------------------------------------------------------------------------- */

static um_status save(lesson *t)
{
	um_status st = UM_OK;
	const bool held = t->about->held > 0;
	const char *const keys[] = { "steps", "batch", held ? "held_out_loss" : "loss", "loss" };
	const double values[] = { (double)um_training_step(&t->training), (double)t->net->set->batch, *at(t, HELD_LOSS), *at(t, LOSS) };
	UM_TRY(scorenet_note(t->net, t->sink));
	for (int i = 0; i < 3 + held; i++) {
		char *text = um_format("%.6g", values[i]);
		st = um_sink_note(t->sink, keys[i], text);
		free(text);
		UM_TRY(st);
	}
	UM_TRY(um_sink_note(t->sink, "loss_law", t->net->set->law));
	UM_TRY(um_sink_note(t->sink, "loss_weighting", t->net->set->weighting));
	UM_TRY(um_sink_metric(t->sink, keys[2], values[2]));
	UM_TRY(um_weights_sink(t->net->w, t->sink));
out:
	return st;
}

static um_status prepare(um_scorenet *net, const um_dataset_info *about)
{
	if (net == NULL)
		return um_fail(UM_EPARAM, "score: a prior is named, whose score needs no training");
	if (net->set->factor != 1)
		return um_fail(UM_EPARAM, "factor: leave it out in training, which is in the units of x");
	net->least = net->set->least; /* also of a model: it may learn smaller times now */
	if (!(net->least < net->most))
		return um_fail(UM_EPARAM, "least: %g is not below the last time, %g", net->least, net->most);
	return net->w == NULL ? scorenet_weights(net, about->rng, NULL, &net->w) : UM_OK;
}

um_status um_scorenet_fit(um_scorenet *net, um_dataset *data, um_sink *sink)
{
	static const char *const more_names[] = { "range" };
	lesson t = { .net = net, .data = data, .about = um_dataset_about(data), .sink = sink };
	um_array *const more[] = { &t.range };
	const int64_t range = RANGE;
	bool found;
	um_status st = prepare(net, t.about);
	if (st != UM_OK)
		return st;
	const um_diffusion *d = net->set;
	const int64_t *s = net->shape;
	t.training = (um_training){ .self = &t, .sink = sink, .average = net->w, .batch = d->batch, .steps = d->train_steps,
		.check = d->check, .warmup = d->warmup, .rate = d->rate, .decay = d->decay, .clip = d->clip, .averaging = d->average,
		.seconds = t.about->seconds, .loss = training_loss, .learn = learn, .look = look, .more = 1, .more_names = more_names,
		.more_arrays = more, .how = { .schedule = net->dense ? UM_PER_BATCH : UM_PER_IMAGE, .precision = net->fast,
			.threads = t.about->threads } };
	UM_TRY(um_array_new(&t.x, UM_F32, 6, (const int64_t[]){ d->batch, s[0], s[1], s[2], s[3], s[4] }));
	UM_TRY(um_array_new(&t.range, UM_F64, 1, &range));
	UM_TRY(um_training_begin(&t.training, &found));
	UM_TRY(compile_held(&t));
	if (found) {
		net->lo = *at(&t, LO);
		net->unit = *at(&t, UNIT);
	} else if (!(net->unit > 0))
		UM_TRY(measure_range(&t));
	*at(&t, LO) = net->lo;
	*at(&t, UNIT) = net->unit;
	UM_TRY(um_training_run(&t.training));
	UM_TRY(save(&t));
out:
	um_training_free(&t.training);
	um_program_free(t.held);
	um_graph_free(t.graph);
	um_array_free(&t.x);
	um_array_free(&t.range);
	return st;
}
