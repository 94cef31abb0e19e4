/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Denoising score matching. With u = (x - lo) / unit of a training image, u_t = alpha u + sigma z and the noise N that
 * the net sees in it, the loss is the mean over images, pixels and times of
 *   w(t) |N(u_t, t) - z|^2,
 * where w = 1, or g^2 / sigma^2 for the likelihood, over the density that t was drawn with. Times of a batch come from
 * equal shares of their law. The result is the moving average of the weights. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <umbra/optim.h>
#include "base/clock.h"
#include "base/mem.h"
#include "base/parallel.h"
#include "host/scorenet.h"

enum { MOMENTS = 4096, HELD = 512, SHEET = 16, SHEET_STEPS = 100 };
enum { STREAM_TIMES = 0x74696d65, STREAM_NOISE, STREAM_HELD, STREAM_SHEET };
/* LOSS is the sum over MANY steps since the last look; UNIT and LO are those of the net. */
enum { STEP, LOSS, MANY, LO, UNIT, COUNTS };

typedef struct lesson {
	um_scorenet *net;      /* its weights are the average */
	um_dataset *data;
	const um_dataset_info *about;
	um_sink *sink;
	um_graph *graph, *graph_held;
	um_program *program, *program_held; /* loss, gradients; loss of the average */
	um_weights *w;
	um_adam adam;
	um_array x, grad, count, now, average; /* images; gradient; [COUNTS] double; weights, twice */
} lesson;

