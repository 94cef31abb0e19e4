/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>
#include <stdlib.h>
#include <umbra/training.h>
#include "base/clock.h"
#include "base/mem.h"

/* SUM is of the loss over MANY steps since the last of LOOKS. */
enum { STEP, SUM, MANY, LOOKS, COUNTS };
enum { OWN = 4, MOST = 12 };

static double *at(const um_training *t, int i)
{
	return (double *)t->count.data + i;
}

int64_t um_training_step(const um_training *t)
{
	return (int64_t)*at(t, STEP);
}

um_array um_training_seen(const um_training *t, int k)
{
	return um_program_output(t->program, t->w->n + 1 + k);
}

/* ---- state ------------------------------------------------------------------------------- */

/* What a checkpoint has; the number of arrays. */
static int state(um_training *t, const char *names[OWN + MOST], um_array *arrays[OWN + MOST])
{
	static const char *const own[OWN] = { "weights", "average", "moments", "counts" };
	um_array *const mine[OWN] = { &t->now, &t->mean, &t->adam.moments, &t->count };
	int n = 0;
	for (; n < OWN; n++) {
		names[n] = own[n];
		arrays[n] = mine[n];
	}
	for (int i = 0; i < t->more; i++, n++) {
		names[n] = t->more_names[i];
		arrays[n] = t->more_arrays[i];
	}
	return n;
}

static um_status checkpoint(um_training *t)
{
	const char *names[OWN + MOST];
	um_array *arrays[OWN + MOST];
	const int n = state(t, names, arrays);
	return um_sink_checkpoint(t->sink, n, names, (const um_array *const *)arrays);
}

static um_status restore(um_training *t, bool *found)
{
	const char *names[OWN + MOST];
	um_array *arrays[OWN + MOST];
	const int n = state(t, names, arrays);
	return um_sink_restore(t->sink, n, names, arrays, found);
}

/* ---- beginning and end -------------------------------------------------------------------- */

static um_status compile(um_training *t)
{
	um_status st = UM_OK;
	um_compile_options how = t->how;
	um_node **all = um_new(sizeof(*all) * ((size_t)t->w->n + 1 + UM_TRAINING_SEEN));
	how.weights = t->w;
	if ((t->graph = um_graph_new(t->batch)) == NULL)
		UM_TRY(um_fail(UM_ENOMEM, "no memory for a network"));
	all[0] = t->loss(t->self, t->graph);
	UM_TRY(um_graph_status(t->graph));
	UM_TRY(um_weights_grad(t->w, all[0], all + 1));
	for (int k = 0; k < t->nseen; k++)
		all[t->w->n + 1 + k] = t->seen[k];
	UM_TRY(um_compile(t->w->n + 1 + t->nseen, all, &how, &t->program));
	for (int i = 0; i < t->w->n; i++)
		um_program_output_to(t->program, i + 1, (float *)t->grad.data + ((float *)t->w->array[i].data - t->w->data));
out:
	free(all);
	return st;
}

um_status um_training_begin(um_training *t, bool *found)
{
	um_status st = UM_OK;
	const int64_t counts = COUNTS;
	if ((t->w = um_weights_copy(t->average)) == NULL)
		UM_TRY(um_fail(UM_ENOMEM, "no memory for a network"));
	UM_TRY(um_array_new(&t->grad, UM_F32, 1, &t->w->len));
	UM_TRY(um_array_new(&t->count, UM_F64, 1, &counts));
	UM_TRY(um_adam_new_f(&t->adam, t->w->len, t->rate));
	UM_TRY(compile(t));
	t->now = um_array_view(t->w->data, UM_F32, 1, &t->w->len);
	t->mean = um_array_view(t->average->data, UM_F32, 1, &t->w->len);
	t->adam.warmup = t->warmup;
	t->adam.clip = t->clip;
	t->adam.decay = t->decay < 1 ? UM_DECAY_COSINE : UM_DECAY_NONE;
	t->adam.span = t->steps;
	t->adam.floor = t->decay;
	UM_TRY(restore(t, found));
	t->adam.step = um_training_step(t);
	um_weights_touch(t->w);
	um_weights_touch(t->average);
out:
	return st;
}

void um_training_free(um_training *t)
{
	um_array_free(&t->grad);
	um_array_free(&t->count);
	um_adam_free(&t->adam);
	um_program_free(t->program);
	um_weights_free(t->w);
	um_graph_free(t->graph);
}

/* ---- steps ----------------------------------------------------------------------------------- */

static um_status learn(um_training *t)
{
	const double step = *at(t, STEP);
	double loss;
	const um_status st = t->learn(t->self, (int64_t)step, &loss);
	if (st != UM_OK)
		return st;
	*at(t, SUM) += loss;
	++*at(t, MANY);
	um_adam_step_f(&t->adam, t->w->data, t->grad.data);
	um_weights_touch(t->w);
	um_weights_average(t->average, t->w, fmin(t->averaging, (step + 1) / (step + 10)));
	um_weights_touch(t->average);
	++*at(t, STEP);
	return UM_OK;
}

static um_status look(um_training *t)
{
	const double loss = *at(t, SUM) / *at(t, MANY);
	if (*at(t, MANY) > 0 && !isfinite(loss))
		return um_fail(UM_ENUM, "the training diverged at step %.0f; a smaller rate or clip may help", *at(t, STEP));
	const um_status st = t->look(t->self, um_training_step(t), loss, &t->ended);
	*at(t, SUM) = *at(t, MANY) = 0;
	++*at(t, LOOKS);
	return st;
}

um_status um_training_run(um_training *t)
{
	um_status st = UM_OK;
	const double begun = um_clock();
	const int64_t first = um_training_step(t);
	while (!t->ended && um_training_step(t) < t->steps) {
		if (t->seconds > 0 && um_clock() - begun > t->seconds)
			break;
		UM_TRY(learn(t));
		const int64_t step = um_training_step(t);
		const double loss = *at(t, SUM) / *at(t, MANY);
		if (step % t->check == 0)
			UM_TRY(look(t));
		const um_answer answer = um_sink_progress(t->sink, step, t->steps, loss);
		if (answer != UM_GO)
			UM_TRY(checkpoint(t));
		if (answer == UM_STOP)
			UM_TRY(um_fail(UM_EINTR, "stopped after step %lld of the training", (long long)step));
	}
	if (!t->ended && um_training_step(t) < t->steps) /* more seconds go on from here */
		UM_TRY(checkpoint(t));
	const double took = um_clock() - begun, made = (double)(um_training_step(t) - first);
	if (*at(t, MANY) > 0 || *at(t, LOOKS) == 0)
		UM_TRY(look(t));
	if (made > 0)
		UM_TRY(um_sink_metric(t->sink, "images_per_second", made * (double)t->batch / took));
	UM_TRY(um_sink_metric(t->sink, "steps", *at(t, STEP)));
out:
	return st;
}