static double *at(lesson *t, int i)
{
	return (double *)t->count.data + i;
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

static um_status compile_loss(lesson *t)
{
	um_status st = UM_OK;
	um_scorenet *net = t->net;
	const um_schedule schedule = net->dense ? UM_PER_BATCH : UM_PER_IMAGE;
	const um_compile_options how = { schedule, net->fast, t->about->threads, t->w };
	const um_compile_options held = { schedule, net->fast, t->about->threads, net->w };
	um_node **all = um_new(sizeof(*all) * ((size_t)t->w->n + 1)), *loss;
	t->graph = um_graph_new(net->set->batch);
	t->graph_held = um_graph_new(net->set->batch);
	if (t->graph == NULL || t->graph_held == NULL)
		UM_TRY(um_fail(UM_ENOMEM, "no memory for a network"));
	all[0] = loss_of(net, t->graph, true);
	UM_TRY(um_graph_status(t->graph));
	UM_TRY(um_weights_grad(t->w, all[0], all + 1));
	UM_TRY(um_compile(t->w->n + 1, all, &how, &t->program));
	loss = loss_of(net, t->graph_held, false);
	UM_TRY(um_compile(1, &loss, &held, &t->program_held));
	for (int i = 0; i < t->w->n; i++)
		um_program_output_to(t->program, i + 1,
			(float *)t->grad.data + ((float *)t->w->array[i].data - t->w->data));
out:
	free(all);
	return st;
}

static um_status lesson_new(lesson *t)
{
	um_status st = UM_OK;
	const um_scorenet *net = t->net;
	const um_diffusion *d = net->set;
	const int64_t *s = net->shape, counts = COUNTS;
	UM_TRY(um_array_new(&t->x, UM_F32, 6, (const int64_t[]){ d->batch, s[0], s[1], s[2], s[3], s[4] }));
	UM_TRY(um_array_new(&t->grad, UM_F32, 1, &t->w->len));
	UM_TRY(um_array_new(&t->count, UM_F64, 1, &counts));
	UM_TRY(um_adam_new_f(&t->adam, t->w->len, d->rate));
	UM_TRY(compile_loss(t));
	t->now = um_array_view(t->w->data, UM_F32, 1, &t->w->len);
	t->average = um_array_view(net->w->data, UM_F32, 1, &t->w->len);
	t->adam.warmup = d->warmup;
	t->adam.clip = d->clip;
	t->adam.decay = d->decay < 1 ? UM_DECAY_COSINE : UM_DECAY_NONE;
	t->adam.span = d->train_steps;
	t->adam.floor = d->decay;
out:
	return st;
}

static void lesson_free(lesson *t)
{
	um_array_free(&t->x);
	um_array_free(&t->grad);
	um_array_free(&t->count);
	um_adam_free(&t->adam);
	um_program_free(t->program);
	um_program_free(t->program_held);
	um_weights_free(t->w);
	um_graph_free(t->graph);
	um_graph_free(t->graph_held);
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

static const char *const saved[] = { "weights", "average", "moments", "counts" };
enum { SAVED = sizeof(saved) / sizeof(*saved) };

static um_status checkpoint(lesson *t)
{
	const um_array *const arrays[] = { &t->now, &t->average, &t->adam.moments, &t->count };
	return um_sink_checkpoint(t->sink, SAVED, saved, arrays);
}

static um_status restore(lesson *t, bool *found)
{
	um_array *const arrays[] = { &t->now, &t->average, &t->adam.moments, &t->count };
	return um_sink_restore(t->sink, SAVED, saved, arrays, found);
}

static um_status learn(lesson *t)
{
	um_status st = UM_OK;
	um_scorenet *net = t->net;
	const int64_t batch = net->set->batch, step = (int64_t)*at(t, STEP);
	um_rng rng = um_rng_at(t->about->rng, STREAM_TIMES, (uint64_t)step);
	UM_TRY(um_dataset_batch(t->data, step, batch, &t->x));
	put_noisy(t, t->program, &t->x, um_uniform(&rng), STREAM_NOISE, step * batch);
	UM_TRY(um_program_run(t->program, (uint64_t)step));
	*at(t, LOSS) += (double)*(float *)um_program_output(t->program, 0).data;
	++*at(t, MANY);
	um_adam_step_f(&t->adam, t->w->data, t->grad.data);
	um_weights_touch(t->w);
	um_weights_average(net->w, t->w, fmin(net->set->average, (double)(step + 1) / (double)(step + 10)));
	um_weights_touch(net->w);
	++*at(t, STEP);
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
		put_noisy(t, t->program_held, &t->x, ((double)i + 0.5) / (double)(turns * batch), STREAM_HELD, i * batch);
		UM_TRY(um_program_run(t->program_held, 0));
		*loss += (double)*(float *)um_program_output(t->program_held, 0).data / (double)turns;
	}
out:
	return st;
}

static um_status look(lesson *t, double *held)
{
	static const char *const names[] = { "loss", "held_out_loss" };
	um_status st = UM_OK;
	UM_TRY(held_out_loss(t, held));
	const double row[] = { *at(t, MANY) > 0 ? *at(t, LOSS) / *at(t, MANY) : *held, *held };
	if (!isfinite(row[0]) || !isfinite(*held))
		UM_TRY(um_fail(UM_ENUM, "the training diverged at step %.0f; a smaller rate or clip may help", *at(t, STEP)));
	UM_TRY(um_sink_trace(t->sink, (int64_t)*at(t, STEP), 2, names, row));
	*at(t, LOSS) = *at(t, MANY) = 0;
out:
	return st;
}

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

static um_status train(lesson *t, double *held)
{
	um_status st = UM_OK;
	const um_diffusion *d = t->net->set;
	const double begun = um_clock(), budget = t->about->seconds;
	const int64_t first = (int64_t)*at(t, STEP);
	while ((int64_t)*at(t, STEP) < d->train_steps) {
		if (budget > 0 && um_clock() - begun > budget)
			break;
		UM_TRY(learn(t));
		const int64_t step = (int64_t)*at(t, STEP);
		const double loss = *at(t, LOSS) / *at(t, MANY);
		if (step % d->check == 0)
			UM_TRY(look(t, held));
		if (d->sheet > 0 && step % d->sheet == 0 && step < d->train_steps)
			UM_TRY(sheet(t));
		const um_answer answer = um_sink_progress(t->sink, step, d->train_steps, loss);
		if (answer != UM_GO)
			UM_TRY(checkpoint(t));
		if (answer == UM_STOP)
			UM_TRY(um_fail(UM_EINTR, "stopped after step %lld of the training", (long long)step));
	}
	if ((int64_t)*at(t, STEP) < d->train_steps)
		UM_TRY(checkpoint(t));
	const double took = um_clock() - begun, steps = *at(t, STEP) - (double)first;
	if (steps > 0)
		UM_TRY(um_sink_metric(t->sink, "images_per_second", steps * (double)d->batch / took));
	if (*at(t, MANY) > 0 || isnan(*held))
		UM_TRY(look(t, held));
out:
	return st;
}

/* ---- the whole ----------------------------------------------------------------------------------------- */

static um_status save(lesson *t, double held)
{
	um_status st = UM_OK;
	const char *const keys[] = { "steps", "batch", t->about->held > 0 ? "held_out_loss" : "loss" };
	const double values[] = { *at(t, STEP), (double)t->net->set->batch, held };
	UM_TRY(scorenet_note(t->net, t->sink));
	for (int i = 0; i < 3; i++) {
		char *text = um_format("%.6g", values[i]);
		st = um_sink_note(t->sink, keys[i], text);
		free(text);
		UM_TRY(st);
	}
	UM_TRY(um_sink_note(t->sink, "loss_law", t->net->set->law));
	UM_TRY(um_sink_note(t->sink, "loss_weighting", t->net->set->weighting));
	UM_TRY(um_sink_metric(t->sink, "steps", values[0]));
	UM_TRY(um_sink_metric(t->sink, keys[2], held));
	UM_TRY(um_weights_sink(t->net->w, t->sink));
out:
	return st;
}

um_status um_scorenet_fit(um_scorenet *net, um_dataset *data, um_sink *sink)
{
	um_status st = UM_OK;
	lesson t = { .net = net, .data = data, .about = um_dataset_about(data), .sink = sink };
	bool found;
	double held = NAN;
	if (net == NULL)
		return um_fail(UM_EPARAM, "score: a prior is named, whose score needs no training");
	if (net->set->factor != 1)
		return um_fail(UM_EPARAM, "factor: leave it out in training, which is in the units of x");
	net->least = net->set->least; /* also of a model: it may learn smaller times now */
	if (!(net->least < net->most))
		return um_fail(UM_EPARAM, "least: %g is not below the last time, %g", net->least, net->most);
	if (net->w == NULL)
		UM_TRY(scorenet_weights(net, t.about->rng, 0, &net->w));
	if ((t.w = um_weights_copy(net->w)) == NULL)
		UM_TRY(um_fail(UM_ENOMEM, "no memory for a network"));
	UM_TRY(lesson_new(&t));
	UM_TRY(restore(&t, &found));
	if (found) {
		net->lo = *at(&t, LO);
		net->unit = *at(&t, UNIT);
	} else if (!(net->unit > 0))
		UM_TRY(measure_range(&t));
	*at(&t, LO) = net->lo;
	*at(&t, UNIT) = net->unit;
	t.adam.step = (int64_t)*at(&t, STEP);
	um_weights_touch(t.w);
	um_weights_touch(net->w);
	UM_TRY(train(&t, &held));
	UM_TRY(save(&t, held));
out:
	lesson_free(&t);
	return st;
}
